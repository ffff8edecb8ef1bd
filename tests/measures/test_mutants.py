"""The checks can fail: each notices the mistakes that are meant for it."""

import pytest
from measure_checks import CHECKS, mutants_curvature, mutants_landscape
from measure_checks.mutation import mutated

MUTANTS = [*mutants_curvature.MUTANTS, *mutants_landscape.MUTANTS]


@pytest.mark.parametrize("mutant", MUTANTS, ids=[f"{m.module}: {m.new}" for m in MUTANTS])
def test_mutant_is_caught(mutant, score):
    name = f"{mutant.module}: {mutant.old} -> {mutant.new}"
    score[name] = False
    with mutated(mutant), pytest.raises((Exception, pytest.fail.Exception)):
        CHECKS[mutant.check]()
    score[name] = True
