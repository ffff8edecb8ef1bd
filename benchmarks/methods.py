"""What a step of each method costs beside plain training: ``python -m benchmarks.methods``.

A step is the method's gradient and an SGD update (momentum, weight decay), with images, weights and
optimizer as a trial has them. In every round each method's step is timed right after one of ERM, in
one process on one thread, and the ratio of the two is kept: CPU time of the process on a CPU,
device time between events on a GPU. Printed is the median ratio (and the quartiles) over the
rounds; the number of rounds is in the notes.

Networks: the MLP 3072-512-100 with batches of 128, ResNet-20 with batches of 64, and, where
there is a GPU, PreActResNet-18 with batches of 128. Beside each ratio: the gradient evaluations
the formula needs, the paper's own figure, and the goal. ``buffers`` is the peak memory of a step
beyond ERM's, in units of the parameters' size, on the first network. ``--compile`` adds SAM around
a compiled network (minutes, the first time). Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.process import settle

if __name__ == "__main__":
    settle("benchmarks.methods")

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from benchmarks.report import publish
from trainables import methods, models
from trainables.config import Optimizer
from trainables.memory_format import lay_out
from trainables.methods.base import Method
from trainables.optim import build_optimizer


@dataclass(frozen=True)
class Row:
    """A method, its options, the paper's figure, and the goals by network."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    label: str = ""
    paper: str = ""
    goals: tuple[float | None, float | None] = (None, None)

    @property
    def title(self) -> str:
        return self.label or self.name


TWO = (2.0, 2.05)
NOISE = (2.4, 2.05)
ONE = (1.4, 1.05)

ROWS = [
    Row("erm"),
    Row("sam", paper="2 (gradients)", goals=TWO),
    Row("usam", goals=TWO),
    Row("asam", goals=TWO),
    Row("rsam"),
    Row("bsam"),
    Row("amp", paper="1.8 (measured, Section 5.5)", goals=TWO),
    Row("amp", {"norm": "per_tensor", "clip": 50.0}, "amp, as the authors' code"),
    Row("amp", {"inner_steps": 2}, "amp, 2 inner steps"),
    Row("rmp", goals=ONE),
    Row("rpr", goals=ONE),
    Row("nrs", paper="2 (gradients)", goals=NOISE),
    Row("nrs", {"num_devices": 4}, "nrs, 4 devices"),
    Row("wp_sgd", goals=ONE),
    Row("nso", paper="2 (gradients); its code 3", goals=NOISE),
    Row("nso", {"num_perturbations": 2}, "nso, k = 2"),
    Row("infomcr", paper="1.54 (2 GPUs); its code 3 gradients", goals=(2.0, 2.6)),
    Row("infomcr", {"statistics": "full_batch"}, "infomcr, as the authors' code"),
    Row("fa", {"num_probes": 1}, "fa, 1 probe", paper="36 to 40 (3 probes)", goals=(4.0, 12.0)),
    Row("fa", {"num_probes": 3}, "fa, 3 probes", paper="36 to 40"),
    Row("mixup"),
    Row("label_smoothing"),
    Row("l2_sp"),
    Row("adversarial"),
]


