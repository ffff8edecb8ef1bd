"""Error, likelihood and calibration against loops, torchmetrics and numbers worked out by hand."""

import math

import torch

from tests.trainables.measures.networks import close, cross_entropy, network, refuses, uneven
from trainables import measures
from trainables.measures.base import Target
from trainables.measures.predictions.classification import (
    brier_score,
    expected_calibration_error,
    negative_log_likelihood,
    reliability_diagram,
    smoothed_loss,
    summary,
    top_k_error,
)


def _scores(n=200, classes=8):
    g = torch.Generator().manual_seed(3)
    logits = 3 * torch.randn(n, classes, generator=g, dtype=torch.float64)
    return logits, torch.randint(classes, (n,), generator=g)


def test_errors_by_sorting():
    logits, targets = _scores()
    for k in (1, 3, 5, 8, 9):
        wrong = [
            y not in sorted(range(8), key=lambda c: -row[c])[:k]
            for row, y in zip(logits.tolist(), targets.tolist(), strict=True)
        ]
        assert float(top_k_error(logits, targets, k)) == sum(wrong) / 200


def test_likelihood_and_brier_by_loop():
    logits, targets = _scores()
    nll = brier = 0.0
    for row, y in zip(logits.tolist(), targets.tolist(), strict=True):
        p = [math.exp(z) / sum(math.exp(v) for v in row) for z in row]
        nll -= math.log(p[y]) / 200
        brier += sum((q - (c == y)) ** 2 for c, q in enumerate(p)) / 200
    close(negative_log_likelihood(logits, targets), nll)
    close(brier_score(logits.softmax(1), targets), brier)


def test_calibration_as_torchmetrics():
    from torchmetrics.functional.classification import multiclass_calibration_error

    logits, targets = _scores(1000)
    probabilities = logits.softmax(1)
    for bins in (1, 10, 15):
        theirs = multiclass_calibration_error(probabilities, targets, 8, n_bins=bins)
        ours = expected_calibration_error(probabilities, targets, bins)
        close(ours, theirs, 1e-6)  # theirs is in float32
    default = expected_calibration_error(probabilities, targets)
    assert float(default) == float(expected_calibration_error(probabilities, targets, 15))


def test_calibration_by_hand():
    """Two bins (0, ½] and (½, 1]: ½ belongs to the first, and 1 to the last."""
    p = torch.tensor([[0.5, 0.5], [1.0, 0.0], [0.75, 0.25], [0.25, 0.75]], dtype=torch.float64)
    y = torch.tensor([0, 1, 0, 1])
    diagram = reliability_diagram(p, y, 2)
    assert diagram.count.tolist() == [1, 3]
    close(diagram.confidence, [0.5, 2.5 / 3])
    close(diagram.accuracy, [1.0, 2 / 3])
    close(diagram.edges, [0, 0.5, 1])
    close(expected_calibration_error(p, y, 2), 0.25 * 0.5 + 0.75 * (2.5 - 2) / 3)
    assert reliability_diagram(p, y, 4).confidence.isnan().tolist() == [True, False, False, False]


def test_summary_is_its_parts():
    logits, targets = _scores()
    logits[:20] *= 1e4  # saturated: confidence 1
    p = logits.softmax(1)
    parts = {
        "error": top_k_error(logits, targets),
        "error_top5": top_k_error(logits, targets, 5),
        "nll": negative_log_likelihood(logits, targets),
        "ece": expected_calibration_error(p, targets),
        "brier": brier_score(p, targets),
    }
    assert summary(logits, targets) == {name: float(value) for name, value in parts.items()}
    low = summary(logits.bfloat16(), targets)
    again = summary(logits.bfloat16().float(), targets)
    assert low == again


def test_smoothed_loss_reaches_its_floor():
    """AMP's rows lie just above the entropy of the smoothed labels: 0.940 and 1.419 (s = 0.2)."""
    for classes, floor in ((10, 0.940), (100, 1.419)):
        y = torch.arange(classes)
        ideal = torch.full((classes, classes), 0.2 / (classes - 1)).fill_diagonal_(0.8).double()
        close(smoothed_loss(ideal.log(), y), floor, 5e-4 / floor)
    logits, targets = _scores()
    theirs = cross_entropy(logits, targets, label_smoothing=0.3)
    close(smoothed_loss(logits, targets, 0.3, "k"), theirs)


def test_measured_over_uneven_batches():
    model, x, y = network("mlp")
    logits = model(x).detach()
    got = measures.measure("classification", Target(model, cross_entropy, uneven(x, y)), bins=4)
    want = summary(logits, y, 4)
    assert got.keys() == {f"classification/{key}" for key in want}
    close(list(got.values()), list(want.values()))
    got = measures.measure(
        "smoothed_nll", Target(model, cross_entropy, uneven(x, y)), smoothing=0.4
    )
    close(got["smoothed_nll"], smoothed_loss(logits, y, 0.4))
    got = measures.measure("loss", Target(model, cross_entropy, uneven(x, y)))
    close(got["loss"], cross_entropy(logits, y))
    nothing = Target(model, cross_entropy, [])
    refuses("bins = 0", measures.measure, "classification", nothing, bins=0)
