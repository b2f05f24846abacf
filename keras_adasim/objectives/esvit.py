"""EsViT: DINO on views, and the same between matching regions (Li et al., ICLR 2022)."""

import keras
import tensorflow as tf

from keras_adasim.layers.preprocessing import l2_normalize
from keras_adasim.objectives.dino import (
    DINO,
    batch_center,
    entropies,
    is_before,
    prototype_symptoms,
    teacher_probabilities,
    update_center,
    view_pairs,
)
from keras_adasim.validation import check_axes, check_integer, check_number, check_scalar


def region_loss(
    student_logits,
    student_features,
    teacher_logits,
    teacher_features,
    center,
    student_temperature,
    teacher_temperature,
):
    """Cross-entropy between each student region and the most similar region of the teacher's view.

    For every pair of different views each region of the student's view is matched to the region of
    the teacher's view of the same image whose feature has the largest cosine; several may share
    one. Every pair of views counts the same, however many regions it has.

    Args:
        student_logits: List over V views of logits (B, R, K), the two global views first; R may
            differ between views.
        student_features: List over V views of the backbone's tokens (B, R, D).
        teacher_logits: List over the two global views of logits (B, R, K); no gradient.
        teacher_features: List over the two global views of tokens (B, R, D).
        center: Floats (K,), taken from the teacher's region logits.
        student_temperature: Positive scalar, of the student's softmax.
        teacher_temperature: Positive scalar, of the teacher's softmax.

    Returns:
        Float32 scalar: the mean over regions, batch and pairs of views.

    Reference:
        `DDINOLoss` of the official EsViT code.
    """
    check_views("student_logits", student_logits)
    check_views("student_features", student_features, len(student_logits))
    check_views("teacher_logits", teacher_logits, 2)
    check_views("teacher_features", teacher_features, 2)
    check_axes("center", center, student_logits[0].shape[2])
    check_scalar("student_temperature", student_temperature, above=0)
    check_scalar("teacher_temperature", teacher_temperature, above=0)
    student_temperature = tf.cast(student_temperature, tf.float32)
    log_probabilities = [
        tf.nn.log_softmax(tf.cast(logits, tf.float32) / student_temperature)
        for logits in student_logits
    ]
    targets = [
        tf.stop_gradient(teacher_probabilities(logits, center, teacher_temperature))
        for logits in teacher_logits
    ]
    terms = []
    for a, v in view_pairs(len(student_logits)):
        nearest = most_similar_regions(student_features[v], teacher_features[a])
        matched = tf.gather(targets[a], nearest, batch_dims=1)
        terms.append(-tf.reduce_mean(tf.reduce_sum(matched * log_probabilities[v], axis=-1)))
    return tf.add_n(terms) / len(terms)


def check_views(name, views, number=None):
    """Raises ValueError unless there are so many views (None: two or more) of regions."""
    is_list = isinstance(views, list | tuple)
    if not is_list or len(views) < 2 or number not in (None, len(views)):
        raise ValueError(
            f"Expected `{name}` to be a list of {number or 'at least two'} views. Received: {name} "
            f"of {len(views) if is_list else type(views).__name__}"
        )
    for view in views:
        check_axes(name, view, "B", "R", "K")


def most_similar_regions(student, teacher):
    """For every student region (B, R, D) the place (B, R) of the most similar (B, S, D)."""
    student, teacher = l2_normalize(student, axis=-1), l2_normalize(teacher, axis=-1)
    return tf.argmax(tf.matmul(student, teacher, transpose_b=True), axis=-1)


