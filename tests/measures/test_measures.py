"""Every check of every measure: fast computation against a slow dense one, float64."""

import pytest
from measure_checks import CHECKS


@pytest.mark.parametrize("name", CHECKS)
def test_measure(name):
    CHECKS[name]()
