"""The copies of a variable that replicas have."""

import keras
import numpy as np
import tensorflow as tf


def read_copies(variable):
    """All replicas' values of a variable: a (replicas, ...) array, of one replica (1, ...)."""
    value = variable.value
    return np.stack([copy.numpy() for copy in getattr(value, "values", [value])])


def assign_copies(variable, values):
    """Gives replicas their parts of a sum back; another number of replicas shares the whole.

    Args:
        variable: Variable of a metric, which is summed over the replicas.
        values: What `read_copies` returned.
    """
    value = variable.value
    own = getattr(value, "values", [value])
    if len(own) != len(values):
        variable.assign(values.sum(axis=0))
        return
    for copy, each in zip(own, values, strict=True):
        copy.assign(each)


def read_part(variable, start, end):
    """Reads some rows of a variable: a NumPy array.

    A slice would copy all rows first, since rows of a bank are written in place.
    """
    value = variable.value if isinstance(variable, keras.Variable) else variable
    value = getattr(value, "values", [value])[0]
    return tf.gather(value, tf.range(start, end)).numpy()


def write_part(variable, start, rows):
    """Overwrites some rows of a `tf.Variable`; assigned to a slice, all rows would be copied."""
    places = tf.range(start, start + len(rows))
    variable.scatter_update(tf.IndexedSlices(tf.cast(rows, variable.dtype), places))
