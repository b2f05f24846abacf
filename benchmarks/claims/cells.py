"""What is trained: every cell of the experiment, in the order in which they run."""

import dataclasses
import hashlib
import json

SEEDS = (0, 1, 2, 3, 4)
EPOCHS, WINDOW, TEMPERATURE = 30, 6, 0.01
TEMPERATURES = (0.0, 0.001, 0.01, 0.1)
LONGER = 3 * EPOCHS
DISTILLATION, CONTRASTIVE = ("dino", "byol", "simsiam"), ("simclr", "moco_v3")


@dataclasses.dataclass(frozen=True)
class Cell:
    """One run.

    Attributes:
        objective: Name of an objective.
        pairing: Name of a pairing.
        seed: Seed of the images drawn, weights, order, crops and partners.
        temperature: Sampling temperature behind the gate; None for pairings without.
        window: Epochs that vote; None for pairings without.
        epochs: Epochs to train.
    """

    objective: str
    pairing: str
    seed: int
    temperature: float | None = None
    window: int | None = None
    epochs: int = EPOCHS

    @property
    def arm(self):
        """The cell without its seed."""
        return dataclasses.replace(self, seed=-1)

    @property
    def own(self):
        """The arm that it is compared with: the images themselves."""
        return Cell(self.objective, "self", self.seed, epochs=self.epochs)

    @property
    def label(self):
        """The arm in words, without its objective."""
        words = [self.pairing]
        if self.pairing == "adasim":
            words.append(f"T={self.temperature:g}")
            if self.window != WINDOW:
                words.append(f"W={self.window}")
        if self.epochs != EPOCHS:
            words.append(f"{self.epochs} epochs")
        return " ".join(words)

    @property
    def name(self):
        """A name for a folder."""
        return "_".join([self.objective, *self.label.split(), str(self.seed)])

    def to_dict(self):
        """What a line of the results begins with."""
        return dataclasses.asdict(self)


def gated(objective, seed, temperature=TEMPERATURE, window=WINDOW):
    """A cell of AdaSim."""
    return Cell(objective, "adasim", seed, temperature, window)


def all_cells():
    """All cells: whole seeds first, in each what tells most, and side questions last.

    Returns:
        List of `Cell`.
    """
    cells = []
    for seed in SEEDS:
        for objective in ("dino", "byol", "simclr"):
            cells += [Cell(objective, "self", seed), Cell(objective, "nearest", seed)]
            cells.append(gated(objective, seed))
        for objective in ("simsiam", "moco_v3"):
            cells += [Cell(objective, "self", seed), Cell(objective, "nearest", seed)]
        for objective in ("dino", "byol"):
            cells += [gated(objective, seed, t) for t in TEMPERATURES if t != TEMPERATURE]
        cells.append(Cell("dino", "oracle", seed))
    for seed in SEEDS[:2]:
        cells += [Cell("dino", pairing, seed, epochs=LONGER) for pairing in ("self", "oracle")]
    for seed in SEEDS[:3]:
        cells += [gated("dino", seed, window=window) for window in (WINDOW // 2, 2 * WINDOW)]
    return cells


def digest(settings):
    """Eight letters that other settings don't have."""
    text = json.dumps(settings, sort_keys=True, default=list)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
