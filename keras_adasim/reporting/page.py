"""The page as a whole."""

from keras_adasim.reporting import (
    attention,
    classes,
    comparison,
    curves,
    facts,
    feature_map,
    gallery,
    verdict,
)
from keras_adasim.reporting.document import document
from keras_adasim.reporting.markup import tag

NAMES = {
    "verdict": "Verdict",
    "curves": "Curves",
    "gallery": "Neighbors",
    "classes": "Classes",
    "map": "Map",
    "attention": "Attention",
    "settings": "Settings",
    "cost": "Speed and memory",
    "files": "Files",
}


def run_page(run):
    """The page of a run.

    Args:
        run: `Run`.

    Returns:
        String, a document that fetches nothing.
    """
    sections = {
        "verdict": verdict.section(run),
        "curves": curves.section(run),
        "gallery": gallery.section(run.gallery),
        "classes": classes.section(run),
        "map": feature_map.section(run.feature_map),
        "attention": attention.section(run.attention),
        "settings": facts.settings_section(run),
        "cost": facts.cost_section(run),
        "files": facts.files_section(run),
    }
    there = {name: each for name, each in sections.items() if each}
    links = [tag("a", NAMES[name], href=f"#{name}") for name in there]
    method = [run.settings.get(name) for name in ("objective", "pairing", "backbone")]
    line = ", ".join(str(each) for each in method if each)
    missing = [tag("p", f"Left out: {name}. {why}") for name, why in run.missing.items()]
    return document(
        run.name,
        [
            tag("h1", run.name),
            tag("p", f"{line}, {run.images:,} images", class_="soft"),
            tag("nav", links),
            list(there.values()),
            tag("footer", missing, tag("p", run.path)),
        ],
    )


def comparison_page(runs):
    """The page of several runs, side by side; differences are those from the first.

    Args:
        runs: List of at least two `Run`s.

    Returns:
        String.
    """
    title = f"{len(runs)} runs"
    return document(title, [tag("h1", title), comparison.sections(runs)])
