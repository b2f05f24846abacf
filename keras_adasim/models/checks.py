"""Whether the parts of a model, and what it is compiled and fitted with, fit each other."""

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from keras_adasim.data.keys import checked_keys
from keras_adasim.layers.preprocessing import LARGEST_FLOAT, assert_range
from keras_adasim.models.teacher import all_layers, has_batch_normalization
from keras_adasim.validation import check_has, check_integer
from keras_adasim.workers import has_workers

NEIGHBOR_FEATURES = ("first", "second", "mean")


def check_types(backbone, objective):
    """Raises ValueError unless these can be a backbone and an objective."""
    outputs = getattr(backbone, "output", None)
    if not isinstance(outputs, dict) or "features" not in outputs:
        raise ValueError(
            "Expected `backbone` to be a functional `keras.Model` that gives a dictionary of "
            "`features` and, where it has them, `tokens`, as those of `keras_adasim.backbones` do. "
            "Wrap any other Keras model with `backbones.adapt(model)`. "
            f"Received: backbone={backbone!r}"
        )
    if not hasattr(objective, "compute_loss"):
        raise ValueError(
            "Expected `objective` to be one of `keras_adasim.objectives`, such as `DINO()`. "
            f"Received: objective={objective!r}"
        )


def global_size(backbone):
    """The side in pixels of the images that a backbone is meant for.

    Raises:
        ValueError: If it doesn't say.
    """
    size = getattr(backbone, "image_size", None) or backbone.inputs[0].shape[1]
    if size is None:
        raise ValueError(
            "Expected `augment`, such as `DINOAugment(MultiCrop(224))`, with a backbone that "
            "doesn't say what size of images it is meant for, neither by its `image_size` nor by "
            "its input. Received: augment=None"
        )
    return size


def check_arguments(model):
    """Raises ValueError unless a `SelfDistillation` got parts that fit each other."""
    if not hasattr(model.pairing, "partners"):
        raise ValueError(
            "Expected `pairing` to be one of `keras_adasim.pairing`, such as "
            "`AdaptiveWindow(num_images)`, or made by `pairing.get(name, **arguments)`. "
            f"Received: pairing={model.pairing!r}"
        )
    if model.neighbor_feature not in NEIGHBOR_FEATURES:
        raise ValueError(
            f"Expected `neighbor_feature` to be one of {NEIGHBOR_FEATURES}. "
            f"Received: neighbor_feature={model.neighbor_feature!r}"
        )
    check_has("augment", model.augment, "a layer or a function", "__call__")
    if model.bank is not None:
        check_has("bank", model.bank, "a `NeighborBank`", "num_images", "feature_dim", "topk")
    _check_augment(model)
    name = type(model.pairing).__name__
    if model.bank is None and model.pairing.needs_neighbors:
        raise ValueError(
            f"`{name}` needs the neighbors that a bank finds. Received: bank=None. "
            "Pass `bank=NeighborBank(num_images, feature_dim)`."
        )
    remembered_keys(model)
    if model.bank is None:
        return
    for what, expected, received in (
        ("feature_dim", model.student.output["features"].shape[-1], model.bank.feature_dim),
        ("num_images", model.pairing.num_images or model.bank.num_images, model.bank.num_images),
        ("topk", getattr(model.pairing, "topk", model.bank.topk), model.bank.topk),
    ):
        if received != expected:
            raise ValueError(
                f"Expected `bank` with {what}={expected}, as the backbone and `{name}` have "
                f"it. Received: bank.{what}={received}"
            )


def remembered_keys(model):
    """The keys of the images that pairing and bank remember, or None.

    Raises:
        ValueError: If those of the two differ.
    """
    known = [getattr(part, "keys", None) for part in (model.pairing, model.bank)]
    known = [keys for keys in known if keys is not None]
    if len(known) == 2 and known[0] != known[1]:
        raise ValueError(
            "Expected `pairing` and `bank` with the same `keys`, those of one source. Received: "
            f"{len(known[0])} and {len(known[1])} keys that differ"
        )
    return known[0] if known else None


def _check_augment(model):
    """The views must be ones that the objective compares and the backbone takes."""
    crops = getattr(model.augment, "crops", None)
    if crops is None:  # A layer of one's own.
        return
    if model.objective.two_views_only and crops.num_local:
        raise ValueError(
            f"Expected `augment` with `num_local`=0: {type(model.objective).__name__} compares two "
            f"global views. Received: num_local={crops.num_local}. Use `MultiCrop(size, "
            "num_local=0)`, or an objective that learns from local crops, such as DINO."
        )
    size = getattr(model.student, "fixed_image_size", None)
    if size is not None and set(crops.sizes) != {size}:
        raise ValueError(
            f"{model.student.name} was built for images of {size} x {size} pixels alone. Received: "
            f"`augment` with views of {crops.sizes} pixels. Build the backbone for any size where "
            "it can be (keras.applications: `input_shape=(None, None, 3)`), or use no crops of "
            f"another size (`MultiCrop({size}, num_local=0)`)."
        )
    channels = model.student.inputs[0].shape[-1]
    if channels not in (None, model.augment.channels):
        raise ValueError(
            f"Expected `augment` for images of {channels} channels, as the backbone takes them. "
            f"Received: augment.channels={model.augment.channels}. Pass `augment=DINOAugment("
            f"crops, mean, std, channels={channels})` with mean and standard deviation of each."
        )


