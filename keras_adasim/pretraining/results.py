"""What came out of a run: measured, exported, written down and said."""

import datetime
import math
import platform
import shlex
import socket
import sys

import keras
import numpy as np
import tensorflow as tf

from keras_adasim import callbacks as ours
from keras_adasim import export
from keras_adasim.callbacks.epoch_log import rows_before
from keras_adasim.layers.preprocessing import resize_bytes
from keras_adasim.pretraining import page
from keras_adasim.pretraining.run_folder import write_json
from keras_adasim.pretraining.watching import find
from keras_adasim.version import __version__

try:
    import resource
except ImportError:  # Windows.
    resource = None

# Measures of the network that the end of a run is compared with.
BEFORE = ("rank_me", "alpha_req", "uniformity", "alignment")


def measure_start(model, watchers):
    """What the weights that the run begins with are worth, and raw pixels.

    Returns:
        Dict for `start.json`: `knn_raw_pixels` and `knn_before`, None without labels, with a probe
        `probe_before`, and `before`, the measures of `BEFORE`.
    """
    knn, measures = find(watchers, ours.OnlineKNN), find(watchers, ours.Measures)
    start = {"knn_raw_pixels": None, "knn_before": None}
    if knn is not None:
        knn.set_model(model)
        start = {"knn_raw_pixels": knn.evaluate(pixels)[0], "knn_before": knn.evaluate()[0]}
    if probe := find(watchers, ours.OnlineProbe):
        probe.set_model(model)
        start["probe_before"] = probe.evaluate()
    measures.set_model(model)
    values = measures.evaluate()
    return {**start, "before": {name: values[name] for name in BEFORE if name in values}}


def pixels(images, largest=64):
    """Images as features: (B, H, W, C) to (B, D), no more than 64 x 64 pixels of each."""
    images = np.asarray(images)
    if max(images.shape[1:3]) > largest:
        images = np.stack([resize_bytes(image, (largest, largest)) for image in images])
    return images.reshape(len(images), -1).astype(np.float32)


def finish(folder, model, source, watchers, before, decision, facts):
    """Exports the teacher, writes `result.json` and the page, and says what was learned.

    Args:
        folder: The `RunFolder`.
        model: The trained `SelfDistillation`.
        source: The training images.
        watchers: The callbacks of the run.
        before: What `measure_start` returned.
        decision: The `Decision`.
        facts: Dict of number and fingerprint of the images.

    Returns:
        Dict that is also in `result.json`.
    """
    knn, progress = find(watchers, ours.OnlineKNN), find(watchers, ours.Progress)
    probe = find(watchers, ours.OnlineProbe)
    export.export_backbone(
        model,
        folder.saved_model,
        decision["image_size"],
        overwrite=True,
        **ranged(decision["value_range"]),
    )
    result = {
        **before,
        "knn_after": knn.evaluate()[0] if knn else None,
        "knn_images": knn.num_test if knn else None,
        **({"probe_after": probe.evaluate(), "probe_images": probe.num_test} if probe else {}),
        **find(watchers, ours.Measures).evaluate(),
        "collapse": find(watchers, ours.CollapseAlarm).found,
        "saved_model": str(folder.saved_model.resolve()),
        "image_size": decision["image_size"],
        "channels": decision["channels"],
        "epochs": folder.finished_epochs,
        "images_per_second": progress.images_per_second or logged_rate(folder),
        "memory": memory_used(),
        "provenance": provenance(decision, facts),
    }
    result = {name: finite(value) for name, value in result.items()}
    write_json(folder.result, result)
    print(*summary(result, folder), sep="\n", flush=True)
    page.write_at_end(folder, model, source)
    return result


def memory_used():
    """Dict of the host and of every GPU to the most bytes that this process had there."""
    used = {}
    if resource is not None:
        unit = 1 if sys.platform == "darwin" else 1024
        used["host"] = unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for device in tf.config.list_logical_devices("GPU"):
        name = device.name.removeprefix("/device:")
        used[name] = tf.config.experimental.get_memory_info(name)["peak"]
    return used


def logged_rate(folder):
    """Images per second as the log's last epoch has them, where nothing was left to train."""
    rows = rows_before(folder.log, math.inf)
    cell = rows[-1].get("images_per_second") if rows else None
    return float(cell) if cell else None


def ranged(value_range):
    """Arguments of an export that takes images of more than 8 bits, if the run had any."""
    return {"value_range": tuple(value_range)} if any(value_range) else {}


def finite(value):
    """A measure that JSON can hold: NaN is None."""
    return None if isinstance(value, float) and not np.isfinite(value) else value


def provenance(decision, facts):
    """What a result depends on: versions, command, machine, settings, images.

    Returns:
        Dict of strings, lists and dicts.
    """
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return {
        "versions": {
            "keras_adasim": __version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "command": shlex.join(sys.argv),
        "host": socket.gethostname(),
        "devices": [device_name(device) for device in devices],
        "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "images": facts["images"],
        "data_fingerprint": facts["fingerprint"],
        "settings": decision.to_remember(),
    }


def device_name(device):
    """A device by what it is."""
    if device.device_type == "CPU":
        return f"{device.name} {platform.machine()}"
    details = tf.config.list_physical_devices(device.device_type)
    names = [tf.config.experimental.get_device_details(each).get("device_name") for each in details]
    return f"{device.name} {', '.join(sorted({name for name in names if name}))}"


def summary(result, folder):
    """Lines for people."""
    lines = []
    before, after = result["knn_before"], result["knn_after"]
    if after is not None:
        error = (after * (1 - after) / result["knn_images"]) ** 0.5
        lines.append(
            f"k-NN top-1    raw pixels {result['knn_raw_pixels']:.3f}   untrained {before:.3f}   "
            f"trained {after:.3f}   (standard error {error:.3f})"
        )
    if result.get("probe_after") is not None:
        share, was = result["probe_after"], result.get("probe_before")
        error = (share * (1 - share) / result["probe_images"]) ** 0.5
        lines.append(
            f"linear probe  {'' if was is None else f'untrained {was:.3f}   '}"
            f"trained {share:.3f}   (standard error {error:.3f})"
        )
    if result.get("rank_me") is not None:
        old = result["before"].get("rank_me")
        was = "" if old is None else f"{old:.1f} untrained, "
        lines.append(
            f"features      rank {was}{result['rank_me']:.1f} trained; uniformity "
            f"{result['uniformity']:.2f}, alpha {number(result['alpha_req'])}"
        )
    if result.get("gate_open") is not None:
        lines.append(
            f"gate          open for {result['gate_open']:.1%} of the images; "
            f"{1 - result['partner_is_self']:.1%} are paired with another image"
        )
    for name, epoch in result["collapse"].items():
        lines.append(
            f"warning       {name} since epoch {epoch}: see the warning above, and log.csv"
        )
    if after is not None and after < before:
        lines += below_untrained(before, after)
    return [*lines, f"SavedModel    {result['saved_model']}", f"result        {folder.result}"]


def number(value):
    """A measure, or a dash where it isn't defined."""
    return "-" if value is None else f"{value:.2f}"


def below_untrained(before, after):
    """What to try where training made the features worse."""
    return [
        f"warning       the trained network's k-NN, {after:.3f}, is below the untrained one's, "
        f"{before:.3f}: nothing useful was learned yet.",
        "              Try more --epochs; --pairing=self, to see whether partners do harm; a lower "
        "--learning_rate;",
        "              or --backbone=hub:PRESET, which starts from public weights. log.csv tells "
        "when it turned.",
    ]
