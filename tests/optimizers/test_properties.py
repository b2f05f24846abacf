"""What holds of every schedule: its ends, its bounds, and that it never turns back."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from keras_adasim import optimizers

numbers = st.floats(-10, 10, allow_subnormal=False)


@given(numbers, numbers, numbers, st.integers(1, 300), st.data())
def test_warmup_cosine(base, final, start, steps, data):
    warmup = data.draw(st.integers(0, steps))
    schedule = optimizers.WarmupCosine(base, final, steps, warmup, start)
    values = schedule(np.arange(steps + 5))
    low, high = min(base, final, start), max(base, final, start)
    assert ((values >= low - 1e-9) & (values <= high + 1e-9)).all()
    assert (values[steps:] == final).all()
    rising, falling = values[:warmup], values[warmup:]
    if warmup > 1:
        np.testing.assert_allclose(rising[[0, -1]], [start, base], atol=1e-9)
    if warmup < steps:
        np.testing.assert_allclose(falling[0], base, atol=1e-9)
    assert (np.diff(rising) * np.sign(base - start) >= -1e-9).all()
    assert (np.diff(falling) * np.sign(final - base) >= -1e-9).all()


@given(numbers, numbers, st.integers(0, 20), st.integers(1, 20))
def test_epoch_warmup(start, final, warmup, steps_per_epoch):
    schedule = optimizers.EpochWarmup(start, final, warmup, steps_per_epoch)
    epochs = schedule(np.arange((warmup + 2) * steps_per_epoch)).reshape(-1, steps_per_epoch)
    assert (epochs == epochs[:, :1]).all()
    values = epochs[:, 0]
    assert (values[warmup:] == final).all()
    if warmup:
        assert values[0] == start
    assert (np.diff(values) * np.sign(final - start) >= -1e-9).all()
    assert ((values >= min(start, final) - 1e-9) & (values <= max(start, final) + 1e-9)).all()


@given(numbers, st.integers(0, 10**6))
def test_constant(value, step):
    assert optimizers.Constant(value)(step) == value
