"""A folder of NumPy files, for images that neither JPEG nor PNG can hold."""

import numpy as np
import tensorflow as tf

from keras_adasim.data.depth import sample_range, some_pixels, to_bytes
from keras_adasim.data.image_folder import ImageFolder
from keras_adasim.data.look_at_file import array_shape, look_at_array


class ArrayFolder(ImageFolder):
    """The .npy files of a folder, one image each, with a label per sub-folder.

    For images of any number of channels, such as those of satellites or microscopes. The files hold
    (H, W, C) or (H, W) arrays, all with the same channels and of one type: uint8, or other numbers,
    which become uint8 by `value_range`. The heights and widths may differ. Folders are searched and
    classes numbered as `ImageFolder` does.

    Args:
        path: The folder.

    Attributes:
        channels: Integer. Channels of every image, those of the first sound file.
        dtype: NumPy dtype of every array, that of the first sound file.

    Raises:
        FileNotFoundError: If there is no such folder, or no .npy file in it.
        NotADirectoryError: If the path is a file.
        ValueError: If no file is such an array; when read, if another one isn't.

    Example:
        ```python
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            np.save(f"{folder}/field.npy", np.zeros((8, 8, 13), "uint8"))
            source = ka.data.ArrayFolder(folder)
            source[0].shape  # (8, 8, 13)
        ```
    """

    suffixes = (".npy",)
    encoded = False

    def __init__(self, path):
        super().__init__(path)
        self.channels = self.dtype = None
        first = self._first()
        self.channels, self.dtype = first.shape[2], first.dtype

    def read(self, index):
        """Reads an image: int64 scalar tensor -> (H, W, C) uint8 tensor."""
        image = tf.numpy_function(self._load, [index], tf.uint8, stateful=False)
        return tf.ensure_shape(image, (None, None, self.channels))

    def look(self, index, full):
        """Looks at a file, as `look_at_array` does."""
        return look_at_array(self._path(index), full, self.channels, self.dtype)

    def _first(self):
        """The first file that is sound; raises the first one's error if none is."""
        first = None
        for index in range(len(self)):
            try:
                return self._values(index)
            except ValueError as error:
                first = first or error
        raise first

    def _measure_range(self):
        if self.dtype == np.uint8:
            return None
        # Channels of a satellite differ more than colors do.
        return sample_range(len(self), self._deep_sample, self.channels not in (1, 3))

    def _deep_sample(self, index):
        try:
            return some_pixels(self._values(index))
        except ValueError:
            return None

    def _load(self, index):
        values = self._values(index)
        return values if values.dtype == np.uint8 else to_bytes(values, self.value_range)

    def _values(self, index):
        """The (H, W, C) values of a file."""
        try:
            # Mapped, a header that claims more than the file holds takes no memory.
            image = np.load(self._path(int(index)), mmap_mode="r", allow_pickle=False)
            if not isinstance(image, np.ndarray):
                raise ValueError("an archive of several arrays")
            image = np.array(image.reshape(array_shape(image, self.channels, self.dtype)))
            if not np.isfinite(image).all():
                raise ValueError("values that are NaN or infinite")
        except (ValueError, EOFError, OSError) as error:
            raise self._error(index, str(error)) from error
        return image

    def _error(self, index, received):
        channels, dtype = self.channels or "C", self.dtype or "uint8"
        return ValueError(
            f"Expected {self.describe(int(index))} to hold a {dtype} array of shape (H, W, "
            f"{channels}), as the others do: remove files that are no images. Received: {received}"
        )
