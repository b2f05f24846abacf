import pytest

from keras_adasim.optimizers import scale_learning_rate


def test_in_proportion_to_the_batch():
    assert scale_learning_rate(5e-4, 1024) == pytest.approx(2e-3)
    assert scale_learning_rate(0.1, 128, reference=512) == pytest.approx(0.025)


def test_empty_batches_are_refused():
    with pytest.raises(ValueError, match=r"`batch_size` .* Received: batch_size=0"):
        scale_learning_rate(0.1, 0)
