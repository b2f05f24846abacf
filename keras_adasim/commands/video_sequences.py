"""Videos in DAVIS' folders: frames, and a mask for each."""

import dataclasses

import numpy as np

from keras_adasim import data
from keras_adasim.commands.folder_protocol import open_part, part_of
from keras_adasim.data.masks import read_mask, size_of
from keras_adasim.files import expand

VOID = 255


def of_resolution(folder, resolution):
    """The folder of the frames, or of the masks, of all sequences."""
    if not resolution or not (folder / resolution).is_dir():
        raise FileNotFoundError(
            f"Expected `resolution` to be a folder in {folder}. Received: resolution={resolution}"
        )
    return folder / resolution


def sequence_names(folder, frames, image_set):
    """Names of the sequences.

    Args:
        folder: Folder of the data.
        frames: Folder with one folder of frames for each sequence.
        image_set: File of the names, or None.

    Raises:
        FileNotFoundError: If there is no such file, or no sequence.
    """
    path = expand(image_set, "image_set") if image_set else folder / "ImageSets/2017/val.txt"
    if path.is_file():
        names = path.read_text().split()
    elif image_set:
        raise FileNotFoundError(
            f"Expected `image_set` to be a file of names. Received: image_set={path}, which is not "
            "there"
        )
    else:
        names = sorted(each.name for each in frames.iterdir() if each.is_dir())
        print(f"no {path}: all {len(names)} sequences in {frames} are taken")
    if not names:
        raise FileNotFoundError(
            f"Expected a folder of frames for each sequence. Received: none in "
            f"{path if path.is_file() else frames}"
        )
    return names


@dataclasses.dataclass(frozen=True)
class Sequence:
    """A video.

    Attributes:
        name: Its name.
        source: `Source` of the T frames.
        masks: List of T paths.
        size: (height, width) of frames and masks.
    """

    name: str
    source: data.Source
    masks: list
    size: tuple

    def first(self, number):
        """Its first frames."""
        number = min(number, len(self.masks))
        source = data.Subset(self.source, range(number))
        return dataclasses.replace(self, source=source, masks=self.masks[:number])

    def truths(self):
        """(T, H, W) integers, the labels of all pixels.

        Raises:
            ValueError: If a mask is none, or the first one has no object.
        """
        truths = np.stack([read_mask(path) for path in self.masks])
        only_void = not np.setdiff1d(truths[0], (0, VOID)).size
        truths[truths == VOID] = only_void
        if not truths[0].any():
            raise ValueError(
                "Expected an object, a label above 0, in the first mask of a sequence. Received: "
                f"none in {self.masks[0]}"
            )
        return truths


def open_sequence(protocol, name, frames, masks):
    """Opens a sequence, if every frame has a mask of its name and size.

    Args:
        protocol: `FolderProtocol`.
        name: Name of the sequence.
        frames: Folder of all sequences' frames.
        masks: Folder of all sequences' masks.

    Raises:
        FileNotFoundError: If there are no frames or no masks.
        ValueError: If they don't fit each other.
    """
    source = open_part(protocol, part_of(frames, name))
    folder = part_of(masks, name)
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".png")
    images = [source.path / path for path in source.paths]
    stems = {path.stem for path in images} ^ {path.stem for path in paths}
    if stems or len(images) != len(paths):
        raise ValueError(
            f"Expected a mask for each frame, and no others. Received: {len(images)} frames in "
            f"{source.path} and {len(paths)} masks in {folder}; {min(stems or {'a name'})} is one "
            "without the other"
        )
    if len(paths) < 3:
        raise ValueError(
            f"Expected a sequence of three frames or more. Received: {len(paths)} in {folder}"
        )
    size = size_of(images[0])
    for path in (*images, *paths):
        if size_of(path) != size:
            raise ValueError(
                "Expected all frames and masks of a sequence to be of one size. Received: "
                f"{path} of {' x '.join(map(str, size_of(path)))} pixels, beside "
                f"{images[0]} of {' x '.join(map(str, size))}"
            )
    sequence = Sequence(name, source, paths, size)
    dataclasses.replace(sequence, masks=paths[:1]).truths()  # Refused before minutes of work.
    return sequence
