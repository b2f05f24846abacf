"""The page: escaped, small, without requests, with what there is."""

import html.parser
import re

import numpy as np

from keras_adasim.reporting import comparison_page, gallery_page, run_page
from keras_adasim.reporting.comparison import difference, names
from keras_adasim.reporting.markup import short, tag, text
from keras_adasim.reporting.thumbnails import heat, in_color, sheet
from tests.reporting.runs import make_run, with_pictures

EVIL = "</script><img src=x onerror=alert(1)>\"'&\udcff\u202e.jpg"


class Elements(html.parser.HTMLParser):
    """What a browser makes of a page."""

    def __init__(self, page):
        super().__init__()
        self.open, self.names, self.attributes = [], [], []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, name, attributes):
        self.names.append(name)
        self.attributes += attributes
        if name not in ("meta", "link", "img"):
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name


def test_names_of_files_are_text_wherever_they_stand():
    """In text, attributes and the pointers' data; a right-to-left mark would turn the rest."""
    names = [EVIL] + [f"{EVIL}{i}" for i in range(4)]
    run = with_pictures(make_run(name=EVIL), names, classes=(EVIL, "bee"))
    run.bad, run.files = {EVIL: EVIL}, [(EVIL, EVIL)]
    run.settings[EVIL] = EVIL
    run.given, run.reasons = [EVIL], {"window": EVIL}
    page = run_page(run)
    page.encode()  # Bytes that are no UTF-8 are written out.
    elements = Elements(page)
    assert elements.names.count("script") == 1
    assert not [n for n, _ in elements.attributes if n.startswith("on")]
    sources = [value for name, value in elements.attributes if name in ("src", "href")]
    assert all(value.startswith(("data:", "#")) for value in sources)
    assert "\u202e" not in page
    Elements(comparison_page([run, make_run()]))
    Elements(gallery_page(run.gallery, EVIL))


def test_nothing_is_fetched():
    page = run_page(with_pictures(make_run(), list("abcde")))
    assert "default-src 'none'" in page.replace("&#x27;", "'")
    without_data = re.sub(r'"data:[^"]*"', "", page)
    assert "://" not in without_data
    assert "url(" not in without_data.partition("<script>")[0]


def test_every_section_is_there_and_linked():
    run = with_pictures(make_run(), list("abcde"))
    run.plan |= {"memory": {"bank": 2_000_000}, "parameters": 1234}
    run.result["memory"] = {"host": 3_000_000_000}
    run.files = [("looked at", 500)]
    page = run_page(run)
    for name in re.findall(r'href="#(\w+)"', page):
        assert f'id="{name}"' in page
    for words in ("2.0 MB", "3.00 GB", "1,234", "head 3", "p_win", "The gate is open"):
        assert words in page, words


def test_what_a_bare_run_lacks_is_left_out():
    """Without labels, bank and pictures, after one epoch, and before the first."""
    run = make_run(None, epochs=1, finished=False, missing={"pictures": "The images are gone."})
    page = run_page(run)
    assert "Left out: pictures. The images are gone." in page
    for name in ("gallery", "classes", "map", "attention"):
        assert f'id="{name}"' not in page
    assert "Not begun." in run_page(make_run(None, epochs=0, finished=False))


def test_pages_of_the_largest_runs_stay_small():
    """Noise is the worst that JPEG can get."""
    run = with_pictures(make_run(epochs=1000, settings={"epochs": 1000}), list("abcde"), points=600)
    for i in range(60):
        for row in run.log:
            row[f"measure_{i}"] = row["loss"] * i
    assert len(run_page(run)) < 3_500_000


def test_several_runs_side_by_side():
    first, second = make_run(name="first"), make_run((0.2, 0.58, 0.3), name="second")
    second.settings["window"] = 7
    change, error = difference(second, first)
    np.testing.assert_allclose(change, 0.08)
    np.testing.assert_allclose(error, np.hypot((0.58 * 0.42 / 400) ** 0.5, 0.025))
    page = comparison_page([first, second, make_run(None, name="third")])
    assert "+8.0 ± 3.5<" in page
    assert re.search(r"<th>window</th><td class=.n.>2</td><td class=.n.>7</td>", page)
    assert "<th>learning_rate</th>" not in page
    alike = [make_run(path=path) for path in ("/a/run", "/b/run", "/b/run")]
    assert names(alike) == ["a/run", "b/run", "b/run (3)"]
    assert "may be chance" in comparison_page([first, make_run((0.2, 0.51, 0.3), name="other")])


def test_markup_escapes_all_but_markup():
    inner = tag("b", "<i>", title='"')
    assert inner == '<b title="&quot;">&lt;i&gt;</b>'
    assert tag("p", inner, ["&", None], 3) == f"<p>{inner}&amp;3</p>"
    assert [short("a/b.png"), short("0123456789abcdef0123")] == ["b.png", "0123456789...f0123"]
    assert text("a\x07\udc80") == "a\\x07\\udc80"


def test_pictures_of_any_channels():
    assert in_color(np.zeros((2, 2, 1))).shape == (2, 2, 3)
    assert in_color(np.zeros((2, 2, 5))).shape == (2, 2, 3)
    assert sheet(np.zeros((3, 8, 8, 1), np.uint8), 2, 4).startswith("data:image/jpeg;base64,")
    assert len(heat(np.random.default_rng(0).random((14, 14)))) < 2000
