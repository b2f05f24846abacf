"""Labeled images, cropped and flipped at random, to train on frozen features."""

import numpy as np
import tensorflow as tf

from keras_adasim.augment.multi_crop import MultiCrop
from keras_adasim.data.host_crops import HostCrops
from keras_adasim.validation import check_has, check_integer, check_range

# torchvision's defaults, as for DINO's linear evaluation.
SCALE = (0.08, 1.0)


def augmented_batches(source, image_size, batch_size=256, epochs=1, seed=0, scale=SCALE):
    """Batches of random resized crops, half of them flipped, all images once in every epoch.

    A batch may go over the end of an epoch; the last one of all may be smaller.

    Args:
        source: `Source` of labeled images.
        image_size: Side of the crops in pixels, S.
        batch_size: Images of a batch, B.
        epochs: How often to go through all, in another order each time.
        seed: Non-negative integer; orders, crops and flips follow from it.
        scale: Range of a crop's share of the image's area.

    Returns:
        Finite `tf.data.Dataset` of pairs of uint8 images (B, S, S, C) and int64 labels (B,).

    Raises:
        ValueError: If `source` has no labels, or a number is out of range.

    Example:
        ```python
        source = ka.data.ArraySource(np.zeros((5, 9, 8, 3), np.uint8), labels=[0, 1, 0, 1, 0])
        for images, labels in ka.evaluation.augmented_batches(source, 6, batch_size=4):
            images.shape  # (4, 6, 6, 3), then (1, 6, 6, 3)
        ```
    """
    check_has("source", source, "a `data.Source` of labeled images", "read_as", "checked_labels")
    labels = tf.constant(np.asarray(source.checked_labels(), np.int64))
    crops = MultiCrop(check_integer("image_size", image_size), check_range("scale", scale, 1))
    batch_size = check_integer("batch_size", batch_size)
    seed = check_integer("seed", seed, minimum=0)
    cut = HostCrops(source, crops, "bilinear")

    def view(index, key):
        draw = tf.random.stateless_uniform((), tf.stack([index, key]), alg="philox")
        crop = cut.alone(index, key)
        return tf.cond(draw < 0.5, lambda: crop, lambda: crop[:, ::-1]), labels[index]

    def indices_of(epoch):
        key, order = tf.numpy_function(draw_order, [epoch], (tf.int64, tf.int64))
        indices = tf.data.Dataset.from_tensor_slices(tf.ensure_shape(order, (None,)))
        return indices.map(lambda index: (index, tf.ensure_shape(key, ())))

    def draw_order(epoch):
        rng = np.random.default_rng([seed, int(epoch)])
        return rng.integers(2**62, dtype=np.int64), rng.permutation(len(labels))

    # One parallel pipeline for all epochs: to begin one takes longer than a small epoch.
    indices = tf.data.Dataset.range(check_integer("epochs", epochs)).flat_map(indices_of)
    views = indices.map(view, tf.data.AUTOTUNE, deterministic=True)
    return views.batch(batch_size).prefetch(2)
