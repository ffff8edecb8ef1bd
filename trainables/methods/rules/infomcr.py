"""InfoMCR (Jia and Su, ICML 2020): lower the trace of the batch's Fisher information."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor

from trainables.errors import UsageError
from trainables.methods.base import Method, Output, registry
from trainables.methods.objective import Objective
from trainables.methods.ops import infomcr_linear
from trainables.methods.ops.full_precision import full_precision
from trainables.needs import BATCHNORM, DROPOUT, SEVERAL_IMAGES, Needs, OfTrial, Searched, given
from trainables.parallel.division import Division
from trainables.registry import Count, Fraction, Readings, Strength
from trainables.structures import detached, join, portions, take

Phases = Literal["111", "011", "001", "100", "010"]


def _begins(method: Any, trial: Any) -> bool:
    """Whether any step of the training is regularized, as far as its schedule can be foreseen."""
    if method.start is not None:
        return bool(method.start < 1)
    return any(method.phases[min(drops, 2)] == "1" for drops in trial.schedule.levels(trial.epochs))


BEGINS = OfTrial(
    "a drop of the learning rate to begin after, as its phases say (schedule.name = 'step' or "
    "'plateau'), or method.start, the part of the training at which it begins, below 1",
    _begins,
)
SUB_BATCHES = Needs("num_splits above 1", lambda o: o.num_splits > 1)
OWN_STATISTICS = OfTrial(
    "a model with BatchNorm (or flooding) and num_splits above 1, or a model with dropout",
    lambda o, trial: (
        DROPOUT.met(o, trial)
        or (
            o.num_splits > 1
            and (BATCHNORM.met(o, trial) or any(r.name == "flooding" for r in trial.regularizers))
        )
    ),
)


@registry.register("infomcr", needs=BEGINS)
@dataclass(kw_only=True)
class InfoMCR(Method):
    """Algorithm 1: G = ∇[L(B, w) + beta R(w)], the g_i held constant.

    The batch is split into M sub-batches B_i; g_i = ∇L(B_i, w) and

        R = (1/M) Σ_i [L(B_i, w) - L(B_i, w - alpha g_i)]  ≈  alpha · mean ‖g_i‖²

    so that G = ∇L(B, w) + (beta/M) Σ_i [∇L(B_i, w) - ∇L(B_i, w')] at w' = w - alpha g_i.
    (With g_i constant this descends half of alpha beta mean ‖g_i‖², as in the authors' code.)

    Where every layer is linear the displaced weights are never formed (`infomcr_linear`). The
    difference of nearly equal gradients is taken in full precision: no autocast, no TF32.

    Args:
        alpha: Finite-difference step α; 1e-4 (Section 7.2).
        beta: Weight β of R; 10, the authors' script for WRN-28-2 on CIFAR-10. The paper
            searches 1 to 100 and prints no choice. At 0: ERM (on the mean of the sub-batches).
        num_splits: M; 8 (Section 7.2). At most the batch size.
        phases: Whether the regularizer acts before the first, after the first, and after the
            second learning-rate drop, one digit per phase; ``011`` (all experiments).
        start: Instead of phases, act from this fraction of training on: for schedules
            without drops. None: ``phases`` decide.
        statistics: What BatchNorm sees for ∇L(B, w). ``sub_batch``: the mean of the g_i, each
            with its sub-batch's statistics; 2 gradient evaluations. ``full_batch``: a pass of
            its own over the whole batch, which alone moves the running statistics, as in the
            authors' code; 3 evaluations; number-matching of Table 1 needs it. Without
            BatchNorm both are equal.
        split: Sub-batches in the ``order`` of the (shuffled) batch, as the code does, or at
            ``random`` (Algorithm 1): the same in distribution.

    With several workers, M counts the sub-batches of the whole batch; the g_i are never reduced.
    """

    READINGS: ClassVar[Readings] = {
        "text": {"statistics": "sub_batch", "split": "random"},
        "code": {"statistics": "full_batch", "split": "order"},
    }

    alpha: Strength = 1e-4
    beta: Annotated[
        Strength, Searched((1, 5, 10, 20, 30, 40, 50, 75, 100), "InfoMCR, Section 7.2")
    ] = 10.0
    num_splits: Annotated[Count, SEVERAL_IMAGES] = 8
    phases: Annotated[Phases, given(start=None)] = "011"
    start: Fraction | None = None
    statistics: Annotated[Literal["sub_batch", "full_batch"], OWN_STATISTICS] = "sub_batch"
    split: Annotated[Literal["order", "random"], SUB_BATCHES] = "order"

    @property
    def active(self) -> bool:
        """Whether the coming step is regularized; true where `advance` was never called."""
        if self.progress is None:
            return True
        if self.start is not None:
            return self.progress.step >= round(self.start * self.progress.steps, 9)
        return self.phases[min(self.progress.lr_drops, 2)] == "1"

    @property
    def evaluations(self) -> float:
        if not self.active:
            return 1.0
        return 2.0 if self.statistics == "sub_batch" else 3.0

    @property
    def passes(self) -> float:
        if not self.active:
            return 1.0
        return 2.0 * self.num_splits + (self.statistics == "full_batch")

    @property
    def own_parts(self) -> int:
        always = self.start == 0 or (self.start is None and self.phases == "111")
        return self.num_splits if always and self.statistics == "sub_batch" else 1

    @property
    def most_parts(self) -> int:
        return self.num_splits

    def over_workers(self, division: Division) -> dict[str, Any]:
        division.check_whole("num_splits", self.num_splits)
        return {}

    def same_over_workers(self, division: Division) -> bool:
        if self.split == "random" or not division.whole(self.num_splits):
            return False
        # Where it normalizes the whole batch, in some steps or some passes, workers cannot.
        return not division.has_batchnorm or self.own_parts > 1

    @property
    def clean_first(self) -> bool:
        return self.statistics == "full_batch" or self.num_splits == 1

    def step(self, objective: Objective) -> Output:
        if not self.active:
            loss, logits = objective.accumulate()
            return Output(loss, logits, objective=loss)
        places = objective.shuffle() if self.split == "random" else None
        with full_precision(objective):
            count = self.splits(objective)
            if self.statistics == "sub_batch" and infomcr_linear.applies(objective, count):
                loss, logits = infomcr_linear.gradient(objective, count, self.alpha, self.beta)
            else:
                loss, logits = self.loop(objective, count)
        return Output(loss, logits if places is None else take(logits, places), objective=None)

    def splits(self, objective: Objective) -> int:
        """How many of the M sub-batches are this worker's; at most one per sample.

        Raises:
            UsageError: they cannot be shared out evenly.
        """
        if self.num_splits % objective.workers:
            raise UsageError(
                f"method 'infomcr': num_splits = {self.num_splits} is not a multiple of the "
                f"{objective.workers} workers that share a batch"
            )
        return min(self.num_splits // objective.workers, objective.size)

    def loop(self, objective: Objective, count: int) -> tuple[Tensor, Any]:
        """The step sub-batch by sub-batch, for any network.

        2M passes, and one over the whole batch where ``statistics`` is ``full_batch``.

        Returns:
            (loss, logits) at w, detached.
        """
        full = self.statistics == "full_batch"
        total: list[Tensor] | None = None
        losses, scores = [], []
        if full:
            whole, whole_logits = objective.evaluate()
            total = objective.gradient(whole)
            losses.append(whole.detach())
            scores.append(detached(whole_logits))
        for i, samples in enumerate(portions(objective.size, count)):
            fraction = (samples.stop - samples.start) / objective.size
            value, logits = objective.evaluate(samples, (i, count))
            at_w = objective.gradient(value)
            with objective.displaced() as at:
                at.perturb(at_w, -self.alpha)
                moved = objective.gradient(objective.evaluate(samples)[0])
            weight = self.beta / count + (0.0 if full else fraction)
            torch._foreach_mul_(at_w, weight)
            torch._foreach_add_(at_w, moved, alpha=-self.beta / count)
            if total is None:
                total = at_w
            else:
                torch._foreach_add_(total, at_w)
            if not full:
                losses.append(fraction * value.detach())
                scores.append(detached(logits))
        assert total is not None
        objective.set_gradient(total)
        return torch.stack(losses).sum(), join(scores)
