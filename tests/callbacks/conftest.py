import pytest

from tests.callbacks.models import fit, plain


@pytest.fixture(scope="module")
def whole():
    """A model trained for four epochs, without a break."""
    model = plain()
    fit(model, 4)
    return model
