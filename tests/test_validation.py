import numpy as np
import pytest

from keras_adasim.validation import check_integer


@pytest.mark.parametrize("value", [3, np.int32(3), np.uint8(3)])
def test_counts(value):
    assert check_integer("k", value) == 3
    assert type(check_integer("k", value)) is int


@pytest.mark.parametrize("value", [0, True, np.True_, 1.0, "1", None])
def test_no_counts(value):
    with pytest.raises(ValueError, match=r"Expected `k` to be a positive integer\. Received: k="):
        check_integer("k", value)
