"""What `benchmarks/on_gpu.py` asks of a device: one function a question, each in a fresh process.

A function takes the settings of an item and returns a dictionary that JSON can hold.
"""

import collections
import gc
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

TOP = 30  # Kernels in a profile.


def profile(steps=5, **settings):
    """Time of a training step by kernel, and how long the device was idle.

    Args:
        steps: Steps that are traced, after three that aren't.
        **settings: Flags of `benchmarks/train_step.py`, and `xla`.
    """
    import tensorflow as tf

    run = stepper(**settings)
    run(3)
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        start = time.perf_counter()
        run(steps)
        seconds = time.perf_counter() - start
        tf.profiler.experimental.stop()
        (trace,) = pathlib.Path(folder).rglob("*.xplane.pb")
        kernels, busy, plane = kernels_of(trace.read_bytes())
    whole = sum(duration for duration, _ in kernels.values())
    ranked = sorted(kernels.items(), key=lambda item: -item[1][0])
    return {
        "seconds_per_step": seconds / steps,
        "busy_share": busy / seconds,
        "of": plane,
        "kernels": [
            {
                "name": name[:160],
                "ms_per_step": 1e3 * duration / steps,
                "share": duration / whole,
                "calls_per_step": count / steps,
            }
            for name, (duration, count) in ranked[:TOP]
        ],
    }


def kernels_of(trace):
    """Sums a trace up by kernel.

    Args:
        trace: Bytes of an `xplane.pb`.

    Returns:
        Tuple of a dict of each kernel's name to its seconds and calls, the seconds in which any
        ran, and what they ran on. Without a GPU these are all events of the host, one within
        another counted twice: good for trying this, and for nothing else.
    """
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace.FromString(trace)
    planes = [plane for plane in space.planes if plane.name.startswith("/device:GPU")]
    on_gpu = bool(planes)
    planes = planes or [plane for plane in space.planes if plane.name.startswith("/host:CPU")]
    kernels, spans = collections.defaultdict(lambda: (0.0, 0)), []
    for plane in planes:
        for line in plane.lines:
            # The others of a GPU's lines tell of the same kernels again, by XLA's names.
            if on_gpu and not line.name.startswith("Stream"):
                continue
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                seconds, count = kernels[name]
                kernels[name] = (seconds + event.duration_ps * 1e-12, count + 1)
                begin = line.timestamp_ns * 1e-9 + event.offset_ps * 1e-12
                spans.append((begin, begin + event.duration_ps * 1e-12))
    return dict(kernels), covered(spans), "GPU" if on_gpu else "host, events may be nested"


def covered(spans):
    """Length of the union of intervals."""
    total, end = 0.0, float("-inf")
    for begin, stop in sorted(spans):
        total += max(0.0, stop - max(begin, end))
        end = max(end, stop)
    return total


def memory(steps=3, **settings):
    """Peak memory and images per second of a batch size, or that it didn't fit."""
    import tensorflow as tf

    from benchmarks.contestants import ours

    try:
        ours.forget_peak()
        run = stepper(**settings)
        run(3)
        start = time.perf_counter()
        run(steps)
        seconds = time.perf_counter() - start
    except tf.errors.ResourceExhaustedError as error:
        return {"fits": False, "why": str(error).splitlines()[0][:200]}
    rate = steps * settings["batch_size"] / seconds
    return {"fits": True, "peak_bytes": ours.peak(), "images_per_second": rate}


def topk(rows, dim=384, batch=256, ks=(1, 10, 20, 50), repeats=20):
    """Milliseconds of a look-up in a bank by k, and of its product with the largest entry alone."""
    import tensorflow as tf

    from keras_adasim.layers.nearest_rows import nearest_rows

    random = tf.random.Generator.from_seed(0)
    table = tf.math.l2_normalize(random.normal((rows, dim)), axis=1)
    queries = tf.math.l2_normalize(random.normal((batch, dim)), axis=1)

    def largest(queries, table):
        return tf.reduce_max(tf.matmul(queries, table, transpose_b=True), axis=1)

    functions = {"product and maximum": largest}
    for k in ks:
        functions[f"k {k}"] = lambda queries, table, k=k: nearest_rows(queries, table, k)[1]
    found = {}
    for name, function in functions.items():
        compiled = tf.function(function, jit_compile=True)
        compiled(queries, table).numpy()
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            compiled(queries, table).numpy()
            times.append(time.perf_counter() - start)
        found[name] = 1e3 * statistics.median(times)
    return {"milliseconds": found}


def two(xla=True, rounds=1, **settings):
    """Images per second of one device, of one under MirroredStrategy, and of two logical ones."""
    import keras

    train_step = parsed(settings)
    train_step.make_two_logical_devices()
    found = collections.defaultdict(list)
    for _ in range(rounds):
        for name, strategy in (("one", None), ("one, mirrored", 1), ("two logical", 2)):
            rate, first = train_step.measure(xla, True, strategy)
            found[name].append({"images_per_second": rate, "first_steps_seconds": first})
            keras.backend.clear_session()
            gc.collect()
    return dict(found)


def grid(**settings):
    """A cell of the grid with its images on the device."""
    from benchmarks import resident

    return resident.run_cell(**settings)


def peers(case, flags=()):
    """The table of a case of `benchmarks/peers.py`, as its JSON line has it."""
    with tempfile.TemporaryDirectory() as folder:
        lines = pathlib.Path(folder) / "peers.jsonl"
        words = [f"--cases={case}", f"--json={lines}", *flags]
        # Its contestants share the device with it: it holds none of it.
        subprocess.run([sys.executable, "-m", "benchmarks.peers", *words], check=True)
        return json.loads(lines.read_text())


def stepper(xla=True, **settings):
    """A function that makes a number of steps and waits for the last one."""
    train_step = parsed(settings)
    model = train_step.build(xla, bank=True)
    model.make_train_function()
    iterator = iter(train_step.synthetic_batches())

    def run(steps):
        for _ in range(steps):
            loss = model.train_function(iterator)["loss"]
        return float(loss)

    return run


def parsed(settings):
    """The module `benchmarks.train_step` with these flags, and the precision among them."""
    import keras
    from absl import flags

    from benchmarks import train_step

    flags.FLAGS(["train_step", *(f"--{name}={value}" for name, value in settings.items())])
    keras.mixed_precision.set_global_policy(train_step.PRECISION.value)
    return train_step


ANSWERS = {
    "profile": profile,
    "peers": peers,
    "memory": memory,
    "topk": topk,
    "two": two,
    "grid": grid,
}


def device():
    """Name of the first GPU, or the CPU's kind and cores."""
    from benchmarks.grid import hardware

    return hardware()


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    answer = {"answer": ANSWERS[asked["question"]](**asked["settings"])}
    if asked["question"] != "peers":
        answer["device"] = device()
    pathlib.Path(sys.argv[2]).write_text(json.dumps(answer))
