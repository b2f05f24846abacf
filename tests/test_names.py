import os

import numpy as np
import pytest

from keras_adasim.keys import Keys
from keras_adasim.names import Names

NAMES = ["b", "", "a\0", os.fsdecode(b"caf\xe9.png"), "b", "\N{SNOWMAN}"]


def test_names_are_a_sequence_of_strings_that_may_be_equal():
    names = Names(NAMES)
    assert names == NAMES == list(names) == [names[i] for i in range(len(names))]
    assert names[-1] == NAMES[-1]
    assert names[1:4] == NAMES[1:4]
    assert names[::-2] == NAMES[::-2]
    assert names[np.array([5, -6])] == [NAMES[5], NAMES[0]]
    assert names[np.array(NAMES) == "b"] == ["b", "b"]
    assert names != NAMES[1:]
    assert names != Names(["x", *NAMES[1:]])
    assert repr(names[:2]) == "<2 names: 'b', ''>"
    assert len(Names([])) == 0
    with pytest.raises(IndexError):
        names[6]


def test_what_is_taken_is_written_and_read_again():
    names = Names(NAMES)
    for some in (names, names[:0], names[1:], names[[4, 2]], names[[5, 4, 3, 1]][1:]):
        arrays = some.to_arrays("p_")
        assert Names.from_arrays(arrays, "p_") == list(some)
        assert len(arrays["p_bytes"]) == arrays["p_offsets"][-1]


def test_keys_share_the_bytes_of_names():
    names = Names(NAMES[:4])
    keys = Keys(names)
    most = keys[[3, 0, 1]]
    copy = names.to_arrays()["bytes"].copy()
    names.lay_in(copy)
    assert all(np.shares_memory(each._bytes, copy) for each in (names, keys, most))
    assert not np.shares_memory(keys[[1]]._bytes, copy)  # Few don't keep all in memory.
    assert most == [NAMES[3], NAMES[0], NAMES[1]]
    with pytest.raises(ValueError, match="Expected `array` to have the"):
        names.lay_in(copy[1:])
