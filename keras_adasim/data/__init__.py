"""Input: sources of images with random access, and pairs of them in a fresh order every epoch."""

from keras_adasim.data.array_folder import ArrayFolder
from keras_adasim.data.array_source import ArraySource
from keras_adasim.data.image_folder import ImageFolder
from keras_adasim.data.inventory import Inventory
from keras_adasim.data.joined_source import JoinedSource
from keras_adasim.data.load_in_memory import DifferentSizesError, load_in_memory
from keras_adasim.data.looking import Looks, look_at
from keras_adasim.data.open_folder import open_folder
from keras_adasim.data.open_splits import open_splits
from keras_adasim.data.pair_dataset import PairDataset
from keras_adasim.data.source import Source
from keras_adasim.data.subset import Subset
from keras_adasim.data.tar_source import TarSource
from keras_adasim.data.tfds_source import TfdsSource
from keras_adasim.data.tfds_splits import tfds_splits
from keras_adasim.data.watched_source import WatchedSource
from keras_adasim.keys import Keys

__all__ = [
    "ArrayFolder",
    "ArraySource",
    "DifferentSizesError",
    "ImageFolder",
    "Inventory",
    "JoinedSource",
    "Keys",
    "Looks",
    "PairDataset",
    "Source",
    "Subset",
    "TarSource",
    "TfdsSource",
    "WatchedSource",
    "load_in_memory",
    "look_at",
    "open_folder",
    "open_splits",
    "tfds_splits",
]
