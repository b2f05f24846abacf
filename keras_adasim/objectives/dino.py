"""DINO: self-distillation with a centered and sharpened teacher (Caron et al., ICCV 2021)."""

import math

import keras
import tensorflow as tf

from keras_adasim.layers import ProjectionHead
from keras_adasim.objectives.objective import Objective
from keras_adasim.objectives.symptom import Symptom
from keras_adasim.optimizers import as_schedule
from keras_adasim.validation import (
    check_axes,
    check_integer,
    check_number,
    check_scalar,
    check_switch,
)


def cross_view_loss(student, teacher, center, student_temperature, teacher_temperature):
    """Cross-entropy between each of the teacher's views and the student's other views.

    Args:
        student: Logits (V, B, K), the two global views first.
        teacher: Logits (2, B, K) of the two global views; no gradient flows to it.
        center: Floats (K,), taken from the teacher's logits.
        student_temperature: Positive scalar, of the student's softmax.
        teacher_temperature: Positive scalar, of the teacher's softmax.

    Returns:
        Float32 scalar: the mean over the batch and over all pairs of different views.

    Reference:
        `DINOLoss` of the official DINO code; with two views, `AdaSimLoss`.
    """
    check_axes("student", student, "V", "B", "K")
    check_axes("teacher", teacher, 2, "B", student.shape[2])
    check_axes("center", center, student.shape[2])
    check_scalar("student_temperature", student_temperature, above=0)
    check_scalar("teacher_temperature", teacher_temperature, above=0)
    num_views = student.shape[0]
    if num_views is None or num_views < 2:
        raise ValueError(
            "Expected `student` of shape (V, B, K) with at least two views. "
            f"Received: student.shape={tuple(student.shape)}"
        )
    student = tf.cast(student, tf.float32) / tf.cast(student_temperature, tf.float32)
    log_probabilities = tf.nn.log_softmax(student, axis=-1)
    targets = tf.stop_gradient(teacher_probabilities(teacher, center, teacher_temperature))
    terms = [
        -tf.reduce_mean(tf.reduce_sum(targets[a] * log_probabilities[v], axis=-1))
        for a, v in view_pairs(num_views)
    ]
    return tf.add_n(terms) / len(terms)


def view_pairs(num_views):
    """Pairs of a teacher's view and another one of the student's, the two global views first."""
    return [(a, v) for a in range(2) for v in range(num_views) if v != a]


def teacher_probabilities(teacher, center, temperature):
    """Returns softmax((teacher - center) / temperature) over the last axis, in float32."""
    teacher = tf.cast(teacher, tf.float32) - tf.cast(center, tf.float32)
    return tf.nn.softmax(teacher / tf.cast(temperature, tf.float32), axis=-1)


def batch_center(teacher):
    """Mean of all logits `(..., K)` over every axis but the last, in float32."""
    teacher = tf.cast(teacher, tf.float32)
    return tf.reduce_mean(tf.reshape(teacher, (-1, teacher.shape[-1])), axis=0)


def update_center(center, teacher, momentum):
    """Returns `momentum * center + (1 - momentum) * mean of the teacher's logits`.

    Args:
        center: Floats (K,).
        teacher: Raw logits (2, B, K), not divided by a temperature.
        momentum: Scalar in [0, 1], the old center's share.

    Returns:
        Float32 (K,), the new center.
    """
    check_axes("center", center, "K")
    check_axes("teacher", teacher, ..., center.shape[0])
    momentum = tf.cast(check_scalar("momentum", momentum, minimum=0, maximum=1), tf.float32)
    return momentum * tf.cast(center, tf.float32) + (1.0 - momentum) * batch_center(teacher)


