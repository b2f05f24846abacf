"""Which image the second view comes from. Plain NumPy: imports neither TensorFlow nor Keras."""

from keras_adasim.pairing.adaptive_window import AdaptiveWindow
from keras_adasim.pairing.label_oracle import LabelOracle
from keras_adasim.pairing.nearest_neighbor import NearestNeighbor
from keras_adasim.pairing.pairing import Pairing
from keras_adasim.pairing.registry import deserialize, get, register, serialize
from keras_adasim.pairing.self_pairing import SelfPairing

__all__ = [
    "AdaptiveWindow",
    "LabelOracle",
    "NearestNeighbor",
    "Pairing",
    "SelfPairing",
    "deserialize",
    "get",
    "register",
    "serialize",
]
