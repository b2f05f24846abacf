"""Protocols that judge features: pure functions, whose commands stand in `evaluation/`."""

from keras_adasim.evaluation import (
    accuracy,
    bootstrapping,
    copy_detection,
    dense,
    diverse_subset,
    doctor,
    feature_cache,
    few_labels,
    finetune,
    finetune_settings,
    gallery,
    label_free,
    layer_decay,
    linear,
    mixing,
    neighborhoods,
    retrieval,
    shards,
    small_images,
    splits,
    video_segmentation,
)
from keras_adasim.evaluation.augmented import augmented_batches
from keras_adasim.evaluation.by_size import embed_by_size
from keras_adasim.evaluation.feature_cache import FeatureCache
from keras_adasim.evaluation.features import embed
from keras_adasim.evaluation.knn import (
    knn_accuracies,
    knn_accuracy,
    leave_one_out_accuracies,
    leave_one_out_accuracy,
)
from keras_adasim.evaluation.linear import LinearProbe
from keras_adasim.evaluation.standard_error import error_of_mean, standard_error
from keras_adasim.evaluation.transfer import transfer_table

__all__ = [
    "FeatureCache",
    "LinearProbe",
    "accuracy",
    "augmented_batches",
    "bootstrapping",
    "copy_detection",
    "dense",
    "diverse_subset",
    "doctor",
    "embed",
    "embed_by_size",
    "error_of_mean",
    "feature_cache",
    "few_labels",
    "finetune",
    "finetune_settings",
    "gallery",
    "knn_accuracies",
    "knn_accuracy",
    "label_free",
    "layer_decay",
    "leave_one_out_accuracies",
    "leave_one_out_accuracy",
    "linear",
    "mixing",
    "neighborhoods",
    "retrieval",
    "shards",
    "small_images",
    "splits",
    "standard_error",
    "transfer_table",
    "video_segmentation",
]
