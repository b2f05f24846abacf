"""From settings to the parts of a run; every function names the settings that it takes."""

import inspect

import keras
import tensorflow as tf

from keras_adasim import augment, backbones, data, layers, optimizers
from keras_adasim import pairing as pairings
from keras_adasim.backbones.clone import clone_backbone
from keras_adasim.files import expand
from keras_adasim.models import SelfDistillation
from keras_adasim.models.checks import check_fit
from keras_adasim.models.teacher import all_layers
from keras_adasim.objectives import Objective
from keras_adasim.pretraining import devices, needs
from keras_adasim.pretraining.settings import OPTIMIZERS, RENAMED, objectives_by_name, owned_by
from keras_adasim.validation import check_switch, renamed

# Share of the machine's memory up to which a window is kept there.
WINDOW_SHARE = 0.25


def check_parts(augment, callbacks, fresh, accept_changes, dry_run):
    """Raises ValueError unless the user's own parts, and switches, can be such."""
    if not (augment is None or callable(augment)) or isinstance(augment, type):
        raise ValueError(
            f"Expected `augment` to be a layer or a function. Received: augment={augment!r}"
        )
    for callback in keras.tree.flatten(callbacks) or [callbacks]:
        is_empty = callback is callbacks and callback in ([], ())
        if not (is_empty or isinstance(callback, keras.callbacks.Callback)):
            raise ValueError(
                "Expected `callbacks` to be a list of Keras callbacks. "
                f"Received: callbacks={callbacks!r}"
            )
    switches = {"fresh": fresh, "accept_changes": accept_changes, "dry_run": dry_run}
    for name, value in switches.items():
        check_switch(name, value)


def build(source, strategy, decision, window_files, augment=None):
    """A compiled model and its data set; settles what was left to choose.

    Args:
        source: The training images.
        strategy: The strategy whose devices train.
        decision: `Decision`; all its values stand afterwards.
        window_files: Folder for the records of a window that memory is too small for.
        augment: The user's augmentation, or None.

    Returns:
        Tuple of a `SelfDistillation` and a `PairDataset`.
    """
    with strategy.scope():
        student = decision["backbone"]
        if not is_preset(student):  # Its size is not ours to choose.
            student = make_backbone(student, decision)
        if isinstance(decision["backbone"], keras.Model) and strategy.num_replicas_in_sync > 1:
            student = on_all_devices(student)
        decision.choose(source, own_settings(source, student, augment))
        devices.check_shares(decision["batch_size"], strategy.num_replicas_in_sync)
        if is_preset(student):
            student = make_backbone(student, decision)
        pairing = make_pairing(source, window_files, **decision.pick(make_pairing))
        crops = make_crops(**decision.pick(make_crops))
        dataset = make_dataset(source, pairing, crops, augment, **decision.pick(make_dataset))
        steps = len(dataset) * decision["epochs"]
        model = SelfDistillation(
            student,
            make_objective(decision, len(dataset)),
            pairing,
            make_bank(source, student, pairing, **decision.pick(make_bank)),
            neighbor_feature=decision["neighbor_feature"],
            augment=augment or make_augment(crops, **decision.pick(make_augment)),
            momentum=make_momentum(steps, **decision.pick(make_momentum)),
        )
        if decision.earlier is None:  # Else the checkpoint has them.
            load_weights(model, **decision.pick(load_weights))
        model.compile(
            make_optimizer(decision, steps, len(dataset)),
            jit_compile=devices.compiles(decision["xla"], student, steps),
            gradient_accumulation_steps=decision["gradient_accumulation_steps"],
        )
        check_fit(model, dataset)  # What `fit` would refuse is refused before a plan is shown.
    return model, dataset


def is_preset(backbone):
    """Whether a backbone is one of ours by name, which needs its size before it is built."""
    return isinstance(backbone, str) and backbone in backbones.PRESETS


def on_all_devices(backbone):
    """A copy of a backbone, whose variables all devices have; the same layers of it are frozen."""
    copy = clone_backbone(backbone)
    for layer, ours in zip(all_layers(backbone), all_layers(copy), strict=True):
        if not layer.trainable:  # Which Keras keeps in no config.
            ours.trainable = False
    return copy


