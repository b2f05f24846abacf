"""Steps that are not finite: told, taken back, and at last the end of training."""

import tensorflow as tf

from keras_adasim.finite import NotFiniteError

# A float16 loss scale halves at each overflow; after so many it is at its end.
OVERFLOWS_IN_A_ROW = 30


class FiniteWatch:
    """Looks after every step whether it was finite, without waiting for a device.

    A step that wasn't has changed nothing; so it is no loss to hear of it one step later.

    Args:
        model: A compiled `SelfDistillation`.
        dataset: The `PairDataset` that it is trained on, to name its images, or None.
    """

    def __init__(self, model, dataset=None):
        self.model = model
        self.dataset = dataset
        self.in_float16 = model.loss_scale is not None
        self.most = OVERFLOWS_IN_A_ROW if self.in_float16 else 1
        self._last = None

    def look(self, wait=False):
        """Raises NotFiniteError if the step before the last wasn't finite; or, to wait, the last.

        Under float16 a few may be infinite in a row, while the loss scale adapts.
        """
        skipped, iterations = self.model.training_step.skipped, self.model.optimizer.iterations
        now = [tf.identity(skipped), tf.identity(iterations.value)]
        seen, self._last = (now if wait else self._last), now
        if seen is not None and int(seen[0]) >= self.most:
            raise NotFiniteError(self._message(int(seen[1]) - 1))

    def _message(self, step):
        model, optimizer = self.model, self.model.optimizer
        values = {
            "learning rate": optimizer.learning_rate_at(step),
            "weight decay": optimizer.weight_decay_at(step),
            "teacher momentum": model.momentum(step),
        }
        if hasattr(model.objective, "teacher_temperature"):
            values["teacher temperature"] = model.objective.teacher_temperature(step)
        told = ", ".join(
            f"{name} {float(tf.convert_to_tensor(value)):.3g}" for name, value in values.items()
        )
        row = f", the last of {self.most} in a row" if self.most > 1 else ""
        return (
            "Expected a finite loss and finite gradients. Received: NaN or infinite ones in step "
            f"{step}{row} ({told}{self._images(step)}). That step changed no weights. Lower the "
            "learning rate or lengthen its warm-up; look at the images; mixed_bfloat16 or float32 "
            "have a larger range than float16."
        )

    def _images(self, step):
        if self.dataset is None:
            return ""
        epoch, place = divmod(step, len(self.dataset))
        size = self.dataset.batch_size
        indices = self.dataset.order(epoch)[place * size :][:size]
        names = [self.dataset.source.describe(int(index)) for index in indices[:4]]
        rest = f" and {size - 4} more" if size > 4 else ""
        return f"; images {', '.join(names)}{rest}"


def are_finite(structure):
    """Whether all numbers in a structure of tensors are: a scalar boolean."""
    tensors = [t for t in tf.nest.flatten(structure) if t.dtype.is_floating]
    return tf.reduce_all(tf.stack([tf.reduce_all(tf.math.is_finite(t)) for t in tensors]))


def moved_forward(layers):
    """Variables that a forward pass changes: moving statistics, and the states of generators."""
    variables = [v for layer in layers for v in layer.variables if not v.trainable]
    return list({id(variable): variable for variable in variables}.values())


def assign_all(variables, values):
    """Assigns to this replica's copies."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
