"""The paper's claims, tested on a subset of CIFAR-10 with errors small enough to tell.

    nice -n 10 python -m benchmarks.evidence --data_dir=cifar10
    python -m benchmarks.evidence --report_only

Trains the cells of `benchmarks/claims/cells.py` one after the other, whole seeds first, each a run
of `keras_adasim.pretrain` in runs/evidence/ that is removed once its line is in
benchmarks/evidence.jsonl. A cell whose line is there isn't run again, and a broken one is
continued: after --cells, --hours, Ctrl-C, SIGTERM or a kill the same command goes on.
benchmarks/evidence.md and the plots beside it are made of the lines alone, after every cell.

Hardware: two cores of a CPU. Time: `--list` shows what is left; some 90 s a cell on cores that do
nothing else, an estimate: ten epochs took 98 s of processor time. --trials, before all, takes the
candidates of `benchmarks/claims/settings.py`, of which CHOSEN is the experiment's.
Expected: benchmarks/evidence.md has what came out.
"""

import os
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from absl import flags

from benchmarks.claims import page, results
from benchmarks.claims.cells import all_cells, digest
from benchmarks.claims.settings import (
    CANDIDATES,
    COMMAND,
    NUM_TEST,
    NUM_TRAIN,
    SETTINGS,
    TRIAL_CELLS,
    candidate,
)
from keras_adasim.commands.running import check_required, run
from keras_adasim.files import expand
from keras_adasim.validation import check_integer, check_number


def define(values):
    """The flags."""
    given = {"flag_values": values}
    flags.DEFINE_string("data_dir", None, "Folder with train/ and test/, by class.", **given)
    flags.DEFINE_string("runs_dir", "runs/evidence", "Where the running cell lies.", **given)
    text = "Lines of finished cells, in a .jsonl file; the page and plots go beside it."
    flags.DEFINE_string("output", "benchmarks/evidence.jsonl", text, **given)
    flags.DEFINE_integer("cells", 0, "Stop after so many cells; 0 for all.", **given)
    text = "Begin no cell after so many hours; 0 for any."
    flags.DEFINE_float("hours", 0.0, text, **given)
    flags.DEFINE_bool("report_only", False, "Make the page and plots, and train nothing.", **given)
    text = "Try the candidates for the settings, on `self` alone, with a seed of their own."
    flags.DEFINE_bool("trials", False, text, **given)
    flags.DEFINE_bool("list", False, "List the cells, and whether they are done.", **given)


def start(values):
    """Trains what is missing, and writes the page after every cell."""
    most = check_integer("cells", values.cells, minimum=0)
    hours = check_number("hours", values.hours, minimum=0)
    output = checked_output(values.output)
    missing = missing_cells(output)
    if values.list:
        print(*listed(missing), sep="\n")
        return
    if not values.report_only:
        check_required(values, ["data_dir"])
        todo = missing_trials(output) if values.trials else [(c, SETTINGS, {}) for c in missing]
        lines = page.trials_of(output) if values.trials else output
        train(todo[: most or None], hours, values, lines, output)
    print(f"written to {page.write(output, results.read(output), COMMAND)}")


def checked_output(path):
    """The file of the lines, whose page is another one.

    Raises:
        ValueError: If it isn't a .jsonl file.
    """
    output = expand(path, "output")
    if output.suffix != ".jsonl" or output.is_dir():
        raise ValueError(f"Expected `output` to be a .jsonl file. Received: output={path}")
    return output


def missing_cells(output):
    """The cells without a line, in their order.

    Raises:
        ValueError: If the lines are of other settings, with which they can't be compared.
    """
    lines = results.read(output)
    others = {line["settings"] for line in lines} - {digest(SETTINGS)}
    if others:
        raise ValueError(
            f"Expected lines made with these settings, {digest(SETTINGS)}, in `output`. Received: "
            f"output={output} with {', '.join(sorted(others))}. Name another file"
        )
    done = {line["cell"] for line in lines}
    return [cell for cell in all_cells() if cell not in done]


def missing_trials(output):
    """The trials without a line: tuples of cell, settings and what their lines have besides."""
    done = {
        (line["trial"], line["cell"], line["settings"])
        for line in results.read(page.trials_of(output))
    }
    trials = [(name, cell) for name in CANDIDATES for cell in TRIAL_CELLS]
    return [
        (cell, candidate(name), {"trial": name})
        for name, cell in trials
        if (name, cell, digest(candidate(name))) not in done
    ]


def listed(missing):
    """A line for each cell."""
    left = set(missing)
    cells = all_cells()
    for number, cell in enumerate(cells):
        yield f"{number + 1:3}  {'     ' if cell in left else 'done '} {cell.name}"
    yield f"{len(cells) - len(left)} of {len(cells)} cells are done"


def train(todo, hours, values, lines, output):
    """Runs cells one after the other, each to its line, and writes the page after each."""
    from benchmarks.claims import training

    end = time.monotonic() + 3600 * hours if hours else float("inf")
    images = training.Images(expand(values.data_dir, "data_dir"), NUM_TRAIN, NUM_TEST)
    runs = expand(values.runs_dir, "runs_dir")
    for line in results.read(output):  # Of a kill between a line and this.
        training.remove(runs / line["cell"].name)
    for number, (cell, settings, more) in enumerate(todo):
        if time.monotonic() >= end:
            break
        out = runs / "_".join([cell.name, *more.values()]).replace(" ", "_").replace(",", "")
        print(f"=== {out.name}, {number + 1} of {len(todo)}", flush=True)
        results.append(lines, more | training.run_cell(cell, images, out, settings))
        training.remove(out)
        page.write(output, results.read(output), COMMAND)


def main(argv=None):
    """Reads the flags and starts."""
    run("evidence.py", __doc__, define, start, argv)


if __name__ == "__main__":
    main()
