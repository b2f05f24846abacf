"""What a run will cost, before it starts."""


def describe(model, dataset, epochs, steps, checkpoint_directory):
    """Lines that `--dry_run` prints, and every run begins with.

    Args:
        model: a compiled `SelfDistillation`.
        dataset: its `PairDataset`.
        epochs: epochs to train.
        steps: optimiser steps of the whole run.
        checkpoint_directory: where checkpoints will lie.

    Returns:
        list of lines.
    """
    replicas = model.distribute_strategy.num_replicas_in_sync
    crops = model.augment.crops
    parameters = {
        "backbone": count(model.student.trainable_variables),
        "heads": count(model.trainable_variables) - count(model.student.trainable_variables),
    }
    memory = sizes(model)
    return [
        f"images        {len(dataset.source)} of {dataset.source.channels} channels",
        f"views         2 x {crops.global_size} pixels"
        + (f" + {crops.num_local} x {crops.local_size}" if crops.num_local else ""),
        *left_out(model.augment),
        f"batch         {dataset.batch_size} on {replicas} device{'s' if replicas > 1 else ''}, "
        f"{model.compute_dtype}, {'XLA' if model.compiles else 'not compiled'}",
        f"steps         {steps} = {epochs} epochs x {len(dataset)}",
        f"parameters    {sum(parameters.values()):,} trained: {parameters['backbone']:,} in the "
        f"backbone, {parameters['heads']:,} in the heads; as many in the teacher",
        f"pairing       {type(model.pairing).__name__} {settings_of(model.pairing)}",
        f"bank          {megabytes(memory['bank'])} on every device",
        f"window        {megabytes(memory['window'])} in host memory",
        *closed_gate(model.pairing, epochs),
        f"checkpoint    {megabytes(sum(memory.values()))} in {checkpoint_directory}, "
        "twice that while one replaces another",
    ]


def closed_gate(pairing, epochs):
    """A line of warning, if the gate can't open in so few epochs."""
    window = getattr(pairing, "window", 0)
    if epochs > window:
        return []
    return [
        f"warning       --epochs={epochs} is not larger than --window={window}: no partner will "
        "ever be another image. Train longer, or lower --window"
    ]


def left_out(augment):
    """A line on the augmentations that are left out, if any are."""
    names = ", ".join(augment.left_out)
    return [f"left out      {names}, of the augmentations"] if names else []


def sizes(model):
    """Bytes of the bank, the window, and all other state."""
    bank = 0 if model.bank is None else bytes_of(model.bank.variables)
    window = sum(array.nbytes for array in model.pairing.get_state().values())
    everything = bytes_of(model.variables) + bytes_of(model.optimizer.variables)
    return {"bank": bank, "window": window, "other": everything - bank}


def count(variables):
    """Number of scalars."""
    return sum(variable.shape.num_elements() for variable in variables)


def bytes_of(variables):
    """Bytes of variables."""
    return sum(v.shape.num_elements() * v.value.dtype.size for v in variables)


def megabytes(number):
    """Bytes, for people."""
    return f"{number / 1e9:.2f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"


def settings_of(pairing):
    """The pairing's arguments but its size."""
    config = {k: v for k, v in pairing.get_config().items() if k not in ("num_images", "labels")}
    return ", ".join(f"{name}={value}" for name, value in config.items())
