"""SavedModels of pretrained backbones, and the Keras layer that brings them back."""

from keras_adasim.export.exported_backbone import ExportedBackbone, load_backbone
from keras_adasim.export.saved_model import export_backbone
from keras_adasim.layers.preprocessing import preprocess

__all__ = ["ExportedBackbone", "export_backbone", "load_backbone", "preprocess"]
