import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.data import ArraySource

IMAGES = np.arange(5 * 2 * 3 * 4, dtype=np.uint8).reshape(5, 2, 3, 4)


def test_images_are_given_by_index():
    source = ArraySource(IMAGES)
    assert len(source) == 5
    assert source.labels is None
    assert source.image_size == (2, 3)
    assert source.channels == 4
    np.testing.assert_array_equal(source[3], IMAGES[3])
    np.testing.assert_array_equal(source[-1], IMAGES[4])
    np.testing.assert_array_equal(source.read(tf.constant([4, 0])), IMAGES[[4, 0]])
    np.testing.assert_array_equal(source.decode(tf.constant(1)), IMAGES[1])


def test_images_without_a_channel_axis_get_one():
    assert ArraySource(IMAGES[..., 0])[0].shape == (2, 3, 1)


@pytest.mark.parametrize(
    "labels",
    [[0, 1, 2, 3, 4], range(5), np.arange(5)[:, None], tf.range(5), np.arange(5, dtype="u1")],
)
def test_labels_become_a_flat_array(labels):
    np.testing.assert_array_equal(ArraySource(IMAGES, labels).labels, np.arange(5))


def test_the_array_is_not_copied_into_the_graph():
    source = ArraySource(np.zeros((1000, 32, 32, 3), np.uint8))
    graph = tf.function(source.read).get_concrete_function(tf.TensorSpec((), tf.int64)).graph
    assert graph.as_graph_def().ByteSize() < 10_000


@pytest.mark.parametrize(
    ("images", "match"),
    [
        (IMAGES / 255.0, r"uint8 .*np.clip.*float64"),
        ([np.zeros((2, 2, 3)), np.zeros((3, 2, 3))], "one uint8 array.*different sizes.*list"),
        (np.array([np.zeros(2), None], object), "one uint8 array.*different sizes"),
        (IMAGES[0, 0], r"shape \(N, H, W, C\).*\(3, 4\)"),
        (IMAGES[:0], "without an empty axis"),
    ],
)
def test_other_images_are_refused_with_the_fix(images, match):
    with pytest.raises(ValueError, match=f"Expected `images` to .*{match}"):
        ArraySource(images)


def test_classes_can_be_named():
    assert ArraySource(IMAGES).class_names is None
    assert ArraySource(IMAGES, [0, 1, 1, 0, 0], ("cat", "dog")).class_names == ["cat", "dog"]


@pytest.mark.parametrize("labels", [None, [0, 1, 2, 0, 0]])
def test_names_that_do_not_fit_the_labels_are_refused(labels):
    with pytest.raises(ValueError, match="Expected `class_names` to be one string for each"):
        ArraySource(IMAGES, labels, ["cat", "dog"])
    with pytest.raises(ValueError, match="Expected `class_names`"):
        ArraySource(IMAGES, [0] * 5, [7])


# The ragged one raised NumPy's error, and one of as many elements in another shape passed.
@pytest.mark.parametrize(
    "labels", [[0, 1], [0.5] * 5, ["0"] * 5, [[0, 1], [2, 3, 4]], [[0, 1, 2, 3, 4]], []]
)
def test_labels_that_do_not_fit_are_refused(labels):
    with pytest.raises(ValueError, match="Expected `labels` to be 5 integers"):
        ArraySource(IMAGES, labels)


def test_negative_labels_are_no_class():
    """As STL-10 has them for images without a label."""
    with pytest.raises(ValueError, match=r"`labels` from 0 on.*Received: labels down to -1"):
        ArraySource(IMAGES, [0, 1, -1, 1, 0])


@pytest.mark.parametrize("index", [5, -6])
def test_an_index_out_of_range_is_an_error(index):
    with pytest.raises(IndexError, match=f"below 5. Received: index={index}"):
        ArraySource(IMAGES)[index]


@pytest.mark.parametrize("index", [1.5, "1", None])
def test_an_index_that_is_no_integer_is_an_error(index):
    # 1.5 was the second image.
    with pytest.raises(TypeError, match="integer"):
        ArraySource(IMAGES)[index]
