import numpy as np
import pytest

from keras_adasim.evaluation.diverse_subset import k_center, typical

RNG = np.random.default_rng(0)


def _slow_k_center(features, n):
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    chosen = [int(np.argmax(unit @ unit.mean(axis=0)))]
    while len(chosen) < n:
        left = [i for i in range(len(unit)) if i not in chosen]
        chosen.append(max(left, key=lambda i: min(1 - unit[i] @ unit[j] for j in chosen)))
    return chosen


def test_k_center_equals_the_slow_version():
    features = RNG.normal(size=(40, 5)).astype(np.float32) * RNG.uniform(1, 9, (40, 1))
    assert list(k_center(features, 12)) == _slow_k_center(features, 12)
    assert sorted(k_center(features, 40)) == list(range(40))


def test_k_center_takes_each_once_of_equal_ones():
    assert sorted(k_center(np.ones((5, 3)), 5)) == list(range(5))
    assert list(k_center([[1.0, 0.0]], 1)) == [0]


def test_typical_images_are_the_middle_of_each_kind():
    kinds = RNG.permutation(np.repeat([0, 1, 2], [30, 20, 10]))
    features = np.eye(3)[kinds] + RNG.normal(size=(60, 3)) * 0.1
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    # The image itself adds the same to all.
    means = np.sort(unit @ unit.T, axis=1)[:, -6:].mean(axis=1)
    expected = [np.argmax(np.where(kinds == kind, means, -1)) for kind in range(3)]
    assert list(typical(features, 3, k=5)) == expected
    assert list(typical(features[:1], 1)) == [0]
    np.testing.assert_array_equal(typical(features, 20), typical(features, 20))
    assert len(set(typical(features, 20))) == 20


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
@pytest.mark.parametrize("choose", [k_center, typical])
def test_wrong_arguments(choose):
    with pytest.raises(ValueError, match=r"`n` to be at most 4.*n=5"):
        choose(np.ones((4, 2)), 5)
    with pytest.raises(ValueError, match=r"`features` to be finite"):
        choose(np.full((4, 2), np.inf), 2)
    with pytest.raises(ValueError, match=r"`n` to be at most 1, as many as images differ"):
        typical(np.ones((4, 2)), 2)
