"""A backbone and its preprocessing as one `.keras` file."""

import contextlib

import keras

from keras_adasim.export import network
from keras_adasim.export.deviation import LIMIT, check_deviation, example_images
from keras_adasim.export.folder import check_file, written_beside
from keras_adasim.export.image_backbone import ImageBackbone
from keras_adasim.files import check_space
from keras_adasim.validation import check_switch


def export_keras(model, path, image_size, mean=None, std=None, overwrite=False, value_range=None):
    """Writes a backbone as a `.keras` file that stands alone, with its preprocessing inside.

    ```python
    import keras_adasim  # and keras_hub, if the backbone is KerasHub's

    backbone = keras.saving.load_model(path)
    features = backbone(images)["features"]  # uint8 or floats in [0, 1], any size, any batch
    ```

    It holds an `ImageBackbone`, trainable, with the drop path and the synchronized
    BatchNormalization of training. Unlike a SavedModel it is no program: Keras loads it in safe
    mode. The file is read again and compared with the backbone, as `export_backbone` does.

    Args:
        model: `SelfDistillation`, whose teacher is exported, or a backbone.
        path: File to write; ends in `.keras`.
        image_size: Side in pixels of the images that the backbone gets to see.
        mean: C means of the channels, as for `export_backbone`.
        std: C standard deviations, likewise.
        overwrite: Whether a file that stands at `path` is replaced.
        value_range: As for `export_backbone`.

    Returns:
        The largest difference from the backbone, a float, as a share of the largest value.

    Raises:
        FileExistsError: If `path` is taken and `overwrite` isn't set, or is a folder.
        ValueError: If another argument doesn't fit, or Keras can't rebuild the backbone, because a
            class isn't registered with it.
        NotFiniteError: If a weight is NaN or infinite.
        DeviationError: If the difference is above 1e-4; nothing is written or replaced then.
    """
    path = check_file(path, check_switch("overwrite", overwrite), ".keras")
    net = network.of_model(model, image_size, mean, std, value_range)
    whole = ImageBackbone(
        net.ready_for_training(),
        net.image_size,
        net.mean,
        net.std,
        net.value_range,
        name=net.backbone.name,
    )
    check_space(
        path,
        2 * sum(v.value.dtype.size * v.value.shape.num_elements() for v in whole.weights),
        "the model",
    )
    with written_beside(path) as file:
        whole.save(file)
        with _named(path):
            loaded = keras.saving.load_model(file, compile=False)
        batches = example_images(net.channels, net.image_size, net.value_range)
        return check_deviation(net.look, loaded, batches, LIMIT, "Keras model", net.precision)


@contextlib.contextmanager
def _named(path):
    """What Keras can't rebuild is an error that says so, not one of its own."""
    try:
        yield
    except (TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            "Expected `model` to be of classes that Keras knows. Received: "
            f"{reason}. Register them with `keras.saving.register_keras_serializable`, or export a "
            f"SavedModel. Nothing was written to {path}"
        ) from error
