"""Deliberate faults: in the source of one function, one piece of text becomes another.

``Mutant(methods, function, old, new)``: the function is named "module:qualified.name" below
``trainables.methods``; ``old`` must occur in it exactly once. A mutant is caught when a check
of one of the ``methods`` whose code it is fails.
"""

# ruff: noqa: E501  (a fault is easier to read on one line)

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    methods: tuple[str, ...]
    function: str
    old: str
    new: str

    def __str__(self) -> str:
        change = f"{self.old.strip()} -> {self.new.strip() or 'nothing'}"
        return f"{'/'.join(self.methods)} {self.function}: {' '.join(change.split())}"


@contextmanager
def applied(mutant: Mutant) -> Iterator[None]:
    """The mutated function in place of the right one, wherever it was imported to."""
    module_name, _, path = mutant.function.partition(":")
    module = sys.modules[f"trainables.methods.{module_name}"]
    *outer, name = path.split(".")
    owner = module
    for step in outer:
        owner = getattr(owner, step)
    right = inspect.getattr_static(owner, name)
    plain = inspect.unwrap(getattr(right, "fget", None) or getattr(right, "__func__", right))
    source = textwrap.dedent(inspect.getsource(plain))
    assert source.count(mutant.old) == 1, f"{source.count(mutant.old)} times: {mutant}"
    source = source.replace(mutant.old, mutant.new)
    source = source.replace("super()", f"super({'.'.join(outer)}, self)")
    scope = dict(vars(module))
    exec(compile("from __future__ import annotations\n" + source, "<mutant>", "exec"), scope)
    owners = [owner]
    if owner is module:
        loaded = [m for n, m in sys.modules.items() if n.startswith("trainables.methods")]
        owners = [m for m in loaded if vars(m).get(name) is right]
    tables = [
        (table, key)
        for table in vars(module).values()
        if isinstance(table, dict) and not table.keys() & {"__builtins__"}
        for key, value in table.items()
        if value is right
    ]
    for each in owners:
        setattr(each, name, scope[name])
    for table, key in tables:
        table[key] = scope[name]
    try:
        yield
    finally:
        for each in owners:
            setattr(each, name, right)
        for table, key in tables:
            table[key] = right


def of(names: str, function: str, *changes: tuple[str, str]) -> list[Mutant]:
    return [Mutant(tuple(names.split()), function, old, new) for old, new in changes]


