"""Faults in the methods: each names the methods whose tests must notice.

They are its dense reference, its composition with a regularizer, what holds for all methods, and
tests of single subjects.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tests.mutants.cases import Check, cases, of_file
from tests.mutants.engine import Mutant
from tests.mutants.faults import methods_curvature, methods_rules, methods_shared
from tests.trainables.methods import (
    test_batchnorm,
    test_bsam,
    test_composition,
    test_fa,
    test_infomcr,
    test_passes,
    test_properties,
    test_references,
    test_workers,
)

MUTANTS = [*methods_shared.MUTANTS, *methods_rules.MUTANTS, *methods_curvature.MUTANTS]


OWN: dict[str, list[Check]] = {
    "erm": [
        partial(test_batchnorm.test_parts_move_the_running_statistics_by_their_mean, "erm", 4),
        partial(test_batchnorm.test_statistics_over_parts_of_the_batch, "erm", 4),
    ],
    "nrs": [
        partial(test_batchnorm.test_parts_move_the_running_statistics_by_their_mean, "nrs", 4),
        partial(test_composition.test_parts_of_a_batch_and_weighted_terms, "l2_sp"),
        partial(test_passes.test_nrs_draws_the_same_masks_in_both_passes),
        partial(
            test_batchnorm.test_parts_of_the_batch_move_them_by_their_mean,
            "nrs",
            {"num_devices": 4},
        ),
        partial(test_batchnorm.test_a_cumulative_average_counts_the_first_part_alone),
        partial(test_batchnorm.test_instance_normalization_that_tracks, "nrs"),
    ],
    "nso": [
        partial(test_batchnorm.test_without_a_clean_pass_the_first_noisy_one_counts, "nso"),
        partial(test_batchnorm.test_nso_with_a_clean_pass_counts_that),
        partial(
            test_batchnorm.test_a_separate_pass_moves_them_alone_and_is_what_is_reported, "nso"
        ),
    ],
    "sam": [
        partial(test_workers.test_two_workers_do_what_one_does, "sam", {"rho": 0.3}),
        partial(test_workers.test_local_perturbations_are_another_method, "sam"),
        partial(test_batchnorm.test_instance_normalization_that_tracks, "sam"),
    ],
    "bsam": [
        partial(test_bsam.test_three_steps_of_the_published_rule),
        partial(test_workers.test_the_state_of_the_published_bsam_is_the_same_on_all_workers),
    ],
    "amp": [
        partial(test_workers.test_two_workers_do_what_one_does, "amp", {"epsilon": 0.1}),
        partial(test_workers.test_local_perturbations_are_another_method, "amp"),
        partial(test_batchnorm.test_all_passes_move_them_in_turn),
    ],
    "infomcr": [
        partial(
            test_batchnorm.test_parts_of_the_batch_move_them_by_their_mean,
            "infomcr",
            {"num_splits": 4},
        ),
        partial(
            test_batchnorm.test_infomcr_with_full_batch_statistics_moves_them_by_the_whole_batch
        ),
        partial(test_infomcr.test_low_precision_is_switched_off),
        partial(test_infomcr.test_products_are_in_full_precision, "mlp"),
        partial(test_infomcr.test_ghost_declines_layers_and_losses),
        *[
            partial(test_infomcr.test_ghost_declines_what_it_cannot_do, make)
            for make in (test_infomcr.Mixing, test_infomcr.Repeated)
        ],
        partial(
            test_workers.test_two_workers_do_what_one_does,
            "infomcr",
            {"alpha": 0.05, "num_splits": 4},
        ),
    ],
    "fa": [
        partial(test_fa.test_kinks_refuse_the_difference_form),
        partial(test_fa.test_difference_form_approaches_the_exact_one, 1),
        partial(test_fa.test_a_fused_layer_out_of_reach_is_refused),
        partial(test_fa.test_primitive_layers_equal_the_fused, "batch", True),
        partial(test_fa.test_primitive_layers_equal_the_fused, "layer", True),
        partial(test_fa.test_penalty_gradient_is_right_through, "layer", True),
        partial(test_workers.test_two_workers_do_what_one_does, "fa", {"lam": 0.5}),
    ],
}


def of_method(name: str) -> Iterator[Check]:
    """Tests of one method."""
    yield from cases(test_references.test_equals_the_reference, name=name)
    yield from cases(test_composition.test_regularizer, name=name)
    yield from cases(test_composition.test_pair, rule=name, regularizer="l2_sp")
    yield from OWN.get(name, [])
    yield from of_file(test_properties, name=name)


def checks(mutant: Mutant) -> Iterator[Check]:
    """Those of the methods that the mutant names."""
    for name in mutant.about:
        yield from of_method(name)
