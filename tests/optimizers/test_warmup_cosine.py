import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.optimizers import WarmupCosine


def golden_schedules(golden):
    """Yields (name, schedule, values at every step)."""
    arrays, scalars = golden("schedules")
    for name, settings in scalars.items():
        if name.startswith("cosine/"):
            per_epoch = settings["niter_per_ep"]
            schedule = WarmupCosine(
                settings["base_value"],
                settings["final_value"],
                settings["epochs"] * per_epoch,
                settings.get("warmup_epochs", 0) * per_epoch,
                settings.get("start_warmup_value", 0),
            )
            yield name, schedule, arrays[f"{name}_float64"]


def test_equals_dino_at_every_step(golden):
    seen = 0
    for name, schedule, expected in golden_schedules(golden):
        values = [schedule(step) for step in range(len(expected))]
        assert all(isinstance(value, np.float64) for value in values)
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12, err_msg=name)
        np.testing.assert_array_equal(schedule(np.arange(len(expected))), values)
        seen += 1
    assert seen == 5


@pytest.mark.parametrize("jit_compile", [None, False, True])
def test_equals_dino_on_tensors(golden, jit_compile):
    for name, schedule, expected in golden_schedules(golden):
        evaluate = schedule
        if jit_compile is not None:
            evaluate = tf.function(schedule.__call__, jit_compile=jit_compile)
        values = evaluate(tf.range(len(expected), dtype=tf.int64))
        assert values.dtype == tf.float64
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12, err_msg=name)


def test_a_scalar_tensor_gives_a_scalar_tensor():
    schedule = WarmupCosine(1.0, 0.0, 10, 2)
    assert schedule(tf.constant(3, tf.int64)).shape == ()
    assert schedule(keras.Variable(3, dtype="int64")).dtype == tf.float64


def test_stays_at_final():
    schedule = WarmupCosine(0.5, 0.01, 20, 5)
    assert [schedule(step) for step in (20, 21, 10**9)] == [0.01] * 3
    assert schedule(tf.constant(20, tf.int64)) == 0.01
    assert schedule(19) > 0.01


def test_edges_of_the_warmup():
    schedule = WarmupCosine(0.8, 0.0, 10, 4, start=0.2)
    np.testing.assert_allclose(schedule(np.arange(5)), [0.2, 0.4, 0.6, 0.8, 0.8])
    assert WarmupCosine(0.8, 0.0, 10, 1, start=0.2)(0) == 0.2  # as np.linspace(0.2, 0.8, 1)
    assert WarmupCosine(0.8, 0.1, 4, 4)(np.arange(6)).tolist()[3:] == [0.8, 0.1, 0.1]


def test_one_minus_momentum_keeps_its_digits():
    schedule = WarmupCosine(0.9995, 1.0, 1_000_000)
    gap = 1 - schedule(tf.constant(999_000, tf.int64)).numpy()
    # In float32 this would be 0 or 6e-8.
    assert gap == pytest.approx(0.0005 * np.sin(np.pi * 0.0005) ** 2, rel=1e-6)


def test_a_keras_optimizer_takes_it():
    optimizer = keras.optimizers.SGD(WarmupCosine(1.0, 0.0, 4))
    variable = keras.Variable([0.0])
    for _ in range(3):
        optimizer.apply([tf.constant([1.0])], [variable])
    expected = -sum(0.5 * (1 + np.cos(np.pi * step / 4)) for step in range(3))
    np.testing.assert_allclose(variable, [expected], rtol=1e-6)


def test_config():
    schedule = WarmupCosine(0.5, 0.01, 20, 5, start=0.1)
    config = keras.optimizers.schedules.serialize(schedule)
    restored = keras.optimizers.schedules.deserialize(config)
    assert type(restored) is WarmupCosine
    assert restored.get_config() == schedule.get_config()
    np.testing.assert_array_equal(restored(np.arange(25)), schedule(np.arange(25)))


@pytest.mark.parametrize(
    ("steps", "warmup_steps", "message"),
    [(0, 0, "`steps` to be a positive integer. Received: steps=0"), (5, 6, "a shorter warm-up")],
)
def test_wrong_steps_are_refused(steps, warmup_steps, message):
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        WarmupCosine(1.0, 0.0, steps, warmup_steps)