def make_backbone(backbone, decision):
    """The student's backbone: of a name with its settings, or the user's own."""
    if not is_preset(backbone):
        size = decision.given.get("image_size")
        with renamed(identifier="backbone"):
            return backbones.get(backbone, size, decision.given.get("channels"))
    settings = [setting.name for setting in owned_by(backbone, backbones.PRESETS[backbone])]
    return backbones.get(
        backbone,
        image_size=decision["image_size"],
        channels=decision["channels"],
        **{name: decision[name] for name in settings},
    )


def own_settings(source, backbone, own_augment):
    """Settings that the images, and the user's own backbone and augmentation, decide.

    Args:
        source: The training images.
        backbone: Name of a preset, or a built backbone.
        own_augment: The user's augmentation, or None.
    """
    crops = getattr(own_augment, "crops", None)
    found = {"image_size": crops.global_size if crops else getattr(backbone, "image_size", None)}
    for name in ("mean", "std"):
        found[name] = getattr(own_augment, name, None) or getattr(backbone, name, None)
    found["channels"] = source.channels
    return {name: value for name, value in found.items() if value is not None}


def make_crops(image_size, global_scale, local_size, local_scale, num_local, ratio):
    """Geometry of the views."""
    return augment.MultiCrop(image_size, global_scale, local_size, local_scale, num_local, ratio)


def make_augment(crops, mean, std, channels, seed, interpolation, exclude, policy):
    """DINO's policies, less what `exclude` names; or one policy for both views."""
    policies = {}
    if policy == "symmetric":
        policies = {"first": augment.symmetric_view(), "second": augment.symmetric_view()}
    return augment.DINOAugment(
        crops,
        **policies,
        mean=mean,
        std=std,
        channels=channels,
        seed=seed,
        interpolation=interpolation,
        exclude=exclude,
    )


def make_dataset(source, partners, crops, own_augment, batch_size, seed, interpolation):
    """Batches of pairs; images in memory, or for the user's own augmentation, come whole."""
    if batch_size > len(source):
        raise ValueError(
            f"Expected `batch_size` of at most the {len(source)} training images. "
            f"Received: batch_size={batch_size}"
        )
    crops = crops if own_augment is None else getattr(own_augment, "crops", None)
    on_host = None if isinstance(source, data.ArraySource) else crops
    return data.PairDataset(
        source, partners, batch_size, crops=on_host, seed=seed, interpolation=interpolation
    )


def make_pairing(
    source,
    window_files,
    pairing,
    seed,
    window_in_memory,
    window=None,
    topk=None,
    sampling_temperature=None,
):
    """The pairing of that name for the images of a source."""
    if pairing == "oracle" and source.labels is None:
        raise ValueError(
            "Expected labeled images for `pairing=oracle`. Sort them into one folder per class, "
            "or choose another pairing."
        )
    arguments = {
        "self": {},
        "nearest": {"num_images": len(source), "topk": topk},
        "adasim": {
            "num_images": len(source),
            "window": window,
            "topk": topk,
            "temperature": sampling_temperature,
            "seed": seed,
            "directory": window_files,
        },
        "oracle": {"labels": source.labels, "seed": seed},
    }
    arguments = arguments[pairing]
    if "directory" in arguments and keeps_in_memory(window_in_memory, len(source), window, topk):
        needs.check_window(len(source), window, topk)
        arguments["directory"] = None
    return pairings.get(pairing, **arguments)


def keeps_in_memory(window_in_memory, num_images, window, topk):
    """Whether the window's records are to be in memory: "yes", "no", or where they fit ("auto")."""
    if window_in_memory != "auto":
        return window_in_memory == "yes"
    needed = pairings.AdaptiveWindow.memory_bytes(num_images, window, topk)
    return needed <= WINDOW_SHARE * needs.host_memory()


