"""The flags of `keras-adasim pretrain`: where things are, and every setting."""

from absl import flags

from keras_adasim import data
from keras_adasim.files import expand
from keras_adasim.pretraining.choosing import RULES
from keras_adasim.pretraining.settings import SETTINGS

PLACES = {
    "data_dir": "Folder of images or tar archives, by class or flat, or with train/ and test/ (or "
    "val/). Give it several times to train on several folders.",
    "tfds": "Name of a TensorFlow Datasets data set instead of --data_dir, such as cifar10.",
    "tfds_dir": "Where TensorFlow Datasets has prepared it.",
    "out": "Folder of the run: result.json, log.csv, tensorboard/, checkpoints/, saved_model/.",
    "runs_dir": "Folder of all runs, runs by default; with --name instead of --out.",
    "name": "Name of the run: runs_dir/name.",
    "fresh": "Start anew; an earlier run is kept under another name.",
    "accept_changes": "Go on even if more than half of the images that the run was started with "
    "are gone; what is known of the others goes with them.",
    "dry_run": "Print the plan alone: images, steps, parameters, memory, and why.",
}


def define(values, defaults):
    """Defines all flags; none has a value until it is given."""
    define_one = {
        "data_dir": flags.DEFINE_multi_string,
        "fresh": flags.DEFINE_bool,
        "accept_changes": flags.DEFINE_bool,
        "dry_run": flags.DEFINE_bool,
    }
    for name, text in PLACES.items():
        default = False if define_one.get(name) is flags.DEFINE_bool else None
        define_one.get(name, flags.DEFINE_string)(name, default, text, flag_values=values)
    for name, setting in SETTINGS.items():
        text = describe(setting, defaults.get(name))
        if setting.choices:
            flags.DEFINE_enum(name, None, setting.choices, text, flag_values=values)
            continue
        kind = {
            bool: flags.DEFINE_bool,
            int: flags.DEFINE_integer,
            float: flags.DEFINE_float,
            tuple: flags.DEFINE_list,
        }.get(type(setting.default), flags.DEFINE_string)
        kind(name, None, text, flag_values=values)


def settings_of(values):
    """Dict of the settings on the command line."""
    return {n: typed(n, values[n].value) for n in SETTINGS if values[n].present}


def typed(name, value):
    """A list flag's entries as numbers, where its default has numbers."""
    default = SETTINGS[name].default
    if not isinstance(default, tuple):
        return value
    kind = type(default[0]) if default else str
    try:
        return tuple(kind(entry) for entry in value)
    except ValueError:
        raise ValueError(
            f"Expected `{name}` to be numbers, separated by commas. "
            f"Received: {name}={','.join(value)}"
        ) from None


def images_of(values, demo=None):
    """A name for the run, its images, and its test images if they are known.

    Raises:
        ValueError: If there is neither a folder nor a TFDS name, or both.
    """
    if bool(values.data_dir) == bool(values.tfds):
        if demo and not values.data_dir:
            name, source = demo()
            return name, source, None
        raise ValueError(
            "Expected either `data_dir`=FOLDER (several times for several) or `tfds`=NAME. "
            f"Received: data_dir={values.data_dir}, tfds={values.tfds}"
        )
    if values.tfds_dir and not values.tfds:
        raise ValueError(
            "Expected `tfds_dir` together with `tfds`, the data set's name. "
            f"Received: tfds_dir={values.tfds_dir}"
        )
    if values.tfds:
        return run_name(values), *data.tfds_splits(values.tfds, values.tfds_dir)
    return run_name(values), values.data_dir, None


def run_name(values):
    """A name for the run, by its images."""
    if values.tfds:
        return f"pretrain_{values.tfds.replace('/', '_')}"
    return f"pretrain_{expand(values.data_dir[0], 'data_dir').resolve().name}"


def folder_of(values, name):
    """The run's folder: `--out`, or `--runs_dir`/`--name`.

    Raises:
        ValueError: If both are given.
    """
    if values.out is not None and (values.name or values.runs_dir):
        raise ValueError(
            "Expected either `out`, or `runs_dir` and `name`. Received: "
            f"out={values.out}, runs_dir={values.runs_dir}, name={values.name}"
        )
    return (
        expand(values.out, "out")
        if values.out is not None
        else expand(values.runs_dir or "runs") / (values.name or name)
    )


def describe(setting, default=None):
    """A flag's meaning, whose it is, and its default."""
    text, owners = setting.help, ""
    if len(set(setting.texts.values())) > 1:
        text = by_owner(setting.texts)
    if setting.owners:
        owners = f" [{by_owner(setting.owners)}]"
    elif default is None and setting.default not in ("", ()):
        owners = f" [{shown(setting.default)}]"
    recipe = f" This recipe: {shown(default)}." if default is not None else ""
    chosen = f" Chosen without it: {RULES[setting.name]}." if setting.name in RULES else ""
    return f"{text}{owners}{recipe}{chosen}".replace("%", "%%")


def by_owner(values):
    """`dino, esvit: 3; byol: 2` for a dict of owners to values."""
    owners = {}
    for owner, value in values.items():
        owners.setdefault(str(value).rstrip("."), []).append(owner)
    return "; ".join(f"{', '.join(names)}: {value}" for value, names in owners.items())


def shown(value):
    """A value as it would be typed."""
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
