"""Writes a backbone as a SavedModel that needs neither Keras nor this package to be read."""

import contextlib

import keras
import tensorflow as tf

from keras_adasim.backbones.clone import trainable_clone
from keras_adasim.backbones.stored_backbone import METADATA_NAME, store_backbone
from keras_adasim.backbones.sublayers import sublayers
from keras_adasim.export.folder import check_path, written_whole
from keras_adasim.export.metadata import Metadata
from keras_adasim.finite import check_finite
from keras_adasim.layers.preprocessing import IMAGENET_MEAN, IMAGENET_STD, preprocess
from keras_adasim.validation import check_integer, check_per_channel, check_switch

# The first is the type of the signature `serving_default`; NumPy's divisions give the last.
IMAGE_TYPES = (tf.uint8, tf.float32, tf.float64)


def export_backbone(
    model,
    path,
    image_size,
    mean=None,
    std=None,
    last_blocks=None,
    overwrite=False,
    value_range=None,
):
    """Writes a backbone as a SavedModel, with its preprocessing inside.

    The SavedModel has these endpoints, each from images (B, H, W, C), uint8 from 0 to 255, or
    float32 or float64 from 0 to 1, any B, H and W:

    - `serve`, also the signature `serving_default` (uint8): inference, gives float32
      `{"features": (B, D), "tokens": (B, P, D)}`, or no tokens if the backbone has none;
    - `train`: the same with dropout, drop path and the batch's statistics on, for fine-tuning;
    - `intermediate`, if the backbone is a Vision Transformer: `{"class_tokens": (B, n, D)}` of
      its last n blocks.

    Images are resized to `image_size` (bilinear, antialiased, without keeping the ratio of the
    sides) and normalized. In plain TensorFlow:

    ```python
    backbone = tf.saved_model.load(path)
    features = backbone.serve(images)["features"]
    variables = backbone.trainable_variables  # fine-tune through backbone.train(images)
    ```

    All weights of the backbone are exported as trainable, also those that are frozen now, and it
    computes in the precision of its dtype policy. The folder is complete or not there: it is
    written under another name first. It also holds the backbone itself, which
    `backbones.get(path)` rebuilds to train on, unless Keras doesn't know its classes.

    Args:
        model: `SelfDistillation`, whose teacher is exported, or a backbone: a built
            `keras.Model` from normalized images to `{"features", "tokens"}`.
        path: Folder to write.
        image_size: Side, in pixels, of the images that the backbone gets to see.
        mean: C means of the channels; those of `model.augment` by default, else the backbone's,
            else ImageNet's.
        std: C standard deviations, likewise.
        last_blocks: Number n of the endpoint `intermediate`; 4 by default, or all of fewer blocks.
        overwrite: Whether an export that stands at `path` is replaced.
        value_range: `(low, high)`, or C low values and C high ones, that became 0 and 255 in
            training images of more than 8 bits. The endpoints then take uint16 too, and floats are
            values as the files have them instead of from 0 to 1.

    Raises:
        FileExistsError: If `path` is taken and `overwrite` isn't set, or it holds no export.
        ValueError: If another argument doesn't fit.
        NotFiniteError: If a weight is NaN or infinite.
    """
    check_switch("overwrite", overwrite)
    path = check_path(path, overwrite, marks=("saved_model.pb", METADATA_NAME))
    backbone = getattr(model, "teacher", model)
    _check_backbone(backbone)
    last_blocks = min(4, getattr(backbone, "depth", 4)) if last_blocks is None else last_blocks
    check_finite(backbone.weights, "the backbone to export")
    image_size = check_integer("image_size", image_size)
    last_blocks = check_integer("last_blocks", last_blocks)
    mean, std = _normalization(model, backbone, mean, std)
    backbone = trainable_clone(backbone, twin=getattr(model, "student", backbone))
    endpoints = _endpoints(backbone, image_size, mean, std, last_blocks, value_range)
    archive = keras.export.ExportArchive()
    archive.track(backbone)
    with written_whole(path) as folder:
        with _not_synchronized(backbone):
            outputs = _trace(endpoints, len(mean), value_range)
            for name, endpoint in endpoints.items():
                archive.add_endpoint(name, endpoint)
            archive.write_out(str(folder), verbose=False)
        metadata = Metadata(
            image_size=image_size,
            channels=len(mean),
            feature_dim=outputs["serve"]["features"].shape[-1],
            mean=mean,
            std=std,
            last_blocks=last_blocks if "intermediate" in endpoints else 0,
            trainable_variables=[v.path for v in backbone.trainable_variables],
            non_trainable_variables=[v.path for v in backbone.non_trainable_variables],
            not_stored_because=store_backbone(backbone, folder),
            value_range=value_range,
        )
        metadata.write(folder)


