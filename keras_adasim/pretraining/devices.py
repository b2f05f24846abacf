"""What a run is computed on: its devices, and whether the step is compiled for them."""

import functools
import logging

import tensorflow as tf

from keras_adasim.workers import cluster, is_chief

# Parameters up to which, and steps from which on compiling gains on a CPU what it takes.
SMALL_NETWORK = 2_000_000
WORTH_COMPILING = 200


def compiles(xla, backbone, steps):
    """Whether the step is compiled: "yes", "no", or where it gains more time than it takes."""
    if xla != "auto":
        return xla == "yes"
    if tf.config.list_physical_devices("GPU"):
        return True
    return backbone.count_params() <= SMALL_NETWORK and steps >= WORTH_COMPILING


def make_strategy(devices, strategy="auto"):
    """No strategy for one device, else `MirroredStrategy`, or that of several processes.

    Args:
        devices: Number of devices of this process; 0 for all GPUs, else one CPU.
        strategy: "mirrored", "multiworker", or "auto": by whether there are other processes.
    """
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    physical = tf.config.list_physical_devices(kind)
    addresses = [] if strategy == "mirrored" else cluster()[0]
    if strategy == "multiworker" or len(addresses) > 1:
        return _several_workers(tuple(addresses), tuple(physical), devices)
    if kind == "CPU" and devices > 1:
        _split_processor(physical[0], devices)
    elif not 0 <= devices <= len(physical):
        raise ValueError(
            f"Expected `devices` from 0 to {len(physical)}. Received: devices={devices}"
        )
    wanted = devices or len(physical)
    if wanted == 1:
        return tf.distribute.get_strategy()
    return _mirrored(kind, wanted)


@functools.cache
def _mirrored(kind, number):
    """One strategy for all runs of a process.

    A second one over the same devices numbers its collective operations from the same start, and
    TensorFlow takes them for those of the first. So for several workers.
    """
    return tf.distribute.MirroredStrategy([f"{kind}:{i}" for i in range(number)])


@functools.cache
def _several_workers(addresses, physical, devices):
    """Makes the strategy, which waits until all of them are there."""
    if not addresses:
        raise ValueError(
            "Expected the environment's TF_CONFIG to name all workers, for `strategy`=multiworker. "
            "Received: no TF_CONFIG. On one machine, `keras-adasim launch --workers=2 -- pretrain "
            "...` sets it."
        )
    gpus = physical if physical[0].device_type == "GPU" else []
    if not 0 <= devices <= max(1, len(gpus)):
        raise ValueError(
            f"Expected `devices` from 0 to {max(1, len(gpus))} with several workers, of each: a "
            f"worker has its GPUs or one CPU. Received: devices={devices}"
        )
    if gpus and devices:
        tf.config.set_visible_devices(gpus[:devices], "GPU")
    level = tf.get_logger().level
    try:
        tf.get_logger().setLevel(logging.ERROR)  # Not that there is no GPU.
        if is_chief():
            print(f"waiting for {len(addresses)} workers: {', '.join(addresses)}", flush=True)
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise ValueError(
            "Expected `strategy`=multiworker before TensorFlow runs anything in this process. "
            f"Received: {error}. Call it first, or in a process of its own."
        ) from error
    finally:
        tf.get_logger().setLevel(level)


def _split_processor(processor, devices):
    """Makes logical devices, before anything runs: TensorFlow fixes its devices then."""
    if len(tf.config.get_logical_device_configuration(processor) or ()) >= devices:
        return
    try:
        parts = [tf.config.LogicalDeviceConfiguration()] * devices
        tf.config.set_logical_device_configuration(processor, parts)
    except RuntimeError as error:
        raise ValueError(
            "Expected `devices` above 1 on a CPU before TensorFlow runs anything in this process. "
            f"Received: devices={devices}. Call it first, or in a process of its own."
        ) from error


def check_shares(batch_size, devices):
    """Raises ValueError if some devices would get more of a batch than others."""
    if batch_size % devices:
        raise ValueError(
            f"Expected `batch_size` that {devices} devices share evenly. "
            f"Received: batch_size={batch_size}"
        )
