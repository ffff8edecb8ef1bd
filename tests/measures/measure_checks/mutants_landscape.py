"""Mistakes in Gram matrices, Fisher measures, sharpness, landscape, guard (see `mutation`)."""

from measure_checks.mutation import of

MUTANTS = [
    *of(
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
    *of(
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
            "_log_det(*fisher_gram(target.model, inputs, targets, logit_scale))",
            "_log_det(*fisher_gram(target.model, inputs, targets, None))",
            "fisher.rivals_from_the_gram_matrix",
        ),
        ("(0.5 if half else 1.0)", "1.0", "fisher.rivals_from_the_gram_matrix"),
    ),
    *of(
        "subset_hessian",
        (".squares.mean()", ".forms.mean()", "fisher.rivals_from_the_hessian"),
        (
            "max(abs(ends.largest[0]), abs(ends.smallest[0]))",
            "ends.smallest[0]",
            "fisher.rivals_from_the_hessian",
        ),
    ),
    *of(
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
    *of(
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
        (
            "moved = displaced(target.model, chosen, d)",
            "moved = values",
            "landscape.worst_case_as_amp",
        ),
        ("clamp_min(1e-30)", "clamp_min(0.0)", "landscape.worst_case_as_sam"),
        ("after - before,", "before - after,", "landscape.worst_case_as_sam"),
        (
            "(1, -1) if antithetic",
            "(1, 1) if antithetic",
            "landscape.gaps_of_a_quadratic",
        ),
        (
            "after.mean(dim=2) - before",
            "after.mean(dim=2)",
            "landscape.gaps_of_a_quadratic",
        ),
        ("half = at**2 / 2", "half = at / 2", "landscape.gaps_of_a_quadratic"),
        (  # noise of its own at every sigma
            """            for i, sign in enumerate(signs):
""",
            """            draw(noise, "normal", target.generator)
            for i, sign in enumerate(signs):
""",
            "landscape.gaps_over_sigma_share_draws_and_trace",
        ),
        (  # a trace of its own at every sigma
            "half = at**2 / 2",
            "half = at**2 / 2\n        "
            "trace = Estimate.of(probe(operator, num_probes, target.generator).forms)",
            "landscape.gaps_over_sigma_share_draws_and_trace",
        ),
        (
            "num_samples, parameters, False)",
            "num_samples, parameters, True)",
            "landscape.gaps_of_a_quadratic",
        ),
        (
            'draw(noise, "normal", target.generator)',
            'draw(noise, "symmetric", target.generator)',
            "landscape.gaps_of_a_quadratic",
        ),
    ),
    *of(
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
            "displaced(target.model, chosen, direction, a)",
            "displaced(target.model, chosen, direction, a * a)",
            "landscape.lines_and_planes",
        ),
        ("half = (points - 1) / 2", "half = points / 2", "landscape.lines_and_planes"),
        (
            "    second = random_direction(target.model, target.generator, one_dimensional)",
            "    second = first",
            "landscape.lines_and_planes",
        ),
    ),
    *of(
        "distances",
        ("(a - b).square().sum()", "(a - b).abs().sum()", "landscape.distances_by_hand"),
        ("(gap / norm)", "(gap / own)", "landscape.distances_by_hand"),
        ("(own * norm).sqrt()", "norm", "landscape.distances_by_hand"),
    ),
    *of(
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