def _check_backbone(backbone):
    if not isinstance(backbone, keras.Model):
        raise ValueError(
            "Expected `model` to be a `SelfDistillation` or a backbone, a `keras.Model` from "
            f"normalized images to `features` and `tokens`. Received: model={backbone!r}. "
            "A fine-tuned model is exported with `model.export`."
        )
    outputs = getattr(backbone, "output", None)
    if not isinstance(outputs, dict) or "features" not in outputs:
        raise ValueError(
            "Expected `model` to give a dictionary with `features`. Received a model "
            f"that gives {outputs!r}. Wrap it with `keras_adasim.backbones.adapt`."
        )


def _normalization(model, backbone, mean, std):
    """Means and standard deviations as lists: given, of the augmentation, or ImageNet's."""
    known = getattr(model, "augment", backbone)
    mean, std = (
        getattr(known, name, None) if value is None else value
        for name, value in (("mean", mean), ("std", std))
    )
    mean = list(check_per_channel("mean", IMAGENET_MEAN if mean is None else mean))
    std = list(check_per_channel("std", IMAGENET_STD if std is None else std, above=0))
    channels = backbone.input_shape[-1] or len(mean)
    if not len(mean) == len(std) == channels:
        raise ValueError(
            f"Expected `mean` and `std` with one number for each of the {channels} channels of "
            f"the backbone's images. Received: mean={mean}, std={std}"
        )
    return mean, std


def _endpoints(backbone, image_size, mean, std, last_blocks, value_range):
    """Untraced functions from images of one type, by the endpoint's name."""
    functions = {
        "serve": lambda images: backbone(images, training=False),
        "train": lambda images: backbone(images, training=True),
    }
    if hasattr(backbone, "intermediate_class_tokens"):
        functions["intermediate"] = lambda images: {
            "class_tokens": tf.stack(backbone.intermediate_class_tokens(images, last_blocks), 1)
        }
    spec = tf.TensorSpec((None, image_size, image_size, len(mean)), tf.float32)

    def endpoint(function):
        # Traced once for all types of images.
        function = tf.function(function, input_signature=[spec], autograph=False)

        def call(images):
            outputs = function(preprocess(images, image_size, mean, std, value_range))
            return {name: tf.cast(output, tf.float32) for name, output in outputs.items()}

        return tf.function(call, autograph=False)

    return {name: endpoint(function) for name, function in functions.items()}


def _trace(endpoints, channels, value_range):
    """Traces every endpoint for every type of images; returns the outputs' specs by name."""
    outputs = {}
    for name, endpoint in endpoints.items():
        for image_type in IMAGE_TYPES if value_range is None else (*IMAGE_TYPES, tf.uint16):
            images = tf.TensorSpec((None, None, None, channels), image_type, name="images")
            outputs[name] = endpoint.get_concrete_function(images).structured_outputs
    return outputs


@contextlib.contextmanager
def _not_synchronized(backbone):
    """Statistics of one replica alone, while the SavedModel is traced.

    They can't be synchronized inside a function under a distribution strategy, where the SavedModel
    may be loaded.
    """
    layers = [layer for layer in sublayers(backbone) if getattr(layer, "synchronized", False)]
    for layer in layers:
        layer.synchronized = False
    yield
    for layer in layers:
        layer.synchronized = True
