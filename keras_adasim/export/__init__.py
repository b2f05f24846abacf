"""Files of backbones and classifiers: SavedModels, Keras, ONNX, KerasHub presets, PyTorch."""

from keras_adasim.export.deviation import DeviationError
from keras_adasim.export.export_classifier import export_classifier
from keras_adasim.export.exported_backbone import ExportedBackbone, load_backbone
from keras_adasim.export.hub_preset import export_preset
from keras_adasim.export.image_backbone import ImageBackbone
from keras_adasim.export.image_classifier import ImageClassifier
from keras_adasim.export.keras_file import export_keras
from keras_adasim.export.onnx_file import export_onnx, require_onnx
from keras_adasim.export.plain_classifier import plain_classifier
from keras_adasim.export.saved_model import export_backbone
from keras_adasim.export.torch_file import export_torch
from keras_adasim.layers.preprocessing import preprocess

__all__ = [
    "DeviationError",
    "ExportedBackbone",
    "ImageBackbone",
    "ImageClassifier",
    "export_backbone",
    "export_classifier",
    "export_keras",
    "export_onnx",
    "export_preset",
    "export_torch",
    "load_backbone",
    "plain_classifier",
    "preprocess",
    "require_onnx",
]
