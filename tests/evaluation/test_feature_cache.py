import os

import keras
import numpy as np
import pytest

from keras_adasim.data import ArraySource, ImageFolder, Subset
from keras_adasim.evaluation import FeatureCache
from keras_adasim.evaluation.feature_cache import feature_key, weights_fingerprint

FEATURES = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.fixture
def said():
    return []


@pytest.fixture
def cache(tmp_path, said):
    return FeatureCache(tmp_path / "features", said.append)


def never():
    raise AssertionError("computed again")


def test_what_was_computed_once_is_read(cache, said):
    assert cache.get("a", lambda: FEATURES, rows=4) is FEATURES
    np.testing.assert_array_equal(cache.get("a", never, rows=4), FEATURES)
    assert said == [f"4 features from the cache: {cache.folder / 'a.npz'}"]
    np.testing.assert_array_equal(cache.get("b", lambda: FEATURES + 1, rows=4), FEATURES + 1)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "rows"])
def test_a_damaged_file_is_named_and_computed_again(cache, said, damage):
    cache.get("a", lambda: FEATURES, rows=4)
    path = cache.path("a")
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[content.index(FEATURES.tobytes()) + 5] ^= 1
    parts = {"cut": content[:-30], "empty": b""}
    path.write_bytes(parts.get(damage, content))
    rows = 5 if damage == "rows" else 4
    again = np.ones((rows, 3), np.float32)
    assert cache.get("a", lambda: again, rows) is again
    assert said[0].startswith(f"{path} is damaged and computed again")
    np.testing.assert_array_equal(cache.get("a", never, rows), again)


def test_the_folder_stays_within_its_bound(tmp_path, said):
    """Those used longest ago go first; what is too large for all is not kept."""
    cache = FeatureCache(tmp_path, said.append, most_bytes=600)
    for time, key in enumerate("abc"):
        cache.get(key, lambda: FEATURES, rows=4)
        if cache.path(key).exists():
            os.utime(cache.path(key), (time, time))
        if key == "b":
            cache.get("a", never, rows=4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "c.npz"]
    cache.get("d", lambda: np.zeros((300, 1)), rows=300)
    assert not cache.path("d").exists()
    assert said[-1].startswith("1,200 bytes of features are not kept")


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path, said):
    (tmp_path / "file").write_text("")
    cache = FeatureCache(tmp_path / "file", said.append)
    np.testing.assert_array_equal(cache.get("a", lambda: FEATURES, rows=4), FEATURES)
    assert said[0].startswith("features are not kept: ")
    assert FeatureCache(None).get("a", lambda: FEATURES, rows=4) is FEATURES


def test_a_key_depends_on_backbone_images_and_transform(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 3), np.uint8)
    source = ArraySource(images)
    key = feature_key("a", source, {"size": 4, "took": "features"})
    assert key == feature_key("a", ArraySource(images.copy()), {"took": "features", "size": 4})
    others = [
        feature_key("b", source, {"size": 4, "took": "features"}),
        feature_key("a", source, {"size": 5, "took": "features"}),
        feature_key("a", ArraySource(images[::-1]), {"size": 4, "took": "features"}),
        feature_key("a", Subset(source, [0, 1]), {"size": 4, "took": "features"}),
    ]
    assert len({key, *others}) == 5
    for name in "ab":
        keras.utils.save_img(tmp_path / f"{name}.png", images[0])
    before = feature_key("a", ImageFolder(tmp_path), {})
    assert before == feature_key("a", ImageFolder(tmp_path), {})
    os.utime(tmp_path / "a.png", (1, 1))
    assert before != feature_key("a", ImageFolder(tmp_path), {})


def test_a_fingerprint_depends_on_every_weight():
    layer = keras.layers.Dense(3)
    layer.build((None, 4))
    before = weights_fingerprint(layer.variables, 32)
    assert before == weights_fingerprint(layer.variables, 32)
    assert before != weights_fingerprint(layer.variables, 64)
    layer.bias.assign([0.0, 0.0, 1e-7])
    assert before != weights_fingerprint(layer.variables, 32)


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"`source` to be a `data.Source`.*source=3"):
        feature_key("a", 3, {})
    with pytest.raises(ValueError, match=r"`say` to be a function.*say=3"):
        FeatureCache("x", say=3)
    with pytest.raises(ValueError, match=r"`folder` to be a path.*folder=3"):
        FeatureCache(3)
