"""Masked losses, greedy decoding and answers, beside slow loops in plain Python."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from tests.trainables.tasks import stand_ins
from trainables import methods, tasks
from trainables.structures import take
from trainables.tasks.language_modelling import NO_TOKEN, ends_with, greedy

TASK = tasks.get("token_cross_entropy")
CLOSE = 1e-12


def texts():
    found = stand_ins.texts().train
    return take((found.inputs, found.targets), slice(9))


def writer():
    torch.manual_seed(0)
    return stand_ins.Writer({"vocabulary": stand_ins.V}).double()


def by_hand(logits, targets) -> tuple[list[float], list[int]]:
    """Of each sample the sum of its counted losses, and how many there are."""
    sums, counts = [], []
    for sample in range(len(logits)):
        total, count = 0.0, 0
        for place in range(logits.shape[1]):
            if not targets["counted"][sample, place]:
                continue
            scores = logits[sample, place].tolist()
            norm = math.log(sum(math.exp(z) for z in scores))
            total += norm - scores[int(targets["tokens"][sample, place])]
            count += 1
        sums.append(total)
        counts.append(count)
    return sums, counts


def test_the_loss_is_the_mean_over_samples_of_counted_places() -> None:
    model, (inputs, targets) = writer(), texts()
    logits = model(inputs).detach()
    sums, counts = by_hand(logits, targets)
    assert len(set(counts)) > 1
    expected = sum(s / n for s, n in zip(sums, counts, strict=True)) / len(sums)
    assert float(TASK(logits, targets)) == pytest.approx(expected, rel=CLOSE)


def test_what_is_not_counted_decides_nothing() -> None:
    model, (inputs, targets) = writer(), texts()
    logits = model(inputs).detach().requires_grad_()
    other = {**targets, "tokens": torch.where(targets["counted"], targets["tokens"], 1)}
    assert torch.equal(TASK(logits, targets), TASK(logits, other))
    (slope,) = torch.autograd.grad(TASK(logits, targets), logits)
    assert (slope[~targets["counted"]] == 0).all()
    assert (slope[targets["counted"]] != 0).any(1).all()


def test_a_sample_without_counted_places_has_no_loss() -> None:
    model = writer()
    batch = texts()
    inputs, targets = take(batch, slice(2))
    none = {**targets, "counted": targets["counted"].clone()}
    none["counted"][1] = False
    logits = model(inputs).detach()
    alone = TASK(logits[:1], take(targets, slice(1)))
    assert float(TASK(logits, none)) == pytest.approx(float(alone) / 2, rel=CLOSE)


def test_parts_of_a_batch_have_the_batchs_loss() -> None:
    """A mean over samples: microbatches of any sizes add up to it."""
    model, (inputs, targets) = writer(), texts()
    logits = model(inputs).detach()
    parts = [(slice(0, 2), 2), (slice(2, 9), 7)]
    total = sum(n / 9 * float(TASK(logits[at], take(targets, at))) for at, n in parts)
    assert total == pytest.approx(float(TASK(logits, targets)), rel=CLOSE)


def test_the_numbers_of_a_split() -> None:
    model, (inputs, targets) = writer(), texts()
    sums, counts = by_hand(model(inputs), targets)
    with torch.no_grad():
        found = TASK.summary(TASK.judge(model.eval(), inputs, targets))
    assert found["nll"] == pytest.approx(float(TASK(model(inputs).detach(), targets)), rel=CLOSE)
    assert found["token_nll"] == pytest.approx(sum(sums) / sum(counts), rel=CLOSE)
    assert found["perplexity"] == pytest.approx(math.exp(sum(sums) / sum(counts)), rel=CLOSE)
    assert found["error"] == 1 - found["answer_accuracy"]


def written_by_hand(model, inputs, targets, sample) -> list[int]:
    """One sample's text, token by token, from its prompt alone."""
    prompt = targets["counted"][sample].tolist().index(True) + 1
    tokens = inputs["tokens"][sample, :prompt].tolist()
    text = []
    while len(tokens) <= stand_ins.L:
        given = {"tokens": torch.tensor([tokens]), "mask": torch.ones(1, len(tokens)).bool()}
        scores = model(given)[0, -1].tolist()
        text.append(scores.index(max(scores)))
        tokens.append(text[-1])
        if text[-1] == int(targets["answer"][sample, -1]):
            break
    return text


