"""What is known of this package's own methods; one that is added is held to what it declares."""

from __future__ import annotations

from typing import Any

from tests.trainables.methods.references import REFERENCES
from trainables import methods
from trainables.methods import Method

NOISY = {"rmp", "rpr", "nrs", "nso", "wp_sgd", "rsam", "bsam", "fa", "mixup", "adversarial"}
REGULARIZERS = methods.regularizers()
RULES = [name for name in methods.names() if name not in REGULARIZERS]
KNOWN = {*REFERENCES, "label_smoothing", "flooding", "mixup", "adversarial", "l2_sp"}

LOUD: dict[str, dict[str, Any]] = {  # options large enough that noise and hyper-parameters show
    "nso": {"sigma": 0.1}, "wp_sgd": {"sigma": 0.1}, "rsam": {"sigma": 0.1}, "bsam": {"sigma": 0.1},
    "adversarial": {"epsilon": 0.5, "step": 0.1}, "infomcr": {"alpha": 0.05}, "fa": {"lam": 0.5},
    "flooding": {"level": 5.0}, "l2_sp": {"lam": 0.3},
}  # fmt: skip


def build(name: str, **options: Any) -> Method:
    """The method, so loud that its noise and hyper-parameters show."""
    return methods.build(name, **{**LOUD.get(name, {}), **options})
