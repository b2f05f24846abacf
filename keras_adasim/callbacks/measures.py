"""What a run tells without labels, epoch by epoch, and with them."""

import keras
import numpy as np

from keras_adasim.callbacks.view_features import ViewFeatures
from keras_adasim.data.keys import checked_keys
from keras_adasim.data.stand_ins import readable
from keras_adasim.evaluation.features import embed
from keras_adasim.evaluation.label_free import alignment, alpha_req, rank_me, uniformity
from keras_adasim.evaluation.neighborhoods import neighbor_churn, neighbor_purity
from keras_adasim.layers.preprocessing import l2_normalize
from keras_adasim.validation import check_has, check_integer, check_labels
from keras_adasim.workers import told_by_chief

# Images whose records are looked at.
MAX_RECORDS = 200_000


class Measures(keras.callbacks.Callback):
    """Logs the health of a `SelfDistillation`'s features, bank and pairing at the end of epochs.

    Of the features of a fixed sample of `source`, whole images as `embed` sees them (the
    teacher's, or the network's own where there is no teacher):

    - `rank_me`: Dimensions that they use; a collapse shows as a fall towards 1 [1].
    - `alpha_req`: Decay of their spectrum; near 1 is good [2].
    - `uniformity`: Log of the mean Gaussian potential of two images; smaller is more even [3].
    - `alignment`: Mean squared distance of two views of an image, augmented as in training; left
      out if the model's `augment` has no `crops` [3].

    Of the pairing, as far as it has them, over a sample of at most 200,000 images:

    - `gate_open`: Share of the images that may get another image as their partner.
    - `partner_is_self`: Share of the images whose partner in the next epoch is the image itself.
    - `effective_candidates`: Exponential of the entropy of the distribution that a partner is
      drawn from, as a mean over the images with an open gate.

    Of the bank, where there is one:

    - `neighbor_churn`: Of the neighbors in the images' records, those that were not in the record
      of the epoch before; this and `neighbor_purity` of a sample of at most 200,000 images.
    - `staleness`: 1 less the mean cosine of an image's row and the feature that would be written
      now: of a fresh view (both views for `neighbor_feature` "second" or "mean"; the whole image
      if `augment` has no `crops`), in inference mode, over the sampled images that have a row. If
      the weights stood still, what is left is the distance of two draws of a view, about half of
      `alignment`.

    With `labels`, which training doesn't use:

    - `partner_purity`: Of the images, those whose partner has their label.
    - `neighbor_purity`: Of the neighbors in the images' records, those with the image's label.

    Neighbors are counted without the image's own older self and without rows never written. What
    can't be told yet is left out: `neighbor_churn` in the first epoch, `effective_candidates`
    while no gate is open. With several processes the chief measures, and tells the others; a bank
    that is sharded among them is as it was at the end of the last epoch that was measured.

    Args:
        source: `Source` of the N training images, or None to leave their features alone.
        labels: Labels (N,) of the training images, or None.
        every: Epochs between two measurements; the last epoch is always measured.
        max_images: Size of the sample of `source`, at least 2.
        image_size: Side in pixels that whole images are resized to; None if they share a size.
        batch_size: Images embedded at a time.
        seed: Seed of the samples.

    Raises:
        ValueError: If an argument is out of range; in `fit`, if source or labels are not those of
            the training images.

    Reference:
        - [1] Garrido et al., "RankMe", ICML 2023.
        - [2] Agrawal et al., "alpha-ReQ", NeurIPS 2022.
        - [3] Wang and Isola, "Understanding Contrastive Representation Learning through Alignment
          and Uniformity on the Hypersphere", ICML 2020.

    Example:
        ```python
        images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8)
        source = ka.data.ArraySource(images)
        backbone = ka.backbones.VisionTransformer(16, 8, embed_dim=16, depth=1, num_heads=2)
        model = ka.SelfDistillation(backbone, ka.objectives.DINO(out_dim=16))
        measures = ka.callbacks.Measures(source)
        measures.set_model(model)  # As `fit(..., callbacks=[measures])` does.
        values = measures.evaluate()
        ```
    """

    def __init__(
        self,
        source=None,
        labels=None,
        every=1,
        max_images=2048,
        image_size=None,
        batch_size=256,
        seed=0,
    ):
        super().__init__()
        if source is not None:
            check_has("source", source, "a `data.Source` of the training images", "__len__", "read")
        self.source = source
        self.labels = None if labels is None else check_labels("labels", labels)
        self.every = check_integer("every", every)
        self.max_images = check_integer("max_images", max_images, minimum=2)
        self.image_size = None if image_size is None else check_integer("image_size", image_size)
        self.batch_size = check_integer("batch_size", batch_size)
        self.seed = check_integer("seed", seed, minimum=0)
        self._view_features = self._before = self._now = self._bank = None
        self._check(None if source is None else len(source))

    def set_model(self, model):
        """Looks whether source and labels are those of the model's training images."""
        if model is self._model:  # Again in every `fit`; the graphs of the views are kept.
            return
        super().set_model(model)
        self._before = self._now = self._view_features = self._bank = None
        images = model.pairing.num_images
        if images is None and model.bank is not None:
            images = model.bank.num_images
        self._check(images)
        if self.source is not None:
            # By key, so that one image more or less changes the sample by one; in order, for the
            # disk's sake.
            drawn = checked_keys(self.source).shuffled(self.seed)
            self._images = np.sort(drawn[: self.max_images])
            if getattr(model.augment, "crops", None) is not None:  # Not a layer of one's own.
                self._view_features = ViewFeatures(
                    model, self.source, self._images, self.batch_size, self.seed
                )
        if model.bank is not None:
            drawn = np.random.default_rng(self.seed).permutation(model.bank.num_images)
            self._recorded = np.sort(drawn[:MAX_RECORDS])

    def on_train_begin(self, logs=None):
        """Forgets the records of an earlier `fit`."""
        self._before = self._now = None

    def on_epoch_begin(self, epoch, logs=None):
        """Keeps the records of the epoch before, which may be one of an earlier run."""
        goes_on = getattr(self.model, "first_step", 0) > 0  # A backup has them then.
        if self._is_due(epoch) and self.model.bank is not None and not goes_on:
            self._before = self._now or self.model.bank.records(self._recorded)
        self._now = None

    def on_epoch_end(self, epoch, logs=None):
        """Adds the measures to `logs`."""
        if logs is not None and self._is_due(epoch):
            if self._is_spread:
                self._bank = self._read_bank()  # All are asked for it.
                self._now = self._bank[0]
            logs.update(told_by_chief(self.model.distribute_strategy, self.evaluate))

    def evaluate(self):
        """Measures the model as it stands, in `fit`, before or after it.

        Returns:
            Dict of floats, those named above.
        """
        records, rows = (self._bank or (None, None)) if self._is_spread else self._read_bank()
        values = {**self._of_pairing(), **self._of_records(records), **self._of_features(rows)}
        return {name: value for name, value in values.items() if not np.isnan(value)}

    def get_state(self):
        """Returns the records before the running or last epoch, as a dict of arrays."""
        return dict(zip(("ids", "similarities"), self._before or (), strict=False))

    def set_state(self, state):
        """Takes back what `get_state` returned."""
        self._before = (state["ids"], state["similarities"]) if state else None

    def _of_pairing(self):
        values = self.model.pairing.statistics()
        if self.labels is not None:
            images, partners = self.model.pairing.partner_sample(len(self.labels))
            values["partner_purity"] = float(np.mean(self.labels[partners] == self.labels[images]))
        return values

    @property
    def _is_spread(self):
        """Whether rows of the bank are in other processes, which are asked at the epoch's end."""
        return getattr(self.model.bank, "is_spread", False)

    def _read_bank(self):
        """Records and rows of the sampled images; None for what there isn't."""
        bank = self.model.bank
        if bank is None:
            return None, None
        rows = None if self.source is None else bank.rows(self._images)
        return bank.records(self._recorded), rows

    def _of_records(self, records):
        if records is None:
            return {}
        values, self._now = {}, records
        if self.labels is not None:
            values["neighbor_purity"] = neighbor_purity(*self._now, self.labels, self._recorded)
        if self._before is not None:
            values["neighbor_churn"] = neighbor_churn(*self._now, *self._before, self._recorded)
        return values

    def _of_features(self, rows):
        if self.source is None:
            return {}
        sizes = self.batch_size, self.image_size
        images = readable(self.source, self._images)
        whole = embed(self.source, self.model.embed, *sizes, indices=images)
        values = {
            "rank_me": rank_me(whole),
            "alpha_req": alpha_req(whole),
            "uniformity": uniformity(whole),
        }
        views = (whole, whole)
        if self._view_features is not None:
            views = self._view_features()
            values["alignment"] = alignment(*views)
        if rows is not None:
            values["staleness"] = self._staleness(rows, *map(_normalized, views))
        return values

    def _staleness(self, rows, first, second):
        kind = self.model.neighbor_feature
        features = {"first": first, "second": second, "mean": _normalized(first + second)}[kind]
        written = rows.any(axis=1)
        if not written.any():
            return float("nan")
        return float(1 - np.mean(np.sum(rows[written] * features[written], axis=1)))

    def _is_due(self, epoch):
        last = epoch + 1 == self.params.get("epochs")
        return last or (epoch + 1) % self.every == 0

    def _check(self, images):
        if images is None:
            return
        if self.labels is not None and self.labels.shape != (images,):
            raise ValueError(
                f"Expected `labels` of shape ({images},), one per training image. "
                f"Received: labels.shape={self.labels.shape}. Pass the source's `labels`."
            )
        if self.source is not None and len(self.source) != images:
            raise ValueError(
                f"Expected `source` to be the {images} training images, whose rows the bank keeps. "
                f"Received: len(source)={len(self.source)}"
            )


def _normalized(features):
    return l2_normalize(features).numpy()
