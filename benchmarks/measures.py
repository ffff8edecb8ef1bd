"""What curvature and Fisher measures cost, in gradients: ``python -m benchmarks.measures``.

A gradient is a forward and a backward pass on the same batch by plain torch, BatchNorm in
evaluation mode as for every measure. In every round each work is timed right after a gradient, in
one process on one thread, and the ratio of the two is kept: CPU time of the process on a CPU, wall
time between synchronisations on a GPU. Printed is the median ratio (and the quartiles).

- One Hessian-vector product: ours on its kept graph, the same graph without the replaced
  convolution and batch norm, and curvlinops. All three are compared first.
- lambda_max after 20 steps of SGD: products until the error stays below 1e-3 (against a run to
  1e-10 in float64), by Lanczos and by power iteration, and the products after which our own
  stopping rule is content with 1e-3.
- The Gram matrix behind gamma-hat at N' = 100: ours, and per-sample gradients by vmap, whose
  (samples x parameters) matrix ours never makes.

Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

MALLOC = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
"""Without these glibc returns large blocks to the system, and the step after a large one
pays for their page faults: ratios are then wrong by 2."""

if __name__ == "__main__" and sys.platform == "linux" and not MALLOC.keys() <= os.environ.keys():
    os.execve(sys.executable, [sys.executable, "-m", "benchmarks.measures", *sys.argv[1:]],
              {**os.environ, **MALLOC})  # fmt: skip

import curvlinops  # noqa: E402
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.func import functional_call, grad, vmap  # noqa: E402

from benchmarks.report import publish  # noqa: E402
from trainables import models  # noqa: E402
from trainables.measures.curvature.operator import HessianOperator  # noqa: E402
from trainables.measures.curvature.spectrum import extreme_eigenvalues  # noqa: E402
from trainables.measures.fisher.log_det import fisher_gram  # noqa: E402
from trainables.measures.parameters import vector_to_tensors  # noqa: E402

Work = Callable[[], Any]
NETWORKS = {
    "mlp": ("MLP 3072-512-10", 128, {"widths": (512,)}),
    "resnet20": ("ResNet-20", 64, {}),
}
SUBSET = 100
PRECISION = 1e-3


def network(name: str, samples: int, device: str) -> tuple[nn.Module, Tensor, Tensor]:
    """The network after 20 steps of SGD on its batch, in evaluation mode, and the batch."""
    torch.manual_seed(0)
    model = models.build(name, num_classes=10, **NETWORKS[name][2]).to(device)
    inputs = torch.randn(samples, 3, 32, 32, device=device)
    targets = torch.randint(10, (samples,), device=device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(20):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), targets).backward()
        optimizer.step()
    optimizer.zero_grad()
    return model.eval(), inputs, targets


def ratios(works: dict[str, Work], unit: Work, rounds: int, device: str) -> dict[str, list[float]]:
    """Time of each work over that of ``unit`` right before it, ``rounds`` times."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for work in (unit, *works.values()):
        work()
    for _ in range(rounds):
        for name, work in works.items():
            base = seconds(unit, device)
            found[name].append(seconds(work, device) / base)
    return found


def seconds(work: Work, device: str) -> float:
    if device == "cpu":
        start = time.process_time()
        work()
        return time.process_time() - start
    torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def gradient(model: nn.Module, inputs: Tensor, targets: Tensor) -> Work:
    parameters = list(model.parameters())
    loss = nn.functional.cross_entropy
    return lambda: torch.autograd.grad(loss(model(inputs), targets), parameters)


def products(name: str, rounds: int, device: str) -> dict[str, list[float]]:
    """Ratios of one Hessian-vector product, each way."""
    model, inputs, targets = network(name, NETWORKS[name][1], device)
    loss, parameters = nn.CrossEntropyLoss(), list(model.parameters())
    operator = HessianOperator(model, loss, [(inputs, targets)])
    v = torch.randn(operator.size, device=device)
    parts = vector_to_tensors(v, parameters)
    graph = torch.autograd.grad(loss(model(inputs), targets), parameters, create_graph=True)
    theirs = curvlinops.HessianLinearOperator(
        model, loss, parameters, [(inputs, targets)], check_deterministic=False
    )
    works: dict[str, Work] = {
        "Hessian-vector product, ours": lambda: operator @ v,
        "the same, torch's own double backward": lambda: torch.autograd.grad(
            graph, parameters, parts, retain_graph=True
        ),
        "the same, curvlinops": lambda: theirs @ v,
        "building our graph, once": lambda: HessianOperator(
            model, loss, [(inputs, targets)]
        ).gradient(),
    }
    results = [works[key]() for key in list(works)[:3]]
    flat = [torch.cat([p.reshape(-1) for p in r]) if isinstance(r, tuple) else r for r in results]
    for other in flat[1:]:
        assert float((flat[0] - other).norm() / other.norm()) < 1e-4
    found = ratios(works, gradient(model, inputs, targets), rounds, device)
    ours, curv = (found[key] for key in list(works)[0::2][:2])
    found["curvlinops / ours"] = [b / a for a, b in zip(ours, curv, strict=True)]
    return found


