import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.layers.windows import (
    from_windows,
    pad_to_windows,
    relative_positions,
    shift_mask,
    to_windows,
)


def places(height, width):
    """A map whose entries name their row and column."""
    grid = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), axis=-1)
    return np.stack([grid, grid + 100]).astype("float32")


def test_windows_are_cut_row_by_row_and_joined_again():
    tokens = places(6, 9)
    windows = to_windows(tokens, 3)
    assert windows.shape == (2 * 2 * 3, 9, 2)
    for number in range(6):
        top, left = 3 * (number // 3), 3 * (number % 3)
        expected = tokens[0, top : top + 3, left : left + 3].reshape(9, 2)
        np.testing.assert_array_equal(windows[number], expected)
    np.testing.assert_array_equal(from_windows(windows, 6, 9), tokens)


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize(("height", "width"), [(6, 4), (5, 7), (1, 2)])
def test_pads_below_and_to_the_right(height, width, dynamic):
    tokens = places(height, width)
    pad = lambda x: pad_to_windows(x, 4)  # noqa: E731
    if dynamic:
        pad = tf.function(pad, input_signature=[tf.TensorSpec((None, None, None, 2))])
    padded = np.asarray(pad(tokens))
    assert padded.shape == (2, -(-height // 4) * 4, -(-width // 4) * 4, 2)
    np.testing.assert_array_equal(padded[:, :height, :width], tokens)
    assert padded.sum() == tokens.sum()


@pytest.mark.parametrize(("height", "width"), [(8, 12), (4, 4)])
@pytest.mark.parametrize("shift", [1, 2])
def test_mask_separates_what_the_roll_brought_together(height, width, shift):
    tokens = places(height, width)[:1]
    windows = np.asarray(to_windows(tokens, 4))
    rolled = np.asarray(to_windows(np.roll(tokens, (-shift, -shift), axis=(1, 2)), 4))
    offsets, true_offsets = (x[:, :, None] - x[:, None] for x in (windows, rolled))
    neighbors = np.all(offsets == true_offsets, axis=-1)
    assert neighbors.any()
    assert not neighbors.all()
    expected = np.where(neighbors, 0.0, -100.0)
    np.testing.assert_array_equal(shift_mask(height, width, 4, shift), expected)


def test_positions_number_the_offsets():
    positions = relative_positions(3)
    assert positions.shape == (9, 9)
    assert set(positions.flat) == set(range(25))
    rows, columns = np.divmod(np.arange(9), 3)
    for i in range(9):
        for j in range(9):
            number = 5 * (rows[i] - rows[j] + 2) + columns[i] - columns[j] + 2
            assert positions[i, j] == number
