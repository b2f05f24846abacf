"""Whether a run has learned, whether it collapsed, what its gate did, and what to try next."""

import math

import numpy as np

from keras_adasim.reporting.charts import percent, shown
from keras_adasim.reporting.markup import Markup, tag
from keras_adasim.reporting.run import standard_error

GOOD, BAD, PLAIN, TODO = "good", "bad", "plain", "todo"
# A difference that chance alone would hardly give, in standard errors.
SURE = 2.0
# Partners below which their purity says nothing.
FEW = 20
MEND = (
    "a lower --learning_rate, a longer --warmup_epochs or a larger --batch_size. "
    "--pairing=self shows whether partners do harm; --on_collapse=stop ends such runs."
)


def verdict(run):
    """The verdict on a run: list of (kind, headline, sentence), the most important first."""
    if not run.log:
        text = f"No epoch of {run.epochs} is finished, so there is nothing to judge."
        return [(PLAIN, "Not begun.", text)]
    return [*_standing(run), *learned(run), *collapsed(run), *gate(run), *_next(run)]


def section(run):
    """The verdict as HTML."""
    items = [
        tag("li", tag("b", head), f" {text}", class_=kind) for kind, head, text in verdict(run)
    ]
    return tag("section", tag("ul", items), _tiles(run), class_="verdict", id="verdict")


def _standing(run):
    if run.is_finished:
        return []
    end = "there is no result of them" if run.finished_epochs >= run.epochs else ""
    end = end or "all below is as it stands now"
    text = f"{run.finished_epochs} of {run.epochs} epochs are done; {end}."
    return [(PLAIN, "Not finished.", text)]


def learned(run):
    """Whether the features are better than those of the untrained network, and how we know."""
    return _by_labels(run) if run.knn else _without_labels(run)


def _by_labels(run):
    knn, count = run.knn, run.knn_images
    many = f"{count} images" if count else "the images"
    parts = [f"{_with_error(share, count)} with {_owner(name)}" for name, share in knn.items()]
    text = f"k-NN finds the class of {many} for {', '.join(parts)}. "
    kind, head, judged = _compared(knn["trained"], knn["untrained"], count)
    head = head if run.is_finished else head.replace("learned", "learned so far")
    found = [(kind, head, text + judged)]
    raw = knn.get("raw pixels")
    if raw is not None and kind == GOOD and _errors_apart(knn["trained"], raw, count) < SURE:
        beyond = "Raw pixels do as well or better: nothing beyond them was learned yet."
        found.append((BAD, "Not better than raw pixels.", beyond))
    return found


def _compared(after, before, count):
    errors = _errors_apart(after, before, count)
    points = f"{100 * abs(after - before):.1f} points"
    much = f"{points}, {errors:+.1f} standard errors of the difference" if count else points
    if errors >= SURE:
        return GOOD, "It has learned.", f"Training has gained {much}."
    if errors <= -SURE:
        return BAD, "It has not learned: worse than untrained.", f"Training has lost {much}."
    return BAD, "It can't be told from untrained.", f"The difference is {much}; that may be chance."


def _errors_apart(after, before, count):
    """Difference in standard errors; of unknown numbers of images whatever differs is sure."""
    difference = after - before
    if not count:
        return math.copysign(math.inf, difference) if difference else 0.0
    error = math.hypot(standard_error(after, count), standard_error(before, count))
    return difference / max(error, 1 / count)


def _without_labels(run):
    before, after = run.before("rank_me"), run.now("rank_me")
    start = "There are no labels, so what the features are worth for a task is not known. "
    if before is None or after is None:
        return [(PLAIN, "Whether it has learned can't be told.", start)]
    text = f"{start}Their rank went from {shown(before)} untrained to {shown(after)}: "
    if after >= 1.1 * before:
        return [(GOOD, "It has probably learned.", text + "they use more dimensions than before.")]
    if after <= 0.5 * before:
        lost = "they use far fewer dimensions than before, which is rarely good."
        return [(BAD, "It has probably not learned.", text + lost)]
    same = (
        "about as many dimensions as before, which tells neither. Label some images, and run knn."
    )
    return [(PLAIN, "Whether it has learned can't be told.", text + same)]


def collapsed(run):
    """Whether images still differ for the network."""
    sure = (run.result or {}).get("collapse") if run.is_finished else None
    if sure:
        names = ", ".join(f"{name} since epoch {epoch}" for name, epoch in sure.items())
        return [(BAD, "It has collapsed.", f"{names[:1].upper()}{names[1:]}.")]
    signs = run.log[-1].get("collapse_signs")
    if signs:
        text = f"{signs:.0f} in the last epoch; three in a row make it sure."
        return [(BAD, "There are signs of a collapse.", text)]
    measured = [
        f"{words} {shown(run.now(name))}"
        for name, words in (("feature_std", "the features' deviation"), ("rank_me", "their rank"))
        if run.now(name) is not None
    ]
    known = f"{' and '.join(measured)} show none" if measured else "nothing in the log shows one"
    return [(GOOD, "No collapse:", f"{known}.")]


