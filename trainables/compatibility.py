"""What data sets and models declare, so that what cannot go together is refused by name.

    @registry.register("mrpc", inputs="tokens")
    @registry.register("word_problems", inputs="tokens", losses=("token_cross_entropy",))

A configuration is checked by these declarations alone: no data are read and no model is built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainables.fields import registry_of
from trainables.needs import OfTrial
from trainables.registry import Registry

if TYPE_CHECKING:
    from trainables.config import TrialConfig

ARRAYS = "arrays"
"""One tensor: images or feature vectors."""


@dataclass(frozen=True)
class Fit:
    """What a data set holds, or what a model takes.

    Attributes:
        inputs: Its kind of inputs: ``arrays`` (one tensor of images or feature vectors), ``tokens``
            (a dict with ``tokens``), ``pairs`` (of images and tokens), ``graphs``, or a word of
            one's own. A model goes with data of its kind.
        losses: Those that its targets, or its outputs, are for; (): of a data set ``cross_entropy``
            and ``mse``, of a model any.
    """

    inputs: str = ARRAYS
    losses: tuple[str, ...] = ()


class Fitted(Registry[Any]):
    """Parts by name, each with its `Fit`."""

    def __init__(self, kind: str, given: tuple[str, ...] = ()) -> None:
        super().__init__(kind, given)
        self._fits: dict[str, Fit] = {}

    def register(
        self,
        name: str,
        added: Mapping[str, Any] | None = None,
        needs: OfTrial | None = None,
        version: str = "",
        inputs: str = ARRAYS,
        losses: tuple[str, ...] = (),
    ) -> Callable[[Any], Any]:
        """As `Registry.register`.

        Args:
            inputs, losses: See `Fit`.
        """
        enrol = super().register(name, added, needs, version)

        def enrol_with_fit(part: Any) -> Any:
            enrolled = enrol(part)
            self._fits[name] = Fit(inputs, losses)
            return enrolled

        return enrol_with_fit

    def drop(self, name: str) -> None:
        """As `Registry.drop`."""
        super().drop(name)
        self._fits.pop(name, None)

    def fit(self, name: str) -> Fit:
        """What part ``name`` declares."""
        return self._fits.get(name, Fit())

    def fit_of(self, part: Any) -> Fit:
        """What ``part`` declares, under whichever name; nothing if it is not registered."""
        return self.fit(next((name for name, known in self._parts.items() if known is part), ""))


def misfits(trial: TrialConfig) -> list[str]:
    """What of a configuration cannot go together, each as a clause that says why."""
    task = registry_of("tasks").build(trial.loss)
    data, model = fit("data", trial.data.source.name), fit("models", trial.model.name)
    if data == model == Fit() and task.plain_targets and task.class_labels:
        return []  # as all that is about images
    return [*_of_data_and_model(trial, task, data, model), *_of_method(trial, task, data)]


def fit(package: str, name: str) -> Fit:
    """What part ``name`` of ``trainables.<package>`` declares."""
    parts = registry_of(package)
    assert isinstance(parts, Fitted)
    return parts.fit(name)


def _of_data_and_model(trial: TrialConfig, task: Any, data: Fit, model: Fit) -> Iterator[str]:
    data_set, network = f"data set {trial.data.source.name!r}", f"model {trial.model.name!r}"
    loss = f"loss = {trial.loss!r}"
    if data.inputs != model.inputs:
        yield f"{network} takes {model.inputs}, and {data_set} has {data.inputs}"
    if data.losses and trial.loss not in data.losses:
        yield f"{loss}: the targets of {data_set} are for {' or '.join(map(repr, data.losses))}"
    if not data.losses and not task.plain_targets:
        yield f"{loss} needs data with targets of its own, and {data_set} has none"
    if model.losses and trial.loss not in model.losses:
        yield f"{loss}: the outputs of {network} are for {' or '.join(map(repr, model.losses))}"
    if trial.data.augmentation and data.inputs != ARRAYS:
        yield f"data.augmentation changes images, and {data_set} has {data.inputs}"


def _of_method(trial: TrialConfig, task: Any, data: Fit) -> Iterator[str]:
    rule, *regularizers = trial.rules
    names = [part.name for part in (trial.method, *trial.regularizers)]
    for name, part in zip(names[-len(regularizers) :], regularizers, strict=bool(regularizers)):
        if part.of_arrays and data.inputs != ARRAYS:
            yield (
                f"regularizer {name!r} changes images or feature vectors, and data set "
                f"{trial.data.source.name!r} has {data.inputs}"
            )
        if part.of_labels and not task.class_labels:
            yield f"regularizer {name!r} changes class labels, and loss = {trial.loss!r} has none"
    if task.whole_batch and rule.most_parts > 1:
        yield (
            f"method {trial.method.name!r} passes a batch in {rule.most_parts} parts, and loss = "
            f"{trial.loss!r} is of the whole batch"
        )


__all__ = ["ARRAYS", "Fit", "Fitted", "fit", "misfits"]
