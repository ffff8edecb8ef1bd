"""Workers that share a batch: two of them do what one does with the whole batch."""

import copy
import threading

import pytest
import torch

from tests.trainables.methods.oracle import Case, case, close, flat, generator
from trainables import methods
from trainables.parallel.group import Group


class Worker(Group):
    """One of several threads in lockstep."""

    def __init__(self, threads, rank: int):
        self.threads, self.rank, self.size = threads, rank, threads.count

    def mean_(self, tensors):
        self.threads.mean(self.rank, tensors)


class Workers:
    """Threads in lockstep, and the mean over them."""

    def __init__(self, count: int):
        self.count = count
        self.barrier = threading.Barrier(count)
        self.slots: list = [None] * count
        self.reductions = 0

    def mean(self, rank: int, tensors) -> None:
        self.slots[rank] = [t.detach().clone() for t in tensors]
        self.barrier.wait(30)
        means = [torch.stack(parts).mean(0) for parts in zip(*self.slots, strict=True)]
        self.reductions += rank == 0
        self.barrier.wait(30)
        for tensor, mean in zip(tensors, means, strict=True):
            tensor.copy_(mean)

    def gradient(self, c: Case, build, seeds=None):
        """The gradient that every worker has, each on its own part of the batch."""
        results, errors = [None] * self.count, []
        self.methods = [None] * self.count

        def work(rank: int) -> None:
            try:
                own = Case(
                    copy.deepcopy(c.model),
                    c.inputs.chunk(self.count)[rank],
                    c.targets.chunk(self.count)[rank],
                    c.loss_fn,
                )
                self.methods[rank] = build().compose(
                    group=Worker(self, rank),
                    local_generator=generator(seeds[rank]) if seeds else None,
                )
                results[rank] = own.gradient_of(self.methods[rank], seed=3)
            except Exception as error:
                errors.append(error)
                self.barrier.abort()

        threads = [threading.Thread(target=work, args=(r,)) for r in range(self.count)]
        [t.start() for t in threads]
        [t.join(60) for t in threads]
        if errors:
            raise errors[0]
        assert all(torch.equal(result, results[0]) for result in results)
        return results[0]


PERTURBING = ("sam", "usam", "asam", "rsam", "bsam", "amp", "rmp", "nso", "wp_sgd")
SHARED = [
    ("erm", {}), ("sam", {"rho": 0.3}), ("usam", {"rho": 0.3}), ("asam", {"rho": 0.5}),
    ("rsam", {"rho": 0.3, "sigma": 0.1}), ("bsam", {"rho": 0.3, "sigma": 0.1}),
    ("amp", {"epsilon": 0.1}), ("amp", {"inner_steps": 3}),
    ("amp", {"epsilon": 0.05, "norm": "per_tensor"}),
    ("nso", {"sigma": 0.1, "num_perturbations": 2}), ("wp_sgd", {"sigma": 0.1}), ("rmp", {}),
    ("infomcr", {"alpha": 0.05, "num_splits": 4}), ("fa", {"lam": 0.5}),
    ("fa", {"lam": 0.5, "form": "difference", "step": 1e-3}),
    ("fa", {"lam": 0.05, "estimator": "squared_form"}),
    ("nrs", {"num_devices": 2}), ("nrs", {"num_devices": 4}), ("rpr", {"num_devices": 4}),
    *((name, {"perturb": "weights"}) for name in PERTURBING),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options"), SHARED)
def test_two_workers_do_what_one_does(name, options):
    c = case("mlp")
    together = Workers(2).gradient(c, lambda: methods.build(name, **options))
    alone = c.gradient_of(methods.build(name, **options), seed=3)
    close(together, alone, 1e-7 if options.get("form") else 1e-11)


@pytest.mark.parametrize("name", ["sam", "usam", "asam", "rsam", "bsam", "amp", "fa"])
def test_local_perturbations_are_another_method(name):
    """Each worker climbs its own way and only the gradient that it ends with is averaged."""
    c, workers = case("mlp"), Workers(2)
    options = {"lam": 0.5} if name == "fa" else {}
    build = lambda: methods.build(name, perturbation="local", **options)  # noqa: E731
    together = workers.gradient(c, build)
    assert workers.reductions == 1
    parts = [
        Case(c.model, x, y).gradient_of(build(), seed=3)
        for x, y in zip(c.inputs.chunk(2), c.targets.chunk(2), strict=True)
    ]
    close(together, torch.stack(parts).mean(0), 1e-12)
    shared = c.gradient_of(build(), seed=3)
    assert (together - shared).norm() > 1e-6 * shared.norm()


def test_infomcr_never_reduces_sub_batch_gradients():
    workers = Workers(2)
    workers.gradient(case("mlp"), lambda: methods.build("infomcr"))
    assert workers.reductions == 1


@pytest.mark.parametrize("clip", [None, 0.5])
def test_a_gradient_is_averaged_once(clip):
    """Also where AMP clips that of the whole batch."""
    c, workers = case("mlp"), Workers(2)
    build = lambda: methods.build("amp", clip=clip)  # noqa: E731
    together = workers.gradient(c, build)
    assert workers.reductions == 2  # the ascent gradient, and the one it ends with
    close(together, c.gradient_of(build(), seed=3), 1e-11)


def test_the_state_of_the_published_bsam_is_the_same_on_all_workers():
    """One of them writes the checkpoint that all continue from."""
    c, workers = case("mlp"), Workers(2)
    build = lambda: methods.build("bsam", posterior="adaptive", sigma=0.1)  # noqa: E731
    together = workers.gradient(c, build)
    alone = build()
    close(together, c.gradient_of(alone, seed=3), 1e-11)
    for method in workers.methods:
        for key, tensor in alone.state_dict().items():
            close(method.state_dict()[key], tensor, 1e-11)


@pytest.mark.parametrize("name", ["mixup", "adversarial"])
def test_each_worker_has_its_own_data_noise(name):
    """Two workers with generators of their own equal two single runs with those generators."""
    c = case("mlp")
    together = Workers(2).gradient(c, lambda: methods.build(name), seeds=(11, 12))
    parts = [
        Case(c.model, x, y).gradient_of(methods.build(name), seed=seed)
        for x, y, seed in zip(c.inputs.chunk(2), c.targets.chunk(2), (11, 12), strict=True)
    ]
    close(together, torch.stack(parts).mean(0), 1e-12)
    assert flat([together]).isfinite().all()
