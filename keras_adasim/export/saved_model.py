"""Writes a backbone as a SavedModel that needs neither Keras nor this package to be read."""

import contextlib

import keras
import tensorflow as tf

from keras_adasim.backbones.stored_backbone import METADATA_NAME, store_backbone
from keras_adasim.backbones.sublayers import sublayers
from keras_adasim.export import network
from keras_adasim.export.deviation import LIMIT, check_deviation, example_images
from keras_adasim.export.folder import check_path, written_whole
from keras_adasim.export.metadata import Metadata
from keras_adasim.validation import check_integer, check_switch

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
      its last n blocks;
    - `attention`, of our Vision Transformers: `{"attention": (B, heads, 1 + P, 1 + P)}`, the
      softmax of the last block, queries, then keys, the class token first: `[:, :, 0, 1:]` is how
      much it looks at each patch, row by row.

    Images are resized to `image_size` (bilinear, antialiased, without keeping the ratio of the
    sides) and normalized. In plain TensorFlow:

    ```python
    backbone = tf.saved_model.load(path)
    features = backbone.serve(images)["features"]
    variables = backbone.trainable_variables  # fine-tune through backbone.train(images)
    ```

    All weights of the backbone are exported as trainable, also those that are frozen now, and it
    computes in the precision of its dtype policy. The folder is complete or not there: it is
    written under another name first, and compared with the backbone: their largest difference on
    seeded images, as a share of the largest value, must be at most 1e-4 (where it computes in half
    precision, 8 of its roundings). It also holds the backbone itself, which `backbones.get(path)`
    rebuilds to train on, unless Keras doesn't know its classes.

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

    Returns:
        The largest difference, a float.

    Raises:
        FileExistsError: If `path` is taken and `overwrite` isn't set, or it holds no export.
        ValueError: If another argument doesn't fit.
        NotFiniteError: If a weight is NaN or infinite.
        DeviationError: If the difference is larger; nothing is written or replaced then.
    """
    check_switch("overwrite", overwrite)
    path = check_path(path, overwrite, marks=("saved_model.pb", METADATA_NAME))
    net = network.of_model(model, image_size, mean, std, value_range)
    last_blocks = min(4, getattr(net.backbone, "depth", 4)) if last_blocks is None else last_blocks
    last_blocks = check_integer("last_blocks", last_blocks)
    backbone = net.ready_for_training()
    endpoints = _endpoints(net, backbone, last_blocks)
    archive = keras.export.ExportArchive()
    archive.track(backbone)
    with written_whole(path) as folder:
        with _not_synchronized(backbone):
            outputs = _trace(endpoints, net.channels, value_range)
            for name, endpoint in endpoints.items():
                archive.add_endpoint(name, endpoint)
            archive.write_out(str(folder), verbose=False)
        metadata = Metadata(
            image_size=net.image_size,
            channels=net.channels,
            feature_dim=outputs["serve"]["features"].shape[-1],
            mean=net.mean,
            std=net.std,
            last_blocks=last_blocks if "intermediate" in endpoints else 0,
            attention="attention" in endpoints,
            trainable_variables=[v.path for v in backbone.trainable_variables],
            non_trainable_variables=[v.path for v in backbone.non_trainable_variables],
            not_stored_because=store_backbone(backbone, folder),
            value_range=value_range,
        )
        metadata.write(folder)
        return _check(net, folder, metadata)


def _check(net, folder, metadata):
    """Compares all endpoints for inference with the backbone."""
    loaded = tf.saved_model.load(str(folder))
    own = {
        name: function
        for name, function in _functions(net.backbone, metadata.last_blocks).items()
        if name != "train" and hasattr(loaded, name)
    }

    def look(images):
        normalized = net.preprocess(tf.convert_to_tensor(images))
        return {k: v for function in own.values() for k, v in function(normalized).items()}

    def exported(images):
        return {k: v for name in own for k, v in getattr(loaded, name)(images).items()}

    batches = example_images(net.channels, net.image_size, net.value_range)
    return check_deviation(look, exported, batches, LIMIT, "SavedModel", net.precision)


def _functions(backbone, last_blocks):
    """Functions from normalized images to outputs, by the endpoint's name."""
    functions = {
        "serve": lambda images: backbone(images, training=False),
        "train": lambda images: backbone(images, training=True),
    }
    if hasattr(backbone, "intermediate_class_tokens"):
        functions["intermediate"] = lambda images: {
            "class_tokens": tf.stack(backbone.intermediate_class_tokens(images, last_blocks), 1)
        }
    if hasattr(backbone, "last_self_attention"):
        functions["attention"] = lambda images: {"attention": backbone.last_self_attention(images)}
    return functions


def _endpoints(net, backbone, last_blocks):
    """Untraced functions from images of one type, by the endpoint's name."""
    spec = tf.TensorSpec((None, net.image_size, net.image_size, net.channels), tf.float32)

    def endpoint(function):
        # Traced once for all types of images.
        function = tf.function(function, input_signature=[spec], autograph=False)

        def call(images):
            outputs = function(net.preprocess(images))
            return {name: tf.cast(output, tf.float32) for name, output in outputs.items()}

        return tf.function(call, autograph=False)

    functions = _functions(backbone, last_blocks)
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
