"""The page in a browser: no error, no request, values under the pointer, two themes, a phone."""

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess

import pytest

from keras_adasim.reporting import run_page
from keras_adasim.reporting.script import DIGEST
from tests.reporting.runs import make_run, with_pictures

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = [
    pytest.mark.large,
    pytest.mark.skipif(BROWSER is None, reason="there is no Chromium: apt-get install chromium"),
]
# Points at the first chart and the map, and notes what is seen then.
PROBE = """
const point = (svg, x, y) => {
  svg.scrollIntoView();
  const box = svg.getBoundingClientRect(), tip = document.querySelector(".tip");
  const at = {clientX: box.left + x * box.width, clientY: box.top + y * box.height, bubbles: true};
  svg.dispatchEvent(new PointerEvent("pointermove", at));
  const thumb = tip.querySelector(".thumb");
  const seen = {text: tip.innerText, shown: getComputedStyle(tip).display,
    picture: thumb && thumb.style.backgroundImage.slice(0, 20)};
  svg.dispatchEvent(new PointerEvent("pointerleave"));
  return seen;
};
const found = {
  chart: point(document.querySelector("svg[data-chart]"), 0.99, 0.5),
  map: point(document.querySelector("svg[data-map]"), 0.5, 0.5),
  gone: getComputedStyle(document.querySelector(".tip")).display,
  paper: getComputedStyle(document.body).backgroundColor,
  ink: getComputedStyle(document.body).color,
  broken: [...document.images].filter((image) => !image.naturalWidth).length,
  wide: document.documentElement.scrollWidth - innerWidth,
  width: innerWidth,
};
document.body.dataset.found = JSON.stringify(found);
"""
# A window of Chromium is at least 500 pixels wide, a frame is not.
PHONE = """
<iframe width="{width}" height="800" frameborder="0" srcdoc="{page}" onload="
  document.body.dataset.found = this.contentDocument.body.dataset.found"></iframe>
"""


def look(page, folder, *flags, phone=None):
    """What the probe notes, in a frame as wide as a phone's, and what Chromium says of the page."""
    digest = base64.b64encode(hashlib.sha256(PROBE.encode()).digest()).decode()
    page = page.replace(DIGEST, f"{DIGEST}&#x27; &#x27;sha256-{digest}")
    page = page.replace("</body>", f"<script>{PROBE}</script></body>")
    if phone:
        page = PHONE.format(width=phone, page=html.escape(page))
    (folder / "page.html").write_text(page)
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    command += [f"--user-data-dir={folder / 'profile'}", *flags, "--dump-dom"]
    done = subprocess.run(
        [*command, (folder / "page.html").as_uri()], capture_output=True, text=True, timeout=120
    )
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    noted = re.search(r'data-found="([^"]*)"', done.stdout)
    return json.loads(html.unescape(noted[1])), said


@pytest.fixture(scope="module")
def page():
    return run_page(with_pictures(make_run(), ["cat/1.png", *"bcde"]))


def test_light_on_a_desk_and_dark_on_a_phone(page, tmp_path):
    light, said = look(page, tmp_path, "--window-size=1280,900")
    assert said == []
    assert "epoch 10" in light["chart"]["text"]
    assert "top-1 50 %" in light["chart"]["text"]
    assert light["chart"]["shown"] == light["map"]["shown"] == "block"
    assert light["map"]["picture"].startswith('url("data:image')
    assert re.search(r"ant|bee", light["map"]["text"])
    assert (light["gone"], light["broken"]) == ("none", 0)
    assert light["wide"] <= 0
    dark_flags = ("--blink-settings=preferredColorScheme=0", "--force-dark-mode")
    dark, said = look(page, tmp_path, *dark_flags, phone=400)
    assert said == []
    assert dark["width"] == 400
    assert dark["wide"] <= 0
    assert brightness(light["paper"]) > 0.9 > 0.2 > brightness(dark["paper"])
    assert brightness(light["ink"]) < 0.2 < 0.8 < brightness(dark["ink"])


def test_what_would_be_fetched_is_refused_and_heard(page, tmp_path):
    """So that the silence above means something."""
    evil = '<img src="http://localhost:1/x.png"><script>document.body.remove()</script></body>'
    found, said = look(page.replace("</body>", evil), tmp_path)
    assert found["chart"]["shown"] == "block"
    assert sum("Content Security Policy" in line for line in said) >= 2


def brightness(color):
    return sum(map(int, re.findall(r"\d+", color)[:3])) / 765
