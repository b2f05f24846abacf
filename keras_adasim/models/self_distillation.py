"""Self-distillation with partners from a neighbour bank: AdaSim's training step."""

import keras
import tensorflow as tf

from keras_adasim.augment import DINOAugment, MultiCrop
from keras_adasim.models.checks import check_arguments, check_types, global_size
from keras_adasim.models.measures import feature_std
from keras_adasim.models.teacher import freeze_patch_embedding, make_teacher
from keras_adasim.models.teacher_student import TeacherStudent
from keras_adasim.optimizers import as_schedule, exponential_moving_average
from keras_adasim.optimizers.loss_scale import LossScale
from keras_adasim.pairing import SelfPairing


@keras.saving.register_keras_serializable(package="keras_adasim")
class SelfDistillation(TeacherStudent):
    """A student learns from its own moving average, and from images that resemble each other.

    Calling the model returns what the teacher's backbone says of images. Training it takes a
    `keras_adasim.data.PairDataset` (or a `tf.data.Dataset` of such batches):

    ```python
    backbone = keras_adasim.backbones.vit_small()
    pairing = keras_adasim.pairing.AdaptiveWindow(len(source))
    bank = keras_adasim.layers.NeighborBank(len(source), backbone.feature_dim)
    model = SelfDistillation(backbone, keras_adasim.objectives.DINO(), pairing, bank)
    model.compile(keras_adasim.optimizers.AdamW(5e-4, 0.04, clipnorm=3.0))
    model.fit(keras_adasim.data.PairDataset(source, pairing, batch_size=256), epochs=100)
    ```

    Under `tf.distribute.MirroredStrategy` build and compile it inside `strategy.scope()`.

    Args:
        backbone: the student, a `keras.Model` from images `(B, H, W, C)` to
            `{"features": (B, D), "tokens": (B, P, D)}`.
        objective: a `keras_adasim.objectives.Objective`.
        pairing: who is whose partner; `SelfPairing` by default. It must be the one that the
            data set asks.
        bank: the `NeighborBank` that a pairing by neighbours learns from; may be `None` with
            `SelfPairing` and `LabelOracle`.
        neighbor_feature: which of the teacher's views the bank keeps: "first", "second" or "mean"
            (of the two normalised features).
        augment: layer or function from a batch to a list of normalised views, two global ones
            first; `DINOAugment` with two views at the backbone's image size by default. If its
            `call` names them, it gets `step`, `replica_id` and `num_replicas` too.
        momentum: of the teacher, a float or a schedule of the optimiser's step.

    Attributes:
        student: the backbone given.
        teacher: its moving average, without drop path; the student itself if the objective has
            no teacher.

    Source: "Adaptive Similarity Bootstrapping for Self-Distillation", ICCV 2023.
    """

    def __init__(
        self,
        backbone,
        objective,
        pairing=None,
        bank=None,
        neighbor_feature="first",
        augment=None,
        momentum=0.996,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_types(backbone, objective)
        self.student = backbone
        self.objective = objective
        self.pairing = pairing or SelfPairing()
        self.bank = bank
        self.neighbor_feature = neighbor_feature
        self.augment = augment or DINOAugment(MultiCrop(global_size(backbone)))
        self.momentum = as_schedule(momentum)
        check_arguments(self)
        if objective.freezes_patch_embedding:
            freeze_patch_embedding(backbone)
        self.teacher = make_teacher(backbone) if objective.has_teacher else backbone
        objective.build({name: out.shape for name, out in backbone.output.items()})
        for student_head, teacher_head in objective.heads:
            if teacher_head is not None:
                teacher_head.set_weights(student_head.get_weights())
        dtypes = {self.compute_dtype, backbone.compute_dtype, objective.compute_dtype}
        self.loss_scale = LossScale(name="loss_scale") if "float16" in dtypes else None
        names = ("loss", "feature_std", *objective.metric_names)
        self._means = {name: keras.metrics.Mean(name=name) for name in names}
        self.built = True

    # --- one training step -----------------------------------------------------------------------

    @tf.autograph.experimental.do_not_convert
    def train_step(self, batch):
        """Augments, distils, exchanges and updates; runs once per replica.

        Args:
            batch: dictionary of a `PairDataset`: `indices` `(B,)` and either `images` and
                `partners` `(B, H, W, C)` or `views`, a tuple of V `(B, s, s, C)`.

        Returns:
            dictionary of the epoch's mean loss and metrics so far.
        """
        batch, _, _ = keras.utils.unpack_x_y_sample_weight(batch)
        replica = tf.distribute.get_replica_context()
        # The counter lives in host memory and is advanced last, outside every compiled function.
        step = tf.cast(self.optimizer.iterations, tf.int64)
        views = self._functions.augment(batch, step, replica)
        results = self._functions.forward_backward(views, step, replica)
        rows = {"indices": tf.cast(batch["indices"], tf.int64), **results.pop("rows")}
        if replica.num_replicas_in_sync > 1:
            results, rows = self._exchange(results, rows, replica)
        metrics = results.pop("metrics")
        self._functions.update(results, rows, step)
        self.optimizer.iterations.assign_add(1)
        for name, value in metrics.items():
            self._means[name].update_state(value)
        return {name: mean.result() for name, mean in self._means.items()}

    def _forward_backward(self, views, step, first_row, parts, gather):
        """Loss, gradients and neighbours of one replica's views.

        `first_row` is the place of their first image in the global batch; `parts` holds the
        functions called here, compiled or not; `gather` brings together the rows of all replicas.
        """
        with tf.GradientTape() as tape:
            student, teacher, features = self._encode(views, parts)
            share, results = self._compare(student, teacher, step, first_row, parts, gather)
        gradients = tape.gradient(share, self.trainable_variables)
        results["gradients"] = {i: g for i, g in enumerate(gradients) if g is not None}
        results["metrics"]["feature_std"] = feature_std(features[0])
        results["rows"] = {} if self.bank is None else parts.look_up(features)
        return results

    def _encode(self, views, parts):
        """Embeddings of student and teacher, and the teacher's features of the global views."""
        student_views = parts.student(views)
        if self.objective.has_teacher:
            teacher_views = parts.teacher(views[:2])
        else:
            teacher_views = tf.nest.map_structure(tf.stop_gradient, student_views[:2])
        student, teacher = parts.student_heads(student_views), parts.teacher_heads(teacher_views)
        return student, teacher, [view["features"] for view in teacher_views]

    def _compare(self, student, teacher, step, first_row, parts, gather):
        """The scaled share of the loss to take gradients of, and what comes with the loss."""
        to_gather = self.objective.to_gather(student, teacher)
        gathered = {name: gather(rows) for name, rows in to_gather.items()}
        loss, statistics, metrics = parts.loss(student, teacher, gathered, first_row, step)
        # Gradients are summed over the replicas, so each one's loss is a share of the whole.
        share = loss / self.distribute_strategy.num_replicas_in_sync
        if self.loss_scale is not None:
            share = share * self.loss_scale.scale
        metrics = {"loss": loss, **metrics}
        return share, {"statistics": statistics, "gathered": gathered, "metrics": metrics}

    def _look_up(self, features):
        """Neighbours of the teacher's features of the two global views, before they are written."""
        first, second = (self.bank.normalize(feature) for feature in features)
        mean = self.bank.normalize(first + second)
        feature = {"first": first, "second": second, "mean": mean}[self.neighbor_feature]
        ids, similarities = self.bank.look_up(feature)
        return {"features": feature, "ids": ids, "similarities": similarities}

    def _exchange(self, results, rows, replica):
        """Sums the gradients, averages statistics, and gathers the bank's new rows."""
        means = replica.all_reduce("MEAN", [results["statistics"], results["metrics"]])
        return {
            "gradients": replica.all_reduce("SUM", results["gradients"]),
            "statistics": means[0],
            "gathered": results["gathered"],
            "metrics": means[1],
        }, {name: replica.all_gather(tf.identity(row), axis=0) for name, row in rows.items()}

    def _update(self, results, rows, step):
        """Local assigns only: every replica computes the same new values for its own copies."""
        gradients, finite = results["gradients"], None
        if self.loss_scale is not None:
            gradients, finite = self.loss_scale.unscale(gradients)
            self.loss_scale.update(finite)
        frozen = by_variable(self.objective.frozen(step))
        rates = by_variable(self.objective.fixed_learning_rates())
        for index, gradient in gradients.items():
            variable = self.trainable_variables[index]
            active, condition = finite, frozen.get(id(variable))
            if condition is not None:
                active = ~condition if active is None else active & ~condition
            rate = rates.get(id(variable))
            self.optimizer.update_variable(gradient, variable, step, active, rate)
        students, teachers = self._parameters_followed()
        exponential_moving_average(teachers, students, self.momentum(step))
        self.objective.update(results["statistics"], results["gathered"], step)
        if self.bank is not None:
            self.bank.write(**rows)


def by_variable(groups):
    """Turns a list of (variables, value) into a dictionary of values by the variables' identity."""
    return {id(variable): value for variables, value in groups for variable in variables}
