"""More than 8 bits per channel: one range for a set, whatever holds the images."""

import numpy as np
import pytest
import tensorflow as tf
import tifffile
from PIL import Image

from keras_adasim import augment, data, pairing
from keras_adasim.data.depth import check_value_range, measure_range, to_bytes

RAMP = np.linspace(0, 4095, 4096).reshape(64, 64).astype(np.uint16)
RGB = np.stack([RAMP, RAMP[::-1], RAMP.T], axis=-1)
RANGE = (4.095, 4090.905)  # The 0.1th percentile, and the 99.9th.


def write_png(path, pixels):
    path.write_bytes(tf.io.encode_png(pixels).numpy())


def test_values_become_bytes():
    values = np.array([[0, 100, 200, 300, 400]])[..., None]
    assert to_bytes(values, (100, 300)).ravel().tolist() == [0, 0, 128, 255, 255]
    both = np.array([[[0, 50], [10, 100]]])
    assert to_bytes(both, (0, 50, 10, 100)).tolist() == [[[0, 0], [255, 255]]]


def test_the_range_leaves_out_hot_pixels():
    pixels = np.append(np.arange(10_000), 60_000)[:, None]
    low, high = measure_range([pixels], by_channel=False)
    assert (low, high) == (pytest.approx(10, abs=1), pytest.approx(9990, abs=1))
    assert measure_range([np.full((5, 2), 7)], by_channel=True) == (7, 7, 8, 8)


@pytest.mark.parametrize("kind", ["gray png", "rgb png", "gray tiff", "rgb tiff", "float tiff"])
@pytest.mark.parametrize("channels", [1, 3])
def test_twelve_bits_in_sixteen(tmp_path, kind, channels):
    """4096 levels became 16 of 256, all of them dark."""
    path = tmp_path / "a.png"
    if kind.endswith("png"):
        write_png(path, RGB if kind.startswith("rgb") else RAMP[..., None])
    elif kind == "rgb tiff":
        tifffile.imwrite(path, RGB, photometric="rgb")
    else:
        Image.fromarray(RAMP if kind == "gray tiff" else RAMP.astype("f4")).save(path, "TIFF")
    source = data.ImageFolder(tmp_path, channels)
    assert source[0].shape == (64, 64, channels)
    assert len(np.unique(source[0])) > 200
    if kind.startswith("rgb") and channels == 3:
        np.testing.assert_array_equal(source[0], to_bytes(RGB, source.value_range))
    if not kind.startswith("rgb"):
        np.testing.assert_allclose(source.value_range, RANGE, atol=2)
        expected = to_bytes(RAMP[..., None], source.value_range)
        np.testing.assert_array_equal(source[0], np.repeat(expected, channels, axis=2))
    crops = augment.MultiCrop(32, (0.9, 1.0))
    (batch,) = data.PairDataset(source, pairing.SelfPairing(), 1, crops)
    assert np.std(batch["views"][0]) > 40


def test_one_range_for_all_images_of_a_set(tmp_path):
    write_png(tmp_path / "a.png", RAMP[..., None])
    write_png(tmp_path / "b.png", (RAMP // 2)[..., None])
    Image.fromarray((RAMP // 16).astype("u1")).save(tmp_path / "c.png")
    source = data.ImageFolder(tmp_path, 1)
    assert source[1].max() == pytest.approx(source[0].max() / 2, abs=2)
    np.testing.assert_array_equal(source[2][..., 0], RAMP // 16)  # Bytes stay as they are.
    again = data.Subset(data.ImageFolder(tmp_path, 1), [0])
    again.value_range = (0, 65535)
    assert again[0].max() == 16
    assert data.ImageFolder(tmp_path, 1).value_range == source.value_range


def test_bytes_alone_have_no_range(tmp_path):
    Image.fromarray((RAMP // 16).astype("u1")).save(tmp_path / "c.png")
    assert data.ImageFolder(tmp_path).value_range is None


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32", "float64"])
def test_arrays_of_other_numbers(tmp_path, dtype):
    rng = np.random.default_rng(0)
    scale = np.array([10, 1000, 3000, 50]) if dtype != "float32" else np.array([0.1, 1, 2, 3])
    images = (rng.random((3, 32, 32, 4)) * scale).astype(dtype)
    for i, image in enumerate(images):
        np.save(tmp_path / f"{i}.npy", image)
    source = data.ArrayFolder(tmp_path)
    assert (source.channels, source.dtype) == (4, dtype)
    assert source[0].dtype == np.uint8
    for channel in range(4):  # Each of them has its own range.
        assert source[0][..., channel].min() < 30
        assert source[0][..., channel].max() > 225
    np.save(tmp_path / "3.npy", np.zeros((4, 4, 4), "uint8"))
    with pytest.raises(ValueError, match=rf"3\.npy to hold a {dtype} array.*dtype uint8"):
        data.ArrayFolder(tmp_path)[3]


def test_joined_sources_share_a_range(tmp_path):
    for name, factor in (("first", 1), ("second", 4)):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "a.npy", RAMP * np.uint16(factor))
    joined = data.JoinedSource([data.ArrayFolder(tmp_path / n) for n in ("first", "second")])
    assert joined[0].max() == pytest.approx(64, abs=1)
    assert joined[1].max() == 255


def test_values_that_are_not_finite_are_named(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 4, 5), "f4"))
    np.save(tmp_path / "b.npy", np.full((4, 4, 5), np.nan, "f4"))
    source = data.ArrayFolder(tmp_path)
    with pytest.raises(ValueError, match=r"b\.npy.*NaN"):
        source[1]
    assert "NaN" in data.look_at(source).reasons[1]


@pytest.mark.parametrize("wrong", [(1, 0), (0, 1, 2), (0, np.nan), (0, 0), 5, (0, 1, 2, 3)])
def test_wrong_ranges_are_named(wrong):
    with pytest.raises(ValueError, match=r"Expected `value_range` to be low,high, or 3 low"):
        check_value_range(wrong, 3)
    assert check_value_range([0, 1, 2, 5, 6, 7], 3) == (0, 1, 2, 5, 6, 7)
