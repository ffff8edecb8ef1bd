"""Measures with one mistake in them, and the check that must notice.

A mutant is a piece of source text and what replaces it. The changed module is
compiled and the code of its functions put into the living ones, so that every
module that imported them has the mistake; afterwards the old code is put back.
"""

import contextlib
import importlib
import inspect
from types import CodeType, FunctionType
from typing import NamedTuple


class Mutant(NamedTuple):
    module: str
    old: str
    new: str
    check: str


@contextlib.contextmanager
def mutated(mutant):
    module = importlib.import_module(f"trainables.measures.{mutant.module}")
    source = inspect.getsource(module)
    assert source.count(mutant.old) >= 1, f"no longer in {mutant.module}: {mutant.old}"
    living = _codes(compile(source, module.__file__, "exec"))
    changed = _codes(compile(source.replace(mutant.old, mutant.new, 1), module.__file__, "exec"))
    different = {name for name in living if living[name] != changed.get(name)}
    functions = [f for f in _functions(module) if f.__code__.co_qualname in different]
    assert functions, f"changes no function: {mutant.old}"
    before = [f.__code__ for f in functions]
    try:
        for function in functions:
            function.__code__ = changed[function.__code__.co_qualname]
        yield
    finally:
        for function, code in zip(functions, before, strict=True):
            function.__code__ = code


def _codes(code, found=None):
    """Outermost functions and methods of a module's code, by qualified name."""
    found = {} if found is None else found
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if "<locals>" not in constant.co_qualname:
                found[constant.co_qualname] = constant
            _codes(constant, found)
    return found


def _functions(module):
    """Every function written in the module, methods and what is under decorators included."""
    queue, seen = list(vars(module).values()), set()
    while queue:
        item = queue.pop()
        item = getattr(item, "__func__", item)
        if id(item) in seen:
            continue
        seen.add(id(item))
        if inspect.isclass(item) and item.__module__ == module.__name__:
            queue += vars(item).values()
        elif isinstance(item, property):
            queue.append(item.fget)
        elif isinstance(item, FunctionType):
            if item.__code__.co_filename == module.__file__:
                yield item
            if hasattr(item, "__wrapped__"):
                queue.append(item.__wrapped__)


def _of(module, *rows):
    return [Mutant(module, *row) for row in rows]


