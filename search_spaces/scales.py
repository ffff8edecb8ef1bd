"""paper | small | laptop | smoke: what each preset changes, and at which scale it runs.

`search_spaces.presets` applies them, by the rules that stand at `Preset`. Only numbers of preset
``paper`` may be compared with printed ones.
"""

from __future__ import annotations

from search_spaces.preset import KEEP, OTHERWISE, Preset, Substitution

AS_PRINTED = Preset("paper", "as printed", comparable=True)
AS_WRITTEN = Preset("full", "as written", comparable=True)
"""Of a person's own experiment; the presets of papers are not for it."""

SAME_IN_ANY_PART: dict[str, Substitution] = {
    "data.source.confusion": KEEP,
    "model.dropout": KEEP,
    "model.conv_dropout": KEEP,
    "model.attention_dropout": KEEP,
}
"""Options that a part's stand-in is given too: they mean the same in both."""

COMPUTED = {"spirals": KEEP, "matrix_sensing": KEEP}
"""Data sets that are made up and small already."""

ON_CIFAR10: dict[str, Substitution] = {
    "data.source": {**COMPUTED, OTHERWISE: "cifar10"},
    "method.std": {OTHERWISE: (0.247, 0.243, 0.262)},  # of CIFAR-10's pixels
}

RESNET20 = {"name": "resnet20"}
RESNET10 = {"name": "resnet18", "width": 8, "blocks": 1}
"""One block at each width, 8 to 64: 78,002 parameters, 4.2 million products an image."""

LAPTOP_IMAGES = 10000

SMALL = Preset(
    "small",
    "CIFAR-10, networks of less than a million parameters, thinned grids",
    fields={"epochs": 6, "batch_size": 256},
    substitute={
        **SAME_IN_ANY_PART,
        **ON_CIFAR10,
        "data.validation": {0: KEEP, OTHERWISE: 5000},
        "model": {
            "mlp": KEEP,
            "factorization": KEEP,
            "cnn": {"name": "cnn", "stages": ((32, 32), (64, 64), (128,))},
            "vgg16": {
                "name": "vgg16",
                "stages": ((16, 16), (32, 32), (64,) * 3, (64,) * 3, (64,) * 3),
                "hidden": (128,),
            },
            "resnet18": {"name": "resnet18", "width": 10},
            "preact_resnet18": {"name": "preact_resnet18", "width": 10},
            "wrn_28_2": {"name": "wrn_28_2", "depth": 16, "width": 12},
            "wrn_28_10": {"name": "wrn_28_2", "depth": 10},
            "wrn_18_1_5": {"name": "wrn_18_1_5", "width": 12, "stem_width": 16},
            "pyramidnet_164": {"name": "pyramidnet_164", "depth": 11, "alpha": 48},
            "densenet_bc_k12": {"name": "densenet_bc_k12", "depth": 40},
            "vit_b": {"name": "vit_b", "depth": 2, "heads": 4, "width": 128, "mlp_width": 256},
            OTHERWISE: RESNET20,
        },
    },
    axes={
        OTHERWISE: 2,
        "optimizer.weight_decay": 1,
        "optimizer.momentum": 1,
        "batch_size": 1,
        "method.alpha": 1,
        "method.sigma": 2,
    },
    seeds=3,
    train_samples=5000,
    measures={
        OTHERWISE: {"samples": 1000},
        "fisher_spectrum": {"num_trials": 20},
        "nso_code_trace": {"num_batches": 16},
        "nso_code_lambda1": {"num_batches": 16},
    },
)

