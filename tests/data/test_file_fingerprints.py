import os
import shutil

import numpy as np

from keras_adasim.data import file_fingerprints as module
from keras_adasim.data.file_fingerprints import SIZE, SIZE_AND_TIME, file_fingerprints


def test_a_moved_file_a_copy_and_a_change_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_FILES_AT_ONCE", 2)
    paths = [tmp_path / name for name in "abcde"]
    for path in paths:
        path.write_bytes(b"image")
        os.utime(path, ns=(1, 1))
    before = file_fingerprints(paths)
    assert len(set(before)) == 5  # Of the same size and time, but other files.
    assert len(set(before & SIZE_AND_TIME)) == 1
    paths[0] = paths[0].rename(tmp_path / "z")
    shutil.copy2(paths[1], tmp_path / "copy")
    os.replace(tmp_path / "copy", paths[1])
    os.utime(paths[2], ns=(2, 2))
    paths[3].write_bytes(b"another image")
    paths[4].unlink()
    now = file_fingerprints(paths)
    assert now[0] == before[0]
    same = {part: list((now & part) == (before & part)) for part in (SIZE, SIZE_AND_TIME)}
    assert same[SIZE_AND_TIME] == [True, True, False, False, False]
    assert same[SIZE] == [True, True, True, False, False]
    assert now[1] != before[1]
    assert now[4] == 0
    assert file_fingerprints([]).dtype == np.uint64
