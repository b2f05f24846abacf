"""What happens under the pointer; everything is in the page already without it."""

import base64
import hashlib

SCRIPT = """
"use strict";
(() => {
  const tip = document.createElement("div");
  tip.className = "tip";
  document.body.append(tip);
  const row = (color, text) => {
    const line = document.createElement("div"), mark = document.createElement("i");
    mark.style.background = color;
    if (color) line.append(mark);
    line.append(text);
    return line;
  };
  const show = (event, lines) => {
    tip.replaceChildren(...lines);
    tip.style.display = "block";
    const box = tip.getBoundingClientRect();
    const left = event.clientX + 14 + box.width > innerWidth ? event.clientX - 14 - box.width
      : event.clientX + 14;
    tip.style.left = Math.max(4, left) + "px";
    const top = event.clientY + 14 + box.height > innerHeight ? event.clientY - 14 - box.height
      : event.clientY + 14;
    tip.style.top = Math.max(4, top) + "px";
  };
  const place = (svg, event) => {
    const box = svg.getBoundingClientRect(), view = svg.viewBox.baseVal;
    return [(event.clientX - box.left) / box.width * view.width,
      (event.clientY - box.top) / box.height * view.height];
  };
  const follow = (svg, look, leave) => {
    for (const name of ["pointermove", "pointerdown"]) svg.addEventListener(name, look);
    svg.addEventListener("pointerleave", () => { tip.style.display = "none"; leave(); });
  };
  const short = (value) =>
    Math.abs(value) >= 1000 ? value.toFixed(0) : String(+value.toPrecision(4));
  for (const svg of document.querySelectorAll("svg[data-chart]")) {
    const chart = JSON.parse(svg.dataset.chart), cursor = svg.querySelector(".cursor");
    follow(svg, (event) => {
      const [x] = place(svg, event);
      let best = 0;
      chart.px.forEach((each, i) => {
        if (Math.abs(each - x) < Math.abs(chart.px[best] - x)) best = i;
      });
      cursor.setAttribute("d", `M${chart.px[best]} ${chart.top}V${chart.bottom}`);
      const lines = [row("", chart.label + " " + chart.x[best])];
      for (const series of chart.series) {
        const value = series.y[best];
        if (value === null) continue;
        lines.push(row(series.color, `${series.name} ${short(value)}${chart.unit}`));
      }
      show(event, lines);
    }, () => cursor.setAttribute("d", ""));
  }
  for (const svg of document.querySelectorAll("svg[data-map]")) {
    const map = JSON.parse(svg.dataset.map), dots = [...svg.querySelectorAll("circle")];
    const sheet = svg.parentNode.querySelector(".sheet");
    const where = dots.map((dot) => [dot.cx.baseVal.value, dot.cy.baseVal.value]);
    let last = null;
    const off = () => { if (last) last.classList.remove("on"); last = null; };
    follow(svg, (event) => {
      const [x, y] = place(svg, event);
      let best = 0, least = Infinity;
      where.forEach(([a, b], i) => {
        const distance = (a - x) ** 2 + (b - y) ** 2;
        if (distance < least) { least = distance; best = i; }
      });
      off();
      last = dots[best];
      last.classList.add("on");
      const lines = [];
      if (sheet) {
        const thumb = document.createElement("span"), size = 2 * map.side;
        thumb.className = "thumb";
        thumb.style.width = thumb.style.height = size + "px";
        thumb.style.backgroundImage = `url("${sheet.src}")`;
        thumb.style.backgroundSize = map.columns * size + "px auto";
        thumb.style.backgroundPosition = `${-(best % map.columns) * size}px `
          + `${-Math.floor(best / map.columns) * size}px`;
        lines.push(thumb);
      }
      if (map.classes) lines.push(row(last.getAttribute("fill"), map.classes[map.labels[best]]));
      lines.push(row("", map.names[best]));
      show(event, lines);
    }, off);
  }
})();
"""
# Only this script may run, whatever a file is called.
DIGEST = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
    f"style-src 'unsafe-inline'; script-src 'sha256-{DIGEST}'"
)
