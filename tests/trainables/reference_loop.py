"""The training loop a second time, from the documentation, in plain torch and numpy.

Of trainables it takes only what is common by definition: the derivation of seeds (streams must be
equal for numbers to be), the raw data, the networks, and a method's ``gradient``: what is
compared is the loop, not the rule. ERM is written out all the same. Splits, order, augmentation,
normalisation, learning rates, clipping, updates, evaluation, metrics and the choice of epochs are
its own, one image or one number at a time where that is slower and plainer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy, mse_loss, pad

from trainables import data, methods, models
from trainables.config import TrialConfig
from trainables.methods import Progress
from trainables.seeding import derive

Set = tuple[Tensor, Tensor]  # inputs in float64 before normalisation (pixels: 0..255), targets


@dataclass
class Outcome:
    history: dict[str, list[float]]
    metrics: dict[str, float]
    weights: dict[str, Tensor]


def train(c: TrialConfig) -> Outcome:
    dataset = data.load(c.data.source.name, **c.data.source.options)
    sets, mean, std = split(c, dataset)
    images, labels = sets["train"]
    torch.manual_seed(derive(c.seed, "init"))
    shape = {"num_classes": dataset.num_classes, "input_shape": dataset.input_shape}
    model = models.build(c.model.name, **shape, **c.model.options).double()
    model.to(memory_format=torch.channels_last)  # the order in which noise is drawn for weights
    method = methods.build(
        c.method.name,
        regularizers=[(r.name, r.options) for r in c.regularizers],
        batchnorm="all" if c.batchnorm == "all" else "clean",  # separate is written out
        batchnorm_parts=c.batchnorm_parts,
        **c.method.options,
    )
    method.begin(model)
    optimizer = Update(model, c)
    plateau = Plateau(c.schedule.patience)
    per_epoch = len(labels) // c.batch_size
    if not c.drop_last and len(labels) % c.batch_size:
        per_epoch += 1
    history: dict[str, list[float]] = {}
    for epoch in range(c.epochs):
        order = permutation(len(labels), c.seed, "order", epoch)
        loss_sum, wrong, seen = 0.0, 0, 0
        for index in range(per_epoch):
            step = epoch * per_epoch + index
            rows = order[index * c.batch_size : (index + 1) * c.batch_size]
            inputs = augmented(images[rows], c, random(c.seed, "augment", epoch, index))
            batch = (normalized(inputs, mean, std), labels[rows])
            lr, drops = rate(c, step, per_epoch, plateau.drops)
            torch.manual_seed(derive(c.seed, "dropout", step))
            model.train()
            told = Progress(step, c.epochs * per_epoch, epoch, c.epochs, drops)
            if c.batchnorm == "separate":
                with torch.no_grad():
                    loss, logits = forward(c, model, batch)
                clean = {name: value.clone() for name, value in model.named_buffers()}
                gradient(c, method, model, batch, told)
                model.load_state_dict(clean, strict=False)
            else:
                loss, logits = gradient(c, method, model, batch, told)
            clip(model, c.optimizer.clip_norm)
            optimizer.step(lr)
            loss_sum += loss.item() * len(rows)
            outputs = logits.detach().numpy()
            wrong += sum(int(np.argmax(z) != t) for z, t in zip(outputs, batch[1], strict=True))
            seen += len(rows)
        numbers = {"running_train_loss": loss_sum / seen, "learning_rate": lr}
        if c.loss == "cross_entropy":
            numbers["running_train_error"] = wrong / seen
        for name, images_of in {
            "validation": "validation",
            "test": "test",
            "train": "clean",
        }.items():
            if images_of in sets:
                found = evaluated(model, sets[images_of], mean, std, c.loss)
                numbers |= {f"{name}_{metric}": value for metric, value in found.items()}
        plateau.note(numbers["train_nll" if c.schedule.watch == "clean" else "running_train_loss"])
        for name, value in numbers.items():
            shown = not name.startswith("train_") or epoch == c.epochs - 1
            known = shown or c.schedule.watch == "clean"  # else only at the end
            history.setdefault(name, []).append(value if known else math.nan)
    metrics = {name: curve[-1] for name, curve in history.items()} | best(history)
    metrics["train_images"] = len(sets["clean"][1])
    return Outcome(history, metrics, model.state_dict())


# -- data ----------------------------------------------------------------------------------------


def random(seed: int, *purpose: object) -> torch.Generator:
    return torch.Generator().manual_seed(derive(seed, *purpose))


def permutation(n: int, seed: int, *purpose: object) -> list[int]:
    return torch.randperm(n, generator=random(seed, *purpose)).tolist()


def split(c: TrialConfig, dataset: data.Dataset) -> tuple[dict[str, Set], Tensor, Tensor]:
    """Train (with random labels, if any), clean, validation and test; mean and std of inputs."""
    seed = c.seed if c.data.split_seed is None else c.data.split_seed
    inputs, labels = dataset.train.inputs.double(), dataset.train.targets
    labels = labels.double() if labels.is_floating_point() else labels
    order = permutation(len(labels), seed, "split", 0)
    kept = sorted(order[: c.data.subset])
    sets: dict[str, Set] = {}
    if dataset.test is None:
        kept, held = hold_out(kept, labels, round(0.2 * len(kept)), seed, 1)
        sets["test"] = inputs[held], labels[held]
    else:
        sets["test"] = dataset.test.inputs.double(), dataset.test.targets
    seen, asked = inputs[kept], c.data.validation
    if asked and dataset.validation is not None:
        sets["validation"] = dataset.validation.inputs.double(), dataset.validation.targets
    elif asked:
        count = round(asked * len(kept)) if asked < 1 else int(asked)
        kept, held = hold_out(kept, labels, count, seed, 2)
        sets["validation"] = inputs[held], labels[held]
    sets["train"] = sets["clean"] = inputs[kept], labels[kept]
    if dataset.confusion:
        added = sorted(order[c.data.subset :][: dataset.confusion])
        drawn = torch.randint(
            dataset.num_classes, (len(added),), generator=random(seed, "split", 3)
        )
        sets["train"] = inputs[kept + added], torch.cat([labels[kept], drawn])
    if dataset.standardize:
        rows = inputs[kept].numpy()
        mean, std = torch.tensor(rows.mean(0)), torch.tensor(np.sqrt(rows.var(0)))
    elif dataset.train.is_pixels:  # per channel, in grey levels; documented as rounded to 1e-6
        channels = seen.transpose(0, 1).flatten(1).numpy() / 255
        mean = 255 * torch.tensor(channels.mean(1).round(6))[:, None, None]
        std = 255 * torch.tensor(channels.std(1).round(6))[:, None, None]
    else:
        mean, std = torch.tensor(0.0), torch.tensor(1.0)
    return sets, mean.double(), std.double()


def hold_out(
    kept: list[int], labels: Tensor, count: int, seed: int, purpose: int
) -> tuple[list[int], list[int]]:
    """``count`` of the shuffled positions off, each class in proportion by largest remainder."""
    shuffled = [kept[i] for i in permutation(len(kept), seed, "split", purpose)]
    if labels.is_floating_point():
        return sorted(shuffled[count:]), sorted(shuffled[:count])
    classes = [int(labels[i]) for i in shuffled]
    share = {k: Fraction(classes.count(k) * count, len(kept)) for k in sorted(set(classes))}
    quota = {k: math.floor(share[k]) for k in share}
    for k in sorted(share, key=lambda k: quota[k] - share[k])[: count - sum(quota.values())]:
        quota[k] += 1
    held = []
    for position, k in zip(shuffled, classes, strict=True):
        if quota[k]:
            quota[k] -= 1
            held.append(position)
    return sorted(set(kept) - set(held)), sorted(held)


def augmented(images: Tensor, c: TrialConfig, g: torch.Generator) -> Tensor:
    """Flips, shifts over a black border and black squares, image by image."""
    for part in c.data.augmentation:
        n, _, height, width = images.shape
        if part.name == "flip":
            mirrored = torch.rand((n, 1), generator=g)[:, 0] < part.options["probability"]
            pairs = zip(images, mirrored, strict=True)
            images = torch.stack([x.flip(2) if m else x for x, m in pairs])
        elif part.name == "pad_crop":
            p = part.options["padding"]
            offsets = torch.randint(2 * p + 1, (2, n, 1), generator=g)[:, :, 0].T
            images = torch.stack(
                [
                    pad(x, (p, p, p, p))[:, top : top + height, left : left + width]
                    for x, (top, left) in zip(images, offsets.tolist(), strict=True)
                ]
            )
        else:
            assert part.name == "cutout"
            size, images = part.options["size"], images.clone()
            centres = [torch.randint(edge, (n, 1), generator=g) for edge in (height, width)]
            for x, row, column in zip(images, *centres, strict=True):
                top, left = int(row) - size // 2, int(column) - size // 2
                x[:, max(0, top) : max(0, top + size), max(0, left) : max(0, left + size)] = 0
    return images


def normalized(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """With the channels of a pixel together: dropout draws its masks in the order of memory."""
    x = (images - mean) / std
    return x.clone(memory_format=torch.channels_last) if x.ndim == 4 else x


# -- a step --------------------------------------------------------------------------------------


def gradient(
    c: TrialConfig, method: methods.Method, model: nn.Module, batch: Set, told: Progress
) -> Set:
    """Loss and outputs; the gradient is left in ``p.grad``."""
    if c.method.name == "erm" and not c.regularizers:
        model.zero_grad()
        loss, logits = forward(c, model, batch)
        loss.backward()
        return loss, logits
    method.advance(told)
    noise = random(c.seed, "method", told.step)
    out = method.gradient(model, LOSSES[c.loss], *batch, generator=noise)
    return out.loss, out.logits


LOSSES = {"cross_entropy": cross_entropy, "mse": mse_loss}


def forward(c: TrialConfig, model: nn.Module, batch: Set) -> Set:
    """Each of ``batchnorm_parts`` is a pass of its own from the same running statistics, which
    end at the mean of what the passes leave."""
    logits, left = [], []
    cuts = [len(batch[1]) * i // c.batchnorm_parts for i in range(c.batchnorm_parts + 1)]
    for start, stop in pairwise(cuts):
        buffers = {name: value.clone() for name, value in model.named_buffers()}
        logits.append(functional_call(model, buffers, batch[0][start:stop]))
        left.append(buffers)
    mean = {name: sum(buffers[name] for buffers in left) / len(left) for name in left[0]}
    model.load_state_dict(mean, strict=False)
    return LOSSES[c.loss](torch.cat(logits), batch[1]), torch.cat(logits)


def clip(model: nn.Module, limit: float | None) -> None:
    if limit is not None:
        norm = math.sqrt(sum(float((p.grad**2).sum()) for p in model.parameters()))
        for p in model.parameters():
            p.grad *= min(1.0, limit / (norm + 1e-6))


class Update:
    """SGD, Adam, AdamW as in their papers and torch's documentation, one tensor at a time."""

    def __init__(self, model: nn.Module, c: TrialConfig) -> None:
        self.o, self.parameters = c.optimizer, list(model.parameters())
        self.state: list[dict[str, Tensor]] = [{} for _ in self.parameters]
        self.steps = 0

    @torch.no_grad()
    def step(self, lr: float) -> None:
        self.steps += 1
        for p, state in zip(self.parameters, self.state, strict=True):
            decayed = self.o.decay == "all" or p.ndim > 1
            decay = self.o.weight_decay if decayed else 0.0
            move = self.sgd if self.o.name == "sgd" else self.adam
            p -= lr * move(p, p.grad.clone(), decay, state)

    def sgd(self, p: Tensor, g: Tensor, decay: float, state: dict[str, Tensor]) -> Tensor:
        g = g + decay * p
        v = state["v"] = self.o.momentum * state["v"] + g if "v" in state else g
        return g + self.o.momentum * v if self.o.nesterov else v

    def adam(self, p: Tensor, g: Tensor, decay: float, state: dict[str, Tensor]) -> Tensor:
        if self.o.name == "adam":
            g = g + decay * p
        zero, (one, two) = torch.zeros_like(p), self.o.betas
        m = state["m"] = one * state.get("m", zero) + (1 - one) * g
        v = state["v"] = two * state.get("v", zero) + (1 - two) * g**2
        if self.o.amsgrad:
            v = state["top"] = torch.maximum(state.get("top", zero), v)
        m, v = m / (1 - one**self.steps), v / (1 - two**self.steps)
        return m / (v.sqrt() + self.o.eps) + (decay * p if self.o.name == "adamw" else 0)


