import numpy as np
import pytest

from keras_adasim.pairing.validation import check_integers, check_similarities


def test_empty_lists_pass_as_integers():
    assert check_integers("i", [], (None,), 3).dtype == np.int64


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_similarities_of_any_float(dtype):
    values = np.array([[1.0, -1.0]], dtype)
    assert check_similarities("s", values, (1, 2)) is values


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 2.0, -2.0])
def test_no_similarities(bad):
    with pytest.raises(ValueError, match="cosine similarity"):
        check_similarities("s", np.array([0.5, bad]), (None,))
