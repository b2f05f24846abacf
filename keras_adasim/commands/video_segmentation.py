"""`keras-adasim video_segmentation`: objects followed through videos by their patches, as DAVIS."""

import numpy as np
from absl import flags

from keras_adasim.commands.folder_protocol import (
    define,
    folder_of,
    open_folder_protocol,
    part_of,
)
from keras_adasim.commands.running import run
from keras_adasim.commands.table import percent, table
from keras_adasim.commands.video_sequences import of_resolution, open_sequence, sequence_names
from keras_adasim.evaluation import error_of_mean
from keras_adasim.evaluation.video_segmentation import propagate_labels, video_scores
from keras_adasim.pretraining.results import finite
from keras_adasim.validation import check_integer, check_number

DESCRIPTION = """
Video object segmentation by patch features alone, as on DAVIS:

    keras-adasim video_segmentation --backbone=runs/photos --data_dir=DAVIS

The labels of the first frame follow the most similar patches, among those of the first and the last
--last_frames frames within a --radius, through the video. J is the overlap of each object with the
truth, F how well the outlines agree; the first frame, which is given, and the last one don't count.
The folder of the data is that of DAVIS 2017 (or 2016), as it is unpacked:

    JPEGImages/480p/SEQUENCE/00000.jpg   frames, all of one size
    Annotations/480p/SEQUENCE/00000.png  a mask for each frame: PNGs with a palette, or gray, whose
                                         values are labels; 0 is the background
    ImageSets/2017/val.txt               names of the sequences; without it all of them are taken

In masks of 0 and 255 alone 255 is an object; beside other labels it is background. Frames keep the
ratio of their sides: the shorter one is made --image_size, the other one is rounded down to whole
patches. Features are kept beside the backbone, in `features/`. Errors are those of a mean over
objects.
"""
# DINO's frames have a shorter side of 480 pixels.
OFFICIAL_SIZE = 480
QUICK_SEQUENCES, QUICK_FRAMES = 3, 15


def main(argv=None, program="video_segmentation"):
    """Reads the flags and evaluates."""
    run(program, DESCRIPTION, define_flags, start, argv, required=("backbone", "data_dir"))


def define_flags(values):
    """Defines the flags."""
    define(values, OFFICIAL_SIZE, "Shorter side")
    text = "Folder of the frames, within JPEGImages/, and of the masks, within Annotations/."
    flags.DEFINE_string("resolution", "480p", text, flag_values=values)
    text = "File with the names of the sequences; ImageSets/2017/val.txt by default."
    flags.DEFINE_string("image_set", None, text, flag_values=values)
    for name, default, text in (
        ("last_frames", 7, "How many frames before it a frame looks at, beside the first."),
        ("radius", 12, "How many patches away a similar patch may be."),
        ("topk", 5, "How many similar patches count."),
    ):
        flags.DEFINE_integer(name, default, text, flag_values=values)
    text = "The smaller, the more the most similar patch counts."
    flags.DEFINE_float("temperature", 0.1, text, flag_values=values)
    text = (
        f"A first answer: {QUICK_SEQUENCES} sequences, drawn once, and the first {QUICK_FRAMES} "
        "frames of each. Easier than the whole."
    )
    flags.DEFINE_bool("quick", False, text, flag_values=values)


def start(values):
    """Evaluates with parsed flags."""
    check_integer("last_frames", values.last_frames, minimum=0)
    check_integer("radius", values.radius, minimum=0)
    check_integer("topk", values.topk)
    check_number("temperature", values.temperature, above=0)
    folder = folder_of(values.data_dir)
    frames, masks = (
        of_resolution(part_of(folder, name), values.resolution)
        for name in ("JPEGImages", "Annotations")
    )
    names = sequence_names(folder, frames, values.image_set)
    protocol, size = open_folder_protocol("video_segmentation", values, OFFICIAL_SIZE)
    protocol.backbone.check_tokens()
    if values.quick:
        drawn = np.random.default_rng(values.seed).permutation(len(names))[:QUICK_SEQUENCES]
        names = [names[place] for place in sorted(drawn)]
    sequences = [open_sequence(protocol, name, frames, masks) for name in names]
    if values.quick:
        sequences = [each.first(QUICK_FRAMES) for each in sequences]
    follow = Follow(protocol, size)
    for sequence in sequences:
        protocol.backbone.check_sides(*follow.sides(*sequence.size))
    evaluate(protocol, sequences, follow)


class Follow:
    """Carries labels through videos.

    Args:
        protocol: `FolderProtocol`.
        size: Shorter side of the frames in pixels.
    """

    def __init__(self, protocol, size):
        self.protocol, self.size = protocol, size

    def sides(self, height, width):
        """The sides of a frame that is looked at."""
        backbone, size = self.protocol.backbone, self.size
        if backbone.fixed_size:
            return size, size
        patch = backbone.patch_side
        longer = max(height, width) * size // min(height, width) // patch * patch
        return (size, longer) if height <= width else (longer, size)

    def __call__(self, sequence, truth):
        """Labels (T, H, W) of a sequence, from the first mask of its truth."""
        flags, backbone = self.protocol.settings, self.protocol.backbone
        features = self.protocol.looked(
            sequence.source,
            sequence.name,
            self.sides,
            lambda images: backbone.look(images)["tokens"],
            {"shorter_side": self.size, "took": "tokens"},
        )
        names = "last_frames", "radius", "topk", "temperature"
        return propagate_labels(features, truth[0], **{name: flags[name] for name in names})


def evaluate(protocol, sequences, follow):
    """Prints a line for each sequence, and one for all objects.

    Args:
        protocol: `FolderProtocol`.
        sequences: List of `Sequence`.
        follow: `Follow`.

    Returns:
        Dict of what came out.
    """
    told, rows = [], []
    for number, sequence in enumerate(sequences, start=1):
        truths = sequence.truths()
        scores = video_scores(follow(sequence, truths), truths)
        j, f = scores["j"], scores["f"]
        print(
            f"{number}/{len(sequences)} {sequence.name}: J {percent(j.mean())} %, "
            f"F {percent(f.mean())} %",
            flush=True,
        )
        rows.append((sequence.name, len(truths), len(j), *map(percent, means(j, f))))
        told.append(
            {"sequence": sequence.name, "frames": len(truths)}
            | {"objects": scores["objects"].tolist(), "j": j.tolist(), "f": f.tolist()}
        )
    j, f = (np.concatenate([each[name] for each in told]) for name in ("j", "f"))
    both = (j + f) / 2
    errors = [finite(error_of_mean(each)) for each in (j, f, both)]
    last = [percent(*each) for each in zip(means(j, f), errors, strict=True)]
    rows.append(("all", sum(row[1] for row in rows), len(j), *last))
    header = ("sequence", "frames", "objects", "J %", "F %", "J & F %")
    print(*table(header, rows), sep="\n", flush=True)
    results = {"objects": len(j), "j": j.mean(), "f": f.mean(), "j_and_f": both.mean()}
    results |= dict(zip(("j_error", "f_error", "j_and_f_error"), errors, strict=True))
    results |= {"sequences": told}
    protocol.save(results, {each.name: each.source for each in sequences})
    return results


def means(j, f):
    """Means over objects of J, of F and of both."""
    return j.mean(), f.mean(), (j.mean() + f.mean()) / 2
