"""A shift of the hue of RGB images."""

import tensorflow as tf


def shift_hue(images, turns):
    """Turns the hue of every image, as a way through HSV would.

    The way through HSV keeps a pixel's largest and smallest channel and moves the channels
    between the two along trapezoids of the hue, which is all that is computed here.

    Args:
        images: (B, H, W, 3) float tensor.
        turns: (B,) float tensor in [-0.5, 0.5], the shift in turns of the color circle.

    Returns:
        (B, H, W, 3) float tensor.
    """
    largest = tf.reduce_max(images, axis=3)
    chroma = largest - tf.reduce_min(images, axis=3)
    sextants = _hue(images, largest, chroma) + 6.0 * turns[:, None, None]
    channels = [_channel(largest, chroma, sextants + offset) for offset in (5.0, 3.0, 1.0)]
    return tf.stack(channels, axis=3)


def _hue(images, largest, chroma):
    """Hue in sixths of a turn, in [-1, 5]; 0 for gray pixels."""
    red, green, blue = tf.unstack(images, axis=3)
    # Without a chroma all differences are zero, and so is the hue.
    scale = 1.0 / tf.where(chroma > 0.0, chroma, 1.0)
    past_red = (green - blue) * scale
    past_green = 2.0 + (blue - red) * scale
    past_blue = 4.0 + (red - green) * scale
    hue = tf.where(largest == green, past_green, past_blue)
    return tf.where(largest == red, past_red, hue)


def _channel(largest, chroma, sextants):
    sextants = sextants - 6.0 * tf.floor(sextants / 6.0)
    share = tf.clip_by_value(tf.minimum(sextants, 4.0 - sextants), 0.0, 1.0)
    return largest - chroma * share
