"""Settings with their reasons, the files, speed and memory."""

from keras_adasim.reporting.charts import shown
from keras_adasim.reporting.markup import joined, tag


def settings_section(run):
    """Settings: given, chosen with the rule, and the rest."""
    given = {name: "given" for name in run.given if name in run.settings}
    chosen = {name: rule for name, rule in run.reasons.items() if name in run.settings}
    told = {**given, **{name: rule for name, rule in chosen.items() if name not in given}}
    rest = {name: value for name, value in sorted(run.settings.items()) if name not in told}
    first = [(name, typed(run.settings[name]), why) for name, why in told.items()]
    others = [(name, typed(value)) for name, value in rest.items()]
    words = f"{len(others)} others, as they are by default" if first else f"All {len(others)}"
    more = tag("details", tag("summary", words), table(("setting", "value"), others))
    shown_first = table(("setting", "value", "why"), first) if first else None
    return tag("section", tag("h2", "Settings"), shown_first, more, id="settings")


def cost_section(run):
    """Speed and memory, planned and used."""
    rows, plan, result = [], run.plan, run.result or {}
    rate = result.get("images_per_second") or run.now("images_per_second")
    rows.append(("speed", f"{shown(rate)} images per second" if rate else None))
    rows.append(("parameters trained", plan.get("parameters") and f"{plan['parameters']:,}"))
    rows.append(("steps", plan.get("steps") and f"{plan['steps']:,}"))
    rows.append(("devices", ", ".join(plan.get("devices", [])) or None))
    for name, size in plan.get("memory", {}).items():
        rows.append((f"planned: {name}", size and bytes_shown(size)))
    for name, size in (result.get("memory") or {}).items():
        rows.append((f"used at most: {name}", size and bytes_shown(size)))
    provenance = result.get("provenance", {})
    rows.append(("command", provenance.get("command")))
    versions = provenance.get("versions", {})
    rows.append(("versions", ", ".join(f"{n} {v}" for n, v in versions.items()) or None))
    rows = [row for row in rows if row[1]]
    if not rows:
        return None
    return tag("section", tag("h2", "Speed and memory"), table((), rows), id="cost")


def files_section(run):
    """What the first look saw, and which files are bad."""
    if not run.files and not run.bad:
        return None
    bad = list(run.bad.items())
    listed = table(("bad file", "what is wrong"), bad[:50]) if bad else None
    rest = tag("p", f"and {len(bad) - 50} more in bad_images.json") if len(bad) > 50 else None
    return tag("section", tag("h2", "Files"), table((), run.files), listed, rest, id="files")


def table(head, rows):
    """A table that scrolls by itself where it is too wide."""
    top = tag("tr", [tag("th", name) for name in head]) if head else None
    body = [tag("tr", [tag("td", cell) for cell in row]) for row in rows]
    return tag("div", tag("table", joined(top, body)), class_="wide")


def typed(value):
    """A value as it would be typed."""
    if isinstance(value, list | tuple):
        return ",".join(map(typed, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def bytes_shown(number):
    """Bytes, for people."""
    return f"{number / 1e9:.2f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"
