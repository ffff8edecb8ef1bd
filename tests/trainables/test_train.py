"""The loop: the same bits whatever came before, an exact resume, honest outcomes."""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from trainables import train
from trainables.__main__ import main
from trainables.config import Request, TrialConfig
from trainables.parallel.group import SINGLE_PROCESS
from trainables.storage import checkpoint
from trainables.storage.files import Storage
from trainables.storage.result import TOTALS, TrialResult, best_epoch
from trainables.storage.trial_folder import CHECKPOINT, RESULT, WEIGHTS
from trainables.train import Execution, Trial, fit, training

TINY = {"epochs": 3, "batch_size": 64, "model": {"name": "mlp", "widths": [16]}}
EXECUTION = Execution(device="cpu")
NOISY = TrialConfig(**TINY, method={"name": "nso", "sigma": 0.02}, seed=3)


def numbers(result: TrialResult) -> dict[str, list[float]]:
    """Everything a trial measured, without its clock."""
    return {**result.history, "final": [v for k, v in result.metrics.items() if "seconds" not in k]}


def test_the_same_configuration_gives_the_same_bits_whatever_ran_before() -> None:
    first = fit(NOISY, EXECUTION)
    torch.manual_seed(99)
    fit(NOISY.replace(seed=4), EXECUTION)
    torch.rand(7)
    assert numbers(fit(NOISY, EXECUTION)) == numbers(first)


def test_another_seed_gives_other_numbers() -> None:
    assert numbers(fit(NOISY, EXECUTION)) != numbers(fit(NOISY.replace(seed=4), EXECUTION))


def test_fit_leaves_the_callers_generator_and_settings_alone() -> None:
    torch.manual_seed(5)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    fit(NOISY, EXECUTION)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_steps_seed_no_accelerator_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.manual_seed queues a call with a stack trace for each kind of them, every time."""
    queued = len(torch.cuda._queued_calls)
    fit(NOISY, EXECUTION)
    assert len(torch.cuda._queued_calls) == queued
    monkeypatch.setattr(torch, "manual_seed", lambda seed: pytest.fail("seeded everything"))
    fit(NOISY, EXECUTION)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"method": {"name": "l2_sp"}},
        {"model.dropout": 0.2, "optimizer.name": "adamw", "optimizer.lr": 0.001},
        {"schedule": {"name": "plateau", "patience": 1}, "epochs": 5},
        {"regularizers": [{"name": "mixup"}], "method": {"name": "sam"}},
        {"model": "resnet_tiny", "data.subset": 200, "optimizer.momentum": 0.5},
    ],
    ids=["nso", "l2_sp", "dropout-adamw", "plateau", "sam-mixup", "batchnorm"],
)
def test_a_resumed_trial_gives_the_bits_of_one_that_never_stopped(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    config = NOISY.replace(**changes)
    whole = fit(config, EXECUTION)
    storage = Storage(tmp_path)
    interrupted = Trial(config, EXECUTION, storage)
    interrupted.run_epoch()
    interrupted.save()
    interrupted.run_epoch()  # lost: the process dies here, one epoch after its checkpoint
    resumed = Trial(config, EXECUTION, storage)
    assert resumed.epoch == 1
    assert numbers(fit(config, EXECUTION, storage)) == numbers(whole)


def changed(**fields: object) -> Callable[[Storage], None]:
    """A checkpoint of NOISY after an epoch that is whole, and of something else in these fields."""

    def write(storage: Storage) -> None:
        trial = Trial(NOISY, EXECUTION, storage)
        trial.run_epoch()
        trial.save()
        state = checkpoint.load(storage, CHECKPOINT) | fields
        kept = {name: value for name, value in state.items() if value is not None}
        checkpoint.save(storage, CHECKPOINT, kept)

    return write


def with_optimizer(**values: object) -> Callable[[Storage], None]:
    """As `changed`, in the optimizer's first group and in what it keeps of the first parameter."""

    def write(storage: Storage) -> None:
        changed()(storage)
        state = checkpoint.load(storage, CHECKPOINT)
        of = state["optimizer"]
        for name, value in values.items():
            (of["param_groups"][0] if name in of["param_groups"][0] else of["state"][0])[name] = (
                value
            )
        checkpoint.save(storage, CHECKPOINT, state)

    return write


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda storage: storage.write(CHECKPOINT, b"half a checkpoint"), "checksum does not"),
        (changed(trial_id="0123456789abcdef"), "is of trial 0123456789abcdef"),
        (changed(epoch=4), "is of epoch 4 of 3"),
        (changed(history=None), "does not fit"),
        (changed(model={"other.weight": torch.zeros(2)}), "does not fit"),
        (changed(optimizer={"state": {}, "param_groups": []}), "does not fit"),
        (changed(epoch="1"), "state['epoch'] is of type str, not int"),
        (changed(epoch=torch.zeros(3)), "state['epoch'] is of type Tensor, not int"),
        (changed(epoch=-1), "is of epoch -1 of 3"),
        (changed(seconds=None), "state has no 'seconds'"),
        (changed(diverged=0), "is of type int, not bool"),
        (changed(trial_id=torch.zeros(50, 50)), "is of trial tensor("),
        (changed(history={"test_error": 1.0}), "the history of test_error is of type float"),
        (changed(history={"test_error": ["x"]}), "the history of test_error[0] is of type str"),
        (changed(history={"test_error": []}), "the history of test_error has 0 entries, not 1"),
        (changed(learning_rate={"best": "x", "stagnant": 0, "plateaus": 0}), "does not fit"),
        (with_optimizer(lr="x"), "['lr'] is of type str, not float"),
        (with_optimizer(momentum_buffer=torch.zeros(3)), "momentum_buffer is not of shape"),
        (with_optimizer(momentum_buffer=0.5), "momentum_buffer is not of shape"),
        (lambda storage: storage.write(CHECKPOINT, hashlib.sha256().digest()), "does not fit"),
        (lambda storage: checkpoint.save(storage, CHECKPOINT, [1]), "is of type list, not dict"),
    ],
)
def test_a_checkpoint_that_does_not_fit_costs_time_but_not_the_trial(
    write: Callable[[Storage], None], said: str, tmp_path: Path
) -> None:
    """It is said, kept, and none of it is in the numbers: a part of it was taken over before."""
    storage = Storage(tmp_path)
    write(storage)
    reports = list(training(NOISY, EXECUTION, storage, SINGLE_PROCESS))
    (note,) = [note for report in reports for note in report.notes]
    assert said in note
    assert len([report for report in reports if report.numbers]) == NOISY.epochs
    whole = TrialResult.from_json(fit(NOISY, EXECUTION).to_json())
    assert numbers(TrialResult.from_json(storage.read(RESULT))) == numbers(whole)
    assert [name for name in storage.names("*") if "bad" in name and name in note]