class SiLUForReLU(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (functional.relu, torch.relu):
            return functional.silu(args[0])
        return func(*args, **(kwargs or {}))


class Smooth(nn.Module):
    """A network with SiLU wherever it calls ReLU."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        with SiLUForReLU():
            return self.network(x)


@dataclass
class Bench:
    """A network, a batch and the clock of its device."""

    title: str
    model: nn.Module
    inputs: Tensor
    targets: Tensor

    @classmethod
    def make(cls, name: str, device: str) -> Bench:
        torch.manual_seed(0)
        make: dict[str, tuple[str, int, int, dict[str, Any]]] = {
            "mlp": ("MLP 3072-512-100, batch 128", 100, 128, {"widths": (512,)}),
            "resnet20": ("ResNet-20, batch 64", 10, 64, {}),
            "preact_resnet18": ("PreActResNet-18, batch 128", 10, 128, {}),
        }
        title, classes, batch, options = make[name]
        model = models.build(name, num_classes=classes, **options).to(device)
        inputs = torch.randn(batch, 3, 32, 32, device=device)
        inputs = inputs.contiguous(memory_format=lay_out(model, inputs[:1]))
        return cls(title, model, inputs, torch.randint(classes, (batch,), device=device))

    def smooth(self) -> Bench:
        """The same with SiLU for ReLU."""
        return Bench(self.title, Smooth(copy.deepcopy(self.model)), self.inputs, self.targets)

    def step_of(self, method: Method, model: nn.Module | None = None) -> Callable[[], None]:
        """One optimizer step with ``method``, on a copy of the network."""
        model = copy.deepcopy(self.model) if model is None else model
        optimizer = _sgd(model)
        generator = torch.Generator(self.inputs.device).manual_seed(0)
        method.begin(model)

        def step() -> None:
            method.gradient(
                model, functional.cross_entropy, self.inputs, self.targets, generator=generator
            )
            optimizer.step()

        return step

    def time(self, step: Callable[[], None]) -> float:
        """Milliseconds of CPU or device time."""
        if self.inputs.is_cuda:
            start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            step()
            stop.record()
            torch.cuda.synchronize()
            return float(start.elapsed_time(stop))
        before = time.process_time()
        step()
        return 1000 * (time.process_time() - before)

    def ratios(
        self, steps: dict[str, Callable[[], None]], base: str, rounds: int
    ) -> dict[str, list[float]]:
        """Each step's time over that of ``base`` timed just before it, round by round."""
        for step in (*steps.values(), *steps.values()):
            step()
        found: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(rounds):
            for name, step in steps.items():
                reference = self.time(steps[base])
                found[name].append(self.time(step) / reference)
        return found


def _sgd(model: nn.Module) -> torch.optim.Optimizer:
    return build_optimizer(model, Optimizer(name="sgd", lr=1e-4, momentum=0.9, weight_decay=5e-4))


def plain_loop(bench: Bench) -> Callable[[], None]:
    """Training as it is written without this package."""
    model = copy.deepcopy(bench.model)
    optimizer = _sgd(model)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(model(bench.inputs), bench.targets).backward()
        optimizer.step()

    return step


def peer_sam(bench: Bench) -> Callable[[], None]:
    """SAM of the package pytorch_optimizer."""
    from pytorch_optimizer import SAM

    model = copy.deepcopy(bench.model)
    optimizer = SAM(
        model.parameters(), torch.optim.SGD, rho=0.05, lr=1e-4, momentum=0.9, weight_decay=5e-4
    )

    def step() -> None:
        for move in (optimizer.first_step, optimizer.second_step):
            functional.cross_entropy(model(bench.inputs), bench.targets).backward()
            move(zero_grad=True)

    return step


def difference_form(bench: Bench, rounds: int) -> tuple[str, str]:
    """(ratio, relative error of the penalty's gradient) of FA by differences, with SiLU."""
    smooth = bench.smooth()
    options: dict[str, Any] = {"lam": 1.0, "num_probes": 1}
    difference = methods.build("fa", form="difference", **options)
    steps = {"erm": smooth.step_of(methods.build("erm")), "fa": smooth.step_of(difference)}
    ratio = shown(smooth.ratios(steps, "erm", rounds)["fa"])

    def gradient(method: Method) -> Tensor:
        model = copy.deepcopy(smooth.model)
        generator = torch.Generator(smooth.inputs.device).manual_seed(1)
        method.gradient(
            model, functional.cross_entropy, smooth.inputs, smooth.targets, generator=generator
        )
        return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])

    clean, exact = gradient(methods.build("erm")), gradient(methods.build("fa", **options))
    error = (gradient(difference) - exact).norm() / (exact - clean).norm()
    return ratio, f"{float(error):.1%}"


def compiled(bench: Bench, rounds: int) -> dict[str, list[float]]:
    """ERM and SAM around a compiled network, over eager ERM."""
    eager = bench.step_of(methods.build("erm"))
    model = copy.deepcopy(bench.model)
    network = torch.compile(model)
    assert isinstance(network, nn.Module)
    steps = {"erm": eager}
    for name in ("erm", "sam"):
        steps[f"{name}, compiled"] = bench.step_of(methods.build(name), network)
    return bench.ratios(steps, "erm", rounds)


def peak_memory(bench: Bench, method: Method) -> float:
    """Bytes that a step allocates at its peak, the method's kept buffers included."""
    model = copy.deepcopy(bench.model)
    step = bench.step_of(method, model)
    step()
    for parameter in model.parameters():
        parameter.grad = None
    if bench.inputs.is_cuda:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        peak = float(torch.cuda.max_memory_allocated() - before)
    else:
        with torch.profiler.profile(profile_memory=True) as profile:
            step()
        results = profile.profiler.kineto_results
        changes = sorted(
            (event.start_ns(), event.nbytes())
            for event in results.events()
            if event.name() == "[memory]"
        )
        peak = level = 0.0
        for _, change in changes:
            level += change
            peak = max(peak, level)
    kept = sum(f.numel() * f.element_size() for f, _ in method.scratch._buffers.values())
    return peak + kept


