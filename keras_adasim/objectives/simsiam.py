"""SimSiam: predict the other view's projection, without a momentum teacher (CVPR 2021)."""

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
from keras_adasim.validation import check_axes, check_integer, check_number


def negative_cosine(prediction, target):
    """Negative cosine similarity; one direction.

    Args:
        prediction: (B, D), of any length.
        target: (B, D), of any length; no gradient flows to it.

    Returns:
        Float32 scalar in [-1, 1], the mean over the batch.

    Reference:
        Chen and He, "Exploring Simple Siamese Representation Learning", CVPR 2021.
    """
    check_axes("prediction", prediction, "B", "D")
    check_axes("target", target, "B", prediction.shape[1])
    target = tf.stop_gradient(l2_normalize(target, axis=-1))
    return -tf.reduce_mean(tf.reduce_sum(l2_normalize(prediction, axis=-1) * target, axis=-1))


@keras.saving.register_keras_serializable(package="keras_adasim")
class SimSiam(Objective):
    """The predictor of either view meets the same network's projection of the other.

    The loss is the mean of both directions. What keeps it from collapsing is that no gradient
    flows to the target.

    Args:
        out_dim: Width of the projections and predictions, at least 2.
        hidden_dim: Width of the projector's hidden layers.
        num_layers: Number of dense layers of the projector.
        predictor_hidden_dim: Width of the predictor's hidden layer, its bottleneck.
        predictor_learning_rate: Constant learning rate of the predictor: "base" or a float. "base"
            is the one that the others' decays from, as in the paper. With None it decays too.

    Example:
        ```python
        backbone = ka.backbones.VisionTransformer(8, 4, embed_dim=12, depth=1, num_heads=2)
        objective = ka.objectives.SimSiam(out_dim=16, hidden_dim=16, predictor_hidden_dim=8)
        model = ka.SelfDistillation(backbone, objective)
        model.compile(ka.optimizers.SGD(0.05, 1e-4))
        ```
    """

    has_teacher = False
    joint_statistics = False
    two_views_only = True
    metric_names = ("projection_std",)

    def __init__(
        self,
        out_dim=2048,
        hidden_dim=2048,
        num_layers=3,
        predictor_hidden_dim=512,
        predictor_learning_rate="base",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.out_dim = check_integer("out_dim", out_dim, minimum=2)
        self.hidden_dim = check_integer("hidden_dim", hidden_dim)
        self.num_layers = check_integer("num_layers", num_layers)
        self.predictor_hidden_dim = check_integer("predictor_hidden_dim", predictor_hidden_dim)
        if predictor_learning_rate not in ("base", None):
            predictor_learning_rate = check_number(
                "predictor_learning_rate",
                predictor_learning_rate,
                above=0,
                otherwise="'base' or None",
            )
        self.predictor_learning_rate = predictor_learning_rate
        self.projector = MLPHead(
            out_dim,
            hidden_dim,
            num_layers,
            last_norm="plain",
            dtype=self.dtype_policy,
            name="projector",
        )
        self.predictor = MLPHead(
            out_dim, predictor_hidden_dim, use_bias=True, dtype=self.dtype_policy, name="predictor"
        )

    def build(self, view_shapes):
        """Builds the heads for `view_shapes["features"]`, (None, D)."""
        if self.built:
            return
        self.projector.build(view_shapes["features"])
        self.predictor.build((None, self.out_dim))
        self.built = True

    @property
    def heads(self):
        """Projector and predictor; there is no teacher."""
        return [(self.projector, None), (self.predictor, None)]

    def student_embeddings(self, views):
        """Projections and predictions of both views, (B, 2, K) each."""
        projections = per_view(self.projector, two_view_features(views))
        return {"projections": projections, "predictions": per_view(self.predictor, projections)}

    def teacher_embeddings(self, views):
        """Nothing: the targets are the student's own projections."""
        return {}

    def compute_loss(self, student, teacher, gathered, first_row, step):
        """The mean of both directions, and the spread of the projections."""
        predictions = tf.unstack(student["predictions"], axis=1)
        targets = tf.unstack(student["projections"], axis=1)
        loss = 0.5 * negative_cosine(predictions[0], targets[1])
        loss += 0.5 * negative_cosine(predictions[1], targets[0])
        return loss, {}, {"projection_std": embedding_std(student["projections"])}

    def symptoms(self):
        """Projections that are the same for all images."""
        return [CONSTANT_PROJECTIONS]

    def fixed_learning_rates(self):
        """The predictor's, unless `predictor_learning_rate` is None."""
        if self.predictor_learning_rate is None:
            return []
        return [(self.predictor.trainable_variables, self.predictor_learning_rate)]

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "out_dim": self.out_dim,
            "hidden_dim": self.hidden_dim,
            "num_layers": self.num_layers,
            "predictor_hidden_dim": self.predictor_hidden_dim,
            "predictor_learning_rate": self.predictor_learning_rate,
        }
