"""What a task is: what the outputs of a model are held against, and which numbers that gives.

A batch is (inputs, targets), either a tensor or a structure of tensors with one row per sample
(`trainables.structures`); the model is called as ``model(inputs)`` and its outputs are such a
structure, too. So outputs can be cut, joined and gathered from workers without being understood.

    name                 targets                                    outputs of the model
    cross_entropy        int64 (B,)                                 logits (B, classes)
    mse                  float (B,) or (B, k)                       as the targets
    token_cross_entropy  {"tokens": int64 (B, L),                   logits (B, L, V)
                          "counted": bool (B, L),
                          "answer": int64 (B, A), if there is one}
    contrastive          int64 (B,): equal where two captions are   (images (B, D), texts (B, D),
                         one, so that either counts as found         log temperature (B,))

Token targets are those of the same place: ``logits[:, i]`` predicts ``tokens[:, i]``, which is
the token after ``inputs["tokens"][:, i]``. The temperature is one number, expanded to a row per
sample. A new task is a new file here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from trainables.divergence import kl_divergence
from trainables.registry import Registry

registry: Registry[Any] = Registry("loss")


class Task:
    """A loss, and what is told of predictions. Called as ``task(outputs, targets)`` it is the loss.

    Attributes:
        plain_targets: Whether targets are one tensor that any data set of arrays may have. Of
            others a data set says that its targets are of this task (`trainables.compatibility`).
        class_labels: Whether targets are classes, so that they can be smoothed.
        whole_batch: Whether the loss of a batch is more than a mean over its samples: then it is of
            the whole batch also where several workers share one, and no rule may cut the batch.
        counts_errors: Whether the loop tells a running error.
        records: Names of the numbers of a split that `summary` can give.
        watched: Which of them is the loss that training lowers.
        selected: Which of them tells the better of two models, where nobody says otherwise.
        evaluation_batch: Samples per batch where nothing is trained.
    """

    plain_targets: ClassVar[bool] = False
    class_labels: ClassVar[bool] = True
    whole_batch: ClassVar[bool] = False
    counts_errors: ClassVar[bool] = False
    records: ClassVar[tuple[str, ...]] = ("nll",)
    watched: ClassVar[str] = "nll"
    selected: ClassVar[str] = "nll"
    evaluation_batch: ClassVar[int] = 1000

    def __call__(self, outputs: Any, targets: Any) -> Tensor:
        """The mean loss of a batch, 0-d."""
        raise NotImplementedError

    def errors(self, outputs: Any, targets: Any) -> Tensor | None:
        """Which samples are wrong, bool (B,), for the running error; None: that is not told."""
        return None

    def divergence(self, p: Any, q: Any, targets: Any) -> Tensor:
        """Mean over the batch of KL(p ‖ q) between what two outputs predict, 0-d, nats."""
        return kl_divergence(p, q)

    def judge(self, model: nn.Module, inputs: Any, targets: Any) -> Any:
        """What `summary` needs of a batch, one row per sample; ``model`` is in evaluation mode.

        Rows of other batches and workers are joined to it.
        """
        return model(inputs), targets

    def summary(self, judged: Any) -> Mapping[str, float]:
        """The numbers of a split, from what `judge` gave of all its samples."""
        raise NotImplementedError


__all__ = ["Task", "registry"]
