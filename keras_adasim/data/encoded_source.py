"""Images that are files, of whatever kind of archive or folder."""

from keras_adasim.data.careful_decode import decode_carefully
from keras_adasim.data.depth import check_value_range, sample_range, some_pixels
from keras_adasim.data.source import Source
from keras_adasim.validation import check_integer


class EncodedSource(Source):
    """Base of sources whose images are JPEG, PNG and other files.

    A subclass implements `contents` and `look`, beside what every `Source` does.
    """

    _value_range = None

    def contents(self, index):
        """Reads the bytes of an image's file in Python.

        Args:
            index: Integer.

        Raises:
            OSError: If they can't be read.
            ValueError: If they are no longer what they were.
        """
        raise NotImplementedError(f"`{type(self).__name__}` does not implement `contents`.")

    @property
    def value_range(self):
        """`(low, high)`, the values of deep images that become 0 and 255, or None without any.

        If nobody sets it, it is measured when it is needed: on up to 64 such images in a fixed
        order, from the 0.1th percentile of their values to the 99.9th. One range for all channels
        keeps the colors.
        """
        if self._value_range is None:
            self._value_range = self._measure_range()
        return self._value_range

    @value_range.setter
    def value_range(self, value_range):
        self._value_range = check_value_range(value_range, self.channels)

    def _measure_range(self):
        return sample_range(len(self), self._deep_sample, by_channel=False)

    def _deep_sample(self, index):
        seen = self.look(index, full=False)
        if seen.reason or seen.kind.bits <= 8:
            return None
        try:
            return some_pixels(decode_carefully(self.contents(index), self.channels, lambda p: p))
        except (OSError, ValueError):
            return None


def check_gray_or_rgb(channels):
    """Returns the channels of encoded images, which are 1 or 3.

    Raises:
        ValueError: If they are another number.
    """
    if check_integer("channels", channels) not in (1, 3):
        raise ValueError(
            "Expected `channels` to be 1 (gray) or 3 (RGB); use `ArrayFolder` or "
            f"`ArraySource` for other images. Received: channels={channels}"
        )
    return channels
