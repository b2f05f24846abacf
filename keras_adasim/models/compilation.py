"""Which part of a training step becomes one XLA program, and which runs inline."""

import inspect
import types

import tensorflow as tf

from keras_adasim.models.accumulation import accumulate
from keras_adasim.models.teacher import check_synchronized, has_batch_normalization


def _inline(function):
    return function


def _compiled(function):
    return tf.function(function, jit_compile=True, autograph=False)


def places_wanted(augment):
    """Which of `step`, `replica_id` and `num_replicas` an augmentation takes beside the batch."""
    parameters = inspect.signature(getattr(augment, "call", augment)).parameters
    names = ("step", "replica_id", "num_replicas")
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values()):
        return names
    return [name for name in names if name in parameters]


class StepFunctions:
    """The functions that `train_step` calls: `augment`, `forward_backward` and `update`.

    Compiled, forward and backward pass and the look-up are one XLA program per replica, and all
    updates a second one. Two things can't stand inside either when there are several replicas:
    synchronised BatchNormalization, and a gather in the middle of the forward pass. Then the
    programs are smaller: encoders, heads, loss and look-up each by itself, under one tape, and
    those with BatchNormalization not compiled. Inline means that no function is nested at all,
    which is the reference that the compiled step is compared with.

    Args:
        model: a `SelfDistillation` with `_forward_backward`, `_look_up` and `_update`.
        jit_compile: whether to compile.
        accumulation_steps: micro-batches of a step, one after the other; each by smaller programs
            too, or XLA would compile all of them into one.
    """

    def __init__(self, model, jit_compile, accumulation_steps=1):
        self._model = model
        self._num_replicas = model.distribute_strategy.num_replicas_in_sync
        objective = model.objective
        student_heads = [student for student, _ in objective.heads]
        teacher_heads = [teacher for _, teacher in objective.heads if teacher is not None]
        modules = [model.student, model.teacher, *student_heads, *teacher_heads]
        check_synchronized(modules, self._num_replicas)
        synchronizes = self._num_replicas > 1 and any(map(has_batch_normalization, modules))
        exchanges = self._num_replicas > 1 and objective.exchanges
        self._accumulation_steps = accumulation_steps
        accumulates = accumulation_steps > 1
        self._whole = jit_compile and not (synchronizes or exchanges or accumulates)
        compiled = _compiled if jit_compile else _inline

        def part(function, *modules):
            if self._whole or (
                self._num_replicas > 1 and any(map(has_batch_normalization, modules))
            ):
                return function
            return compiled(function)

        self._parts = types.SimpleNamespace(
            student=part(model._run_student, model.student),
            teacher=part(model._run_teacher, model.teacher),
            student_heads=part(objective.student_embeddings, *student_heads),
            teacher_heads=part(objective.teacher_embeddings, *(teacher_heads or student_heads)),
            loss=part(objective.compute_loss),
            look_up=part(model._look_up),
        )
        self._program = _compiled(self._forward_backward) if self._whole else None
        self.update = compiled(model._update)
        # DINOAugment says whether XLA compiles its layers; of others that isn't known.
        compilable = getattr(model.augment, "compilable", False)
        self._augment = compiled(self._call_augment) if compilable else self._call_augment
        self._places = places_wanted(model.augment)

    def augment(self, batch, step, replica):
        """Views of this replica's part of the batch."""
        return self._augment(batch, step, self._number(replica))

    def _call_augment(self, batch, step, replica_id):
        place = {"step": step, "replica_id": replica_id, "num_replicas": self._num_replicas}
        return self._model.augment(batch, **{name: place[name] for name in self._places})

    def forward_backward(self, views, step, replica):
        """Gradients, statistics and neighbours of this replica's views."""
        first_row = self._number(replica) * tf.shape(views[0])[0]
        if self._whole:
            return self._program(views, step, first_row)

        def gather(rows):
            if self._num_replicas == 1:
                return rows
            everyone = replica.all_gather(tf.identity(rows), axis=0)
            # TensorFlow forgets all of the shape but its rank.
            size = rows.shape[0] and rows.shape[0] * self._num_replicas
            return tf.ensure_shape(everyone, (size, *rows.shape[1:]))

        return self._forward_backward(views, step, first_row, gather)

    def _forward_backward(self, views, step, first_row, gather=_inline):
        arguments = (views, step, first_row, self._parts, gather)
        if self._accumulation_steps == 1:
            return self._model._forward_backward(*arguments)
        return accumulate(self._model, self._accumulation_steps, *arguments)

    def _number(self, replica):
        # A constant in the graph of each replica, which is traced by itself.
        return tf.convert_to_tensor(replica.replica_id_in_sync_group)
