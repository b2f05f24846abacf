"""A folder of NumPy files, for images that neither JPEG nor PNG can hold."""

import numpy as np
import tensorflow as tf

from keras_adasim.data.image_folder import ImageFolder


class ArrayFolder(ImageFolder):
    """The .npy files of a folder, one image each, with a label per sub-folder.

    For images of any number of channels, such as those of satellites or microscopes. The files hold
    (H, W, C) or (H, W) uint8 arrays of values from 0 to 255, all with the same channels; the
    heights and widths may differ. Folders are searched and classes numbered as `ImageFolder` does.

    Args:
        path: The folder.

    Attributes:
        channels: Integer. Channels of every image, those of the first file.

    Raises:
        FileNotFoundError: If there is no such folder, or no .npy file in it.
        NotADirectoryError: If the path is a file.
        ValueError: If the first file isn't such an array; when read, if another one isn't.

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
        self.channels = None
        self.channels = self._load(0).shape[2]

    def read(self, index):
        """Reads an image: int64 scalar tensor -> (H, W, C) uint8 tensor."""
        image = tf.numpy_function(self._load, [index], tf.uint8, stateful=False)
        return tf.ensure_shape(image, (None, None, self.channels))

    def _load(self, index):
        try:
            # Mapped, a header that claims more than the file holds takes no memory.
            image = np.load(self.describe(int(index)), mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise self._error(index, str(error)) from error
        if not isinstance(image, np.ndarray):
            raise self._error(index, "an archive of several arrays")
        image = image[..., None] if image.ndim == 2 else image
        if image.ndim != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise self._error(index, f"shape {image.shape} and dtype {image.dtype}")
        if self.channels not in (None, image.shape[2]):
            raise self._error(index, f"{image.shape[2]} channels")
        return np.array(image)

    def _error(self, index, received):
        channels = self.channels or "C"
        return ValueError(
            f"Expected {self.describe(int(index))} to hold a uint8 array of shape (H, W, "
            f"{channels}) with values from 0 to 255: scale other values to that range, and remove "
            f"files that are no images. Received: {received}"
        )
