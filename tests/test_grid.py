"""Every objective x pairing x backbone: a step on two replicas, saved, loaded, stepped again."""

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
    "resnet": lambda: backbones.ResNet(tiny.SIZE, (8,), (1,), stem="cifar"),
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


def build(objective, backbone):
    keras.utils.set_random_seed(1)
    return tiny.model(
        BACKBONES[backbone](),
        make(objective),
        optimizer=optimizers.SGD(0.02, clipnorm=0.3),
        augment=tiny.crops_only(),
    )


def stepper(model, strategy):
    """A function that makes one step with the pairing's partners, and pushes the records."""
    images = tiny.images()

    @tf.function
    def run(batch):
        return strategy.run(model.train_step, args=(batch,))

    def step(epoch):
        indices = np.random.default_rng(epoch).permutation(tiny.NUM_IMAGES)[:8]
        partners = model.pairing.partners(indices)
        batch = {"indices": indices, "images": images[indices], "partners": images[partners]}

        def share(context):
            half = slice(4 * context.replica_id_in_sync_group, None)
            return {name: tf.constant(value[half][:4]) for name, value in batch.items()}

        model.reset_metrics()
        logs = run(strategy.experimental_distribute_values_from_function(share))
        model.pairing.push(model.bank.ids.numpy(), model.bank.similarities.numpy())
        return float(strategy.experimental_local_results(logs["loss"])[0])

    return step


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("objective", NAMES)
def test_cells(objective, backbone, two_replicas, tmp_path):
    fresh = build(objective, backbone)
    with two_replicas.scope():
        model = build(objective, backbone)
    step = stepper(model, two_replicas)
    everyone = np.arange(tiny.NUM_IMAGES)
    # A pairing is no part of the step's graph, so one model of a kind serves all four.
    for epoch, (name, make_pairing) in enumerate(PAIRINGS.items()):
        model.pairing, fresh.pairing = make_pairing(), make_pairing()
        assert np.isfinite(step(epoch)), name
        tiny.assert_copies_equal(model)
        path = tmp_path / f"{name}.weights.h5"
        model.save_weights(path)
        partners, before = model.pairing.partners(everyone), tiny.state(model)
        loss, after = step(epoch + 1), tiny.state(model)
        # Loaded into a new model, on one device, everything is there; loaded back into the copies
        # on both, the same step is the same.
        fresh.load_weights(path)
        tiny.assert_states_equal(before, tiny.state(fresh), 0.0)
        np.testing.assert_array_equal(partners, fresh.pairing.partners(everyone), name)
        model.load_weights(path)
        np.testing.assert_allclose(step(epoch + 1), loss, rtol=1e-6)
        tiny.assert_states_equal(after, tiny.state(model), 1e-6)
