"""Layers: the bank, the queue, heads and what backbones are made of."""

from keras_adasim.layers.drop_path import DropPath
from keras_adasim.layers.feature_queue import FeatureQueue
from keras_adasim.layers.mlp_head import MLPHead
from keras_adasim.layers.neighbor_bank import NeighborBank
from keras_adasim.layers.projection_head import ProjectionHead

__all__ = ["DropPath", "FeatureQueue", "MLPHead", "NeighborBank", "ProjectionHead"]
