"""From a configuration to what is trained: data, network, method and optimizer of one trial."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainables import batch_statistics, data, methods, models, tasks
from trainables.config import TrialConfig
from trainables.data import augment
from trainables.data.loader import BatchLoader
from trainables.data.splits import Splits, split
from trainables.execution import Execution
from trainables.memory_format import lay_out
from trainables.optim import LearningRate, build_optimizer
from trainables.own_parts import used
from trainables.parallel.group import Group
from trainables.parallel.sync_batchnorm import synchronize
from trainables.seeding import global_seed

DTYPES = {"float64": torch.float64} | dict.fromkeys(("float32", "tf32", "bfloat16"), torch.float32)
"""Of the weights; ``tf32`` and ``bfloat16`` are of the training's passes alone."""


@dataclass
class Components:
    """What a trial is made of, ready to be trained.

    Attributes:
        batches: The training batches, shuffled and augmented.
        splits: Every split, in order and without augmentation, for evaluation and measures.
        extra: What the data set knows besides its samples.
        initial: A copy of the model's state when training starts.
        local_generator: Source of the noise that differs from worker to worker; None: one worker.
        source: Name and digest of the data, and those of a person's own code, for the result's
            provenance.
        notes: How the data were read: what was skipped, or is prepared anew.
    """

    batches: BatchLoader
    splits: dict[str, BatchLoader]
    extra: dict[str, Tensor]
    model: nn.Module
    initial: dict[str, Tensor]
    method: methods.Method
    local_generator: torch.Generator | None
    loss_fn: tasks.Task
    optimizer: torch.optim.Optimizer
    learning_rate: LearningRate
    source: dict[str, str]
    notes: tuple[str, ...]


def build_components(config: TrialConfig, execution: Execution, group: Group) -> Components:
    """Load the data, initialize the network, and build method, optimizer and schedule.

    Raises:
        trainables.data.DataError: the data set is missing or damaged, or leaves a batch, or a part
            of one, of a single image where BatchNorm needs more.
    """
    device, dtype = execution.torch_device(), DTYPES[config.precision]
    dataset = data.load(config.data.source.name, execution.data_dir, **config.data.source.options)
    splits = split(dataset, config.data, config.seed)
    with global_seed(config.seed, "init", device=device):
        model = models.build(
            config.model.name,
            num_classes=dataset.num_classes,
            input_shape=dataset.input_shape,
            spec=dataset.spec,
            **config.model.options,
        ).to(device, dtype)
    example = torch.zeros(1, *dataset.input_shape, device=device, dtype=dtype)
    array = splits.train.is_array
    layout = lay_out(model, example) if array else torch.contiguous_format
    batches = BatchLoader(
        splits.train,
        config.batch_size,
        augmentations=[augment.build(a.name, **a.options) for a in config.data.augmentation],
        mean=splits.mean,
        std=splits.std,
        seed=config.seed,
        device=device,
        drop_last=config.drop_last,
        dtype=dtype,
        resize=dataset.resize,
        hold=not execution.shared_device,
        memory_format=layout,
    )
    if not array:
        example, _ = next(batches.head(1, 1).epoch(0))
    method = methods.build(
        config.method.name,
        regularizers=[(r.name, r.options) for r in config.regularizers],
        batchnorm=config.batchnorm,
        batchnorm_parts=config.batchnorm_parts,
        **config.method.options,
    )
    local_generator = None
    if group.size > 1:
        local_generator = _join(group, method, device)
        if config.workers.batchnorm == "sync":
            model = synchronize(model, group)
    batch_statistics.check(model, method, config, example, len(splits.train), group.size)
    initial = {name: value.clone() for name, value in model.state_dict().items()}
    method.begin(model)
    optimizer = build_optimizer(model, config.optimizer)
    learning_rate = LearningRate(
        optimizer, config.schedule, config.optimizer.lr, len(batches), config.epochs
    )
    return Components(
        batches=batches,
        extra=dataset.extra,
        splits=_in_order(
            config, splits, device, dataset.resize, not execution.shared_device, layout
        ),
        model=model,
        initial=initial,
        method=method,
        local_generator=local_generator,
        loss_fn=tasks.get(config.loss),
        optimizer=optimizer,
        learning_rate=learning_rate,
        source={
            "data": dataset.source or dataset.name,
            "data_digest": dataset.digest,
            **used.origin(config, execution.measures),
        },
        notes=dataset.notes,
    )


def _join(group: Group, method: methods.Method, device: torch.device) -> torch.Generator:
    """Tell ``method`` of the workers; returns the source of the noise that is this worker's own.

    See `trainables.parallel.group` and `methods.objective.Composition`.
    """
    own = torch.Generator(device=device)
    method.compose(group=group, local_generator=own)
    return own


def _in_order(
    config: TrialConfig,
    splits: Splits,
    device: torch.device,
    resize: int | None,
    hold: bool,
    layout: torch.memory_format,
) -> dict[str, BatchLoader]:
    parts = {"train": splits.clean, "validation": splits.validation, "test": splits.test}
    return {
        name: BatchLoader(
            images,
            config.batch_size if name == "train" else tasks.get(config.loss).evaluation_batch,
            mean=splits.mean,
            std=splits.std,
            device=device,
            dtype=DTYPES[config.precision],
            shuffle=False,
            resize=resize,
            hold=hold,
            memory_format=layout,
        )
        for name, images in parts.items()
        if images is not None
    }
