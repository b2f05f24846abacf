"""What all commands share: flags, and errors of one line where a user can mend them."""

import importlib
import os
import pathlib
import sys

from absl import app, flags


def import_tensorflow_quietly():
    """Imports TensorFlow without its notes about the machine, which would bury a command's lines.

    Some of them heed no setting, so that standard error is closed meanwhile. They are let through
    if `TF_CPP_MIN_LOG_LEVEL` is 0, or if there is a GPU, as they tell why one isn't used.
    """
    level = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if level == "0" or pathlib.Path("/dev/nvidia0").exists() or "tensorflow" in sys.modules:
        return
    sys.stderr.flush()
    error = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        importlib.import_module("tensorflow").config.list_physical_devices()
    finally:
        os.dup2(error, 2)
        os.close(error)
        os.close(nothing)


def run(main):
    """Parses the flags of the process and runs a command.

    A wrong flag, path or setting (ValueError, OSError) is printed as one line on standard error,
    with exit status 2. Set KERAS_ADASIM_TRACEBACK=1 to see where it was raised.

    Args:
        main: function without arguments, which reads `absl.flags.FLAGS`.
    """
    try:
        _parse_flags(sys.argv)
        main()
    except (ValueError, OSError, flags.Error) as error:
        if os.environ.get("KERAS_ADASIM_TRACEBACK"):
            raise
        message = " ".join(str(error).split())
        print(f"{pathlib.Path(sys.argv[0]).name}: {message}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _parse_flags(argv):
    app.define_help_flags()
    arguments = flags.FLAGS(argv)
    if len(arguments) > 1:
        raise flags.Error(f"Expected flags only. Received: {arguments[1]!r}. `--help` lists them.")
