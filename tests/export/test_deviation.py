import numpy as np
import pytest

from keras_adasim.export.deviation import (
    DeviationError,
    check_deviation,
    example_images,
    largest_deviation,
)


def test_images_are_seeded_and_use_all_levels():
    first, second = example_images(3, 16)
    assert first.shape == (4, 16, 16, 3)
    assert second.shape == (4, 22, 17, 3)
    assert first.dtype == np.uint8
    assert (first.min(), first.max()) == (0, 255)
    np.testing.assert_array_equal(first, example_images(3, 16)[0])
    # Neighboring pixels are alike, as a photograph's.
    assert np.abs(np.diff(first.astype(int), axis=1)).mean() < 50
    deep, _ = example_images(2, 8, value_range=(0, 10, 100, 1000))
    assert deep.dtype == np.float32
    np.testing.assert_allclose(deep.max(axis=(0, 1, 2)), [100, 1000])
    assert np.isfinite(example_images(1, 1)[0]).all()


def test_the_largest_difference_as_a_share_of_the_largest_value():
    expected = {"features": np.array([[1.0, -4.0]]), "tokens": np.array([[[0.1]]])}
    assert largest_deviation(expected, expected) == 0
    other = {"features": np.array([[1.2, -4.0]]), "tokens": np.array([[[0.11]]])}
    assert largest_deviation(expected, other) == pytest.approx(0.1)
    assert largest_deviation(expected, {"features": other["features"]}) == np.inf
    for wrong in (np.array([1.0]), np.array([[1.0, np.nan]])):
        assert largest_deviation({"features": expected["features"]}, {"features": wrong}) == np.inf


def test_an_export_that_is_off_is_refused():
    def look(images):
        return {"features": np.ones((len(images), 2))}

    def off(images):
        return {"features": np.full((len(images), 2), 1.01)}

    images = example_images(3, 4)
    assert check_deviation(look, look, images, 1e-4, "file") == 0
    with pytest.raises(DeviationError, match=r"the file to give.*1e-04.*deviation of 1\.0e-02"):
        check_deviation(look, off, images, 1e-4, "file")
    assert check_deviation(look, off, images, 1e-4, "file", "bfloat16") == pytest.approx(0.01)
