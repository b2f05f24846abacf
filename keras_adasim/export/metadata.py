"""The facts about an exported backbone that its SavedModel can't tell."""

import dataclasses
import json
import pathlib

FILE_NAME = "keras_adasim.json"


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What a reader needs to know of an exported backbone; stands beside `saved_model.pb`.

    Attributes:
        image_size: side of the square, in pixels, that images are resized to.
        channels: channels of the images.
        feature_dim: size of `features`, D.
        mean: C means that images are normalised with, on the scale from 0 to 1.
        std: C standard deviations.
        last_blocks: blocks whose class tokens the endpoint `intermediate` gives; 0 without one.
        trainable_variables: paths of the trainable variables, in the SavedModel's order.
        non_trainable_variables: paths of the others.
    """

    image_size: int
    channels: int
    feature_dim: int
    mean: tuple
    std: tuple
    last_blocks: int
    trainable_variables: tuple
    non_trainable_variables: tuple

    def write(self, folder):
        """Writes the file into the SavedModel's folder."""
        text = json.dumps(dataclasses.asdict(self), indent=1)
        (pathlib.Path(folder) / FILE_NAME).write_text(text + "\n")

    @classmethod
    def read(cls, folder):
        """Reads the file of an exported backbone.

        Raises:
            FileNotFoundError: there is no such folder.
            ValueError: the folder isn't a SavedModel, or not one of `export_backbone`.
        """
        folder = pathlib.Path(folder)
        if not folder.is_dir():
            raise FileNotFoundError(
                f"Expected a folder that `export_backbone` wrote. Received: {str(folder)!r}, which "
                f"is {'a file' if folder.exists() else 'not there'}. "
                "Check the spelling, or export a backbone to it."
            )
        for name, kind in (("saved_model.pb", "a SavedModel"), (FILE_NAME, "one of ours")):
            if not (folder / name).is_file():
                raise ValueError(
                    f"Expected a folder that `export_backbone` wrote. Received: {str(folder)!r}, "
                    f"which is not {kind}: it holds no {name}. "
                    "Export the backbone with `keras_adasim.export.export_backbone`."
                )
        return cls(**json.loads((folder / FILE_NAME).read_text()))
