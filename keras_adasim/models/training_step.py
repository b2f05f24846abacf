"""One training step, from a batch to updated variables: it reads straight down."""

import inspect

import tensorflow as tf

from keras_adasim.layers.gather import gather
from keras_adasim.layers.preprocessing import l2_normalize
from keras_adasim.models.accumulation import accumulate
from keras_adasim.models.checks import check_synchronized
from keras_adasim.models.finite import are_finite, assign_all, moved_forward
from keras_adasim.models.measures import feature_std
from keras_adasim.models.several_workers import Agreement
from keras_adasim.models.teacher import has_batch_normalization, parameter_pairs
from keras_adasim.optimizers import exponential_moving_average
from keras_adasim.workers import has_workers


class TrainingStep:
    """Augments, encodes, compares, exchanges and updates; runs once per replica.

    Compiled, all from the encoders to the gradients is one XLA program per replica, and all
    updates are a second one; the bank brings two of its own. Two things can't stand inside a
    program when there are several replicas: synchronized BatchNormalization, and a gather in the
    middle of the forward pass. Then the programs are smaller: encoders, heads and loss each by
    itself, under one tape, and those with BatchNormalization not compiled. Not compiled means
    inline: no function is nested at all, which is the reference for the compiled step.

    Args:
        model: A built `SelfDistillation` with its optimizer.
        jit_compile: Whether to compile.
        accumulation_steps: Number of parts of a replica's batch, one after the other; each by the
            smaller programs too, or XLA would compile all parts into one.
    """

    def __init__(self, model, jit_compile=False, accumulation_steps=1):
        self.model = model
        self.jit_compile = jit_compile
        self.accumulation_steps = accumulation_steps
        self.num_replicas = model.distribute_strategy.num_replicas_in_sync
        with model.distribute_strategy.scope():
            # Steps in a row, up to the last one, that weren't finite. No part of the model's state.
            self.skipped = tf.Variable(0, trainable=False, dtype=tf.int64)
        workers = has_workers(model.distribute_strategy)
        self.agreement = Agreement(model.distribute_strategy) if workers else None
        objective = model.objective
        student_heads = [student for student, _ in objective.heads]
        # Without heads of its own the teacher goes through the student's.
        teacher_heads = [t for _, t in objective.heads if t is not None] or student_heads
        modules = [model.student, model.teacher, *student_heads, *teacher_heads]
        check_synchronized(modules, self.num_replicas)
        self.moved_forward = moved_forward(modules)

        def synchronizes(*modules):
            return self.num_replicas > 1 and any(map(has_batch_normalization, modules))

        def compiled(function, when=True):
            if not (jit_compile and when):
                return function
            return tf.function(function, jit_compile=True, autograph=False)

        def part(function, *modules):
            return compiled(function, when=not (whole or synchronizes(*modules)))

        exchanges = self.num_replicas > 1 and objective.exchanges
        whole = not (exchanges or synchronizes(*modules) or accumulation_steps > 1)
        # DINOAugment says whether XLA compiles its layers; of others that isn't known.
        self.augment = compiled(self.augment, when=getattr(model.augment, "compilable", False))
        self.forward_backward = compiled(self.forward_backward, when=whole)
        self.encode_student = part(self.encode_student, model.student)
        self.encode_teacher = part(self.encode_teacher, model.teacher)
        self.student_heads = part(objective.student_embeddings, *student_heads)
        self.teacher_heads = part(objective.teacher_embeddings, *teacher_heads)
        self.loss = part(objective.compute_loss)
        self.are_finite = compiled(are_finite)
        self.update = compiled(self.update)

    def __call__(self, batch):
        """Makes a step.

        Args:
            batch: Dictionary of a `PairDataset`: `indices` (B,) and either `images` and `partners`
                (B, H, W, C) or `views`, a tuple of V tensors (B, s, s, C).

        Returns:
            Tuple of a dictionary of scalars, the loss and other metrics of all replicas, and
            whether the step was finite on all of them. One that wasn't changes nothing but the
            step counter and the loss scale.
        """
        optimizer, bank, loss_scale = self.model.optimizer, self.model.bank, self.model.loss_scale
        # The counter lives in host memory and is advanced last, outside every compiled function.
        step = tf.cast(optimizer.iterations, tf.int64)
        before = [tf.identity(tf.convert_to_tensor(each)) for each in self.moved_forward]
        views = self.augment(batch, step)
        if self.accumulation_steps == 1:
            results = self.forward_backward(views, step)
        else:
            results = accumulate(self, self.accumulation_steps, views, step)
        gradients, statistics, metrics, finite = self.exchange(results)
        if self.agreement is not None:
            self.agreement.exchange()
        tf.cond(
            finite,
            lambda: self.update(gradients, statistics, results["gathered"], step),
            lambda: assign_all(self.moved_forward, before),
        )
        if bank is not None:
            indices = tf.cast(batch["indices"], tf.int64)
            bank.step(indices, results["features"], self.jit_compile, when=finite)
        if loss_scale is not None:
            loss_scale.update(finite)
        self.skipped.assign(tf.where(finite, tf.zeros_like(step), self.skipped + 1))
        optimizer.iterations.assign_add(1)
        return metrics, finite

    def augment(self, batch, step):
        """Returns V views (B, s, s, C) of this replica's part of the batch, global ones first."""
        augment = self.model.augment
        place = {"step": step, "replica_id": replica_id(), "num_replicas": self.num_replicas}
        return augment(batch, **{name: place[name] for name in names_wanted(augment, place)})

    def forward_backward(self, views, step):
        """Returns what `compare` does, and `gradients`, by the place of the trained variable."""
        with tf.GradientTape() as tape:
            student, teacher, features = self.encode(views)
            share, results = self.compare(student, teacher, features, step)
        gradients = tape.gradient(share, self.model.trainable_variables)
        return {**results, "gradients": {i: g for i, g in enumerate(gradients) if g is not None}}

    # --- encode -----------------------------------------------------------------------------------

    def encode(self, views):
        """Returns embeddings of student and teacher, and the features of the two global views."""
        student_views = self.encode_student(views)
        if self.model.objective.has_teacher:
            teacher_views = self.encode_teacher(views[:2])
        else:
            teacher_views = tf.nest.map_structure(tf.stop_gradient, student_views[:2])
        student, teacher = self.student_heads(student_views), self.teacher_heads(teacher_views)
        return student, teacher, [view["features"] for view in teacher_views]

    def embed_student(self, views):
        """Returns the student's embeddings alone."""
        return self.student_heads(self.encode_student(views))

    def encode_student(self, views):
        """Runs the student's backbone: a list of V dictionaries, with gradient."""
        return self.run_backbone(self.model.student, views, training=True)

    def encode_teacher(self, views):
        """Runs the teacher's backbone: a list of dictionaries, without gradient."""
        teacher = self.model.teacher
        # No drop path, so inference mode, unless BatchNormalization is to use the batch.
        views = self.run_backbone(teacher, views, training=has_batch_normalization(teacher))
        return tf.nest.map_structure(tf.stop_gradient, views)

    def run_backbone(self, backbone, views, training):
        """Runs a backbone over views, neighboring ones of one size as one batch."""
        # Or each view by itself, if the objective wants it: only the batch's statistics tell.
        joins = self.model.objective.joint_statistics or not has_batch_normalization(backbone)
        outputs = []
        while len(outputs) < len(views):
            start = end = len(outputs)
            while end < len(views) and views[end].shape[1:] == views[start].shape[1:]:
                end += 1
            end = end if joins else start + 1
            joined = backbone(tf.concat(views[start:end], axis=0), training=training)
            split = {name: tf.split(out, end - start) for name, out in joined.items()}
            outputs += [{name: out[i] for name, out in split.items()} for i in range(end - start)]
        return outputs

    # --- compare ----------------------------------------------------------------------------------

    def compare(self, student, teacher, features, step):
        """Returns the share of the loss to take gradients of, and what comes with the loss.

        `features` are the teacher's of the two global views. With the loss come `statistics` and
        `gathered` for the objective's update, `metrics`, and the `features` that the bank keeps.
        """
        model = self.model
        to_gather = model.objective.to_gather(student, teacher)
        gathered = {name: gather(rows) for name, rows in to_gather.items()}
        first_row = replica_id() * tf.shape(features[0])[0]
        loss, statistics, metrics = self.loss(student, teacher, gathered, first_row, step)
        # Gradients are summed over the replicas, so each one's loss is a share of the whole.
        share = loss / self.num_replicas
        if model.loss_scale is not None:
            share = share * model.loss_scale.scale
        return share, {
            "statistics": statistics,
            "gathered": gathered,
            "metrics": {"loss": loss, "feature_std": feature_std(features[0]), **metrics},
            "features": self.feature_kept(features),
            "finite": tf.cast(are_finite(features), tf.float32),
        }

    def feature_kept(self, features):
        """Returns the L2-normalized feature that the bank keeps, out of those of two views."""
        first, second = (l2_normalize(feature) for feature in features)
        mean = l2_normalize(first + second)
        return {"first": first, "second": second, "mean": mean}[self.model.neighbor_feature]

    # --- exchange and update ----------------------------------------------------------------------

    def exchange(self, results):
        """Returns summed gradients, mean statistics and metrics, and whether all are finite."""
        gradients = results["gradients"]
        means = [results[name] for name in ("statistics", "metrics", "finite")]
        if self.num_replicas > 1:
            replica = tf.distribute.get_replica_context()
            means = replica.all_reduce("MEAN", means)
            gradients = replica.all_reduce("SUM", gradients)
        statistics, metrics, share = means
        told = [gradients, statistics, metrics["loss"], results["gathered"]]
        return gradients, statistics, metrics, self.are_finite(told) & tf.equal(share, 1.0)

    def update(self, gradients, statistics, gathered, step):
        """Local assigns only: every replica computes the same new values for its own copies."""
        model = self.model
        if model.loss_scale is not None:
            gradients = model.loss_scale.unscale(gradients)
        frozen = by_variable(model.objective.frozen(step))
        rates = by_variable(model.objective.fixed_learning_rates())
        updates = []
        for index, gradient in gradients.items():
            variable = model.trainable_variables[index]
            condition, rate = frozen.get(id(variable)), rates.get(id(variable))
            active = None if condition is None else ~condition
            updates.append((gradient, variable, active, rate))
        model.optimizer.update_variables(updates, step)
        networks = [(model.student, model.teacher), *model.objective.heads]
        students, teachers = parameter_pairs(networks)
        exponential_moving_average(teachers, students, model.momentum(step))
        model.objective.update(statistics, gathered, step)


def replica_id():
    """The replica's number: a constant in its graph, since each replica is traced by itself."""
    return tf.convert_to_tensor(tf.distribute.get_replica_context().replica_id_in_sync_group)


def names_wanted(augment, names):
    """Which of some arguments an augmentation, a layer or a function, takes beside the batch."""
    parameters = inspect.signature(getattr(augment, "call", augment)).parameters
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values()):
        return list(names)
    return [name for name in names if name in parameters]


def by_variable(groups):
    """Turns a list of (variables, value) into a dictionary of values by the variables' identity."""
    return {id(variable): value for variables, value in groups for variable in variables}
