"""What all optimizers have in common, and the golden trajectories through both entry points."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.optimizers import schedules

from keras_adasim.optimizers import LARS, SGD, AdamW, Constant, Optimizer, WarmupCosine
from tests.optimizers import golden_run as run

every_optimizer = pytest.mark.parametrize("name", ["adamw", "lars", "sgd"])
frozen_or_not = pytest.mark.parametrize("frozen_epochs", [0, 1])


@pytest.fixture
def golden_optimizer(golden):
    return golden("clip_and_optimizer")


def build(name, arrays, scalars):
    variables = run.make_variables(arrays, scalars)
    optimizer = run.make_optimizer(name, arrays, scalars)
    optimizer.build(list(variables.values()))
    return optimizer, variables


def state_of(optimizer, *variables):
    return [variable.numpy() for variable in (*optimizer.variables, *variables)]


def assert_equal_states(first, second):
    for before, after in zip(first, second, strict=True):
        np.testing.assert_array_equal(before, after)


@every_optimizer
@frozen_or_not
@pytest.mark.parametrize("compiled", [False, True])
def test_golden_trajectory_with_apply(golden_optimizer, name, frozen_epochs, compiled):
    arrays, scalars = golden_optimizer
    optimizer, variables = build(name, arrays, scalars)

    def apply(gradients, names):
        optimizer.apply(gradients, [variables[each] for each in names])

    apply = tf.function(apply) if compiled else apply
    for step in range(5):
        names = tuple(run.trained_at(step, arrays, scalars, frozen_epochs))
        apply(run.gradients_at(step, arrays, names), names)
        run.check(step, name, variables, arrays, frozen_epochs)
    assert optimizer.iterations == 5


@every_optimizer
def test_golden_trajectory_with_apply_on_two_replicas(golden_optimizer, two_replicas, name):
    """Gradients are summed, and clipped after that: each replica's alone is two or three times."""
    arrays, scalars = golden_optimizer
    with two_replicas.scope():
        optimizer, variables = build(name, arrays, scalars)

    @tf.function
    def apply(gradients, names):
        def replica_step():
            is_first = tf.distribute.get_replica_context().replica_id_in_sync_group == 0
            share = tf.where(is_first, 3.0, -2.0)
            shares = [gradient * share for gradient in gradients]
            optimizer.apply(shares, [variables[each] for each in names])

        two_replicas.run(replica_step)

    for step in range(5):
        names = tuple(run.trained_at(step, arrays, scalars, frozen_epochs=1))
        apply(run.gradients_at(step, arrays, names), names)
        for replica in range(2):
            copies = {key: value.value.values[replica] for key, value in variables.items()}
            run.check(step, name, copies, arrays, frozen_epochs=1)


@every_optimizer
@pytest.mark.parametrize(("jit_compile", "frozen_epochs"), [(None, 1), (True, 0)])
def test_golden_trajectory_with_update_variable(golden_optimizer, name, frozen_epochs, jit_compile):
    arrays, scalars = golden_optimizer
    optimizer, variables = build(name, arrays, scalars)

    def update(gradients, step, names):
        for gradient, each in zip(gradients, names, strict=True):
            optimizer.update_variable(gradient, variables[each], step)

    update = tf.function(update, jit_compile=True) if jit_compile else update
    for step in range(5):
        names = tuple(run.trained_at(step, arrays, scalars, frozen_epochs))
        gradients = run.gradients_at(step, arrays, names)
        update(gradients, tf.constant(step, tf.int64), names)
        run.check(step, name, variables, arrays, frozen_epochs)
    assert optimizer.iterations == 0  # left to the caller


