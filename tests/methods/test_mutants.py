"""The tests can fail: each deliberate fault is caught by the tests of the method that has it.

The checks a mutant must fail are the ones the other files run: the method's dense reference
and properties, its composition with a regularizer, and the files on single subjects.
"""

import pytest
import test_batchnorm
import test_bsam
import test_composition
import test_fa
import test_infomcr
import test_passes
import test_workers
from method_checks.composed import composition_is_the_formula, regularizer_is_the_formula
from method_checks.mutants import MUTANTS, applied
from method_checks.properties import PROPERTIES, REGULARIZERS, equals_reference


def parts(module_test, *arguments):
    return lambda _: module_test(*arguments)


OWN = {
    "erm": [
        parts(test_batchnorm.test_parts_move_the_running_statistics_by_their_mean, "erm", 4),
        parts(test_batchnorm.test_statistics_over_parts_of_the_batch, "erm", 4),
    ],
    "nrs": [
        parts(test_batchnorm.test_parts_move_the_running_statistics_by_their_mean, "nrs", 4),
        parts(test_composition.test_parts_of_a_batch_and_weighted_terms, "l2_sp"),
        parts(test_passes.test_nrs_draws_the_same_masks_in_both_passes),
        parts(
            test_batchnorm.test_parts_of_the_batch_move_them_by_their_mean,
            "nrs",
            {"num_devices": 4},
        ),
        parts(test_batchnorm.test_a_cumulative_average_counts_the_first_part_alone),
        parts(test_batchnorm.test_instance_normalization_that_tracks, "nrs"),
    ],
    "nso": [
        parts(test_batchnorm.test_without_a_clean_pass_the_first_noisy_one_counts, "nso"),
        parts(test_batchnorm.test_nso_with_a_clean_pass_counts_that),
        parts(test_batchnorm.test_a_separate_pass_moves_them_alone_and_is_what_is_reported, "nso"),
    ],
    "sam": [
        parts(test_workers.test_two_workers_do_what_one_does, "sam", {"rho": 0.3}),
        parts(test_workers.test_local_perturbations_are_another_method, "sam"),
        parts(test_batchnorm.test_instance_normalization_that_tracks, "sam"),
    ],
    "bsam": [
        parts(test_bsam.test_three_steps_of_the_published_rule),
        parts(test_workers.test_the_state_of_the_published_bsam_is_the_same_on_all_workers),
    ],
    "amp": [
        parts(test_workers.test_two_workers_do_what_one_does, "amp", {"epsilon": 0.1}),
        parts(test_workers.test_local_perturbations_are_another_method, "amp"),
        parts(test_batchnorm.test_all_passes_move_them_in_turn),
    ],
    "infomcr": [
        parts(
            test_batchnorm.test_parts_of_the_batch_move_them_by_their_mean,
            "infomcr",
            {"num_splits": 4},
        ),
        parts(test_batchnorm.test_infomcr_with_full_batch_statistics_moves_them_by_the_whole_batch),
        parts(test_infomcr.test_low_precision_is_switched_off),
        parts(test_infomcr.test_products_are_in_full_precision, "mlp"),
        parts(test_infomcr.test_ghost_declines_layers_and_losses),
        *[
            parts(test_infomcr.test_ghost_declines_what_it_cannot_do, make)
            for make in (test_infomcr.Mixing, test_infomcr.Repeated)
        ],
        parts(
            test_workers.test_two_workers_do_what_one_does,
            "infomcr",
            {"alpha": 0.05, "num_splits": 4},
        ),
    ],
    "fa": [
        parts(test_fa.test_kinks_refuse_the_difference_form),
        parts(test_fa.test_difference_form_approaches_the_exact_one, 1),
        parts(test_fa.test_a_fused_layer_out_of_reach_is_refused),
        parts(test_fa.test_primitive_layers_equal_the_fused, "batch", True),
        parts(test_fa.test_primitive_layers_equal_the_fused, "layer", True),
        parts(test_fa.test_penalty_gradient_is_right_through, "layer", True),
        parts(test_workers.test_two_workers_do_what_one_does, "fa", {"lam": 0.5}),
    ],
}


def checks(name: str):
    if name in REGULARIZERS:
        yield regularizer_is_the_formula
    else:
        yield equals_reference
        yield lambda rule: composition_is_the_formula(rule, "l2_sp")
    yield from OWN.get(name, [])
    yield from PROPERTIES


def catches(mutant) -> bool:
    with applied(mutant):
        for name in mutant.methods:
            for check in checks(name):
                try:
                    check(name)
                except (Exception, pytest.fail.Exception):
                    return True
    return False


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
@pytest.mark.filterwarnings("ignore")
def test_mutant_is_caught(mutant, record_property):
    caught = catches(mutant)
    record_property("mutant_caught", caught)
    assert caught, "every test of the method passes with this fault"


def test_without_a_mutant_every_check_passes():
    """Or catching would mean nothing."""
    for name in sorted({name for mutant in MUTANTS for name in mutant.methods}):
        for check in checks(name):
            check(name)
