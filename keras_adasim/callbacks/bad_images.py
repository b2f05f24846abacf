"""Images that go bad while a run reads them: named, counted, remembered."""

import keras

from keras_adasim.callbacks.chief import writes_files
from keras_adasim.validation import check_has, check_strings


class BadImages(keras.callbacks.Callback):
    """Tells after every step which images have gone bad, and logs their number, if there are any.

    Args:
        source: `WatchedSource`.
        tell: Function of a dict of the new ones, from index to what is wrong. It may raise, which
            leaves `fit`.
        name: Name of the number in the logs.

    Example:
        ```python
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            keras.utils.save_img(f"{folder}/1.png", np.zeros((8, 8, 3)))
            source = ka.data.WatchedSource(ka.data.ImageFolder(folder), [0])
        callback = ka.callbacks.BadImages(source, print)
        ```
    """

    def __init__(self, source, tell, name="bad_images"):
        super().__init__()
        self.source = check_has("source", source, "a `WatchedSource`", "bad")
        self.tell = check_has("tell", tell, "a function", "__call__")
        (self.name,) = check_strings("name", [name])
        self._told = set(source.bad)

    def on_train_begin(self, logs=None):
        """Looks behind every step of the training loop, not beside it."""
        if self.look not in self.model.step_hooks:  # Left there by a `fit` that was broken off.
            self.model.step_hooks.append(self.look)

    def on_epoch_end(self, epoch, logs=None):
        """Counts them, once there is one; those too that the evaluation has found."""
        self.look()
        if self.source.bad and logs is not None:
            logs[self.name] = len(self.source.bad)

    def on_train_end(self, logs=None):
        """Stops looking."""
        self.model.step_hooks.remove(self.look)

    def look(self):
        """Tells what is new."""
        new = {i: why for i, why in self.source.bad.items() if i not in self._told}
        if new and writes_files(self.model):
            self._told.update(new)
            self.tell(new)
