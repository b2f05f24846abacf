"""The guide in docs/: its Python runs, its commands do, and its links lead somewhere."""

import contextlib
import importlib
import pathlib
import re
import shlex

import pytest
import tensorflow as tf
from absl import flags

from keras_adasim.commands import console
from keras_adasim.commands.running import check_required, parse
from keras_adasim.export import saved_model
from keras_adasim.pretraining.devices import make_strategy
from tests.pretraining.runs import IGNORED, eagerly, one_block, quick

ROOT = pathlib.Path(__file__).parents[1]
PAGES = sorted(path.stem for path in (ROOT / "docs").glob("*.md"))
# Whose snippets train; those of many_gpus, on two devices, with graphs.
TRAINING = {"downstream", "first_run", "own_data", "troubleshooting"}
# The runs that the pages take for granted.
RUN = ["pretrain", "--data_dir=photos", "--backbone=vit_mini", "--epochs=2", "--batch_size=8"]
RUN += ["--image_size=16", "--exclude=color_jitter,grayscale,solarize", "--knn_every=2"]

pytestmark = pytest.mark.filterwarnings(IGNORED)


@pytest.fixture(scope="module")
def readme():
    """The module that runs README.md in the gate: its rules and images are the guide's too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / ".ci")
        yield importlib.import_module("readme")


@pytest.fixture(scope="module")
def place(tmp_path_factory, readme):
    """A folder with images and finished runs."""
    path = tmp_path_factory.mktemp("guide")
    with contextlib.chdir(path), eagerly(), one_block(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(saved_model, "IMAGE_TYPES", (tf.uint8,))
        readme.make_data()
        console.main([*RUN, "--out=runs/photos"])
        with quick():
            console.main([*RUN, "--out=runs/self", "--pairing=self"])
    return path


@pytest.fixture
def at_place(place, monkeypatch):
    """Stands there, with a small network and without graphs."""
    monkeypatch.chdir(place)
    with one_block(), quick(with_page=True):
        yield


def text_of(page):
    return (ROOT / "docs" / f"{page}.md").read_text()


def commands_in(text, readme):
    """Commands of a page, as lists of words without `keras-adasim`; of `launch`, two of them."""
    commands = [command for _, kind, command in readme.blocks(text) if kind == "command"]
    for command in commands:
        program, *words = shlex.split(command)
        if program == "keras-adasim":
            end = words.index("--") if "--" in words else len(words)
            yield from filter(None, (words[:end], words[end + 1 :]))


def parse_alone(program, description, define, main, argv, help_text=None, required=(), words=None):
    """In the place of what runs a command: parses its flags."""
    values = flags.FlagValues()
    define(values)
    parse(values, program, argv, words)
    check_required(values, required)


@pytest.mark.parametrize("page", PAGES)
def test_commands_have_the_flags_that_a_page_gives_them(page, readme, monkeypatch):
    for name, *words in commands_in(text_of(page), readme):
        module = importlib.import_module(f"keras_adasim.commands.{name}")
        monkeypatch.setattr(module, "run", parse_alone)
        module.main(words, program=f"keras-adasim {name}")


def run(page, readme, plan):
    """Runs a page in order, in one namespace; with `plan`, pretraining is planned alone.

    Commands that README.md has too run in the gate, in processes of their own; here only those do
    whose files the page's Python reads.
    """
    namespace, blocks = {"__name__": page}, list(readme.blocks(text_of(page)))
    elsewhere = {text for _, _, text in readme.blocks(text_of("../README"))}
    code = "".join(text for _, kind, text in blocks if kind == "python")
    for line, kind, text in blocks:
        if any(re.search(pattern, text) for pattern, _ in readme.PASSED_OVER):
            continue
        out = re.search(r"--out=(?!runs)(\S+)", text)
        if text in elsewhere and not (out and out[1] in code):
            continue
        text = readme.shortened(text)
        if kind == "python":
            exec(compile("\n" * (line - 1) + text, f"{page}.md", "exec"), namespace)
        elif text.startswith("keras-adasim"):
            words = shlex.split(text)[1:]
            console.main(words + ["--dry_run"] * (plan and words[0] == "pretrain"))


@pytest.mark.large
@pytest.mark.parametrize("page", sorted({*PAGES} - TRAINING - {"many_gpus"}))
def test_a_page_runs(page, readme, at_place):
    run(page, readme, plan=True)


@pytest.mark.large
@pytest.mark.parametrize("page", sorted(TRAINING))
def test_a_page_trains(page, readme, at_place):
    run(page, readme, plan=False)


@pytest.mark.large
def test_many_gpus_trains_on_two(readme, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    strategy = make_strategy(2, "mirrored")  # A process has one of all its devices.
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda *devices: strategy)
    readme.make_data()
    with one_block():
        run("many_gpus", readme, plan=False)


@pytest.mark.parametrize("page", ["../README", *PAGES])
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, place = target.partition("#")
        if path.startswith("http"):
            continue
        found = (ROOT / "docs" / f"{page}.md").parent / path if path else ROOT / f"docs/{page}.md"
        assert found.exists(), target
        if place:
            assert place in anchors(found.read_text()), target


def anchors(text):
    """Names that GitHub gives to headings, and those that are given by hand."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    names = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    return {*names, *re.findall(r'<a id="([^"]+)"', text)}
