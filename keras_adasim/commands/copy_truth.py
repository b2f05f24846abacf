"""Which image is a copy of which: a table of queries and references."""

import csv
import json

COLUMNS = ("query", "reference")


def read_copy_truth(path):
    """Reads which references each query was made of.

    Args:
        path: A .csv file with a header and the columns query and reference (or query_id and
            reference_id), or a .json file of an object from queries to lists of references.

    Returns:
        Dict of queries' names to lists of names, empty for a query that is no copy.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is none of these, or tells of no copy.
    """
    if not path.is_file():
        raise FileNotFoundError(
            "Expected `ground_truth` to be a file that tells which query is a copy of which image; "
            f"`--help` shows its form. Received: ground_truth={path}, which is not there"
        )
    try:
        truth = (_of_json if path.suffix.lower() == ".json" else _of_csv)(path)
    except (ValueError, csv.Error) as error:
        raise ValueError(
            "Expected `ground_truth` to be a .csv file with the columns query and reference, or a "
            ".json file from queries to lists of references. Received: "
            f"ground_truth={path}, {error}"
        ) from error
    if not any(truth.values()):
        raise ValueError(f"Expected {path} to have a query with a reference. Received: none")
    return truth


def _of_csv(path):
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.reader(file))
    header = [name.strip().lower().removesuffix("_id") for name in rows[0]] if rows else []
    if tuple(header[:2]) != COLUMNS:
        raise ValueError(f"whose first line is {','.join(rows[0]) if rows else 'missing'!r}")
    truth = {}
    for number, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        query, *references = (cell.strip() for cell in row[:2])
        if not query or not references:
            raise ValueError(f"without a query and a reference in line {number}")
        truth.setdefault(query, []).extend(filter(None, references))
    return truth


def _of_json(path):
    facts = json.loads(path.read_bytes())
    if not isinstance(facts, dict):
        raise ValueError(f"a {type(facts).__name__}")
    for query, references in facts.items():
        names = references if isinstance(references, list) else [None]
        if not all(isinstance(name, str) for name in names):
            raise ValueError(f"which has {references!r} for {query!r}")
    return facts
