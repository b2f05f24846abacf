import numpy as np
import pytest

from keras_adasim import data
from keras_adasim.commands.folder_protocol import places_of, shares_of_quick


class Named(data.Source):
    """Images that are names alone."""

    path = "here"

    def __init__(self, *names):
        self.keys = data.Keys(names)

    def __len__(self):
        return len(self.keys)


def test_names_with_and_without_ending_and_folder():
    source = Named("a.jpg", "a.png", "x/b.jpg", "y/b.jpg", "y/c.jpg", "c.jpg")
    names = ["a.png", "a.jpg", "x/b", "y/b.jpg", "c.jpg", "y/c"]
    assert places_of(source, names, "list") == [1, 0, 2, 3, 5, 4]
    for name, why in (("a", "several images have"), ("b", "several"), ("d", "no image has")):
        with pytest.raises(ValueError, match=f"list .* in here.* '{name}', which {why}"):
            places_of(source, ["a.png", name], "list")


def test_two_thirds_belong_to_a_query():
    for listed, others, number in ((50, 50, 20), (4, 50, 4), (50, 2, 28), (50, 0, 30)):
        rng = np.random.default_rng(0)
        drawn = shares_of_quick(range(listed), range(100, 100 + others), 30, rng)
        assert drawn == sorted(set(drawn))
        assert len(drawn) == min(30, listed + others)
        assert sum(each < 100 for each in drawn) == number
