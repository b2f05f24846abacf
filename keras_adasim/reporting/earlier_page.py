"""Sections of a page that was written when the images were still there."""

import re

from keras_adasim.reporting.markup import Markup, tag

# Those that show images, or need their labels.
KEPT = ("gallery", "classes", "map", "attention")
GENERATOR = '<meta name="generator" content="keras_adasim">'
NOTE = "Kept from the page before: when this one was written, no image could be read."


def sections_to_keep(earlier, sections):
    """Sections of an earlier page that tell more than those of now.

    Args:
        earlier: The earlier page of ours, a string.
        sections: Dict of the names of the new sections to their HTML, or None.

    Returns:
        Dict of names to HTML: of the sections that are missing now, or have no pictures any more.
    """
    kept = {}
    if GENERATOR not in earlier:
        return kept
    for name in KEPT:
        before, now = section_of(earlier, name), sections.get(name)
        shows = before is not None and ("<img" in before or name == "classes")
        if shows and not (now and ("<img" in now or name == "classes")):
            kept[name] = before if NOTE in before else _marked(before)
    return kept


def section_of(page, name):
    """A section of a page by its name, or None."""
    match = re.search(rf'<section[^>]* id="{name}"[^>]*>.*?</section>', page, re.DOTALL)
    return None if match is None else Markup(match[0])


def _marked(section):
    """With a line under the headline that says whence it is."""
    head, end, rest = section.partition("</h2>")
    return Markup(f"{head}{end}{tag('p', NOTE, class_='soft')}{rest}") if end else section
