"""Nothing in; the style of an HTML report, for light and dark screens and for paper, out."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --back: #ffffff; --panel: #f6f7f9; --ink: #1b1f24; --faint: #5c6570; --line: #d9dee4;
  --c1: #2563c9; --c2: #c2410c; --c3: #15803d; --c4: #7e22ce; --c5: #0e7490; --c6: #b91c6b;
  --right: #15803d; --wrong: #dc2626;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #14171b; --panel: #1d2126; --ink: #e6e9ed; --faint: #9aa4af; --line: #363d46;
    --c1: #7aa7f0; --c2: #f59e6b; --c3: #6fcf8e; --c4: #c792ea; --c5: #5cc8d8; --c6: #f08ab8;
    --right: #3fa564; --wrong: #ef5350;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 1180px; padding: 24px; background: var(--back); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
h1 { margin: 0; font-size: 26px; }
h2 { margin: 36px 0 12px; font-size: 19px; border-bottom: 1px solid var(--line); padding-bottom: 4px; }
h3 { margin: 0 0 6px; font-size: 15px; }
p { margin: 6px 0; }
.faint, .label { color: var(--faint); fill: var(--faint); }
code, pre { font: 13px/1.45 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: 12px; overflow-x: auto; }
pre.config { columns: 2 420px; column-gap: 24px; white-space: pre-wrap; overflow-wrap: anywhere; }
.stack { display: grid; gap: 18px; align-content: start; min-width: 0; }
.cards { display: flex; flex-wrap: wrap; gap: 12px; margin: 18px 0; }
.card { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 10px 16px; }
.card b { display: block; font-size: 22px; font-weight: 600; }
.card span { color: var(--faint); font-size: 13px; }
.grid2 { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 500px), 1fr)); gap: 18px; }
figure { margin: 0; background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 12px; }
figure > svg { display: block; width: 100%; height: auto; max-height: 640px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: 13px; color: var(--faint); }
.key { width: 24px; height: 8px; margin-right: 5px; vertical-align: middle; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 14px 3px 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
table.facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
tr.best td { font-weight: 600; }
details { margin: 10px 0; }
summary { cursor: pointer; color: var(--c1); }
svg text { font: 11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: var(--faint); }
svg text.count { fill: var(--ink); }
svg text.count.strong { fill: #ffffff; font-weight: 600; }
.grid { stroke: var(--line); stroke-width: 1; }
.axis { stroke: var(--faint); stroke-width: 1; }
.best { stroke: var(--faint); stroke-width: 1; stroke-dasharray: 2 3; }
.phase { stroke: var(--line); stroke-width: 2; }
polyline, .key line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.dashed { stroke-dasharray: 6 4; }
.s1 { stroke: var(--c1); } .s2 { stroke: var(--c2); } .s3 { stroke: var(--c3); }
.s4 { stroke: var(--c4); } .s5 { stroke: var(--c5); } .s6 { stroke: var(--c6); }
.f1 { fill: var(--c1); } .f2 { fill: var(--c2); } .f3 { fill: var(--c3); }
.f4 { fill: var(--c4); } .f5 { fill: var(--c5); } .f6 { fill: var(--c6); }
.dot { fill: var(--c1); fill-opacity: 0.45; }
.bar { fill: var(--c1); fill-opacity: 0.8; }
rect.right { fill: var(--right); stroke: var(--line); stroke-width: 0.5; }
rect.wrong { fill: var(--wrong); stroke: var(--line); stroke-width: 0.5; }
@media print { body { max-width: none; padding: 0; } details > * { display: block; } }
"""
