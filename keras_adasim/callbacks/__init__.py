"""Callbacks for `SelfDistillation.fit`; most of them serve any Keras model.

They act in the order of the list, and later ones see what earlier ones add to the logs: statistics,
k-NN and probe first, then `CollapseAlarm`, `EpochLog`, `EventLog`, `Backup` and `Progress`.
"""

from keras_adasim.callbacks.backup import Backup
from keras_adasim.callbacks.bad_images import BadImages
from keras_adasim.callbacks.collapse_alarm import CollapseAlarm, CollapseError
from keras_adasim.callbacks.epoch_log import EpochLog
from keras_adasim.callbacks.event_log import EventLog
from keras_adasim.callbacks.measures import Measures
from keras_adasim.callbacks.online_knn import OnlineKNN
from keras_adasim.callbacks.online_probe import OnlineProbe
from keras_adasim.callbacks.progress import Progress
from keras_adasim.callbacks.push_neighbors import PushNeighbors

__all__ = [
    "Backup",
    "BadImages",
    "CollapseAlarm",
    "CollapseError",
    "EpochLog",
    "EventLog",
    "Measures",
    "OnlineKNN",
    "OnlineProbe",
    "Progress",
    "PushNeighbors",
]
