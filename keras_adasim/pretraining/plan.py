"""What a run will do and cost, and why, before it starts."""

import tensorflow as tf

from keras_adasim.pretraining.settings import SMALL_BACKBONE


def print_plan(model, dataset, sources, decision, folder, fresh):
    """Prints what every run begins with, and a dry run is all about.

    Args:
        model: The compiled `SelfDistillation`.
        dataset: Its `PairDataset`.
        sources: Training source, and test source or None.
        decision: The `Decision`.
        folder: The `RunFolder`.
        fresh: Whether an earlier run is put aside.
    """
    lines = [
        *about_the_run(decision, folder, fresh),
        *about_the_images(model, sources, decision),
        *about_the_step(model, dataset, decision),
        *about_the_memory(model, folder),
        *about_the_choice(decision),
        *warnings(model, decision),
    ]
    print(*lines, sep="\n", flush=True)


def about_the_run(decision, folder, fresh):
    """Where it goes, and what stands there."""
    if fresh and folder.path.is_dir() and any(folder.path.iterdir()):
        return [f"run           {folder.path}, anew; the run that stands there is kept beside it"]
    if not decision.earlier:
        return [f"run           {folder.path}"]
    done, epochs = folder.finished_epochs, decision["epochs"]
    lines = [f"run           {folder.path}, which goes on after epoch {done}"]
    before = decision.earlier["settings"]["epochs"]
    if before != epochs:
        lines.append(
            f"              {epochs} epochs instead of {before}: its schedules end there now"
        )
    return lines


def about_the_images(model, sources, decision):
    """How many, as what views, and which are for the k-NN."""
    train, test = sources
    lines = [f"images        {len(train)} of {train.channels} channels"]
    if train.labels is not None:
        most = decision["knn_images"]
        voters = min(most, len(train))
        classified = f"{min(most, len(test))} test images" if test else "each by the others"
        lines.append(f"k-NN          {voters} training images vote, {classified}; never trained on labels")
    crops = getattr(model.augment, "crops", None)
    if crops is None:
        return [*lines, f"views         by {type(model.augment).__name__}, your own"]
    local = f" + {crops.num_local} x {crops.local_size}" if crops.num_local else ""
    lines.append(f"views         2 x {crops.global_size} pixels{local}")
    names = ", ".join(getattr(model.augment, "left_out", ()))
    return [*lines, *([f"left out      {names}, of the augmentations"] if names else [])]


def about_the_step(model, dataset, decision):
    """What is trained, how, and how often."""
    replicas = model.distribute_strategy.num_replicas_in_sync
    backbone = count(model.student.trainable_variables)
    heads = count(model.trainable_variables) - backbone
    teacher = "; the teacher has as many" if model.objective.has_teacher else "; no teacher"
    epochs = decision["epochs"]
    return [
        f"method        {type(model.objective).__name__}, {type(model.pairing).__name__}"
        f"({arguments_of(model.pairing)})",
        f"backbone      {model.student.name}, {backbone:,} parameters trained, {heads:,} in the "
        f"heads{teacher}",
        f"batch         {dataset.batch_size} on {replicas} device{'s' if replicas > 1 else ''}, "
        f"{model.compute_dtype}, {'XLA' if model.compiles else 'not compiled'}",
        f"steps         {epochs * len(dataset)} = {epochs} epochs x {len(dataset)}",
    ]


def about_the_memory(model, folder):
    """Bank, window and checkpoint, in bytes; nothing is copied to find out."""
    bank = 0 if model.bank is None else bytes_of(model.bank.variables)
    window = window_bytes(model.pairing)
    everything = bytes_of(model.variables) + bytes_of(model.optimizer.variables) + window
    lines = [] if model.bank is None else [f"bank          {megabytes(bank)} on every device"]
    if window:
        lines.append(f"window        {megabytes(window)} in host memory")
    return [
        *lines,
        f"checkpoint    {megabytes(everything)} in {folder.checkpoints}, twice that while one "
        "replaces another",
    ]


def about_the_choice(decision):
    """The settings that were given, and those that were chosen, with the rule of each."""
    lines = []
    if decision.given:
        given = ", ".join(f"{name}={shown(decision[name])}" for name in decision.given)
        lines.append(f"given         {given}")
    if decision.reasons:
        lines.append("chosen        (every one is a flag)")
        width = max(len(f"{name}={shown(decision[name])}") for name in decision.reasons)
        for name, reason in decision.reasons.items():
            lines.append(f"  {f'{name}={shown(decision[name])}':{width}}  {reason}")
    return lines


def warnings(model, decision):
    """What a user would rather know now than after the run."""
    lines = []
    window, epochs = getattr(model.pairing, "window", 0), decision["epochs"]
    if epochs <= window:
        lines.append(
            f"warning       --epochs={epochs} is not larger than --window={window}: no partner will "
            "ever be another image. Train longer, or lower --window"
        )
    if not tf.config.list_physical_devices("GPU") and decision.reasons:
        lines += on_a_processor(decision)
    return lines


def on_a_processor(decision):
    """What the choice for a CPU leaves out."""
    size = decision["image_size"]
    if decision["backbone"] == SMALL_BACKBONE:
        return [
            f"note          there is no GPU: views of {size} pixels and a network of half a million "
            "parameters, which learns in minutes.",
            "              A GPU would get views of up to 224 pixels and ViT-S (22 million). "
            "--backbone=hub:PRESET goes on from public",
            "              weights (DINOv2, say), whose features are far better than any that "
            "minutes of training give.",
        ]
    return [
        f"note          there is no GPU: views of {size} pixels; --backbone={SMALL_BACKBONE} learns "
        "from fifty times as many images in the same time"
    ]


def arguments_of(pairing):
    """The pairing's arguments but its size."""
    config = {k: v for k, v in pairing.get_config().items() if k not in ("num_images", "labels")}
    return ", ".join(f"{name}={value}" for name, value in config.items())


def window_bytes(pairing):
    """Bytes of a full window; 0 for pairings that have none."""
    if not hasattr(pairing, "memory_bytes"):
        return 0
    return pairing.memory_bytes(pairing.num_images, pairing.window, pairing.topk)


def count(variables):
    """Number of scalars."""
    return sum(variable.shape.num_elements() for variable in variables)


def bytes_of(variables):
    """Bytes of variables."""
    return sum(v.shape.num_elements() * v.value.dtype.size for v in variables)


def megabytes(number):
    """Bytes, for people."""
    return f"{number / 1e9:.2f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"


def shown(value):
    """A value as it would be typed."""
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return str(value if isinstance(value, str | int | float) else type(value).__name__)
