import json

import numpy as np
import pytest

from keras_adasim.evaluation.shards import write_arrays, write_shards

FEATURES = np.arange(35, dtype=np.float32).reshape(7, 5)


def _write(folder, about="first", asked=None, **arguments):
    def arrays_of(indices):
        if asked is not None:
            asked.append(list(indices))
        names = np.array([f"{i}.png" for i in indices])
        return {"features": FEATURES[indices], "paths": names}

    return list(write_shards(7, arrays_of, folder, {"about": about}, 3, **arguments))


def test_what_was_begun_goes_on(tmp_path):
    """Files that are there are left alone, and those that aren't are written."""
    out, asked = tmp_path / "out", []
    files = [path for path, is_new in _write(out, asked=asked) if is_new]
    assert asked == [[0, 1, 2], [3, 4, 5], [6]]
    assert [path.name for path in files] == ["00000.npz", "00001.npz", "00002.npz"]
    features = np.concatenate([np.load(path)["features"] for path in files])
    np.testing.assert_array_equal(features, FEATURES)
    assert json.loads((out / "embed.json").read_text())["number"] == 7
    files[1].unlink()
    asked.clear()
    assert [is_new for _, is_new in _write(out, asked=asked)] == [False, True, False]
    assert asked == [[3, 4, 5]]


def test_other_features_are_not_mixed_with_what_was_begun(tmp_path):
    out = tmp_path / "out"
    _write(out)
    with pytest.raises(FileExistsError, match=r"begun with others.*`overwrite`"):
        _write(out, "second")
    assert all(is_new for _, is_new in _write(out, "second", overwrite=True))
    (out / "photo.png").write_text("")
    with pytest.raises(FileExistsError, match="holds other files"):
        _write(out, "third", overwrite=True)
    assert (out / "photo.png").exists()


def test_parquet_keeps_shapes(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    tokens = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    arrays = {"features": FEATURES[:2], "tokens": tokens, "paths": np.array(["a", "b"])}
    write_arrays(tmp_path / "x.parquet", arrays)
    table = parquet.read_table(tmp_path / "x.parquet")
    assert table["paths"].to_pylist() == ["a", "b"]
    assert table["features"].to_pylist() == FEATURES[:2].tolist()
    shape = json.loads(table.schema.field("tokens").metadata[b"shape"])
    np.testing.assert_array_equal(np.reshape(table["tokens"].to_pylist(), (2, *shape)), tokens)
    files = _write(tmp_path / "out", form="parquet")
    assert [path.suffix for path, _ in files] == [".parquet"] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"number": 0}, "number=0"),
        ({"shard_size": 0}, "shard_size=0"),
        ({"form": "csv"}, "form='csv'"),
        ({"arrays_of": 3}, "arrays_of=3"),
    ],
)
def test_wrong_arguments(tmp_path, arguments, message):
    right = {"number": 3, "arrays_of": lambda indices: {}, "folder": tmp_path / "x", "about": {}}
    with pytest.raises(ValueError, match=message):
        list(write_shards(**{**right, **arguments}))
    assert not (tmp_path / "x").exists()
