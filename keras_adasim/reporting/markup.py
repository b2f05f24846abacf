"""HTML and SVG as strings, in which whatever comes from elsewhere is escaped."""

import html


class Markup(str):
    """Text that is HTML already."""


def tag(name, *children, **attributes):
    """An element. Children that aren't `Markup` are text, and escaped; None is left out.

    Args:
        name: Its name.
        *children: Strings, `Markup`, numbers, or lists of them.
        **attributes: By name; `class_` is `class`, `_` within a name is `-`. None is left out.
    """
    parts = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{parts}>{joined(*children)}</{name}>")


def joined(*children):
    """Children one after the other, each escaped unless it is `Markup`."""
    parts = []
    for child in children:
        if isinstance(child, list | tuple):
            parts.append(joined(*child))
        elif child is not None:
            parts.append(child if isinstance(child, Markup) else text(child))
    return Markup("".join(parts))


def picture(uri, alt, kind=None):
    """An image; its source is a data URI of ours."""
    kind = f' class="{text(kind)}"' if kind else ""
    return Markup(f'<img src="{uri}" alt="{text(alt)}"{kind}>')


def short(name, most=18):
    """The last part of a path, without its middle if it is long."""
    name = name.rpartition("/")[2]
    return name if len(name) <= most else f"{name[: most - 8]}...{name[-5:]}"


def text(value):
    """A string for HTML; names of files may hold bytes that are no text, or control characters."""
    value = str(value).encode("utf-8", "backslashreplace").decode()
    kept = "\n\N{NO-BREAK SPACE}"
    shown = (c if c.isprintable() or c in kept else repr(c)[1:-1] for c in value)
    return html.escape("".join(shown))
