"""Models: the training step of self-distillation."""

from keras_adasim.models.self_distillation import SelfDistillation

__all__ = ["SelfDistillation"]