def test_what_goes_wrong_on_the_device_is_no_fault_of_a_checkpoint() -> None:
    with pytest.raises(torch.OutOfMemoryError), checkpoint.fitting("it"):
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_a_finished_trial_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Storage(tmp_path)
    first = fit(NOISY, EXECUTION, storage)
    assert storage.names("*") == [RESULT]
    monkeypatch.setattr(train, "Trial", None)
    assert fit(NOISY, EXECUTION, storage) == TrialResult.from_json(first.to_json())


def test_a_loss_that_is_not_finite_ends_the_trial_as_diverged(tmp_path: Path) -> None:
    config = TrialConfig(**TINY, optimizer={"lr": 1e30})
    result = fit(config, EXECUTION, Storage(tmp_path))
    assert result.status == "diverged"
    assert result.metrics["epochs_run"] < 3
    assert not [name for name in result.metrics if "error" in name]
    assert json.loads(Storage(tmp_path).read(RESULT))["status"] == "diverged"


def test_metrics_are_the_last_epochs_and_the_best_epochs() -> None:
    result = fit(NOISY, EXECUTION)
    history, metrics = result.history, result.metrics
    assert metrics["test_error"] == history["test_error"][-1]
    best = history["validation_error"].index(min(history["validation_error"]))
    assert metrics["best_validation/epoch"] == best + 1
    assert metrics["best_validation/test_error"] == history["test_error"][best]
    assert metrics["best_test/test_error"] == min(history["test_error"])
    assert all(len(values) == 3 for values in history.values())
    steps = 3 * math.floor(1294 / 64)
    assert metrics["gradient_evaluations"] == 2 * steps  # two-point noise


def test_without_validation_images_there_are_no_validation_numbers() -> None:
    result = fit(NOISY.replace(**{"data.validation": 0}), EXECUTION)
    assert not [name for name in result.metrics if "validation" in name]