def gate(run):
    """What the gate did, or why there is none."""
    pairing = run.settings.get("pairing")
    if pairing != "adasim":
        meaning = {
            "self": "every image is paired with itself",
            "nearest": "every image is paired with its nearest neighbor",
            "oracle": "every image is paired with one of its label",
        }.get(pairing, "the pairing is your own")
        return [(PLAIN, "There is no gate:", f"{meaning}.")]
    window, opened = run.settings.get("window", 0), run.now("gate_open") or 0.0
    if run.finished_epochs < window or run.epochs <= window:
        never = ", and stays so" if run.epochs <= window else ""
        text = (
            f"it needs {window} epochs of records and has {run.finished_epochs}. "
            "Until then this is plain self-distillation."
        )
        return [(BAD if never else PLAIN, f"The gate is closed{never}:", text)]
    if not opened:
        text = "no image is its own strongest neighbor, so all are paired with themselves."
        return [(BAD, "The gate is closed for every image:", text)]
    other = 1 - (run.now("partner_is_self") or 0.0)
    text = f"for {percent(opened)} of the images; {percent(other)} are paired with another one."
    return [(GOOD, "The gate has opened", text + _purity(run))]


def _purity(run):
    if run.purity is None:
        return ""
    shares, paired = run.purity.overall(), int(run.purity.bootstrapped.sum())
    if paired < FEW:
        return f" Those are {paired}, too few to say whether they are of its class."
    return (
        f" {percent(*shares['partner'])} of those are of its class, beside "
        f"{percent(*shares['neighbor'])} of the nearest neighbors and "
        f"{percent(shares['chance'][0])} by chance."
    )


def _next(run):
    return [(TODO, "Next:", text) for text in next_steps(run)]


def next_steps(run):
    """What to try, the most promising first; at most three."""
    steps, knn, count = [], run.knn, run.knn_images
    if not run.is_finished:
        return _next_of_unfinished(run)
    bad = any(kind == BAD for kind, _, _ in collapsed(run))
    if bad:
        steps.append(MEND)
    others = [share for name, share in knn.items() if name != "trained"]
    if knn and not bad and _errors_apart(knn["trained"], max(others), count) < SURE:
        steps.append(
            "more --epochs; a lower --learning_rate; --pairing=self, to see whether partners do "
            "harm; or --backbone=hub:PRESET, which starts from public weights."
        )
    best = _best_epoch(run)
    if best is not None:
        steps.append(
            f"fewer --epochs, or a look at the curves: k-NN was best in epoch {best}, and has "
            "fallen by more than chance since. That checkpoint is kept."
        )
    elif knn and not steps and _still_rises(run):
        steps.append("more --epochs: k-NN was still rising, and the same command goes on.")
    if run.settings.get("pairing") == "adasim":
        window = run.settings.get("window", 0)
        if run.epochs <= window:
            steps.append(f"more --epochs than {window}, or a smaller --window.")
        elif not run.now("gate_open"):
            steps.append("more --epochs, or a smaller --window, so that gates have time to open.")
    if not steps and not knn:
        steps.append("images in one folder per class, a few are enough, and `keras-adasim knn`.")
    return steps[:3] or [
        "use it: saved_model/ has the features, and `keras-adasim --help` tells how."
    ]


def _next_of_unfinished(run):
    if any(kind == BAD for kind, _, _ in collapsed(run)):
        return [f"think of stopping: {MEND}"]
    if run.settings.get("pairing") == "adasim" and run.epochs <= run.settings.get("window", 0):
        return ["a smaller --window, in a new run, or more --epochs in this one."]
    return ["wait, and call `keras-adasim report` again."]


def _best_epoch(run):
    """The epoch (from 1) whose k-NN the last one fell below for sure, or None."""
    accuracy, count = run.column("knn_top1"), run.knn_images
    known = np.flatnonzero(np.isfinite(accuracy))
    if len(known) < 2 or not count:
        return None
    best, last = known[np.argmax(accuracy[known])], known[-1]
    far = _errors_apart(accuracy[best], accuracy[last], count) > SURE
    return int(run.log[best]["epoch"]) + 1 if far else None


def _still_rises(run):
    """Whether the last quarter of the epochs gained more than a tenth of what all have."""
    accuracy = run.column("knn_top1")
    accuracy = accuracy[np.isfinite(accuracy)]
    if len(accuracy) < 8:
        return False
    gained = accuracy[-1] - run.knn["untrained"]
    return gained > 0 and accuracy[-1] - accuracy[-1 - len(accuracy) // 4] > 0.1 * gained


def _owner(name):
    return {"trained": "the trained network", "untrained": "the untrained one"}.get(name, name)


def _with_error(share, count):
    return percent(share, standard_error(share, count))


def _plus_minus(error):
    return "" if math.isnan(error) else f", ± {100 * error:.1f}"


def _tiles(run):
    knn, count = run.knn, run.knn_images
    errors = {name: standard_error(share, count) for name, share in knn.items()}
    tiles = [
        (f"k-NN, {name}{_plus_minus(errors[name])}", percent(share)) for name, share in knn.items()
    ]
    tiles += [
        ("rank of the features", run.now("rank_me") and shown(run.now("rank_me"))),
        ("gate open", None if run.now("gate_open") is None else percent(run.now("gate_open"))),
        ("epochs", f"{run.finished_epochs} of {run.epochs}"),
        ("images", f"{run.images:,}" if run.images else None),
    ]
    found = [
        tag("div", tag("b", value), tag("span", name), class_="tile")
        for name, value in tiles
        if value
    ]
    return tag("div", found, class_="tiles") if found else Markup("")
