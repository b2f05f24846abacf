"""The teacher as a moving average of the student."""

import tensorflow as tf


def exponential_moving_average(teacher_variables, student_variables, momentum):
    """Moves the teacher's variables towards the student's, in place.

    Computes teacher + (1 - momentum) * (student - teacher). All assignments are local, so that it
    can stand in an XLA-compiled function in replica context; where the student's copies are equal
    on all replicas, so are the teacher's.

    Args:
        teacher_variables: Variables of floating-point dtype.
        student_variables: Variables of the same number, order and shapes.
        momentum: Scalar in [0, 1], a Python number or a float64 tensor from a schedule.

    Raises:
        ValueError: If the variables do not match.
    """
    _check_variables(teacher_variables, student_variables)
    # Subtracted in float64: late in training, float32 would keep few digits of 1 - momentum.
    rate = 1.0 - tf.cast(momentum, tf.float64)
    for teacher, student in zip(teacher_variables, student_variables, strict=True):
        old = tf.convert_to_tensor(teacher)
        gap = tf.cast(tf.convert_to_tensor(student), old.dtype) - old
        teacher.assign(old + tf.cast(rate, old.dtype) * gap)


def _check_variables(teacher_variables, student_variables):
    if len(teacher_variables) != len(student_variables):
        raise ValueError(
            "Expected `teacher_variables` and `student_variables` of one length. Received: "
            f"{len(teacher_variables)} and {len(student_variables)} variables"
        )
    for teacher, student in zip(teacher_variables, student_variables, strict=True):
        if tuple(teacher.shape) != tuple(student.shape):
            raise ValueError(
                f"Expected a student variable of shape {tuple(teacher.shape)} for the teacher's "
                f"{teacher.name}. Received: {student.name} of shape {tuple(student.shape)}"
            )
        if not tf.as_dtype(teacher.dtype).is_floating:
            raise ValueError(
                f"Expected floating-point variables. Received: {teacher.name} of dtype "
                f"{teacher.dtype}. Pass a model's `.weights`, which leave out seed states."
            )
