"""Everything that a GPU must answer, in calls of under nine minutes; each call goes on.

    python -m benchmarks.on_gpu --data_dir=cifar10 --official=adasim --minutes=8
    python -m benchmarks.on_gpu --only=profile,topk --minutes=4
    python -m benchmarks.on_gpu --show

In this order: where the time of a training step goes, by kernel (`profile`); ours beside the
official code, lightly and timm (`peers`); memory by batch size (`memory`); what XLA's top k costs
by size of the bank and k (`topk`); two logical GPUs against one (`two`); cells of the grid
(`grid`), of 36 epochs of ViT-Ti/4 on CIFAR-10, with the images on the device
(`benchmarks/resident.py`).

Every item is a process of its own. Its answer is added to `--results` as a JSON line at once, and
it isn't asked again (with --again it is, if it failed). An item whose expected minutes don't fit
into what is left of the call isn't begun; one that outlives the call is ended, and has failed.
`--tiny` is a rehearsal on a CPU, in sizes that tell nothing but that it runs.
"""

import datetime
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from absl import flags

ROOT = pathlib.Path(__file__).resolve().parents[1]
QUESTIONS = ("profile", "peers", "memory", "topk", "two", "grid")
# Minutes that an item may take, guessed: none was measured on a GPU yet.
MINUTES = {"profile": 3, "peers": 7, "memory": 2.5, "topk": 1, "two": 6, "grid": 4}
STEP = {"precision": "mixed_bfloat16"}
VIT_S = {**STEP, "backbone": "vit_small", "image_size": 224, "patch_size": 16}
VIT_S |= {"out_dim": 65536, "bank": 1_281_167}
VIT_TI = {**STEP, "backbone": "vit_tiny", "image_size": 32, "patch_size": 4}
VIT_TI |= {"out_dim": 4096, "bank": 50_000}
TINY = {"backbone": "vit_mini", "image_size": 8, "patch_size": 4, "out_dim": 16, "bank": 64}
TINY |= {"batch_size": 4, "xla": False}
# Batch size and steps of each case: some ten seconds of a round were aimed at.
PEERS = {
    "vit_tiny": (512, 16),
    "vit_small": (128, 8),
    "resnet18_byol": (512, 16),
    "resnet18_simsiam": (512, 16),
}
# Objective and pairings of each cell, seeds last, so that all cells have one seed first.
CELLS = [
    ("dino", ("self", "nearest", "adasim", "oracle")),
    ("byol", ("self", "nearest", "adasim")),
    ("simclr", ("self", "nearest")),
]


def items(data_dir, official, epochs, seeds):
    """Every item in order: pairs of a question and its settings."""
    found = [
        ("profile", {**VIT_S, "batch_size": 128}),
        ("profile", {**VIT_TI, "batch_size": 512}),
    ]
    for case, (batch, steps) in PEERS.items():
        words = ["--precision=bfloat16", f"--batch_size={batch}", f"--steps={steps}"]
        words += [f"--official={official}"] if official else []
        found.append(("peers", {"case": case, "flags": words}))
    found += [("memory", {**VIT_S, "batch_size": size}) for size in (64, 128, 256, 512, 1024)]
    found += [("memory", {**VIT_TI, "batch_size": size}) for size in (256, 1024, 4096)]
    found += [("topk", {"rows": rows}) for rows in (50_000, 200_000, 1_281_167)]
    found += [("two", {**VIT_TI, "batch_size": 512}), ("two", {**VIT_S, "batch_size": 128})]
    for seed in range(seeds):
        for objective, pairings in CELLS:
            for pairing in pairings:
                cell = {"objective": objective, "pairing": pairing, "backbone": "vit_tiny"}
                cell |= {"data_dir": data_dir, "epochs": epochs, "seed": seed}
                found.append(("grid", cell))
    return found


def tiny_items(data_dir):
    """The rehearsal: an item a question."""
    cell = {"backbone": "vit_mini", "data_dir": data_dir, "epochs": 3, "window": 1, "limit": 24}
    cell |= {"objective": "dino", "pairing": "adasim", "batch_size": 12, "image_size": 8}
    cell |= {"out_dim": 16, "hidden_dim": 8, "topk": 4, "knn_k": 3}
    words = ["--tiny", "--rounds=1", "--contestants=ours", "--threads=1"]
    return [
        ("profile", {**TINY, "steps": 2}),
        ("peers", {"case": "vit_tiny", "flags": words}),
        ("memory", {**TINY, "steps": 1}),
        ("topk", {"rows": 300, "dim": 8, "batch": 4, "ks": [1, 3], "repeats": 2}),
        ("two", {**TINY, "rounds": 1}),
        ("grid", cell),
    ]


def key_of(question, settings):
    """What an item is known by, wherever its images lie."""
    place = {"data_dir", "official"}
    kept = {name: value for name, value in settings.items() if name not in place}
    if "flags" in kept:
        kept["flags"] = [word for word in kept["flags"] if not word.startswith("--official=")]
    return json.dumps([question, kept], sort_keys=True)


def read(results):
    """Dict of each item's key to its last row; a line that was cut off is passed over."""
    rows = {}
    for line in results.read_text().splitlines() if results.exists() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        rows[row["key"]] = row
    return rows


def add(results, row):
    """Adds a row, on a line of its own even if the last one was cut off."""
    results.parent.mkdir(parents=True, exist_ok=True)
    whole = not results.exists() or results.read_bytes().endswith(b"\n")
    with results.open("a") as file:
        file.write(("" if whole else "\n") + json.dumps(row) + "\n")
        file.flush()
        os.fsync(file.fileno())


