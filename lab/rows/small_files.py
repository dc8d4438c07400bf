"""Very many small files into XFS."""

import os

import data
from arena import arena
from contest import Contest, files_rate
from rows.base import Row, judged, present
from statistics_of import paired

COUNT, SIZE = 20_000, 10_000
TREE = "tree"
PEERS = ("rsyncd", "tar-ssh")
SLOW_PEERS = ("rsync-ssh", "scp", "smb")


def contest(context):
    def run():
        with arena(context, None, COUNT * SIZE, copies=4) as place:
            os.mkdir(f"{place.source}/{TREE}")
            size = data.small_files(f"{place.source}/{TREE}", COUNT, SIZE, seed=3)
            names = ("wormhole", *PEERS, *(() if context.quick else SLOW_PEERS))
            return Contest(context, place, TREE, size, files=COUNT, tree=True).add(*names).run(
                context.runs(full=5, quick=2))
    return context.once("small-files", run)


def absolute(context):
    return judged(contest(context), files_rate, "wormhole", (), present, "files/s")


def against(context, name):
    return judged(contest(context), files_rate, "wormhole", (name,), paired, "files/s")


ROWS = [
    Row("small-files", "20,000 x 10 KB to XFS", promise="> 10,000 files/s", aim=">= 20,000 files/s",
        aim_value=20_000, floor="8,000 files/s", floor_value=8_000, unit="files/s",
        measure=absolute),
    Row("small-files-rsyncd", "The same, against the rsync daemon", aim=">= 1.5 x", aim_value=1.5,
        unit="x rsyncd", quick=False, measure=lambda context: against(context, "rsyncd")),
    Row("small-files-tar", "The same, against tar over ssh", aim=">= 2 x", aim_value=2.0,
        unit="x tar", quick=False, measure=lambda context: against(context, "tar-ssh")),
]