def check_compile(optimizer, jit_compile, steps_per_execution, num_replicas):
    """Raises ValueError unless `compile` got what the training step works with."""
    check_integer("steps_per_execution", steps_per_execution)
    if steps_per_execution > 1 and num_replicas > 1:
        raise ValueError(
            "Expected `steps_per_execution=1` with several replicas, which TensorFlow can't run "
            f"in a loop. Received: steps_per_execution={steps_per_execution}, {num_replicas} "
            "replicas"
        )
    if not hasattr(optimizer, "update_variable") or isinstance(optimizer, type):
        raise ValueError(
            "Expected `optimizer` to be one of keras_adasim.optimizers (AdamW, LARS, SGD), "
            "which clip each variable after the exchange between replicas and leave frozen "
            f"ones out. Received: optimizer={optimizer!r}"
        )
    if jit_compile != "auto" and not isinstance(jit_compile, bool):
        raise ValueError(
            "Expected `jit_compile` to be 'auto', True or False. "
            f"Received: jit_compile={jit_compile!r}"
        )


def check_synchronized(modules, num_replicas):
    """Refuses BatchNormalization with statistics of its own on every replica."""
    lonely = [
        layer.path
        for module in modules
        for layer in all_layers(module)
        if isinstance(layer, keras.layers.BatchNormalization) and not layer.synchronized
    ]
    if lonely and num_replicas > 1:
        raise ValueError(
            f"With {num_replicas} replicas every BatchNormalization must be synchronized, or the "
            "replicas' statistics drift apart. Create these layers with `synchronized=True`: "
            f"{', '.join(lonely[:5])}{' ...' if len(lonely) > 5 else ''}"
        )


def check_fit(
    model, x, steps_per_epoch=None, validation_data=None, validation_split=0.0, weights=()
):
    """Raises ValueError unless `fit` got batches of pairs that fit the model.

    Args:
        model: A `SelfDistillation`.
        x: What it is to be fitted on.
        steps_per_epoch: As given to `fit`.
        validation_data: As given to `fit`.
        validation_split: As given to `fit`.
        weights: The `class_weight` and `sample_weight` given to `fit`.
    """
    if any(weight is not None for weight in weights):
        raise ValueError(
            "Expected neither `class_weight` nor `sample_weight`: all images count the same. Leave "
            "some out by a `data.Subset`, or have some twice in a `data.JoinedSource`."
        )
    if validation_data is not None or validation_split:
        raise ValueError(
            "Expected no validation data: there is no loss on held-out images to speak of. Use "
            "`callbacks.OnlineKNN(train_source, test_source)` to validate the features."
        )
    replicas = model.distribute_strategy.num_replicas_in_sync
    if hasattr(x, "as_tf_dataset"):
        _check_pairs(model, x, steps_per_epoch)
        rest = 0 if x.drop_remainder else len(x.source) % x.batch_size
        _check_shares(replicas, x.batch_size, rest)
        _check_rows(model, x.batch_size, rest)
        return
    if has_workers(model.distribute_strategy) or isinstance(x, tf.distribute.DistributedDataset):
        raise ValueError(
            "Expected `x` to be a `keras_adasim.data.PairDataset`, of which `fit` gives every "
            f"worker its share. Received an object of type {type(x).__name__}"
        )
    spec = getattr(x, "element_spec", None)
    if not isinstance(spec, dict):
        raise ValueError(
            "Expected `x` to be a `keras_adasim.data.PairDataset`, or a `tf.data.Dataset` of its "
            f"dictionaries. Received an object of type {type(x).__name__}"
        )
    if "indices" not in spec or not ("views" in spec or {"images", "partners"} <= set(spec)):
        raise ValueError(
            "Expected batches with the keys 'indices' and either 'views', or 'images' and "
            f"'partners', as a `PairDataset` makes them. Received: {sorted(spec)}"
        )
    _check_shares(replicas, spec["indices"].shape[0] or 0)
    _check_rows(model, spec["indices"].shape[0] or 0)


