"""Ours, the official AdaSim modules, lightly and timm side by side: images per second and memory.

    pip install '.[peers]' && git clone https://github.com/tileb1/AdaSim adasim
    python -m benchmarks.peers --official=adasim --table=benchmarks/peers.md
    python -m benchmarks.peers --cases=vit_small --precision=bfloat16 --batch_size=256 --steps=32

Every contestant does the same work in a process of its own, on the device there is, with as many
threads, while the others wait: *step* is a training step on views that are on the device already
(both networks, loss, gradients, clipping, optimizer, teacher's momentum, the bank's look-up and
write); *input* is JPEG files to normalized views on the device; *whole* is both, an epoch. Rounds
take turns, the first of each is left out (it compiles), and figures are medians; a ratio is the
median of those of each round, so that a busy spell slows both sides. Images are counted once,
whatever the number of views.

A contestant that isn't installed is named and left out. `--tiny` shows that all of it runs.
"""

import dataclasses
import datetime
import importlib.util
import itertools
import json
import os
import pathlib
import platform
import statistics
import sys
import tempfile

from absl import flags

from benchmarks.contestants.pipe import CONTESTANTS, Contestant, ContestantError
from benchmarks.contestants.work import CASES, KINDS, TINY, make_files

HEADS = {"step": "training step", "input": "input pipeline", "whole": "end to end"}


def define(values):
    """Defines the flags."""
    cases, names = list(CASES), list(CONTESTANTS)
    options = {"flag_values": values}
    flags.DEFINE_list("cases", cases, f"Some of {', '.join(cases)}.", **options)
    flags.DEFINE_list("contestants", names, f"Some of {', '.join(names)}.", **options)
    flags.DEFINE_string("official", "", "Folder of a clone of github.com/tileb1/AdaSim.", **options)
    for name, text in (
        ("batch_size", "Images of a step, in place of a case's own."),
        ("out_dim", "DINO's prototypes K, in place of a case's own."),
        ("bank", "Rows of the bank, in place of 50,000; 0 for no bank."),
        ("num_local", "Local crops beside the two global ones, in place of none; DINO alone."),
    ):
        least = 0 if name in ("bank", "num_local") else 1
        flags.DEFINE_integer(name, None, text, lower_bound=least, **options)
    flags.DEFINE_enum("precision", "float32", ["float32", "bfloat16"], "Of all.", **options)
    text = "Of the crops; the official code's is bicubic."
    flags.DEFINE_enum("interpolation", "bicubic", ["bicubic", "bilinear"], text, **options)
    flags.DEFINE_integer("steps", 8, "Steps of a round.", lower_bound=1, **options)
    flags.DEFINE_integer("rounds", 5, "Rounds that count.", lower_bound=1, **options)
    flags.DEFINE_integer(
        "threads", os.cpu_count(), "Threads of whose turn it is.", lower_bound=1, **options
    )
    flags.DEFINE_bool("tiny", False, "Sizes that tell nothing but that it runs.", **options)
    flags.DEFINE_string("table", None, "Markdown file that tables are added to.", **options)
    flags.DEFINE_string("json", None, "File that a JSON line is added to for each case.", **options)
    flags.DEFINE_string("logs", None, "Folder for what the contestants print.", **options)


def missing(name, official):
    """Why a contestant can't take part, or None."""
    if name == "official" and not official:
        return "no --official=FOLDER was given"
    needed = CONTESTANTS[name][1]
    absent = [module for module in needed if importlib.util.find_spec(module) is None]
    return f"{', '.join(absent)} isn't installed" if absent else None


