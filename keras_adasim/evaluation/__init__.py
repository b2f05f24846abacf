"""Protocols that judge features: pure functions, whose commands stand in `evaluation/`."""

from keras_adasim.evaluation import (
    copy_detection,
    dense,
    diverse_subset,
    doctor,
    label_free,
    neighborhoods,
    retrieval,
    small_images,
    video_segmentation,
)
from keras_adasim.evaluation.features import embed
from keras_adasim.evaluation.knn import knn_accuracy, leave_one_out_accuracy

__all__ = [
    "copy_detection",
    "dense",
    "diverse_subset",
    "doctor",
    "embed",
    "knn_accuracy",
    "label_free",
    "leave_one_out_accuracy",
    "neighborhoods",
    "retrieval",
    "small_images",
    "video_segmentation",
]
