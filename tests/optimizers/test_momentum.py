import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.optimizers import exponential_moving_average

NAMES = [
    "fc1.weight",
    "fc1.bias",
    "norm.weight",
    "norm.bias",
    "last_layer.weight_g",
    "last_layer.weight_v",
]


def make_networks(arrays):
    teacher = [keras.Variable(arrays[f"teacher_initial/{name}"]) for name in NAMES]
    return teacher, [keras.Variable(tf.zeros_like(variable)) for variable in teacher]


def set_student(student, arrays, step):
    for variable, name in zip(student, NAMES, strict=True):
        variable.assign(arrays[f"student_at_step/{name}"][step])


def check(teacher, arrays, step):
    for value, name in zip(teacher, NAMES, strict=True):
        expected = arrays[f"teacher_after_step/{name}"][step]
        np.testing.assert_allclose(value, expected, rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("jit_compile", [None, True])
def test_golden_teacher(golden, jit_compile):
    arrays, _ = golden("ema")
    teacher, student = make_networks(arrays)

    def update(momentum):
        exponential_moving_average(teacher, student, momentum)

    if jit_compile:
        update = tf.function(update, jit_compile=True)
    for step, momentum in enumerate(arrays["momentum_per_step_float64"]):
        set_student(student, arrays, step)
        update(tf.constant(momentum, tf.float64))
        check(teacher, arrays, step)


def test_golden_teacher_on_two_replicas(golden, two_replicas):
    arrays, _ = golden("ema")
    with two_replicas.scope():
        teacher, student = make_networks(arrays)

    @tf.function(jit_compile=True)
    def update(momentum):
        exponential_moving_average(teacher, student, momentum)

    @tf.function
    def step_on_all(momentum):
        two_replicas.run(lambda: update(momentum))

    for step, momentum in enumerate(arrays["momentum_per_step_float64"]):
        set_student(student, arrays, step)
        step_on_all(tf.constant(momentum, tf.float64))
        for replica in range(2):
            check([variable.value.values[replica] for variable in teacher], arrays, step)


def test_a_momentum_close_to_one_still_moves_the_teacher():
    # 1 - momentum is 1e-9: float32, where this momentum is 1, would leave the teacher behind.
    teacher, student = keras.Variable([0.0]), keras.Variable([1e9])
    exponential_moving_average([teacher], [student], tf.constant(1 - 1e-9, tf.float64))
    np.testing.assert_allclose(teacher, [1.0], rtol=1e-6)


def test_momentum_one_changes_nothing_and_zero_copies():
    teacher, student = keras.Variable([0.3, -7.0]), keras.Variable([0.5, 11.0])
    exponential_moving_average([teacher], [student], 1.0)
    np.testing.assert_array_equal(teacher, np.float32([0.3, -7.0]))
    exponential_moving_average([teacher], [student], 0)
    np.testing.assert_allclose(teacher, student, rtol=1e-6)


@pytest.mark.parametrize(
    ("teacher", "student", "message"),
    [
        ([[1.0]], [], "1 and 0 variables"),
        ([[1.0]], [[1.0, 2.0]], r"shape \(1,\) .* Received: .* shape \(2,\)"),
        ([[1]], [[1]], "`.weights`, which leave out seed states"),
    ],
)
def test_what_does_not_match_is_refused(teacher, student, message):
    teacher = [keras.Variable(np.array(value)) for value in teacher]
    student = [keras.Variable(np.array(value)) for value in student]
    with pytest.raises(ValueError, match=message):
        exponential_moving_average(teacher, student, 0.9)
