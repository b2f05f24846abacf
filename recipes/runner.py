"""What every recipe does: read flags, build, train, watch, save, export.

A recipe names a backbone, an objective and its own defaults, and calls `main`. Every default is a
flag; flags become keyword arguments here and go no further.
"""

import json
import pathlib
import sys

import building
import keras
import plan
import tensorflow as tf
from absl import flags
from settings import SETTINGS, pick

from keras_adasim import SelfDistillation, callbacks, command, export


def main(backbone, method, **defaults):
    """Runs a recipe with the flags of its command line.

    Args:
        backbone: function from settings to a backbone, such as `networks.vit_small`.
        method: a `Method`, such as `dino.METHOD`.
        **defaults: the recipe's own values of settings, by name.
    """
    define_flags(method.all_settings, **defaults)

    def run():
        settings, _ = read_flags(method.all_settings)
        settings["name"] = settings["name"] or pathlib.Path(sys.argv[0]).stem
        pretrain(backbone, method.objective, **settings)

    command.run(run)


def define_flags(table=SETTINGS, **defaults):
    """Makes every setting a flag."""
    unknown = sorted(set(defaults) - set(table))
    if unknown:
        raise ValueError(f"Expected the recipe to set one of its settings. Received: {unknown}")
    for name, setting in table.items():
        setting.define(name, defaults.get(name, setting.default))
    flags.DEFINE_bool("dry_run", False, "Print the plan: images, steps, parameters, memory.")
    for name in (*table, "dry_run"):  # `--help` lists what belongs to the script itself.
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flags.FLAGS[name])


def read_flags(table=SETTINGS):
    """Returns all settings by name, and the names of those given on the command line."""
    values = flags.FLAGS
    settings = {name: setting.parse(values[name].value) for name, setting in table.items()}
    given = {name for name in table if values[name].present}
    if settings["channels"] == 1 and not given & {"mean", "std"}:
        settings |= {"mean": (0.45,), "std": (0.22,)}  # About ImageNet's, in grey.
    return {**settings, "dry_run": values.dry_run}, given


def pretrain(backbone, objective, dry_run=False, sources=None, **settings):
    """Pretrains, or prints the plan of it.

    The same call again continues after the last finished epoch.

    Args:
        backbone: function from settings to a backbone.
        objective: function from settings to an objective.
        dry_run: only print the plan.
        sources: training and test source, instead of the settings about data.
        **settings: every setting of `settings.SETTINGS`.

    Returns:
        the result that is also in `result.json`, or `None` after a dry run.
    """
    prepare(**pick(prepare, settings))
    strategy = make_strategy(settings["devices"])
    directory = pathlib.Path(settings["runs_dir"]) / settings["name"]
    if sources is None:
        sources = building.load_sources(**pick(building.load_sources, settings))
    model, dataset, steps = build(backbone, objective, sources[0], strategy, **settings)
    checkpoints = directory / "checkpoints"
    print(*plan.describe(model, dataset, settings["epochs"], steps, checkpoints), sep="\n")
    if dry_run:
        return None
    remember(directory, {**settings, "images": len(sources[0])})
    watchers = watch(directory, sources, dataset, **pick(watch, settings))
    before = baselines(directory, model, watchers)
    model.fit(dataset, epochs=settings["epochs"], callbacks=watchers, verbose=0)
    return finish(directory, model, watchers, before, settings["image_size"])


def prepare(seed, precision):
    """Fixes the seed and the precision, and quiets TensorFlow."""
    tf.get_logger().setLevel("WARNING")  # Not a line for every exchange between devices.
    keras.utils.set_random_seed(seed)
    if precision == "auto":
        gpu = bool(tf.config.list_physical_devices("GPU"))
        precision = "mixed_bfloat16" if gpu else "float32"
    keras.mixed_precision.set_global_policy(precision)


def make_strategy(devices):
    """No strategy for one device, else `MirroredStrategy`."""
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    physical = tf.config.list_physical_devices(kind)
    if kind == "CPU" and devices > 1:
        # Before anything runs: TensorFlow fixes its devices then.
        parts = [tf.config.LogicalDeviceConfiguration()] * devices
        if tf.config.get_logical_device_configuration(physical[0]) != parts:
            tf.config.set_logical_device_configuration(physical[0], parts)
    elif devices > len(physical):
        raise ValueError(f"Expected --devices of at most {len(physical)}. Received: {devices}")
    wanted = devices or len(physical)
    if wanted == 1:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy([f"{kind}:{i}" for i in range(wanted)])


