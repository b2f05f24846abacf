"""The augmentation of a training step: crops and photometric changes of every view."""

import keras
import tensorflow as tf
from absl import logging

from keras_adasim.augment.keyed_generator import KeyedGenerator, drawing_from
from keras_adasim.augment.normalize import Normalize
from keras_adasim.augment.policies import (
    first_view,
    is_compilable,
    local_view,
    needs_rgb,
    second_view,
)
from keras_adasim.augment.random_resized_crop import RandomResizedCrop
from keras_adasim.layers.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from keras_adasim.validation import check_has, check_integer, check_per_channel, check_strings


@keras.saving.register_keras_serializable(package="keras_adasim")
class DINOAugment(keras.layers.Layer):
    """Makes the normalized views of a batch of pairs by any policy, DINO's unless given another.

    The draws are a pure function of the seed, the step, the view and the place in the global
    batch: they need no saving, compiled and inline code draw the same, and replicas with a share
    of the batch each draw what one device draws for the whole.

    The policies are lists of image layers that work on (B, H, W, C) floats in [0, 255]: ours,
    KerasCV's vectorized ones, or any other layer, which then draws from its own generator (see
    `drawing_from`). The layers are called in order, then the view is normalized.

    Args:
        crops: Geometry of the crops, a `MultiCrop`. The same as the data set's if that cuts them.
        mean: Mean of every channel of images in [0, 1].
        std: Standard deviation of every channel of images in [0, 1].
        channels: Number of channels of the images. Unless they are 3, layers that need RGB are
            left out; `left_out` names them.
        seed: Seed of all draws, a non-negative integer.
        first: Layers for the first view (the image's); `first_view()` when None.
        second: Layers for the second view (the partner's); `second_view()` when None.
        local: Layers for local views (the image's); `local_view()` when None.
        exclude: Names of layers to leave out of all policies. The default policies have "flip",
            "color_jitter", "grayscale", "blur" and "solarize".
        interpolation: Kernel for crops that are cut here, "bilinear" or "bicubic".
        dtype: Dtype of the layer; float32 whatever the global policy.

    Attributes:
        left_out: Names of the layers that are not called.
        compilable: Whether XLA is known to compile all the others. Where that is False and you know
            better, set it.

    Call arguments:
        batch: Dictionary with "images" and "partners", (B, H, W, C) each, to crop and change,
            or "views", one (B, size, size, C) tensor of crops per view, to change only. Integers
            from 0 to 255, or floats from 0 to 1.
        step: Step of the run, an integer or an int64 scalar tensor.
        replica_id: Which share of the global batch this is, an integer or an int32 scalar tensor.
        num_replicas: Number of equal shares.

    Returns:
        List of (B, size, size, C) float32 views: of the image, of the partner, local ones.

    Raises:
        ValueError: If `mean`, `std`, `seed` or `exclude` does not fit, or a batch has other keys,
            channels or views.

    Example:
        ```python
        crops = ka.augment.MultiCrop(16, local_size=8, num_local=2)
        augment = ka.augment.DINOAugment(crops, exclude=("solarize",))
        images = np.random.default_rng(0).integers(0, 256, (4, 24, 24, 3), dtype=np.uint8)
        views = augment({"images": images, "partners": images[::-1]}, step=0)
        print([view.shape[1] for view in views])  # [16, 16, 8, 8]
        ```
    """

    def __init__(
        self,
        crops,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        channels=3,
        seed=0,
        first=None,
        second=None,
        local=None,
        exclude=(),
        interpolation="bilinear",
        dtype="float32",
        **kwargs,
    ):
        super().__init__(dtype=dtype, **kwargs)
        self.channels = check_integer("channels", channels)
        self.seed = check_integer("seed", seed, minimum=0)
        _check_statistics(mean, std, self.channels)
        what = "a `MultiCrop`, such as `augment.MultiCrop(224)`"
        self.crops = check_has("crops", crops, what, "sizes", "scales", "ratio")
        self.mean = tuple(mean)
        self.std = tuple(std)
        self.exclude = check_strings("exclude", exclude)
        self.interpolation = interpolation
        self.first = first_view() if first is None else _checked_layers("first", first)
        self.second = second_view() if second is None else _checked_layers("second", second)
        self.local = local_view() if local is None else _checked_layers("local", local)
        layers = [*self.first, *self.second, *self.local]
        self.left_out = _left_out(layers, self.exclude, self.channels)
        active = [layer for layer in layers if layer.name not in self.left_out]
        self.compilable = all(is_compilable(layer) for layer in active)
        self.normalize = Normalize(self.mean, self.std, dtype="float32")
        self.croppers = [
            RandomResizedCrop(size, scale, crops.ratio, interpolation, dtype="float32")
            for size, scale in zip(crops.sizes, crops.scales, strict=True)
        ]
        self._allow_non_tensor_positional_args = True
        # Nothing here has weights; Keras would look for a `build` to infer that from.
        self.built = True

    def call(self, batch, step, replica_id=0, num_replicas=1):
        """Makes the views of a batch."""
        place = {"step": step, "replica_id": replica_id, "num_replicas": num_replicas}
        views = self._crop(batch, place)
        changed = []
        kinds = ((views[:1], self.first), (views[1:2], self.second), (views[2:], self.local))
        for stream, (group, layers) in enumerate(kinds, start=len(views)):
            if group:
                changed += self._change(group, layers, stream, place)
        return changed

    def _crop(self, batch, place):
        batch = tf.nest.map_structure(_from_0_to_255, dict(batch))
        if "views" in batch:
            views = list(batch["views"])
        elif "images" in batch and "partners" in batch:
            views = self._crop_here(batch["images"], batch["partners"], place)
        else:
            raise ValueError(
                "Expected `batch` to have the key 'views', or 'images' and 'partners'. "
                f"Received: keys {sorted(batch)}"
            )
        if len(views) != self.crops.num_views or views[0].shape[-1] != self.channels:
            raise ValueError(
                f"Expected {self.crops.num_views} views of {self.channels} channels: give "
                "`PairDataset` and `DINOAugment` the same `crops`, and `DINOAugment` the images' "
                f"`channels`. Received: {len(views)} views of {views[0].shape[-1]} channels"
            )
        return views

    def _crop_here(self, images, partners, place):
        sources = [images, partners, *[images] * self.crops.num_local]
        views = []
        for stream, (source, cropper) in enumerate(zip(sources, self.croppers, strict=True)):
            generator = KeyedGenerator(self.seed, stream, rows=_rows(source), **place)
            with drawing_from(cropper, generator):
                views.append(cropper(source))
        return views

    def _change(self, views, layers, stream, place):
        """Runs views of one kind through their policy as one batch."""
        rows = _rows(views[0])
        generator = KeyedGenerator(self.seed, stream, rows=rows, copies=len(views), **place)
        images = tf.cast(tf.concat(views, axis=0), tf.float32)
        for layer in layers:
            if layer.name in self.left_out:
                continue
            with drawing_from(layer, generator):
                images = tf.cast(_apply(layer, images), tf.float32)
        return tf.split(self.normalize(images), len(views), axis=0)

    def get_config(self):
        """Returns the constructor's arguments."""
        policies = {"first": self.first, "second": self.second, "local": self.local}
        return {
            **super().get_config(),
            "crops": keras.saving.serialize_keras_object(self.crops),
            "mean": self.mean,
            "std": self.std,
            "channels": self.channels,
            "seed": self.seed,
            **{name: _serialize(layers) for name, layers in policies.items()},
            "exclude": self.exclude,
            "interpolation": self.interpolation,
        }

    @classmethod
    def from_config(cls, config):
        """Builds the layer and those of its policies from `get_config`."""
        names = ("crops", "first", "second", "local")
        built = {name: keras.saving.deserialize_keras_object(config[name]) for name in names}
        return cls(**{**config, **built})


