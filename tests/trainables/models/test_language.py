"""BERT and GPT-2: their sizes, what they see, and published weights in a folder."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.trainables.measures.networks import close, dense_hessian
from tests.trainables.models.derivatives import NoMutation, has_second_and_third_derivatives
from trainables import models, tasks
from trainables.errors import UsageError
from trainables.measures.curvature.operator import HessianOperator
from trainables.structures import take

SPEC = {"vocabulary": 11, "length": 7}
SMALL = {"depth": 2, "width": 8, "heads": 2, "positions": 9, "dropout": 0.0}
NAMES = ("bert", "gpt2")
Inputs = dict[str, Tensor]


def build(name: str, seed: int = 0, spec: dict[str, int] = SPEC, **options: Any) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return models.build(name, 3, (), spec=spec, **{**SMALL, **options})


def batch(name: str, places: int = 6) -> Inputs:
    """Rows of 6, 4 and 1 tokens."""
    draws = torch.Generator().manual_seed(1)
    inputs = {
        "tokens": torch.randint(11, (3, places), generator=draws),
        "mask": torch.arange(places) < torch.tensor([6, 4, 1])[:, None],
    }
    if name == "bert":
        inputs["segments"] = (torch.arange(places) > 2).long().expand(3, places)
    return inputs


@pytest.mark.parametrize(
    ("name", "spec", "parameters"),
    [
        # as published: 137 M are quoted with the buffers of masks, 110 M with BERT's other heads
        ("gpt2", {"vocabulary": 50257, "length": 1024}, 124_439_808),
        ("bert", {"vocabulary": 30522, "length": 512}, 109_483_778),
    ],
)
def test_sizes(name: str, spec: dict[str, int], parameters: int) -> None:
    with torch.device("meta"):
        model = models.build(name, 2, (), spec=spec)
    assert sum(p.numel() for p in model.parameters()) == parameters
    dropped = [m.p for m in model.modules() if isinstance(m, nn.Dropout)]
    assert set(dropped) == {0.1}


def test_the_tiny_ones_are_tiny() -> None:
    for name in NAMES:
        with torch.device("meta"):
            model = models.build(f"{name}_tiny", 2, (), spec=SPEC)
        assert sum(p.numel() for p in model.parameters()) < 150_000
        assert models.registry.fit(f"{name}_tiny") == models.registry.fit(name)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_logits(dtype: torch.dtype) -> None:
    assert build("gpt2").to(dtype)(batch("gpt2")).shape == (3, 6, 11)
    assert build("bert").to(dtype)(batch("bert")).shape == (3, 3)
    assert {build(name).to(dtype)(batch(name)).dtype for name in NAMES} == {dtype}


def reached(model: nn.Module, inputs: Inputs, key: str, row: int, place: int) -> Tensor:
    """Which outputs another value of one input changes, of any kind; in float64."""
    before = model(inputs)
    other = {**inputs, key: inputs[key].clone()}
    other[key][row, place] = 1 - other[key][row, place] if key == "segments" else 7
    if key == "tokens":
        other[key][row, place] = (inputs[key][row, place] + 1) % 11
    return (model(other) - before).abs().amax(-1) > 1e-12


def test_gpt2_sees_what_comes_before_and_nothing_else() -> None:
    model, inputs = build("gpt2").double(), batch("gpt2")
    for row in range(3):
        for place in range(6):
            changed = reached(model, inputs, "tokens", row, place)
            assert not changed[torch.arange(3) != row].any()
            assert not changed[row, :place].any()
            assert changed[row, place]
            if inputs["mask"][row, place]:
                assert changed[row, place:].all()


def test_bert_sees_all_that_is_there_and_which_sentence_it_is_of() -> None:
    model, inputs = build("bert").double(), batch("bert")
    for key in ("tokens", "segments"):
        for row in range(3):
            for place in range(6):
                changed = reached(model, inputs, key, row, place)
                there = bool(inputs["mask"][row, place])
                assert changed.tolist() == [there and other == row for other in range(3)]


@pytest.mark.parametrize("name", NAMES)
def test_filling_rows_up_changes_nothing(name: str) -> None:
    """Sums over other numbers of places differ in their order: 1e-12 is 10,000 roundings."""
    model = build(name).double()
    whole, alone = batch(name), {k: v[1:2, :4] for k, v in batch(name).items()}
    found, expected = model(whole)[1], model(alone)[0]
    torch.testing.assert_close(found[: len(expected)], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_dropout_is_where_it_is_published(name: str) -> None:
    model = build(name, dropout=0.3)
    assert {m.p for m in model.modules() if isinstance(m, nn.Dropout)} == {0.3}
    assert not torch.equal(model(batch(name)), model(batch(name)))
    model.eval()
    assert torch.equal(model(batch(name)), model(batch(name)))


@pytest.mark.parametrize("name", NAMES)
def test_initial_weights_follow_the_global_seed(name: str) -> None:
    one, again, other = (
        nn.utils.parameters_to_vector(build(name, seed).parameters()) for seed in (3, 3, 4)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 3}, "heads = 3 must divide width = 8"),
        ({"positions": 6}, "positions = 6, but the data have texts of 7 tokens"),
        ({"spec": {"length": 3}}, "it needs 'vocabulary' of the data, which declare length"),
        ({"hub": "gpt2"}, "hub = 'gpt2'"),
        ({"hub": "openai-community/gpt2@main"}, "hub = 'openai-community/gpt2@main'"),
        ({"weights_sha256": "0123456789"}, "it needs weights, the name of a file"),
    ],
)
def test_bad_options_are_named(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=f"model '{name}':? .*{message}") as caught:
        build(name, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_without_the_package_a_sentence_says_how_to_get_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UsageError, match=r"pip install 'flatsweep\[text\]'"):
        build(name)


def loss(model: nn.Module, name: str) -> Tensor:
    outputs = model(batch(name))
    wanted = torch.arange(outputs[..., 0].numel()) % outputs.shape[-1]
    return nn.functional.cross_entropy(outputs.flatten(0, -2), wanted)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_written_in_place(name: str) -> None:
    model, inputs = build(name), batch(name)
    assert not [m for m in model.modules() if getattr(m, "inplace", False)]
    with NoMutation():
        model(inputs)


@pytest.mark.parametrize("name", NAMES)
def test_second_and_third_derivatives(name: str) -> None:
    model = build(name, positions=7).double()
    has_second_and_third_derivatives(model, lambda: loss(model, name))


@pytest.mark.parametrize("name", NAMES)
def test_the_trace_is_that_of_the_dense_hessian(name: str) -> None:
    """Of the loss that it is trained with, over two batches of different sizes."""
    model = build(name, depth=1, width=4, positions=7).double().eval()
    task = tasks.get(*models.registry.fit(name).losses)
    inputs = batch(name)
    labels = torch.arange(3)
    tokens = {"tokens": inputs["tokens"].roll(-1, 1), "counted": inputs["mask"]}
    targets = labels if name == "bert" else tokens
    dense = dense_hessian(model, task, inputs, targets)
    whole = inputs, targets
    batches = [take(whole, slice(1)), take(whole, slice(1, 3))]
    operator = HessianOperator(model, task, batches)
    close(operator @ torch.eye(operator.size, dtype=torch.float64), dense)
    assert dense.diagonal().abs().max() > 0.01


# -- published weights -----------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLATSWEEP_WEIGHTS", str(tmp_path))
    return tmp_path


def published(name: str, folder: Path, legacy: bool = False) -> tuple[nn.Module, str]:
    """A network in ``folder/own`` as transformers writes it, and the digest of its weights.

    Args:
        legacy: With the names and further heads of the files that Google and OpenAI published.
    """
    import safetensors.torch

    model = build(name, seed=5)
    where, file = folder / "own", folder / "own" / "model.safetensors"
    model.get_submodule("network").save_pretrained(where)  # type: ignore[operator]
    if legacy:
        state = safetensors.torch.load_file(file)
        safetensors.torch.save_file(LEGACY[name](state), file, {"format": "pt"})
    return model, hashlib.sha256(file.read_bytes()).hexdigest()


def of_google(state: dict[str, Tensor]) -> dict[str, Tensor]:
    renamed = {
        k.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): v
        for k, v in state.items()
        if not k.startswith("classifier")
    }
    return renamed | {
        "cls.predictions.bias": torch.zeros(11),
        "cls.predictions.transform.LayerNorm.gamma": torch.zeros(8),
        "cls.seq_relationship.weight": torch.zeros(2, 8),
    }


def of_openai(state: dict[str, Tensor]) -> dict[str, Tensor]:
    masks = {f"h.{layer}.attn.bias": torch.ones(1, 1, 9, 9) for layer in range(2)}
    return {k.removeprefix("transformer."): v for k, v in state.items()} | masks


LEGACY: dict[str, Callable[[dict[str, Tensor]], dict[str, Tensor]]] = {
    "bert": of_google,
    "gpt2": of_openai,
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("legacy", [False, True])
def test_published_weights_are_taken(name: str, legacy: bool, folder: Path) -> None:
    """All but BERT's classifier, which was never published and is drawn."""
    model, digest = published(name, folder, legacy)
    found = build(name, seed=6, weights="own", weights_sha256=digest[:8])
    drawn = set()
    for (key, expected), value in zip(
        model.state_dict().items(), found.state_dict().values(), strict=True
    ):
        if not torch.equal(expected, value):
            drawn.add(key)
    assert drawn == ({"network.classifier.weight"} if name == "bert" and legacy else set())
    assert all(module.training for module in found.modules()), "dropout, too"
    assert all(p.requires_grad and p.dtype == torch.float32 for p in found.parameters())
    again = build(name, seed=6, weights="own", weights_sha256=digest[:8])
    assert all(map(torch.equal, found.state_dict().values(), again.state_dict().values()))