@keras.saving.register_keras_serializable(package="keras_adasim")
class EsViT(DINO):
    """DINO's loss on views plus the region loss, each with a head and a center of its own.

    It needs a backbone that gives tokens. Both heads have the same shape.

    Args:
        out_dim: Number of prototypes K of either head, at least 2.
        hidden_dim: Width of the projection heads' hidden layers.
        bottleneck_dim: Width of the projection heads' L2-normalized bottlenecks.
        num_layers: Number of dense layers before the prototypes.
        use_bn: Whether the projection heads have (synchronized) batch normalization.
        norm_last_layer: Whether the prototypes' norms stay at one.
        student_temperature: Temperature of the student's softmax.
        teacher_temperature: Temperature of the teacher's softmax. A float, or a schedule of the
            optimizer's step.
        center_momentum: How slowly the centers follow the teacher's mean logits, in [0, 1].
        freeze_last_layer_steps: Number of first steps in which the prototypes stay as they are.
            DINO's "last layer frozen for n epochs" is n times the steps per epoch.
        region_weight: Weight of the region loss, in (0, 1]. The view loss has the rest.
        region_start_step: Number of first steps in which the view loss stands alone, with weight 1.
            The region head is left as it is then; the region loss is computed, and logged, all the
            same.

    Attributes:
        region_center: Float32 (K,), in the checkpoint and equal on all replicas.

    Example:
        ```python
        backbone = ka.backbones.VisionTransformer(8, 4, embed_dim=12, depth=1, num_heads=2)
        objective = ka.objectives.EsViT(out_dim=32, hidden_dim=16, region_weight=0.5)
        model = ka.SelfDistillation(backbone, objective)
        model.compile(ka.optimizers.AdamW(5e-4, 0.04, clipnorm=3.0))
        ```
    """

    metric_names = (
        *DINO.metric_names,
        "view_loss",
        "region_loss",
        "region_entropy",
        "region_mean_entropy",
    )

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
        region_weight=0.5,
        region_start_step=0,
        **kwargs,
    ):
        super().__init__(
            out_dim,
            hidden_dim,
            bottleneck_dim,
            num_layers,
            use_bn,
            norm_last_layer,
            student_temperature,
            teacher_temperature,
            center_momentum,
            freeze_last_layer_steps,
            **kwargs,
        )
        self.region_weight = check_number("region_weight", region_weight, above=0, maximum=1)
        self.region_start_step = check_integer("region_start_step", region_start_step, minimum=0)
        self.student_region_head = self._head("student_region_head")
        self.teacher_region_head = self._head("teacher_region_head")
        # Their place in EsViT's checkpoints, beside the heads of the views.
        self.student_region_head.torch_prefix = self.teacher_region_head.torch_prefix = (
            "head_dense."
        )

    def build(self, view_shapes):
        """Builds heads and centers.

        Args:
            view_shapes: Dictionary of shapes, `features` being (None, D) and `tokens`
                (None, P, D).

        Raises:
            ValueError: If the backbone gives no tokens.
        """
        if self.built:
            return
        given = sorted(name for name, shape in view_shapes.items() if shape is not None)
        if "tokens" not in given:
            raise ValueError(
                "EsViT's region loss needs a backbone that gives tokens, one for each region. "
                f"Received: a backbone that gives {given}. Choose another backbone, "
                "or DINO, which is EsViT without the region loss."
            )
        super().build(view_shapes)
        self.student_region_head.build((None, view_shapes["tokens"][-1]))
        self.teacher_region_head.build((None, view_shapes["tokens"][-1]))
        self.region_center = self._center("region_center")

    @property
    def heads(self):
        """The view heads and the region heads of student and teacher."""
        return [*super().heads, (self.student_region_head, self.teacher_region_head)]

    def student_embeddings(self, views):
        """DINO's, and lists over all views of `region_logits` and `region_features`."""
        regions = self._regions(self.student_region_head, views)
        return {**super().student_embeddings(views), **regions}

    def teacher_embeddings(self, views):
        """DINO's, and lists over the global views of `region_logits` and `region_features`."""
        regions = self._regions(self.teacher_region_head, views)
        return {**super().teacher_embeddings(views), **regions}

    def _regions(self, head, views):
        tokens = [view["tokens"] for view in views]
        rows = [tf.reshape(each, (-1, each.shape[-1])) for each in tokens]
        logits = tf.split(
            head(tf.concat(rows, axis=0), training=True), [tf.shape(each)[0] for each in rows]
        )
        shapes = [(-1, keras.ops.shape(each)[1], self.out_dim) for each in tokens]
        return {
            "region_logits": list(map(tf.reshape, logits, shapes)),
            "region_features": [tf.stop_gradient(each) for each in tokens],
        }

    def compute_loss(self, student, teacher, gathered, first_row, step):
        """The weighted sum, the batch's centers, both terms and the entropies of the teacher."""
        view, statistics, metrics = super().compute_loss(
            student, teacher, gathered, first_row, step
        )
        temperature = self.teacher_temperature(step)
        region = region_loss(
            student["region_logits"],
            student["region_features"],
            teacher["region_logits"],
            teacher["region_features"],
            self.region_center,
            self.student_temperature,
            temperature,
        )
        weight = tf.where(is_before(step, self.region_start_step), 0.0, self.region_weight)
        logits = tf.stack(teacher["region_logits"])
        probabilities = teacher_probabilities(logits, self.region_center, temperature)
        watchers = entropies(probabilities)
        metrics |= {
            "view_loss": view,
            "region_loss": region,
            "region_entropy": watchers["teacher_entropy"],
            "region_mean_entropy": watchers["teacher_mean_entropy"],
        }
        statistics["region_center"] = batch_center(logits)
        return (1.0 - weight) * view + weight * region, statistics, metrics

    def update(self, statistics, gathered, step):
        """Moves both centers towards the mean logits of the global batch."""
        super().update(statistics, gathered, step)
        self.region_center.value.assign(
            update_center(
                self.region_center, statistics["region_center"][tf.newaxis], self.center_momentum
            )
        )

    def symptoms(self):
        """DINO's, of either head."""
        first = max(self.freeze_last_layer_steps, self.region_start_step)
        views = ("view_loss", *DINO.metric_names)
        regions = ("region_loss", "region_entropy", "region_mean_entropy")
        return [
            *prototype_symptoms("output", views, self.out_dim, self.freeze_last_layer_steps),
            *prototype_symptoms("output of regions", regions, self.out_dim, first),
        ]

    def _untrained_steps(self):
        """DINO's, and the region head before `region_start_step`.

        Its gradient is zero then, but weight decay would go on.
        """
        last = self.student_region_head.last_layer_variables
        ids = {id(variable) for variable in last}
        others = [v for v in self.student_region_head.trainable_variables if id(v) not in ids]
        return [
            *super()._untrained_steps(),
            (last, max(self.freeze_last_layer_steps, self.region_start_step)),
            (others, self.region_start_step),
        ]

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "region_weight": self.region_weight,
            "region_start_step": self.region_start_step,
        }
