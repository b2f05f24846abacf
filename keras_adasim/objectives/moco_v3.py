"""MoCo-v3: contrast with a momentum teacher over the global batch (Chen et al., ICCV 2021)."""

import keras
import tensorflow as tf

from keras_adasim.layers import MLPHead
from keras_adasim.layers.mlp_head import LAST_NORMS
from keras_adasim.objectives.contrast import contrast_accuracy, info_nce
from keras_adasim.objectives.objective import Objective
from keras_adasim.objectives.two_views import (
    CONSTANT_PROJECTIONS,
    embedding_std,
    per_view,
    two_view_features,
    with_shape,
)
from keras_adasim.validation import (
    check_axes,
    check_choice,
    check_integer,
    check_number,
    check_scalar,
    check_switch,
)


def contrastive_loss(query, key, temperature, first_row=0):
    """InfoNCE of queries among all keys, times `2 * temperature`; one direction.

    Args:
        query: (B, D), of any length: the student's predictions of one view.
        key: (N, D), of any length: the teacher's projections of the other view, those of the
            global batch; no gradient flows to them.
        temperature: Positive scalar. The factor keeps the gradient's size from depending on it.
        first_row: Place of the first query's key; that of query i is `first_row + i`. It is 0
            where the queries are the whole batch.

    Returns:
        Float32 scalar, the mean over the queries.

    Reference:
        Algorithm 1 of Chen, Xie and He, "An Empirical Study of Training Self-Supervised Vision
        Transformers", ICCV 2021.
    """
    check_axes("query", query, "B", "D")
    check_axes("key", key, "B", query.shape[1])
    check_scalar("temperature", temperature, above=0)
    return 2.0 * temperature * info_nce(query, tf.stop_gradient(key), temperature, first_row)


@keras.saving.register_keras_serializable(package="keras_adasim")
class MoCoV3(Objective):
    """The student finds the teacher's projection of the other view among those of the batch.

    The loss is the sum of both directions. The negatives are the keys of the global batch. The
    defaults are those for vision transformers, whose patch embedding the paper leaves random; for
    ResNets it has `num_layers=2`, `predictor_last_norm="none"` and `temperature=1.0`.

    Args:
        out_dim: Width of the projections and predictions, at least 2.
        hidden_dim: Width of the hidden layers of projector and predictor.
        num_layers: Number of dense layers of the projector.
        predictor_last_norm: Batch normalization of the predictor's output: "plain" (without scale
            and offset), "affine" or "none".
        temperature: Temperature of the softmax over the batch.
        freezes_patch_embedding: Whether a transformer's patch embedding stays random.

    Example:
        ```python
        backbone = ka.backbones.VisionTransformer(8, 4, embed_dim=12, depth=1, num_heads=2)
        objective = ka.objectives.MoCoV3(out_dim=8, hidden_dim=16)
        model = ka.SelfDistillation(backbone, objective)
        model.compile(ka.optimizers.AdamW(1e-4, 0.1))
        ```
    """

    exchanges = True
    joint_statistics = False
    two_views_only = True
    metric_names = ("projection_std", "contrast_accuracy")

    def __init__(
        self,
        out_dim=256,
        hidden_dim=4096,
        num_layers=3,
        predictor_last_norm="plain",
        temperature=0.2,
        freezes_patch_embedding=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.out_dim = check_integer("out_dim", out_dim, minimum=2)
        self.hidden_dim = check_integer("hidden_dim", hidden_dim)
        self.num_layers = check_integer("num_layers", num_layers)
        self.predictor_last_norm = check_choice(
            "predictor_last_norm", predictor_last_norm, LAST_NORMS
        )
        self.temperature = check_number("temperature", temperature, above=0)
        self.freezes_patch_embedding = check_switch(
            "freezes_patch_embedding", freezes_patch_embedding
        )
        self.projector = self._head("projector", self.num_layers, "plain")
        self.teacher_projector = self._head("teacher_projector", self.num_layers, "plain")
        self.predictor = self._head("predictor", 2, predictor_last_norm)

    def _head(self, name, num_layers, last_norm):
        return MLPHead(
            self.out_dim,
            self.hidden_dim,
            num_layers,
            last_norm,
            dtype=self.dtype_policy,
            name=name,
        )

    def build(self, view_shapes):
        """Builds the heads for `view_shapes["features"]`, (None, D)."""
        if self.built:
            return
        self.projector.build(view_shapes["features"])
        self.teacher_projector.build(view_shapes["features"])
        self.predictor.build((None, self.out_dim))
        self.built = True

    @property
    def heads(self):
        """The projectors, and the predictor, which only the student has."""
        return [(self.projector, self.teacher_projector), (self.predictor, None)]

    def student_embeddings(self, views):
        """Predictions of both views, `{"queries": (B, 2, K)}`."""
        projections = per_view(self.projector, two_view_features(views))
        return {"queries": per_view(self.predictor, projections)}

    def teacher_embeddings(self, views):
        """Projections of both views, `{"keys": (B, 2, K)}`."""
        return {"keys": per_view(self.teacher_projector, two_view_features(views))}

    def to_gather(self, student, teacher):
        """The keys of all replicas."""
        return {"keys": tf.stop_gradient(teacher["keys"])}

    def compute_loss(self, student, teacher, gathered, first_row, step):
        """The sum of both directions, the spread of the keys, and how often they are found."""
        all_keys = with_shape(gathered["keys"], teacher["keys"])
        queries, keys = tf.unstack(student["queries"], axis=1), tf.unstack(all_keys, axis=1)
        loss = contrastive_loss(queries[0], keys[1], self.temperature, first_row)
        loss += contrastive_loss(queries[1], keys[0], self.temperature, first_row)
        metrics = {
            "projection_std": embedding_std(all_keys),
            "contrast_accuracy": contrast_accuracy(queries[0], keys[1], first_row),
        }
        return loss, {}, metrics

    def symptoms(self):
        """Projections that are the same for all images."""
        return [CONSTANT_PROJECTIONS]

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "out_dim": self.out_dim,
            "hidden_dim": self.hidden_dim,
            "num_layers": self.num_layers,
            "predictor_last_norm": self.predictor_last_norm,
            "temperature": self.temperature,
            "freezes_patch_embedding": self.freezes_patch_embedding,
        }
