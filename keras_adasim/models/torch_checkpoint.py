"""Public pretraining continued: both networks of a PyTorch checkpoint, with their heads."""

import os

from keras_adasim.backbones.torch_checkpoint import read_checkpoint
from keras_adasim.backbones.torch_weights import torch_assignments

NETWORKS = ("student", "teacher")


def load_checkpoint(model, weights):
    """Loads student and teacher of a training checkpoint, backbones and heads.

    Args:
        model: A `SelfDistillation`.
        weights: Mapping of "student" and "teacher" to mappings of PyTorch names to arrays, or a
            path to a .pth file with them, as the official AdaSim, DINO and EsViT code saves it.

    Raises:
        ValueError: If there are no such networks, or a name or shape doesn't fit. Nothing is
            loaded then.
    """
    if isinstance(weights, str | os.PathLike):
        weights = read_checkpoint(weights)
    if not holds_both(weights):
        raise ValueError(
            "Expected `weights` to hold the networks 'student' and 'teacher'. Received: "
            f"{', '.join(map(str, list(weights)[:5])) or 'nothing'}. A backbone alone is loaded by "
            "`backbones.load_torch_weights(backbone, weights)`, before the model is built of it."
        )
    assignments = []
    for name, modules in zip(NETWORKS, _modules(model), strict=True):
        for module in modules:
            assignments += torch_assignments(module, weights, key=name)
    for variable, value in assignments:
        variable.assign(value)


def holds_both(weights):
    """Whether a checkpoint holds a student and a teacher."""
    return all(hasattr(weights.get(name), "items") for name in NETWORKS)


def _modules(model):
    """The student's backbone and the heads that PyTorch has names for, and the teacher's."""
    heads = [pair for pair in model.objective.heads if hasattr(pair[0], "torch_names")]
    teacher = [] if model.teacher is model.student else [model.teacher]
    return (
        [model.student, *(student for student, _ in heads)],
        [*teacher, *(head for _, head in heads if head is not None)],
    )
