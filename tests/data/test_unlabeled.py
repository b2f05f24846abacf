import numpy as np

from keras_adasim.data import ImageFolder
from keras_adasim.data.unlabeled import Unlabeled
from tests.data.image_files import fill_folder


def test_images_and_keys_are_those_of_the_source(tmp_path):
    fill_folder(tmp_path / "cat", suffix=".png")
    folder = ImageFolder(tmp_path)
    source = Unlabeled(folder, "nobody asks")
    assert (source.labels, source.class_names) == (None, None)
    assert source.why_unlabeled == "nobody asks"
    assert source.keys is folder.keys
    np.testing.assert_array_equal(source[1], folder[1])
