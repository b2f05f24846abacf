import numpy as np

from keras_adasim.pretraining import photographs


def test_photographs_are_cut_without_overlap():
    images, labels = photographs.load_patches(size=24, per_photograph=20)
    assert images.dtype == np.uint8
    assert images.shape[1:] == (24, 24, 3)
    assert set(labels) == set(range(len(photographs.PHOTOGRAPHS)))
    assert len(images) == len(labels)
    np.testing.assert_array_equal(images[..., 0], images[..., 2])


def test_they_are_a_source_with_the_photographs_as_labels(monkeypatch):
    small = photographs.load_patches(size=8, per_photograph=4)
    monkeypatch.setattr(photographs, "load_patches", lambda: small)
    name, source = photographs.as_source()
    assert name == "pretrain_photographs"
    assert len(source) == len(source.labels) == len(small[1])
