"""`keras-adasim check`: which files of a folder are sound images, and of what kinds."""

import sys
import time

import numpy as np
from absl import flags

from keras_adasim import data
from keras_adasim.commands.running import run
from keras_adasim.data.listing import named_suffixes, printable
from keras_adasim.data.looking import HOW
from keras_adasim.data.tar_source import in_archives
from keras_adasim.validation import renamed

DESCRIPTION = """
Looks at all images of a folder, as `pretrain` does before its first step:

    keras-adasim check --data_dir=photos

prints a table by kind, and every bad file with what is wrong; the exit status is 1 if there is any.
Bits that flipped and decode cleanly can't be seen; with --look=headers, which reads headers and
ends alone, no other damage within a file can.
"""
HEADER = ("format", "mode", "bits", "files", "height", "width", "turned")


def main(argv=None, program="check"):
    """Reads the flags and looks."""
    run(program, DESCRIPTION, define, start, argv, required=("data_dir",))


def define(values):
    """Defines the flags."""
    text = "Folder of images, archives or .npy files, with all below it. Several times for several."
    flags.DEFINE_multi_string("data_dir", None, text, flag_values=values)
    text = "full decodes all images, headers reads headers and ends; auto: full within 3 minutes."
    flags.DEFINE_enum("look", "auto", HOW, text, flag_values=values)
    text = "Channels: 3, 1 for gray, or those of the .npy files."
    flags.DEFINE_integer("channels", 3, text, flag_values=values)


def start(values):
    """Looks with parsed flags; ends the process with status 1 if a file is bad."""
    with renamed(path="data_dir"):
        sources = [data.open_folder(path, values.channels) for path in values.data_dir]
    bad = sum([check(source, values.look) for source in sources])
    if bad:
        sys.exit(1)


def check(source, how="auto"):
    """Looks at a folder and prints what was seen.

    Args:
        source: `ImageFolder`, `TarSource` or `ArrayFolder`.
        how: As for `data.look_at`.

    Returns:
        Number of bad files.
    """
    start = time.monotonic()
    looks = data.look_at(source, how, say=print)
    took = time.monotonic() - start
    bad = {**source.left_out, **{source.paths[i]: why for i, why in looks.reasons.items()}}
    print(
        f"{printable(source.path)}: {len(source)} files{in_archives(source)} looked at in "
        f"{took:.1f} s",
        "",
        *table(looks),
        "",
        *remarks(looks, source),
        f"bad: {len(bad)}" if bad else "no file is bad",
        *(f"  {printable(path)}: {why}" for path, why in sorted(bad.items())),
        sep="\n",
        flush=True,
    )
    return len(bad)


def table(looks):
    """Lines of a table of the kinds: how many, of which sizes, how many turned by EXIF."""
    kinds = {}
    for kind, indices in looks.by_kind():
        kinds.setdefault(kind[:3], []).append((kind.orientation, indices))
    rows = [HEADER]
    for kind, parts in kinds.items():
        indices = np.concatenate([indices for _, indices in parts])
        turned = sum(len(indices) for orientation, indices in parts if orientation != 1)
        sizes = spread(looks.height[indices]), spread(looks.width[indices])
        rows.append((*kind, len(indices), *sizes, turned))
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    ]


def spread(numbers):
    """`min/median/max` of whole numbers."""
    return f"{numbers.min()}/{np.median(numbers):.0f}/{numbers.max()}"


def remarks(looks, source):
    """What else there is to say: what is left out, dropped, and not seen."""
    lines = []
    if source.others:
        lines.append(f"left out by suffix: {named_suffixes(source.others)}")
    if looks.num_with_alpha:
        lines.append(f"with an alpha channel, which is dropped: {looks.num_with_alpha}")
    by_header = np.count_nonzero(~looks.full & (looks.kind >= 0))
    if by_header:
        lines.append(
            f"by header and end alone: {by_header}; damage within those files is "
            "not seen (--look=full)"
        )
    return lines
