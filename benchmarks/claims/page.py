"""The page: tables, plots, and what the intervals allow to say. Made from the lines alone."""

import numpy as np

from benchmarks.claims import plots
from benchmarks.claims.cells import (
    CONTRASTIVE,
    DISTILLATION,
    EPOCHS,
    SEEDS,
    TEMPERATURE,
    TEMPERATURES,
    WINDOW,
    Cell,
    all_cells,
    gated,
)
from benchmarks.claims.intervals import mean_interval, verdict
from benchmarks.claims.results import Results, read, shown
from benchmarks.claims.settings import CHOSEN, COMMAND
from keras_adasim.files import write_file

NAMES = {"dino": "DINO", "byol": "BYOL", "simsiam": "SimSiam", "simclr": "SimCLR"}
NAMES |= {"moco_v3": "MoCo-v3"}
INTRODUCTION = """\
# The paper's claims, tested where we stand

`{command}`

Does the nearest neighbor, taken from the start, hurt self-distillation and not contrastive
learning? Does the gate mend it, and is a temperature above 0 best? What would an oracle give?

Each cell is a run of `keras_adasim.pretrain`: {train} images of CIFAR-10, drawn anew for each seed,
{epochs} epochs, window {window}, k-NN (k = 20) of the teacher's features on {test} test images,
also drawn by the seed. Cells of one seed have the same images, initial weights, order and crops,
and are compared in pairs. Temperatures (0, .001, .01, .1), window, seeds and the order of the cells
were fixed before the first of them ran; every cell that ran is here, whatever it shows.

**{done} of {all} cells are here**, of seeds {seeds}; {machine}; {first} to {last};
{seconds:.0f} s a cell at the median, of which other work on the machine may have had a share, and
{processor:.0f} s of its processors' time.
"""
READING = """\
± is half of a 95 % interval by Student's t over the seeds that an arm has; the difference is that
to `self` with the same seed and epochs. It covers images, weights and order; it knows nothing of
other networks, data sets or longer training. Of 20 such intervals one is expected to miss by
chance, and none is corrected for it. All figures are percent; gates and purities are those after
the last epoch. Behind the gate only partners that are other images count.
"""
TRIALS = """\
## Settings, and what was tried

`{command} --trials`

{images} images, {epochs} epochs, of `self` alone and with a seed that no cell has, before any other
arm was looked at: k-NN, from the untrained network's, in percent. The experiment has the settings
of *{chosen}*; `benchmarks/claims/settings.py` spells them out.
"""
ARMS = ("pairing", "seeds", "k-NN", "difference to self", "gate open", "partner is self")
ARMS += ("purity behind the gate", "nearest, gate open", "nearest, all")


def write(path, lines, command):
    """Writes the page beside the lines, and its plots.

    Args:
        path: The .jsonl file.
        lines: What `results.read` returned.
        command: What makes them.

    Returns:
        Path of the page.
    """
    results, page = Results(lines), path.with_suffix(".md")
    parts = [introduction(lines, command), trials(path)]
    if results.arms:
        parts += [levels(results), "## What it says\n", *sentences(results)]
        for kind, drawn in drawings(results).items():
            plot = path.with_name(f"{path.stem}_{kind}.svg")
            write_file(plot, drawn + "\n")
            parts.append(f"\n![{kind}]({plot.name})\n")
        parts += ["## Arm by arm\n", READING, *tables(results)]
    parts.append(failures(results))
    write_file(page, "\n".join(part for part in parts if part))
    return page


def introduction(lines, command):
    """What was done, and how much of it."""
    cells = all_cells()
    if not lines:
        return f"# The paper's claims, tested where we stand\n\n`{command}`: no cell is done yet.\n"
    written = sorted(line["written"][:10] for line in lines)
    return INTRODUCTION.format(
        command=command,
        epochs=EPOCHS,
        window=WINDOW,
        train=one_of(lines, "train_images"),
        test=one_of(lines, "knn_images"),
        done=len(lines),
        all=len(cells),
        seeds=", ".join(map(str, sorted({line["cell"].seed for line in lines}))),
        machine=one_of(lines, "machine"),
        first=written[0],
        last=written[-1],
        seconds=np.median([line["seconds"] for line in lines]),
        processor=np.median([line["processor_seconds"] for line in lines]),
    )