def trained(model, batch):
    """So far that some texts are right."""
    optimizer = torch.optim.Adam(model.parameters(), 0.03)
    for _ in range(40):
        optimizer.zero_grad()
        TASK(model(batch[0]), batch[1]).backward()
        optimizer.step()
    return model.eval()


@pytest.mark.parametrize("steps", ["trained", "not"])
def test_greedy_writes_what_one_sample_alone_gives(steps) -> None:
    model = writer()
    batch = texts()
    if steps == "trained":
        trained(model, batch)
    inputs, targets = batch
    kept = {name: tensor.clone() for name, tensor in inputs.items()}
    written = greedy(model, inputs, targets["counted"], targets["answer"][:, -1])
    assert all(torch.equal(inputs[name], kept[name]) for name in kept)
    right = ends_with(written, targets["answer"])
    for sample, row in enumerate(written.tolist()):
        text = written_by_hand(model, inputs, targets, sample)
        assert [token for token in row if token != NO_TOKEN] == text
        answer = targets["answer"][sample].tolist()
        assert bool(right[sample]) == (text[-len(answer) :] == answer)
    if steps == "trained":
        assert right.any()


def test_what_follows_the_prompt_is_not_looked_at() -> None:
    """Reference answers in the inputs, which training needs, do not help."""
    model, (inputs, targets) = writer(), texts()
    end = targets["answer"][:, -1]
    later = targets["counted"].int().cumsum(1) > 1
    blank = {
        "tokens": inputs["tokens"].masked_fill(later, 3),
        "mask": inputs["mask"] & ~later,
    }
    one, two = (greedy(model, given, targets["counted"], end) for given in (inputs, blank))
    assert torch.equal(one, two)


def test_shorter_answers_stand_at_the_right() -> None:
    written = torch.tensor([[-1, 5, 4, 9], [-1, 5, 9, -1], [3, 4, 9, -1], [-1, -1, -1, -1]])
    answer = torch.tensor([[-1, 4, 9], [-1, 5, 9], [5, 4, 9], [-1, 4, 9]])
    assert ends_with(written, answer).tolist() == [True, True, False, False]


def test_label_smoothing_is_that_of_every_place() -> None:
    """(1 - s) of the loss and s of the mean over the vocabulary, at counted places alone."""
    model, (inputs, targets) = writer(), texts()
    smoothed = methods.build("erm", regularizers=[("label_smoothing", {"smoothing": 0.3})])
    out = smoothed.gradient(model, TASK, inputs, targets, generator=None)
    logits = model(inputs).detach()
    every = [
        TASK(logits, {**targets, "tokens": torch.full_like(targets["tokens"], word)})
        for word in range(stand_ins.V)
    ]
    expected = 0.7 * TASK(logits, targets) + 0.3 * torch.stack(every).mean()
    torch.testing.assert_close(out.loss, expected, rtol=CLOSE, atol=CLOSE)


def test_the_divergence_is_of_counted_places() -> None:
    batch = texts()
    targets = take(batch[1], slice(2))
    shape = (2, stand_ins.L, stand_ins.V)
    p, q = torch.randn(2, *shape, generator=stand_ins.draws(), dtype=torch.float64)
    of_samples = []
    for sample in range(2):
        counted = targets["counted"][sample]
        log_p, log_q = p[sample, counted].log_softmax(-1), q[sample, counted].log_softmax(-1)
        of_samples.append(float((log_p.exp() * (log_p - log_q)).sum() / counted.sum()))
    assert float(TASK.divergence(p, q, targets)) == pytest.approx(sum(of_samples) / 2, rel=CLOSE)


def test_models_without_a_mask_can_write() -> None:
    batch = texts()

    class Next(nn.Module):
        def forward(self, inputs):
            assert set(inputs) == {"tokens"}
            return nn.functional.one_hot((inputs["tokens"] + 1) % stand_ins.V, stand_ins.V).double()

    inputs, targets = batch
    written = greedy(
        Next(), {"tokens": inputs["tokens"]}, targets["counted"], targets["answer"][:, -1]
    )
    first = targets["counted"].int().argmax(1, keepdim=True)
    start = inputs["tokens"].gather(1, first)
    assert torch.equal(written.gather(1, first), (start + 1) % stand_ins.V)
