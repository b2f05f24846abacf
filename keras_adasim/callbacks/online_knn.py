"""Nearest-neighbor accuracy of the features while they are trained."""

import keras
import numpy as np

from keras_adasim.data.keys import checked_keys
from keras_adasim.data.stand_ins import readable
from keras_adasim.evaluation.features import embed
from keras_adasim.evaluation.knn import knn_accuracy, leave_one_out_accuracy
from keras_adasim.validation import check_has, check_integer, check_number, check_switch
from keras_adasim.workers import told_by_chief


class OnlineKNN(keras.callbacks.Callback):
    """Logs `knn_top1` and `knn_top5` of the model's features at the end of epochs.

    Collapse looks calm in the loss of a self-distillation; here it shows. With several processes
    the chief measures, and tells the others.

    Args:
        train_source: `Source` of labeled images whose features vote.
        test_source: `Source` of labeled images that are classified. Without it a share `held_out`
            of `train_source`, drawn once, is classified by the rest.
        k: Number of voting neighbors.
        every: Epochs between two evaluations; the last epoch is always evaluated.
        max_images: At most so many images of each source, drawn once; None for all.
        batch_size: Images embedded at a time.
        image_size: Side in pixels that images are resized to; None if they share a size.
        held_out: Share of `train_source`, used without `test_source`.
        seed: Seed of both draws, which one image more or less changes by one: images are drawn by
            their keys.
        temperature: Temperature of the votes.
        leave_one_out: Whether, without `test_source`, each image drawn is classified by all
            others instead: steadier with few images, of which none is held out.

    Attributes:
        num_train: Number of images drawn that vote.
        num_test: Number of images that are classified; with `leave_one_out` the same ones.
        keeps_features: Whether an evaluation's features are kept for `features`.

    Raises:
        ValueError: If a source has no labels, or fewer images than k can vote.

    Example:
        ```python
        images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), np.uint8)
        source = ka.data.ArraySource(images, labels=np.arange(12) % 3)
        knn = ka.callbacks.OnlineKNN(source, k=3, leave_one_out=True)
        top1, top5 = knn.evaluate(lambda images: tf.reshape(images, (len(images), -1)))
        ```
    """

    def __init__(
        self,
        train_source,
        test_source=None,
        k=20,
        every=1,
        max_images=None,
        batch_size=256,
        image_size=None,
        held_out=0.2,
        seed=0,
        temperature=0.07,
        leave_one_out=False,
    ):
        super().__init__()
        self.k = check_integer("k", k)
        self.every = check_integer("every", every)
        self.batch_size = check_integer("batch_size", batch_size)
        for name, value in (("max_images", max_images), ("image_size", image_size)):
            if value is not None:
                check_integer(name, value)
        check_number("held_out", held_out, above=0, below=1)
        check_number("temperature", temperature, above=0)
        check_switch("leave_one_out", leave_one_out)
        what = "a `data.Source` of labeled images"
        check_has("train_source", train_source, what, "__len__", "labels")
        if test_source is not None:
            check_has("test_source", test_source, what, "__len__", "labels")
        if leave_one_out and test_source is not None:
            raise ValueError(
                "Expected no `test_source` with `leave_one_out`, which classifies the images of "
                "`train_source`. Received: leave_one_out=True and a `test_source`. Leave one out."
            )
        if test_source is train_source:  # Or each image would be its own nearest neighbor.
            test_source, leave_one_out = None, True
        self.train_source = train_source
        self.test_source = train_source if test_source is None else test_source
        self.image_size = image_size
        self.temperature = temperature
        self.leave_one_out = leave_one_out
        drawn = _draw("train_source", train_source, max_images, check_integer("seed", seed, 0))
        if test_source is not None:
            tests = _draw("test_source", test_source, max_images, seed)
        elif leave_one_out:
            tests = drawn
        else:
            tests, drawn = np.split(drawn, [max(1, round(held_out * len(drawn)))])
        # In order, for the disk's sake.
        self._train, self._test = np.sort(drawn), np.sort(tests)
        self.keeps_features, self._kept = False, None
        self.num_train, self.num_test = len(drawn), len(tests)
        voters = self.num_train - 1 if leave_one_out else self.num_train
        if k > voters:
            raise ValueError(
                f"Expected `k` to be at most {voters}, the number of images that can vote. "
                f"Received: k={k}. Lower `k`, or raise `max_images`."
            )

    def on_epoch_end(self, epoch, logs=None):
        """Embeds both sets and adds the two accuracies to `logs`."""
        if logs is not None and self.is_due(epoch, self.params.get("epochs")):
            strategy = self.model.distribute_strategy
            logs["knn_top1"], logs["knn_top5"] = told_by_chief(strategy, self.evaluate)

    def is_due(self, epoch, epochs):
        """Whether an epoch, from 0, of so many in all is one that is evaluated."""
        return epoch + 1 == epochs or (epoch + 1) % self.every == 0

    def drawn(self):
        """The images drawn: two arrays of indices, the second None with `leave_one_out`."""
        return self._train, None if self.leave_one_out else self._test

    def evaluate(self, embed_fn=None):
        """Measures the model as it stands, or other features.

        Args:
            embed_fn: Function from uint8 images (B, H, W, C) to features (B, D); the model's
                `embed` by default.

        Returns:
            Tuple (top1, top5), shares in [0, 1].
        """
        train, test = sets = self.features(embed_fn)
        if self.keeps_features and embed_fn is None:
            self._kept = self._step(), sets
        vote = {"k": self.k, "temperature": self.temperature}
        if test is None:
            return leave_one_out_accuracy(*train[:2], **vote)
        return knn_accuracy(*train[:2], *test[:2], **vote)

    def features(self, embed_fn=None):
        """Looks at all images drawn.

        Args:
            embed_fn: As for `evaluate`.

        Returns:
            Tuple of the images that vote and of those that are classified, each as features (n, D),
            labels (n,) and indices (n,) in their source, of the images that can be read; None for
            the latter with `leave_one_out`. If `keeps_features` is set, those of the evaluation
            that was made after the same step of the model are given, once.
        """
        kept, self._kept = self._kept, None
        if embed_fn is None and kept is not None and kept[0] == self._step():
            return kept[1]
        embed_fn = self.model.embed if embed_fn is None else embed_fn
        train = self._looked_at(self.train_source, self._train, embed_fn)
        if self.leave_one_out:
            return train, None
        return train, self._looked_at(self.test_source, self._test, embed_fn)

    def _step(self):
        optimizer = getattr(self.model, "optimizer", None)
        return None if optimizer is None else int(optimizer.iterations.numpy())

    def _looked_at(self, source, indices, embed_fn):
        indices = readable(source, indices)
        features = embed(source, embed_fn, self.batch_size, self.image_size, indices=indices)
        return features, np.asarray(source.labels)[indices], indices


def _draw(name, source, max_images, seed):
    """Indices of the images used, in random order, by key."""
    if source.labels is None:
        raise ValueError(
            f"Expected `{name}` with labels, which k-NN compares. Received: {name}.labels=None. "
            "Sort the images into one folder per class, or leave OnlineKNN out."
        )
    return checked_keys(source).shuffled(seed)[:max_images]