def trials_of(path):
    """The file of the trials beside that of the lines."""
    return path.with_name(f"{path.stem}_trials{path.suffix}")


def trials(path):
    """The settings that were tried."""
    lines = read(trials_of(path))
    if not lines:
        return ""
    rows = [
        [
            line["trial"],
            NAMES[line["cell"].objective],
            f"{100 * line['knn_raw_pixels']:.1f}",
            f"{100 * line['knn_before']:.1f}",
            f"{100 * line['knn_after']:.1f}",
            f"{line['seconds']:.0f}",
            f"{line['processor_seconds']:.0f}",
        ]
        for line in lines
        if "failed" not in line
    ]
    images, epochs = one_of(lines, "train_images"), {line["cell"].epochs for line in lines}
    text = TRIALS.format(
        command=COMMAND,
        images=images,
        epochs=" or ".join(map(str, sorted(epochs))),
        chosen=CHOSEN,
    )
    head = ("candidate", "objective", "raw pixels", "untrained", "trained", "s", "processor s")
    return text + "\n" + table(head, rows) + "\n"


def one_of(lines, name):
    """What lines have in common, or all that they have."""
    return ", ".join(sorted({str(line[name]) for line in lines if line.get(name) is not None}))


def levels(results):
    """Whether anything was learned."""
    rows = []
    for objective in NAMES:
        own = Cell(objective, "self", -1)
        if own in results.arms:
            names = ("knn_raw_pixels", "knn_before", "knn_after")
            rows.append([NAMES[objective], *(shown(results.values(own, each)) for each in names)])
    head = ("`self`", "raw pixels", "untrained", "trained")
    return "## Does it learn at all?\n\n" + table(head, rows) + "\n"


def tables(results):
    """A table for each objective, and one for each other number of epochs."""
    order = list(dict.fromkeys(cell.arm for cell in all_cells()))
    for objective, name in NAMES.items():
        arms = [arm for arm in order if arm.objective == objective and arm in results.arms]
        if arms:
            yield f"### {name}\n\n" + table(ARMS, [row(results, arm) for arm in arms]) + "\n"


def row(results, arm):
    """An arm's row."""
    gains = "-" if arm == arm.own else shown(results.gains(arm), sign=True)
    measures = [shown(results.values(arm, name)) for name in ("gate_open", "partner_is_self")]
    purity = [shown(results.last(arm, n)) for n in ("behind_gate", "nearest_open", "nearest")]
    knn = shown(results.values(arm, "knn_after"))
    return [f"`{arm.label}`", len(results.arms[arm]), knn, gains, *measures, *purity]


def table(head, rows):
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def sentences(results):
    """What intervals allow to say, claim by claim, as lines of a list."""
    yield "*Naive neighbors hurt self-distillation and not contrastive learning.*\n"
    for objective, name in NAMES.items():
        yield said(results, Cell(objective, "nearest", -1), f"{name}, nearest against self")
    yield interaction(results)
    yield "\n*The gate mends it; a temperature above 0 is best.*\n"
    for objective in ("dino", "byol", "simclr"):
        arm, naive = gated(objective, -1), Cell(objective, "nearest", -1)
        name = f"{NAMES[objective]}, `{arm.label}`"
        yield said(results, arm, f"{name} against self")
        yield said(results, arm, f"{name} against nearest", naive)
    for objective in ("dino", "byol"):
        for temperature in TEMPERATURES:
            if temperature != TEMPERATURE:
                arm = gated(objective, -1, temperature)
                yield said(results, arm, f"{NAMES[objective]}, `{arm.label}` against self")
    for objective in ("dino", "byol", "simclr"):
        yield purity(results, gated(objective, -1))
    yield "\n*What an oracle gives.*\n"
    for arm in sorted((a for a in results.arms if a.pairing == "oracle"), key=lambda a: a.epochs):
        yield said(results, arm, f"DINO, `{arm.label}` against self")
    yield "\n*The window.*\n"
    for arm in sorted((a for a in results.arms if a.window), key=lambda a: a.window):
        if arm.window != WINDOW:
            yield said(
                results,
                arm,
                f"DINO, `{arm.label}` against `{gated('dino', -1).label}`",
                gated("dino", -1),
            )
    yield ""


def said(results, arm, what, other=None):
    """One difference in words."""
    return in_words(results.gains(arm, other), what)


