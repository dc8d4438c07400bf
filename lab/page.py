"""The report as one self-contained HTML page."""

from html import escape

import plots
from report import MEASURED, number, spread, verdict

STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --soft: #667382; --paper: #fbfbfa; --card: #fff;
  --edge: #dfe3e8; --ours: #0b7285; --peer: #adb5bd; --limit: #495057; --good: #2b8a3e;
  --bad: #c92a2a; --warn: #b35c00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --soft: #98a4b1; --paper: #14181d;
  --card: #1b2027; --edge: #303841; --ours: #3bc9db; --peer: #5c6773; --limit: #ced4da;
  --good: #69db7c; --bad: #ff8787; --warn: #ffb45c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 32px 20px 80px; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 36px 0 8px; }
h3 { font-size: 15px; margin: 0; } p { margin: 6px 0; } .soft { color: var(--soft); }
section.row { background: var(--card); border: 1px solid var(--edge); border-radius: 8px;
  padding: 14px 18px; margin: 14px 0; }
section.row header { display: flex; gap: 12px; align-items: baseline; flex-wrap: wrap; }
.mark { font-size: 12px; font-weight: 600; padding: 1px 8px; border-radius: 9px;
  border: 1px solid currentColor; margin-left: auto; white-space: nowrap; }
.aim, .floor { color: var(--good); } .short { color: var(--warn); } .below { color: var(--bad); }
.not { color: var(--soft); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
th { text-align: left; color: var(--soft); font-weight: 500; }
th, td { padding: 4px 12px 4px 0; border-bottom: 1px solid var(--edge); vertical-align: top; }
td.figure { white-space: nowrap; font-variant-numeric: tabular-nums; }
svg { width: 100%; max-width: 860px; display: block; margin-top: 8px; }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink); }
svg .tick { fill: var(--soft); font-size: 11px; } svg .ours-name { font-weight: 600; }
svg .peer-name, svg .limit-name { fill: var(--soft); } svg .grid { stroke: var(--edge); }
svg .ours-bar { stroke: var(--ours); stroke-width: 12; }
svg .peer-bar { stroke: var(--peer); stroke-width: 12; }
svg .limit-bar { stroke: var(--limit); stroke-width: 4; }
svg .ours-course, svg .limit-course { fill: none; stroke-width: 2; }
svg .ours-course { stroke: var(--ours); } svg .limit-course { stroke: var(--limit); opacity: .6; }
svg .good-bar { stroke: var(--good); stroke-width: 10; opacity: .75; }
svg .bad-bar { stroke: var(--bad); stroke-width: 10; opacity: .75; }
svg .spread { stroke: var(--ink); stroke-width: 1.5; } svg .run { fill: var(--ink); opacity: .55; }
svg .median { stroke: var(--ink); stroke-width: 2; }
svg .target { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 4 3; }
svg .aim { fill: var(--card); stroke: var(--ink); stroke-width: 1.5; }
"""


def _mark(row):
    word = verdict(row)
    kind = word.split()[0].lower()
    text = {"aim": "aim reached", "floor": "target reached"}.get(word, word.lower())
    return f'<span class="mark {kind}">{escape(text)}</span>'


def _summary_table(results):
    cells = ["<div class=scroll><table><tr>" + "".join(f"<th>{head}</th>" for head in (
        "row", "promise", "aim", "must show", "reached", "Wormhole", "limit", "")) + "</tr>"]
    for row in results:
        ours = next((one for one in row["contestants"]
                     if one["name"].startswith("wormhole") and one["values"]), None)
        reached = (f"{number(row['reached']['median'])} {row['unit']}" if row["reached"]
                   else row["reason"])
        cells.append("<tr>" + "".join(f'<td class="{kind}">{escape(text)}</td>' for kind, text in (
            ("figure", row["name"]), ("", row["promise"]), ("", row["aim"]["text"]),
            ("", row["floor"]["text"]), ("figure" if row["reached"] else "soft", reached),
            ("figure", f"{spread(ours)} {row['contestants_unit']}" if ours else "-"),
            ("figure", row["limit"] or "-"))) + f"<td>{_mark(row)}</td></tr>")
    return "".join(cells) + "</table></div>"


def _targets(row):
    named = (("promise", row["promise"]), ("aim", row["aim"]["text"]),
             ("must show", row["floor"]["text"]), ("limit", row["limit"]))
    return "; ".join(f"{name} {text}" for name, text in named if text not in ("", "-")) + "."


def _section(row):
    parts = [f'<section class="row" id="{escape(row["name"])}"><header><h3>{escape(row["title"])}'
             f'</h3><span class="soft">{escape(row["name"])}</span>{_mark(row)}</header>']
    if row["reached"]:
        parts.append(f"<p>Reached <b>{escape(spread(row['reached']))} {escape(row['unit'])}</b>, "
                     f"median of {len(row['reached']['values'])}. "
                     + escape(_targets(row)) + "</p>")
    else:
        parts.append(f'<p class="soft">{escape(row["status"])}: {escape(row["reason"])}</p>')
    parts.append(plots.contestants(row))
    parts.append(plots.courses(row))
    parts += [f'<p class="soft">{escape(note)}</p>' for note in row["notes"]]
    parts += [f'<p class="soft">{escape(one["title"])} was not measured: {escape(one["error"])}</p>'
              for one in row["contestants"] if one["error"]]
    return "".join(parts) + "</section>"


def page(head, results):
    machine = head["machine"]
    shown = [row for row in results if row["status"] == MEASURED or row["contestants"]]
    busy = head["background_cores"]
    warning = (f'<p class="below">Something else kept {busy:.1f} cores busy when this began: '
               "compare ratios, not figures.</p>" if busy > 0.1 else "")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Wormhole, measured</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>
<body><h1>Wormhole, measured</h1>
<p class="soft">{escape(head['date'])}, commit {escape(head['commit'])},
{escape(head['wormhole'])}; {escape(machine['cpu'])}, {machine['cores']} cores for all hosts
together, {machine['memory_bytes'] / 2**30:.0f} GiB, Linux {escape(machine['kernel'])};
<code>lab/bench {escape(' '.join(head['arguments']))}</code></p>{warning}
<p>Hosts are network namespaces of one machine. Contestants take turns, every result is compared
with its source, ratios are taken round by round, and the median is what counts.</p>
<h2>Against the targets</h2>
<p class="soft">Every row's own unit, divided so that 1 is what it must show (or the aim, where
nothing else is set) and more is better. The diamond is the aim; the thin line is least to
most.</p>
{plots.overview(results)}{_summary_table(results)}
<h2>Row by row</h2>{''.join(_section(row) for row in shown)}
</body></html>
"""


def write_page(path, head, results):
    with open(path, "w", encoding="utf-8") as file:
        file.write(page(head, results))