def lambda_max(name: str, device: str) -> dict[str, int]:
    """Products until the largest eigenvalue is within 1e-3, each way."""
    model, inputs, targets = network(name, NETWORKS[name][1], device)
    loss = nn.functional.cross_entropy
    operator = HessianOperator(model, loss, [(inputs, targets)])
    start = torch.randn(operator.size, device=device)
    made: list[Tensor] = []

    def lanczos(count: int, tolerance: float) -> float:
        """Every run takes the same vectors, so that products made before are used again."""
        calls = itertools.count()

        def product(v: Tensor) -> Tensor:
            if (index := next(calls)) == len(made):
                made.append(operator @ v)
            return made[index]

        found = extreme_eigenvalues(product, start, tolerance=tolerance, max_products=count)
        return found.largest[0]

    truth = lanczos(60, 1e-7)
    enough = next(n for n in range(1, 60) if abs(lanczos(n, 1e-30) / truth - 1) <= PRECISION)
    rule = extreme_eigenvalues(operator.__matmul__, start, tolerance=PRECISION)
    assert abs(rule.largest[0] - truth) / truth <= PRECISION
    v, power = start / start.norm(), 0
    for count in range(1, 201):
        hv = operator @ v
        if abs(float(v @ hv) - truth) / truth <= PRECISION:
            power = count
            break
        v = hv / hv.norm()
    return {
        "lambda_max to 1e-3, products, Lanczos": enough,
        "lambda_max to 1e-3, products, our stopping rule": rule.products,
        "lambda_max to 1e-3, products, power iteration": power,
    }


def gram(name: str, rounds: int, device: str) -> dict[str, list[float]]:
    """Ratios of one Gram matrix of N' = 100 samples to the gradient of their mean loss."""
    model, inputs, targets = network(name, SUBSET, device)
    values = {key: p.detach() for key, p in model.named_parameters()}

    def sample_loss(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return nn.functional.cross_entropy(functional_call(model, parameters, (x[None],)), y[None])

    def by_rows() -> Tensor:
        rows = vmap(grad(sample_loss), (None, 0, 0))(values, inputs, targets)
        flat = torch.cat([row.flatten(1) for row in rows.values()], dim=1)
        return flat @ flat.T

    def ours() -> Tensor:
        g, log_r = fisher_gram(model, inputs, targets)
        return torch.linalg.slogdet(g)[1] + 2 * log_r.sum()

    g, log_r = fisher_gram(model, inputs, targets)
    ours_xi = log_r.exp()[:, None] * g * log_r.exp()
    rows_xi = by_rows().double()
    assert float((ours_xi - rows_xi).norm() / rows_xi.norm()) < 1e-4
    works: dict[str, Work] = {
        f"gamma-hat of a subset, N' = {SUBSET}, ours": ours,
        "the same, per-sample gradients by vmap": by_rows,
    }
    unit = gradient(model, inputs, targets)
    found = ratios({next(iter(works)): ours}, unit, rounds, device)
    return found | ratios({list(works)[1]: by_rows}, unit, max(3, rounds // 5), device)


GOALS: dict[str, tuple[float | None, float | None]] = {
    "Hessian-vector product, ours": (1.2, 2.1),
    "curvlinops / ours": (2.0, 2.0),
    "lambda_max to 1e-3, products, Lanczos": (20, 20),
    "lambda_max to 1e-3, products, our stopping rule": (20, 20),
    f"gamma-hat of a subset, N' = {SUBSET}, ours": (2.0, 2.5),
}


def shown(value: list[float] | int) -> str:
    if isinstance(value, int):
        return str(value) if value else "over 200"
    low, middle, high = statistics.quantiles(value, n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def verdict(name: str, value: list[float] | int, place: int) -> str:
    goal = GOALS.get(name, (None, None))[place]
    if goal is None:
        return ""
    middle = value if isinstance(value, int) else statistics.median(value)
    met = middle >= goal if "/" in name else middle <= goal
    return f"{'at least ' if '/' in name else ''}{goal:g} {'met' if met else 'missed'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--save", action="store_true", help="keep the table in benchmarks/results")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.backends.cudnn.conv.fp32_precision = "ieee"  # as measures are taken, on a GPU too
    table: dict[str, dict[str, Any]] = {}
    for place, name in enumerate(NETWORKS):
        title = f"{NETWORKS[name][0]}, batch {NETWORKS[name][1]}"
        print(f"timing {title}", file=sys.stderr, flush=True)
        found: dict[str, list[float] | int] = {
            **products(name, arguments.rounds, arguments.device),
            **lambda_max(name, arguments.device),
            **gram(name, arguments.rounds, arguments.device),
        }
        for quantity, value in found.items():
            row = table.setdefault(quantity, {"quantity": quantity})
            row[title] = shown(value)
            row[f"goal, {name}"] = verdict(quantity, value, place)
    notes = [
        f"in gradients of the same batch unless it says otherwise; {arguments.device} time, median "
        f"(quartiles) of {arguments.rounds} interleaved rounds, {arguments.threads} thread(s)",
        "networks after 20 steps of SGD on the batch, evaluation mode, float32; inputs are random",
    ]
    theme = "measures" if arguments.device == "cpu" else "measures_gpu"
    publish(
        theme, "Cost of curvature and Fisher measures", list(table.values()),
        "torch", "curvlinops-for-pytorch", notes=notes, save=arguments.save,
    )  # fmt: skip


if __name__ == "__main__":
    main()
