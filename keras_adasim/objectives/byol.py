"""BYOL: predict a momentum teacher's projection of the other view (Grill et al., NeurIPS 2020)."""

import keras
import tensorflow as tf

from keras_adasim.layers import MLPHead
from keras_adasim.layers.preprocessing import l2_normalize
from keras_adasim.objectives.objective import Objective
from keras_adasim.objectives.two_views import (
    CONSTANT_PROJECTIONS,
    embedding_std,
    per_view,
    two_view_features,
)
from keras_adasim.validation import check_axes, check_integer


def regression_loss(prediction, target):
    """Squared distance of the normalized vectors, `2 - 2 cos`; one direction.

    Args:
        prediction: (B, D), of any length.
        target: (B, D), of any length; no gradient flows to it.

    Returns:
        Float32 scalar in [0, 4], the mean over the batch.

    Reference:
        `regression_loss` of DeepMind's BYOL code.
    """
    check_axes("prediction", prediction, "B", "D")
    check_axes("target", target, "B", prediction.shape[1])
    target = tf.stop_gradient(l2_normalize(target, axis=-1))
    cosines = tf.reduce_sum(l2_normalize(prediction, axis=-1) * target, axis=-1)
    return 2.0 - 2.0 * tf.reduce_mean(cosines)


@keras.saving.register_keras_serializable(package="keras_adasim")
class BYOL(Objective):
    """The student's predictor of either view meets the teacher's projection of the other.

    The loss is the sum of both directions, as in the paper.

    Args:
        out_dim: Width of the projections and predictions, at least 2.
        hidden_dim: Width of the hidden layers of projector and predictor.
        num_layers: Number of dense layers of the projector.

    Example:
        ```python
        backbone = ka.backbones.VisionTransformer(8, 4, embed_dim=12, depth=1, num_heads=2)
        objective = ka.objectives.BYOL(out_dim=8, hidden_dim=16)
        model = ka.SelfDistillation(backbone, objective)
        model.compile(ka.optimizers.LARS(0.3))
        ```
    """

    joint_statistics = False
    two_views_only = True
    metric_names = ("projection_std",)

    def __init__(self, out_dim=256, hidden_dim=4096, num_layers=2, **kwargs):
        super().__init__(**kwargs)
        self.out_dim = check_integer("out_dim", out_dim, minimum=2)
        self.hidden_dim = check_integer("hidden_dim", hidden_dim)
        self.num_layers = check_integer("num_layers", num_layers)
        self.projector = self._head("projector", self.num_layers)
        self.teacher_projector = self._head("teacher_projector", self.num_layers)
        self.predictor = self._head("predictor", 2)

    def _head(self, name, num_layers):
        return MLPHead(
            self.out_dim, self.hidden_dim, num_layers, dtype=self.dtype_policy, name=name
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
        """Predictions of both views, `{"predictions": (B, 2, K)}`."""
        projections = per_view(self.projector, two_view_features(views))
        return {"predictions": per_view(self.predictor, projections)}

    def teacher_embeddings(self, views):
        """Projections of both views, `{"projections": (B, 2, K)}`."""
        return {"projections": per_view(self.teacher_projector, two_view_features(views))}

    def compute_loss(self, student, teacher, gathered, first_row, step):
        """The sum of both directions, and the spread of the teacher's projections."""
        predictions = tf.unstack(student["predictions"], axis=1)
        targets = tf.unstack(teacher["projections"], axis=1)
        loss = regression_loss(predictions[0], targets[1])
        loss += regression_loss(predictions[1], targets[0])
        return loss, {}, {"projection_std": embedding_std(teacher["projections"])}

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
        }
