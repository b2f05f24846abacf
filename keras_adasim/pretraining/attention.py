"""Where the network of a run looks."""

import numpy as np
import tensorflow as tf

from keras_adasim.backbones import PRESETS, vision_transformer_presets
from keras_adasim.backbones.hub import PREFIX
from keras_adasim.layers.preprocessing import IMAGENET_MEAN, IMAGENET_STD, preprocess
from keras_adasim.reporting import Attention
from keras_adasim.reporting.thumbnails import jpeg

NO_ATTENTION = "Only our Vision Transformers tell where they look."


def check_may_tell(backbone):
    """Raises ValueError if a network's name says that it won't tell, before it is rebuilt.

    Args:
        backbone: The run's setting.
    """
    name = str(backbone)
    transformers = vision_transformer_presets.__name__
    if name.startswith(PREFIX) or (name in PRESETS and PRESETS[name].__module__ != transformers):
        raise ValueError(NO_ATTENTION)


def make_attention(pictures, chosen, get_model):
    """The `Attention` of some images.

    Raises:
        ValueError: If there are no images, or the network doesn't tell.
    """
    if not pictures.are_there:
        raise ValueError("It takes images.")
    model = get_model()
    look = getattr(model.teacher, "last_self_attention", None)
    crops = getattr(model.augment, "crops", None)
    if look is None or crops is None:
        raise ValueError(NO_ATTENTION)
    images = pictures.read(chosen, crops.global_size)
    mean, std = (
        getattr(model.augment, "mean", IMAGENET_MEAN),
        getattr(model.augment, "std", IMAGENET_STD),
    )
    side = crops.global_size // model.teacher.patch_size
    maps = []
    for image in images.values():  # One by one: all pairs of tokens are in memory.
        normalized = preprocess(tf.constant(image[None]), crops.global_size, mean, std)
        maps.append(np.asarray(look(normalized))[0, :, 0, 1:].reshape(-1, side, side))
    names = [pictures.keys[index] for index in images]
    return Attention([jpeg(image) for image in images.values()], names, np.stack(maps))
