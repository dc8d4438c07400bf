"""Inline SVG, drawn by hand: no script, no library, no font to load."""

from html import escape

from course import rates
from report import number

WIDTH, LABEL, RIGHT = 760, 210, 150
LINE, TOP, BOTTOM = 22, 26, 22


def _text(x, y, content, kind="", anchor="start"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">'
            f'{escape(content)}</text>')


def _line(x1, y1, x2, y2, kind):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def _dot(x, y, radius, kind):
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" class="{kind}"/>'


def nice_step(span, steps=5):
    """1, 2 or 5 times a power of ten, so that about `steps` of it fill the span."""
    raw = span / steps
    power = 10.0 ** int(f"{raw:e}".split("e")[1])
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)


def _svg(height, label, parts):
    return (f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">'
            + "".join(parts) + "</svg>")


def _axis(largest, height):
    """Grid lines from zero; returns (parts, value -> x)."""
    step = nice_step(largest * 1.05)
    top = step * -(-largest * 1.05 // step)

    def place(value):
        return LABEL + value / top * (WIDTH - LABEL - RIGHT)
    parts = []
    for tick in range(round(top / step) + 1):
        x = place(tick * step)
        parts.append(_line(x, TOP - 6, x, height - BOTTOM, "grid"))
        parts.append(_text(x, height - BOTTOM + 14, f"{tick * step:g}", "tick", "middle"))
    return parts, place


def contestants(row):
    """One line each: every run a dot, a bar from least to most, the median as a mark."""
    shown = [one for one in row["contestants"] if one["values"]]
    if not shown:
        return ""
    # The limit first, then best to worst.
    shown.sort(key=lambda one: (one["name"] != "iperf3",
                                one["median"] if row["lower_is_better"] else -one["median"]))
    height = TOP + LINE * len(shown) + BOTTOM
    parts, place = _axis(max(one["max"] for one in shown) or 1, height)
    parts.append(_text(LABEL, 12, row["contestants_unit"] + (
        " (less is better)" if row["lower_is_better"] else ""), "tick"))
    for index, one in enumerate(shown):
        y = TOP + LINE * index + LINE / 2
        kind = ("limit" if one["name"] == "iperf3" else
                "ours" if one["name"].startswith("wormhole") else "peer")
        parts.append(_text(LABEL - 10, y + 4, one["title"], kind + "-name", "end"))
        parts.append(_line(place(0), y, place(one["median"]), y, kind + "-bar"))
        parts.append(_line(place(one["min"]), y, place(one["max"]), y, "spread"))
        parts += [_dot(place(value), y, 2.2, "run") for value in one["values"]]
        parts.append(_line(place(one["median"]), y - 7, place(one["median"]), y + 7, "median"))
        parts.append(_text(max(place(one["max"]), place(one["median"])) + 8, y + 4,
                           number(one["median"]), "value"))
    return _svg(height, f"{row['title']}: " + ", ".join(
        f"{one['title']} {number(one['median'])}" for one in shown), parts)


def courses(row):
    """Rate on the wire over time: the last runs of the limit and of Wormhole."""
    shown = [(one, rates(one["samples"][-1]["course"])) for one in row["contestants"]
             if one["samples"] and len(one["samples"][-1].get("course", ())) > 2]
    shown = [(one, line) for one, line in shown if one["name"] in ("iperf3", "wormhole")]
    if not shown:
        return ""
    height = 190
    seconds = max(line[-1][0] for _, line in shown)
    most = max(rate for _, line in shown for _, rate in line) / 1e6
    parts, place = _axis(seconds, height)
    step = nice_step(most, 3)
    top = step * (1 + most // step)

    def level(megabytes):
        return height - BOTTOM - megabytes / top * (height - BOTTOM - TOP)
    for tick in range(round(top / step) + 1):
        parts.append(_text(LABEL - 10, level(tick * step) + 4, f"{tick * step:g}", "tick", "end"))
    parts.append(_text(LABEL, 12, "MB/s on the wire over seconds, the last run", "tick"))
    for index, (one, line) in enumerate(shown):
        kind = "limit" if one["name"] == "iperf3" else "ours"
        points = " ".join(f"{place(at):.1f},{level(rate / 1e6):.1f}" for at, rate in line)
        parts.append(f'<polyline points="{points}" class="{kind}-course"/>')
        parts.append(_text(WIDTH - RIGHT + 8, TOP + LINE * index, one["title"], kind + "-name"))
    return _svg(height, f"{row['title']}: rate over time", parts)


def overview(results):
    """Every measured row against its target: 1 is the target, to the right is better."""
    shown = []
    for row in results:
        target = row["floor"]["value"] or row["aim"]["value"]
        if row["reached"] and target:
            def share(value, target=target, row=row):
                return (target / max(value, 1e-9) if row["lower_is_better"] else value / target)
            low, high = sorted((share(row["reached"]["min"]), share(row["reached"]["max"])))
            shown.append((row, share(row["reached"]["median"]), low, high,
                          share(row["aim"]["value"]) if row["aim"]["value"] else None))
    if not shown:
        return ""
    height = TOP + LINE * len(shown) + BOTTOM
    largest = 2.0  # beyond twice the target the bar is cut, and says so
    parts, place = _axis(largest / 1.05, height)
    for index, (row, reached, low, high, aim) in enumerate(shown):
        y = TOP + LINE * index + LINE / 2
        kind = "good" if reached >= 1 else "bad"
        parts.append(_text(LABEL - 10, y + 4, row["name"], "ours-name", "end"))
        parts.append(_line(place(0), y, place(min(reached, largest)), y, kind + "-bar"))
        parts.append(_line(place(min(low, largest)), y, place(min(high, largest)), y, "spread"))
        if aim is not None and aim <= largest:
            x = place(aim)
            parts.append(f'<path d="M{x:.1f} {y - 6:.1f} l4 6 l-4 6 l-4 -6 z" class="aim"/>')
        parts.append(_text(WIDTH - RIGHT + 8, y + 4, f"{number(row['reached']['median'])} "
                           f"{row['unit']}" + (" »" if reached > largest else ""), "value"))
    parts.append(_line(place(1), TOP - 6, place(1), height - BOTTOM, "target"))
    parts.append(_text(place(1), 12, "target", "tick", "middle"))
    return _svg(height, "Every row against its target", parts)
