"""Cuts maps into square windows, and says which of their tokens may look at each other."""

import numpy as np
import tensorflow as tf
from keras import ops


def pad_to_windows(tokens, window_size):
    """Pads a map (B, H, W, D) with zeros below and to the right to multiples of the window."""
    height, width = ops.shape(tokens)[1:3]
    below, right = -height % window_size, -width % window_size
    if isinstance(below, int) and isinstance(right, int) and not below and not right:
        return tokens
    return tf.pad(tokens, [(0, 0), (0, below), (0, right), (0, 0)])


def to_windows(tokens, window_size):
    """Cuts a map (B, H, W, D) into windows (B * H / w * W / w, w * w, D), row by row."""
    height, width, dim = ops.shape(tokens)[1:]
    rows, columns = height // window_size, width // window_size
    tokens = ops.reshape(tokens, (-1, rows, window_size, columns, window_size, dim))
    tokens = ops.transpose(tokens, (0, 1, 3, 2, 4, 5))
    return ops.reshape(tokens, (-1, window_size * window_size, dim))


def from_windows(windows, height, width):
    """Puts windows (B * H / w * W / w, w * w, D) together again, (B, H, W, D)."""
    _, length, dim = windows.shape
    window_size = round(length**0.5)
    rows, columns = height // window_size, width // window_size
    tokens = ops.reshape(windows, (-1, rows, columns, window_size, window_size, dim))
    tokens = ops.transpose(tokens, (0, 1, 3, 2, 4, 5))
    return ops.reshape(tokens, (-1, height, width, dim))


def shift_mask(height, width, window_size, shift):
    """What is added to the attention scores of a map that was rolled by `shift`.

    Rolling brings tokens from opposite sides of the map into one window. They don't see each other.

    Args:
        height: Rows of the map, a multiple of the window's; an integer or scalar tensor.
        width: Columns, likewise.
        window_size: Side of a window.
        shift: Rows and columns by which the map was rolled up and to the left.

    Returns:
        Float32 (windows, w * w, w * w), 0 for tokens that were neighbors and -100 for others.
    """
    bands = [_bands(length, window_size, shift) for length in (height, width)]
    regions = 3 * bands[0][:, None] + bands[1]
    regions = to_windows(regions[None, :, :, None], window_size)[..., 0]
    return tf.where(regions[:, :, None] == regions[:, None], 0.0, -100.0)


def _bands(length, window_size, shift):
    """0 before the last window, 1 in it, 2 where the roll put the other side's tokens."""
    places = tf.range(length)
    in_last_window = tf.cast(places >= length - window_size, "int32")
    return in_last_window + tf.cast(places >= length - shift, "int32")


def relative_positions(window_size):
    """Number of the offset between any two tokens of a window, int (w * w, w * w).

    Offsets are numbered row by row, from that of the last token seen from the first.
    """
    grid = np.meshgrid(np.arange(window_size), np.arange(window_size), indexing="ij")
    places = np.stack(grid).reshape(2, -1)
    rows, columns = places[:, :, None] - places[:, None] + window_size - 1
    return rows * (2 * window_size - 1) + columns