MUTANTS: list[Mutant] = [
    # what all share
    *of(
        "nso amp sam", "weights:Displacement.move",
        ("alpha=factor", "alpha=1.0"),
        ("self.home()", "pass"),
        ("torch.clear_autocast_cache()", "pass"),
    ),
    *of(
        "sam amp nso nrs infomcr", "weights:Displacement.__exit__",
        ("self.home()", "pass"),
    ),
    *of(
        "sam nso", "weights:Displacement.home",
        ("torch._foreach_copy_(self.weights, self.start)",
         "[w.set_(s.clone()) for w, s in zip(self.weights, self.start)]"),
        ("torch._foreach_copy_(self.weights, self.start)",
         "torch._foreach_mul_(self.weights, 1.0 - 1e-7)"),
    ),
    *of(
        "sam amp asam rsam bsam", "weights:global_norm",
        ("torch.linalg.vector_norm(torch.stack(torch._foreach_norm(tensors)))",
         "torch.stack(torch._foreach_norm(tensors)).sum()"),
        ("torch.linalg.vector_norm(torch.stack(torch._foreach_norm(tensors)))",
         "torch.stack(torch._foreach_norm(tensors)).max()"),
    ),
    *of("amp", "weights:clip", (".clamp(max=1.0)", ""), ("limit /", "1.01 * limit /")),
    *of(
        "erm sam", "base:Method.gradient",
        ("parameter.grad = None", "pass"),
    ),
    *of("erm sam", "objective:Objective.complete_gradient", ("if p.grad is None:", "if False:")),
    *of(
        "bsam", "objective:Objective.complete_gradient",
        ("self.mean_over_workers(self.held_gradient())", "pass"),
    ),
    *of("sam nrs", "base:Method.cost", ("self.evaluations + ", "")),
    *of(
        "sam nso nrs amp", "objective:Objective._share_of_statistics",
        ('if self.composition.batchnorm == "all":', "if True:"),
        ('if self.composition.batchnorm == "all":', "if False:"),
        ("(0, 1) if first else None", "None"),
        ("first, self._begun = not self._begun, True", "first, self._begun = not self._begun, False"),
    ),
    *of(
        "nso", "base:Method.gradient",
        ('self.composition.batchnorm == "separate"', "False"),
        ("logits=seen[1]", "logits=output.logits"),
    ),
    *of("nso", "base:Method.cost", ("FORWARD if", "0.0 if")),
    *of(
        "erm sam nrs", "objective:Objective._normalized_together",
        ("size / self.size", "1"),
        ("own * size / self.size", "1"),
    ),
    *of(
        "erm", "objective:Objective.forward",
        ("share[0] * len(pieces) + index", "index * len(pieces)"),
        ("share[1] * len(pieces)", "share[1]"),
    ),
    *of(
        "nrs infomcr", "objective:Objective._share_of_statistics",
        ("share if self._first_group else None", "None"),
        ("share if self._first_group else None", "share if first else None"),
        ("if share[0] == 0:", "if True:"),
    ),
    *of(
        "nrs infomcr", "statistics:moving",
        ("layer.momentum = part / (1 - (count - 1 - index) * part)", "layer.momentum = part"),
        ("layer.momentum = part / (1 - (count - 1 - index) * part)", "pass"),
        ("counter.sub_(1)", "pass"),
        ("layer.momentum = momentum\n", "pass\n"),
        ("cumulative if index else ()", "()"),
    ),
    *of(
        "sam nso nrs", "statistics:_frozen",
        ("layer.track_running_stats = False", "pass"),
        ("layer.track_running_stats = True", "pass"),
        ("layer.momentum = 0.0", "pass"),
    ),
    *of(
        "sam infomcr", "statistics:tracked_layers",
        ("and m.track_running_stats", "and False"),
        ("and m.training", ""),
    ),
    *of(
        "nso nrs fa", "noise:draw",
        ("_LAWS[law](target, generator)", "_LAWS[law](target, None)"),
        ("_LAWS[law](target, generator)", "_LAWS['normal'](target.zero_(), generator.manual_seed(0))"),
    ),
    # SAM and relatives
    *of(
        "sam", "sam:SAM.scale",
        ("self.rho / (global_norm(gradient) + TINY)", "self.rho"),
        ("self.rho / (global_norm(gradient) + TINY)", "-self.rho / (global_norm(gradient) + TINY)"),
        ("self.rho / (global_norm(gradient) + TINY)", "1 / (global_norm(gradient) + TINY)"),
        ("torch._foreach_mul_(gradient, self.rho / (global_norm(gradient) + TINY))",
         "[g.mul_(self.rho / (g.norm() + TINY)) for g in gradient]"),
    ),
    *of(
        "usam", "sam:USAM.scale",
        ("self.rho", "-self.rho"),
        ("self.rho", "self.rho / global_norm(gradient)"),
    ),
    *of(
        "asam", "sam:ASAM.scale",
        ("factor = self.rho / (global_norm(gradient) + TINY)\n    torch._foreach_mul_(gradient, size)",
         "torch._foreach_mul_(gradient, size)\n    factor = self.rho / (global_norm(gradient) + TINY)"),
        ("list(torch._foreach_abs(weights))", "list(torch._foreach_mul(weights, 1.0))"),
        ("torch._foreach_add_(size, self.eta)", "pass"),
        ("torch._foreach_mul_(gradient, factor)", "torch._foreach_mul_(gradient, self.rho)"),
        ("part if named else one", "part"),
        ("part if named else one", "one"),
    ),
    *of("asam", "sam:ASAM.step", ('"weight" in name', "p.dim() > 1")),
    *of(
        "sam usam asam", "sam:Ascent.step",
        ("at.move(ascent)", "pass"),
        ("at.move(ascent)", "at.move(ascent, -1.0)"),
                ("        objective.accumulate()\n    return", "        pass\n    objective.accumulate()\n    return"),
    ),
    *of("sam usam asam", "sam:Ascent.ascent", ("objective.take_gradient()", "objective.held_gradient()")),
    *of("sam", "sam:Ascent.ascent", ("objective.mean_over_workers(gradient)", "pass"),
        ('self.perturbation == "global"', "True")),
    *of(
        "rsam bsam", "sam:Noisy.step",
        ("at.move(shift)", "pass"),
        ("if self.code_faithful:", "if True:"),
        ("if self.code_faithful:", "if False:"),
        ("at.move(ascent)", "at.move(shift)"),
        ('"normal"', '"uniform"'),
    ),
    *of("rsam bsam", "sam:Noisy.spread", ("self.sigma", "self.sigma**2"), ("self.sigma", "1.0")),
    *of(
        "rsam", "sam:RSAM.climb",
        ("self.lam * steep + loud", "steep + loud"),
        ("self.lam * steep + loud", "self.lam * steep"),
        ("size = global_norm(gradient)", "size = 1.0"),
    ),
    *of("rsam", "sam:RSAM.spread", ("dim=1", "dim=0"), ("if weight.dim() == 2:", "if True:")),
    *of(
        "bsam", "bsam:BSAM.climb",
        ("self.rho / (global_norm(gradient) + TINY)", "self.rho"),
        ("torch._foreach_div_(gradient, self.precision)", "pass"),
        ("torch._foreach_abs(gradient)", "gradient"),
        ("self.delta + self.damping", "self.delta"),
        ("self.delta + self.damping", "self.damping"),
    ),
    *of(
        "bsam", "bsam:BSAM.step",
        ("alpha=self.delta", "alpha=0"),
        ("torch._foreach_div_(gradient, self.precision)", "pass"),
        ("self.sigma**2", "self.sigma"),
        ("1 - self.beta1", "self.beta1"),
        ("1 - self.beta2", "1.0"),
        ("torch._foreach_copy_(gradient, self.momentum)", "pass"),
    ),
    *of("bsam", "bsam:BSAM.spread", ("torch._foreach_sqrt_(deviation)", "pass"),
        ("self.num_data", "1.0")),
    *of("bsam", "bsam:BSAM.state_dict", ("| own", "")),
    # AMP, RMP
    *of(
        "amp", "amp:AMP.step",
        ("self.project(delta, self.inner_lr)", "torch._foreach_mul_(delta, self.inner_lr)"),
        ("self.project(delta, self.inner_lr)", "self.project(delta)"),
        ("alpha=self.inner_lr", "alpha=-self.inner_lr"),
        ("            self.project(delta)\n", ""),
        ("range(self.inner_steps - 1)", "range(self.inner_steps)"),
        ("            at.move(delta)\n        del delta", "        del delta"),
        ("clip(objective.held_gradient(), self.clip)", "pass"),
    ),
    *of("amp", "amp:AMP.inner_gradient", ("clip(gradient, self.clip)", "pass"),
        ("objective.mean_over_workers(gradient)", "pass"), ('self.perturbation == "global"', "True")),
    *of(
        "amp", "amp:AMP.project",
        ('self.norm == "global"', "False"),
        ('self.norm == "global"', "True"),
        ("self.shrinking(scale * global_norm(delta))", "self.shrinking(global_norm(delta))"),
        ("self.shrinking(scale * global_norm(delta)) * scale",
         "self.shrinking(scale * global_norm(delta))"),
        ("scale * torch.stack(", "torch.stack("),
        ("(self.shrinking(norms) * scale)", "self.shrinking(norms)"),
    ),
    *of("amp", "amp:AMP.shrinking", (".clamp(max=1)", "")),
    *of(
        "rmp", "amp:RMP.step",
        ("flat.mul_(self.epsilon)", "pass"),
        ("self.epsilon / d.numel()", "self.epsilon / flat.numel()"),
        ("** 0.5", "** 1.0"),
        ('self.reading == "paper"', "True"),
        ("at.move(delta)", "pass"),
    ),
    *of("rmp nrs", "noise:ball", ("radius ** (1 / flat.numel())", "radius"),
        ("/ torch.linalg.vector_norm(flat))", ")")),
    # NSO, WP-SGD
    *of(
        "nso wp_sgd", "nso:NoiseInjection.step",
        ("(1.0, -1.0) if self.two_point else (1.0,)", "(1.0,)"),
        ("(1.0, -1.0) if self.two_point else (1.0,)", "(1.0, 1.0) if self.two_point else (1.0,)"),
        ("(1.0, -1.0) if self.two_point else (1.0,)", "(1.0, -1.0)"),
        ("(1 - self.lam) / self.noisy_passes", "1 / self.noisy_passes"),
        ("(1 - self.lam) / self.noisy_passes", "(1 - self.lam) / self.num_perturbations"),
        ("objective.accumulate(self.lam)", "objective.accumulate()"),
        ("sign * self.current_sigma", "sign * self.sigma"),
        ("sign * self.current_sigma", "sign * self.current_sigma**2"),
        ("sign * self.current_sigma", "self.current_sigma"),
        ("first = first or (value, logits)", "first = (value, logits)"),
        ("total = total + weight * value", "total = value"),
        ("if self.lam > 0:", "if True:"),
    ),
    *of("nso wp_sgd", "nso:NoiseInjection.evaluations", ("(self.lam > 0)", "1")),
    *of("nso", "nso:NoiseInjection.noisy_passes", ("2 if self.two_point else 1", "1")),
    *of("nso", "nso:NoiseInjection.current_sigma", ("math.log(1e-5)", "math.log(1e-4)"),
        ("self.progress.epochs - 1", "self.progress.epochs"),
        ("return self.sigma * part", "return self.sigma * (1 - part)")),
    *of("nso wp_sgd", "noise:_laplace", ("2**-0.5", "1.0"), (".sub_(", ".add_(")),
    *of("nso wp_sgd", "noise:_centered_binomial", ("x.sub_(2)", "pass")),
    *of("nso wp_sgd", "noise:_binomial", ("16, x.shape", "8, x.shape")),
    *of("fa", "noise:_rademacher", (".sub_(1)", "")),
    # NRS, RPR
    *of(
        "nrs rpr", "nrs:Neighborhood.draw",
        ("flat.mul_(self.epsilon * size / torch.linalg.vector_norm(flat))",
         "flat.mul_(size / torch.linalg.vector_norm(flat))"),
        ("flat.mul_(self.epsilon * size / torch.linalg.vector_norm(flat))",
         "flat.mul_(self.epsilon * size)"),
        ("flat.mul_(self.epsilon / global_norm(weights))", "flat.mul_(self.epsilon * global_norm(weights))"),
        ('size = global_norm(weights) if self.scale == "relative" else 1.0', "size = global_norm(weights)"),
        ("if d.dim() < 2", "if d.dim() > 1"),
        ('if self.perturb == "weights":', "if False:"),
        ("self.epsilon * sizes", "sizes"),
        ('surface=ball == "on_sphere"', "surface=True"),
        ('ball == "per_coordinate_uniform"', "False"),
        ('"gaussian" if self.scale == "gaussian_literal" else self.ball', "self.ball"),
    ),
    *of(
        "nrs rpr", "nrs:Neighborhood.parts",
        ("(part.stop - part.start) / objective.size", "1.0"),
        ("(part.stop - part.start) / objective.size", "1 / devices"),
        ("min(own, objective.size)", "1"),
        ("(i, devices)", "None"),
    ),
    *of("rpr", "nrs:RPR.step", ("at.move(self.draw(objective))", "self.draw(objective)"),
        ("if self.scale in _EXACT", "if True")),
    *of(
        "nrs", "nrs:NRS.device",
        ("self.alpha * self.divergence(p, q)", "self.alpha * self.divergence(q, p)"),
        ("self.alpha * self.divergence(p, q)", "self.divergence(p, q)"),
        ("(loss + other)", "loss"),
        ("(loss + other)", "other"),
        ('0.5 if self.loss == "averaged" else 1.0', "1.0"),
        ("at.move(delta)", "pass"),
        ("objective.rewind_dropout(masks)", "pass"),
        ("    _backward(clean, slope_p, clean_penalty, penalty_weight)\n    for",
         "        _backward(clean, slope_p, clean_penalty, penalty_weight)\n    for"),
        ("_backward(noisy, slope_q, noisy_penalty, penalty_weight)", "pass"),
        ("torch.autograd.grad(weight * total, (p, q))", "torch.autograd.grad(total, (p, q))"),
        ("penalty_weight = weight * share_of_ce", "penalty_weight = 1.0"),
        ("noisy = objective.forward(part)", "noisy = objective.forward()"),
    ),
    *of(
        "nrs", "nrs:NRS.divergence",
        ('p.detach() if self.loss == "detached_target" else p', "p.detach()"),
        ('p.detach() if self.loss == "detached_target" else p', "p"),
        ('"batchmean"', '"mean"'),
        ('"batchmean"', '"sum"'),
    ),
    # InfoMCR
    *of(
        "infomcr", "infomcr:InfoMCR.loop",
        ("at.move(at_w, -self.alpha)", "at.move(at_w, self.alpha)"),
        ("at.move(at_w, -self.alpha)", "at.move(at_w, -2 * self.alpha)"),
        ("at.move(at_w, -self.alpha)", "pass"),
        ("alpha=-self.beta / count", "alpha=-self.beta"),
        ("alpha=-self.beta / count", "alpha=self.beta / count"),
        ("self.beta / count + (0.0 if full else share)", "self.beta / count + share"),
        ("self.beta / count + (0.0 if full else share)", "self.beta / count"),
        ("objective.evaluate(part)[0]", "objective.evaluate()[0]"),
        ("(i, count)", "None"),
    ),
    *of(
        "infomcr", "infomcr:InfoMCR.active",
        ("min(self.progress.lr_drops, 2)", "min(self.progress.lr_drops, 1)"),
        ('== "1"', '== "0"'),
        ("self.progress is None", "False"),
        (">= round(self.start", "> round(self.start"),
    ),
    *of("infomcr", "infomcr:InfoMCR.evaluations", ("else 3.0", "else 2.0")),
    *of("infomcr", "infomcr:InfoMCR.splits", ("self.num_splits // objective.workers", "self.num_splits")),
    *of("infomcr", "infomcr:full_precision", ("enabled=False", "enabled=True"),
        ('backend.fp32_precision = "ieee"', "pass"), ("backend.fp32_precision = precision", "pass")),
    *of(
        "infomcr", "ghost:gradient",
        ("layer.d.mul_(1 + beta)", "layer.d.mul_(beta)"),
        ("slope.mul_(-beta)", "slope.mul_(beta)"),
        ("layer.module.weight.grad = d_BO.T @ layer.a", "layer.module.weight.grad = clean_d.T @ layer.a * 2"),
        ("moved_d.T, layer.moved_a", "moved_d.T, layer.a"),
        ("layer.module.bias.grad = d_BO.sum(0)", "layer.module.bias.grad = moved_d.sum(0)"),
    ),
    *of(
        "infomcr", "ghost:_displaced",
        ("alpha=-alpha * count", "alpha=-alpha"),
        ("alpha=-alpha * count", "alpha=alpha * count"),
        ("inner_Mbb = inner_Mbb + 1", "pass"),
        ("if layer.module.bias is not None:", "if True:"),
        ("same = not x.requires_grad and x.data_ptr() == layer.a.data_ptr()", "same = True"),
    ),
    *of(
        "infomcr", "ghost:applies",
        ("objective.size % count or ", ""),
        ("if leaf and type(module) not in _SAMPLEWISE:", "if False:"),
        ("return _independent[model]", "return True"),
        ("kind.penalty is not Regularizer.penalty or ", ""),
        (" or kind.loss is not Regularizer.loss", ""),
        ("isinstance(module, nn.Dropout) and module.training and module.p > 0", "False"),
    ),
    *of("infomcr", "ghost:_samples_do_not_interact", ("la.calls != 1 or ", "")),
    # FA
    *of(
        "fa", "fa:FA.by_autograd",
        ("torch._foreach_mul_(held, 2 * weight)", "torch._foreach_mul_(held, weight)"),
        ("weight * global_norm(held).square()", "weight * global_norm(held)"),
        ("refuse_wrong_thirds(loss)", "pass"),
        ("[torch.ones_like(loss)]", "[torch.zeros_like(loss)]"),
        ("noise.draw(flat, self.distribution, objective.generator)", 'noise.draw(flat, "normal", objective.generator)'),
        ("torch._foreach_clone([probe[i] for i in curved])", "[probe[i] for i in curved]"),
        ("outputs.append(h)", "outputs.append(h.detach().requires_grad_() * 0 + h * 0)"),
        ("self.share(objective, held)", "pass"),
        ("with exact_norms(objective.model) as model:", "for model in [objective.model]:"),
    ),
    *of("fa", "fa:FA.weight", ("objective.size * workers * self.num_probes", "self.num_probes"),
        ("objective.size * workers * self.num_probes", "objective.size * workers"),
        ("objective.size * workers * self.num_probes", "objective.size * self.num_probes")),
    *of("fa", "fa:FA.active", ("% self.every == 0", "% self.every == 1"), ("self.lam == 0", "False")),
    *of("fa", "fa:FA.evaluations", ("6 * self.num_probes", "6")),
    *of(
        "fa", "fa:FA.by_differences",
        ("refuse_kinks(loss)", "pass"),
        ("self.length**3", "self.length**2"),
        ("2 * weight", "weight"),
        ("torch._foreach_sub_(third, along_h)", "pass"),
        ("torch._foreach_add_(third, clean)", "pass"),
        ("torch._foreach_add_(h, v)", "pass"),
    ),
    *of(
        "fa", "primitive:_normalized",
        ("(centered * centered).mean(dims, keepdim=True)", "(centered * centered).mean(dims, keepdim=True).detach()"),
        ("centered = x - mean", "centered = x - mean.detach()"),
        ("variance + eps", "variance"),
    ),
    *of("fa", "primitive:batch_norm", ("if d != 1", "if d != 0"),
        ("_affine(normal, weight, bias)", "normal")),
    *of("fa", "primitive:_move", ("count / max(count - 1, 1)", "1.0"),
        ("running_mean.lerp_(mean.flatten(), momentum)", "pass")),
    *of("fa", "primitive:layer_norm", ("normal * weight", "normal")),
    *of("fa", "primitive:refuse_wrong_thirds", ("if node:", "if False:")),
    # regularizers
    *of("label_smoothing", "label_smoothing:LabelSmoothing.targets",
        ("self.smoothing / classes", "self.smoothing / (classes - 1)"),
        ("(1 - q) / (classes - 1)", "1 / (classes - 1)"),
        ("(1 - q) / (classes - 1)", "(1 - q) / classes")),
    *of("flooding", "flooding:Flooding.loss", (".abs()", ""), ("+ self.level", ""),
        ("value - self.level", "self.level + value")),
    *of("mixup", "mixup:Mixup.batch",
        ("Mixed(targets, take(targets, order), weight)", "Mixed(take(targets, order), targets, weight)"),
        ("Mixed(targets, take(targets, order), weight)", "Mixed(targets, targets, weight)"),
        ("torch.lerp(inputs[order], inputs,", "torch.lerp(inputs, inputs[order],"),
        ('size if self.per == "sample" else 1', "1"),
        ('size if self.per == "sample" else 1', "size"),
        ("self.alpha, dtype", "1.0, dtype"),
        ("torch._standard_gamma(shape.to(home), generator=generator)", "torch._standard_gamma(shape.to(home))")),
    *of("mixup", "objective:Mixed.dense", ("torch.lerp(second, first, weight)", "torch.lerp(first, second, weight)")),
    *of("adversarial", "adversarial:Adversarial.batch",
        ("+ self.step * unit * slope.sign()", "- self.step * unit * slope.sign()"),
        ("slope.sign()", "slope"),
        ("torch.clamp(moved, low, high)", "moved"),
        ("if self.random_start:", "if False:"),
        ("with evaluation_mode(objective.model):", "if True:"),
        ("range(self.num_steps)", "range(1)"),
        ("return attacked.detach(), targets", "return inputs, targets")),
    *of("adversarial", "adversarial:evaluation_mode", ("module.training = True", "pass"),
        ("for module in training:", "for module in model.modules():")),
    *of("l2_sp", "l2_sp:L2SP.penalty",
        ("self.lam * squared_distance", "2 * self.lam * squared_distance"),
        ("[self.start[i] for i in body]", "[self.start[i] * 0 for i in body]"),
        ("self.head_lam * squared_distance", "self.lam * squared_distance")),
    *of("l2_sp", "l2_sp:L2SP._choose", ('self.scope == "all" or ', ""), ("p.dim() > 1]", "True]"),
        ("if params[i].dim() > 1]", "]")),
    *of("l2_sp", "l2_sp:_SquaredDistance.backward", ("2 * slope", "slope")),
    *of("l2_sp", "l2_sp:L2SP.load_state_dict", ("self.start = ", "_ = ")),
    *of("l2_sp", "l2_sp:L2SP.begin", (".clone()", "")),
]  # fmt: skip