def checked(dataset, bank):
    """A data set of one's own, whose every batch is looked at on the host.

    Compiled, an index beyond the bank would be dropped in silence, and bytes as floats would be
    nearly white.

    Args:
        dataset: `tf.data.Dataset` of dictionaries.
        bank: A `NeighborBank`, or None.
    """
    beyond = tf.int64.max if bank is None else bank.num_images

    def look(batch):
        indices = tf.cast(batch["indices"], tf.int64)
        inside = tf.reduce_all((indices >= 0) & (indices < beyond))
        message = f"Expected `indices` from 0 to {beyond - 1}, the rows of the bank. Received: "
        looks = [tf.debugging.Assert(inside, [message, indices])]
        for name in ("images", "partners", "views"):
            for images in tf.nest.flatten(batch.get(name, ())):
                looks += assert_range(images, name)
        with tf.control_dependencies(looks):
            return {**batch, "indices": tf.identity(batch["indices"])}

    return dataset.map(look)


def warn_of_a_closed_gate(pairing, epochs):
    """Warns if so many more epochs don't fill the pairing's window."""
    window = getattr(pairing, "window", 0)
    if pairing.pushes + epochs <= window:
        logging.warning(
            "epochs=%d is not larger than the window of %d epochs: no partner will ever be "
            "another image, and this is plain self-distillation. Train longer, or lower "
            "`window` of the pairing.",
            epochs,
            window,
        )


def _check_shares(replicas, *batch_sizes):
    """Every replica must get as many images as the others: each counts the same in the loss."""
    for size in batch_sizes:
        if size % replicas:
            raise ValueError(
                f"Expected batches that {replicas} replicas share evenly. Received: a batch of "
                f"{size} images. Choose a `batch_size` that {replicas} divides, and "
                "`drop_remainder=True`."
            )


def _check_rows(model, *batch_sizes):
    """Of one image there is nothing to normalize by, and nothing to contrast it with."""
    objective, parts = model.objective, model.training_step.accumulation_steps
    replicas = model.distribute_strategy.num_replicas_in_sync
    normalizes = any(has_batch_normalization(student) for student, _ in objective.heads)
    for size in filter(None, batch_sizes):
        objective.check_batch(size)
        if size // replicas % parts:
            raise ValueError(
                "Expected `gradient_accumulation_steps` that divide the images of a replica, "
                f"{size // replicas}. Received: gradient_accumulation_steps={parts}. Choose "
                "another number of them, or another `batch_size`."
            )
        if (normalizes and size // parts < 2) or (objective.exchanges and size < 2):
            raise ValueError(
                f"Expected at least 2 images in each of the {parts} parts of a batch: "
                f"{type(objective).__name__} normalizes or contrasts over them. Received: a batch "
                f"of {size}. Choose a larger `batch_size`, fewer `gradient_accumulation_steps`, or "
                "`drop_remainder=True`."
            )


def _check_pairs(model, dataset, steps_per_epoch):
    if dataset.pairing is not model.pairing:
        raise ValueError(
            "The data set asks another pairing than the one this model trains. Build it with "
            "`PairDataset(source, model.pairing, ...)`."
        )
    if model.bank is not None and len(dataset.source) != model.bank.num_images:
        raise ValueError(
            f"Expected a data set of {model.bank.num_images} images, one for every row of the "
            f"bank. Received: {len(dataset.source)} images"
        )
    keys = remembered_keys(model)
    if keys is not None and keys != checked_keys(dataset.source):
        raise ValueError(
            "Expected a data set of the images that the model remembers, in their order, or its "
            "rows would be other images'. Received: a source with other keys. Call "
            "`model.follow(source.keys)`, and make the data set afterwards."
        )
    if steps_per_epoch not in (None, len(dataset)):
        raise ValueError(
            "Expected no `steps_per_epoch`: an epoch is one pass over all images, after which "
            f"their neighbors vote, and has {len(dataset)} steps. Received: "
            f"steps_per_epoch={steps_per_epoch}"
        )
    cut, expected = dataset.crops, getattr(model.augment, "crops", dataset.crops)
    if cut is not None and cut.sizes != expected.sizes:
        raise ValueError(
            "Expected the data set to cut the crops that the model augments: give `PairDataset` "
            f"and `DINOAugment` the same `crops`. Received: views of {cut.sizes} and of "
            f"{expected.sizes} pixels"
        )


def check_images(images):
    """Raises ValueError unless an array holds a batch of images."""
    if images.ndim != 4:
        raise ValueError(
            "Expected `images` of shape (B, H, W, C), one image being images[np.newaxis]. "
            f"Received: images.shape={images.shape}"
        )
    largest = np.abs(images).max(initial=0) if np.issubdtype(images.dtype, np.floating) else 0
    if not largest <= LARGEST_FLOAT:
        raise ValueError(
            "Expected `images` to be uint8 (0 to 255) or floats (0 to 1): divide floats of a "
            f"larger range by its end. Received: floats as far from 0 as {largest}"
        )