def test_the_clock_of_training_excludes_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(train.time, "perf_counter", lambda: float(next(clock)))
    monkeypatch.setattr(
        train, "evaluate", lambda *_: {"error": float(next(clock)) and 0.5, "nll": 1.0}
    )
    result = fit(NOISY, EXECUTION)
    assert result.metrics["training_seconds"] == 3.0  # one tick an epoch


@pytest.mark.parametrize("keep", ["last", "best"])
def test_kept_weights_give_the_recorded_numbers(tmp_path: Path, keep: str) -> None:
    storage = Storage(tmp_path)
    result = fit(NOISY, Execution(device="cpu", keep_weights=keep), storage)  # type: ignore[arg-type]
    trial = Trial(NOISY, EXECUTION)
    trial.model.load_state_dict(checkpoint.load(storage, WEIGHTS)["model"])
    key = "test_error" if keep == "last" else "best_validation/test_error"
    test = trial.splits["test"]
    assert train.evaluate(trial.model, test, "cross_entropy")["error"] == result.metrics[key]


def test_float64_trains_in_float64() -> None:
    trial = Trial(NOISY.replace(precision="float64"), EXECUTION)
    trial.run_epoch()
    assert {p.dtype for p in trial.model.parameters()} == {torch.float64}


def test_the_command_prints_a_result_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**TINY, "epochs": 1}))
    assert main([str(path), "--device", "cpu"]) == 0
    out, err = capsys.readouterr()
    assert TrialResult.from_json(out).status == "done"
    assert err.startswith("epoch 1: running_train_loss")
    assert main([str(path), "--device", "cpu", "--measure", "hessian_trace"]) == 0
    measured = TrialResult.from_json(capsys.readouterr().out)
    assert measured.metrics["hessian_trace_std_error"] > 0
    assert main([str(path), "--measure", "hesian_trace"]) == 2
    assert "did you mean 'hessian_trace'" in capsys.readouterr().err


