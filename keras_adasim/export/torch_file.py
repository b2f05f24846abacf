"""A backbone's weights under PyTorch's names, read again and compared."""

import tensorflow as tf

from keras_adasim.backbones.clone import clone_backbone
from keras_adasim.backbones.torch_weights import load_torch_weights, save_torch_weights
from keras_adasim.export import network
from keras_adasim.export.deviation import LIMIT, check_deviation, example_images
from keras_adasim.export.folder import check_file, written_beside
from keras_adasim.validation import check_switch


def export_torch(model, path, overwrite=False):
    """Writes a backbone's weights as a file that PyTorch's official models load.

    Args:
        model: `SelfDistillation`, whose teacher is exported, or a backbone.
        path: File to write; ends in `.safetensors`.
        overwrite: Whether a file that stands at `path` is replaced.

    Returns:
        The largest difference of a network that has read it, a float; see `export_backbone`.

    Raises:
        FileExistsError: If `path` is taken and `overwrite` isn't set, or is a folder.
        ValueError: If another argument doesn't fit, or the backbone knows no PyTorch names.
        NotFiniteError: If a weight is NaN or infinite.
        DeviationError: If the difference is above 1e-4; nothing is written or replaced then.
    """
    path = check_file(path, check_switch("overwrite", overwrite), ".safetensors")
    backbone = getattr(model, "teacher", model)
    net = network.of_model(model, getattr(backbone, "image_size", 224))
    with written_beside(path) as file:
        save_torch_weights(net.backbone, file)
        copy = clone_backbone(net.backbone)
        copy.set_weights([0 * weight for weight in copy.get_weights()])
        load_torch_weights(copy, file)

        def look(images):
            normalized = net.preprocess(tf.convert_to_tensor(images))
            return {k: tf.cast(v, tf.float32) for k, v in copy(normalized, training=False).items()}

        batches = example_images(net.channels, net.image_size)
        return check_deviation(net.look, look, batches, LIMIT, "PyTorch file", net.precision)