def _apply(layer, images):
    if is_compilable(layer) or tf.executing_eagerly():
        return layer(images)
    # Some of KerasCV's layers branch and loop in Python, which AutoGraph must see.
    return tf.function(layer, autograph=True)(images)


def _from_0_to_255(images):
    return images * 255.0 if images.dtype.is_floating else images


def _rows(images):
    return tf.shape(images)[0] if images.shape[0] is None else images.shape[0]


def _serialize(layers):
    return [keras.saving.serialize_keras_object(layer) for layer in layers]


def _checked_layers(name, layers):
    if not isinstance(layers, list | tuple) or not all(hasattr(each, "name") for each in layers):
        raise ValueError(f"Expected `{name}` to be a list of layers. Received: {name}={layers!r}")
    return list(layers)


def _check_statistics(mean, std, channels):
    mean, std = check_per_channel("mean", mean), check_per_channel("std", std, above=0)
    if not len(mean) == len(std) == channels:
        raise ValueError(
            f"Expected `mean` and `std` to have {channels} entries, one per channel: pass the "
            f"data set's own, or `channels={len(mean)}`. Received: mean={tuple(mean)}, "
            f"std={tuple(std)}, channels={channels}"
        )


def _left_out(layers, exclude, channels):
    """Names of the layers to drop, because they are excluded or need other channels."""
    names = {layer.name: layer for layer in layers}
    unknown = sorted(set(exclude) - set(names))
    if unknown:
        raise ValueError(
            f"Expected `exclude` to name layers of the policies, out of {sorted(names)}. "
            f"Received: exclude={tuple(exclude)}"
        )
    no_rgb = [name for name, layer in names.items() if channels != 3 and needs_rgb(layer)]
    if no_rgb:
        logging.info("Images of %d channels are not RGB: leaving out %s.", channels, no_rgb)
    return tuple(sorted({*exclude, *no_rgb}))
