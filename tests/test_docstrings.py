"""Every docstring speaks one dialect, and every public class has an example that runs."""

import ast
import contextlib
import inspect
import pathlib
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_adasim
from keras_adasim.docstrings import argument_help, section
from tests.pretraining.runs import IGNORED, eagerly

PACKAGE = pathlib.Path(keras_adasim.__file__).parent


def public_classes():
    """All classes of the subpackages' `__all__` and of the package's own, by their place."""
    modules = [getattr(keras_adasim, name) for name in keras_adasim.__all__]
    modules = [keras_adasim, *filter(inspect.ismodule, modules)]
    values = [getattr(module, name) for module in modules for name in module.__all__]
    classes = {value for value in values if inspect.isclass(value)}
    return {place(cls): cls for cls in sorted(classes, key=place)}


def place(cls):
    return cls.__module__.removeprefix("keras_adasim.").replace(".", "/") + f"/{cls.__name__}"


def settled(*rooms):
    """Public classes of some rooms."""
    return [cls for path, cls in PUBLIC.items() if path.startswith(rooms)]


PUBLIC = public_classes()


@pytest.mark.large
@pytest.mark.filterwarnings(IGNORED)
@pytest.mark.parametrize("path", PUBLIC)
def test_the_example_of_a_public_class_runs(path, tmp_path, monkeypatch):
    example = section(PUBLIC[path].__doc__, "Example")
    code = re.fullmatch(r"```python\n(.+)\n```", example, re.DOTALL)
    assert code, "no section `Example:` with a block between ```python and ```"
    assert 1 <= len(re.findall(r"^.*\S", code[1], re.MULTILINE)) <= 10
    monkeypatch.chdir(tmp_path)
    # An export is traced in any case, and eagerly in more places.
    with contextlib.nullcontext() if path.startswith("export/") else eagerly():
        exec(code[1], {"keras": keras, "np": np, "tf": tf, "ka": keras_adasim})


@pytest.mark.parametrize(
    "cls", settled("augment", "objectives", "optimizers"), ids=lambda cls: cls.__name__
)
def test_every_argument_of_a_constructor_is_told(cls):
    """The console command makes flags of the arguments, and their help of these texts."""
    own = vars(cls).get("__init__", object.__init__)
    parameters = list(inspect.signature(own).parameters.values())[1:]
    named = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    assert list(argument_help(cls)) == named


def documented():
    """`(place, docstring)` of everything in the package that has a docstring."""
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).with_suffix("").as_posix()
        kinds = (ast.ClassDef, ast.FunctionDef, ast.Module)
        nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)]
        for node in nodes:
            if docstring := ast.get_docstring(node):
                yield f"{room}/{getattr(node, 'name', '')}", docstring


def breaches(docstring):
    """What of a docstring is not in the package's dialect."""
    if re.search(r"^\s*Source:", docstring, re.MULTILINE):
        yield "a section `Source:`, which is called `Reference:`"
    for title in ("Args", "Raises"):
        for entry in re.split(r"^(?=\S)", section(docstring, title), flags=re.MULTILINE)[1:]:
            _name, _, text = entry.strip().partition(": ")
            if not text or text[0].islower() or not text.endswith("."):
                yield f"an entry that isn't like `name: Text.`: {entry.strip()!r}"


def test_docstrings_speak_one_dialect():
    found = [
        f"{place}: {breach}" for place, docstring in documented() for breach in breaches(docstring)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "docstring",
    [
        "Text.\n\nSource: a paper.",
        "Text.\n\nArgs:\n    k: neighbors.",
        "Text.\n\nArgs:\n    k: Neighbors",
        "Text.\n\nRaises:\n    ValueError: if not.",
        "Text.\n\nArgs:\n    Neighbors.",
    ],
)
def test_other_dialects_are_noticed(docstring):
    assert len(list(breaches(docstring))) == 1


def test_argument_help_is_in_one_line_each():
    def function(first, second, **kwargs):
        """Does it.

        Args:
            first: What comes
                first. Then: more.
            second: (B, D) floats.

                With a paragraph.
            **kwargs: The rest.

        Returns:
            third: Nothing.
        """

    assert argument_help(function) == {
        "first": "What comes first. Then: more.",
        "second": "(B, D) floats. With a paragraph.",
    }
    assert argument_help(lambda: None) == {}
    assert argument_help(keras_adasim.objectives.Objective) == {}
