"""What the doctor has found in the images of a run."""

from keras_adasim.reporting.facts import table
from keras_adasim.reporting.markup import tag

# Rows of a table on the page; the CSV files have all.
SHOWN = 15
WORDS = {
    "duplicates": "near-duplicates: images that are copies of each other, by cluster",
    "leaks": "training images that stand among the test images too",
    "outliers": "outliers: unlike all others by their features, or in look",
    "one_color": "images of one color",
    "unreadable": "files that can't be read",
    "to_label": "images to label first",
}


def section(findings):
    """The findings as HTML, or None without any."""
    if findings is None:
        return None
    split = "{train} training and {test} test images".format(**findings.facts)
    part = ", a part of all" if findings.facts.get("quick") else ""
    text = f"What `keras-adasim doctor` has found in {split}{part}; the tables are in "
    found = [name for name in WORDS if findings.found.get(name)]
    none = [WORDS[name].partition(":")[0] for name in WORDS if name not in (*found, "to_label")]
    return tag(
        "section",
        tag("h2", "Doctor"),
        tag("p", text, tag("code", findings.folder), class_="soft"),
        [_details(findings, name) for name in found],
        tag("p", f"Nothing found: {', '.join(none)}.") if none else None,
        id="doctor",
    )


def _details(findings, name):
    """A table that opens under its headline."""
    head, rows = findings.tables.get(name, ((), []))
    count = findings.found[name]
    rest = f"and {count - SHOWN} more in {name}.csv" if count > SHOWN else None
    return tag(
        "details",
        tag("summary", tag("b", f"{count:,} "), WORDS[name]),
        table(head, rows[:SHOWN]) if rows else None,
        tag("p", rest) if rest else None,
    )