@every_optimizer
def test_golden_trajectory_with_update_variable_on_two_replicas(
    golden_optimizer, two_replicas, name
):
    arrays, scalars = golden_optimizer
    with two_replicas.scope():
        optimizer, variables = build(name, arrays, scalars)

    @tf.function(jit_compile=True)
    def update(gradients, step, names):
        for gradient, each in zip(gradients, names, strict=True):
            optimizer.update_variable(gradient, variables[each], step)

    @tf.function
    def step_on_all(gradients, names):
        def replica_step():
            update(gradients, tf.convert_to_tensor(optimizer.iterations), names)
            optimizer.iterations.assign_add(1)

        two_replicas.run(replica_step)

    for step in range(5):
        names = tuple(run.trained_at(step, arrays, scalars, frozen_epochs=1))
        step_on_all(run.gradients_at(step, arrays, names), names)
        for replica in range(2):
            copies = {key: value.value.values[replica] for key, value in variables.items()}
            run.check(step, name, copies, arrays, frozen_epochs=1)
    for variable in optimizer.variables:
        first, second = variable.value.values
        np.testing.assert_array_equal(first, second)


def test_golden_clip(golden_optimizer):
    arrays, scalars = golden_optimizer
    optimizer = SGD(1.0, clipnorm=scalars["clip"])
    for name in scalars["parameter_names"]:
        for step in range(5):
            clipped = optimizer._clip(tf.constant(arrays[f"gradients/{name}"][step]))
            expected = arrays[f"gradients_after_clip/{name}"][step]
            np.testing.assert_allclose(clipped, expected, atol=1e-6)


@every_optimizer
@pytest.mark.parametrize("jit_compile", [None, True])
def test_an_inactive_step_changes_nothing(golden_optimizer, name, jit_compile):
    arrays, scalars = golden_optimizer
    optimizer, variables = build(name, arrays, scalars)
    weight = variables["fc1.weight"]

    def update(gradient, active):
        optimizer.update_variable(gradient, weight, tf.constant(1, tf.int64), active=active)

    update = tf.function(update, jit_compile=True) if jit_compile else update
    update(tf.ones((5, 6)), tf.constant(True))
    before = state_of(optimizer, weight)
    update(tf.fill((5, 6), np.nan), tf.constant(False))  # an overflow under float16
    assert_equal_states(before, state_of(optimizer, weight))
    update(tf.ones((5, 6)), tf.constant(True))
    assert not np.array_equal(before[-1], weight)


@every_optimizer
def test_a_variable_that_is_left_out_stays_and_a_zero_gradient_does_not_keep_it(name):
    first, second = keras.Variable(tf.ones((2, 2))), keras.Variable(tf.ones((2, 2)))
    optimizer = run.OPTIMIZERS[name](0.1, weight_decay=0.1)
    optimizer.build([first, second])
    optimizer.apply([tf.ones((2, 2))], [first])
    before = state_of(optimizer, second)[3:]  # without iterations, rate and the first variable's
    slots = len(optimizer._slots[1])
    optimizer.apply([tf.ones((2, 2))], [first])
    assert_equal_states(before[-slots - 1 :], state_of(optimizer, second)[-slots - 1 :])
    # Freezing by zeroed gradients would decay all the same.
    optimizer.apply([tf.zeros((2, 2))], [second])
    assert (second.numpy() < 1).all()


def test_biases_and_vectors_are_not_decayed():
    shapes = {"kernel": (2, 3), "bias": (2, 3), "gamma": (3,), "scale": (), "unbiased": (2, 3)}
    variables = [keras.Variable(tf.ones(s), name=n) for n, s in shapes.items()]
    with keras.name_scope("bias"):
        variables.append(keras.Variable(tf.ones((2, 3)), name="kernel"))
    variables.append(tf.Variable(tf.ones((2, 3)), name="dense/bias"))
    optimizer = SGD(1.0, weight_decay=0.5)
    optimizer.build(variables)
    optimizer.apply([tf.zeros(variable.shape) for variable in variables], variables)
    values = [float(tf.reduce_max(variable)) for variable in variables]
    assert values == [0.5, 1.0, 1.0, 1.0, 0.5, 0.5, 1.0]


def test_exclude_from_weight_decay_as_keras_has_it():
    kernel, tokens = (keras.Variable(tf.ones((2, 3)), name=n) for n in ("kernel", "tokens"))
    optimizer = SGD(1.0, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["tokens"])
    optimizer.build([kernel, tokens])
    optimizer.apply([tf.zeros((2, 3))] * 2, [kernel, tokens])
    assert (kernel.numpy() == 0.5).all()
    assert (tokens.numpy() == 1.0).all()