@keras.saving.register_keras_serializable(package="keras_adasim")
class DINO(Objective):
    """Self-distillation over two global views and any number of local crops.

    Args:
        out_dim: Number of prototypes K, at least 2: of one, all have all.
        hidden_dim: Width of the projection head's hidden layers.
        bottleneck_dim: Width of the projection head's L2-normalized bottleneck.
        num_layers: Number of dense layers before the prototypes.
        use_bn: Whether the projection head has (synchronized) batch normalization.
        norm_last_layer: Whether the prototypes' norms stay at one.
        student_temperature: Temperature of the student's softmax.
        teacher_temperature: Temperature of the teacher's softmax. A float, or a schedule of the
            optimizer's step.
        center_momentum: How slowly the center follows the teacher's mean logit, in [0, 1].
        freeze_last_layer_steps: Number of first steps in which the prototypes stay as they are.
            DINO's "last layer frozen for n epochs" is n times the steps per epoch.

    Attributes:
        center: Float32 (K,), in the checkpoint and equal on all replicas.

    Example:
        ```python
        backbone = ka.backbones.VisionTransformer(8, 4, embed_dim=12, depth=1, num_heads=2)
        objective = ka.objectives.DINO(out_dim=32, hidden_dim=16, teacher_temperature=0.07)
        model = ka.SelfDistillation(backbone, objective)
        model.compile(ka.optimizers.AdamW(5e-4, 0.04, clipnorm=3.0))
        ```
    """

    metric_names = ("teacher_entropy", "teacher_mean_entropy")

    def __init__(
        self,
        out_dim=65536,
        hidden_dim=2048,
        bottleneck_dim=256,
        num_layers=3,
        use_bn=False,
        norm_last_layer=True,
        student_temperature=0.1,
        teacher_temperature=0.04,
        center_momentum=0.9,
        freeze_last_layer_steps=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.out_dim = check_integer("out_dim", out_dim, minimum=2)
        self.hidden_dim = check_integer("hidden_dim", hidden_dim)
        self.bottleneck_dim = check_integer("bottleneck_dim", bottleneck_dim, minimum=2)
        self.num_layers = check_integer("num_layers", num_layers)
        self.use_bn = check_switch("use_bn", use_bn)
        self.norm_last_layer = check_switch("norm_last_layer", norm_last_layer)
        self.student_temperature = check_number("student_temperature", student_temperature, above=0)
        self.teacher_temperature = as_schedule(teacher_temperature, "teacher_temperature", above=0)
        self.center_momentum = check_number(
            "center_momentum", center_momentum, minimum=0, maximum=1
        )
        self.freeze_last_layer_steps = check_integer(
            "freeze_last_layer_steps", freeze_last_layer_steps, minimum=0
        )
        self.student_head = self._head("student_head")
        self.teacher_head = self._head("teacher_head")

    def _head(self, name):
        return ProjectionHead(
            self.out_dim,
            self.hidden_dim,
            self.bottleneck_dim,
            self.num_layers,
            self.use_bn,
            self.norm_last_layer,
            dtype=self.dtype_policy,
            name=name,
        )

    def build(self, view_shapes):
        """Builds heads and center.

        Args:
            view_shapes: Dictionary of shapes, `features` being (None, D).
        """
        if self.built:
            return
        self.student_head.build(view_shapes["features"])
        self.teacher_head.build(view_shapes["features"])
        self.center = self._center("center")
        self.built = True

    def _center(self, name):
        return self.add_weight(
            name=name,
            shape=(self.out_dim,),
            dtype="float32",
            initializer="zeros",
            trainable=False,
            autocast=False,
        )

    @property
    def heads(self):
        """The projection heads of student and teacher."""
        return [(self.student_head, self.teacher_head)]

    def student_embeddings(self, views):
        """Logits of all views, `{"logits": (V, B, K)}`; one pass of the head for all of them."""
        return {"logits": self._logits(self.student_head, views)}

    def teacher_embeddings(self, views):
        """Logits of the two global views, `{"logits": (2, B, K)}`."""
        return {"logits": self._logits(self.teacher_head, views)}

    def _logits(self, head, views):
        logits = head(tf.concat([view["features"] for view in views], axis=0), training=True)
        return tf.reshape(logits, (len(views), -1, self.out_dim))

    def compute_loss(self, student, teacher, gathered, first_row, step):
        """The cross-view loss, the batch's center and the entropies of the teacher."""
        temperature = self.teacher_temperature(step)
        loss = cross_view_loss(
            student["logits"],
            teacher["logits"],
            self.center,
            self.student_temperature,
            temperature,
        )
        statistics = {"center": batch_center(teacher["logits"])}
        probabilities = teacher_probabilities(teacher["logits"], self.center, temperature)
        return loss, statistics, entropies(probabilities)

    def update(self, statistics, gathered, step):
        """Moves the center towards the mean logit of the global batch."""
        self.center.value.assign(
            update_center(self.center, statistics["center"][tf.newaxis], self.center_momentum)
        )

    def symptoms(self):
        """Outputs that are uniform, or one-hot, whatever the image."""
        names = ("loss", *DINO.metric_names)
        return prototype_symptoms("output", names, self.out_dim, self.freeze_last_layer_steps)

    def frozen(self, step):
        """The prototypes, while `step` is below `freeze_last_layer_steps`."""
        groups = self._untrained_steps()
        return [(variables, is_before(step, steps)) for variables, steps in groups if steps]

    def _untrained_steps(self):
        """List of (variables, number of first steps in which they are left out)."""
        return [(self.student_head.last_layer_variables, self.freeze_last_layer_steps)]

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "out_dim": self.out_dim,
            "hidden_dim": self.hidden_dim,
            "bottleneck_dim": self.bottleneck_dim,
            "num_layers": self.num_layers,
            "use_bn": self.use_bn,
            "norm_last_layer": self.norm_last_layer,
            "student_temperature": self.student_temperature,
            "teacher_temperature": keras.saving.serialize_keras_object(self.teacher_temperature),
            "center_momentum": self.center_momentum,
            "freeze_last_layer_steps": self.freeze_last_layer_steps,
        }

    @classmethod
    def from_config(cls, config):
        """Rebuilds the objective, schedules included."""
        config = dict(config)
        config["teacher_temperature"] = keras.saving.deserialize_keras_object(
            config["teacher_temperature"]
        )
        return cls(**config)


