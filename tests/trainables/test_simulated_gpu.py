"""The simulated GPU computes as the CPU, refuses what a GPU refuses, and counts what costs time."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trainables.simulated_gpu import DEVICE, MixedDevicesError, SimulatedGPU


@pytest.fixture
def gpu() -> Iterator[SimulatedGPU]:
    with SimulatedGPU() as simulated:
        yield simulated


def on_device() -> Tensor:
    return torch.arange(4.0, device="cuda")


def test_tensors_say_where_they_are(gpu: SimulatedGPU) -> None:
    made = [
        torch.zeros(2, device="cuda"),
        torch.zeros(2).to("cuda"),
        torch.zeros(2).cuda(),
        torch.tensor([1.0, 2.0], device=torch.device("cuda", 0)),
        on_device()[1:] * 2,
        on_device().new_zeros(3),
        nn.Linear(2, 2).to("cuda").weight,
        nn.Linear(2, 2, device="cuda").weight,
    ]
    assert {(t.device, t.is_cuda, t.is_cpu, t.is_meta) for t in made} == {
        (DEVICE, True, False, False)
    }
    assert made[0].cpu().device == torch.device("cpu")
    assert torch.cuda.is_available()
    assert isinstance(made[-1], nn.Parameter)


def test_afterwards_torch_is_what_it_was() -> None:
    before = [torch.cuda.is_available, torch.cuda.manual_seed, torch.Generator]
    with SimulatedGPU():
        assert torch.Generator is not before[2]
    assert [torch.cuda.is_available, torch.cuda.manual_seed, torch.Generator] == before
    assert not torch.__future__.get_overwrite_module_params_on_conversion()


def test_a_tensor_is_of_no_use_outside() -> None:
    with SimulatedGPU():
        kept = on_device()
    with pytest.raises(RuntimeError, match="outside of its simulation"):
        kept + 1
    assert "3." in repr(kept)


def test_views_and_changes_in_place_share_memory(gpu: SimulatedGPU) -> None:
    x = on_device()
    part, data = x[2:], x.data
    part.mul_(10)
    data[0].fill_(7)
    torch._foreach_add_([x[1:2]], 1)
    assert x.tolist() == [7, 2, 20, 30]
    assert x.data_ptr() == data.data_ptr() != part.data_ptr()


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Dropout(0.3), nn.Flatten(), nn.Linear(108, 4)
    )


def trained(device: str) -> list[Tensor]:
    """Weights, statistics and a second derivative after three steps."""
    model = network().to(device)
    draws = torch.Generator(device=device).manual_seed(5)
    x = torch.randn(6, 1, 8, 8, generator=draws, device=device)
    y = torch.randint(4, (6,), generator=draws, device=device)
    optimizer = torch.optim.Adam(model.parameters(), foreach=True)
    torch.manual_seed(4)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    loss = nn.functional.cross_entropy(model(x), y)
    slope = torch.autograd.grad(loss, list(model.parameters()), create_graph=True)
    curve = torch.autograd.grad(sum((g * g).sum() for g in slope), list(model.parameters()))
    return [t.detach().cpu() for t in (*model.state_dict().values(), *curve)]


def test_training_gives_the_bits_of_the_cpu(gpu: SimulatedGPU) -> None:
    on_cpu, simulated = trained("cpu"), trained("cuda")
    assert all(map(torch.equal, on_cpu, simulated))
    moved = len(network().state_dict())
    assert gpu.total("wait") == moved + len(simulated)  # there, and back; none in a step


COUNTS: dict[str, tuple[Callable[[Tensor], Any], dict[str, int]]] = {
    "kernel": (lambda x: x + 1, {"launch": 1}),
    "in place": (lambda x: x.add_(x), {"launch": 1}),
    "view": (lambda x: x[1:].view(1, 3).T.expand(3, 2).detach(), {}),
    "list": (lambda x: torch._foreach_add_([x, x[1:]], 1), {"launch": 1}),
    "type": (lambda x: x.double(), {"launch": 1}),
    "the same": (lambda x: x.to("cuda", torch.float32), {}),
    "item": (lambda x: x.sum().item(), {"launch": 1, "wait": 1}),
    "float": (lambda x: float(x[0]), {"wait": 1}),
    "bool": (lambda x: bool((x < 9).all()), {"launch": 2, "wait": 1}),
    "equal": (lambda x: torch.equal(x, x[:]), {"launch": 1, "wait": 1}),
    "nonzero": (lambda x: x.nonzero(), {"launch": 1, "wait": 1}),
    "mask": (lambda x: x[x > 1], {"launch": 2, "wait": 1}),
    "index": (lambda x: x[x.long()], {"launch": 2}),
    "index of the host": (
        lambda x: x[torch.tensor([0, 1])], {"launch": 1, "copy": 1, "pageable": 1, "wait": 1}
    ),
    "to the host": (lambda x: x.cpu(), {"copy": 1, "wait": 1}),
    "to the host, at once": (lambda x: x.to("cpu", non_blocking=True), {"copy": 1, "wait": 1}),
    "list of numbers": (lambda x: x.tolist(), {"copy": 1, "wait": 1}),
    "pageable": (lambda x: torch.ones(4).to("cuda"), {"copy": 1, "pageable": 1, "wait": 1}),
    "pageable, in place": (
        lambda x: x.copy_(torch.ones(4), non_blocking=True), {"copy": 1, "pageable": 1, "wait": 1}
    ),
    "numbers": (
        lambda x: torch.tensor([1.0], device="cuda"), {"copy": 1, "pageable": 1, "wait": 1}
    ),
    "pinned": (
        lambda x: torch.ones(4).pin_memory().split(2)[1].to("cuda", non_blocking=True), {"copy": 1}
    ),
    "pinned, waited for": (lambda x: torch.ones(4).pin_memory().to("cuda"), {"copy": 1, "wait": 1}),
    "fill": (lambda x: torch.zeros_like(x).fill_(2), {"launch": 2, "fill": 2}),
    "empty": (lambda x: torch.empty(3, device="cuda"), {}),
    "on the host": (lambda x: torch.ones(3).sum().item(), {}),
    "backward": (
        lambda x: (x.clone().requires_grad_() * 3).sum().backward(), {"launch": 5, "fill": 1}
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", COUNTS)
def test_what_is_counted(what: str, gpu: SimulatedGPU) -> None:
    do, expected = COUNTS[what]
    x = on_device()
    with gpu.watching() as seen:
        do(x)
    kinds = ("launch", "fill", "copy", "pageable", "wait")
    assert {kind: n for kind in kinds if (n := seen.total(kind))} == expected


def test_new_memory_is_filled_where_torch_is_told_to(gpu: SimulatedGPU) -> None:
    settings = torch.utils.deterministic
    before = settings.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    try:
        for fills, expected in ((True, 1), (False, 0)):
            settings.fill_uninitialized_memory = fills
            with gpu.watching() as seen:
                torch.empty(3, device="cuda")
            assert seen.total("fill") == seen.total("launch") == expected
    finally:
        torch.use_deterministic_algorithms(False)
        settings.fill_uninitialized_memory = before


REFUSED: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "sum": lambda x, h: x + h,
    "product": lambda x, h: x.view(2, 2) @ h.view(2, 2),
    "in place": lambda x, h: h.add_(x),
    "a number of the device": lambda x, h: h * x.sum(),
    "joined": lambda x, h: torch.cat([x, h]),
    "a number that is joined": lambda x, h: torch.stack([x.sum(), h.sum()]),
    "list": lambda x, h: torch._foreach_add([x], [h]),
    "index_select": lambda x, h: x.index_select(0, h.long()),
    "indexed on the host": lambda x, h: h[x.long()],
    "loss": lambda x, h: nn.functional.mse_loss(x, h),
    "drawn there by one of here": lambda x, h: x.normal_(generator=torch.Generator()),
    "drawn here by one of there": lambda x, h: torch.randn(2, generator=torch.Generator("cuda")),
}


@pytest.mark.parametrize("what", REFUSED)
def test_several_devices_are_refused(what: str, gpu: SimulatedGPU) -> None:
    with pytest.raises(MixedDevicesError, match=r"test_simulated_gpu.py:\d+"):
        REFUSED[what](on_device(), torch.arange(4.0))


def test_a_number_of_the_host_may_meet_what_is_on_the_device(gpu: SimulatedGPU) -> None:
    x = on_device()
    assert (x * torch.tensor(2.0)).tolist() == [0, 2, 4, 6]
    torch._foreach_mul_([x], torch.tensor(3.0))
    assert torch.where(x > 3, x, torch.tensor(0.0)).tolist() == [0, 0, 6, 9]


def test_it_is_said_where(gpu: SimulatedGPU) -> None:
    def waits(x: Tensor) -> float:
        return float(x[0])

    line = waits.__code__.co_firstlineno + 1
    for _ in range(2):
        waits(on_device())
    assert gpu.places("wait") == {f"test_simulated_gpu.py:{line}": 2}


def test_draws_are_those_of_a_generator_on_the_cpu(gpu: SimulatedGPU) -> None:
    here, there = (torch.Generator(device=d).manual_seed(3) for d in ("cpu", "cuda"))
    assert (here.device.type, there.device) == ("cpu", DEVICE)
    one = torch.randn(5, generator=here)
    assert torch.equal(one, torch.randn(5, generator=there, device="cuda").cpu())
    torch.cuda.manual_seed(8)
    state = torch.cuda.get_rng_state(DEVICE)
    first = torch.rand(3, device="cuda").tolist()
    torch.cuda.set_rng_state(state, DEVICE)
    assert torch.rand(3, device="cuda").tolist() == first


def test_what_is_saved_is_of_the_cpu(gpu: SimulatedGPU) -> None:
    buffer = io.BytesIO()
    torch.save({"x": on_device()}, buffer)
    buffer.seek(0)
    loaded = torch.load(buffer, weights_only=True)["x"]
    assert type(loaded) is Tensor
    assert loaded.tolist() == pickle.loads(pickle.dumps(on_device())).tolist() == [0, 1, 2, 3]
