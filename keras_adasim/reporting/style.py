"""How the page looks: on paper and at night, on a phone and on a desk."""

STYLE = """
:root { color-scheme: light dark; --paper: #fbfbfa; --card: #fff; --ink: #1d1f23; --soft: #5d636d;
  --line: #dfe1e5; --grid: #ebecef; --c0: #2563c9; --c1: #c2410c; --c2: #0f7b5f; --c3: #8b3fb8;
  --good: #0f7b4f; --bad: #b42318; --todo: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --paper: #14161a; --card: #1c1f25; --ink: #e8eaee;
  --soft: #a2a9b5; --line: #343943; --grid: #2a2e36; --c0: #7aa7ff; --c1: #ff9a5c; --c2: #4fd1a5;
  --c3: #d39bff; --good: #4fd18b; --bad: #ff8f85; --todo: #f0bd5a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 76rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.2; margin: .3rem 0; }
h2 { font-size: 1.15rem; margin: 0 0 .6rem; }
h3 { font-size: .95rem; margin: 0; font-weight: 600; }
p { margin: .3rem 0; } .soft, figcaption, .note { color: var(--soft); font-size: .87rem; }
nav { display: flex; flex-wrap: wrap; gap: .2rem .9rem; margin: .6rem 0; }
a { color: var(--c0); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 1rem; margin: 1rem 0; }
.verdict li { margin: .35rem 0; padding-left: .7rem; border-left: 4px solid var(--line);
  list-style: none; }
.verdict ul { margin: 0; padding: 0; }
.verdict .good { border-color: var(--good); } .verdict .bad { border-color: var(--bad); }
.verdict .todo { border-color: var(--todo); }
.verdict b { font-weight: 650; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .7rem;
  margin-top: 1rem; }
.tile { border: 1px solid var(--line); border-radius: 8px; padding: .5rem .7rem; }
.tile b { display: block; font-size: 1.25rem; font-weight: 600; }
.tile span { color: var(--soft); font-size: .82rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .87rem; }
th, td { text-align: left; padding: .22rem .7rem .22rem 0; border-bottom: 1px solid var(--grid);
  vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th { color: var(--soft); font-weight: 500; }
details { margin-top: .6rem; } summary { cursor: pointer; color: var(--c0); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(19rem, 100%), 1fr));
  gap: 1.2rem 1.4rem; }
figure { margin: 0; position: relative; min-width: 0; }
.key { display: flex; flex-wrap: wrap; gap: 0 .8rem; font-size: .82rem; color: var(--soft); }
.key i, .tip i { display: inline-block; width: .7em; height: .7em; border-radius: 2px;
  margin-right: .35em; }
svg { display: block; width: 100%; height: auto; touch-action: pan-y; }
svg text { fill: var(--soft); font-size: 11px; } .grid { stroke: var(--grid); }
.mark { stroke-dasharray: 4 3; fill: none; stroke-width: 1.2; opacity: .8; }
.curve { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.tip { position: fixed; z-index: 9; pointer-events: none; background: var(--card); display: none;
  border: 1px solid var(--line); border-radius: 8px; padding: .35rem .55rem; font-size: .82rem;
  box-shadow: 0 3px 14px #0003; max-width: 15rem; }
.tip .thumb { display: block; margin: .15rem 0; border-radius: 4px; }
.query { border-top: 1px solid var(--grid); padding: .8rem 0; }
.query:first-of-type { border: 0; }
.strip { display: flex; gap: .6rem; overflow-x: auto; padding: .3rem 0; align-items: flex-start; }
.near { flex: 0 0 4.6rem; font-size: .74rem; line-height: 1.3; color: var(--soft); }
.near img, .near .none { width: 4.6rem; height: 4.6rem; border-radius: 6px; display: block;
  object-fit: cover; background: var(--grid); }
.near.own img, .near.own .none { outline: 2px solid var(--c0); outline-offset: 1px; }
.query .lead { flex-basis: 6rem; }
.query .lead img, .query .lead .none { width: 6rem; height: 6rem; }
.bar { height: 5px; background: var(--grid); border-radius: 3px; margin: 4px 0 2px; }
.bar i { display: block; height: 5px; background: var(--c0); border-radius: 3px; }
.past { fill: var(--c2); background: var(--grid); height: 6px; margin-top: 2px; }
.right { color: var(--good); } .wrong { color: var(--bad); }
.attended { display: flex; flex-wrap: wrap; gap: .4rem 2rem; }
.heads { display: flex; flex-wrap: wrap; gap: .5rem; } .heads figure { width: 5.2rem; }
.heads figure { position: relative; } .heads img { width: 100%; aspect-ratio: 1; display: block;
  border-radius: 6px; } .heads img.pixels { image-rendering: pixelated; }
.map { max-width: 58rem; } .map circle { opacity: .8; } .map circle.on { stroke: var(--ink);
  stroke-width: 2; opacity: 1; }
.heat td { text-align: right; padding: .18rem .4rem; font-variant-numeric: tabular-nums; }
.heat th { padding: .18rem .4rem; font-size: .78rem; }
footer { color: var(--soft); font-size: .82rem; margin: 1.5rem 0; }
@media (max-width: 34rem) { body { padding: .6rem; font-size: 15px; } section { padding: .75rem; }
  .near { flex-basis: 4rem; font-size: .68rem; }
  .near img, .near .none { width: 4rem; height: 4rem; }
  .query .lead { flex-basis: 5rem; } .query .lead img, .query .lead .none { width: 5rem;
  height: 5rem; } td { padding-right: .5rem; } }
"""