def work_of(case, values):
    """The case with what the flags change of it, but for its folder."""
    work = CASES[case]
    changes = {name: values[name].value for name in ("batch_size", "out_dim", "bank", "num_local")}
    changes = {name: value for name, value in changes.items() if value is not None}
    if work.objective != "dino":
        for name in ("out_dim", "num_local"):
            changes.pop(name, None)
    if changes.get("num_local"):
        changes["local_size"] = {224: 96}.get(work.image_size, work.image_size // 2)
    for name in ("precision", "interpolation", "steps", "threads"):
        changes[name] = values[name].value
    if values.official:
        changes["official"] = str(pathlib.Path(values.official).resolve())
    if values.tiny:
        changes |= TINY
        if work.backbone.startswith("vit"):
            changes |= {"backbone": "vit_mini"}
    return dataclasses.replace(work, **changes)


def measure(work, names, rounds, logs):
    """Lets the contestants take turns.

    Args:
        work: The `Work`.
        names: Names of contestants.
        rounds: How many rounds count.
        logs: Folder for what they print.

    Returns:
        Tuple of a dictionary of each contestant to what it said of itself and its measures, lists
        of `seconds` by kind and of `peak` bytes, and a dictionary of those that failed to why.
    """
    contestants, found, failed = {}, {}, {}
    try:
        for name in names:
            contestants[name] = Contestant(name, work.threads, pathlib.Path(logs) / f"{name}.log")
        ask(contestants, failed, found, lambda name, each: prepare(each, work))
        for number, kind in itertools.product(range(rounds + 1), KINDS):
            # Each goes first once, should the first of a round be at an advantage.
            order = [name for name in contestants if name in found]
            shift = number % max(1, len(order))
            order = {name: contestants[name] for name in order[shift:] + order[:shift]}

            def one_round(name, each, kind=kind, counts=number > 0):
                answer = each.ask("round", kind=kind)
                if counts:
                    found[name]["seconds"][kind].append(answer["seconds"])
                    found[name]["peak"] += [answer["peak"]] if "peak" in answer else []
                return found[name]

            ask(order, failed, found, one_round)
    finally:
        for each in contestants.values():
            each.stop()
    return found, failed


def prepare(contestant, work):
    """What a contestant says of itself, with room for its measures."""
    answer = contestant.ask("prepare", work=dataclasses.asdict(work))
    return {**answer, "seconds": {kind: [] for kind in KINDS}, "peak": []}


def ask(contestants, failed, found, question):
    """Asks one after the other; who fails is out, and said."""
    for name, each in list(contestants.items()):
        try:
            found[name] = question(name, each)
        except ContestantError as error:
            print(f"left out: {error}", file=sys.stderr, flush=True)
            failed[name] = str(error)
            found.pop(name, None)
            each.stop()


def rate(found, kind, images):
    """Images per second, the median."""
    return images / statistics.median(found["seconds"][kind])


def ratios(ours, other, kind):
    """How many times as fast ours is, round by round."""
    pairs = zip(ours["seconds"][kind], other["seconds"][kind], strict=True)
    return [others / own for own, others in pairs]


def table_of(found, images):
    """Lines of a Markdown table: a contestant a row, ours first."""
    titles = ["", *(f"{HEADS[kind]}, images/s (ours is so many times as fast)" for kind in KINDS)]
    titles += ["peak GB", "trained parameters"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    ours = found.get("ours")
    for name, each in found.items():
        cells = [name]
        for kind in KINDS:
            cell = f"{rate(each, kind, images):,.1f}"
            if ours and name != "ours":
                by_round = ratios(ours, each, kind)
                cell += f" ({statistics.median(by_round):.2f}, "
                cell += f"{min(by_round):.2f} to {max(by_round):.2f})"
            cells.append(cell)
        cells += [f"{max(each['peak']) / 1e9:.2f}", f"{each['parameters']:,}"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def machine(found):
    """The processor, its cores, and the accelerator."""
    devices = {each["device"] for each in found.values()} - {"CPU"}
    text = pathlib.Path("/proc/cpuinfo").read_text() if os.path.exists("/proc/cpuinfo") else ""
    models = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    processor = models[0] if models else platform.processor() or platform.machine()
    return ", ".join([*sorted(devices), f"{processor}, {os.cpu_count()} cores"])


def section(case, work, found, failed, load, command):
    """Lines of a case in Markdown: settings, table, who was left out, machine, command."""
    settings = dataclasses.asdict(work)
    for name in ("folder", "official"):
        del settings[name]
    versions = {}
    for each in found.values():
        versions |= each["versions"]
    lines = [f"## {case}", ""]
    lines += [", ".join(f"{name} {value}" for name, value in settings.items()) + ".", ""]
    lines += table_of(found, work.images)
    lines += ["", *(f"Left out: {name}: {why}.  " for name, why in failed.items())]
    lines += [
        f"{datetime.date.today()}, {machine(found)}. Others' load on it (processes that want a "
        f"core): {load[0]:.1f} before, {load[1]:.1f} while it ran.  ",
        ", ".join(f"{name} {version}" for name, version in sorted(versions.items())) + ".",
        "",
        f"    {command}",
        "",
    ]
    return lines


def run_case(case, work, names, absent, values, command):
    """Measures a case, prints it, and adds it to the files."""
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        make_files(folder, work.images, work.file_size)
        work = dataclasses.replace(work, folder=folder)
        logs = pathlib.Path(values.logs or folder)
        logs.mkdir(parents=True, exist_ok=True)
        found, failed = measure(work, names, values.rounds, logs)
    failed = {**absent, **failed}
    if not found:
        raise ContestantError(f"Expected a contestant that runs. Received: {failed}")
    load = before, os.getloadavg()[0]
    lines = section(case, work, found, failed, load, command)
    print("\n".join(lines), flush=True)
    if values.table:
        with open(values.table, "a") as file:
            file.write("\n".join(["", *lines]))
    if values.json:
        row = {"case": case, "work": dataclasses.asdict(work), "machine": machine(found)}
        row |= {"found": found, "left_out": failed, "load": load}
        with open(values.json, "a") as file:
            file.write(json.dumps(row) + "\n")


def check(values):
    """Raises ValueError if a flag names what there isn't."""
    for name, known in (("cases", CASES), ("contestants", CONTESTANTS)):
        given = values[name].value
        if not given or not set(given) <= set(known):
            raise ValueError(
                f"Expected `--{name}` out of {', '.join(known)}. Received: "
                f"--{name}={','.join(given)}"
            )
    official = values.official
    if official and not (pathlib.Path(official) / "main_adasim.py").is_file():
        raise ValueError(
            "Expected `--official` to be a clone of github.com/tileb1/AdaSim, with its "
            f"main_adasim.py. Received: --official={official}"
        )


def main(argv):
    """Runs the cases one after the other; returns the exit status."""
    values = flags.FlagValues()
    define(values)
    try:
        if values(argv)[1:]:
            raise ValueError(f"Expected flags alone. Received: {values(argv)[1:]}")
        check(values)
    except (flags.Error, ValueError) as error:
        print(f"peers.py: {error}", file=sys.stderr)
        return 2
    absent = {name: missing(name, values.official) for name in values.contestants}
    absent = {name: why for name, why in absent.items() if why}
    for name, why in absent.items():
        print(f"left out: {name}: {why}", file=sys.stderr)
    names = [name for name in values.contestants if name not in absent]
    command = " ".join(["python -m benchmarks.peers", *argv[1:]])
    try:
        for case in values.cases:
            run_case(case, work_of(case, values), names, absent, values, command)
    except ContestantError as error:
        print(f"peers.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
