"""The facts about an exported backbone that its SavedModel can't tell."""

import dataclasses
import json

from keras_adasim.backbones.stored_backbone import METADATA_NAME, read_json
from keras_adasim.files import expand, write_file


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What a reader needs to know of an exported backbone; stands beside `saved_model.pb`.

    Attributes:
        image_size: Side of the square, in pixels, that images are resized to.
        channels: Channels of the images, C.
        feature_dim: Size of `features`, D.
        mean: C means that images are normalized with, on the scale from 0 to 1.
        std: C standard deviations.
        last_blocks: Blocks whose class tokens the endpoint `intermediate` gives; 0 without one.
        attention: Whether there is an endpoint `attention`.
        trainable_variables: Paths of the trainable variables, in the SavedModel's order.
        non_trainable_variables: Paths of the others.
        value_range: Values of images with more than 8 bits that become 0 and 255, `(low, high)` or
            C low ones and C high ones; None if there were none.
        not_stored_because: Why the folder has no `backbone.keras`, from which training goes on;
            `None` if it has one.
    """

    image_size: int
    channels: int
    feature_dim: int
    mean: tuple
    std: tuple
    last_blocks: int
    trainable_variables: tuple
    non_trainable_variables: tuple
    not_stored_because: str | None = None
    value_range: tuple | None = None
    attention: bool = False

    def write(self, folder):
        """Writes the file into the SavedModel's folder."""
        text = json.dumps(dataclasses.asdict(self), indent=1)
        write_file(expand(folder) / METADATA_NAME, text + "\n")

    @classmethod
    def read(cls, folder):
        """Reads the file of an exported backbone.

        Args:
            folder: What `export_backbone` wrote.

        Raises:
            FileNotFoundError: If there is no such folder.
            ValueError: If the folder isn't a SavedModel, or not one of `export_backbone`.
        """
        folder = expand(folder)
        if not folder.is_dir():
            raise FileNotFoundError(
                "Expected `path` to be a folder that `export_backbone` wrote. Received: "
                f"path={str(folder)!r}, which is {'a file' if folder.exists() else 'not there'}. "
                "Check the spelling, or export a backbone to it."
            )
        for name, kind in (("saved_model.pb", "a SavedModel"), (METADATA_NAME, "one of ours")):
            if not (folder / name).is_file():
                raise ValueError(
                    f"Expected a folder that `export_backbone` wrote. Received: {str(folder)!r}, "
                    f"which is not {kind}: it holds no {name}. "
                    "Export the backbone with `keras_adasim.export.export_backbone`."
                )
        known = [field.name for field in dataclasses.fields(cls)]
        facts = read_json(folder / METADATA_NAME)
        # A later version may know more.
        try:
            return cls(**{name: value for name, value in facts.items() if name in known})
        except (AttributeError, TypeError) as error:
            raise ValueError(
                f"Expected {METADATA_NAME} to tell {', '.join(known)}. Received: {error}, in "
                f"path={str(folder)!r}. Export the backbone again."
            ) from error
