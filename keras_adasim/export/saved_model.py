"""Writes a backbone as a SavedModel that needs neither Keras nor this package to be read."""

import numbers
import os
import pathlib
import shutil

import keras
import tensorflow as tf

from keras_adasim.export.metadata import Metadata
from keras_adasim.layers.preprocessing import IMAGENET_MEAN, IMAGENET_STD, preprocess

# The first is the type of the signature `serving_default`; NumPy's divisions give the last.
IMAGE_TYPES = (tf.uint8, tf.float32, tf.float64)


def export_backbone(
    model, path, image_size, mean=None, std=None, last_blocks=None, overwrite=False
):
    """Writes a backbone as a SavedModel, with its preprocessing inside.

    The SavedModel has these endpoints, each from images `(B, H, W, C)`, uint8 from 0 to 255, or
    float32 or float64 from 0 to 1, any B, H and W:

    - `serve`, also the signature `serving_default` (uint8): inference, gives float32
      `{"features": (B, D), "tokens": (B, P, D)}`, or no tokens if the backbone has none;
    - `train`: the same with dropout, drop path and the batch's statistics on, for fine-tuning;
    - `intermediate`, if the backbone is a Vision Transformer: `{"class_tokens": (B, n, D)}` of
      its last n blocks.

    Images are resized to `image_size` (bilinear, antialiased, without keeping the ratio of the
    sides) and normalised. In plain TensorFlow:

    ```python
    backbone = tf.saved_model.load(path)
    features = backbone.serve(images)["features"]
    variables = backbone.trainable_variables  # fine-tune through backbone.train(images)
    ```

    All weights of the backbone are exported as trainable, also those that are frozen now, and it
    computes in the precision of its dtype policy. The folder is complete or not there: it is
    written under another name first.

    Args:
        model: a `SelfDistillation`, whose teacher is exported, or a backbone: a built
            `keras.Model` from normalised images to `{"features", "tokens"}`.
        path: folder to write.
        image_size: side, in pixels, of the images that the backbone gets to see.
        mean: means of the channels; those of `model.augment` by default, else ImageNet's.
        std: standard deviations, likewise.
        last_blocks: n of the endpoint `intermediate`; 4 by default, or all of fewer blocks.
        overwrite: whether an export that stands at `path` is replaced.

    Raises:
        FileExistsError: `path` is taken and `overwrite` is not set.
        ValueError: another argument doesn't fit.
    """
    path = _check_path(path, overwrite)
    backbone = getattr(model, "teacher", model)
    last_blocks = min(4, getattr(backbone, "depth", 4)) if last_blocks is None else last_blocks
    _check_arguments(backbone, image_size, last_blocks)
    mean, std = _normalization(model, backbone, mean, std)
    backbone = _ready_for_training(backbone, twin=getattr(model, "student", backbone))
    endpoints = _endpoints(backbone, int(image_size), mean, std, int(last_blocks))
    outputs = _trace(endpoints, len(mean))
    archive = keras.export.ExportArchive()
    archive.track(backbone)
    for name, endpoint in endpoints.items():
        archive.add_endpoint(name, endpoint)
    metadata = Metadata(
        image_size=int(image_size),
        channels=len(mean),
        feature_dim=outputs["serve"]["features"].shape[-1],
        mean=mean,
        std=std,
        last_blocks=int(last_blocks) if "intermediate" in endpoints else 0,
        trainable_variables=[v.path for v in backbone.trainable_variables],
        non_trainable_variables=[v.path for v in backbone.non_trainable_variables],
    )
    _write(archive, metadata, path)


def _check_path(path, overwrite):
    path = pathlib.Path(path)
    if path.exists() and not overwrite and (path.is_file() or any(path.iterdir())):
        raise FileExistsError(
            f"Expected `path` to be a new or empty folder. Received: path={str(path)!r}, which is "
            "taken. Pass `overwrite=True` to replace it, or choose another path."
        )
    return path


def _check_arguments(backbone, image_size, last_blocks):
    if not isinstance(backbone, keras.Model):
        raise ValueError(
            "Expected `model` to be a `SelfDistillation` or a backbone, a `keras.Model` from "
            "normalised images to `features` and `tokens`. Received an object of type "
            f"{type(backbone).__name__}. A fine-tuned model is exported with `model.export`."
        )
    outputs = getattr(backbone, "output", None)
    if not isinstance(outputs, dict) or "features" not in outputs:
        raise ValueError(
            "Expected `model` to give a dictionary with `features`. Received a model "
            f"that gives {outputs!r}. Wrap it with `keras_adasim.backbones.adapt`."
        )
    for name, value in (("image_size", image_size), ("last_blocks", last_blocks)):
        if not isinstance(value, numbers.Integral) or value < 1:
            raise ValueError(
                f"Expected `{name}` to be a positive integer. Received: {name}={value!r}"
            )


def _normalization(model, backbone, mean, std):
    """Means and standard deviations as lists: given, of the augmentation, or ImageNet's."""
    augment = getattr(model, "augment", None)
    mean = getattr(augment, "mean", IMAGENET_MEAN) if mean is None else mean
    std = getattr(augment, "std", IMAGENET_STD) if std is None else std
    mean, std = [float(value) for value in mean], [float(value) for value in std]
    channels = backbone.input_shape[-1] or len(mean)
    if not len(mean) == len(std) == channels:
        raise ValueError(
            f"Expected `mean` and `std` with one number for each of the {channels} channels of "
            f"the backbone's images. Received: mean={mean}, std={std}"
        )
    return mean, std


def _endpoints(backbone, image_size, mean, std, last_blocks):
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
            outputs = function(preprocess(images, image_size, mean, std))
            return {name: tf.cast(output, tf.float32) for name, output in outputs.items()}

        return tf.function(call, autograph=False)

    return {name: endpoint(function) for name, function in functions.items()}


def _trace(endpoints, channels):
    """Traces every endpoint for every type of images; returns the outputs' specs by name."""
    outputs = {}
    for name, endpoint in endpoints.items():
        for image_type in IMAGE_TYPES:
            images = tf.TensorSpec((None, None, None, channels), image_type, name="images")
            outputs[name] = endpoint.get_concrete_function(images).structured_outputs
    return outputs


def _ready_for_training(backbone, twin):
    """Copies the backbone into the state that fine-tuning wants; the original is left alone.

    The copy is of one device, unfrozen, since a frozen BatchNormalization would ignore
    `training=True`, and doesn't synchronise its statistics, which can't be done inside a function
    under a distribution strategy, where the SavedModel may be loaded. It is made of the
    configuration of its twin, the student: a teacher's dropout and drop path are switched off.
    """
    copy = type(twin).from_config(twin.get_config())
    copy.set_weights(backbone.get_weights())
    copy.trainable = True
    for layer in copy._flatten_layers():
        if getattr(layer, "synchronized", False):
            layer.synchronized = False
    return copy


def _write(archive, metadata, path):
    """Writes beside `path`, then renames: at no moment does `path` hold half an export."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{os.getpid()}.new"
    replaced = path.parent / f".{path.name}.{os.getpid()}.old"
    try:
        archive.write_out(str(temporary), verbose=False)
        metadata.write(temporary)
        if path.exists():
            os.replace(path, replaced)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    shutil.rmtree(replaced, ignore_errors=True)
