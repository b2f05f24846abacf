"""NNCLR: contrast with the nearest neighbor from a queue (Dwibedi et al., ICCV 2021)."""

import keras
import tensorflow as tf

from keras_adasim.layers import FeatureQueue, MLPHead
from keras_adasim.layers.preprocessing import l2_normalize
from keras_adasim.objectives.contrast import contrast_accuracy, info_nce
from keras_adasim.objectives.objective import Objective
from keras_adasim.objectives.two_views import (
    CONSTANT_PROJECTIONS,
    embedding_std,
    per_view,
    two_view_features,
    with_shape,
)
from keras_adasim.validation import check_axes, check_integer, check_number, check_scalar


def contrastive_loss(neighbor, prediction, temperature, first_row=0):
    """InfoNCE of neighbors among the predictions of the batch; one direction.

    Args:
        neighbor: (B, D), of any length: nearest neighbors of one view's projections; no
            gradient flows to them.
        prediction: (N, D), of any length: predictions of the other view, those of the global
            batch.
        temperature: Positive scalar that the similarities are divided by.
        first_row: Place of the first neighbor's prediction; that of neighbor i is `first_row + i`.
            It is 0 where the neighbors are those of the whole batch.

    Returns:
        Float32 scalar, the mean over the neighbors.

    Reference:
        Equation 2 of Dwibedi et al., "With a Little Help from My Friends", ICCV 2021.
    """
    check_axes("neighbor", neighbor, "B", "D")
    check_axes("prediction", prediction, "B", neighbor.shape[1])
    check_scalar("temperature", temperature, above=0)
    return info_nce(tf.stop_gradient(neighbor), prediction, temperature, first_row)


@keras.saving.register_keras_serializable(package="keras_adasim")
class NNCLR(Objective):
    """The nearest neighbor of one view's projection finds the prediction of the other view.

    Neighbors come from a queue of the projections of past first views; the batch's own are
    put into it after the step. The loss is the mean of both directions.

    Args:
        out_dim: Width of the projections and predictions, at least 2.
        hidden_dim: Width of the projector's hidden layers.
        num_layers: Number of dense layers of the projector, each followed by batch normalization.
        predictor_hidden_dim: Width of the predictor's hidden layer.
        queue_size: Number of projections to find neighbors among, at least the global batch.
        temperature: Temperature of the softmax over the batch.
        seed: Seed of the random rows that the queue starts with.

    Attributes:
        queue: The `FeatureQueue`, in the checkpoint and equal on all replicas.

    Example:
        ```python
        backbone = ka.backbones.VisionTransformer(8, 4, embed_dim=12, depth=1, num_heads=2)
        objective = ka.objectives.NNCLR(out_dim=8, hidden_dim=16, queue_size=64)
        model = ka.SelfDistillation(backbone, objective)
        model.compile(ka.optimizers.LARS(0.3))
        ```
    """

    has_teacher = False
    exchanges = True
    joint_statistics = False
    two_views_only = True
    metric_names = ("projection_std", "contrast_accuracy", "neighbor_similarity")

    def __init__(
        self,
        out_dim=256,
        hidden_dim=2048,
        num_layers=3,
        predictor_hidden_dim=4096,
        queue_size=98304,
        temperature=0.1,
        seed=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.out_dim = check_integer("out_dim", out_dim, minimum=2)
        self.hidden_dim = check_integer("hidden_dim", hidden_dim)
        self.num_layers = check_integer("num_layers", num_layers)
        self.predictor_hidden_dim = check_integer("predictor_hidden_dim", predictor_hidden_dim)
        self.queue_size = check_integer("queue_size", queue_size)
        self.temperature = check_number("temperature", temperature, above=0)
        self.seed = check_integer("seed", seed, minimum=0)
        self.projector = MLPHead(
            out_dim,
            hidden_dim,
            num_layers,
            last_norm="affine",
            dtype=self.dtype_policy,
            name="projector",
        )
        self.predictor = MLPHead(
            out_dim, predictor_hidden_dim, use_bias=True, dtype=self.dtype_policy, name="predictor"
        )
        self.queue = FeatureQueue(queue_size, out_dim, seed, name="queue")

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
        """Nothing."""
        return {}

    def check_batch(self, batch_size):
        """Raises ValueError if a batch doesn't fit into the queue."""
        if batch_size > self.queue_size:
            raise ValueError(
                f"Expected `queue_size` of at least {batch_size}, the images of a batch. "
                f"Received: queue_size={self.queue_size}"
            )

    def to_gather(self, student, teacher):
        """The predictions of all replicas with their gradient, and what the queue will take."""
        return {
            "predictions": student["predictions"],
            "projections": tf.stop_gradient(student["projections"][:, 0]),
        }

    def compute_loss(self, student, teacher, gathered, first_row, step):
        """The mean of both directions, and how near and how telling the neighbors are."""
        projections = tf.unstack(student["projections"], axis=1)
        predictions = tf.unstack(
            with_shape(gathered["predictions"], student["predictions"]), axis=1
        )
        neighbors = [self.queue.look_up(projection) for projection in projections]
        loss = 0.5 * contrastive_loss(neighbors[0], predictions[1], self.temperature, first_row)
        loss += 0.5 * contrastive_loss(neighbors[1], predictions[0], self.temperature, first_row)
        cosines = tf.reduce_sum(neighbors[0] * l2_normalize(projections[0], axis=-1), axis=-1)
        metrics = {
            "projection_std": embedding_std(student["projections"]),
            "contrast_accuracy": contrast_accuracy(neighbors[0], predictions[1], first_row),
            "neighbor_similarity": tf.reduce_mean(cosines),
        }
        return loss, {}, metrics

    def symptoms(self):
        """Projections that are the same for all images."""
        return [CONSTANT_PROJECTIONS]

    def update(self, statistics, gathered, step):
        """Enqueues the global batch's projections of the first view."""
        self.queue.enqueue(gathered["projections"])

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "out_dim": self.out_dim,
            "hidden_dim": self.hidden_dim,
            "num_layers": self.num_layers,
            "predictor_hidden_dim": self.predictor_hidden_dim,
            "queue_size": self.queue_size,
            "temperature": self.temperature,
            "seed": self.seed,
        }
