"""Accuracy of a linear classifier on the features while they are trained."""

import keras
import numpy as np

from keras_adasim.callbacks.online_knn import OnlineKNN
from keras_adasim.evaluation.linear import LEARNING_RATES, LinearProbe, batches_of
from keras_adasim.evaluation.splits import stratified_split
from keras_adasim.validation import check_each, check_integer, check_number
from keras_adasim.workers import told_by_chief

# Of the training images, to choose the learning rate by.
VALIDATION_SHARE = 0.1
BATCH_SIZE = 256


class OnlineProbe(keras.callbacks.Callback):
    """Logs `probe_top1`, the accuracy of a linear classifier on the features, at the end of epochs.

    It is trained on features as numbers, in whole images as `embed` sees them, so that no gradient
    and no draw of it reaches the network: a run with it is bit by bit the run without. It begins
    anew in every epoch, with the same weights and order, and so has nothing to be kept: what it
    says depends on the features alone, in a run that goes on too. A tenth of the training images
    chooses among the learning rates; the images it is judged by are not trained on.

    Images, and the epochs in which it is judged, are those of an `OnlineKNN`, whose features of the
    same epoch are taken where it stands before it in the list of callbacks. Where that leaves one
    out, a share `held_out` of every class is classified by what the others teach.

    Args:
        knn: `OnlineKNN`.
        epochs: Passes over the features.
        learning_rates: Rates for batches of 256, as for `LinearProbe`.
        held_out: Share of every class, used where `knn` has no images of its own to classify.
        seed: Seed of the weights, the order and the shares.

    Attributes:
        num_train: Number of images that are trained on.
        num_test: Number of images that are classified.

    Raises:
        ValueError: If an argument is out of range, or no class has so many images that some can be
            held out.

    Example:
        ```python
        images = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3), np.uint8)
        source = ka.data.ArraySource(images, labels=np.arange(30) % 3)
        knn = ka.callbacks.OnlineKNN(source, k=3, leave_one_out=True)
        probe = ka.callbacks.OnlineProbe(knn, epochs=2)
        top1 = probe.evaluate(lambda images: tf.reshape(images, (len(images), -1)) / 255)
        ```
    """

    def __init__(self, knn, epochs=20, learning_rates=LEARNING_RATES, held_out=0.2, seed=0):
        super().__init__()
        if not isinstance(knn, OnlineKNN):
            raise ValueError(f"Expected `knn` to be an `OnlineKNN`. Received: knn={knn!r}")
        self.knn = knn
        self.epochs = check_integer("epochs", epochs)
        rates = check_each("learning_rates", learning_rates, check_number, above=0)
        self.learning_rates = tuple(rates)
        check_number("held_out", held_out, above=0, below=1)
        self.seed = check_integer("seed", seed, minimum=0)
        train, test = knn.drawn()
        labels = np.asarray(knn.train_source.labels)
        if test is None:
            kept, held = stratified_split(labels[train], held_out, seed)
            train, test = train[kept], train[held]
        kept, held = stratified_split(labels[train], VALIDATION_SHARE, seed)
        if not len(test) or not len(held) or len(np.unique(labels[train])) < 2:
            raise ValueError(
                "Expected `knn` with images of two classes or more, of some of which there are "
                "several: some choose the learning rate and some are classified. Received: "
                f"{len(train)} images to train on, of {len(np.unique(labels[train]))} classes."
            )
        self._parts = {"train": train[kept], "validation": train[held], "test": test}
        self.num_train, self.num_test = len(kept), len(test)
        self._num_classes = int(labels[train].max()) + 1
        self._probe = None
        knn.keeps_features = True

    def set_model(self, model):
        """Takes a model, and with it the k-NN, which need not be a callback itself."""
        super().set_model(model)
        self.knn.set_model(model)

    def on_epoch_end(self, epoch, logs=None):
        """Trains the classifier and adds its accuracy to `logs`."""
        if logs is not None and self.knn.is_due(epoch, self.params.get("epochs")):
            logs["probe_top1"] = told_by_chief(self.model.distribute_strategy, self.evaluate)

    def evaluate(self, embed_fn=None):
        """Judges the model as it stands, or other features.

        Args:
            embed_fn: Function from uint8 images (B, H, W, C) to features (B, D); the model's
                `embed` by default.

        Returns:
            Top-1 accuracy, in [0, 1].
        """
        train, test = self.knn.features(embed_fn)
        probe = self._fresh_probe(train[0].shape[1], _steps(len(self._parts["train"]), self.epochs))
        features, labels = _chosen(train, self._parts["train"])
        for batch in batches_of(features, labels, BATCH_SIZE, self.epochs, self.seed):
            probe.train_step(*batch)
        validation = _chosen(train, self._parts["validation"])
        _, place = probe.best(probe.accuracies(batches_of(*validation, BATCH_SIZE)))
        tests = _chosen(train if test is None else test, self._parts["test"])
        found = probe.accuracies(batches_of(*tests, BATCH_SIZE))
        return float(found["features"][place, 0])

    def _fresh_probe(self, feature_dim, steps):
        """The classifiers as they begin; made once, for the sake of their graphs."""
        probe = self._probe
        if probe is None or probe.feature_dim != feature_dim:
            arguments = {"learning_rates": self.learning_rates, "seed": self.seed}
            self._probe = LinearProbe(feature_dim, self._num_classes, steps, **arguments)
        else:
            probe.reset()
        return self._probe


def _steps(images, epochs):
    """Steps of so many passes."""
    return epochs * -(-images // BATCH_SIZE)


def _chosen(looked_at, indices):
    """Features and labels of those of some images that could be read."""
    features, labels, places = looked_at
    rows = np.flatnonzero(np.isin(places, indices))
    return features[rows], labels[rows]
