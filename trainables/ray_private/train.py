"""The private names of Ray Train that `trainables.distributed` uses."""

from __future__ import annotations

from ray.train.torch.config import (
    _set_torch_distributed_env_vars as set_rank_variables,
)
from ray.train.torch.config import (
    _setup_torch_process_group as join_process_group,
)
from ray.train.torch.config import (
    _TorchBackend as TorchBackend,
)
from ray.train.v2._internal.callbacks import AcceleratorSetupCallback, BackendSetupCallback
from ray.train.v2._internal.constants import get_env_vars_to_propagate
from ray.train.v2._internal.execution.controller import TrainController
from ray.train.v2._internal.execution.scaling_policy import FixedScalingPolicy
from ray.train.v2._internal.execution.worker_group import WorkerGroup
from ray.train.v2._internal.execution.worker_group.placement_group_handle import (
    DefaultPlacementGroupHandle,
)

__all__ = [
    "AcceleratorSetupCallback",
    "BackendSetupCallback",
    "DefaultPlacementGroupHandle",
    "FixedScalingPolicy",
    "TorchBackend",
    "TrainController",
    "WorkerGroup",
    "get_env_vars_to_propagate",
    "join_process_group",
    "set_rank_variables",
]