def rate(c: TrialConfig, step: int, per_epoch: int, plateaus: int) -> tuple[float, int]:
    """The learning rate of a step, and how often it has been lowered."""
    s, base, drops = c.schedule, c.optimizer.lr, 0
    if s.name == "step":
        for milestone in s.milestones:
            at = Fraction(str(milestone))
            drops += Fraction(step, per_epoch) >= (at if at >= 1 else at * c.epochs)
    if s.name == "plateau":
        drops = plateaus
    warmup = s.warmup_epochs * per_epoch
    if step < warmup:
        return base * min(1.0, (step + 1) / warmup), drops
    if s.name in ("cosine", "linear"):
        part = (step - warmup) / (c.epochs * per_epoch - warmup)
        fall = 1 - part if s.name == "linear" else (1 + math.cos(math.pi * part)) / 2
        return base * fall, drops
    return base * s.gamma**drops, drops


class Plateau:
    """Counts epochs in which the loss is no thousandth of a tenth below its best."""

    def __init__(self, patience: int) -> None:
        self.patience, self.best, self.bad, self.drops = patience, math.inf, 0, 0

    def note(self, loss: float) -> None:
        if loss < 0.9999 * self.best:
            self.best, self.bad = loss, 0
            return
        self.bad += 1
        if self.bad > self.patience:
            self.bad, self.drops = 0, self.drops + 1


