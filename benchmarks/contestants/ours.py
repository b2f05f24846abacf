"""Ours: `SelfDistillation` with its data set, its augmentation on the device and its bank."""

import time

import keras
import numpy as np
import tensorflow as tf

from benchmarks.contestants import memory
from benchmarks.contestants.work import GLOBAL_SCALE, LOCAL_SCALE, MEAN, MOMENTUM, STD, Work
from keras_adasim import (
    SelfDistillation,
    augment,
    backbones,
    data,
    layers,
    objectives,
    optimizers,
    pairing,
)


class ReadyOrAugmented:
    """Views as they are if they are ready, else what the policies make of them."""

    def __init__(self, policies):
        self.policies = policies
        self.compilable = policies.compilable

    def __call__(self, batch, step):
        """Returns a list of normalized views."""
        if "ready" in batch:
            return list(batch["ready"])
        return self.policies({"views": batch["views"]}, step=step)


class Ours:
    """Answers by training with TensorFlow."""

    def prepare(self, work):
        """Builds and compiles everything; returns what there is."""
        self.work = work = Work(**work)
        keras.utils.set_random_seed(0)
        if work.precision != "float32":
            keras.mixed_precision.set_global_policy(f"mixed_{work.precision}")
        crops = augment.MultiCrop(
            work.image_size, GLOBAL_SCALE, work.local_size or 96, LOCAL_SCALE, work.num_local
        )
        policies = augment.DINOAugment(crops, MEAN, STD)
        self.augment = ReadyOrAugmented(policies)
        compiles = bool(tf.config.list_physical_devices("GPU"))
        self.augmented = tf.function(self.augment, jit_compile=compiles and policies.compilable)
        self.model = make_model(work, self.augment)
        pairs = data.PairDataset(
            data.ImageFolder(work.folder),
            pairing.SelfPairing(),
            work.batch_size,
            crops,
            interpolation=work.interpolation,
        )
        self.pairs = pairs.as_tf_dataset()
        rows = np.random.default_rng(0).permutation(max(work.bank, work.batch_size))
        ready = {
            "indices": tf.constant(rows[: work.batch_size]),
            "ready": tuple(tf.constant(view) for view in work.ready_views(channels_last=True)),
        }
        self.ready = iter(tf.data.Dataset.from_tensors(ready).repeat())
        weights = self.model.trainable_variables
        return {
            "versions": {"tensorflow": tf.__version__, "keras": keras.__version__},
            "device": device_name(),
            "parameters": int(sum(np.prod(variable.shape) for variable in weights)),
        }

    def round(self, kind):
        """Times one round; returns seconds, and the peak memory of a round of steps."""
        if kind == "step":
            forget_peak()
        start = time.perf_counter()
        loss = {"step": self.steps, "input": self.input, "whole": self.whole}[kind]()
        float(loss)  # Waits for the device.
        answer = {"seconds": time.perf_counter() - start}
        return {**answer, "peak": peak()} if kind == "step" else answer

    def steps(self):
        """Steps on views that are on the device already."""
        return self.train(self.ready)

    def whole(self):
        """An epoch, from files to weights."""
        return self.train(iter(self.pairs))

    def input(self):
        """An epoch of views on the device."""
        last = tf.constant(0.0)
        for step, batch in enumerate(self.pairs):
            last = self.augmented(batch, tf.constant(step, tf.int64))[-1][0, 0, 0, 0]
        return last

    def train(self, iterator):
        """Makes a round's steps; returns the last loss."""
        self.model.make_train_function()
        for _ in range(self.work.steps):
            loss = self.model.train_function(iterator)["loss"]
        return loss


def make_model(work, augmentation):
    """A compiled model of the case, with a bank unless it has none."""
    sizes = {"image_size": work.image_size}
    if work.backbone.startswith("vit"):
        sizes["patch_size"] = work.patch_size
    backbone = backbones.get(work.backbone, **sizes)
    heads = {"out_dim": work.out_dim, "hidden_dim": work.hidden_dim}
    objective = {"dino": objectives.DINO, "byol": objectives.BYOL, "simsiam": objectives.SimSiam}
    rows = max(work.bank, work.images)
    model = SelfDistillation(
        backbone,
        objective[work.objective](**heads),
        pairing.SelfPairing(),
        layers.NeighborBank(rows, backbone.feature_dim, work.topk) if work.bank else None,
        augment=augmentation,
        momentum=MOMENTUM,
    )
    kind = {"adamw": optimizers.AdamW, "sgd": optimizers.SGD}[work.optimizer]
    model.compile(kind(work.learning_rate, work.weight_decay, clipnorm=work.clipnorm))
    return model


def device_name():
    """Name of the first GPU, or CPU."""
    for gpu in tf.config.list_physical_devices("GPU"):
        return tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
    return "CPU"


def forget_peak():
    """Forgets the most memory held so far, of the GPU or the process."""
    if tf.config.list_physical_devices("GPU"):
        tf.config.experimental.reset_memory_stats("GPU:0")
    else:
        memory.forget_peak()


def peak():
    """Bytes at most held since, on the GPU by its allocator or else by the process."""
    if tf.config.list_physical_devices("GPU"):
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]
    return memory.peak_of_process()
