"""Gradient accumulation: one step's batch in parts, one after the other."""

import tensorflow as tf

from keras_adasim.models.finite import assign_all, moved_forward


def accumulate(training, count, views, step):
    """Does what `training.forward_backward` does, with the memory of one part of the batch.

    A loss that is a mean over images is the mean of the parts' losses. One that compares the
    images of a batch with each other (`objective.exchanges`) isn't: then all embeddings are
    computed first, without a gradient; next the loss and its gradient at the embeddings; and then,
    part by part once more, the student's with the gradients of the weights that belong to it. The
    teacher looks at each part once, and of the student's second look no statistics are kept.

    Args:
        training: The `TrainingStep`.
        count: Number of parts.
        views: List of tensors (B, s, s, C).
        step: Int64 scalar.

    Returns:
        The dictionary that `training.forward_backward` returns.

    Raises:
        ValueError: If the parts can't be of one size.

    Reference:
        - Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup",
          2021, for the second way.
    """
    batches = _split(views, count)
    if training.model.objective.exchanges:
        return _through_embeddings(training, batches, step)
    total, features = None, []
    for batch in batches:
        with _after(total):
            batch = tf.nest.map_structure(tf.identity, batch)
            results = training.forward_backward(batch, step)
        features.append(results.pop("features"))
        total = results if total is None else tf.nest.map_structure(tf.add, total, results)
    total = tf.nest.map_structure(lambda value: value / count, total)
    return {**total, "features": _joined(features)}


def _through_embeddings(training, batches, step):
    networks = [training.model.student, *(student for student, _ in training.model.objective.heads)]
    seeds, moved = _seeds(networks), moved_forward(networks)
    encoded, drawn = [], []
    for batch in batches:
        with _after(encoded[-1:]):
            drawn.append(_read(seeds))
            encoded.append(training.encode(tf.nest.map_structure(tf.identity, batch)))
    student, teacher, features = (_joined(group) for group in zip(*encoded, strict=True))
    with tf.GradientTape() as tape:
        tape.watch(student)
        share, results = training.compare(student, teacher, features, step)
    cotangents = _split(tape.gradient(share, student, unconnected_gradients="zero"), len(batches))
    with _after(cotangents):
        once = _read(moved)
    total = None
    for batch, cotangent, state in zip(batches, cotangents, drawn, strict=True):
        with _after([cotangent, once, total]):
            assign_all(seeds, state)  # The same draws of dropout again.
            found = _gradients(training, batch, cotangent)
        total = found if total is None else tf.nest.map_structure(tf.add, total, found)
    with _after(total):
        assign_all(moved, once)
    return {**results, "gradients": total}


def _gradients(training, batch, cotangent):
    with tf.GradientTape() as tape:
        student = training.embed_student(tf.nest.map_structure(tf.identity, batch))
    gradients = tape.gradient(
        tf.nest.flatten(student),
        training.model.trainable_variables,
        tf.nest.flatten(cotangent),
    )
    return {i: g for i, g in enumerate(gradients) if g is not None}


def _split(structure, count):
    """Tensors (B, ...) to a list of `count` structures of (B / count, ...)."""
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
    """A list of structures of (b, ...) tensors to one of (sum of b, ...)."""
    return tf.nest.map_structure(lambda *tensors: tf.concat(tensors, axis=0), *structures)


def _after(structure):
    """One part at a time: TensorFlow would start them all together."""
    tensors = [each for each in tf.nest.flatten(structure) if each is not None]
    return tf.control_dependencies(tensors)


def _read(variables):
    """Copies of what variables hold now."""
    return [tf.identity(tf.convert_to_tensor(variable)) for variable in variables]


def _seeds(networks):
    """The variables of networks that are no weights: the states of their seed generators."""
    weights = {id(variable) for network in networks for variable in network.weights}
    variables = [v for network in networks for v in network.variables if id(v) not in weights]
    return list({id(variable): variable for variable in variables}.values())
