"""What all commands share: flags, help, and errors of one line."""

import os
import re
import sys
import textwrap

from absl import flags

from keras_adasim.validation import reason
from keras_adasim.workers import WorkerLostError

MENDABLE = (ValueError, OSError, ImportError, flags.Error)
KINDS = {"int": "an integer", "float": "a number", "bool": "true or false"}
STATUSES = {
    0: "done",
    1: "failed while it ran; the message names the file with the traceback; `check`: a bad file",
    2: "a flag, setting, path or image is wrong; nothing was changed",
    3: "another worker was lost; all of them go on with the same command",
    75: "its --max_hours are over; `pretrain` goes on with the same command",
    129: "stopped by SIGHUP, as when a terminal closes; the same",
    130: "stopped by SIGINT, which is Ctrl-C; the same",
    143: "stopped by SIGTERM, as a cluster sends it; the same",
}


def run(program, description, define, main, argv=None, help_text=None, required=(), words=None):
    """Parses flags and runs a command.

    A wrong flag, path or setting is printed as one line on standard error, with status 2; whatever
    else goes wrong is one line too, with status 1. KERAS_ADASIM_TRACEBACK=1 shows where.

    Args:
        program: What the user typed, for messages.
        description: What the command does, for its help.
        define: Function that defines its flags in the `flags.FlagValues` it is given.
        main: Function of these parsed `flags.FlagValues`.
        argv: Arguments without the program's name; those of the process by default.
        help_text: Function from the parsed flags to a short help; by default `--help` lists all.
        required: Names of the flags that must be given.
        words: Name of the flag, of several strings, that arguments without a flag are for.
    """
    values = flags.FlagValues()
    define(values)
    flags.DEFINE_bool("help", False, "Show this help.", flag_values=values)
    flags.DEFINE_bool("helpfull", False, "Show all flags.", flag_values=values)
    try:
        parse(values, program, sys.argv[1:] if argv is None else argv, words)
        if values.helpfull or (values.help and help_text is None):
            print(full_help(program, description, values))
        elif values.help:
            print(help_text(values))
        else:
            check_required(values, required)
            main(values)
    except KeyboardInterrupt as stopped:
        sys.exit(getattr(stopped, "status", 130))
    except Exception as error:
        if os.environ.get("KERAS_ADASIM_TRACEBACK"):
            raise
        print(f"{program}: {one_line(error, values)}", file=sys.stderr)
        sys.exit(status(error))


def parse(values, program, argv, words=None):
    """Parses arguments, all of which must be flags, but for those that `words` takes."""
    values.set_gnu_getopt(words is not None)
    try:
        left = values([program, *("--help" if word == "-h" else word for word in argv)])
    except flags.IllegalFlagValueError as error:
        raise flags.Error(illegal(str(error), values)) from None
    if words is not None:
        values[words].value = [*(values[words].value or []), *left[1:]] or None
    elif len(left) > 1:
        raise flags.Error(f"Expected flags only. Received: {left[1]!r}. `--help` lists them.")


def illegal(message, values):
    """What a flag was expected to be, from what absl says of it."""
    match = re.match(r"flag --(\w+)=(.*?): ", message, re.DOTALL)
    if match is None:
        return message
    name, value = match.groups()
    kind = KINDS.get(values[name].flag_type().removeprefix("multi "))
    if kind is None:
        kind = f"one of {', '.join(values[name].parser.enum_values)}"
    return f"Expected --{name} to be {kind}. Received: --{name}={value}"


def check_required(values, names):
    """Raises an error that names the first flag that is missing."""
    for name in names:
        if values[name].value is None:
            raise flags.Error(
                f"Expected --{name}={name.upper()}: {values[name].help} `--help` lists all."
            )


def status(error):
    """2 for what a user can mend before anything ran, 3 for a lost worker, else 1."""
    if isinstance(error, WorkerLostError):
        return 3
    failed = any("traceback" in note.lower() for note in getattr(error, "__notes__", ()))
    return 2 if isinstance(error, MENDABLE) and not failed else 1


def one_line(error, values):
    """An error's message and notes in one line, arguments named as the flags that they are."""
    message = str(error) or "no message"
    if message.startswith("Exception encountered when calling"):
        message = reason(error)
    if not isinstance(error, MENDABLE):
        message = f"{type(error).__name__}: {telling(message)}"
    sentences = [message, *getattr(error, "__notes__", ())]
    text = ". ".join(part.rstrip(".") for part in sentences[:-1])
    text = " ".join(f"{text}. {sentences[-1]}".split() if text else sentences[-1].split())

    def as_flag(match):
        return f"--{match[1]}" if match[1] in values else match[0]

    return re.sub(r"`(\w+)`", as_flag, text)


def telling(message):
    """The line of a message that tells most; TensorFlow's begin with where, not what."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    nodes = [line.partition("[[{{")[0].strip() for line in lines if "[[{{" in line]
    return next(filter(None, nodes), lines[0] if lines else "no message")


def full_help(program, description, values):
    """The description and every flag with its default."""
    lines = [f"{program} --flag=value ...", "", textwrap.dedent(description).strip(), ""]
    for name in sorted(values):
        flag = values[name]
        default = "" if flag.default in (None, False, "", []) else f" (default {flag.default})"
        text = textwrap.fill(
            f"{flag.help}{default}", 88, initial_indent=" " * 6, subsequent_indent=" " * 6
        )
        lines += [f"  --{name}", text]
    return "\n".join(lines)
