import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.layers.padded_convolution import PaddedConvolution


def slow_convolution(images, kernel, strides):
    """Place by place, after zeros on every side."""
    size = len(kernel)
    images = np.pad(images, [(0, 0), *[(size // 2, size // 2)] * 2, (0, 0)])
    rows, columns = (range(0, side - size + 1, strides) for side in images.shape[1:3])
    return np.stack(
        [
            np.stack(
                [
                    np.einsum("bhwc,hwcf->bf", images[:, i : i + size, j : j + size], kernel)
                    for j in columns
                ],
                axis=1,
            )
            for i in rows
        ],
        axis=1,
    )


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("kernel_size", [1, 3, 7])
@pytest.mark.parametrize("shape", [(2, 8, 8, 3), (1, 9, 6, 3)])
def test_equals_a_slow_convolution(kernel_size, strides, shape):
    images = np.random.default_rng(0).normal(size=shape).astype("float32")
    layer = PaddedConvolution(4, kernel_size, strides)
    outputs = layer(images)
    expected = slow_convolution(images, np.asarray(layer.kernel), strides)
    np.testing.assert_allclose(outputs, expected, atol=1e-4)
    assert layer.compute_output_shape(shape) == outputs.shape
    assert layer.compute_output_shape((None, None, None, 3)) == (None, None, None, 4)


@pytest.mark.parametrize(("kernel_size", "strides"), [(1, 2), (3, 2), (3, 1)])
def test_has_the_gradient_of_a_convolution(kernel_size, strides):
    # The gradient of a strided 1x1 convolution over 4 channels used to end in a segmentation fault.
    images = np.random.default_rng(0).normal(size=(3, 16, 16, 4)).astype("float32")
    layer = PaddedConvolution(6, kernel_size, strides)
    layer.build(images.shape)
    with tf.GradientTape() as tape:
        outputs = layer(images)
        loss = tf.reduce_sum(outputs**2) / 2
    gradient = np.asarray(tape.gradient(loss, layer.kernel.value))
    direction = np.random.default_rng(1).normal(size=gradient.shape)
    change = slow_convolution(images, direction, strides)
    np.testing.assert_allclose(np.sum(gradient * direction), np.sum(outputs * change), rtol=1e-4)


def test_starts_with_he_normal_by_fan_out():
    layer = PaddedConvolution(64, 3)
    layer.build((None, None, None, 32))
    assert not layer.use_bias
    assert np.std(layer.kernel) == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.05)


def test_config_round_trip():
    layer = PaddedConvolution(4, 3, 2, name="mine", dtype="mixed_bfloat16")
    twin = PaddedConvolution.from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()
    assert (twin.filters, twin.kernel_size, twin.strides) == (4, (3, 3), (2, 2))
    assert isinstance(twin, keras.layers.Conv2D)


def test_refuses_even_kernels():
    with pytest.raises(ValueError, match=r"`kernel_size` to be odd.*kernel_size=4"):
        PaddedConvolution(4, 4)
