"""The linear scaling rule."""


def scale_learning_rate(base, batch_size, reference=256):
    """Returns the learning rate for a batch size, in proportion to it.

    Args:
        base: Learning rate for `reference` images.
        batch_size: Number of images in a step, over all replicas.
        reference: Batch size that `base` is meant for.

    Reference:
        - [Goyal et al., "Accurate, Large Minibatch SGD"](https://arxiv.org/abs/1706.02677)
    """
    for name, value in (("batch_size", batch_size), ("reference", reference)):
        if value < 1:
            raise ValueError(
                f"Expected `{name}` to be a positive integer. Received: {name}={value}"
            )
    return base * batch_size / reference
