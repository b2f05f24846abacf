import numpy as np
import pytest

from keras_adasim.pairing import LabelOracle

LABELS = np.random.default_rng(0).choice([3, -1, 70, 5], 4000)


def test_partners_share_the_label():
    partners = LabelOracle(LABELS).partners(np.arange(4000))
    np.testing.assert_array_equal(LABELS[partners], LABELS)


def test_every_image_of_the_label_is_as_likely_the_image_itself_included():
    pairing = LabelOracle(np.array([0, 1, 0, 0, 1]))
    counts = np.zeros(5)
    for _ in range(3000):
        counts[pairing.partners([2])[0]] += 1
        pairing.push()
    assert counts[[1, 4]].sum() == 0
    assert (np.abs(counts[[0, 2, 3]] - 1000) < 5 * (3000 * 2 / 9) ** 0.5).all()


def test_equal_until_the_next_push_and_fresh_after_it():
    pairing = LabelOracle(LABELS, seed=4)
    first = pairing.partners(np.arange(4000))
    np.testing.assert_array_equal(pairing.partners(np.arange(4000)[::-1]), first[::-1])
    pairing.push(None, None)
    assert (pairing.partners(np.arange(4000)) != first).mean() > 0.9


def test_the_seed_matters():
    first = LabelOracle(LABELS, seed=0).partners(np.arange(4000))
    assert (LabelOracle(LABELS, seed=1).partners(np.arange(4000)) != first).mean() > 0.9


def test_the_only_image_of_its_label_is_its_own_partner():
    assert LabelOracle([7, 8, 9]).partners([0, 1, 2]).tolist() == [0, 1, 2]


def test_labels_travel_in_the_state_and_not_in_the_config():
    pairing = LabelOracle(LABELS, seed=2)
    config = pairing.get_config()
    assert config == {"num_images": 4000, "seed": 2}
    restored = LabelOracle.from_config(config)
    np.testing.assert_array_equal(restored.partners(np.arange(4000)), np.arange(4000))
    restored.set_state(pairing.get_state())
    np.testing.assert_array_equal(
        restored.partners(np.arange(4000)), pairing.partners(np.arange(4000))
    )


@pytest.mark.parametrize("labels", [[], [[1]], [0.5], None, ["a"]])
def test_wrong_labels_are_refused(labels):
    with pytest.raises(ValueError, match="`labels` to be a non-empty vector of integers"):
        LabelOracle(labels)
