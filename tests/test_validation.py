import numpy as np
import pytest

from keras_adasim import validation
from keras_adasim.validation import check_choice, check_integer, check_number, check_range


@pytest.mark.parametrize("value", [3, np.int32(3), np.uint8(3)])
def test_counts(value):
    assert check_integer("k", value) == 3
    assert type(check_integer("k", value)) is int


@pytest.mark.parametrize("value", [0, True, np.True_, 1.0, "1", None])
def test_no_counts(value):
    with pytest.raises(ValueError, match=r"Expected `k` to be a positive integer\. Received: k="):
        check_integer("k", value)


@pytest.mark.parametrize("value", [1, 1.0, np.int32(1), np.float32(1)])
def test_numbers(value):
    assert check_number("x", value, minimum=0, below=2) == 1.0
    assert type(check_number("x", value)) is float


@pytest.mark.parametrize("value", [True, np.True_, "1", None, np.nan, np.inf, [1.0]])
def test_no_numbers(value):
    with pytest.raises(ValueError, match=r"Expected `x` to be a finite number\. Received: x="):
        check_number("x", value)


@pytest.mark.parametrize(
    ("value", "bounds", "kind"),
    [
        (-1, {"minimum": 0}, "a non-negative number"),
        (0, {"above": 0}, "a positive number"),
        (1, {"minimum": 2}, "a number of at least 2"),
        (2, {"above": 2}, "a number above 2"),
        (1, {"minimum": 0, "below": 1}, "in [0, 1)"),
        (0, {"above": 0, "maximum": 1}, "in (0, 1]"),
        (3, {"maximum": 2}, "in (-inf, 2]"),
        (None, {"above": 0, "otherwise": "a schedule"}, "a positive number or a schedule"),
    ],
)
def test_bounds_are_kept_and_told(value, bounds, kind):
    with pytest.raises(ValueError, match="Expected `x`") as error:
        check_number("x", value, **bounds)
    assert str(error.value) == f"Expected `x` to be {kind}. Received: x={value!r}"


def test_ranges():
    assert check_range("scale", [0.5, np.float32(1)], 1) == (0.5, 1.0)
    assert check_range("ratio", (2, 2)) == (2.0, 2.0)
    for value in ((0.0, 1.0), (0.5, 0.4), (0.5, 1.5), (0.5,), (np.nan, 1.0), "ab", None, 3):
        with pytest.raises(ValueError, match=r"0 < low <= high <= 1\. Received: scale="):
            check_range("scale", value, 1)


def test_choices():
    assert check_choice("norm", "none", ("none", "plain")) == "none"
    for value in ("other", None, 1):
        with pytest.raises(ValueError, match=r"`norm` to be one of \('none', 'plain'\)\. Received"):
            check_choice("norm", value, ("none", "plain"))


def test_switches_are_booleans():
    assert validation.check_switch("s", np.True_) is True
    for value in (0, 1, "yes", "", None, []):
        with pytest.raises(ValueError, match=r"`s` to be True or False.*s="):
            validation.check_switch("s", value)


def test_axes_of_arrays_and_tensors():
    array = np.zeros((2, 3), np.float32)
    assert validation.check_axes("a", array, "B", 3) is array
    assert validation.check_axes("a", array, ..., 3) is array
    for axes in ((3,), ("B", 4), ("A", "B", "C"), (..., 4)):
        with pytest.raises(ValueError, match=r"`a` to be an array of floats of shape .*\(2, 3\)"):
            validation.check_axes("a", array, *axes)
    for value in (None, [[1.0]], np.zeros((2, 3), int)):
        with pytest.raises(ValueError, match="`a`"):
            validation.check_axes("a", value, "B", "D")


def test_labels_are_a_vector_of_integers_or_strings():
    assert validation.check_labels("y", ["cat", "dog"], 2).tolist() == ["cat", "dog"]
    for value in ([0.5], [[1]], [[1], [1, 2]], 3, [float("nan")]):
        with pytest.raises(ValueError, match="`y` to be a vector"):
            validation.check_labels("y", value)


def test_errors_name_the_callers_argument():
    with (
        pytest.raises(ValueError, match=r"`out` to be .*Received: out=0"),
        validation.renamed(path="out"),
    ):
        validation.check_integer("path", 0)
    with pytest.raises(KeyError, match="path"), validation.renamed(path="out"):
        raise KeyError("`path`")


def test_no_integer_beyond_what_seeds_and_shapes_can_be():
    """A seed of 2**70 was an OverflowError after the first epoch."""
    assert validation.check_integer("seed", validation.LARGEST) == 2**32 - 1
    with pytest.raises(ValueError, match=r"`seed` to be .* up to 4294967295\. Received: seed="):
        validation.check_integer("seed", 2**70)
