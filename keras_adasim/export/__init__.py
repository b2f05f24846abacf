"""Files of backbones and classifiers: SavedModels, `.keras`, KerasHub presets."""

from keras_adasim.export.export_classifier import export_classifier
from keras_adasim.export.exported_backbone import ExportedBackbone, load_backbone
from keras_adasim.export.hub_preset import export_preset
from keras_adasim.export.image_classifier import ImageClassifier
from keras_adasim.export.plain_classifier import plain_classifier
from keras_adasim.export.saved_model import export_backbone
from keras_adasim.layers.preprocessing import preprocess

__all__ = [
    "ExportedBackbone",
    "ImageClassifier",
    "export_backbone",
    "export_classifier",
    "export_preset",
    "load_backbone",
    "plain_classifier",
    "preprocess",
]