# -- what is measured ----------------------------------------------------------------------------


def evaluated(
    model: nn.Module, images: Set, mean: Tensor, std: Tensor, loss: str
) -> dict[str, float]:
    """In evaluation mode, all images at once, unaugmented."""
    model.eval()
    with torch.no_grad():
        outputs = model(normalized(images[0], mean, std)).numpy()
    targets = images[1].numpy()
    if loss == "mse":
        return {"loss": float(((outputs - targets) ** 2).mean())}
    n, classes = outputs.shape
    sums = dict.fromkeys(("error", "error_top5", "nll", "brier"), 0.0)
    bins: dict[int, list[float]] = {}
    for z, t in zip(outputs, targets, strict=True):
        p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        ranked = sorted(range(classes), key=lambda k: -z[k])
        sums["error"] += ranked[0] != t
        sums["error_top5"] += t not in ranked[:5]
        sums["nll"] -= math.log(p[t])
        sums["brier"] += sum((p[k] - (k == t)) ** 2 for k in range(classes))
        bins.setdefault(math.ceil(15 * p.max()), []).append(float(ranked[0] == t) - p.max())
    ece = sum(abs(sum(gaps)) for gaps in bins.values())
    return {name: float(value) / n for name, value in sums.items()} | {"ece": ece / n}


def best(history: dict[str, list[float]]) -> dict[str, float]:
    """Each number at the epoch with the lowest validation and the lowest test error, of equal ones
    at the one with the lower loss; what was not measured in every epoch has none."""
    found: dict[str, float] = {}
    for judge in ("validation", "test"):
        if f"{judge}_loss" in history:  # a regression
            criteria = [(loss, 0.0) for loss in history[f"{judge}_loss"]]
        elif f"{judge}_error" in history:
            criteria = list(zip(history[f"{judge}_error"], history[f"{judge}_nll"], strict=True))
        else:
            continue
        at = 0
        for epoch in range(1, len(criteria)):
            if criteria[epoch] < criteria[at]:
                at = epoch
        found[f"best_{judge}/epoch"] = at + 1
        for name, curve in history.items():
            if not any(map(math.isnan, curve)):
                found[f"best_{judge}/{name}"] = curve[at]
    return found
