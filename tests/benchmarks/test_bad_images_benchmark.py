"""The files of the benchmark: every kind once, and what a look finds of them."""

import numpy as np

from benchmarks import bad_images
from keras_adasim import data


def test_every_kind_is_told(tmp_path):
    """Half of them passed in silence, half grey or with 16 levels, or ended a run."""
    kinds = len({*bad_images.SOUND, *bad_images.BAD, *bad_images.LINKS}) + 2
    made = bad_images.make_files(tmp_path, np.random.default_rng(0), kinds)
    assert len({kind for kind, _ in made.values()}) == kinds
    source = data.ImageFolder(tmp_path)
    looks = data.look_at(source, "full")
    found = {source.paths[index] for index in looks.bad} | {*source.left_out}
    bad = {*bad_images.BAD, *bad_images.LINKS}
    for name, (kind, _) in made.items():
        if kind in bad:
            assert name in found or bad_images.decodes_cleanly(tmp_path / name), kind
        elif kind != "one bit":
            assert name not in found, kind
    assert not bad_images.count_wrong(source, made, found)
