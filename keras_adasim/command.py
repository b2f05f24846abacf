"""What all commands share: flags, and errors of one line where a user can mend them."""

import os
import pathlib
import sys

from absl import app, flags


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
