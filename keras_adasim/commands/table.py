"""Tables and numbers on the screen."""


def table(header, rows):
    """Lines of a table with aligned columns."""
    texts = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    ]


def percent(share, error=None):
    """A share in percent, with its standard error."""
    return f"{100 * share:.2f}" + ("" if error is None else f" ± {100 * error:.2f}")
