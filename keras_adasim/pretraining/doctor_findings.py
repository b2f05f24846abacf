"""What the doctor left in a folder, for the page."""

import csv
import json

from keras_adasim.files import DAMAGED
from keras_adasim.reporting import Findings
from keras_adasim.reporting.doctor import SHOWN, WORDS


def read_findings(folder):
    """Reads the folder that `keras-adasim doctor` wrote.

    Args:
        folder: A `pathlib.Path`.

    Returns:
        `Findings`, or None if the doctor wasn't there.

    Raises:
        ValueError: If its files are damaged.
    """
    path = folder / "doctor.json"
    if not path.is_file():
        return None
    try:
        facts = json.loads(path.read_text())
        found = {name: int(number) for name, number in facts["found"].items()}
        facts = {"train": int(facts["train"]), "test": int(facts["test"])} | {
            "quick": bool(facts.get("quick"))
        }
        tables = {name: _rows(folder / f"{name}.csv") for name in WORDS if found.get(name)}
    except DAMAGED as error:
        raise ValueError(
            f"Expected {path} and the tables beside it as `keras-adasim doctor` writes them. "
            f"Received: {type(error).__name__}: {error}. Run the doctor again."
        ) from error
    return Findings(str(folder), facts, found, tables)


def _rows(path):
    """The head and the first rows of a table."""
    with path.open(newline="") as file:
        reader = csv.reader(file)
        head = tuple(next(reader))
        return head, [tuple(row) for row, _ in zip(reader, range(SHOWN), strict=False)]
