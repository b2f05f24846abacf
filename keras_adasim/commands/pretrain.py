"""`keras-adasim pretrain`, and what a recipe calls: every setting is a flag."""

import pathlib
import sys

from keras_adasim.commands import pretrain_flags, pretrain_help
from keras_adasim.commands.running import run
from keras_adasim.pretraining.pretrain import pretrain
from keras_adasim.validation import renamed

DESCRIPTION = """
Pretrains a network on images without labels, and exports it as a SavedModel. The same command again
goes on after the last finished epoch.
"""


def main(argv=None, program=None, demo=None, backbone="auto", **experiment):
    """Reads the flags and pretrains; a recipe is one call of it.

    Args:
        argv: Arguments without the program's name; those of the process by default.
        program: What the user typed; the script by default.
        demo: Function without arguments that returns a name and a source, for a run without data.
        backbone: The backbone if no flag names another: "auto" is one that suits the machine.
        **experiment: An experiment's settings, which flags override. With any, nothing is chosen
            from the images.
    """
    script = pathlib.Path(sys.argv[0])
    program = program or script.name
    defaults = {**experiment, "backbone": backbone}

    def start(values):
        name, images, test_images = pretrain_flags.images_of(values, demo)
        settings = pretrain_flags.settings_of(values)
        if not experiment:
            settings = {"backbone": backbone, **settings}
        with renamed(data="data_dir"):
            pretrain(
                images,
                pretrain_flags.folder_of(values, script.stem if experiment else name),
                test_data=test_images,
                defaults=defaults if experiment else None,
                fresh=values.fresh,
                accept_changes=values.accept_changes,
                dry_run=values.dry_run,
                **settings,
            )

    run(
        program,
        DESCRIPTION,
        lambda values: pretrain_flags.define(values, defaults),
        start,
        argv,
        lambda values: pretrain_help.text(program, values, defaults, bool(experiment)),
    )
