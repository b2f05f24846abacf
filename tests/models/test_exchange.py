"""The seam of the training step: what can't stand inside a compiled function on two replicas."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import backbones, objectives, optimizers, pairing
from tests.models import tiny


@keras.saving.register_keras_serializable(package="tests")
class ToyContrast(objectives.Objective):
    """Pulls each image to its teacher and away from all other images' student embeddings."""

    exchanges = True

    def build(self, view_shapes):
        if self.built:
            return
        self.student_head = keras.layers.Dense(6, name="student_head")
        self.teacher_head = keras.layers.Dense(6, name="teacher_head")
        for head in (self.student_head, self.teacher_head):
            head.build(view_shapes["features"])
        self.built = True

    @property
    def heads(self):
        return [(self.student_head, self.teacher_head)]

    def student_embeddings(self, views):
        return {"rows": self.student_head(views[0]["features"])}

    def teacher_embeddings(self, views):
        return {"rows": self.teacher_head(views[1]["features"])}

    def to_gather(self, student, teacher):
        return {"all": student["rows"]}

    def compute_loss(self, student, teacher, gathered, first_row, step):
        similarities = tf.matmul(student["rows"], gathered["all"], transpose_b=True)
        places = first_row + tf.range(tf.shape(student["rows"])[0])
        repulsion = tf.nn.sparse_softmax_cross_entropy_with_logits(places, similarities)
        pull = tf.reduce_sum(tf.square(student["rows"] - teacher["rows"]), axis=-1)
        return tf.reduce_mean(repulsion + pull), {}, {}


def small_cnn(synchronized, dropout=0.0):
    """A backbone with BatchNormalization, or without for `None`, as plain Keras users write it."""
    images = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same")(images)
    if synchronized is not None:
        x = keras.layers.BatchNormalization(synchronized=synchronized)(x)
    x = keras.layers.ReLU()(x)
    if dropout:
        x = keras.layers.Dropout(dropout, seed=1)(x)
    tokens = keras.layers.Reshape((-1, 8))(x)
    features = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(images, {"features": features, "tokens": tokens})
    model.image_size = tiny.SIZE
    return model


@pytest.mark.large
@pytest.mark.parametrize("synchronized", [None, True], ids=["gather", "batch normalization too"])
def test_two_compiled_replicas_equal_one_device(two_replicas, synchronized):
    """Inline it is in `test_grid`; BatchNormalization in heads is in `test_every_objective`."""
    one = build(synchronized)
    tiny.train(one)
    with two_replicas.scope():
        two = build(synchronized, jit_compile=True)
    tiny.train(two)
    tiny.assert_states_equal(tiny.state(one), tiny.state(two), 1e-5)
    tiny.assert_copies_equal(two)


def build(synchronized, jit_compile=False):
    keras.utils.set_random_seed(1)
    return tiny.model(
        small_cnn(synchronized),
        ToyContrast(),
        pairing.SelfPairing(),
        bank=None,  # It has programs of its own.
        optimizer=optimizers.SGD(0.02, momentum=0.9, clipnorm=0.3),
        jit_compile=jit_compile,
    )


def test_teacher_keeps_moving_statistics_of_its_own():
    model = tiny.model(small_cnn(True), optimizer=optimizers.SGD(0.0), num_local=1)
    tiny.train(model)
    student, teacher = (
        next(w for w in backbone.weights if "moving_mean" in w.path).numpy()
        for backbone in (model.student, model.teacher)
    )
    assert np.abs(teacher).max() > 0
    assert np.abs(student - teacher).max() > 0


def test_lonely_batch_normalization_is_refused_on_two_replicas(two_replicas):
    with two_replicas.scope(), pytest.raises(ValueError, match="synchronized=True"):
        tiny.model(small_cnn(False))


def test_backbones_are_any_keras_model():
    model = tiny.model(small_cnn(False))
    assert np.isfinite(tiny.train(model)["loss"]).all()
    assert not isinstance(model.student, backbones.VisionTransformer)
