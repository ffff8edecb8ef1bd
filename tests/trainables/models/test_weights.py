"""Weights come from a named local file, checked by its digest, or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet

from trainables import models
from trainables.errors import UsageError
from trainables.models.torchvision_resnet import torchvision_resnet
from trainables.models.weights import load_weights, weights_directory


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLATSWEEP_WEIGHTS", str(tmp_path))
    return tmp_path


def saved(folder: Path, model: nn.Module, name: str = "net.pth") -> str:
    torch.save(model.state_dict(), folder / name)
    return hashlib.sha256((folder / name).read_bytes()).hexdigest()


def net(outputs: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, outputs))


NEW = ("2.weight", "2.bias")


def test_all_but_the_classifier_is_loaded(folder: Path) -> None:
    source, target = net(outputs=3), net(outputs=7)
    source[1].running_mean += 2
    head = target[2].weight.detach().clone()
    load_weights(target, "net.pth", saved(folder, source)[:8], new=NEW)
    for key, value in target.state_dict().items():
        assert key in NEW or torch.equal(value, source.state_dict()[key])
    assert torch.equal(target[2].weight, head)


def test_digest_in_the_name(folder: Path) -> None:
    digest = saved(folder, net())
    name = f"net-{digest[:8]}.pth"
    (folder / "net.pth").rename(folder / name)
    load_weights(net(), name)
    other = f"net-{'0' * 8}.pth"
    (folder / name).rename(folder / other)
    with pytest.raises(ValueError, match=f"SHA-256 {digest}, which does not begin with 00000000"):
        load_weights(net(), other)


def test_pretrained_resnet(folder: Path) -> None:
    def make(num_classes: int) -> ResNet:
        return ResNet(BasicBlock, [1, 0, 0, 0], num_classes)  # type: ignore[arg-type]

    def make_small(num_classes: int) -> nn.Module:
        model = make(num_classes)
        model.layer2 = model.layer3 = model.layer4 = nn.Identity()  # type: ignore[assignment]
        model.fc = nn.Linear(64, num_classes)
        return model

    def small(**arguments: object) -> nn.Module:
        return torchvision_resnet(make_small, input_shape=(3, 32, 32), **arguments)  # type: ignore[arg-type]

    source = small(num_classes=1000)
    digest = saved(folder, source)
    model = small(num_classes=5, weights="net.pth", weights_sha256=digest)
    assert torch.equal(model.get_parameter("conv1.weight"), source.get_parameter("conv1.weight"))
    assert model.get_parameter("fc.weight").shape == (5, 64)
    assert not [m for m in model.modules() if isinstance(m, nn.ReLU) and m.inplace]


@pytest.mark.parametrize("name", ["resnet34", "resnet50", "resnet101"])
def test_nothing_is_fetched(folder: Path, name: str) -> None:
    with (
        torch.device("meta"),
        pytest.raises(ValueError, match=rf"model '{name}': weights = 'a-12345678.pth': there is"),
    ):
        models.build(name, weights="a-12345678.pth")
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("name", "sha256", "message"),
    [
        ("missing.pth", "0" * 64, r"there is no .*missing\.pth"),
        ("/somewhere/net.pth", None, "must be a file's name without its folder"),
        ("../net.pth", None, "must be a file's name without its folder"),
        ("net.pth", None, "needs weights_sha256 of 8 digits or more; this file's is [0-9a-f]{64}"),
        ("net.pth", "abc", "needs weights_sha256 of 8 digits or more"),
        ("net.pth", "0" * 64, "does not begin with 0000"),
    ],
)
def test_files_that_are_refused(folder: Path, name: str, sha256: str | None, message: str) -> None:
    saved(folder, net())
    with pytest.raises(ValueError, match=message):
        load_weights(net(), name, sha256)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(nn.Linear(4, 5)), "only the file has '1.bias'"),
        (nn.Sequential(*net(), nn.Linear(3, 1)), "only the network has '3.bias'"),
        (net(outputs=4), r"'2.weight' has shape \(3, 5\) there and \(4, 5\) here"),
    ],
)
def test_weights_of_another_network(folder: Path, model: nn.Module, message: str) -> None:
    digest = saved(folder, net())
    before = [p.detach().clone() for p in model.parameters()]
    with pytest.raises(ValueError, match=message):
        load_weights(model, "net.pth", digest)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


KEY = "0.weight"


FORMS = {
    "object": (Path("x"), r"net\.pth is no file of tensors: Weights only load failed"),
    "list": ([torch.zeros(1)], "holds a list, no state dict"),
    "tensor": (torch.zeros(1), "holds a Tensor, no state dict"),
    "below": ({"model": net().state_dict()}, "only the network has '0.bias'"),
    "numbered": ({3: torch.zeros(1)}, "only the network has '0.bias'"),
    "more": ({**net().state_dict(), 3: torch.zeros(1)}, "only the file has 3"),
    "number": ({**net().state_dict(), KEY: 0.5}, f"'{KEY}' is no tensor there but of type float"),
    "shape": ({**net().state_dict(), KEY: torch.Size([5, 4])}, f"'{KEY}' is no tensor there"),
    "sparse": ({**net().state_dict(), KEY: torch.zeros(5, 4).to_sparse()}, f'"{KEY}"'),
}


@pytest.mark.parametrize(("state", "message"), FORMS.values(), ids=FORMS)
def test_a_file_of_another_form(folder: Path, state: object, message: str) -> None:
    """Whatever torch has saved in it, it is one sentence."""
    torch.save(state, folder / "net.pth")
    digest = hashlib.sha256((folder / "net.pth").read_bytes()).hexdigest()
    with pytest.raises(UsageError, match=message) as refused:
        load_weights(net(), "net.pth", digest)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [b"not a checkpoint", b""])
def test_a_file_that_is_no_checkpoint(folder: Path, content: bytes) -> None:
    (folder / "net.pth").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    with pytest.raises(ValueError, match=r"net\.pth is no file of tensors") as refused:
        load_weights(net(), "net.pth", digest)
    assert "\n" not in str(refused.value)


def test_a_digest_without_a_file_is_refused() -> None:
    with torch.device("meta"), pytest.raises(ValueError, match="needs weights, the name of a file"):
        models.build("resnet34", weights_sha256="0" * 64)


def test_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FLATSWEEP_WEIGHTS", raising=False)
    monkeypatch.setenv("FLATSWEEP_DATA", str(tmp_path))
    assert weights_directory() == tmp_path / "weights"
