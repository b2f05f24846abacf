"""What a run will do and cost, and why, before it starts."""

import os
import textwrap

import tensorflow as tf

from keras_adasim.callbacks import OnlineKNN
from keras_adasim.data.tar_source import in_archives
from keras_adasim.files import expand
from keras_adasim.pretraining.deciding import remembered
from keras_adasim.pretraining.first_look import folders_of
from keras_adasim.pretraining.needs import MOST_CHECKPOINTS, Needs, megabytes
from keras_adasim.pretraining.settings import SMALL_BACKBONE
from keras_adasim.pretraining.watching import find

WIDTH = 100  # Columns.


def print_plan(model, dataset, sources, decision, folder, fresh, changes=None, files=()):
    """Prints what every run begins with, and a dry run is all about.

    Args:
        model: The compiled `SelfDistillation`.
        dataset: Its `PairDataset`.
        sources: Training source, and test source or None.
        decision: The `Decision`.
        folder: The `RunFolder`.
        fresh: Whether an earlier run is put aside.
        changes: What has become of the images of a run that goes on: `Changes`, or None.
        files: Lines about the files of the images.
    """
    went = f"{changes}; what is known of the others goes with them"
    lines = [
        *about_the_run(decision, folder, fresh),
        *(row("changes", went) if changes else []),
        *(row("files", list(files)) if files else []),
        *about_the_images(model, sources, decision),
        *about_the_step(model, dataset, decision),
        *about_the_needs(model, decision),
        *about_the_choice(decision),
        *warnings(model, decision),
    ]
    print(*lines, sep="\n", flush=True)


def planned(model, dataset, decision, images, watchers):
    """What the run's folder keeps of the plan.

    Args:
        model: The compiled `SelfDistillation`.
        dataset: Its `PairDataset`.
        decision: The `Decision`.
        images: What `pretrain` got as `data`.
        watchers: The callbacks of the run.

    Returns:
        Dict for a JSON file.
    """
    knn = find(watchers, OnlineKNN)
    return {
        "given": list(decision.given),
        "reasons": decision.reasons,
        "data": places_of(images),
        "knn_images": knn.num_test if knn else None,
        "parameters": count(model.trainable_variables),
        "steps": decision["epochs"] * len(dataset),
        "devices": [device.name for device in model_devices()],
        "memory": Needs.of(model).kept(decision["epochs"]),
    }


def model_devices():
    """The logical devices that train."""
    return tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")[:1]


def places_of(images):
    """The folders of images as absolute paths, or None where they aren't folders."""
    folders = images if isinstance(images, list | tuple) else [images]
    if not all(isinstance(folder, str | os.PathLike) for folder in folders):
        return None
    return [str(expand(folder).absolute()) for folder in folders]


def row(name, text):
    """One line, or several: what it is about, then the text."""
    lines = text if isinstance(text, list) else [text]
    first, *others = [part for line in lines for part in textwrap.wrap(line, WIDTH - 14)]
    return [f"{name:14}{first}", *(f"{'':14}{line}" for line in others)]


def about_the_run(decision, folder, fresh):
    """Where it goes, and what stands there."""
    if fresh and folder.path.is_dir() and any(folder.path.iterdir()):
        return row("run", f"{folder.path}, anew; the run that stands there is kept beside it")
    if not decision.earlier:
        return row("run", str(folder.path))
    text = [f"{folder.path}, which goes on after {folder.told}"]
    before, epochs = decision.earlier["settings"]["epochs"], decision["epochs"]
    if before != epochs:
        text.append(f"{epochs} epochs instead of {before}: its schedules end there now")
    return row("run", text)


def about_the_images(model, sources, decision):
    """How many, as what views, and which are for the k-NN."""
    train, test = sources
    most, crops = decision["knn_images"], getattr(model.augment, "crops", None)
    if train.labels is None:
        knn = f"left out: {train.why_unlabeled or 'the images have no labels'}"
    elif most == 0:
        knn = "left out, by `knn_images`=0"
    elif test is None:
        knn = f"{min(most, len(train))} images, each classified by the others"
    else:
        voters = min(most, len(train))
        knn = f"{min(most, len(test))} test images, classified by {voters} training images"
    if crops is None:
        views = f"by {type(model.augment).__name__}, your own"
    else:
        local = f" + {crops.num_local} x {crops.local_size}" if crops.num_local else ""
        views = f"2 x {crops.global_size} pixels{local}"
    names = ", ".join(getattr(model.augment, "left_out", ()))
    where = in_archives(*folders_of(train))
    return [
        *row("images", f"{len(train)} of {train.channels} channels{where}"),
        *row("k-NN", knn),
        *(row("probe", "a linear classifier, on features of these") if decision["probe"] else []),
        *row("views", views),
        *(row("left out", f"{names}, of the augmentations") if names else []),
    ]


