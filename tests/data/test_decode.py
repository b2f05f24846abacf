import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.data.decode import (
    decode_fast,
    decode_image,
    decode_jpeg_box,
    is_jpeg,
    is_plain,
)
from tests.data.image_files import smooth_image

IMAGE = smooth_image(20, 30)
JPEG = tf.io.encode_jpeg(IMAGE, quality=95, chroma_downsampling=False)
PNG = tf.io.encode_png(IMAGE)


@pytest.mark.parametrize(
    ("contents", "jpeg", "plain"),
    [
        (JPEG.numpy(), True, True),
        (PNG.numpy(), False, True),
        (JPEG.numpy()[:-1], True, False),
        (PNG.numpy()[:-1], False, False),
        (b"", False, False),
        (b"\xff", False, False),
    ],
)
def test_formats_are_told_by_their_bytes(contents, jpeg, plain):
    assert bool(is_jpeg(tf.constant(contents))) is jpeg
    assert bool(is_plain(tf.constant(contents))) is plain


@pytest.mark.parametrize("decode", [decode_image, decode_fast])
def test_both_formats_are_decoded(decode):
    np.testing.assert_array_equal(decode(PNG, 3), IMAGE)
    np.testing.assert_allclose(decode(JPEG, 3).numpy().astype(int), IMAGE, atol=8)
    assert decode(PNG, 1).shape == decode(JPEG, 1).shape == (20, 30, 1)


def test_a_box_is_the_part_of_the_image():
    box = decode_jpeg_box(JPEG, [3, 5, 10, 12], 3)
    np.testing.assert_array_equal(box, decode_fast(JPEG, 3)[3:13, 5:17])
