"""The linear scaling rule."""

from keras_adasim.validation import check_integer, check_number


def scale_learning_rate(base, batch_size, reference=256):
    """Returns the learning rate for a batch size, in proportion to it.

    Args:
        base: Learning rate for `reference` images.
        batch_size: Number of images in a step, over all replicas.
        reference: Batch size that `base` is meant for.

    Reference:
        Goyal et al., "Accurate, Large Minibatch SGD", 2017.
    """
    batch_size = check_integer("batch_size", batch_size)
    base = check_number("base", base, minimum=0)
    return base * batch_size / check_integer("reference", reference)
