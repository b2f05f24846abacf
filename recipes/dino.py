"""DINO, the method of AdaSim's own recipes."""

from method import Method
from settings import pick

from keras_adasim import objectives, optimizers


def objective(**settings):
    """DINO's objective."""
    return objectives.DINO(**arguments(**pick(arguments, settings)))


def arguments(
    steps_per_epoch,
    out_dim,
    hidden_dim,
    bottleneck_dim,
    head_layers,
    norm_last_layer,
    use_bn,
    student_temperature,
    teacher_temperature,
    warmup_teacher_temperature,
    warmup_teacher_temperature_epochs,
    center_momentum,
    freeze_last_layer_epochs,
):
    """Arguments of `objectives.DINO`, with epochs turned into steps."""
    if warmup_teacher_temperature_epochs:
        teacher_temperature = optimizers.EpochWarmup(
            warmup_teacher_temperature,
            teacher_temperature,
            warmup_teacher_temperature_epochs,
            steps_per_epoch,
        )
    return {
        "out_dim": out_dim,
        "hidden_dim": hidden_dim,
        "bottleneck_dim": bottleneck_dim,
        "num_layers": head_layers,
        "use_bn": use_bn,
        "norm_last_layer": norm_last_layer,
        "student_temperature": student_temperature,
        "teacher_temperature": teacher_temperature,
        "center_momentum": center_momentum,
        "freeze_last_layer_steps": freeze_last_layer_epochs * steps_per_epoch,
    }


METHOD = Method(
    "dino",
    objective,
    cifar10={
        "out_dim": 2048,
        "head_layers": 2,
        "use_bn": True,
        "teacher_temperature": 0.04,
        "freeze_last_layer_epochs": 0,
        "policy": "dino",
        "global_scale": (0.4, 1.0),
    },
)
