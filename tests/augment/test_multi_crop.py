import keras
import pytest

from keras_adasim.augment import MultiCrop


def test_views_are_two_global_ones_and_the_local_ones():
    crops = MultiCrop(224, (0.3, 1.0), 96, (0.05, 0.3), num_local=2)
    assert crops.num_views == 4
    assert crops.sizes == (224, 224, 96, 96)
    assert crops.scales == ((0.3, 1.0), (0.3, 1.0), (0.05, 0.3), (0.05, 0.3))


def test_config_makes_an_equal_geometry():
    crops = MultiCrop(32, (0.2, 0.9), 16, (0.1, 0.2), 3, (0.5, 2.0))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(crops))
    assert again.get_config() == crops.get_config()
    assert repr(crops) == repr(again)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"global_size": 0}, "global_size"),
        ({"local_size": 1.5}, "local_size"),
        ({"global_scale": (0.0, 1.0)}, "global_scale"),
        ({"local_scale": (0.5, 0.4)}, "local_scale"),
        ({"num_local": -1}, "num_local"),
        ({"ratio": (0.0, 1.0)}, "ratio"),
    ],
)
def test_bad_arguments_are_named(changes, match):
    with pytest.raises(ValueError, match=f"Expected `{match}`"):
        MultiCrop(**{"global_size": 32, **changes})