MUTANTS = [
    *_of(
        "base",
        ("correction=1", "correction=0", "guarding.results_are_flat"),
        ("/ len(samples) ** 0.5", "", "guarding.results_are_flat"),
        ("if part else name", "if True else name", "guarding.results_are_flat"),
        ("with guarded(model, batches):", "if True:", "guarding.random_models_are_refused"),
        ("generator = generator or", "generator =", "guarding.generators_are_used"),
    ),
    *_of(
        "classification",
        (
            "logits.topk(min(k, logits.shape[1])",
            "logits.topk(min(k, 1)",
            "predictions.errors_by_sorting",
        ),
        (".all(dim=1).double()", ".any(dim=1).double()", "predictions.errors_by_sorting"),
        ("- 2 * chosen + 1", "- chosen + 1", "predictions.likelihood_and_brier_by_loop"),
        (
            "torch.bucketize(confidence, edges[1:-1])",
            "torch.bucketize(confidence, edges[1:-1], right=True)",
            "predictions.calibration_by_hand",
        ),
        ("edges[1:-1]", "edges[:-1]", "predictions.calibration_by_hand"),
        (
            "(correct - confidence).abs().sum()",
            "(correct - confidence).sum().abs()",
            "predictions.calibration_by_hand",
        ),
        ("/ len(targets)", "/ bins", "predictions.calibration_as_torchmetrics"),
        (
            "smoothing * classes / (classes - 1)",
            "smoothing",
            "predictions.smoothed_loss_reaches_its_floor",
        ),
        ("misses[:, 0]", "misses[:, 1]", "predictions.summary_is_its_parts"),
        ("min(5, logits", "min(4, logits", "predictions.summary_is_its_parts"),
        ("logits = logits.float()", "pass", "predictions.summary_is_its_parts"),
        ("bins=bins)", "bins=15)", "predictions.measured_over_uneven_batches"),
        (
            "smoothing, convention))",
            "0.2, convention))",
            "predictions.measured_over_uneven_batches",
        ),
    ),
    *_of(
        "parameters",
        ("p.requires_grad and p.ndim > 1", "p.requires_grad", "curvature.subsets_are_blocks"),
        ("if p.requires_grad}", "if True}", "curvature.subsets_are_blocks"),
        ("linear[-1]", "linear[0]", "curvature.last_layer_is_its_hessian_block"),
        ('p.startswith(f"{name}.")', "p.startswith(name)", "curvature.prefixes_are_whole_names"),
        ("alpha=scale", "alpha=1", "landscape.lines_and_planes"),
    ),
    *_of(
        "second_derivatives",
        (
            "torch.convolution(u, w, None",
            "torch.convolution(u, w.flip(2), None",
            "curvature.cheap_derivatives_are_torchs",
        ),
        (
            "along_dy = other if along_dy is None else along_dy.add_(other)",
            "along_dy = other",
            "curvature.cheap_derivatives_are_torchs",
        ),
        (
            "dy, x if u is None else u, w if v is None else v",
            "dy, x, w",
            "curvature.cheap_derivatives_are_torchs",
        ),
        (
            "dy.sum((0, 2, 3)) if need_b",
            "dy.sum((0, 2, 3)) * 2 if need_b",
            "curvature.cheap_derivatives_are_torchs",
        ),
        ("c - vr * m", "c + vr * m", "curvature.cheap_derivatives_are_torchs"),
        ("addcmul_(u, (w * r)", "addcmul_(u, (r)", "curvature.cheap_derivatives_are_torchs"),
        ("along_x = dy * vr", "along_x = dy * v", "curvature.cheap_derivatives_are_torchs"),
        ("dy, u, w, zero, var", "dy, u, w, m, var", "curvature.cheap_derivatives_are_torchs"),
        ("(var + ctx.eps)", "(var)", "curvature.cheap_derivatives_are_torchs"),
        ("and not isinstance(geometry[1], str)", "", "curvature.cheap_derivatives_are_torchs"),
        ("not training and", "True and", "curvature.training_mode_is_left_to_torch"),
    ),
    *_of(
        "hessian",
        (
            "alpha=weight)\n        self.products",
            "alpha=1.0)\n        self.products",
            "curvature.products_are_dense",
        ),
        (
            "len(targets) / self.samples, gradient",
            "1 / len(self.batches), gradient",
            "curvature.products_are_dense",
        ),
        ("self.products += len(rows)", "self.products += 1", "curvature.products_are_dense"),
        ("if index < self._keep:", "if True:", "curvature.memory_is_bounded"),
        ("memory -= int(per_sample * len(targets))", "memory -= 0", "curvature.memory_is_bounded"),
        (
            "part.add_(value.detach(), alpha=weight)",
            "part.add_(value.detach())",
            "curvature.gradient_is_that_of_all_samples",
        ),
    ),
    *_of(
        "trace",
        (
            "forms.append((v * hv)",
            "forms.append((v * hv).abs()",
            "curvature.hutchinson_finds_the_trace",
        ),
        (
            "squares.append(hv.square()",
            "squares.append((hv * v).square()",
            "curvature.probes_come_in_blocks",
        ),
        ("min(block, num_samples - start)", "num_samples", "curvature.probes_come_in_blocks"),
        ("range(0, num_samples, block)", "range(0, 1, block)", "curvature.probes_come_in_blocks"),
        (
            "draw(row, law, generator)",
            'draw(row, "rademacher", generator)',
            "curvature.hutchinson_is_exact_on_diagonals",
        ),
        (
            "draw(row, law, generator)",
            'draw(row, "unit", generator)',
            "curvature.hutchinson_finds_the_trace",
        ),
        ("probes).forms)", "probes).squares)", "curvature.hutchinson_is_exact_on_diagonals"),
        ("square.value**0.5", "square.value", "curvature.hutchinson_is_exact_on_diagonals"),
        ("/ (2 * root)", "/ root", "curvature.hutchinson_finds_the_trace"),
    ),
    *_of(
        "spectrum",
        (
            "w = _orthogonal(w, basis)\n",
            "w = w - diagonal[-1] * v\n",
            "curvature.lanczos_keeps_its_bound",
        ),
        (
            "basis.T @ (basis @ w)",
            "basis[-2:].T @ (basis[-2:] @ w)",
            "curvature.lanczos_keeps_its_bound",
        ),
        (
            'draw(w, "normal", generator)\n            w,',
            "break\n            w,",
            "curvature.lanczos_on_known_spectra",
        ),
        (
            "tuple(reversed(values))[:largest]",
            "tuple(sorted(values, key=abs))[::-1][:largest]",
            "curvature.lanczos_on_known_spectra",
        ),
        (
            "error <= tolerance * scale",
            "error <= 10 * tolerance * scale",
            "curvature.lanczos_keeps_its_bound",
        ),
        ("vectors[-1].abs()", "vectors[0].abs()", "curvature.lanczos_keeps_its_bound"),
        ("min(r, r * r / gap)", "min(r, r * r)", "curvature.lanczos_keeps_its_bound"),
        ("values[:smallest]", "values[-smallest:]", "curvature.lanczos_on_known_spectra"),
        ("done >= min(max_products, size)", "done >= size", "curvature.lanczos_keeps_its_bound"),
        ("and error <= tolerance", "or error <= tolerance", "curvature.lanczos_on_known_spectra"),
    ),
    *_of(
        "last_layer",
        ("h.new_ones(", "h.new_zeros(", "curvature.last_layer_is_its_hessian_block"),
        ("ps - p * ps.sum(dim=1, keepdim=True)", "ps", "curvature.last_layer_is_its_hessian_block"),
        (
            "(moved.T @ h).reshape(-1) / len(h)",
            "(moved.T @ h).reshape(-1)",
            "curvature.last_layer_is_its_hessian_block",
        ),
        (
            "- p.T @ p) / len(p)",
            "- p.T @ p / len(p)) / len(p)",
            "curvature.last_layer_is_its_hessian_block",
        ),
        ("h.T @ h / len(h)", "h.T @ h", "curvature.last_layer_is_its_hessian_block"),
        (
            "_require_cross_entropy(loss_fn, logits[0], targets)",
            "pass",
            "curvature.last_layer_is_its_hessian_block",
        ),
        (
            "or not torch.equal(seen[-1][1], logits[-1])",
            "",
            "curvature.last_layer_is_its_hessian_block",
        ),
        (
            "float(outputs * features)",
            "float(outputs + features)",
            "curvature.last_layer_is_its_hessian_block",
        ),
        (
            "bias and layer.bias is not None",
            "layer.bias is not None",
            "curvature.last_layer_is_its_hessian_block",
        ),
    ),
    *_of(
        "nso_code",
        (
            'and not _SHORTCUTS & set(name.split("."))',
            "",
            "curvature.nso_selects_what_its_code_does",
        ),
        (
            "sum(traces) / len(traces)",
            "max(traces)",
            "curvature.nso_trace_is_a_mean_over_small_batches",
        ),
        (
            "sum(variances) ** 0.5 / len(traces)",
            "sum(variances) ** 0.5",
            "curvature.nso_error_is_the_spread_over_seeds",
        ),
        (
            "itertools.islice(cut, num_batches)",
            "cut",
            "curvature.nso_trace_stops_early",
        ),
        (
            ">= batch_size * num_batches:",
            ">= num_batches:",
            "curvature.nso_trace_is_a_mean_over_small_batches",
        ),
        (".amax(dim=0).sum()", ".amax()", "curvature.nso_trace_is_a_mean_over_small_batches"),
        (
            "< tolerance:\n            break\n    return torch",
            "< 0:\n            break\n    return torch",
            "curvature.nso_trace_stops_early",
        ),
        (
            "(totals.var() / len(totals))",
            "(totals.var())",
            "curvature.nso_error_is_the_spread_over_seeds",
        ),
        (
            "for layer in _layers(operator, v):",
            "for layer in [v]:",
            "curvature.nso_lambda_is_layer_by_layer",
        ),
        ("sum(values) / len(values)", "max(values)", "curvature.nso_lambda_is_layer_by_layer"),
        ("            v = hv", "            pass", "curvature.nso_lambda_is_layer_by_layer"),
    ),
    *_of(
        "gram",
        ("else inner + 1)", "else inner)", "fisher.gram_is_that_of_the_rows"),
        ("inner + 1) * (d @ d.T)", "inner + 1) + (d @ d.T)", "fisher.gram_is_that_of_the_rows"),
        ("else out + _rows_gram(d.sum((2, 3)))", "else out", "fisher.gram_is_that_of_the_rows"),
        ("out + _rows_gram(d.sum(2))", "out", "fisher.gram_is_that_of_the_rows"),
        ("users[id(p)] == 1", "True", "fisher.gram_is_that_of_the_rows"),
        ("self.calls[name] == 1 and", "", "fisher.gram_is_that_of_the_rows"),
        (
            "            and all(p.requires_grad for",
            "            and all(True for",
            "fisher.gram_of_some_parameters",
        ),
        ("zeros and module.groups == 1", "zeros", "fisher.gram_is_that_of_the_rows"),
        (".sum((1, 3))", ".sum((1, 3)).mul(2)", "fisher.gram_is_that_of_the_rows"),
        ("mul_(flat_d[:, some].T @ flat_d)", "mul_(1.0)", "fisher.gram_is_that_of_the_rows"),
        ("out[i : i + step] =", "out[:step] =", "fisher.gram_in_small_pieces"),
        ("part = d[:, k : k + wide]", "part = d[:, :wide]", "fisher.gram_in_small_pieces"),
        ("(d * x).sum(over) if over", "d.sum(over) if over", "fisher.gram_is_that_of_the_rows"),
        (
            "module.padding, module.dilation",
            "module.padding, [1, 1]",
            "fisher.convolution_rows_either_way",
        ),
        (
            "for i in range(0, n, step)\n        ]",
            "for i in range(0, 1, step)\n        ]",
            "fisher.gram_in_small_pieces",
        ),
        ("stride=module.stride", "stride=1", "fisher.convolution_rows_either_way"),
        (
            "if p.requires_grad and n not in covered",
            "if n not in covered",
            "fisher.gram_of_some_parameters",
        ),
        ("if p.requires_grad and n not in covered", "if False", "fisher.gram_is_that_of_the_rows"),
        (
            "group = []\n        group.append",
            "group = []\n            continue\n        group.append",
            "fisher.gram_in_small_pieces",
        ),
        ("output.clone()", "output.view_as(output)", "fisher.gram_is_that_of_the_rows"),
        ("hook.remove()", "pass", "fisher.gram_is_that_of_the_rows"),
    ),
    *_of(
        "fisher",
        ("p.scatter(1, targets[:, None], 0.0)", "p", "fisher.gram_is_that_of_the_rows"),
        (
            "-others.sum(dim=1, keepdim=True)",
            "p.gather(1, targets[:, None]) - 1",
            "fisher.gram_of_certain_samples",
        ),
        (
            "(logits.double(), targets",
            "(logits.float(), targets",
            "fisher.gram_is_that_of_the_rows",
        ),
        ("- unit * (d * unit).sum(dim=1, keepdim=True)", "", "fisher.gram_is_that_of_the_rows"),
        ("/ (norm * logit_scale)", "/ logit_scale", "fisher.gram_is_that_of_the_rows"),
        (
            "(unit / logit_scale).softmax",
            "(unit * logit_scale).softmax",
            "fisher.gram_is_that_of_the_rows",
        ),
        ("+ 2 * log_r.sum()", "+ log_r.sum()", "fisher.log_det_is_that_of_singular_values"),
        ("0.5 if half", "2.0 if half", "fisher.log_det_is_that_of_singular_values"),
        ("sign > 0", "sign < 0", "fisher.log_det_is_that_of_singular_values"),
        (
            "trial * size, (trial + 1) * size",
            "0, size",
            "fisher.log_det_is_that_of_singular_values",
        ),
        ("else size * trials", "else size", "fisher.log_det_is_that_of_singular_values"),
        (
            "torch.randperm(total, generator",
            "torch.randint(total, (total,), generator",
            "fisher.subsets_are_random_and_without_repetition",
        ),
        (
            "torch.randperm(total, generator=generator, device=device)",
            "torch.arange(total)",
            "fisher.subsets_are_random_and_without_repetition",
        ),
        ("right=True)", "right=False)", "fisher.subsets_are_random_and_without_repetition"),
        (
            " - (int(ends[number - 1]) if number else 0)",
            "",
            "fisher.log_det_is_that_of_singular_values",
        ),
        ("* g * r) / num_samples", "* g * r)", "fisher.rivals_from_the_gram_matrix"),
        ("eigenvalues.square().sum()", "eigenvalues.sum()", "fisher.rivals_from_the_gram_matrix"),
        ("eigenvalues[-1]]", "eigenvalues[0]]", "fisher.rivals_from_the_gram_matrix"),
        (
            "logit_scale=logit_scale,\n        half=half",
            "half=half",
            "fisher.rivals_from_the_gram_matrix",
        ),
        (
            "        half=half,\n        subsets",
            "        subsets",
            "fisher.rivals_from_the_gram_matrix",
        ),
    ),
    *_of(
        "subset_hessian",
        (".squares.mean()", ".forms.mean()", "fisher.rivals_from_the_hessian"),
        (
            "max(abs(ends.largest[0]), abs(ends.smallest[0]))",
            "ends.smallest[0]",
            "fisher.rivals_from_the_hessian",
        ),
    ),
    *_of(
        "input_jacobian",
        ("s @ inner @ s", "inner", "fisher.robustness_is_the_softmax_jacobian"),
        ("s @ inner @ s", "s @ inner", "fisher.robustness_is_the_softmax_jacobian"),
        ("[:, -1]", "[:, 0]", "fisher.robustness_is_the_softmax_jacobian"),
        (
            "return total / samples",
            "return total / len(batches)",
            "fisher.robustness_is_the_softmax_jacobian",
        ),
        (".clamp_min(0)", ".sqrt()", "fisher.robustness_is_the_softmax_jacobian"),
    ),
    *_of(
        "sharpness",
        (".double() * len(targets)", ".double() * 6", "predictions.measured_over_uneven_batches"),
        ("alpha=len(targets) / samples", "alpha=0.5", "landscape.worst_case_as_amp"),
        ('1 if rule == "sam" else steps', "steps", "landscape.worst_case_as_sam"),
        ('1 if rule == "sam" else steps', "1", "landscape.worst_case_as_amp"),
        ('[d] if scope == "global"', "[d] if True", "landscape.worst_case_as_amp"),
        ("else shrink.clamp_max(1.0)", "else shrink", "landscape.worst_case_as_amp"),
        (
            'shrink if rule == "sam"',
            'shrink.clamp_max(1.0) if rule == "sam"',
            "landscape.small_gradients_reach_the_ball",
        ),
        ("else inner_lr)", "else 1.0)", "landscape.worst_case_as_amp"),
        ("moved = displaced(model, chosen, d)", "moved = values", "landscape.worst_case_as_amp"),
        ("clamp_min(1e-30)", "clamp_min(0.0)", "landscape.worst_case_as_sam"),
        ("after - before,", "before - after,", "landscape.worst_case_as_sam"),
        (
            "(sigma, -sigma) if antithetic",
            "(sigma, sigma) if antithetic",
            "landscape.gaps_of_a_quadratic",
        ),
        (
            "sum(after) / len(after) - before",
            "sum(after) / len(after)",
            "landscape.gaps_of_a_quadratic",
        ),
        ("sigma**2 / 2)", "sigma / 2)", "landscape.gaps_of_a_quadratic"),
        (
            "num_samples, parameters, False)",
            "num_samples, parameters, True)",
            "landscape.gaps_of_a_quadratic",
        ),
        (
            'draw(noise, "normal", generator)',
            'draw(noise, "symmetric", generator)',
            "landscape.gaps_of_a_quadratic",
        ),
    ),
    *_of(
        "landscape",
        (
            "part.view(len(p), -1) if p.ndim > 1 else",
            "part.view(1, -1) if p.ndim > 1 else",
            "landscape.directions_are_filter_normalised",
        ),
        ("p.ndim > 1 or one_dimensional", "True", "landscape.directions_are_filter_normalised"),
        ("own / torch", "1 / torch", "landscape.directions_are_filter_normalised"),
        (
            "for b in positions\n        ]\n        for a in",
            "for a in positions\n        ]\n        for b in",
            "landscape.lines_and_planes",
        ),
        (
            "displaced(model, chosen, direction, a)",
            "displaced(model, chosen, direction, a * a)",
            "landscape.lines_and_planes",
        ),
        ("half = (points - 1) / 2", "half = points / 2", "landscape.lines_and_planes"),
        (
            "    second = random_direction(model, generator, one_dimensional)",
            "    second = first",
            "landscape.lines_and_planes",
        ),
    ),
    *_of(
        "distances",
        ("(a - b).square().sum()", "(a - b).abs().sum()", "landscape.distances_by_hand"),
        ("(gap / norm)", "(gap / own)", "landscape.distances_by_hand"),
        ("(own * norm).sqrt()", "norm", "landscape.distances_by_hand"),
    ),
    *_of(
        "guard",
        ("if module.training:", "if False:", "guarding.random_models_are_refused"),
        ('exact=what != "logits"', "exact=False", "guarding.random_data_are_refused"),
        ("if not _equal(", "if False and not _equal(", "guarding.random_data_are_refused"),
        ("if len(first) != len(second):", "if False:", "guarding.random_data_are_refused"),
        ("tensor.copy_(value)", "pass", "guarding.everything_is_put_back"),
        ("*model.buffers()", "", "guarding.everything_is_put_back"),
        ("requires_grad_(needed)", "requires_grad_(False)", "guarding.everything_is_put_back"),
        ("parameter.grad = grad", "pass", "guarding.everything_is_put_back"),
        (
            "    finally:\n        with",
            "    except ZeroDivisionError:\n        with",
            "guarding.everything_is_put_back",
        ),
        ("if not first:", "if False:", "guarding.random_models_are_refused"),
    ),
]