def test_a_trial_may_be_written_in_yaml(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nested or with dotted names, in a file or piped: it is the trial that JSON describes."""
    made = TrialConfig(**TINY).replace(epochs=1).model_dump(mode="json")
    (tmp_path / "c.json").write_text(json.dumps(made))
    dotted = "".join(f"{k}: {json.dumps(v)}\n" for k, v in made.items() if k != "optimizer")
    dotted += "".join(f"optimizer.{k}: {json.dumps(v)}\n" for k, v in made["optimizer"].items())
    (tmp_path / "c.yaml").write_text(f"# a trial\n{dotted}")
    monkeypatch.setattr("sys.stdin", io.StringIO(dotted))
    ids = []
    for file in (str(tmp_path / "c.json"), str(tmp_path / "c.yaml"), "-"):
        assert main([file, "--device", "cpu"]) == 0
        ids.append(json.loads(capsys.readouterr().out)["trial_id"])
    assert ids == [TrialConfig(**made).trial_id] * 3
    (tmp_path / "c.yaml").write_text("method: sam\nmodel: &m mlp\n")
    assert main([str(tmp_path / "c.yaml")]) == 2
    assert "c.yaml:2: anchors and aliases" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "Expecting property name"),
        ("[]", "a configuration is a mapping"),
        ('{"epochs": 0}', "epochs = 0: input should be greater than or equal to 1"),
        ('{"method": "sma"}', "unknown method 'sma' (did you mean 'sam'?)"),
        ('{"method": {"name": "sam", "rho": NaN}}', "rho = nan"),
        ('{"learning_rate": 1}', "learning_rate = 1: extra inputs are not permitted"),
        ('{"model": "resnet19"}', "unknown model 'resnet19'"),
        ('{"data": {"source": "cifar"}}', "unknown data set 'cifar'"),
    ],
)
def test_a_bad_configuration_is_one_sentence_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, sentence: str
) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    assert main([str(path)]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


# -- training numbers ------------------------------------------------------------------------------

DISPLACED = {"name": "wp_sgd", "sigma": 0.3}
AUGMENTED = TrialConfig(
    epochs=2,
    batch_size=64,
    data={"subset": 256, "augmentation": [{"name": "pad_crop", "padding": 2}]},
    model={"name": "resnet_tiny"},
    method=DISPLACED,
    batchnorm="separate",
    precision="float64",
)


@pytest.mark.parametrize("samples", [None, 100])
def test_training_numbers_are_of_the_final_weights_on_the_images_as_they_are(
    samples: int | None,
) -> None:
    """In evaluation mode, neither displaced nor augmented; those of the loop are called running."""
    execution = Execution(device="cpu", train_samples=samples)
    trial = Trial(AUGMENTED, execution)
    while not trial.finished:
        trial.run_epoch()
    metrics = trial.result().metrics
    trial.model.eval()
    images = trial.splits["train"].head(samples)
    inputs, targets = zip(*images, strict=True)
    with torch.no_grad():
        logits, labels = trial.model(torch.cat(inputs)), torch.cat(targets)
    assert len(labels) == (samples or len(trial.splits["train"].images))
    assert metrics["train_images"] == len(labels)
    wrong = (logits.argmax(1) != labels).double().mean()
    nll = torch.nn.functional.cross_entropy(logits, labels)
    assert metrics["train_error"] == pytest.approx(float(wrong), rel=1e-12)
    assert metrics["train_nll"] == pytest.approx(float(nll), rel=1e-12)
    assert abs(metrics["running_train_loss"] - metrics["train_nll"]) > 0.01
    assert "best_test/running_train_loss" in metrics  # of every epoch
    assert "best_test/train_nll" not in metrics  # of the last alone
    assert "train_loss" not in metrics
    whole = {n for n in metrics if "/" not in n and n not in trial.history}
    assert whole == set(TOTALS)


def test_running_numbers_of_a_displaced_rule_are_of_its_separate_pass() -> None:
    """With it, of the weights as they are: at sigma 0.3 the displaced ones know nothing."""
    clean = fit(AUGMENTED, EXECUTION).metrics["running_train_loss"]
    displaced = fit(AUGMENTED.replace(batchnorm="clean"), EXECUTION).metrics["running_train_loss"]
    assert displaced > clean + 0.1


def test_a_plateau_may_watch_the_clean_training_loss() -> None:
    """The learning rate falls where that one, and not the running one, has stopped falling."""
    config = AUGMENTED.replace(
        schedule={"name": "plateau", "patience": 1, "watch": "clean"},
        epochs=8,
        **{"optimizer.lr": 0.4},
    )
    history = fit(config, EXECUTION).history
    assert all(map(math.isfinite, history["train_nll"]))
    best, stagnant, drops, expected = math.inf, 0, 0, []
    for loss in history["train_nll"]:
        expected.append(0.4 * 0.1**drops)
        if loss < best * (1 - 1e-4):
            best, stagnant = loss, 0
        else:
            stagnant += 1
        if stagnant > 1:
            drops, stagnant = drops + 1, 0
    assert drops
    assert history["learning_rate"] == pytest.approx(expected, rel=1e-12)
    with pytest.raises(
        ValueError, match="watch = 'clean' would have no effect: it needs name = 'p"
    ):
        config.replace(schedule={"name": "cosine", "watch": "clean"})


def test_of_equally_good_epochs_the_one_with_the_lowest_loss_counts() -> None:
    """As in AMP's code; the first of those that are equal in both."""
    history = {
        "test_error": [0.3, 0.1, 0.1, 0.1],
        "test_nll": [0.9, 0.6, 0.5, 0.5],
        "seen": [1.0, 2.0, 3.0, 4.0],
        "once": [math.nan, math.nan, 7.0, math.nan],
    }
    assert best_epoch(history, "test") == {
        "best_test/epoch": 3,
        "best_test/test_error": 0.1,
        "best_test/test_nll": 0.5,
        "best_test/seen": 3.0,
    }
    assert best_epoch(history, "validation") == {}
    assert best_epoch({"test_loss": [2.0, 1.0]}, "test")["best_test/epoch"] == 2


MEASURED = Execution(device="cpu", measures=(Request("hessian_trace", {"num_samples": 3}),))


def test_measuring_changes_no_number_and_is_recorded(tmp_path: Path) -> None:
    plain, measured = fit(NOISY, EXECUTION), fit(NOISY, MEASURED)
    assert measured.metrics["hessian_trace"] != 0
    assert measured.metrics["hessian_trace_std_error"] > 0
    assert {k: v for k, v in measured.history.items() if k in plain.history}.keys() == (
        plain.history.keys()
    )
    assert all(measured.history[k] == v for k, v in plain.history.items())


def test_a_measure_at_half_time_is_in_the_history_at_that_epoch_only() -> None:
    request = Request("classification", at=(1 / 3,), label="early", split="test")
    result = fit(NOISY, Execution(device="cpu", measures=(request,)))
    curve = result.history["early/error"]
    assert curve[0] == result.history["test_error"][0]
    assert all(map(math.isnan, curve[1:]))
    assert "early/error" not in result.metrics


def test_a_measure_every_other_epoch_and_at_the_end() -> None:
    request = Request("classification", every=2, label="seen", split="test")
    result = fit(NOISY, Execution(device="cpu", measures=(request,)))
    first, *later = result.history["seen/error"]
    assert math.isnan(first)
    assert later == result.history["test_error"][1:]
    assert result.metrics["seen/error"] == result.metrics["test_error"]
    with pytest.raises(ValueError, match="every = -1; it is at least 0"):
        Request("classification", every=-1)


def test_a_measure_draws_the_same_under_every_label() -> None:
    """A line through the weights is one line, whatever it is called."""
    line = {"points": 3, "extent": 0.5}
    requests = (
        Request("landscape_1d", line, "one", samples=20),
        Request("landscape_1d", line, "other", samples=20, every=1),
    )
    result = fit(NOISY, Execution(device="cpu", measures=requests))
    for at in ("-0.500", "0.500"):
        assert result.metrics[f"one/{at}"] == result.metrics[f"other/{at}"]


def test_a_curve_asked_for_later_needs_the_training_again(tmp_path: Path) -> None:
    """The weights that were kept are those of the end, and a curve is of the epochs before."""
    storage = Storage(tmp_path)
    fit(NOISY, Execution(device="cpu", keep_weights="last"), storage)
    request = Request("classification", every=2, label="seen", split="test")
    result = fit(NOISY, Execution(device="cpu", measures=(request,)), storage)
    assert result.history["seen/error"][1:] == result.history["test_error"][1:]


@pytest.mark.parametrize("keep", ["none", "last"])
def test_a_measure_asked_for_later_is_added_to_the_stored_result(
    tmp_path: Path, keep: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Storage(tmp_path)
    first = fit(NOISY, Execution(device="cpu", keep_weights=keep), storage)  # type: ignore[arg-type]
    epochs = []
    train_epoch = Trial.run_epoch
    monkeypatch.setattr(Trial, "run_epoch", lambda self: epochs.append(1) or train_epoch(self))
    second = fit(NOISY, MEASURED, storage)
    assert len(epochs) == (0 if keep == "last" else 3)  # from the weights, or trained again
    assert second.metrics["hessian_trace"] == fit(NOISY, MEASURED).metrics["hessian_trace"]
    assert second.metrics["test_nll"] == first.metrics["test_nll"]
    assert fit(NOISY, MEASURED, storage).metrics == second.metrics


@pytest.mark.parametrize("what", ["bytes", "no epoch", "epoch", "shapes", "precision", "number"])
def test_weights_that_are_damaged_or_do_not_fit_cost_time_but_not_the_trial(
    what: str, tmp_path: Path
) -> None:
    storage = Storage(tmp_path)
    kept = Execution(device="cpu", keep_weights="last")
    whole = fit(NOISY, kept, storage)
    if what == "bytes":
        storage.write(WEIGHTS, storage.read(WEIGHTS)[:-1])
    elif what == "shapes":
        checkpoint.save(storage, WEIGHTS, {"epoch": 3, "model": {"other": torch.zeros(2)}})
    else:
        state = checkpoint.load(storage, WEIGHTS)
        if what == "no epoch":
            del state["epoch"]
        elif what == "epoch":
            state["epoch"] = "3"
        else:  # torch would take the first over, rounded
            name, value = next(iter(state["model"].items()))
            state["model"][name] = value.double() if what == "precision" else 3
        checkpoint.save(storage, WEIGHTS, state)
    asked = Execution(device="cpu", measures=(Request("classification", label="seen"),))
    reports = list(training(NOISY, asked, storage, SINGLE_PROCESS))
    (note,) = [note for report in reports for note in report.notes]
    assert "they are removed and the trial is trained again" in note
    assert len([report for report in reports if report.numbers]) == NOISY.epochs
    found = TrialResult.from_json(storage.read(RESULT))
    assert found.metrics["test_error"] == whole.metrics["test_error"]
    assert "seen/error" in found.metrics
    assert not storage.exists(WEIGHTS)
