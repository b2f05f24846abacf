"""Which images belong to which query: the JSON of the revisited Oxford and Paris."""

import dataclasses
import json

import numpy as np

KINDS = ("easy", "hard", "junk")


@dataclasses.dataclass(frozen=True)
class RetrievalTruth:
    """Queries, and what is to be found.

    Attributes:
        database: List of names of images, in which the lists' ids count.
        queries: List of Q names of images.
        lists: Dict of "easy", "hard" and "junk" to a list of Q integer arrays, ids of images.
        boxes: List of Q lists, left, top, right and bottom edge of what is looked for in the
            query's image, or None if no query has one.
    """

    database: list
    queries: list
    lists: dict
    boxes: list | None

    def levels(self):
        """The three levels of difficulty: dict of names to `(positives, junk)`, lists of arrays."""
        easy, hard, junk = (self.lists[kind] for kind in KINDS)
        return {
            "Easy": (easy, _joined(junk, hard)),
            "Medium": (_joined(easy, hard), junk),
            "Hard": (hard, _joined(junk, easy)),
        }

    def part(self, queries, images):
        """The same with some queries and some images alone.

        Args:
            queries: List of integers, queries that stay.
            images: Sorted integers, images of the database that stay.
        """
        new = {old: number for number, old in enumerate(images)}
        lists = {
            kind: [np.array([new[i] for i in ids[query] if i in new], int) for query in queries]
            for kind, ids in self.lists.items()
        }
        boxes = None if self.boxes is None else [self.boxes[query] for query in queries]
        names = [self.database[image] for image in images]
        return RetrievalTruth(names, [self.queries[query] for query in queries], lists, boxes)


def _joined(first, second):
    return [np.union1d(*both) for both in zip(first, second, strict=True)]


def read_retrieval_truth(path):
    """Reads the JSON, and checks all of it.

    Args:
        path: The file.

    Returns:
        A `RetrievalTruth`.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it isn't as documented.
    """
    if not path.is_file():
        raise FileNotFoundError(
            "Expected `ground_truth` to be a JSON file with the keys imlist, qimlist and gnd; "
            f"`--help` tells how it is made of the official pickle. Received: ground_truth={path}, "
            "which is not there"
        )
    try:
        facts = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(
            "Expected `ground_truth` to be a JSON file with the keys imlist, qimlist and gnd; "
            f"`--help` tells how it is made of the official pickle. Received: ground_truth={path}, "
            f"{error}"
        ) from error
    check = Checker(path)
    database, queries, gnd = (check.of_list(facts, key) for key in ("imlist", "qimlist", "gnd"))
    check.names("imlist", database)
    check.names("qimlist", queries)
    if len(gnd) != len(queries) or not queries:
        check.refuse(
            "an entry of gnd for each query of qimlist, at least one",
            f"{len(gnd)} for {len(queries)}",
        )
    lists = {kind: [] for kind in KINDS}
    for query, entry in enumerate(gnd):
        check.of_query(query, entry, len(database), lists)
    if not any(len(ids) for kind in ("easy", "hard") for ids in lists[kind]):
        check.refuse("queries with easy or hard images", "none in all of gnd")
    boxes = [check.box(query, entry.get("bbx")) for query, entry in enumerate(gnd)]
    if any(boxes) and not all(boxes):
        check.refuse("a bbx for each query, or for none", f"gnd[{boxes.index(None)}] without")
    return RetrievalTruth(database, queries, lists, boxes if all(boxes) else None)


class Checker:
    """Says what of a JSON file isn't as documented.

    Args:
        path: The file, for the errors.
    """

    def __init__(self, path):
        self.path = path

    def refuse(self, expected, received):
        """Raises ValueError."""
        raise ValueError(f"Expected {self.path} to have {expected}. Received: {received}")

    def of_list(self, facts, key):
        """The list of a key."""
        found = facts.get(key) if isinstance(facts, dict) else None
        if not isinstance(found, list):
            self.refuse(f"a list {key}", f"{key} of type {type(found).__name__}")
        return found

    def names(self, key, names):
        """Raises ValueError unless all are strings, none of them twice."""
        wrong = [name for name in names if not isinstance(name, str)]
        if wrong or len(set(names)) < len(names):
            again = next((name for name in names if names.count(name) > 1), None)
            self.refuse(f"names in {key}, each once", f"{wrong[0] if wrong else again!r}")

    def of_query(self, query, entry, number, lists):
        """Adds the ids of a query's images to the lists."""
        seen = set()
        for kind in KINDS:
            ids = entry.get(kind) if isinstance(entry, dict) else None
            if not isinstance(ids, list):
                self.refuse(f"a list {kind} in gnd[{query}]", repr(ids))
            wrong = [i for i in ids if type(i) is not int or not 0 <= i < number]
            if wrong:
                self.refuse(
                    f"ids from 0 to {number - 1} in {kind} of gnd[{query}], places in imlist",
                    f"{wrong[0]!r}, which no image has",
                )
            if seen.intersection(ids):
                again = min(seen.intersection(ids))
                self.refuse(f"no id in two lists of gnd[{query}]", f"{again} again in {kind}")
            seen.update(ids)
            lists[kind].append(np.unique(np.array(ids, int)))

    def box(self, query, box):
        """The edges of a query's box, or None."""
        if box is None:
            return None
        are_numbers = isinstance(box, list) and len(box) == 4
        are_numbers &= are_numbers and all(type(edge) in (int, float) for edge in box)
        if not are_numbers or not (0 <= box[0] < box[2] and 0 <= box[1] < box[3]):
            self.refuse(
                f"left, top, right and bottom edge as bbx in gnd[{query}], in pixels", repr(box)
            )
        return box
