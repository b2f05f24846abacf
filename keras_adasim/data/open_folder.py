"""A folder of images of any kind."""

import contextlib

from keras_adasim.data.archives import Archives, is_archive
from keras_adasim.data.array_folder import ArrayFolder
from keras_adasim.data.image_folder import ImageFolder
from keras_adasim.data.tar_source import TarSource
from keras_adasim.validation import check_integer


def open_folder(path, channels=3, listings=None):
    """Opens a folder of JPEG and PNG files or, where it has none, of tar archives or .npy files.

    Args:
        path: The folder; or an archive, a name such as `"train-{000..099}.tar"`, or a list of them.
        channels: 3 for RGB, 1 for gray, or the number of channels of the .npy files.
        listings: A folder in which listings are kept, as for `ImageFolder`.

    Returns:
        An `ImageFolder`, a `TarSource` or an `ArrayFolder`.

    Raises:
        FileNotFoundError: If there is no such folder, or no image in it.
        NotADirectoryError: If the path is a file.
        ValueError: If the .npy files have other channels, or an archive is bad.

    Example:
        ```python
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            keras.utils.save_img(f"{folder}/black.png", np.zeros((8, 8, 3)))
            source = ka.data.open_folder(folder, channels=1)
            source[0].shape  # (8, 8, 1)
        ```
    """
    check_integer("channels", channels)
    if isinstance(path, Archives | list | tuple) or is_archive(path):
        return TarSource(path, channels)
    if channels in (1, 3):
        try:
            return ImageFolder(path, channels, listings)
        except FileNotFoundError as error:
            source = _without_images(path, channels, error)
        if isinstance(source, TarSource):
            return source
    else:
        source = _arrays(path, channels)
    if source.channels != channels:
        raise ValueError(
            f"Expected `channels` to be {source.channels}, as many as the arrays in {source.path} "
            "have, with as many means and standard deviations. "
            f"Received: channels={channels}"
        )
    return source


def _without_images(path, channels, error):
    """A folder that has no images by themselves."""
    for kind, arguments in ((TarSource, (path, channels)), (ArrayFolder, (path,))):
        with contextlib.suppress(FileNotFoundError):
            return kind(*arguments)
    raise error from None


def _arrays(path, channels):
    try:
        return ArrayFolder(path)
    except FileNotFoundError as error:
        error.add_note(f"Images of `channels`={channels} are .npy files; of others it is 3, or 1")
        raise