def make_bank(source, student, partners, row_dtype, sharded):
    """One row per image."""
    topk = getattr(partners, "topk", min(10, len(source)))
    size = student.output["features"].shape[-1]
    shards = tf.distribute.get_strategy().num_replicas_in_sync if sharded else 1
    needs.check_bank(len(source), size, topk, row_dtype, shards)
    return layers.NeighborBank(len(source), size, topk, row_dtype, sharded)


def make_objective(values, steps_per_epoch):
    """An objective of that name from its settings, epochs turned into steps; or the user's own."""
    objective = values["objective"]
    if isinstance(objective, Objective):
        return objective
    kind = objectives_by_name()[objective]
    arguments = {}
    for setting in owned_by(objective, kind):
        value = values[setting.name]
        if setting.name.endswith(("_epoch", "_epochs")):
            arguments[setting.name.replace("_epoch", "_step")] = value * steps_per_epoch
        else:
            arguments[setting.name] = _rate(value) if setting.name.endswith("_rate") else value
    if "seed" in inspect.signature(kind).parameters:
        arguments["seed"] = values["seed"]
    warmup = values["warmup_teacher_temperature_epochs"]
    if warmup and "teacher_temperature" in arguments:
        check_warmup("warmup_teacher_temperature_epochs", warmup, values["epochs"])
        arguments["teacher_temperature"] = optimizers.EpochWarmup(
            values["warmup_teacher_temperature"],
            values["teacher_temperature"],
            warmup,
            steps_per_epoch,
        )
    return kind(**arguments)


def _rate(value):
    """A rate that is typed where a word may stand; `none` is None."""
    if not isinstance(value, str):
        return value
    if value.lower() == "none":
        return None
    try:
        return float(value)
    except ValueError:
        return value


def load_weights(model, weights, weights_key):
    """Starts a model from a PyTorch checkpoint, if there is one.

    A checkpoint of a student and a teacher is continued, heads included; of any other, or with a
    key, student and teacher both start from the one backbone.
    """
    if weights_key and not weights:
        raise ValueError(
            "Expected `weights_key` together with `weights`, the file that has the key. "
            f"Received: weights_key={weights_key!r}"
        )
    if not weights:
        return
    path = expand(weights, "weights")
    if not path.is_file():
        raise FileNotFoundError(f"Expected `weights` to be a file. Received: weights={weights}")
    with renamed(path="weights"):
        checkpoint = backbones.read_checkpoint(path)
    if not weights_key and {"student", "teacher"} <= set(checkpoint):
        model.load_torch_weights(checkpoint)
        return
    networks = [model.student] if model.teacher is model.student else [model.student, model.teacher]
    for backbone in networks:
        with renamed(key="weights_key"):
            backbones.load_torch_weights(backbone, checkpoint, key=weights_key or None)


def make_optimizer(values, steps, steps_per_epoch):
    """The optimizer with its two cosine schedules."""
    warmup = values["warmup_epochs"]
    check_warmup("warmup_epochs", warmup, values["epochs"])
    rate = optimizers.WarmupCosine(
        optimizers.scale_learning_rate(values["learning_rate"], values["batch_size"]),
        values["final_learning_rate"],
        steps,
        warmup_steps=warmup * steps_per_epoch,
    )
    decay = optimizers.WarmupCosine(values["weight_decay"], values["final_weight_decay"], steps)
    name = values["optimizer"]
    kind = OPTIMIZERS[name]
    own = {v: k for k, v in RENAMED.get(kind, {}).items()}
    settings = [setting.name for setting in owned_by(name, kind)]
    arguments = {own.get(setting, setting): values[setting] for setting in settings}
    return kind(rate, decay, clipnorm=values["clipnorm"] or None, **arguments)


def check_warmup(name, warmup, epochs):
    """Raises ValueError if a warm-up would go on after the last epoch."""
    if warmup > epochs:
        raise ValueError(
            f"Expected `{name}` of at most `epochs={epochs}`. Received: {name}={warmup}"
        )


def make_momentum(steps, momentum, final_momentum):
    """The teacher's momentum, as a cosine of the step."""
    return optimizers.WarmupCosine(momentum, final_momentum, steps)
