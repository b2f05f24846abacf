"""Batches of images and partners, in a fresh order and with fresh partners every epoch."""

import functools

import numpy as np
import tensorflow as tf

from keras_adasim.data.host_crops import HostCrops
from keras_adasim.data.stand_ins import stand_ins
from keras_adasim.layers.preprocessing import check_interpolation
from keras_adasim.validation import check_has, check_integer, check_switch


class PairDataset:
    """Pairs every image of a source with the partner that the pairing gives it.

    One pass is one epoch, which ends. The order and the boxes of the crops are a pure function
    of the seed and the epoch, so a resumed run sees what the uninterrupted one would have seen;
    the partners are asked for batch by batch while an epoch runs. The first pass is epoch 0, and
    every pass, also one that is broken off, advances by one; `set_epoch` before a pass makes it
    that epoch.

    Of files that vanish or go bad on the way, if `source` is a `WatchedSource`, others take the
    place, with their own index, so that no image's row in a bank becomes another's; who, follows
    from the seed, the epoch and the index. An image whose partner is gone is paired with itself.

    A batch is a dictionary of `"indices"`, (B,) int64, and

    - without `crops`, `"images"` and `"partners"`, (B, H, W, C) uint8 whole images;
    - with `crops`, `"views"`, a tuple of (B, size, size, C) uint8 crops: a global one of the
      image, a global one of the partner, then local ones of the image.

    Args:
        source: `Source` of N images.
        pairing: Has `partners(indices)`: (B,) int64 -> (B,) indices of the partners, and, if it
            knows it, `num_images`.
        batch_size: Integer. Images in a batch, over all replicas; each comes with its partner.
        crops: `MultiCrop` to cut crops on the host, or None to leave that to the device, for which
            all images must have the same size.
        seed: Non-negative integer.
        shuffle: Whether to shuffle, else every epoch runs through the source in its order.
        drop_remainder: Whether to leave out the incomplete batch at the end of an epoch, for which
            XLA would compile the step once more.
        interpolation: `"bilinear"`, or `"bicubic"`, which is DINO's and slower; either
            antialiased. Only with `crops`.

    Raises:
        ValueError: If an argument is of the wrong kind or does not fit the others.

    Example:
        ```python
        source = ka.data.ArraySource(np.zeros((8, 16, 16, 3), "uint8"))
        pairs = ka.data.PairDataset(source, ka.pairing.SelfPairing(), batch_size=4)
        for batch in pairs:
            batch["indices"], batch["images"], batch["partners"]
        ```
    """

    def __init__(
        self,
        source,
        pairing,
        batch_size,
        crops=None,
        seed=0,
        shuffle=True,
        drop_remainder=True,
        interpolation="bilinear",
    ):
        check_has("source", source, "a `data.Source`", "__len__", "read", "image_size")
        check_has("pairing", pairing, "one of `keras_adasim.pairing`", "partners")
        drop_remainder = check_switch("drop_remainder", drop_remainder)
        self.batch_size = _checked_batch_size(batch_size, len(source), drop_remainder)
        self.seed = check_integer("seed", seed, minimum=0)
        _check_pairing(pairing, source)
        check_interpolation(interpolation)
        if crops is not None and not hasattr(crops, "scales"):
            raise ValueError(
                f"Expected `crops` to be a `MultiCrop`, such as `augment.MultiCrop(224)`, or None. "
                f"Received: crops={crops!r}"
            )
        if crops is None and source.image_size is None:
            raise ValueError(
                "Expected `crops` for a source whose images need not share a size: pass "
                "`crops=augment.MultiCrop(...)`, or, if they do share it and fit into memory, "
                "`source=data.load_in_memory(source)`. Received: crops=None, "
                f"source={type(source).__name__}"
            )
        self.source = source
        self.pairing = pairing
        self.crops = crops
        self.shuffle = check_switch("shuffle", shuffle)
        self.drop_remainder = drop_remainder
        self.interpolation = interpolation
        self.set_epoch(0)
        self._dataset = None

    def __len__(self):
        """Number of batches in an epoch."""
        full, rest = divmod(len(self.source), self.batch_size)
        return full if self.drop_remainder or not rest else full + 1

    def __iter__(self):
        """Runs through the next epoch: yields dictionaries of tensors."""
        if self._dataset is None:
            self._dataset = self.as_tf_dataset()
        return iter(self._dataset)

    def set_epoch(self, epoch, first_step=0):
        """Makes the next pass the epoch of this number, counted from 0, from a step of it on."""
        self._next_epoch = check_integer("epoch", epoch, minimum=0)
        self._first_step = check_integer("first_step", first_step, minimum=0)

    def order(self, epoch):
        """Order of the images in an epoch: (N,) int64 array."""
        if not self.shuffle:
            return np.arange(len(self.source))
        return np.random.default_rng([self.seed, epoch]).permutation(len(self.source))

    def pairs(self, epoch, step):
        """Indices of the images of a batch, and of their partners as they are now.

        Args:
            epoch: Integer.
            step: Integer, the batch within the epoch.

        Returns:
            Two (B,) int64 arrays.
        """
        rows = self.order(epoch)[step * self.batch_size : (step + 1) * self.batch_size]
        return self._images_and_partners(slice(None), self._key(epoch), rows)

    def as_tf_dataset(self, num_shards=1, shard=0):
        """The same batches as a finite `tf.data.Dataset`, for `fit` and for strategies.

        Every iteration over it is a pass like any other, `set_epoch` included. A strategy on one
        host splits its batches over the replicas.

        Args:
            num_shards: Integer. Number of input pipelines that share the batches evenly, as with
                `strategy.distribute_datasets_from_function` on several hosts.
            shard: Integer. The part that this one makes; the others' images are not decoded.

        Returns:
            A dataset of dictionaries.

        Raises:
            ValueError: If the batches cannot be shared evenly.
        """
        self._check_shards(num_shards, shard)
        dataset = tf.data.Dataset.from_tensors(0).map(self._begin_pass)
        dataset = dataset.flat_map(self._batches_of_indices)
        rows = self.batch_size // num_shards
        part = slice(shard * rows, (shard + 1) * rows)
        dataset = dataset.map(lambda key, indices: self._with_partners(part, key, indices))
        dataset = self._with_images(dataset, rows)
        # Cardinality is lost in `flat_map`; Keras shows its progress by it.
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(self)))
        options = tf.data.Options()
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
        return dataset.with_options(options).prefetch(tf.data.AUTOTUNE)

    def _begin_pass(self, _):
        key, order = tf.numpy_function(self._next_order, [], (tf.int64, tf.int64))
        return tf.ensure_shape(key, ()), tf.ensure_shape(order, (None,))

    def _next_order(self):
        epoch, done = self._next_epoch, self._first_step * self.batch_size
        self._next_epoch, self._first_step = epoch + 1, 0
        return self._key(epoch), self.order(epoch)[done:]

    def _key(self, epoch):
        """What all draws of an epoch follow from."""
        key = np.random.SeedSequence([self.seed, epoch]).generate_state(1, np.uint64)
        return key.view(np.int64)[0]

    def _batches_of_indices(self, key, order):
        batches = tf.data.Dataset.from_tensor_slices(order)
        batches = batches.batch(self.batch_size, drop_remainder=self.drop_remainder)
        return batches.map(lambda indices: (key, indices))

    def _with_partners(self, part, key, indices):
        draw = functools.partial(self._images_and_partners, part)
        images, partners = tf.numpy_function(draw, [key, indices], (tf.int64, tf.int64))
        shape = indices[part].shape
        return key, tf.ensure_shape(images, shape), tf.ensure_shape(partners, shape)

    def _images_and_partners(self, part, key, indices):
        images = stand_ins(self.source, indices, int(key))[part]
        partners = np.asarray(self.pairing.partners(images), np.int64)
        return images, np.where(self.source.unreadable(partners), images, partners)

    def _with_images(self, dataset, rows):
        if self.crops is None and not self.source.encoded:
            return dataset.map(self._gather, tf.data.AUTOTUNE, deterministic=True)
        dataset = dataset.flat_map(_one_by_one)
        dataset = dataset.map(self._decoder(), tf.data.AUTOTUNE, deterministic=True)
        return dataset.batch(rows, drop_remainder=self.drop_remainder)

    def _gather(self, key, indices, partners):
        images, partners = self.source.read(indices), self.source.read(partners)
        return {"indices": indices, "images": images, "partners": partners}

    def _decoder(self):
        if self.crops is None:
            return self._decode_whole
        cut = HostCrops(self.source, self.crops, self.interpolation)
        return lambda key, index, partner: {"indices": index, "views": cut(index, partner, key)}

    def _decode_whole(self, key, index, partner):
        images, partners = self.source.decode(index), self.source.decode(partner)
        return {"indices": index, "images": images, "partners": partners}

    def _check_shards(self, num_shards, shard):
        if check_integer("shard", shard, minimum=0) >= check_integer("num_shards", num_shards):
            raise ValueError(
                f"Expected `shard` to be in [0, num_shards). Received: shard={shard}, "
                f"num_shards={num_shards}"
            )
        if num_shards > 1 and (self.batch_size % num_shards or not self.drop_remainder):
            raise ValueError(
                "Expected batches that `num_shards` pipelines can share evenly: choose a "
                "`batch_size` that it divides, and `drop_remainder=True`. Received: "
                f"num_shards={num_shards}, batch_size={self.batch_size}, "
                f"drop_remainder={self.drop_remainder}"
            )


def _one_by_one(key, indices, partners):
    pairs = tf.data.Dataset.from_tensor_slices((indices, partners))
    return pairs.map(lambda index, partner: (key, index, partner))


def _checked_batch_size(batch_size, num_images, drop_remainder):
    batch_size = check_integer("batch_size", batch_size)
    if drop_remainder and batch_size > num_images:
        raise ValueError(
            f"Expected `batch_size` to be at most the number of images, {num_images}, or an epoch "
            "would have no batch: choose a smaller one, or `drop_remainder=False`. "
            f"Received: batch_size={batch_size}"
        )
    return batch_size


def _check_pairing(pairing, source):
    num_images = getattr(pairing, "num_images", None)
    if num_images is not None and num_images != len(source):
        raise ValueError(
            f"Expected `pairing.num_images` to be the number of images in `source`, {len(source)}: "
            "build the pairing with `num_images=len(source)`. "
            f"Received: pairing.num_images={num_images}"
        )