LAPTOP = Preset(
    "laptop",
    "CIFAR-10, 10,000 training images, 20 epochs, networks of a few million products an image,"
    " thinned grids: two CPU cores and a night",
    fields={"epochs": 20, "batch_size": 64, "data.subset": LAPTOP_IMAGES},
    substitute={
        **SAME_IN_ANY_PART,
        **ON_CIFAR10,
        "data.subset": {3000: KEEP, OTHERWISE: LAPTOP_IMAGES},
        "data.validation": {0: KEEP, OTHERWISE: 1000},
        "model": {
            "mlp": KEEP,
            "factorization": KEEP,
            "cnn": {"name": "cnn", "stages": ((8, 8), (16, 16), (32,))},
            "vgg16": {
                "name": "vgg16",
                "stages": ((8, 8), (16, 16), (32,) * 3, (64,) * 3, (64,) * 3),
                "hidden": (64,),
            },
            "preact_resnet18": {"name": "preact_resnet18", "width": 8, "blocks": 1},
            "wrn_28_2": {"name": "wrn_28_2", "depth": 10, "width": 8},
            "wrn_28_10": {"name": "wrn_28_2", "depth": 10, "width": 8},
            "wrn_18_1_5": {"name": "wrn_18_1_5", "width": 12, "stem_width": 16},
            "pyramidnet_164": {"name": "pyramidnet_164", "depth": 11, "alpha": 24, "width": 8},
            "densenet_bc_k12": {"name": "densenet_bc_k12", "depth": 16, "growth": 8},
            "vit_b": {"name": "vit_b", "depth": 2, "heads": 2, "width": 64, "mlp_width": 128},
            OTHERWISE: RESNET10,
        },
    },
    axes={
        OTHERWISE: 3,
        "optimizer.weight_decay": 1,
        "optimizer.momentum": 1,
        "method.alpha": 1,
    },
    seeds=3,
    train_samples=5000,
    measures={
        OTHERWISE: {"samples": 1000},
        "nso_code_trace": {"num_batches": 16},
        "nso_code_lambda1": {"num_batches": 16},
    },
)

SMOKE = Preset(
    "smoke",
    "handwritten digits, tiny networks, a few epochs: about a minute a table on two cores",
    fields={"epochs": 4, "batch_size": 64, "data.augmentation": (), "data.subset": 800},
    substitute={
        **SAME_IN_ANY_PART,
        "data.source": {**COMPUTED, OTHERWISE: "digits"},
        "data.source.confusion": {0: KEEP, 1000: 60, 2000: 120, 3000: 180, 4000: 240, 5000: 300},
        "data.subset": {10000: 600, OTHERWISE: 800},
        "data.validation": {0: KEEP, OTHERWISE: 0.1},
        "method.std": {OTHERWISE: (0.376,)},  # of the digits' pixels
        "model": {
            "mlp": "mlp_tiny",
            "factorization": KEEP,
            "cnn": "cnn_tiny",
            "vgg16": "vgg_tiny",
            "resnet18": "resnet18_tiny",
            "preact_resnet18": "preact_tiny",
            "wrn_28_2": "wrn_tiny",
            "wrn_28_10": "wrn_tiny",
            "wrn_18_1_5": "wrn_18_1_5_tiny",
            "pyramidnet_164": "pyramidnet_tiny",
            "densenet_bc_k12": "densenet_tiny",
            "vit_b": "vit_tiny",
            OTHERWISE: "resnet_tiny",
        },
    },
    axes={
        OTHERWISE: 2,
        "optimizer.weight_decay": 1,
        "optimizer.momentum": 1,
        "batch_size": 1,
        "epochs": 1,
        "method.alpha": 1,
        "method.sigma": 1,
    },
    seeds=2,
    measures={
        OTHERWISE: {"samples": 128},
        "fisher_log_det": {"num_trials": 2, "num_samples": 20},
        "fisher_spectrum": {"num_trials": 2, "num_samples": 20},
        "nso_code_trace": {"num_batches": 2, "num_samples": 5},
        "nso_code_lambda1": {"num_batches": 2, "max_products": 5},
        "landscape_1d": {"points": 7},
    },
)

PRESETS: dict[str, Preset] = {preset.name: preset for preset in (AS_PRINTED, SMALL, LAPTOP, SMOKE)}

__all__ = [
    "AS_PRINTED",
    "AS_WRITTEN",
    "LAPTOP",
    "PRESETS",
    "SMALL",
    "SMOKE",
]
