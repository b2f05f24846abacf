"""The base class of the optimizers."""

import keras
import tensorflow as tf
from keras.optimizers.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    LearningRateSchedule,
    PolynomialDecay,
)

from keras_adasim.optimizers.warmup_cosine import WarmupCosine
from keras_adasim.validation import check_not_begun, check_number

# What falls from its `initial_learning_rate` on.
KERAS_DECAYS = (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    PolynomialDecay,
)


class Optimizer(keras.optimizers.Optimizer):
    """An optimizer with the semantics of PyTorch, which published figures rest on.

    It differs from Keras' own in this: the weight decay may be a schedule; biases and variables
    with fewer than two dimensions are not decayed; and each gradient is clipped by its own norm
    *after* the sum over replicas. A variable that is left out of a step stays as it is, without
    decay and with its moments and step count untouched.

    There are two ways to take a step, with the same arithmetic. `apply` (and so `fit`) is Keras'.
    `update_variable` is for training steps that reduce gradients themselves and then run in
    replica context within a compiled function, where `apply` cannot stand.

    Subclasses implement `add_slots` and `compute_update`.

    Args:
        learning_rate: Size of a step. A float or a schedule.
        weight_decay: Strength of the decay. A float or a schedule.
        clipnorm: Largest norm of a gradient, each variable on its own. None: no clipping.
        name: Name of the optimizer.

    Example:
        ```python
        class GradientDescent(ka.optimizers.Optimizer):
            def add_slots(self, variable):
                return []

            def compute_update(self, gradient, value, slots, learning_rate, weight_decay):
                gradient += tf.cast(weight_decay, value.dtype) * value
                return value - tf.cast(learning_rate, value.dtype) * gradient, slots
        ```
    """

    def __init__(self, learning_rate, weight_decay=0.0, clipnorm=None, name=None):
        if clipnorm is not None:
            no_clipping = "None for no clipping"
            clipnorm = check_number("clipnorm", clipnorm, above=0, otherwise=no_clipping)
        learning_rate = _checked("learning_rate", learning_rate)
        super().__init__(learning_rate, weight_decay=weight_decay, clipnorm=clipnorm, name=name)
        # Slots may be created outside of its scope.
        self.strategy = tf.distribute.get_strategy()

    @property
    def weight_decay(self):
        """The weight decay at the current step."""
        return self.weight_decay_at(self.iterations)

    @weight_decay.setter
    def weight_decay(self, value):
        self._check_unused("weight_decay", value)
        self._weight_decay = _checked("weight_decay", value)

    @property
    def clipnorm(self):
        """Largest norm of a gradient, or None."""
        return self._clipnorm

    @clipnorm.setter
    def clipnorm(self, value):
        self._check_unused("clipnorm", value)
        self._clipnorm = value

    def _check_unused(self, name, value):
        check_not_begun(name, value, self.iterations if hasattr(self, "_slots") else 0)

    @property
    def base_learning_rate(self):
        """The learning rate that a schedule decays from; the learning rate itself without one.

        Raises:
            ValueError: If that can't be told: a schedule of one's own that begins with 0.
        """
        schedule = self._learning_rate
        if isinstance(schedule, WarmupCosine):
            return schedule.base
        if isinstance(schedule, CosineDecay) and schedule.warmup_target is not None:
            return schedule.warmup_target
        if isinstance(schedule, KERAS_DECAYS):
            return schedule.initial_learning_rate
        if not isinstance(schedule, LearningRateSchedule):
            return schedule
        with tf.init_scope():
            rate = float(schedule(0))
        if not rate > 0:
            raise ValueError(
                "Expected a `learning_rate` that tells what it decays from, for the variables that "
                "keep that rate: `WarmupCosine`, a schedule of Keras, or one that doesn't begin "
                f"with 0. Received: learning_rate={schedule!r}, {rate} in step 0. Or give "
                "them a number, such as `predictor_learning_rate=0.05`."
            )
        return rate

    def learning_rate_at(self, step):
        """The learning rate at a step."""
        return _value_at(self._learning_rate, step)

    def weight_decay_at(self, step):
        """The weight decay at a step."""
        return _value_at(self._weight_decay, step)

    def build(self, variables):
        """Creates the slots.

        Args:
            variables: All variables that will ever be trained. A step may leave some out.
        """
        if self.built:
            return
        super().build(variables)
        self._slots = [self.add_slots(variable) for variable in variables]
        # Decided here, since under a strategy the step sees tensors of one device without a path.
        self._is_decayed = [
            _may_be_decayed(variable) and self._use_weight_decay(variable) for variable in variables
        ]

    def add_slots(self, variable):
        """Creates the optimizer's variables for a model variable, with `add_slot`.

        Returns:
            List of variables.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `add_slots(variable)`.")

    def add_slot(self, variable, name, shape=None, dtype=None):
        """Creates one variable, of zeros, beside a model variable.

        Args:
            variable: The model variable.
            name: Name of the slot.
            shape: Shape; by default that of `variable`.
            dtype: Dtype; by default float32, or float64 for a float64 variable.
        """
        reference = variable.value if isinstance(variable, keras.Variable) else variable
        with self.strategy.extended.colocate_vars_with(reference):
            return self.add_variable(
                shape=variable.shape if shape is None else shape,
                dtype=_compute_dtype(variable) if dtype is None else dtype,
                name=f"{_path(variable).replace('/', '_')}_{name}",
            )

    def compute_update(self, gradient, value, slots, learning_rate, weight_decay):
        """Computes a step of one variable, without assigning anything.

        Args:
            gradient: Gradient, clipped, in the dtype of the computation (float32).
            value: Value of the variable, of that dtype.
            slots: List of the slots' values, as `add_slots` lists them.
            learning_rate: Float64 scalar.
            weight_decay: Float64 scalar, 0 for variables that are not decayed.

        Returns:
            Tuple of the new value and the list of the slots' new values.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `compute_update(...)`.")

    def update_step(self, gradient, variable, learning_rate):
        """Updates one variable at the current step. Called by `apply`."""
        self._update(gradient, variable, learning_rate, self.weight_decay)

    def update_variable(self, gradient, variable, step, active=None, learning_rate=None):
        """Updates one variable at a given step, with local assignments only.

        This can stand in an XLA-compiled function in replica context. The caller has reduced the
        gradient over the replicas, and advances `iterations` outside of that function.

        Args:
            gradient: Gradient, equal on all replicas.
            variable: One of the variables that the optimizer was built with.
            step: Scalar int64 tensor, the step that schedules are evaluated at.
            active: Scalar bool tensor; where False, neither the variable nor its slots change. By
                default the step is taken.
            learning_rate: Scalar that replaces the optimizer's learning rate, e.g. for a
                predictor whose rate is constant; "base" for `base_learning_rate`.
        """
        self.update_variables([(gradient, variable, active, learning_rate)], step)

    def update_variables(self, updates, step):
        """Updates several variables at a given step, whose schedules are computed once.

        Args:
            updates: Iterable of tuples of `gradient`, `variable`, `active` and `learning_rate`, as
                for `update_variable`.
            step: Scalar int64 tensor.
        """
        scheduled, weight_decay = self.learning_rate_at(step), self.weight_decay_at(step)
        for gradient, variable, active, learning_rate in updates:
            if learning_rate is None:
                learning_rate = scheduled
            elif isinstance(learning_rate, str):
                learning_rate = self.base_learning_rate
            self._update(gradient, variable, learning_rate, weight_decay, active)

    def get_config(self):
        """Returns the constructor's arguments as a dict."""
        weight_decay = self._weight_decay
        if isinstance(weight_decay, LearningRateSchedule):
            weight_decay = keras.optimizers.schedules.serialize(weight_decay)
        return {
            "learning_rate": super().get_config()["learning_rate"],
            "weight_decay": weight_decay,
            "clipnorm": self.clipnorm,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Builds an optimizer from what `get_config` returned."""
        config = dict(config)
        for name in ("learning_rate", "weight_decay"):
            if isinstance(config.get(name), dict):
                config[name] = keras.saving.deserialize_keras_object(
                    config[name], custom_objects=custom_objects
                )
        return cls(**config)

    def _update(self, gradient, variable, learning_rate, weight_decay, active=None):
        index = self._get_variable_index(variable)
        targets = [variable, *self._slots[index]]
        old = [tf.convert_to_tensor(target) for target in targets]
        dtype = _compute_dtype(variable)
        value, slots = self.compute_update(
            self._clip(tf.cast(tf.convert_to_tensor(gradient), dtype)),
            tf.cast(old[0], dtype),
            old[1:],
            tf.cast(learning_rate, tf.float64),
            tf.cast(weight_decay if self._is_decayed[index] else 0.0, tf.float64),
        )
        for target, before, after in zip(targets, old, [value, *slots], strict=True):
            after = tf.cast(after, before.dtype)
            self.assign(target, after if active is None else tf.where(active, after, before))

    def _clip(self, gradient):
        if self.clipnorm is None:
            return gradient
        return gradient * tf.minimum(self.clipnorm / (tf.norm(gradient) + 1e-6), 1.0)

    def _clip_gradients(self, grads):
        # Keras clips here, before the sum over replicas; `_update` clips after it.
        return grads

    def _apply_weight_decay(self, variables):
        # Keras decays here; how decay enters the step is up to `compute_update`.
        pass


def _checked(name, value):
    """A schedule, or a number of at least 0 as a float."""
    if isinstance(value, LearningRateSchedule):
        return value
    return check_number(name, value, minimum=0, otherwise="a schedule")


def _value_at(value, step):
    return value(step) if isinstance(value, LearningRateSchedule) else value


def _compute_dtype(variable):
    return keras.backend.result_type(keras.backend.standardize_dtype(variable.dtype), "float32")


def _path(variable):
    path = variable.path if isinstance(variable, keras.Variable) else variable.name
    return path.split(":")[0]


def _may_be_decayed(variable):
    return len(variable.shape) > 1 and _path(variable).split("/")[-1] != "bias"