def in_words(gains, what, unit="points"):
    """A mean difference, its interval, and what it allows to say."""
    if not gains:
        return f"- {what}: not run yet."
    mean, half = mean_interval(list(gains.values()))
    seeds = f"{len(gains)} seed{'s' if len(gains) > 1 else ''}"
    if len(gains) < 2:
        return f"- {what}: {100 * mean:+.1f} {unit} with one seed, which says little."
    kind = verdict(list(gains.values()))
    if kind == "equal":
        return f"- {what}: equal, bit for bit, in {seeds}."
    ends = f"[{100 * (mean - half):+.1f}, {100 * (mean + half):+.1f}]"
    words = {"above": "higher", "below": "lower", "unclear": "the sign can't be told"}[kind]
    return f"- {what}: {100 * mean:+.1f} {unit}, 95 % interval {ends} of {seeds}: **{words}**."


def interaction(results):
    """Whether self-distillation loses more by naive neighbors than contrastive learning."""
    gains = {}
    for seed in SEEDS:
        of = {o: results.gains(Cell(o, "nearest", -1)).get(seed) for o in NAMES}
        if None not in of.values():
            both = [np.mean([of[o] for o in kind]) for kind in (DISTILLATION, CONTRASTIVE)]
            gains[seed] = both[0] - both[1]
    what = "mean difference of DINO, BYOL and SimSiam less that of SimCLR and MoCo-v3"
    return in_words(gains, what)


def purity(results, arm):
    """Whether partners behind the gate are purer than nearest neighbors."""
    behind, nearest = results.last(arm, "behind_gate"), results.last(arm, "nearest")
    gains = {seed: behind[seed] - nearest[seed] for seed in behind if seed in nearest}
    name = NAMES[arm.objective]
    return in_words(gains, f"{name}, purity of partners behind the gate less that of all nearest")


def drawings(results):
    """Dict of names to plots as SVG, of what is there."""
    drawn = {}
    rows = []
    for color, (objective, name) in enumerate(NAMES.items()):
        for arm in (Cell(objective, "nearest", -1), gated(objective, -1)):
            if gains := results.gains(arm):
                interval = [100 * each for each in mean_interval(list(gains.values()))]
                rows.append((f"{name} {arm.label}", *interval, color))
    if gains := results.gains(Cell("dino", "oracle", -1)):
        rows.append(("DINO oracle", *(100 * e for e in mean_interval(list(gains.values()))), 0))
    if rows:
        title = "k-NN less that of self, with 95 % intervals"
        drawn["differences"] = plots.dots(title, rows, "points of k-NN accuracy")
    if series := temperatures(results):
        places = {n: f"{t:g}" for n, t in enumerate(TEMPERATURES)}
        title = "k-NN over the temperature, less that of self"
        drawn["temperature"] = plots.curves(title, series, "points", "T", places)
    for objective in ("dino", "byol", "simclr"):
        series = {
            name: results.curve(gated(objective, -1), measure)
            for name, measure in (
                ("partners behind the gate", "behind_gate"),
                ("nearest, gate open", "nearest_open"),
                ("nearest, all images", "nearest"),
                ("share of open gates", "gate_open"),
            )
        }
        naive = results.curve(Cell(objective, "nearest", -1), "nearest")
        series["nearest, naive arm"] = naive
        series = {name: curve for name, curve in series.items() if curve[0]}
        if series:
            title = f"Purity over training, {NAMES[objective]}, T={TEMPERATURE:g}"
            drawn[f"purity_{objective}"] = plots.curves(title, series, "percent")
    return drawn


def temperatures(results):
    """Differences to self over T, for the objectives that have them."""
    series = {}
    for objective in ("dino", "byol"):
        found = []
        for place, temperature in enumerate(TEMPERATURES):
            if gains := results.gains(gated(objective, -1, temperature)):
                mean, half = mean_interval(list(gains.values()))
                found.append((place, 100 * mean, 100 * half))
        if found:
            series[NAMES[objective]] = list(zip(*found, strict=True))
    return series


def failures(results):
    """Cells that ended early, and collapses that the alarm told."""
    lines = [f"- {line['cell'].name}: ended, {line['failed']}" for line in results.failed] + [
        f"- {line['cell'].name}: {', '.join(line['collapse'])}"
        for line in results.lines
        if line.get("collapse")
    ]
    return "\n## Told by the alarm, or ended\n\n" + "\n".join(lines) + "\n" if lines else ""
