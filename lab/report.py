"""What was measured, as one JSON object and as a text table."""

import datetime
import json
import os
import platform
import subprocess

from links import REPOSITORY
from statistics_of import summary

MEASURED, NOT_MEASURED, NOT_YET = "measured", "not measured", "not yet"


def machine():
    with open("/proc/cpuinfo") as text:
        models = [line.split(":", 1)[1].strip() for line in text if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": models[0] if models else platform.machine(), "cores": os.cpu_count(),
            "memory_bytes": memory, "kernel": platform.release()}


def commit():
    done = subprocess.run(["git", "-C", REPOSITORY, "describe", "--always", "--dirty"],
                          capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def heading(arguments, background, binary_version):
    return {"date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
            "commit": commit(), "wormhole": binary_version, "arguments": arguments,
            "background_cores": background, "machine": machine()}


def row_result(row, outcome=None, reason="", seconds=0.0):
    """One row of the report, from what its measure() gave or why it did not."""
    result = {"name": row.name, "title": row.title, "unit": row.unit,
              "lower_is_better": row.lower_is_better, "promise": row.promise,
              "aim": {"text": row.aim, "value": row.aim_value},
              "floor": {"text": row.floor, "value": row.floor_value},
              "status": NOT_YET if row.not_yet else NOT_MEASURED,
              "reason": row.not_yet or reason, "seconds": round(seconds, 1),
              "reached": None, "contestants": [], "contestants_unit": "", "limit": "",
              "notes": [], "meets_floor": None, "meets_aim": None, "fails": False}
    if outcome is None:
        return result
    result.update(contestants=[{**one, **(summary(one["values"]) if one["values"] else {})}
                               for one in outcome.contestants],
                  contestants_unit=outcome.contestants_unit, limit=outcome.limit,
                  notes=outcome.notes, reason=outcome.reason or reason)
    if not outcome.reached:
        return result
    value = outcome.value
    result.update(status=MEASURED, reached=summary(outcome.reached),
                  fails=row.fails(value))
    if row.floor_value is not None:
        result["meets_floor"] = row.meets(value, row.floor_value)
    if row.aim_value is not None:
        result["meets_aim"] = row.meets(value, row.aim_value)
    return result


def failures(results):
    """Why a run of the benchmark counts as failed, as sentences."""
    found = []
    for row in results:
        if row["status"] == NOT_MEASURED:
            found.append(f"{row['name']}: not measured: {row['reason']}")
        elif row["fails"]:
            found.append(f"{row['name']}: {number(row['reached']['median'])} {row['unit']} is far "
                         "off its target")
    return found


def number(value):
    """Three or four figures, as a reader wants them."""
    if value is None:
        return "-"
    size = abs(value)
    return f"{value:,.0f}" if size >= 1000 else f"{value:.1f}" if size >= 100 else (
        f"{value:.2f}" if size >= 1 else f"{value:.3f}")


def spread(one):
    return f"{number(one['median'])} [{number(one['min'])}-{number(one['max'])}]"


def verdict(row):
    if row["status"] != MEASURED:
        return row["status"]
    if row["meets_aim"]:
        return "aim"
    if row["meets_floor"] or (row["meets_floor"] is None and not row["fails"]):
        return "floor" if row["meets_floor"] else "short of aim"
    return "FAR OFF" if row["fails"] else "below floor"


def table(results):
    """row, promise, aim, floor, what was reached, Wormhole, limit, peers."""
    lines = [("row", "promise", "aim", "floor", "reached", "", "wormhole", "limit", "peers")]
    for row in results:
        ours = [one for one in row["contestants"] if one["name"].startswith("wormhole")
                and one["values"]]
        others = [one for one in row["contestants"]
                  if not one["name"].startswith("wormhole") and one["name"] != "iperf3"]
        lines.append((row["name"], row["promise"], row["aim"]["text"], row["floor"]["text"],
                      f"{number(row['reached']['median'])} {row['unit']}" if row["reached"] else
                      f"({row['reason']})", verdict(row),
                      f"{spread(ours[0])} {row['contestants_unit']}" if ours else "-",
                      row["limit"] or "-",
                      ", ".join(f"{one['name']} {number(one['median'])}" if one["values"] else
                                f"{one['name']} -" for one in others) or "-"))
    limits = (19, 22, 30, 18, 44, 12, 40, 16, 80)
    widths = [min(limit, max(len(line[column]) for line in lines))
              for column, limit in enumerate(limits)]
    return "\n".join("  ".join(_cut(cell, width).ljust(width)
                               for cell, width in zip(line, widths)).rstrip() for line in lines)


def _cut(text, width):
    return text if len(text) <= width else text[:width - 3] + "..."


def with_earlier(path, rows, results):
    """`results`, and of the other rows what an earlier report says: all in the order of `rows`."""
    found = {}
    if os.path.exists(path):
        with open(path) as file:
            found = {row["name"]: row for row in json.load(file)["rows"]}
    found.update({row["name"]: row for row in results})
    return [found.get(row.name) or row_result(row) for row in rows]


def write_json(path, head, results):
    with open(path, "w") as file:
        json.dump({"head": head, "rows": results}, file, indent=1, default=str)
        file.write("\n")
