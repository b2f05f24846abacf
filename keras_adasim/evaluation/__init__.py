"""Protocols that judge features: pure functions, whose commands stand in `evaluation/`."""

from keras_adasim.evaluation import bootstrapping, gallery, label_free, neighborhoods
from keras_adasim.evaluation.features import embed
from keras_adasim.evaluation.knn import knn_accuracy, leave_one_out_accuracy

__all__ = [
    "bootstrapping",
    "embed",
    "gallery",
    "knn_accuracy",
    "label_free",
    "leave_one_out_accuracy",
    "neighborhoods",
]