def test_gradients_are_summed_over_replicas(two_replicas):
    """As in Keras: a loss has to be divided by the number of replicas."""
    with two_replicas.scope():
        variable = keras.Variable([1.0])
        optimizer = SGD(0.1)
        optimizer.build([variable])
    two_replicas.run(lambda: optimizer.apply([tf.constant([1.0])], [variable]))
    np.testing.assert_allclose(variable, [0.8])


def test_clipping_follows_the_sum_over_replicas(two_replicas):
    """Keras clips each replica's gradient, which would make this step 2 long."""
    with two_replicas.scope():
        variable = keras.Variable([0.0])
        optimizer = SGD(1.0, clipnorm=1.0)
        optimizer.build([variable])
    two_replicas.run(lambda: optimizer.apply([tf.constant([10.0])], [variable]))
    np.testing.assert_allclose(variable, [-1.0], atol=1e-6)


def test_schedules_are_evaluated_at_the_iterations():
    optimizer = SGD(WarmupCosine(1.0, 0.0, 4), WarmupCosine(0.0, 0.5, 4), momentum=0.0)
    variable = keras.Variable([[1.0]])
    expected = 1.0
    for step in range(4):
        assert optimizer.weight_decay == WarmupCosine(0.0, 0.5, 4)(step)
        expected -= WarmupCosine(1.0, 0.0, 4)(step) * WarmupCosine(0.0, 0.5, 4)(step) * expected
        optimizer.apply([tf.zeros((1, 1))], [variable])
    np.testing.assert_allclose(variable, [[expected]], rtol=1e-6)


def test_a_learning_rate_in_place_of_the_schedule():
    optimizer = SGD(WarmupCosine(1.0, 0.0, 4), momentum=0.0)
    constant, falling = keras.Variable([0.0]), keras.Variable([0.0])
    optimizer.build([constant, falling])
    for step in tf.range(4, dtype=tf.int64):
        optimizer.update_variable(tf.ones(1), constant, step, learning_rate=0.5)
        optimizer.update_variable(tf.ones(1), falling, step)
    np.testing.assert_allclose(constant, [-2.0])
    np.testing.assert_allclose(falling, [-2.5], rtol=1e-6)


def test_a_float_learning_rate_can_be_set():
    optimizer = SGD(1, momentum=0.0)
    variable = keras.Variable([0.0])
    optimizer.build([variable])
    optimizer.learning_rate = 0.25
    optimizer.apply([tf.ones(1)], [variable])
    optimizer.update_variable(tf.ones(1), variable, tf.constant(1, tf.int64))
    np.testing.assert_allclose(variable, [-0.5])


@every_optimizer
def test_half_precision_gradients_meet_float32_slots(name):
    variable = keras.Variable(tf.ones((2, 2)), dtype="float32")
    half = keras.Variable(tf.ones((2, 2)), dtype="bfloat16")
    optimizer = run.OPTIMIZERS[name](0.1)
    optimizer.build([variable, half])
    dtypes = {v.dtype for v in optimizer.variables[2:]}
    assert dtypes == ({"float32", "int64"} if name == "adamw" else {"float32"})
    # The square of the gradient underflows in float16.
    optimizer.apply([tf.cast(tf.fill((2, 2), 1e-4), d) for d in ("float16", "bfloat16")])
    expected = keras.Variable(tf.ones((2, 2)))
    other = run.OPTIMIZERS[name](0.1)
    other.apply([tf.cast(tf.cast(tf.fill((2, 2), 1e-4), "float16"), "float32")], [expected])
    np.testing.assert_array_equal(variable, expected)
    assert half.dtype == "bfloat16"


def test_sparse_gradients_are_dense_steps():
    table = keras.Variable(tf.ones((3, 2)))
    optimizer = SGD(0.5, momentum=0.0)
    optimizer.build([table])
    gradient = tf.IndexedSlices(tf.ones((2, 2)), tf.constant([1, 1]), tf.constant([3, 2]))
    optimizer.apply([gradient])
    np.testing.assert_allclose(table, [[1, 1], [0, 0], [1, 1]])


