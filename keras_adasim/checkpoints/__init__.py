"""The files that a killed run continues from: what is in them, and which of them stay."""

from keras_adasim.checkpoints.checkpoint import Checkpoint, DamagedError, told
from keras_adasim.checkpoints.checkpoint_folder import CheckpointFolder
from keras_adasim.checkpoints.shards_of_workers import ShardsOfWorkers
from keras_adasim.checkpoints.training_state import TrainingState

__all__ = [
    "Checkpoint",
    "CheckpointFolder",
    "DamagedError",
    "ShardsOfWorkers",
    "TrainingState",
    "told",
]
