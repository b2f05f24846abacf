"""`keras-adasim launch`: several workers of one run on this machine, which it keeps going."""

import signal
import sys

from absl import flags

from keras_adasim.commands import pretrain_flags
from keras_adasim.commands.running import parse, run
from keras_adasim.commands.worker_processes import WorkerProcesses, died_of
from keras_adasim.pretraining.run_folder import RunFolder

DESCRIPTION = """
Starts as many workers of one run on this machine, each with its share of the GPUs:

    keras-adasim launch --workers=2 -- pretrain --data_dir=... --out=...

The first one prints. When one dies, all are started again and go on from the checkpoint, until
three have died in one epoch. Signals are passed on, and the exit status is the first worker's.
"""
DEATHS = 3  # In one epoch, after which there is no use in going on.
WRONG, LOST = 2, 3  # Statuses: a setting; another worker.


def main(argv=None, program=None):
    """Reads the flags and runs the workers; what follows `--` is the command of each.

    Args:
        argv: Arguments without the program's name.
        program: What the user typed.
    """
    own, command = split(argv)

    def start(values):
        words, folder = checked_command(command)
        workers = WorkerProcesses(values.workers, words, values.port)
        sys.exit(keep_going(workers, folder))

    run(program, DESCRIPTION, define, start, own, required=("workers",))


def define(values):
    """Defines the flags."""
    flags.DEFINE_integer("workers", None, "Number of workers.", lower_bound=1, flag_values=values)
    flags.DEFINE_integer(
        "port",
        None,
        "Port of the first worker, the others' follow; free ones by default.",
        lower_bound=1,
        upper_bound=65535,
        flag_values=values,
    )


def split(argv):
    """The arguments before `--`, and those after it."""
    place = argv.index("--") if "--" in argv else len(argv)
    return argv[:place], argv[place + 1 :]


def checked_command(words):
    """The words of a worker's `pretrain`, and its run's folder.

    Raises:
        ValueError: If it is another command.
        absl.flags.Error: If a flag is wrong.
    """
    if words[:1] != ["pretrain"]:
        raise ValueError(
            "Expected the command of the workers after `--`, which is `pretrain --data_dir=...`. "
            f"Received: {' '.join(words) or 'none'}"
        )
    values = flags.FlagValues()
    pretrain_flags.define(values, {})
    parse(values, "keras-adasim pretrain", words[1:])
    if values.strategy not in (None, "multiworker"):
        raise ValueError(
            "Expected `strategy`=multiworker, or none, as there are several workers. "
            f"Received: strategy={values.strategy}"
        )
    name = pretrain_flags.run_name(values) if values.tfds or values.data_dir else "pretrain"
    return [*words, "--strategy=multiworker"], pretrain_flags.folder_of(values, name)


def keep_going(workers, folder):
    """Runs the workers until they are done, told to stop, wrongly set, or dying again and again.

    Args:
        workers: `WorkerProcesses`.
        folder: Folder of their run, whose checkpoints tell the epoch.

    Returns:
        Exit status.
    """
    deaths, epoch = 0, None
    with workers.passing_signals():
        while True:
            statuses = workers.run()
            culprit = culprit_of(statuses)
            if statuses[0] == 0 or workers.stopped_by or culprit is None:
                return statuses[0]
            now = RunFolder(folder).finished_epochs
            deaths, epoch = (deaths + 1 if now == epoch else 1), now
            reason = f"worker {culprit} {fate(statuses[culprit])}"
            for line in workers.last_lines(culprit):
                say(f"worker {culprit}: {line}")
            if statuses[culprit] == WRONG:
                say(f"{reason}; not started again")
            elif deaths == DEATHS:
                say(f"{reason}, the last of {DEATHS} deaths in epoch {epoch + 1}: giving up")
            else:
                say(f"{reason}, in epoch {epoch + 1}; starting all {workers.count} again")
                continue
            return statuses[0] or 1


def culprit_of(statuses):
    """The worker that failed by itself; of those that only lost another, the one that is frozen."""
    for wanted in (
        lambda status: died_of(status) and status != LOST,
        lambda status: status is None,
        died_of,
    ):
        found = [index for index, status in enumerate(statuses) if wanted(status)]
        if found:
            return found[0]
    return None


def fate(status):
    """How a worker ended, in words."""
    if status is None:
        return "didn't answer, and was killed"
    if status > 128:
        return f"was killed by {signal.Signals(status - 128).name}"
    return f"ended with status {status}"


def say(line):
    """Prints beside what the workers print."""
    print(f"keras-adasim launch: {line}", file=sys.stderr, flush=True)
