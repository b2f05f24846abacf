"""SimCLR: find the other view of an image among all views of the batch (Chen et al., ICML 2020)."""

import keras
import tensorflow as tf

from keras_adasim.layers import MLPHead
from keras_adasim.objectives.contrast import contrast_accuracy, cosine_similarities
from keras_adasim.objectives.objective import Objective
from keras_adasim.objectives.two_views import (
    CONSTANT_PROJECTIONS,
    embedding_std,
    two_view_features,
    with_shape,
)
from keras_adasim.validation import check_axes, check_integer, check_number, check_scalar


def nt_xent(first, second, temperature, all_first=None, all_second=None, first_row=0):
    """Normalized temperature-scaled cross-entropy, with all other views as negatives.

    Every row is an anchor. Its positive is the other view of the same image, its negatives are the
    remaining `2 N - 2` rows.

    Args:
        first: (B, D), of any length: first views.
        second: (B, D), of any length: second views of the same images.
        temperature: Positive scalar that the similarities are divided by.
        all_first: (N, D), first views of the global batch; by default `first`.
        all_second: (N, D), second views of the global batch; by default `second`.
        first_row: Place of the first image in the global batch.

    Returns:
        Float32 scalar, the mean over the `2 B` anchors.

    Reference:
        `NT-Xent` of Chen et al., "A Simple Framework for Contrastive Learning of Visual
        Representations", ICML 2020.
    """
    check_axes("first", first, "B", "D")
    check_axes("second", second, "B", first.shape[1])
    check_scalar("temperature", temperature, above=0)
    all_first = first if all_first is None else all_first
    all_second = second if all_second is None else all_second
    anchors = tf.concat([first, second], axis=0)
    candidates = tf.concat([all_first, all_second], axis=0)
    logits = cosine_similarities(anchors, candidates) / temperature
    batch, total = tf.shape(first)[0], tf.shape(all_first)[0]
    places = tf.cast(first_row, tf.int32) + tf.range(batch)
    own = tf.concat([places, places + total], axis=0)
    other = tf.concat([places + total, places], axis=0)
    is_own = tf.range(2 * total) == own[:, tf.newaxis]
    # Far below any cosine over temperature, and finite, so that no gradient becomes NaN.
    logits = tf.where(is_own, tf.float32.min / 2.0, logits)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=other, logits=logits)
    return tf.reduce_mean(losses)


@keras.saving.register_keras_serializable(package="keras_adasim")
class SimCLR(Objective):
    """Each view finds the other view of its image among all views of the global batch.

    Args:
        out_dim: Width of the projections, at least 2.
        hidden_dim: Width of the projector's hidden layers.
        num_layers: Number of dense layers of the projector. Each is followed by batch
            normalization over both views together.
        temperature: Temperature of the softmax over the views.

    Example:
        ```python
        backbone = ka.backbones.VisionTransformer(8, 4, embed_dim=12, depth=1, num_heads=2)
        objective = ka.objectives.SimCLR(out_dim=8, hidden_dim=16, temperature=0.5)
        model = ka.SelfDistillation(backbone, objective)
        model.compile(ka.optimizers.LARS(0.3))
        ```
    """

    has_teacher = False
    exchanges = True
    two_views_only = True
    metric_names = ("projection_std", "contrast_accuracy")

    def __init__(self, out_dim=128, hidden_dim=2048, num_layers=2, temperature=0.1, **kwargs):
        super().__init__(**kwargs)
        self.out_dim = check_integer("out_dim", out_dim, minimum=2)
        self.hidden_dim = check_integer("hidden_dim", hidden_dim)
        self.num_layers = check_integer("num_layers", num_layers)
        self.temperature = check_number("temperature", temperature, above=0)
        self.projector = MLPHead(
            out_dim,
            hidden_dim,
            num_layers,
            last_norm="affine",
            dtype=self.dtype_policy,
            name="projector",
        )

    def build(self, view_shapes):
        """Builds the projector for `view_shapes["features"]`, (None, D)."""
        if self.built:
            return
        self.projector.build(view_shapes["features"])
        self.built = True

    @property
    def heads(self):
        """The projector; there is no teacher."""
        return [(self.projector, None)]

    def student_embeddings(self, views):
        """Projections of both views, `{"projections": (B, 2, K)}`."""
        features = two_view_features(views)
        rows = self.projector(tf.reshape(features, (-1, features.shape[-1])), training=True)
        return {"projections": tf.reshape(rows, (-1, 2, self.out_dim))}

    def teacher_embeddings(self, views):
        """Nothing."""
        return {}

    def to_gather(self, student, teacher):
        """The projections of all replicas, with their gradient."""
        return {"projections": student["projections"]}

    def compute_loss(self, student, teacher, gathered, first_row, step):
        """NT-Xent, the spread of the projections, and how often the other view is found."""
        projections = with_shape(gathered["projections"], student["projections"])
        first, second = tf.unstack(student["projections"], axis=1)
        all_first, all_second = tf.unstack(projections, axis=1)
        loss = nt_xent(first, second, self.temperature, all_first, all_second, first_row)
        metrics = {
            "projection_std": embedding_std(projections),
            "contrast_accuracy": contrast_accuracy(first, all_second, first_row),
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
            "temperature": self.temperature,
        }