def entropies(probabilities):
    """Two watchers of collapse, in nats.

    Args:
        probabilities: The teacher's (2, B, K).

    Returns:
        `teacher_entropy`, the mean entropy of one image's output (ln K: every output is uniform),
        and `teacher_mean_entropy`, the entropy of the batch's mean output (0: one prototype for
        all images).
    """
    mean = tf.reduce_mean(tf.reshape(probabilities, (-1, probabilities.shape[-1])), axis=0)
    return {
        "teacher_entropy": tf.reduce_mean(_entropy(probabilities)),
        "teacher_mean_entropy": _entropy(mean),
    }


def prototype_symptoms(what, names, num_prototypes, first_step):
    """The two ways in which prototypes collapse, by the limits that loss and entropy go to.

    Args:
        what: What the prototypes tell apart, for the symptoms' names.
        names: Names of the logs of the loss and of the two `entropies`.
        num_prototypes: K.
        first_step: Steps before which the prototypes aren't trained.

    Returns:
        List of `Symptom`.
    """
    loss, entropy, mean_entropy = names
    most = math.log(num_prototypes)
    uniform = {loss: (0.99 * most, 1.01 * most), entropy: (0.99 * most, math.inf)}
    one_hot = [{mean_entropy: (0.0, 0.02 * most)}, dict.fromkeys((loss, entropy), (0, 0.01 * most))]
    too_soft = "the teacher says the same of all prototypes: its softmax is not sharp enough"
    too_sharp = "the same few prototypes win whatever the image: the center doesn't balance them"
    lower = "Try a lower `teacher_temperature` or `learning_rate`"
    faster = "Try a lower `center_momentum` or `learning_rate`, a higher `teacher_temperature`"
    return [
        Symptom(f"uniform {what}", uniform, too_soft, lower, first_step),
        *(Symptom(f"one-hot {what}", each, too_sharp, faster, first_step) for each in one_hot),
    ]


def _entropy(probabilities):
    return -tf.reduce_sum(tf.math.xlogy(probabilities, probabilities), axis=-1)


def is_before(step, first):
    """Whether a step, an int64 tensor, comes before the step `first`; a boolean tensor."""
    return tf.cast(step, tf.int64) < tf.cast(first, tf.int64)
