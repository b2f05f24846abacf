"""Optimizers with the semantics of PyTorch, schedules, and the teacher's momentum."""

from keras_adasim.optimizers.adamw import AdamW
from keras_adasim.optimizers.as_schedule import as_schedule
from keras_adasim.optimizers.constant import Constant
from keras_adasim.optimizers.epoch_warmup import EpochWarmup
from keras_adasim.optimizers.lars import LARS
from keras_adasim.optimizers.momentum import exponential_moving_average
from keras_adasim.optimizers.optimizer import Optimizer
from keras_adasim.optimizers.scaling import scale_learning_rate
from keras_adasim.optimizers.schedule import Schedule
from keras_adasim.optimizers.sgd import SGD
from keras_adasim.optimizers.warmup_cosine import WarmupCosine

__all__ = [
    "LARS",
    "SGD",
    "AdamW",
    "Constant",
    "EpochWarmup",
    "Optimizer",
    "Schedule",
    "WarmupCosine",
    "as_schedule",
    "exponential_moving_average",
    "scale_learning_rate",
]
