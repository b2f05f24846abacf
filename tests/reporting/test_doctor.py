"""The doctor's findings on the page, and pictures that stay when the images have gone."""

import json

import pytest

from keras_adasim.pretraining.doctor_findings import read_findings
from keras_adasim.reporting import doctor, earlier_page
from keras_adasim.reporting.document import document
from keras_adasim.reporting.markup import Markup

FACTS = {"train": 6, "test": 2, "quick": False, "found": {"duplicates": 40, "leaks": 0}}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "doctor.json").write_text(json.dumps(FACTS))
    rows = "".join(f"{i},0.9{i % 10},<b>{i}.png\n" for i in range(40))
    (tmp_path / "duplicates.csv").write_text(f"cluster,similarity,path\n{rows}")
    return tmp_path


def test_findings_are_shown(folder):
    text = doctor.section(read_findings(folder))
    assert "6 training and 2 test images" in text
    assert "<b>40 </b>near-duplicates" in text
    assert text.count("<tr>") == doctor.SHOWN + 1
    assert "&lt;b&gt;3.png" in text
    assert "and 25 more in duplicates.csv" in text
    assert "Nothing found: training images that stand among the test images too, outliers" in text


def test_without_a_doctor_and_with_a_damaged_one(folder, tmp_path):
    assert read_findings(tmp_path / "nowhere") is None
    assert doctor.section(None) is None
    (folder / "duplicates.csv").unlink()
    with pytest.raises(ValueError, match=r"Run the doctor again"):
        read_findings(folder)
    (folder / "doctor.json").write_text("[]")
    with pytest.raises(ValueError, match=r"TypeError"):
        read_findings(folder)


def test_pictures_of_an_earlier_page_are_kept_once():
    """`report` on a run whose images had gone replaced a page with pictures by one without."""
    pictured = Markup('<section id="gallery"><h2>Neighbors</h2><img src="data:,"></section>')
    bare = Markup('<section id="gallery"><h2>Neighbors</h2>names</section>')
    classes = Markup('<section id="classes"><h2>Partners and classes</h2></section>')
    earlier = document("run", [pictured, classes])
    kept = earlier_page.sections_to_keep(earlier, {"gallery": bare, "classes": None})
    assert list(kept) == ["gallery", "classes"]
    assert "<img" in kept["gallery"]
    assert f'</h2><p class="soft">{earlier_page.NOTE}' in kept["gallery"]
    again = earlier_page.sections_to_keep(document("run", list(kept.values())), {"gallery": bare})
    assert again == kept
    assert earlier_page.sections_to_keep(earlier, {"gallery": pictured, "classes": classes}) == {}
    assert earlier_page.sections_to_keep(document("run", [bare]), {"gallery": bare}) == {}
    assert earlier_page.sections_to_keep("<section id='gallery'><img></section>", {}) == {}