@every_optimizer
def test_config(name):
    arguments = {"learning_rate": WarmupCosine(0.1, 0.0, 9), "weight_decay": WarmupCosine(0, 1, 9)}
    more = {
        "adamw": {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-6},
        "lars": {"momentum": 0.8, "trust_coefficient": 0.02},
        "sgd": {"momentum": 0.8},
    }
    cls = run.OPTIMIZERS[name]
    optimizer = cls(**arguments, **more[name], clipnorm=2.0, name="mine")
    restored = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(restored) is cls  # and not Keras' class of the same name
    assert restored.get_config() == optimizer.get_config()
    assert set(restored.get_config()) == set(more[name]) | {
        *arguments,
        "clipnorm",
        "name",
    }
    for key, value in more[name].items():
        assert getattr(restored, key) == value


def make_model(optimizer, run_eagerly=True):
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.layers.Input((4,)),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dense(1),
        ]
    )
    model.compile(optimizer=optimizer, loss="mse", run_eagerly=run_eagerly)
    return model


def make_optimizer(name):
    return run.OPTIMIZERS[name](WarmupCosine(0.1, 0.0, 12), WarmupCosine(0.1, 0.5, 12), clipnorm=1)


DATA = np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32)
TARGET = DATA.sum(axis=1, keepdims=True)


# Keras itself converts variables that way when it saves them.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_fit_saved_and_resumed_equals_fit(tmp_path):
    whole = make_model(make_optimizer("adamw"), run_eagerly=False)
    halves = make_model(make_optimizer("adamw"))
    whole.fit(DATA, TARGET, batch_size=8, epochs=2, shuffle=False, verbose=0)
    halves.fit(DATA, TARGET, batch_size=8, epochs=1, shuffle=False, verbose=0)
    halves.save(tmp_path / "model.keras")
    resumed = keras.saving.load_model(tmp_path / "model.keras")
    assert type(resumed.optimizer) is AdamW
    assert_equal_states(state_of(halves.optimizer), state_of(resumed.optimizer))
    resumed.fit(DATA, TARGET, batch_size=8, epochs=1, shuffle=False, verbose=0)
    for ours, expected in zip(resumed.weights, whole.weights, strict=True):
        np.testing.assert_allclose(ours.numpy(), expected.numpy(), atol=1e-6)
    halves.save_weights(tmp_path / "model.weights.h5")
    fresh = make_model(make_optimizer("adamw"))
    fresh.optimizer.build(fresh.trainable_variables)
    fresh.load_weights(tmp_path / "model.weights.h5")
    assert_equal_states(state_of(halves.optimizer), state_of(fresh.optimizer))


def test_fit_on_two_replicas_equals_fit_on_one(two_replicas):
    single = make_model(make_optimizer("adamw"))
    single.fit(DATA, TARGET, batch_size=8, epochs=1, shuffle=False, verbose=0)
    with two_replicas.scope():
        double = make_model(make_optimizer("adamw"), run_eagerly=False)
    double.fit(DATA, TARGET, batch_size=8, epochs=1, shuffle=False, verbose=0)
    for ours, expected in zip(double.weights, single.weights, strict=True):
        np.testing.assert_allclose(ours.numpy(), expected.numpy(), atol=1e-5)


@every_optimizer
def test_loss_scaling_as_keras_has_it(name):
    plain, scaled = keras.Variable(tf.ones((2, 2))), keras.Variable(tf.ones((2, 2)))
    make_optimizer(name).apply([tf.ones((2, 2))], [plain])
    optimizer = keras.optimizers.LossScaleOptimizer(make_optimizer(name), initial_scale=8.0)
    optimizer.apply([tf.fill((2, 2), 8.0)], [scaled])
    np.testing.assert_array_equal(scaled.numpy(), plain.numpy())
    before = state_of(optimizer.inner_optimizer, scaled)
    optimizer.apply([tf.fill((2, 2), np.inf)], [scaled])
    assert_equal_states(before, state_of(optimizer.inner_optimizer, scaled))


