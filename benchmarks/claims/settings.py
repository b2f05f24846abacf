"""Settings of all cells: those that were tried, and the one that was chosen."""

from benchmarks.claims.cells import Cell

COMMAND = "nice -n 10 python -m benchmarks.evidence --data_dir=cifar10"
NUM_TRAIN, NUM_TEST = 2000, 3000
BASE = {
    "images": {"train": NUM_TRAIN, "test": NUM_TEST},
    "network": {"widths": (32, 64, 128), "strides": (2, 2, 2)},
    "of": {
        "image_size": 32,
        "batch_size": 64,
        "num_local": 0,
        "global_scale": (0.2, 1.0),
        "exclude": ("blur", "solarize"),
        "optimizer": "adamw",
        "learning_rate": 4e-3,
        "final_learning_rate": 1e-5,
        "warmup_epochs": 2,
        "weight_decay": 0.01,
        "final_weight_decay": 0.01,
        "clipnorm": 3.0,
        "momentum": 0.99,
        "final_momentum": 1.0,
        "hidden_dim": 256,
        "knn_images": max(NUM_TRAIN, NUM_TEST),
        "knn_every": 5,
        "look": "no",
        "xla": "yes",
    },
    # What one objective has otherwise or alone.
    "objectives": {
        "dino": {
            "out_dim": 512,
            "bottleneck_dim": 64,
            "num_layers": 2,
            "freeze_last_layer_epochs": 1,
        },
        "simsiam": {"out_dim": 256, "num_layers": 2, "predictor_hidden_dim": 64},
        "simclr": {"temperature": 0.2},
        "moco_v3": {"num_layers": 2},
    },
}
# What candidates have otherwise. They are compared on self-distillation's `self` arms alone, with a
# seed that the experiment has not.
CANDIDATES = {
    "small crops": {},
    "large crops, norm in the head": {
        "of": {"global_scale": (0.4, 1.0)},
        "objectives": {
            "dino": {"out_dim": 256, "use_bn": True, "freeze_last_layer_epochs": 0},
        },
    },
    "batches of 32": {"of": {"batch_size": 32}},
    "quick teacher": {"of": {"momentum": 0.96}},
    "wider network": {"network": {"widths": (32, 64, 128, 256), "strides": (2, 2, 2, 1)}},
}
TRIAL_CELLS = (Cell("dino", "self", 100), Cell("byol", "self", 100))
CHOSEN = "small crops"


def merged(first, second):
    """A dict of dicts with another's entries in their places."""
    both = dict(first)
    for name, value in second.items():
        known = both.get(name)
        both[name] = merged(known, value) if isinstance(known, dict) else value
    return both


def candidate(name):
    """The settings of a candidate."""
    return merged(BASE, CANDIDATES[name])


SETTINGS = candidate(CHOSEN)
