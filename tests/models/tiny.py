"""A model small enough for a test, and three steps of training it."""

import keras
import numpy as np
import tensorflow as tf

from keras_adasim import SelfDistillation, backbones, data, layers, objectives, optimizers, pairing
from keras_adasim.augment import DINOAugment, MultiCrop

NUM_IMAGES, SIZE = 32, 8


def images(channels=3):
    return np.random.default_rng(0).integers(0, 256, (NUM_IMAGES, 12, 12, channels), np.uint8)


def vit(depth=1, **kwargs):
    """Drop path needs a depth of 2: the first block has none."""
    return backbones.VisionTransformer(SIZE, 4, embed_dim=16, depth=depth, num_heads=2, **kwargs)


def crops_only(num_local=0):
    """An augmentation of few operations; the others are traced and compiled in their own tests."""
    crops = MultiCrop(SIZE, local_size=4, num_local=num_local)
    return DINOAugment(crops, seed=3, first=[], second=[], local=[])


def dino(**kwargs):
    arguments = {"out_dim": 24, "hidden_dim": 16, "bottleneck_dim": 8, **kwargs}
    return objectives.DINO(**arguments)


def model(
    backbone=None,
    objective=None,
    pairs=None,
    optimizer=None,
    num_local=0,
    jit_compile=False,
    bank="default",
    augment=None,
    compiled=True,
    run_eagerly=None,
    **kwargs,
):
    """A model; one for one device runs eagerly unless told otherwise, as three steps don't pay for
    their graph."""
    keras.utils.set_random_seed(1)
    backbone = vit() if backbone is None else backbone
    if bank == "default":
        bank = layers.NeighborBank(NUM_IMAGES, backbone.output["features"].shape[-1], topk=4)
    pairs = pairing.AdaptiveWindow(NUM_IMAGES, window=2, topk=4) if pairs is None else pairs
    built = SelfDistillation(
        backbone,
        dino() if objective is None else objective,
        pairs,
        bank,
        augment=augment or crops_only(num_local),
        momentum=optimizers.WarmupCosine(0.9, 1.0, 40),
        **kwargs,
    )
    if compiled:
        if run_eagerly is None:
            run_eagerly = not jit_compile and built.distribute_strategy.num_replicas_in_sync == 1
        built.compile(
            optimizer or optimizers.SGD(0.05, clipnorm=0.3),
            jit_compile=jit_compile,
            run_eagerly=run_eagerly,
        )
    return built


def dataset(model, batch_size=8, **kwargs):
    return data.PairDataset(
        data.ArraySource(images()), model.pairing, batch_size=batch_size, seed=5, **kwargs
    )


def train(model, steps=3, batch_size=8, **kwargs):
    """Fits one short epoch of `steps` steps, with the same images for every model."""
    batches = dataset(model, batch_size)
    batches.set_epoch(0)
    limited = batches.as_tf_dataset().take(steps)
    return model.fit(limited, verbose=0, **kwargs).history


def state(model):
    """All variables by place and name, as NumPy arrays, the optimizer's included."""
    names = [variable.name for variable in model.variables]
    # The names of slots have counters in them.
    names += ["optimizer"] * len(model.optimizer.variables)
    variables = [*model.variables, *model.optimizer.variables]
    return {
        f"{place}:{name}": np.array(variable.numpy())
        for place, (name, variable) in enumerate(zip(names, variables, strict=True))
    }


def copies(variable):
    """The copies of a variable on all replicas."""
    value = variable.value
    if value.aggregation == tf.VariableAggregation.SUM:
        return [value.numpy()]  # A metric: summed up over the replicas when it is read.
    return [v.numpy() for v in getattr(value, "values", [value])]


def assert_states_equal(first, second, tolerance):
    assert first.keys() == second.keys()
    for name, expected in first.items():
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(second[name], expected, atol=tolerance, rtol=0, err_msg=name)
        elif "ids" not in name:
            np.testing.assert_array_equal(second[name], expected, err_msg=name)


def assert_copies_equal(model):
    for variable in [*model.variables, *model.optimizer.variables]:
        first, *others = copies(variable)
        for other in others:
            np.testing.assert_array_equal(other, first, err_msg=variable.path)
