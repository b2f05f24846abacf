"""Features of two augmented views of some images."""

import numpy as np
import tensorflow as tf

from keras_adasim.data import PairDataset, Subset
from keras_adasim.pairing import SelfPairing


class ViewFeatures:
    """The features of two views of each image, as a training step would augment it.

    Crops and colors are drawn anew for every model and the same in every call, so that calls
    differ by the weights alone.

    Args:
        model: `SelfDistillation` whose `augment` has `crops`.
        source: `Source` of the images.
        indices: Integers (n,), the images.
        batch_size: Images at a time.
        seed: Non-negative integer, of the crops' boxes.
    """

    def __init__(self, model, source, indices, batch_size, seed):
        self._model = model
        self._pairs = PairDataset(
            Subset(source, indices),
            SelfPairing(),
            min(batch_size, len(indices)),
            crops=model.augment.crops,
            seed=seed,
            shuffle=False,
            drop_remainder=False,
        )
        # Many small operations, of which a graph makes one call.
        self._features = tf.function(self._augment_and_embed, autograph=False)

    def __call__(self):
        """Returns two float32 arrays (n, D): features of the first views and of the second."""
        self._pairs.set_epoch(0)
        batches = enumerate(self._pairs)
        parts = [self._features(batch, tf.constant(n, tf.int64)) for n, batch in batches]
        return tuple(np.concatenate(views) for views in zip(*parts, strict=True))

    def _augment_and_embed(self, batch, step):
        views = self._model.augment(batch, step=step)[:2]
        features = [self._model(view, training=False)["features"] for view in views]
        return [tf.cast(feature, tf.float32) for feature in features]
