import pytest

from keras_adasim import pairing
from keras_adasim.pairing import registry


@pytest.mark.parametrize(
    ("name", "arguments", "cls"),
    [
        ("self", {}, pairing.SelfPairing),
        ("nearest", {"num_images": 5, "topk": 2}, pairing.NearestNeighbor),
        ("adasim", {"num_images": 5, "temperature": 0.1}, pairing.AdaptiveWindow),
        ("oracle", {"labels": [1, 2, 1], "seed": 3}, pairing.LabelOracle),
    ],
)
def test_names(name, arguments, cls):
    built = pairing.get(name, **arguments)
    assert type(built) is cls
    assert pairing.get(built) is built
    config = pairing.serialize(built)
    assert config["class_name"] == name
    restored = pairing.get(config)
    assert type(restored) is cls
    assert restored.get_config() == built.get_config()


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ValueError, match=r"one of .*'adasim', 'nearest', 'oracle', 'self'"):
        pairing.get("dino")
    with pytest.raises(ValueError, match="Received: identifier='dino'"):
        pairing.deserialize({"class_name": "dino", "config": {}})


@pytest.mark.parametrize("identifier", [None, 3, {"class_name": "self"}])
def test_other_identifiers_are_refused(identifier):
    with pytest.raises(ValueError, match="`identifier` to be a name, a pairing, or a dict"):
        pairing.get(identifier)


def test_arguments_beside_a_pairing_are_refused():
    with pytest.raises(ValueError, match="no further arguments"):
        pairing.get(pairing.SelfPairing(), seed=1)


def test_a_pairing_of_ones_own(monkeypatch):
    monkeypatch.setattr(registry, "_PAIRINGS", dict(registry._PAIRINGS))

    class NextImage(pairing.Pairing):
        def _draw(self, indices):
            return (indices + 1) % self.num_images

    with pytest.raises(ValueError, match="registered class"):
        pairing.serialize(NextImage(4))
    pairing.register("next")(NextImage)
    built = pairing.get("next", num_images=4)
    assert built.partners([3, 0]).tolist() == [0, 1]
    assert built.statistics() == {"partner_is_self": 0.0}
    assert type(pairing.deserialize(pairing.serialize(built))) is NextImage


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="taken by"):
        pairing.register("self")(pairing.LabelOracle)
    with pytest.raises(TypeError, match="subclass of `Pairing`"):
        pairing.register("int")(int)
