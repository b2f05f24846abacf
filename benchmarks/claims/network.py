"""A convolutional network that two cores train in a minute."""

import keras


def build(seed, widths, strides):
    """Strided 3x3 convolutions with batch normalization, and an average.

    Args:
        seed: Seed of the weights.
        widths: Filters of each convolution; the last one's are the features.
        strides: Their strides.

    Returns:
        `keras.Model` from images (B, H, W, 3) to `features` (B, D) and `tokens` (B, P, D).
    """
    keras.utils.set_random_seed(seed)
    images = keras.Input((None, None, 3))
    maps = images
    for number, (width, stride) in enumerate(zip(widths, strides, strict=True)):
        convolution = keras.layers.Conv2D(
            width, 3, stride, "same", use_bias=False, name=f"convolution_{number}"
        )
        maps = keras.layers.BatchNormalization(momentum=0.9, name=f"norm_{number}")(
            convolution(maps)
        )
        maps = keras.layers.ReLU(name=f"relu_{number}")(maps)
    features = keras.layers.GlobalAveragePooling2D(name="features")(maps)
    tokens = keras.layers.Reshape((-1, widths[-1]), name="tokens")(maps)
    return keras.Model(images, {"features": features, "tokens": tokens}, name="convolutions")
