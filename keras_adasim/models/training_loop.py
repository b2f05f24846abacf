"""The loop around the training step: where it begins, who looks at it, who may end it."""

import types

import keras

from keras_adasim.layers.copies import assign_copies
from keras_adasim.models.finite import FiniteWatch
from keras_adasim.models.several_workers import make_train_function
from keras_adasim.workers import has_workers


class TrainingLoop:
    """What `keras.Model.fit` asks of a `SelfDistillation` for every step.

    Saving and stopping by steps belongs here, into the main thread between two steps: Keras may
    call its callbacks in other threads, beside later steps.
    """

    def begin_loop(self, dataset, callbacks):
        """Prepares a `fit`.

        Args:
            dataset: The `PairDataset`, or None.
            callbacks: List of callbacks; those with a method `after_step` have it called after
                every call of the train function, ahead of `step_hooks`.
        """
        for callback in callbacks:
            if isinstance(callback, keras.callbacks.TensorBoard):
                silence_between_epochs(callback)
        hooks = [callback.after_step for callback in callbacks if hasattr(callback, "after_step")]
        self.__dict__["finite_watch"] = FiniteWatch(self, dataset)
        self.__dict__["_callback_hooks"] = hooks  # Keras would track an attribute.
        self.resume_within_epoch(0, [])

    def resume_within_epoch(self, step, means):
        """Lets the epoch that begins next go on at a step, as a checkpoint within it left it.

        Keras counts from the epoch's first step all the same: for the steps that are done already
        the train function does nothing. A `PairDataset` begins at that step; of another data set
        the batches are passed over too.

        Args:
            step: Number of the steps done.
            means: List of arrays, what `read_copies` said of the metrics' variables then.
        """
        self.__dict__["_resumed"] = [step, means]

    @property
    def first_step(self):
        """The step at which the epoch goes on that begins; 0 unless it was resumed within."""
        return self._resumed[0]

    def make_train_function(self, force=False):
        """Makes Keras' train function, with the hooks behind it."""
        if self.train_function is not None and not force:
            return
        if has_workers(self.distribute_strategy):
            train = make_train_function(self)
        else:
            super().make_train_function(force)
            train = self.train_function

        def train_and_call_hooks(iterator):
            if self.first_step:
                return self._pass_over(iterator)
            logs = train(iterator)
            self.__dict__["last_logs"] = logs  # On the device, until somebody reads them.
            self.finite_watch.look()
            for hook in [*self._callback_hooks, *self.step_hooks]:
                hook()
            return logs

        self.train_function = train_and_call_hooks

    def everyone_stops(self, asked):
        """Whether to stop after this step; to be asked once after each, as by `step_hooks`.

        Args:
            asked: Whether this process is to stop. Of several workers all hear of it, and stop
                after the same step, one or two later.
        """
        agreement = self.training_step.agreement
        return asked if agreement is None else agreement.reached(asked)

    def _pass_over(self, iterator):
        step, means = self._resumed
        if self.finite_watch.dataset is None:
            for _ in range(self.steps_per_execution):
                next(iterator)
        for variable, values in zip(self.metrics_variables if means else [], means, strict=True):
            assign_copies(variable, values)
        self.resume_within_epoch(step - self.steps_per_execution, [])
        return {metric.name: metric.result() for metric in self.metrics}

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # Built by its constructor. Keras would look at a batch here, and so begin an epoch's pass.
        pass


def silence_between_epochs(board):
    """Takes Keras' `TensorBoard` out of the steps if it has nothing to do there.

    For a callback with a method of its own behind every step Keras fetches that step's logs, and
    the device waits.
    """
    idle = board.update_freq == "epoch" and not board.write_steps_per_second
    if idle and not board.write_graph and not getattr(board, "_should_trace", True):
        default = keras.callbacks.Callback.on_train_batch_end
        board.on_train_batch_end = types.MethodType(default, board)
