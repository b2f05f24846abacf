"""A document around some content: its policy, style and script."""

from keras_adasim.reporting.markup import Markup, joined, text
from keras_adasim.reporting.script import POLICY, SCRIPT
from keras_adasim.reporting.style import STYLE


def document(title, content):
    """A whole HTML document that may fetch nothing, and run no script but ours."""
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{text(POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="generator" content="keras_adasim"><link rel="icon" href="data:,">'
        f"<title>{text(title)}</title><style>{STYLE}</style></head>\n"
        f"<body>{joined(Markup(''), content)}<script>{SCRIPT}</script></body></html>\n"
    )
