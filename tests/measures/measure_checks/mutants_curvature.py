"""Mistakes in predictions, Hessian products, traces, spectra, blocks (see `mutation`)."""

from measure_checks.mutation import of

MUTANTS = [
    *of(
        "base",
        ("correction=1", "correction=0", "guarding.results_are_flat"),
        ("/ len(samples) ** 0.5", "", "guarding.results_are_flat"),
        ("if part else name", "if True else name", "guarding.results_are_flat"),
        (
            "with guarded(target.model, target.batches):",
            "if True:",
            "guarding.random_models_are_refused",
        ),
        ("target.generator is None", "True", "guarding.generators_are_used"),
    ),
    *of(
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
    *of(
        "parameters",
        ("p.requires_grad and p.ndim > 1", "p.requires_grad", "curvature.subsets_are_blocks"),
        ("if p.requires_grad}", "if True}", "curvature.subsets_are_blocks"),
        ("linear[-1]", "linear[0]", "curvature.last_layer_is_its_hessian_block"),
        ('p.startswith(f"{name}.")', "p.startswith(name)", "curvature.prefixes_are_whole_names"),
        ("alpha=scale", "alpha=1", "landscape.lines_and_planes"),
    ),
    *of(
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
    *of(
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
    *of(
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
        (
            "[[batch] for batch in target.batches] if per_batch else [target.batches]",
            "[target.batches]",
            "curvature.squares_of_every_batch_are_averaged",
        ),
    ),
    *of(
        "base",
        (
            "part.std_error for part in parts)) / len(parts)",
            "part.std_error for part in parts)) / len(parts) ** 0.5",
            "curvature.squares_of_every_batch_are_averaged",
        ),
        (
            "math.fsum(part.value for part in parts) / len(parts)",
            "parts[0].value",
            "curvature.squares_of_every_batch_are_averaged",
        ),
    ),
    *of(
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
    *of(
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
            "_require_cross_entropy(target.loss_fn, logits[0], targets)",
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
    *of(
        "nso_code",
        (
            'and not _SHORTCUTS & set(name.split("."))',
            "",
            "nso_code.selects_what_its_code_does",
        ),
        (
            "sum(traces) / len(traces)",
            "max(traces)",
            "nso_code.trace_is_a_mean_over_small_batches",
        ),
        (
            "sum(variances) ** 0.5 / len(traces)",
            "sum(variances) ** 0.5",
            "nso_code.error_is_the_spread_over_seeds",
        ),
        (
            "itertools.islice(cut, num_batches)",
            "cut",
            "nso_code.trace_stops_early",
        ),
        (
            ">= batch_size * num_batches:",
            ">= num_batches:",
            "nso_code.trace_is_a_mean_over_small_batches",
        ),
        (".amax(dim=0).sum()", ".amax()", "nso_code.trace_is_a_mean_over_small_batches"),
        (
            "< tolerance:\n            break\n    return torch",
            "< 0:\n            break\n    return torch",
            "nso_code.trace_stops_early",
        ),
        (
            "(totals.var() / len(totals))",
            "(totals.var())",
            "nso_code.error_is_the_spread_over_seeds",
        ),
        (
            "for layer in _layers(operator, v):",
            "for layer in [v]:",
            "nso_code.lambda_is_layer_by_layer",
        ),
        ("sum(values) / len(values)", "max(values)", "nso_code.lambda_is_layer_by_layer"),
        ("            v = hv", "            pass", "nso_code.lambda_is_layer_by_layer"),
    ),
]