def about_the_step(model, dataset, decision):
    """What is trained, how, and how often."""
    replicas = model.distribute_strategy.num_replicas_in_sync
    devices = f"{replicas} device{'s' if replicas > 1 else ''}"
    backbone = count(model.student.trainable_variables)
    heads = count(model.trainable_variables) - backbone
    teacher = "; the teacher has as many" if model.objective.has_teacher else ""
    epochs, size = decision["epochs"], dataset.batch_size
    pairing = f"{type(model.pairing).__name__}({arguments_of(model.pairing)})"
    compiled = "XLA" if model.compiles else "not compiled"
    return [
        *row("method", f"{type(model.objective).__name__}, {pairing}"),
        *row("backbone", f"{model.student.name}, {backbone:,} parameters"),
        *row("parameters", f"{backbone + heads:,} trained, {heads:,} of the heads{teacher}"),
        *row("batch", f"{size} on {devices}, {model.compute_dtype}, {compiled}"),
        *row("steps", f"{epochs * len(dataset)} = {epochs} epochs x {len(dataset)}"),
    ]


def about_the_needs(model, decision):
    """Bytes on devices, of the window and on the disk, and what holds an epoch up."""
    needs = Needs.of(model)
    device = f"{megabytes(needs.weights)} of weights and momenta, {megabytes(needs.gradients)} of "
    device += "gradients" + (f", {about_the_bank(model.bank, needs.bank)}" if model.bank else "")
    where = f"in files that are mapped, in {model.pairing.directory}" if needs.in_files else ""
    window = f"{megabytes(needs.window)} {where or 'in host memory'}"
    disk = f"up to {megabytes(needs.disk(decision['epochs']))}: {MOST_CHECKPOINTS} checkpoints of "
    disk += megabytes(needs.checkpoint)
    shared = " and the window's files, which they share" if needs.epochs else ""
    return [
        *row("device", f"{megabytes(needs.device)}: {device}; activations come on top"),
        *(row("window", window) if needs.epochs else []),
        *row("disk", disk + shared),
        *row(
            "pause",
            f"about {needs.pause:.1f} s behind every epoch, k-NN and what features tell aside",
        ),
    ]


def about_the_bank(bank, size):
    """Bytes of a bank, what its rows are, and how many of them a device has."""
    rows = "" if bank.row_dtype == "float32" else f", of {bank.row_dtype} rows"
    shares = bank.rows_kept.num_shards
    share = f", a share of 1/{shares}" if shares > 1 else ""
    if bank.sharded and shares == 1:
        share = ", all of it, as there is but one device"
    return f"{megabytes(size)} of the bank{rows}{share}"


def about_the_choice(decision):
    """The settings that were given, and those that were chosen, with the rule of each."""
    lines = []
    if decision.given:
        given = ", ".join(f"{name}={shown(decision[name])}" for name in decision.given)
        lines += row("given", given)
    if decision.reasons:
        lines += row("chosen", "(every one is a flag)")
        texts = {name: f"{name}={shown(decision[name])}" for name in decision.reasons}
        width = max(map(len, texts.values()))
        for name, rule in decision.reasons.items():
            first, *others = textwrap.wrap(rule, WIDTH - width - 4)
            lines += [f"  {texts[name]:{width}}  {first}"]
            lines += [f"  {'':{width}}  {line}" for line in others]
    return lines


def warnings(model, decision):
    """What a user would rather know now than after the run."""
    lines = []
    window, epochs = getattr(model.pairing, "window", 0), decision["epochs"]
    if epochs <= window:
        lines += row(
            "warning",
            f"--epochs={epochs} is not larger than --window={window}: no partner will ever be "
            "another image. Train longer, or lower --window",
        )
    frozen = decision.values.get("freeze_last_layer_epochs", 0)
    if frozen >= epochs > 1:
        lines += row(
            "warning",
            f"--freeze_last_layer_epochs={frozen} of {epochs} epochs: the prototypes never learn",
        )
    if not tf.config.list_physical_devices("GPU") and decision.reasons:
        lines += row("note", on_a_processor(decision))
    return lines


def on_a_processor(decision):
    """What the choice for a CPU leaves out."""
    there = f"there is no GPU: views of {decision['image_size']} pixels"
    if decision["backbone"] != SMALL_BACKBONE:
        return f"{there}; --backbone={SMALL_BACKBONE} learns from some fifty times as many images"
    return (
        f"{there} and a network of half a million parameters, which learns in minutes. A GPU would "
        "get views of up to 224 pixels and ViT-S (22 million parameters). --backbone=hub:PRESET "
        "goes on from public weights, such as DINOv2's, whose features are better than any that "
        "minutes of training give."
    )


def arguments_of(pairing):
    """The pairing's arguments but its size."""
    config = {k: v for k, v in pairing.get_config().items() if k not in ("num_images", "labels")}
    return ", ".join(f"{name}={value}" for name, value in config.items())


def count(variables):
    """Number of scalars."""
    return sum(variable.shape.num_elements() for variable in variables)


def shown(value):
    """A value as it would be typed."""
    value = remembered(value)
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