@pytest.mark.parametrize("cls", [AdamW, LARS, SGD])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"clipnorm": 0}, "or None for no clipping. Received: clipnorm=0"),
        ({"weight_decay": -0.1}, "`weight_decay` to be a non-negative number"),
        ({"learning_rate": -1.0}, "`learning_rate` to be a non-negative number"),
        ({"learning_rate": None}, "`learning_rate` to be a non-negative number or a schedule"),
        ({"learning_rate": "0.1"}, "`learning_rate`"),
        ({"momentum": 1.0}, r"Expected `momentum` to be in \[0, 1\)"),
        ({"beta_2": 1.0}, r"Expected `beta_2` to be in \[0, 1\)"),
        ({"trust_coefficient": 0.0}, "`trust_coefficient` to be a positive number"),
    ],
)
def test_wrong_arguments_are_refused(cls, arguments, message):
    accepted = cls(0.1).get_config().keys()
    if not arguments.keys() <= accepted:
        with pytest.raises(TypeError, match="unexpected keyword"):
            cls(**{"learning_rate": 0.1, **arguments})
        return
    with pytest.raises(ValueError, match=message):
        cls(**{"learning_rate": 0.1, **arguments})


@pytest.mark.parametrize("argument", ["use_ema", "global_clipnorm", "gradient_accumulation_steps"])
def test_what_keras_would_do_wrongly_here_is_not_offered(argument):
    with pytest.raises(TypeError, match="unexpected keyword"):
        AdamW(0.1, **{argument: 2})


def test_the_base_class_asks_for_its_parts():
    optimizer = Optimizer(0.1)
    with pytest.raises(NotImplementedError, match="must implement `add_slots"):
        optimizer.build([keras.Variable([1.0])])
    with pytest.raises(NotImplementedError, match="must implement `compute_update"):
        optimizer.compute_update(None, None, [], 0.1, 0.0)


@pytest.mark.parametrize(
    ("schedule", "base"),
    [
        (0.3, 0.3),
        (WarmupCosine(0.2, 0.0, 10, warmup_steps=3), 0.2),
        (schedules.CosineDecay(0.1, 10), 0.1),
        (schedules.CosineDecay(0.0, 90, warmup_target=0.05, warmup_steps=10), 0.05),
        (schedules.CosineDecay(0.01, 90, warmup_target=0.05, warmup_steps=10), 0.05),
        (schedules.CosineDecayRestarts(0.1, 3), 0.1),
        (schedules.ExponentialDecay(0.1, 3, 0.5), 0.1),
        (schedules.PiecewiseConstantDecay([2], [0.05, 0.005]), 0.05),
        (Constant(0.4), 0.4),
    ],
)
def test_base_learning_rate_is_what_a_schedule_decays_from(schedule, base):
    optimizer = SGD(schedule)
    optimizer.build([keras.Variable(np.zeros(2, "float32"))])
    optimizer.iterations.assign(9)
    np.testing.assert_allclose(optimizer.base_learning_rate, base, rtol=1e-6)


@pytest.mark.parametrize("change", [{"weight_decay": 0.2}, {"clipnorm": None}])
def test_what_a_step_was_traced_with_can_no_longer_be_changed(change):
    optimizer = SGD(0.1, weight_decay=0.1, clipnorm=1.0)
    optimizer.weight_decay, optimizer.clipnorm = 0.3, 2.0
    variable = keras.Variable(np.ones(2, "float32"))
    optimizer.apply([tf.ones(2)], [variable])
    ((name, value),) = change.items()
    with pytest.raises(ValueError, match=rf"Expected no change of `{name}` .*Received: {name}="):
        setattr(optimizer, name, value)
    assert (float(optimizer.weight_decay), optimizer.clipnorm) == (0.3, 2.0)


class Rising(schedules.LearningRateSchedule):
    def __call__(self, step):
        return tf.cast(step, tf.float32)


def test_a_schedule_of_ones_own_that_begins_with_0_has_no_base():
    with pytest.raises(ValueError, match=r"Received: learning_rate=.*Rising.*0\.0 in step 0"):
        tf.function(lambda: SGD(Rising()).base_learning_rate)()
