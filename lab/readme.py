"""The README's tables, made from a report: what was measured stands there and nothing else."""

import re

from report import MEASURED, NOT_YET, number

BEGIN, END = "<!-- measured: {} -->", "<!-- /measured -->"
PEERS = (("scp", "scp"), ("rsyncd", "rsync daemon"), ("smb", "smbclient"), ("nfs", "nfs-cp"),
         ("gridftp", "GridFTP -p 4"), ("http", "curl from nginx"))
FILES_PEERS = (("rsyncd", "rsync daemon"), ("tar-ssh", "tar over ssh"),
               ("rsync-ssh", "rsync over ssh"), ("smb", "smbclient"), ("scp", "scp"))
# Rows of whole files in MB/s, where others took part.
COMPARED = ("lan-1g", "lan-2.5g", "lan-10g", "unshaped", "wan-clean", "wan-lossy",
            "wan-lossy-cubic", "wan-fat", "compression")
FILES = "small-files"


def _median(row, name):
    return next((one["median"] for one in row["contestants"]
                 if one["name"] == name and one["values"]), None)


def _cells(*cells):
    return "| " + " | ".join(cells) + " |"


def _table(head, lines):
    return "\n".join([_cells(*head), "|" + "---|" * len(head), *lines])


def peers(results):
    """MB/s, one line a row, one column a tool."""
    lines = []
    for row in results:
        if row["name"] not in COMPARED or row["status"] != MEASURED:
            continue
        limit = _median(row, "iperf3")
        ours = _median(row, "wormhole")
        lines.append(_cells(row["title"], number(limit), f"**{number(ours)}**",
                            *(number(_median(row, name)) for name, _ in PEERS)))
    return _table(("MB/s", "limit", "**Wormhole**", *(title for _, title in PEERS)), lines)


def small_files(results):
    row = next(row for row in results if row["name"] == FILES)
    lines = []
    if row["status"] == MEASURED:
        lines.append(_cells("files/s", f"**{number(_median(row, 'wormhole'))}**",
                            *(number(_median(row, name)) for name, _ in FILES_PEERS)))
    return _table((row["title"], "**Wormhole**", *(title for _, title in FILES_PEERS)), lines)


def rows(results):
    """Every row of the targets: what was promised, what is aimed at, what was reached."""
    lines = []
    for row in results:
        if row["status"] == MEASURED:
            reached = f"**{number(row['reached']['median'])}** {row['unit']}"
            reached += "" if row["meets_aim"] in (True, None) else ", short of it"
            rounds = str(len(row["reached"]["values"]))
        elif row["status"] == NOT_YET:
            reached, rounds = f"not yet: {row['reason']}", "-"
        else:
            reached, rounds = "not measured", "-"
        lines.append(_cells(f"{row['title']} (`{row['name']}`)", row["promise"],
                            row["aim"]["text"], reached, rounds))
    return _table(("what (row)", "promise", "aim", "reached, median", "rounds"), lines)


TABLES = {"peers": peers, "small-files": small_files, "rows": rows}


def rewritten(text, results):
    """`text` with every marked table made anew. ValueError where a mark is missing."""
    for name, make in TABLES.items():
        begin = BEGIN.format(name)
        pattern = re.compile(re.escape(begin) + r"\n.*?" + re.escape(END), re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"no {begin} ... {END}")
        table = f"{begin}\n{make(results)}\n{END}"
        text = pattern.sub(lambda _, table=table: table, text)
    return text


def rewrite(path, results):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(rewritten(text, results))
