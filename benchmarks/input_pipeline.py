"""Images per second of the input pipeline and of the augmentation, on the device at hand.

    python benchmarks/input_pipeline.py [--num_files=128] [--image_size=64] [--batch_size=128]

Every figure is printed with its ratio to the first of its table; the cases of a table take turns,
so that the ratios hold on a busy machine too. Both images of a pair count. The files are
photographs of 500 x 375 pixels, made from those in scikit-image's wheel. Some 50 s on two cores.
"""

import os
import pathlib
import tarfile
import tempfile
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras_cv
import numpy as np
import skimage.data
import tensorflow as tf
from absl import app, flags

from keras_adasim import augment, data
from keras_adasim.pairing import SelfPairing

FLAGS = flags.FLAGS
flags.DEFINE_integer("num_files", 128, "JPEG files to make.")
flags.DEFINE_integer("image_size", 64, "Side of the images that are augmented, in pixels.")
flags.DEFINE_integer("batch_size", 128, "Images in a batch that is augmented.")
flags.DEFINE_float("seconds", 2.0, "Time for every figure.")


def make_files(folder, num_files):
    """Writes photographs of 500 x 375 pixels."""
    photographs = [skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee()]
    rng = np.random.default_rng(0)
    for i in range(num_files):
        shifted = np.roll(photographs[i % 3], rng.integers(100, size=2), (0, 1))
        image = tf.cast(tf.image.resize(shifted, (375, 500)), tf.uint8)
        (folder / f"{i:04d}.jpg").write_bytes(tf.io.encode_jpeg(image, quality=90).numpy())


def measure(cases):
    """Images per second of every case, by turns, so that a busy spell slows all of them."""
    seconds, runs = dict.fromkeys(cases, 0.0), dict.fromkeys(cases, 0)
    for run, _ in cases.values():
        run()
    while min(seconds.values()) < FLAGS.seconds:
        for name, (run, _) in cases.items():
            turn = time.perf_counter()
            while time.perf_counter() - turn < FLAGS.seconds / 4:
                run()
                runs[name] += 1
            seconds[name] += time.perf_counter() - turn
    return {name: runs[name] * images / seconds[name] for name, (_, images) in cases.items()}


def report(title, cases):
    """Prints a table of functions and what they yield, relative to the first."""
    print(f"\n{title}")
    rates = measure(cases)
    first = next(iter(rates.values()))
    for name, rate in rates.items():
        print(f"  {name:<64}{rate:>10,.0f}/s{rate / first:>8.2f}")


def exhaust(dataset):
    """A function that runs through a data set, waiting for every batch."""

    def run():
        for _ in dataset:
            pass

    return run


def full_decode(source, size):
    """The obvious way: decode in full, then resize, with no random crop."""

    def load(index):
        image = tf.image.resize(source.decode(index), (size, size))
        return tf.cast(tf.round(image), tf.uint8)

    images = tf.data.Dataset.range(len(source)).map(load, tf.data.AUTOTUNE)
    return images.batch(64).prefetch(tf.data.AUTOTUNE)


def make_archives(folder, per_archive=64):
    """Packs the photographs of a folder into shards in another one."""
    files = sorted(folder.glob("*.jpg"))
    shards = folder.with_name("shards")
    shards.mkdir()
    for start in range(0, len(files), per_archive):
        with tarfile.open(shards / f"shard-{start // per_archive:03d}.tar", "w") as archive:
            for file in files[start : start + per_archive]:
                archive.add(file, file.name)
    return shards


def file_cases(source, archives):
    """Crops of 224 pixels cut from files of 500 x 375."""

    def pairs(interpolation="bilinear", num_local=0, source=source):
        crops = augment.MultiCrop(224, num_local=num_local)
        dataset = data.PairDataset(
            source, SelfPairing(), 64, crops, drop_remainder=False, interpolation=interpolation
        )
        return exhaust(dataset.as_tf_dataset()), 2 * len(source)

    return {
        "PairDataset, crop while decoding, bilinear": pairs(),
        "PairDataset, crop while decoding, bilinear, in tar archives": pairs(source=archives),
        "PairDataset, crop while decoding, bicubic": pairs("bicubic"),
        "PairDataset, bilinear, 8 local crops of 96 besides": pairs(num_local=8),
        "full decode and resize, no crop, one image": (
            exhaust(full_decode(source, 224)),
            len(source),
        ),
    }


def memory_cases(images):
    """Batches gathered from memory."""
    dataset = data.PairDataset(data.ArraySource(images), SelfPairing(), FLAGS.batch_size)
    return {"PairDataset, gathered from memory": (exhaust(dataset), 2 * len(images))}


def keras_cv_stack(size):
    """KerasCV's own layers with the numbers of the first view, whatever they mean there."""
    layers = keras_cv.layers
    return [
        layers.RandomCropAndResize((size, size), (0.4, 1.0), (3 / 4, 4 / 3)),
        layers.RandomFlip(),
        layers.RandomApply(layers.RandomColorJitter((0, 255), 0.4, 0.4, 0.2, 0.1), rate=0.8),
        layers.RandomApply(layers.Grayscale(3), rate=0.2),
        layers.RandomGaussianBlur(9, (0.1, 2.0)),
    ]


def augment_cases(images, size):
    """Both views of a batch, cropped and changed on the device."""
    batch = {"images": images, "partners": images[::-1]}
    ours = augment.DINOAugment(augment.MultiCrop(size))
    with_local = augment.DINOAugment(augment.MultiCrop(size, local_size=size // 2, num_local=4))
    stock = keras_cv_stack(size)

    def run_stock(images, partners):
        for layer in stock:
            images, partners = layer(images), layer(partners)
        return images, partners

    def case(function, *inputs, jit_compile=False):
        compiled = tf.function(function, jit_compile=jit_compile)
        return lambda: tf.nest.map_structure(lambda view: view.numpy(), compiled(*inputs))

    step = tf.constant(0, tf.int64)
    floats = tf.cast(images, tf.float32)
    return {
        "DINOAugment, compiled": (case(ours, batch, step, jit_compile=True), 2 * len(images)),
        "DINOAugment, not compiled": (case(ours, batch, step), 2 * len(images)),
        "DINOAugment, compiled, 4 local views of half the side besides": (
            case(with_local, batch, step, jit_compile=True),
            2 * len(images),
        ),
        "KerasCV's stock layers, first view's policy twice": (
            case(run_stock, floats, floats),
            2 * len(images),
        ),
    }


def main(_):
    """Prints the three tables."""
    tf.get_logger().setLevel("ERROR")
    print([device.device_type for device in tf.config.list_logical_devices()])
    size = FLAGS.image_size
    with tempfile.TemporaryDirectory() as folder:
        files = pathlib.Path(folder) / "files"
        files.mkdir()
        make_files(files, FLAGS.num_files)
        sources = data.ImageFolder(files), data.TarSource(make_archives(files))
        report("Files of 500 x 375 to 224", file_cases(*sources))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (50 * FLAGS.batch_size, size, size, 3), dtype=np.uint8)
    report(f"Memory, {size} pixels", memory_cases(images))
    on_device = tf.constant(images[: FLAGS.batch_size])
    report(f"Augmentation, {size} pixels", augment_cases(on_device, size))


if __name__ == "__main__":
    app.run(main)