def answer(question, settings, seconds):
    """Asks in a process of its own, for so long; returns `answer` and `device`, or `failed`."""
    asked = json.dumps({"question": question, "settings": settings})
    with tempfile.TemporaryDirectory() as folder:
        told, log = pathlib.Path(folder) / "answer.json", pathlib.Path(folder) / "log"
        with log.open("w") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.gpu_answers", asked, str(told)],
                cwd=ROOT,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                status = process.wait(seconds)
            except subprocess.TimeoutExpired:
                return {"failed": f"not done after {seconds:.0f} s"}
            finally:
                # With all that it has started, also if this process is interrupted.
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        if status:
            last = log.read_text().strip().splitlines()[-1:]
            return {"failed": f"status {status}: {' '.join(last)[:400]}"}
        return json.loads(told.read_text())


def ask(asked, results, minutes, again):
    """Asks what isn't answered yet while there is time; returns how many items are left."""
    begin, left = time.monotonic(), 0
    rows = read(results)
    for question, settings in asked:
        key = key_of(question, settings)
        row = rows.get(key)
        if row is not None and not ("failed" in row and again):
            continue
        rest = 60 * minutes - (time.monotonic() - begin)
        if rest < 60 * min(MINUTES[question], minutes - 0.5):
            left += 1
            continue
        print(f"{question} {json.dumps(settings)} ...", flush=True)
        start = time.monotonic()
        row = {"question": question, "settings": settings, "key": key}
        row |= answer(question, settings, rest)
        row |= {"seconds": time.monotonic() - start, "date": str(datetime.date.today())}
        add(results, row)
        print(f"  {shown(row)}", flush=True)
    return left


def shown(row):
    """A row in a line, a profile in several."""
    if "failed" in row:
        return f"failed: {row['failed']}"
    found = row["answer"]
    head = f"{row['seconds']:.0f} s on {row.get('device') or found.get('machine')}: "
    if row["question"] == "profile":
        lines = [f"{1e3 * found['seconds_per_step']:.1f} ms a step, {found['of']} busy for "]
        lines[0] = head + lines[0] + f"{found['busy_share']:.0%} of it"
        for kernel in found["kernels"][:15]:
            share, each = f"{kernel['share']:.1%}", f"{kernel['ms_per_step']:.3f} ms"
            lines.append(f"{share:>8} {each:>12} {kernel['calls_per_step']:>6.0f} x  ")
            lines[-1] += kernel["name"][:90]
        return "\n  ".join(lines)
    if question_has_rates(row):
        medians = {
            name: {kind: round(sorted(s)[len(s) // 2], 3) for kind, s in each["seconds"].items()}
            for name, each in found["found"].items()
        }
        return head + f"seconds of a round {json.dumps(medians)}, left out {found['left_out']}"
    return head + json.dumps(found)


def question_has_rates(row):
    """Whether a row is one of `peers`."""
    return row["question"] == "peers"


def define(values):
    """Defines the flags."""
    options = {"flag_values": values}
    flags.DEFINE_list("only", list(QUESTIONS), f"Some of {', '.join(QUESTIONS)}.", **options)
    flags.DEFINE_float("minutes", 8, "What a call may take.", lower_bound=1, **options)
    flags.DEFINE_string("results", "benchmarks/on_gpu.jsonl", "JSON lines.", **options)
    flags.DEFINE_string("data_dir", None, "CIFAR-10, for `grid`.", **options)
    flags.DEFINE_string("official", "", "Clone of github.com/tileb1/AdaSim, `peers`.", **options)
    flags.DEFINE_integer("epochs", 36, "Of a cell of the grid.", lower_bound=1, **options)
    flags.DEFINE_integer("seeds", 3, "Of each cell of the grid.", lower_bound=1, **options)
    flags.DEFINE_bool("again", False, "Whether what failed is asked again.", **options)
    flags.DEFINE_bool("tiny", False, "Rehearse on a CPU.", **options)
    flags.DEFINE_bool("show", False, "Print what is answered, and ask nothing.", **options)


def main(argv):
    """Asks, or shows what was answered; returns the exit status: 75 if there is more to ask."""
    values = flags.FlagValues()
    define(values)
    try:
        values(argv)
        if not 1 <= values.minutes < float("inf"):  # NaN passes absl's bounds.
            raise ValueError(
                f"Expected `--minutes` of at least 1. Received: --minutes={values.minutes}"
            )
        unknown = sorted(set(values.only) - set(QUESTIONS))
        if unknown or not values.only:
            raise ValueError(
                f"Expected `--only` out of {', '.join(QUESTIONS)}. Received: {values['only'].value}"
            )
        if "grid" in values.only and not values.show and not values.data_dir:
            raise ValueError(
                "Expected `--data_dir`, CIFAR-10 as folders train/ and test/, for `grid`; or "
                "leave `grid` out of `--only`. Received: none"
            )
    except (flags.Error, ValueError) as error:
        print(f"on_gpu.py: {error}", file=sys.stderr)
        return 2
    results = pathlib.Path(values.results)
    if values.show:
        for row in read(results).values():
            print(f"{row['question']} {json.dumps(row['settings'])}\n  {shown(row)}")
        return 0
    data_dir = values.data_dir and str(pathlib.Path(values.data_dir).resolve())
    official = values.official and str(pathlib.Path(values.official).resolve())
    asked = items(data_dir, official, values.epochs, values.seeds)
    if values.tiny:
        asked = tiny_items(data_dir)
    asked = [item for item in asked if item[0] in values.only]
    left = ask(asked, results, values.minutes, values.again)
    print(f"{left} items are left; the same command goes on" if left else "all is answered")
    return 75 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