@pytest.mark.parametrize("name", NAMES)
def test_weights_in_torchs_form_are_taken(name: str, folder: Path) -> None:
    import safetensors.torch

    model, _ = published(name, folder)
    file = folder / "own" / "model.safetensors"
    torch.save(safetensors.torch.load_file(file), folder / "own" / "pytorch_model.bin")
    file.unlink()
    digest = hashlib.sha256((folder / "own" / "pytorch_model.bin").read_bytes()).hexdigest()
    found = build(name, weights="own", weights_sha256=digest)
    assert all(map(torch.equal, found.state_dict().values(), model.state_dict().values()))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 3}, "does not fit: only the network has '.*[.]2[.].*'"),
        ({"depth": 1}, "does not fit: only the file has '.*[.]1[.].*'"),
        ({"width": 16}, "does not fit: .* has shape .* there and .* here"),
        ({"weights_sha256": "0" * 8}, "has SHA-256 [0-9a-f]{64}, which does not begin with 0000"),
        ({"weights_sha256": None}, "needs weights_sha256 of 8 digits or more; this file's is"),
        ({"weights": "other"}, "there is no .*other/model.safetensors; put the files"),
        ({"weights": "../own"}, "must be a folder's name without what is above it"),
        ({"hub": f"a/b@{'0' * 40}"}, "weights = 'own' and hub = 'a/b@0{40}': name one of them"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    name: str, options: dict[str, Any], message: str, folder: Path
) -> None:
    _, digest = published(name, folder)
    with pytest.raises(UsageError, match=f"model '{name}': .*{message}") as caught:
        build(name, **{"weights": "own", "weights_sha256": digest, **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_a_hub_that_cannot_be_reached_is_one_sentence(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    hub = f"nobody/{name}@{'0' * 40}"
    with pytest.raises(UsageError, match=f"hub = '{hub}' cannot be read: ") as caught:
        build(name, hub=hub)
    assert "\n" not in str(caught.value)


def test_no_network_is_asked_for_what_is_in_a_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    _, digest = published("gpt2", folder)
    shutil.copytree(folder / "own", folder / "openai-community" / "gpt2")
    monkeypatch.setattr(socket.socket, "connect", refuse)
    build("gpt2", weights="own", weights_sha256=digest)
    build("gpt2")