def build(backbone, objective, source, strategy, **settings):
    """A compiled model, its data set, and the number of steps of the run."""

    def call(function, **more):
        return function(**pick(function, {**settings, **more}))

    check_shares(settings["batch_size"], strategy.num_replicas_in_sync)
    source_pairing = call(building.make_pairing, source=source)
    crops = call(building.make_crops)
    dataset = call(building.make_dataset, source=source, pairs=source_pairing, crops=crops)
    counts = {
        "steps_per_epoch": len(dataset),
        "steps": len(dataset) * settings["epochs"],
    }
    with strategy.scope():
        student = call(backbone)
        model = SelfDistillation(
            student,
            call(objective, **counts),
            source_pairing,
            call(building.make_bank, source=source, backbone=student),
            neighbor_feature=settings["neighbor_feature"],
            augment=call(building.make_augment, crops=crops),
            momentum=call(building.make_momentum, **counts),
        )
        call(building.load_weights, model=model)
        jit_compile = {"auto": "auto", "yes": True, "no": False}[settings["xla"]]
        model.compile(
            call(building.make_optimizer, **counts),
            jit_compile=jit_compile,
            gradient_accumulation_steps=settings["gradient_accumulation_steps"],
        )
    return model, dataset, counts["steps"]


def check_shares(batch_size, devices):
    """Refuses batches that some devices would get more of than others."""
    if batch_size % devices:
        raise ValueError(
            f"Expected --batch_size that {devices} devices share evenly. "
            f"Received: --batch_size={batch_size}"
        )


def watch(
    directory,
    sources,
    dataset,
    image_size,
    knn_k,
    knn_temperature,
    knn_every,
    knn_images,
    seed,
):
    """All callbacks of a run, in the order in which they read each other's logs."""
    train, test = sources
    watchers = [callbacks.Measures(labels=train.labels)]
    if train.labels is not None:
        watchers.append(
            callbacks.OnlineKNN(
                train,
                test,
                k=min(knn_k, len(train) // 2),
                temperature=knn_temperature,
                every=knn_every,
                max_images=knn_images,
                image_size=image_size,
                seed=seed,
            )
        )
    return [
        *watchers,
        callbacks.EpochLog(directory / "log.csv"),
        keras.callbacks.TensorBoard(directory / "tensorboard", write_graph=False),
        callbacks.Backup(directory / "checkpoints"),
        callbacks.Progress(total_images=len(train), batch_size=dataset.batch_size),
    ]


def remember(directory, settings):
    """Writes the settings down, or checks that a run that goes on has the same ones."""
    path = directory / "settings.json"
    now = json.loads(json.dumps(settings))
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(now, indent=2))
        return
    before = json.loads(path.read_text())
    changed = sorted(name for name in now if before.get(name, now[name]) != now[name])
    if changed:
        was = ", ".join(f"--{name}={before[name]}" for name in changed)
        was = was.replace("--images=", "another number of images: ")
        raise ValueError(
            f"The run in {directory} was started with {was}. Pass the same to continue it, or "
            "another --name to start a new one."
        )


def find(watchers, kind):
    """The callback of a kind, or `None`."""
    return next((watcher for watcher in watchers if isinstance(watcher, kind)), None)


def baselines(directory, model, watchers):
    """k-NN of raw pixels and of the weights the run began with; measured once, then remembered."""
    knn = find(watchers, callbacks.OnlineKNN)
    path = directory / "baselines.json"
    if knn is None:
        return {"knn_raw_pixels": None, "knn_before": None}
    if not path.exists():
        knn.set_model(model)
        measured = {"knn_raw_pixels": knn.evaluate(pixels)[0], "knn_before": knn.evaluate()[0]}
        path.write_text(json.dumps(measured))
    return json.loads(path.read_text())


def pixels(images, largest=64):
    """Images as features: (B, H, W, C) to (B, D), no more than 64 x 64 pixels of each."""
    if max(images.shape[1:3]) > largest:
        images = tf.image.resize(images, (largest, largest), antialias=True)
    return tf.reshape(tf.cast(images, tf.float32), (images.shape[0], -1))


def finish(directory, model, watchers, before, image_size):
    """Exports the teacher, writes `result.json`, and says what was learned."""
    knn = find(watchers, callbacks.OnlineKNN)
    saved_model, path = directory / "saved_model", directory / "result.json"
    export.export_backbone(model, saved_model, image_size, overwrite=True)
    result = {
        **before,
        "knn_after": knn.evaluate()[0] if knn else None,
        **model.pairing.statistics(),
        "saved_model": str(saved_model.resolve()),
        "image_size": image_size,
        "channels": model.augment.channels,
        "images_per_second": find(watchers, callbacks.Progress).images_per_second,
    }
    if path.exists() and result["images_per_second"] is None:  # Nothing was left to train.
        result["images_per_second"] = json.loads(path.read_text())["images_per_second"]
    path.write_text(json.dumps(result, indent=2))
    print(*summary(result, path), sep="\n")
    return result


def summary(result, path):
    """Lines for people."""
    lines = []
    if result["knn_after"] is not None:
        lines += [
            f"k-NN top-1    raw pixels {result['knn_raw_pixels']:.3f}   "
            f"untrained {result['knn_before']:.3f}   trained {result['knn_after']:.3f}",
        ]
    if "gate_open" in result:
        lines.append(
            f"gate          open for {result['gate_open']:.1%} of the images; "
            f"{1 - result['partner_is_self']:.1%} are paired with another image"
        )
    return [*lines, f"SavedModel    {result['saved_model']}", f"result        {path}"]
