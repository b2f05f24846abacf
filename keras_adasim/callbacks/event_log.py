"""TensorBoard's events, which are worth less than the run."""

import contextlib

import keras
import tensorflow as tf


class EventLog(keras.callbacks.TensorBoard):
    """Keras' `TensorBoard`, but that a full disk ends the events and not the training.

    The arguments are those of `keras.callbacks.TensorBoard`.

    Example:
        ```python
        import tempfile

        events = ka.callbacks.EventLog(tempfile.mkdtemp(), write_graph=False)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(np.ones((8, 4)), np.ones((8, 1)), callbacks=[events], verbose=0)
        ```
    """

    _is_broken = False

    def on_epoch_end(self, epoch, logs=None):
        """Writes the logs; says once if that is impossible."""
        if self._is_broken:
            return
        try:
            super().on_epoch_end(epoch, logs)
        except (OSError, tf.errors.OpError) as error:
            self._is_broken = True
            reason = getattr(error, "message", str(error)).strip().splitlines()[0]
            print(f"\nwarning: no more events for TensorBoard: {reason}", flush=True)

    def on_train_end(self, logs=None):
        """Closes the file."""
        with contextlib.suppress(OSError, tf.errors.OpError):
            super().on_train_end(logs)
