"""Images per second of the training step: with and without XLA, bank and strategy, in one run.

    python benchmarks/train_step.py
    python benchmarks/train_step.py --backbone=vit_small --image_size=224 --patch_size=16 \
        --batch_size=256 --bank=1281167 --out_dim=65536 --precision=mixed_bfloat16

Every row trains a fresh model on one synthetic batch of decoded crops, so that neither disk nor
decoding is measured; augmentation, look-up, update and bank write are. The first steps, which trace
and compile, are left out. The last column is the ratio to the first row of the same run.
"""

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from absl import app, flags, logging

from keras_adasim import SelfDistillation, augment, backbones, layers, objectives, optimizers
from keras_adasim.pairing import AdaptiveWindow, SelfPairing

VITS = [name for name in backbones.PRESETS if name.startswith("vit_")]
BACKBONE = flags.DEFINE_enum("backbone", "vit_tiny", VITS, "Which vision transformer.")
IMAGE_SIZE = flags.DEFINE_integer("image_size", 32, "Height and width of the global crops.")
PATCH_SIZE = flags.DEFINE_integer("patch_size", 4, "Side of a patch, in pixels.")
BATCH_SIZE = flags.DEFINE_integer("batch_size", 32, "Images per step, over all replicas.")
BANK = flags.DEFINE_integer("bank", 50_000, "Rows of the bank.")
OUT_DIM = flags.DEFINE_integer("out_dim", 4096, "Prototypes.")
STEPS = flags.DEFINE_integer("steps", 5, "Steps timed per row.")
PRECISION = flags.DEFINE_string("precision", "float32", "Keras dtype policy.")
ROWS = flags.DEFINE_list("rows", ["all"], "Names of the rows to run, or all.")

CASES = {
    "inline": {"jit_compile": False, "bank": False, "strategy": None},
    "inline + bank": {"jit_compile": False, "bank": True, "strategy": None},
    "XLA": {"jit_compile": True, "bank": False, "strategy": None},
    "XLA + bank": {"jit_compile": True, "bank": True, "strategy": None},
    "XLA + bank + MirroredStrategy": {"jit_compile": True, "bank": True, "strategy": 1},
    "XLA + bank + 2 logical devices": {"jit_compile": True, "bank": True, "strategy": 2},
}


def build(jit_compile, bank):
    """A compiled DINO model of the size that the flags ask for."""
    sizes = {"image_size": IMAGE_SIZE.value, "patch_size": PATCH_SIZE.value}
    backbone = backbones.get(BACKBONE.value, **sizes, drop_path_rate=0.1)
    model = SelfDistillation(
        backbone,
        objectives.DINO(OUT_DIM.value),
        AdaptiveWindow(BANK.value, window=1) if bank else SelfPairing(),
        layers.NeighborBank(BANK.value, backbone.feature_dim) if bank else None,
        augment=augment.DINOAugment(augment.MultiCrop(IMAGE_SIZE.value)),
    )
    model.compile(optimizers.AdamW(5e-4, 0.04, clipnorm=3.0), jit_compile=jit_compile)
    return model


def synthetic_batches():
    """One batch of crops, for ever."""
    rng = np.random.default_rng(0)
    shape = (BATCH_SIZE.value, IMAGE_SIZE.value, IMAGE_SIZE.value, 3)
    views = tuple(rng.integers(0, 256, shape, np.uint8) for _ in range(2))
    indices = rng.permutation(max(BANK.value, BATCH_SIZE.value))[: BATCH_SIZE.value]
    batch = {"indices": indices.astype(np.int64), "views": views}
    return tf.data.Dataset.from_tensors(batch).cache().repeat()


def measure(jit_compile, bank, strategy):
    """Images per second, and the seconds that tracing and compiling took."""
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    names = [device.name for device in devices[:strategy]]
    scope = tf.distribute.MirroredStrategy(names) if strategy else tf.distribute.get_strategy()
    with scope.scope():
        model = build(jit_compile, bank)
    model.make_train_function()
    iterator = iter(scope.experimental_distribute_dataset(synthetic_batches()))
    start = time.perf_counter()
    for _ in range(3):
        loss = model.train_function(iterator)["loss"]
    float(loss)
    compilation = time.perf_counter() - start
    start = time.perf_counter()
    for _ in range(STEPS.value):
        loss = model.train_function(iterator)["loss"]
    float(loss)
    return STEPS.value * BATCH_SIZE.value / (time.perf_counter() - start), compilation


def make_two_logical_devices():
    """Splits the first GPU, or the CPU, in two."""
    for kind, memory in (("GPU", 30_000), ("CPU", None)):
        if devices := tf.config.list_physical_devices(kind):
            half = tf.config.LogicalDeviceConfiguration(memory_limit=memory)
            tf.config.set_logical_device_configuration(devices[0], [half, half])
            return tf.config.experimental.get_device_details(devices[0]).get("device_name", kind)
    raise RuntimeError("Expected a CPU or a GPU. TensorFlow lists neither.")


def main(_):
    """Prints one line per case."""
    tf.get_logger().setLevel("WARNING")
    logging.set_verbosity(logging.WARNING)
    device = make_two_logical_devices()
    keras.mixed_precision.set_global_policy(PRECISION.value)
    print(
        f"{BACKBONE.value}/{PATCH_SIZE.value} at {IMAGE_SIZE.value}, batch {BATCH_SIZE.value}, "
        f"bank of {BANK.value} rows, K {OUT_DIM.value}, {PRECISION.value}, on {device}"
    )
    print(f"{'':32}{'images/s':>10}{'first steps':>13}{'ratio':>8}")
    unknown = sorted(set(ROWS.value) - {"all", *CASES})
    if unknown:
        raise app.UsageError(f"Expected --rows out of {', '.join(CASES)}. Received: {unknown}")
    first = None
    for name, case in CASES.items():
        if ROWS.value != ["all"] and name not in ROWS.value:
            continue
        rate, compilation = measure(**case)
        first = first or rate
        print(f"{name:32}{rate:10.1f}{compilation:11.1f} s{rate / first:8.2f}", flush=True)
        keras.backend.clear_session()


if __name__ == "__main__":
    app.run(main)
