"""Files that can't be read, left out of what a command looks at: named, and counted."""

import hashlib
import time

import numpy as np

from keras_adasim import data
from keras_adasim.data.looking import HOW
from keras_adasim.pretraining.first_look import named, say

# A look that takes longer, in seconds, is remembered.
WORTH_KEEPING = 1.0
LOOKS = (*HOW, "no")
LOOK_HELP = (
    "First look at the files, of which bad ones are left out: full decodes them, headers reads "
    "headers and ends; auto is full where that takes no more than 3 minutes."
)


def sound_images(source, what, how="auto", folder=None):
    """Leaves bad files out, as `pretrain` does, and says which.

    Args:
        source: `Source`.
        what: What the images are, for the screen.
        how: As for `data.look_at`, or "no".
        folder: Where looks are remembered, so that the next one looks only at what has changed;
            None remembers nothing.

    Returns:
        Tuple of the source itself if all can be read, else a `Subset` of those that can, and a dict
        of the keys of the others to what is wrong.

    Raises:
        ValueError: If none can.
    """
    if how == "no":
        return source, {}
    path = None if folder is None else folder / f"{_name(source)}.npz"
    begin = time.monotonic()
    looks = data.look_at(source, how, path and data.Looks.read(path), say=say)
    _remember(looks, path, time.monotonic() - begin)
    if looks is not None and looks.num_with_alpha:
        say(
            f"{looks.num_with_alpha} of {len(source)} {what} have an alpha channel, which is "
            f"dropped: the network takes {source.channels} channels"
        )
    if looks is None or not len(looks.bad):
        return source, {}
    count = f"{len(looks.bad)} of {len(source)} {what} can't be read"
    if len(looks.bad) == len(source):
        raise ValueError(
            "Expected `data_dir` with images that can be read. Received: "
            f"{count}: {named(source, looks.reasons)}"
        )
    say(f"{count} and are left out: {named(source, looks.reasons)}")
    left_out = {source.keys[index]: why for index, why in looks.reasons.items()}
    return data.Subset(source, np.setdiff1d(np.arange(len(source)), looks.bad)), left_out


def _name(source):
    """A name for the looks at these images."""
    return hashlib.sha256(np.ascontiguousarray(source.keys.hashes())).hexdigest()[:16]


def _remember(looks, path, seconds):
    if looks is not None and path is not None and seconds > WORTH_KEEPING:
        try:
            looks.write(path)
        except OSError as error:
            say(f"{path} was not written: {error}")
