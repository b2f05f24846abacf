"""What of the step is compiled, and what it calls besides."""

import keras
import pytest
import tensorflow as tf

from keras_adasim.models.training_step import TrainingStep
from tests.models import tiny
from tests.models.test_exchange import ToyContrast, small_cnn

ENCODERS = {"encode_student", "encode_teacher"}
PARTS = {*ENCODERS, "student_heads", "teacher_heads", "loss"}
ALWAYS = {"augment", "update"}


def programs(step):
    """Names of the parts that are functions of their own."""
    names = (*PARTS, *ALWAYS, "forward_backward")
    return {name for name in names if hasattr(getattr(step, name), "get_concrete_function")}


def build(strategy, backbone, objective):
    with strategy.scope():
        return tiny.model(backbone(), objective(), compiled=False)


CASES = {
    "one replica": (1, lambda: small_cnn(True), ToyContrast, {"forward_backward"}),
    "two replicas": (2, tiny.vit, tiny.dino, {"forward_backward"}),
    "two that exchange": (2, tiny.vit, ToyContrast, PARTS),
    "two with batch normalization": (2, lambda: small_cnn(True), tiny.dino, PARTS - ENCODERS),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_compiled(case, two_replicas):
    replicas, backbone, objective, expected = CASES[case]
    strategy = two_replicas if replicas == 2 else tf.distribute.get_strategy()
    model = build(strategy, backbone, objective)
    assert programs(TrainingStep(model, jit_compile=True)) == expected | ALWAYS
    # Inline is the reference: no function is nested at all.
    assert programs(TrainingStep(model, jit_compile=False)) == set()
    parts = PARTS if "normalization" not in case else PARTS - ENCODERS
    assert programs(TrainingStep(model, True, accumulation_steps=2)) == parts | ALWAYS


def test_augmentations_that_xla_may_not_know_are_not_compiled():
    model = tiny.model(augment=lambda batch: [batch["images"]] * 2, compiled=False)
    assert "augment" not in programs(TrainingStep(model, jit_compile=True))


def test_augmentations_get_what_they_name():
    """A plain function is an augmentation, too."""
    seen = []

    def halves(batch, step, num_replicas):
        seen.append((step.dtype, num_replicas))
        first, second = (tf.cast(batch[name], tf.float32) for name in ("images", "partners"))
        return [first[:, :8, :8] / 255.0, second[:, 4:, 4:] / 255.0]

    model = tiny.model(augment=halves)
    assert tiny.train(model, steps=1)["loss"][0] > 0
    assert seen[0] == (tf.int64, 1)


class Stop(Exception):
    pass


@pytest.mark.slow
def test_hooks_are_called_after_every_step_and_may_leave_fit():
    """A callback that stops a run only asks Keras to; and a signal comes between two steps."""
    model = tiny.model(run_eagerly=False)
    steps = []

    def hook():
        steps.append(int(model.optimizer.iterations.numpy()))
        if steps[-1] == 6:
            raise Stop

    model.step_hooks.append(hook)
    ends = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(epoch))
    with pytest.raises(Stop):
        model.fit(tiny.dataset(model), epochs=3, verbose=0, callbacks=[callback])
    assert steps == [1, 2, 3, 4, 5, 6]
    assert ends == [0]
    model.step_hooks.clear()
    model.fit(tiny.dataset(model), verbose=0)
    assert int(model.optimizer.iterations.numpy()) == 10


def test_hooks_are_a_plain_list_and_are_not_saved(tmp_path):
    model = tiny.model()
    weights = len(model.weights)
    # Keras would track a layer's method, and save the layer.
    model.step_hooks.append(keras.layers.Dense(2))
    assert type(model.step_hooks) is list
    assert len(model.weights) == weights
    model.step_hooks.clear()
    model.step_hooks.append(lambda: None)
    model.save(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras").step_hooks == []


@pytest.mark.slow
def test_an_epoch_that_was_broken_off_is_begun_again():
    model = tiny.model()
    dataset, begun = tiny.dataset(model, 16), []
    set_epoch = dataset.set_epoch
    dataset.set_epoch = lambda *place: begun.append(place) or set_epoch(*place)

    def hook():
        if int(model.optimizer.iterations.numpy()) == 3:
            raise Stop

    model.step_hooks.append(hook)
    with pytest.raises(Stop):
        model.fit(dataset, epochs=3, verbose=0)
    model.fit(dataset, epochs=2, verbose=0)
    assert begun == [(0, 0), (1, 0), (1, 0), (2, 0)]
