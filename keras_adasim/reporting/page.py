"""The page as a whole."""

from keras_adasim.reporting import (
    attention,
    classes,
    comparison,
    curves,
    doctor,
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
    "doctor": "Doctor",
    "settings": "Settings",
    "cost": "Speed and memory",
    "files": "Files",
}


def run_page(run, kept=None):
    """The page of a run.

    Args:
        run: `Run`.
        kept: Dict of sections that take the place of those of now, from `sections_to_keep`.

    Returns:
        String, a document that fetches nothing.
    """
    sections = {**run_sections(run), **(kept or {})}
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


def run_sections(run):
    """Dict of the sections' names to their HTML, or None."""
    return {
        "verdict": verdict.section(run),
        "curves": curves.section(run),
        "gallery": gallery.section(run.gallery),
        "classes": classes.section(run),
        "map": feature_map.section(run.feature_map),
        "attention": attention.section(run.attention),
        "doctor": doctor.section(run.findings),
        "settings": facts.settings_section(run),
        "cost": facts.cost_section(run),
        "files": facts.files_section(run),
    }


def comparison_page(runs):
    """The page of several runs, side by side; differences are those from the first.

    Args:
        runs: List of at least two `Run`s.

    Returns:
        String.
    """
    title = f"{len(runs)} runs"
    return document(title, [tag("h1", title), comparison.sections(runs)])
