"""Settings of all cells."""

COMMAND = "nice -n 10 python -m benchmarks.evidence --data_dir=cifar10"
NUM_TRAIN, NUM_TEST = 2000, 4000
SETTINGS = {
    "images": (NUM_TRAIN, NUM_TEST),
    "network": {"widths": (32, 64, 128, 256), "strides": (2, 2, 2, 1)},
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
