"""What a measure is: a function of a `Target`, which is a trained model, a loss and some batches.

    @registry.register("hessian_trace")
    def hessian_trace(target: Target, *, num_samples: Count = 100) -> Estimate: ...

Keyword-only parameters are options, checked as those of any part (`trainables.registry`).
`measure` is the way in for a trial or the command line: by name, guarded, with a flat dictionary
of floats as the result.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from torch import Tensor, nn

from trainables.errors import UsageError
from trainables.measures.guard import guarded, require_evaluation_mode
from trainables.methods.objective import LossFn
from trainables.metric_name import MetricName, join
from trainables.needs import OfTrial
from trainables.precision import rounding
from trainables.registry import Registry

if TYPE_CHECKING:
    from trainables.methods.base import Method

Batches = Sequence[tuple[Any, Any]]
"""(inputs, targets) of each batch, tensors or structures of them (`trainables.structures`), on the
model's device. Sizes may differ; read several times."""


@dataclass(frozen=True)
class Target:
    """What a measure is taken of.

    Attributes:
        model: In evaluation mode.
        loss_fn: ``loss_fn(outputs, targets)``, 0-d, the mean over the batch; of a trial its
            `trainables.tasks.base.Task`.
        batches: The samples that it is taken on.
        generator: Source of all randomness of an estimator, on the model's device; None: torch's
            global one.
        initial: The weights that training started from, for the measures that need them.
        extra: What the data set knows besides its samples (`trainables.data.base.Dataset.extra`),
            such as the solution of matrix sensing.
        method: The rule that the trial was trained by, for the measures of its own perturbation.
        num_training: How many images the model was trained on; None: not known.
        checked: Whether two passes over these batches were seen to agree already: a measure leaves
            the model bit for bit as it was, so the next one on the same batches need not ask.
    """

    model: nn.Module
    loss_fn: LossFn
    batches: Batches
    generator: torch.Generator | None = None
    initial: nn.Module | Mapping[str, Tensor] | None = None
    extra: Mapping[str, Tensor] = field(default_factory=dict)
    method: Method | None = None
    num_training: int | None = None
    checked: bool = False


@dataclass(frozen=True)
class Estimate:
    """An estimated number and the standard deviation of its estimator.

    Attributes:
        value: The sample mean.
        std_error: Sample standard deviation (n - 1) over the square root of n.
            NaN where there was a single sample, from which no error can be estimated.
    """

    value: float
    std_error: float

    @classmethod
    def of(cls, samples: Tensor) -> Estimate:
        """Mean and standard error of independent ``samples``, shape (n,), summed in float64.

        Both are computed from the differences to the first sample, so that equal samples have the
        error 0 exactly. An infinite sample makes the mean infinite.
        """
        samples = samples.detach().double()
        origin = samples[0] if samples.isfinite().all() else samples.new_zeros(())
        apart = samples - origin
        error = apart.std(correction=1) / len(samples) ** 0.5 if len(samples) > 1 else torch.nan
        return cls(float(origin + apart.mean()), float(error))

    @classmethod
    def mean(cls, parts: Sequence[Estimate]) -> Estimate:
        """The unweighted mean of n independent estimates; its error is √(Σ error²) / n."""
        return cls(
            math.fsum(part.value for part in parts) / len(parts),
            math.hypot(*(part.std_error for part in parts)) / len(parts),
        )


Result = float | Estimate | Mapping[str, float | Estimate]

Function = TypeVar("Function", bound=Callable[..., Any])


def of_evaluation(measure: Function) -> Function:
    """``measure`` with a check, before every call, that the model is in evaluation mode.

    In training mode a model is another function: of the whole batch, and different in every pass.
    """

    @functools.wraps(measure)
    def refusing(target: Target, **options: Any) -> Any:
        require_evaluation_mode(target.model)
        return measure(target, **options)

    return cast("Function", refusing)


class Measures(Registry[Any]):
    """Measures by name. Each is wrapped in `of_evaluation` when it is registered."""

    def register(
        self,
        name: str,
        added: Mapping[str, Any] | None = None,
        needs: OfTrial | None = None,
        version: str = "",
    ) -> Callable[[Function], Function]:
        if version:
            raise UsageError(
                f"measure {name!r}: a version enters a trial's name, and what is measured on it "
                "does not: leave it out"
            )
        enrol = super().register(name, added, needs)

        def register(measure: Function) -> Function:
            return cast("Function", enrol(of_evaluation(measure)))

        return register


registry = Measures("measure")


def measure(name: str, target: Target, **options: Any) -> dict[str, float]:
    """Take measure ``name`` of ``target``.

    Args:
        target: Where it has no ``generator``, one with seed 0 is used.
        options: Options of the measure; the others have their defaults.

    Returns:
        ``{name: value}``, with ``name_std_error`` beside it for an `Estimate`;
        the parts of a measure with several results are called ``name/part``
        (and its main one, if there is one, just ``name``).

    Raises:
        UsageError: for an unknown measure or option, a model in training mode, or a model or data
            on which two passes do not agree (see `trainables.measures.guard`).
    """
    options = registry.resolve(name, options)
    if target.generator is None:
        device = next((p.device for p in target.model.parameters()), torch.device("cpu"))
        target = replace(target, generator=torch.Generator(device).manual_seed(0))
    with rounding("ieee"), guarded(target.model, target.batches, target.checked):
        result = registry.get(name)(target, **options)
    return flatten(name, result)


def flatten(name: str, result: Result) -> dict[str, float]:
    """The result of a measure as `measure` returns it; its part ``""`` is called just ``name``."""
    if isinstance(result, Mapping):
        parts = [flatten(join(name, part), value) for part, value in result.items()]
        return {key: value for part in parts for key, value in part.items()}
    if isinstance(result, Estimate):
        return {name: result.value, MetricName(name).std_error: result.std_error}
    return {name: float(result)}
