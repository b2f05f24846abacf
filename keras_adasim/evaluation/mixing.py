"""Mixup and CutMix: two images, and their labels, as one."""

import numpy as np
import tensorflow as tf

from keras_adasim.pairing.validation import check_integers
from keras_adasim.validation import check_axes, check_integer, check_number, check_scalar


def mixup(images, labels, share):
    """Blends every image of a batch with its counterpart from the other end.

    Args:
        images: Floats (B, H, W, C).
        labels: Floats (B, K), the share of every class.
        share: Scalar in [0, 1], what is kept of the image itself.

    Returns:
        Images and labels of the same shapes.

    Raises:
        ValueError: If a shape is another.

    Reference:
        Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018.

    Example:
        ```python
        images, labels = np.random.uniform(size=(4, 8, 8, 3)), np.eye(4)
        ka.evaluation.mixing.mixup(images, labels, 0.7)[1][0]  # [0.7, 0, 0, 0.3]
        ```
    """
    images, labels = _checked(images, labels)
    share = check_scalar("share", share, minimum=0, maximum=1)
    return _blend(images, share), _blend(labels, share)


def cutmix(images, labels, box):
    """Pastes a box of its counterpart from the other end of the batch into every image.

    Args:
        images: Floats (B, H, W, C).
        labels: Floats (B, K), the share of every class.
        box: Integers `(top, bottom, left, right)`, in pixels; the last ones are not pasted.

    Returns:
        Images and labels of the same shapes; labels are mixed by the share of the pixels.

    Raises:
        ValueError: If a shape is another.

    Reference:
        Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable
        Features", ICCV 2019.

    Example:
        ```python
        images, labels = np.random.uniform(size=(4, 8, 8, 3)), np.eye(4)
        ka.evaluation.mixing.cutmix(images, labels, (0, 4, 0, 4))[1][0]  # [0.75, 0, 0, 0.25]
        ```
    """
    images, labels = _checked(images, labels)
    box = box if tf.is_tensor(box) else check_integers("box", box, (4,))
    top, bottom, left, right = tf.unstack(tf.cast(box, tf.int32), num=4)
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    rows, columns = tf.range(height), tf.range(width)
    inside = ((rows >= top) & (rows < bottom))[:, None] & ((columns >= left) & (columns < right))
    pasted = tf.reduce_mean(tf.cast(inside, labels.dtype))
    images = tf.where(inside[None, :, :, None], tf.reverse(images, [0]), images)
    return images, _blend(labels, 1 - pasted)


def draw_mixing(seed, step, image_size, mixup_alpha=0.8, cutmix_alpha=1.0):
    """Draws how a batch is mixed; where both are on, one of the two by a coin.

    Args:
        seed: Non-negative integer.
        step: Number of the batch; the draw is a function of both and nothing else.
        image_size: Side of the images in pixels.
        mixup_alpha: Both parameters of the beta distribution that the share is of; 0 for no mixup.
        cutmix_alpha: The same for the share of the pixels that stay; 0 for no CutMix.

    Returns:
        `(share, box)` for `mixup` and `cutmix`, of which one changes nothing: a float32 number, and
        an int32 array (4,). The box is cut off at the images' edges.

    Raises:
        ValueError: If an argument is out of range.

    Reference:
        Touvron et al., "Training data-efficient image transformers & distillation through
        attention", ICML 2021, which mixes a batch as a whole.

    Example:
        ```python
        share, box = ka.evaluation.mixing.draw_mixing(seed=0, step=7, image_size=32)
        ```
    """
    seed, step = check_integer("seed", seed, minimum=0), check_integer("step", step, minimum=0)
    size = check_integer("image_size", image_size)
    mixup_alpha = check_number("mixup_alpha", mixup_alpha, minimum=0)
    cutmix_alpha = check_number("cutmix_alpha", cutmix_alpha, minimum=0)
    rng = np.random.default_rng([seed, step])
    cuts = rng.random() < 0.5 if mixup_alpha and cutmix_alpha else cutmix_alpha > 0
    alpha = cutmix_alpha if cuts else mixup_alpha
    share = rng.beta(alpha, alpha) if alpha else 1.0
    if not cuts:
        return np.float32(share), np.zeros(4, np.int32)
    half = int(size * np.sqrt(1 - share)) // 2
    row, column = rng.integers(0, size, 2)
    box = np.clip([row - half, row + half, column - half, column + half], 0, size)
    return np.float32(1), box.astype(np.int32)


def _blend(values, share):
    share = tf.cast(share, values.dtype)
    return share * values + (1 - share) * tf.reverse(values, [0])


def _checked(images, labels):
    images = check_axes("images", images, "B", "H", "W", "C")
    labels = check_axes("labels", labels, "B", "K")
    if None not in (number := (images.shape[0], labels.shape[0])) and len(set(number)) > 1:
        raise ValueError(
            "Expected `images` and `labels` of as many images. Received: images of "
            f"{number[0]}, labels of {number[1]}"
        )
    return tf.convert_to_tensor(images), tf.convert_to_tensor(labels)
