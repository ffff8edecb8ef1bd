"""What holds for every registered method: a new one is enrolled by being registered."""

import pytest
from method_checks.properties import PROPERTIES

from trainables import methods


@pytest.mark.parametrize("name", methods.names())
@pytest.mark.parametrize("check", PROPERTIES, ids=lambda check: check.__name__)
def test_property(check, name):
    check(name)