def shown(values: list[float]) -> str:
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def verdict(values: list[float], goal: float | None) -> str:
    if goal is None:
        return ""
    return f"{goal:g} {'met' if statistics.median(values) <= goal else 'missed'}"


def measure(arguments: argparse.Namespace) -> tuple[list[dict[str, Any]], list[str]]:
    wanted = [row for row in ROWS if not arguments.methods or row.name in arguments.methods]
    if not any(row.title == "erm" for row in wanted):
        wanted.insert(0, ROWS[0])
    table: dict[str, dict[str, Any]] = {}
    for row in wanted:
        method = methods.build(row.name, **row.options)
        table[row.title] = {"method": row.title, "gradients": method.cost, "paper": row.paper}
    table["plain loop"] = {"method": "plain torch loop", "gradients": 1.0}
    table["peer"] = {"method": "SAM of pytorch_optimizer", "gradients": 2.0}
    notes = [
        f"step time over ERM's, {'device' if arguments.device == 'cuda' else 'CPU'} time, median "
        f"(quartiles) of {arguments.rounds} interleaved rounds, {arguments.threads} thread(s)",
        "gradients: forward and backward passes of the whole batch that the formula needs "
        "(fa: reverse mode three times, counted as 3 + 6 per probe)",
        "buffers: peak memory beyond ERM's, in units of the parameters' size",
    ]
    for place, name in enumerate(arguments.models):
        bench = Bench.make(name, arguments.device)
        steps = {row.title: bench.step_of(methods.build(row.name, **row.options)) for row in wanted}
        steps |= {"plain loop": plain_loop(bench), "peer": peer_sam(bench)}
        print(f"timing {bench.title}", file=sys.stderr, flush=True)
        found = bench.ratios(steps, "erm", arguments.rounds)
        goals = {row.title: row.goals[0 if name == "mlp" else 1] for row in wanted}
        for title, values in found.items():
            table[title][bench.title] = shown(values)
            table[title][f"goal, {name}"] = verdict(values, goals.get(title))
        if place == 0:
            size = sum(p.numel() * p.element_size() for p in bench.model.parameters())
            base = peak_memory(bench, methods.build("erm"))
            for row in wanted:
                extra = peak_memory(bench, methods.build(row.name, **row.options)) - base
                table[row.title]["buffers"] = f"{extra / size:.2f}"
        if not arguments.methods or "fa" in arguments.methods:
            ratio, error = difference_form(bench, arguments.rounds)
            entry = table.setdefault(
                "difference", {"method": "fa, by differences, SiLU, 1 probe", "gradients": 4.0}
            )
            entry[bench.title] = f"{ratio}; error {error}"
        if arguments.compile:
            for title, values in compiled(bench, arguments.rounds).items():
                if title != "erm":
                    entry = table.setdefault(title, {"method": f"{title} / eager erm"})
                    entry[bench.title] = shown(values)
                    if name == "resnet20" and title.startswith("sam"):
                        entry[f"goal, {name}"] = verdict(values, 1.7)
    return list(table.values()), notes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    on_gpu = torch.cuda.is_available()
    parser.add_argument("--device", default="cuda" if on_gpu else "cpu")
    parser.add_argument("--models", nargs="+", choices=["mlp", "resnet20", "preact_resnet18"])
    parser.add_argument("--methods", nargs="+", choices=methods.names())
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="add compiled networks (slow)")
    parser.add_argument("--save", action="store_true", help="keep the table in benchmarks/results")
    arguments = parser.parse_args()
    if arguments.models is None:
        gpu = ["preact_resnet18"] if arguments.device == "cuda" else []
        arguments.models = ["mlp", "resnet20", *gpu]
    torch.set_num_threads(arguments.threads)
    rows, notes = measure(arguments)
    theme = "methods" if arguments.device == "cpu" else "methods_gpu"
    publish(
        theme, "Cost of a training step", rows, "torch", "pytorch_optimizer",
        notes=notes, save=arguments.save,
    )  # fmt: skip


if __name__ == "__main__":
    main()
