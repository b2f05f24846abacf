"""The help of `keras-adasim pretrain`: ten flags first, each with the rule of its choice."""

import textwrap

import tensorflow as tf

from keras_adasim.commands.pretrain_flags import PLACES, images_of, settings_of, shown
from keras_adasim.pretraining.choosing import RULES
from keras_adasim.pretraining.deciding import Decision
from keras_adasim.pretraining.images import open_sources
from keras_adasim.pretraining.settings import SETTINGS, objectives_by_name

FIRST = {
    "Images and place": ("data_dir", "out"),
    "What is trained, and how": ("backbone", "objective", "pairing"),
    "How long, and how large": ("epochs", "batch_size", "image_size", "window"),
    "Machine": ("devices",),
}
WIDTH = 92


def text(program, values, defaults, experiment):
    """The short help; with images, also the values that would be chosen for them."""
    chosen = would_be(values, defaults, experiment)
    lines = [f"{program} --data_dir=FOLDER --out=FOLDER [--flag=value ...]"]
    for group, names in FIRST.items():
        lines += ["", group]
        for name in names:
            value = f"  = {shown(chosen[name])}" if name in chosen else ""
            lines += [f"  --{name}{value}", *paragraph(meaning(name, defaults))]
    return "\n".join(
        [
            *lines,
            "",
            "Everything that is not given is chosen from the images and the machine, and the plan "
            "says why",
            "(--dry_run prints it alone). --fresh starts anew, --helpfull lists all flags.",
        ]
    )


def meaning(name, defaults):
    """What a flag means, and what follows if it isn't given."""
    if name in PLACES:
        return PLACES[name]
    setting = SETTINGS[name]
    words = [setting.help]
    if name == "objective":
        words.append(f"One of {', '.join(objectives_by_name())}.")
    if name in defaults:
        words.append(f"This recipe: {shown(defaults[name])}.")
    elif name in RULES:
        words.append(f"Chosen without it: {RULES[name]}.")
    else:
        words.append(f"Default: {shown(setting.default)}.")
    return " ".join(words)


def would_be(values, defaults, experiment):
    """Settings that a run with these flags would have, if there are images to look at."""
    if not values.data_dir and not values.tfds:
        return {}
    given = settings_of(values) if experiment else {**defaults, **settings_of(values)}
    decision = Decision(given, defaults=defaults if experiment else None)
    _, images, test_images = images_of(values)
    picked = decision.pick(open_sources)
    decision.choose(open_sources(images, test_images, **picked)[0])
    devices = len(tf.config.list_physical_devices("GPU")) or 1
    return {**decision.values, "devices": decision["devices"] or devices}


def paragraph(words):
    """Text for a terminal."""
    return textwrap.wrap(words, WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)
