"""Writes a classifier as files that need nothing else."""

import os
import textwrap

import keras
import numpy as np
import tensorflow as tf

from keras_adasim.backbones.clone import clone_backbone
from keras_adasim.export.folder import written_whole
from keras_adasim.export.image_classifier import ImageClassifier
from keras_adasim.export.plain_classifier import can_be_plain, plain_classifier
from keras_adasim.export.saved_model import IMAGE_TYPES
from keras_adasim.files import check_space, expand, flush_folder
from keras_adasim.finite import check_finite
from keras_adasim.validation import check_switch

FILE_NAME, FOLDER_NAME = "classifier.keras", "classifier"


def export_classifier(classifier, path, overwrite=False):
    """Writes a classifier into a folder, as a file of Keras and as a SavedModel.

    - `classifier.keras` is for `keras.saving.load_model`, in safe mode, after `import
      keras_adasim`. Around a model of KerasHub or keras.applications it is a `plain_classifier`,
      for which Keras alone is enough.
    - `classifier/` is for `tf.saved_model.load(path).serve(images)`, in plain TensorFlow: images
      (B, H, W, C) as the classifier takes them -> `{"logits": (B, K)}`; `class_names()` gives the
      names, a string tensor (K,).

    Each is complete or not there. The file is read again, and has to give equal logits.

    Args:
        classifier: `ImageClassifier`.
        path: Folder to write into; it may hold other things.
        overwrite: Whether an earlier classifier there is replaced.

    Returns:
        Whether the file needs `import keras_adasim`.

    Raises:
        FileExistsError: If there is a classifier and `overwrite` isn't set.
        OSError: If there isn't enough space.
        ValueError: If the file can't be read again: the backbone has classes that Keras can't find.
        NotFiniteError: If a weight is NaN or infinite.

    Example:
        ```python
        backbone = ka.backbones.VisionTransformer(16, 8, embed_dim=12, depth=1, num_heads=2)
        classifier = ka.export.ImageClassifier(
            backbone, ["cat", "dog"], image_size=16, mean=(0.5,) * 3, std=(0.25,) * 3
        )
        ka.export.export_classifier(classifier, "cats_and_dogs")
        ```
    """
    path = check_free(path, overwrite)
    if not isinstance(classifier, ImageClassifier):
        raise ValueError(
            f"Expected `classifier` to be an `ImageClassifier`. Received: classifier={classifier!r}"
        )
    check_finite(classifier.weights, "the classifier")
    size = sum(int(np.prod(weight.shape)) * 4 for weight in classifier.weights)
    check_space(path, 3 * size, "the classifier")
    path.mkdir(parents=True, exist_ok=True)
    classifier = clone_backbone(classifier)  # Of one device.
    plain = can_be_plain(classifier)
    model = plain_classifier(classifier) if plain else classifier
    _write_file(model, path / FILE_NAME, len(classifier.mean))
    with written_whole(path / FOLDER_NAME) as folder:
        _write_saved_model(classifier, folder)
    return not plain


def check_free(path, overwrite):
    """Returns the path, if no earlier classifier would be lost.

    Args:
        path: Folder to write into.
        overwrite: Whether one may be.

    Raises:
        FileExistsError: If there is one, and it may not.
    """
    check_switch("overwrite", overwrite)
    path = expand(path)
    taken = [name for name in (FILE_NAME, FOLDER_NAME) if (path / name).exists()]
    if taken and not overwrite:
        raise FileExistsError(
            f"Expected `path` to be a folder without a classifier. Received: path={str(path)!r}, "
            f"which holds {taken[0]}. Pass `overwrite` to replace it, or choose another."
        )
    return path


def _write_file(model, path, channels):
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.keras")
    try:
        model.save(temporary)
        _check_equal(model, temporary, channels)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    flush_folder(path.parent)


def _check_equal(model, path, channels):
    """Raises ValueError unless the file gives the model's logits."""
    try:
        again = keras.saving.load_model(path, compile=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "Expected `classifier` of classes that Keras can find. Received: "
            f"{textwrap.shorten(str(error), 200)}. Register them with "
            "`keras.saving.register_keras_serializable`."
        ) from error
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, channels), np.uint8)
    expected, received = np.asarray(model(images)), np.asarray(again(images))
    if not np.allclose(expected, received, atol=1e-4 * max(1.0, np.abs(expected).max())):
        raise ValueError(
            "Expected `classifier` whose file gives equal logits. Received: logits that are off by "
            f"{np.abs(expected - received).max():.2g}; does a layer keep weights that Keras "
            "doesn't save?"
        )


def _write_saved_model(classifier, folder):
    def serve(images):
        return {"logits": classifier(images, training=False)}

    channels = len(classifier.mean)
    types = IMAGE_TYPES if classifier.value_range is None else (*IMAGE_TYPES, tf.uint16)
    serve = tf.function(serve, autograph=False)
    for image_type in types:
        spec = tf.TensorSpec((None, None, None, channels), image_type, name="images")
        serve.get_concrete_function(spec)
    names = tf.function(lambda: tf.constant(classifier.class_names), input_signature=[])
    names.get_concrete_function()
    archive = keras.export.ExportArchive()
    archive.track(classifier)
    archive.add_endpoint("serve", serve)
    archive.add_endpoint("class_names", names)
    archive.write_out(str(folder), verbose=False)
