"""Gradient accumulation: one step's batch in parts, one after the other."""

import tensorflow as tf

from keras_adasim.models.measures import feature_std


def accumulate(model, count, views, step, first_row, parts, gather):
    """Does what `model._forward_backward` does, with the memory of one part of the batch.

    A loss that is a mean over images is the mean of the parts' losses. One that compares the
    images of a batch with each other (`objective.exchanges`) isn't: then all embeddings are
    computed first, without a gradient; next the loss and its gradient at the embeddings; and then,
    part by part once more, the gradients of the weights that belong to it.

    Args:
        model: a `SelfDistillation`.
        count: number of parts.
        views: list of `(B, s, s, C)`.
        step: int64 tensor.
        first_row: place of the first image in the global batch.
        parts: the step's functions.
        gather: brings together the rows of all replicas.

    Returns:
        the dictionary that `model._forward_backward` returns.

    Source for the second way: Gao et al., "Scaling Deep Contrastive Learning Batch Size under
    Memory Limited Setup", 2021.
    """
    batches = _split(views, count)
    if model.objective.exchanges:
        return _through_embeddings(model, batches, step, first_row, parts, gather)
    total, rows = None, []
    for batch in batches:
        with _after(total):
            batch = tf.nest.map_structure(tf.identity, batch)
            results = model._forward_backward(batch, step, first_row, parts, gather)
        rows.append(results.pop("rows"))
        total = results if total is None else tf.nest.map_structure(tf.add, total, results)
    total = tf.nest.map_structure(lambda value: value / count, total)
    return {**total, "rows": _joined(rows)}


def _through_embeddings(model, batches, step, first_row, parts, gather):
    seeds = _seeds(model)
    before = [tf.identity(seed) for seed in seeds]
    encoded = []
    for batch in batches:
        with _after(encoded[-1:]):
            batch = tf.nest.map_structure(tf.identity, batch)
            student, teacher, features = model._encode(batch, parts)
            rows = {} if model.bank is None else parts.look_up(features)
            encoded.append((student, teacher, features[0], rows))
    student, teacher, features, rows = (_joined(group) for group in zip(*encoded, strict=True))
    with tf.GradientTape() as tape:
        tape.watch(student)
        share, results = model._compare(student, teacher, step, first_row, parts, gather)
    cotangents = _split(tape.gradient(share, student, unconnected_gradients="zero"), len(batches))
    # The same draws of dropout again.
    with tf.control_dependencies(tf.nest.flatten(cotangents)):
        restored = [seed.value.assign(old) for seed, old in zip(seeds, before, strict=True)]
    results["gradients"] = _gradients(model, batches, cotangents, parts, restored)
    results["metrics"]["feature_std"] = feature_std(features)
    return {**results, "rows": rows}


def _gradients(model, batches, cotangents, parts, restored):
    total = restored
    for number, (batch, cotangent) in enumerate(zip(batches, cotangents, strict=True)):
        with _after(total):
            batch = tf.nest.map_structure(tf.identity, batch)
            with tf.GradientTape() as tape:
                student, _, _ = model._encode(batch, parts)
            gradients = tape.gradient(
                tf.nest.flatten(student), model.trainable_variables, tf.nest.flatten(cotangent)
            )
        found = {i: g for i, g in enumerate(gradients) if g is not None}
        total = found if number == 0 else tf.nest.map_structure(tf.add, total, found)
    return total


def _split(structure, count):
    """Tensors `(B, ...)` to a list of `count` structures of `(B / count, ...)`."""
    tensors = tf.nest.flatten(structure)
    size = tensors[0].shape[0]
    if size is not None and size % count:
        raise ValueError(
            f"Expected a batch that `gradient_accumulation_steps={count}` divides. Received: "
            f"{size} images on a replica. Choose another `batch_size`."
        )
    parts = zip(*(tf.split(tensor, count) for tensor in tensors), strict=True)
    return [tf.nest.pack_sequence_as(structure, list(part)) for part in parts]


def _joined(structures):
    """A list of structures of `(b, ...)` tensors to one of `(sum of b, ...)`."""
    return tf.nest.map_structure(lambda *tensors: tf.concat(tensors, axis=0), *structures)


def _after(structure):
    """One part at a time: TensorFlow would start them all together."""
    return tf.control_dependencies(tf.nest.flatten(structure) if structure is not None else [])


def _seeds(model):
    """The student's variables that are no weights: the states of its seed generators."""
    weights = {id(variable) for variable in model.student.weights}
    return [v for v in model.student.variables if id(v) not in weights]
