"""Reads the package's own docstrings, for commands that show them."""

import inspect
import itertools
import re
import textwrap


def argument_help(function_or_class):
    """Returns what a docstring says of each argument.

    Args:
        function_or_class: Function, or class whose own docstring describes its constructor.

    Returns:
        Dictionary of the arguments' names to their texts, in the order of the `Args:` section,
        each in one line. Entries with stars (`**kwargs`) are left out.
    """
    entries = re.split(r"^(?=\S)", section(function_or_class.__doc__, "Args"), flags=re.MULTILINE)
    texts = {name: " ".join(text.split()) for name, _, text in (e.partition(":") for e in entries)}
    return {name: text for name, text in texts.items() if name and not name.startswith("*")}


def section(docstring, title):
    """Returns a docstring's section.

    Args:
        docstring: The docstring, or None.
        title: Title of the section, without the colon.

    Returns:
        The section's lines without title and indentation; an empty string if there is none.
    """
    lines = inspect.cleandoc(docstring or "").splitlines()
    if f"{title}:" not in lines:
        return ""
    rest = lines[lines.index(f"{title}:") + 1 :]
    body = itertools.takewhile(lambda line: not line or line.startswith(" "), rest)
    return textwrap.dedent("\n".join(body)).strip("\n")
