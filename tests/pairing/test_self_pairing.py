import pytest

from keras_adasim.pairing import SelfPairing


def test_every_image_is_its_own_partner():
    pairing = SelfPairing()
    assert pairing.num_images is None
    assert pairing.partners([5, 0, 5]).tolist() == [5, 0, 5]
    pairing.push()
    assert pairing.partners([10**9]).tolist() == [10**9]
    assert pairing.statistics() == {"partner_is_self": 1.0}
    assert pairing.get_config() == {}


def test_negative_indices_are_refused():
    with pytest.raises(ValueError, match="non-negative"):
        SelfPairing().partners([-1])
