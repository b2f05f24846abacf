"""Position embeddings of KerasHub's DINOv2, which it keeps twice.

Its layer uses embeddings of the grid of its own images, and stores others, of the grid it was
pretrained on, from which a file's reader interpolates the former again. So what training made of
the embeddings in use was lost: a file kept, by the sign of the difference's sum, nothing of it, or
what survives an interpolation there and back. Where both grids are the same nothing is
interpolated, and a copy before each save keeps all of it.
"""

import keras
from absl import logging

from keras_adasim.backbones.sublayers import sublayers


def with_own_positions(model):
    """Rebuilds a KerasHub DINOv2 so that its stored position embeddings are those it uses.

    Args:
        model: Any `keras.Model`.

    Returns:
        The model itself where there is nothing to do, else a copy of it, weights included, whose
        `position_embedding_shape` is its `image_shape`.
    """
    shape = getattr(model, "position_embedding_shape", None)
    if shape is None or tuple(shape[:2]) == tuple(model.image_shape[:2]):
        return model
    logging.info(
        "%s interpolates position embeddings for %s to images of %s pixels. It is rebuilt with "
        "embeddings of its own, a copy that shares no weights, so that files keep what is trained.",
        model.name,
        tuple(shape[:2]),
        tuple(model.image_shape[:2]),
    )
    twin = type(model).from_config(
        {**model.get_config(), "position_embedding_shape": model.image_shape}
    )
    used = {id(layer.position_embeddings): layer for layer in _interpolating(model)}
    twin.set_weights(
        [
            keras.ops.convert_to_numpy(
                used[id(weight)].interpolated_position_embeddings if id(weight) in used else weight
            )
            for weight in model.weights
        ]
    )
    for layer, copy in zip(sublayers(model), sublayers(twin), strict=True):
        copy.trainable = layer.trainable
    return twin


def keep_positions(model):
    """Stores the position embeddings in use, before a file is written."""
    for layer in _interpolating(model):
        used, stored = layer.interpolated_position_embeddings, layer.position_embeddings
        if used.shape == stored.shape:
            stored.assign(used)


def _interpolating(model):
    return [
        layer for layer in sublayers(model) if hasattr(layer, "interpolated_position_embeddings")
    ]
