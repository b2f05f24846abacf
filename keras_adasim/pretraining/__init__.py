"""The application: from images to a pretrained backbone, with every setting chosen or given."""

from keras_adasim.pretraining.pretrain import pretrain

__all__ = ["pretrain"]
