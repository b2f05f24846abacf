"""Every objective x pairing x backbone: a step, saved, loaded, stepped again.

On one device, and line by line. Two replicas equal one with each objective, and with each backbone.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import backbones, optimizers, pairing
from tests.models import tiny
from tests.objectives.tiny import NAMES, make

# One block of each kind: how blocks follow one another is for the backbones' own tests.
BACKBONES = {
    "vit": lambda: backbones.VisionTransformer(tiny.SIZE, 4, embed_dim=16, depth=1, num_heads=2),
    "resnet": lambda: resnet((8,)),
    "swin": lambda: backbones.SwinTransformer(
        tiny.SIZE, 2, 8, depths=(1, 1), num_heads=(1, 2), window_size=2
    ),
}
PAIRINGS = {
    "self": pairing.SelfPairing,
    "nearest": lambda: pairing.NearestNeighbor(tiny.NUM_IMAGES, 4),
    "adasim": lambda: pairing.AdaptiveWindow(tiny.NUM_IMAGES, 1, 4, temperature=0.1),
    "oracle": lambda: pairing.LabelOracle(np.arange(tiny.NUM_IMAGES) % 4),
}


def resnet(filters):
    return backbones.ResNet(tiny.SIZE, filters, (1,) * len(filters), stem="cifar")


def build(objective, backbone):
    keras.utils.set_random_seed(1)
    optimizer = optimizers.SGD(0.02, clipnorm=0.3)
    return tiny.model(backbone(), make(objective), optimizer=optimizer)


def stepper(model):
    """A function that makes one step with the pairing's partners, and pushes the records."""
    images = tiny.images()
    strategy = model.distribute_strategy
    replicas = strategy.num_replicas_in_sync

    def run(batch):
        return strategy.run(model.train_step, args=(batch,))

    if replicas > 1:
        run = tf.function(run)

    def step(epoch):
        indices = np.random.default_rng(epoch).permutation(tiny.NUM_IMAGES)[:8]
        partners = model.pairing.partners(indices)
        batch = {"indices": indices, "images": images[indices], "partners": images[partners]}

        def share(context):
            place = context.replica_id_in_sync_group
            return {k: tf.constant(np.split(v, replicas)[place]) for k, v in batch.items()}

        model.reset_metrics()
        logs = run(strategy.experimental_distribute_values_from_function(share))
        model.pairing.push(model.bank.ids.numpy(), model.bank.similarities.numpy())
        return float(strategy.experimental_local_results(logs["loss"])[0])

    return step


@pytest.mark.large
@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("objective", NAMES)
def test_cells(objective, backbone, tmp_path):
    model, fresh = (build(objective, BACKBONES[backbone]) for _ in range(2))
    steps = [stepper(each) for each in (model, fresh)]
    # A pairing is no part of the step, so one model of a kind serves all four. The third is saved,
    # when the bank has rows: each of them with every backbone, and with all but a few objectives.
    shift = NAMES.index(objective) + list(BACKBONES).index(backbone)
    *names, last = np.roll(list(PAIRINGS), shift)
    for epoch, name in enumerate(names):
        model.pairing = PAIRINGS[name]()
        assert np.isfinite(steps[0](epoch)), name
    model.save_weights(tmp_path / "model.weights.h5")
    fresh.pairing = PAIRINGS[name]()
    fresh.load_weights(tmp_path / "model.weights.h5")
    assert_same(model, fresh)
    model.pairing, fresh.pairing = PAIRINGS[last](), PAIRINGS[last]()
    losses = [step(len(names)) for step in steps]
    assert np.isfinite(losses[0]), last
    assert losses[0] == losses[1]
    assert_same(model, fresh)


def assert_same(model, other):
    """All variables and all partners equal."""
    tiny.assert_states_equal(tiny.state(model), tiny.state(other), 0.0)
    everyone = np.arange(tiny.NUM_IMAGES)
    partners = (each.pairing.partners(everyone) for each in (model, other))
    np.testing.assert_array_equal(*partners)


# The other objectives on two replicas are in tests/objectives and tests/models.
@pytest.mark.large
@pytest.mark.parametrize(
    ("objective", "backbone", "names"),
    [
        ("nnclr", lambda: resnet((4, 6)), ["adasim", "oracle"]),
        ("simsiam", BACKBONES["swin"], ["nearest", "adasim"]),
        ("simclr", BACKBONES["vit"], ["self", "nearest"]),
    ],
    ids=["nnclr-resnet", "simsiam-swin", "simclr-vit"],
)
def test_two_replicas(objective, backbone, names, two_replicas, tmp_path):
    one = build(objective, backbone)
    with two_replicas.scope():
        two = build(objective, backbone)
    steps = [stepper(each) for each in (one, two)]
    for epoch, name in enumerate(names):
        one.pairing, two.pairing = PAIRINGS[name](), PAIRINGS[name]()
        expected, loss = (step(epoch) for step in steps)
        np.testing.assert_allclose(loss, expected, rtol=1e-5)
    tiny.assert_states_equal(tiny.state(one), tiny.state(two), 1e-5)
    tiny.assert_copies_equal(two)
    # Loaded on one device, everything is there; loaded back into the copies on both, the same step
    # is the same.
    two.save_weights(tmp_path / "model.weights.h5")
    before, everyone = tiny.state(two), np.arange(tiny.NUM_IMAGES)
    partners = two.pairing.partners(everyone)
    loss, after = steps[1](epoch + 1), tiny.state(two)
    for each in (one, two):
        each.load_weights(tmp_path / "model.weights.h5")
        tiny.assert_states_equal(before, tiny.state(each), 0.0)
        np.testing.assert_array_equal(partners, each.pairing.partners(everyone))
    np.testing.assert_allclose(steps[1](epoch + 1), loss, rtol=1e-6)
    tiny.assert_states_equal(after, tiny.state(two), 1e-6)
