"""Trees: a hundred thousand files, the same again, a part of them changed, a million."""

import os
from dataclasses import asdict

import data
import disks
import measure
from arena import arena
from contest import Contest, files_rate, order_of_round, peak, rate
from peers import RsyncDaemon, Wormhole
from processes import LabError
from rows.base import Outcome, Row, judged, present
from statistics_of import paired

TREE = "tree"
COUNTS, SIZE = (100_000, 20_000), 10_000  # full, quick
PER_DIRECTORY = 200
PEERS = ("rsyncd", "tar-ssh")
WAN = {"rate": "100mbit", "rtt": "50ms", "seed": 7}
WAN_COUNT = 20_000
LINK_MEGABYTES = 12.5  # 100 Mbit/s
CHANGED_EVERY = 100
# For each file that it has not placed yet XFS sets aside 32 KiB, three times what these will take:
# on a smaller disk it stops all writing, to place them, in the middle of each run.
COPIES = {"tmpfs": 2, "xfs": 5}
MILLIONS = (1_000_000, 100_000)  # full, quick


def make_tree(place, count, size=SIZE):
    os.mkdir(f"{place.source}/{TREE}")
    return data.small_files(f"{place.source}/{TREE}", count, size, seed=3,
                            per_directory=PER_DIRECTORY)


def contest(context, disk):
    """From and to the same kind of disk."""
    def run():
        count = COUNTS[context.quick]
        with arena(context, "10gbit", count * SIZE, disk=disk, source_disk=disk,
                   copies=COPIES[disk]) as place:
            size = make_tree(place, count)
            return Contest(context, place, TREE, size, files=count, tree=True).add(
                "wormhole", *PEERS).run(context.runs(full=5, quick=2))
    return context.once("trees " + disk, run)


def speed(context, disk):
    return judged(contest(context, disk), files_rate, "wormhole", (), present, "files/s")


def against(context, disk, name):
    return judged(contest(context, disk), files_rate, "wormhole", (name,), paired, "files/s")


def first_file(context):
    """From the start of the command until the first file stands there whole."""
    def times_sooner(ours, theirs):
        return [their / our for our, their in zip(ours, theirs) if our and their]
    return judged(contest(context, "tmpfs"), lambda sample: sample.extra["first_file_ms"],
                  "wormhole", ("rsyncd",), times_sooner, "ms")


def over_wan(context):
    with arena(context, WAN, WAN_COUNT * SIZE, disk="tmpfs") as place:
        size = make_tree(place, WAN_COUNT)
        result = Contest(context, place, TREE, size, files=WAN_COUNT, tree=True).add(
            "wormhole", *(() if context.quick else PEERS)).run(context.runs(full=3, quick=1))
    return judged(result, rate, "wormhole", (), lambda values: [value / LINK_MEGABYTES
                                                                for value in present(values)],
                  notes=["The start and what is said of each file are in it."])


def change(place, count, number):
    """Every hundredth file has other bytes and another time, as many as before."""
    for file in range(number % CHANGED_EVERY, count, CHANGED_EVERY):
        path = f"{place.source}/{TREE}/d{file // PER_DIRECTORY:04}/f{file:06}"
        data.write_file(path, SIZE, seed=7_000_000 * (number + 1) + file)
    return len(range(number % CHANGED_EVERY, count, CHANGED_EVERY))


class Repeated:
    """One contestant, whose destination has the tree already."""

    def __init__(self, place, peer):
        self.place, self.peer = place, peer
        self.directory = place.fresh_directory()
        self.samples = {"again": [], "changed": []}
        peer.start(place.server, place.source)

    def fetch(self, size, files):
        disks.settle(self.place.destination)
        command = self.peer.fetch(self.place.client, TREE, self.directory, tree=True)
        sample = measure.timed(self.place.client, command.argv, command.env,
                               self.peer.server_pid)
        sample.bytes, sample.files = size, files
        self.peer.finish(sample)
        sample.extra.pop("stdout", None)
        wrong = data.differences(f"{self.place.source}/{TREE}", self.directory)
        if wrong:
            raise LabError(f"{len(wrong)} files not right: {'; '.join(wrong[:3])}")
        return sample


def repeated(context):
    """{name: Repeated}: the tree as it is, and with every hundredth file changed."""
    def run():
        count = COUNTS[context.quick]
        with arena(context, "10gbit", count * SIZE, copies=3) as place:
            size = make_tree(place, count)
            ours = {peer.name: Repeated(place, peer)
                    for peer in (Wormhole(["--overwrite"]), RsyncDaemon())}
            try:
                for one in ours.values():
                    one.fetch(size, count)
                for number in range(context.runs(full=5, quick=2)):
                    for name in order_of_round(list(ours), number):
                        sample = ours[name].fetch(0, count)
                        if sample.wire_bytes > count * 200:
                            raise LabError(f"{sample.wire_bytes} bytes crossed for nothing new")
                        ours[name].samples["again"].append(sample)
                    changed = change(place, count, number)
                    for name in order_of_round(list(ours), number):
                        sample = ours[name].fetch(changed * SIZE, count)
                        if sample.wire_bytes < changed * SIZE:
                            raise LabError(f"only {sample.wire_bytes} bytes crossed")
                        ours[name].samples["changed"].append(sample)
                    context.say("    " + "  ".join(
                        f"{name} {one.samples['again'][-1].seconds:.3f} s, changed "
                        f"{one.samples['changed'][-1].seconds:.3f} s"
                        for name, one in ours.items()))
            finally:
                for one in ours.values():
                    one.peer.stop()
            return ours
    return context.once("trees repeated", run)


def compared(context, which, is_ratio):
    ours = repeated(context)
    rates = {name: [files_rate(sample) for sample in one.samples[which]]
             for name, one in ours.items()}
    contestants = [{"name": name, "title": one.peer.title, "encrypted": one.peer.encrypted,
                    "error": "", "values": rates[name],
                    "samples": [asdict(sample) for sample in one.samples[which]]}
                   for name, one in ours.items()]
    reached = paired(rates["wormhole"], rates["rsyncd"]) if is_ratio else rates["wormhole"]
    return Outcome(reached, contestants, contestants_unit="files/s")


def million(context):
    """Empty files in one directory: what a file costs that has no data."""
    count = MILLIONS[context.quick]
    with arena(context, "10gbit", 1 << 30, disk="tmpfs") as place:
        os.makedirs(f"{place.source}/{TREE}/all")
        for number in range(count):
            os.close(os.open(f"{place.source}/{TREE}/all/f{number:07}",
                             os.O_CREAT | os.O_WRONLY, 0o644))
        result = Contest(context, place, TREE, 0, files=count, tree=True, wire_least=count).add(
            "wormhole").run(context.runs(full=2, quick=1))
    notes = [f"{sample.files / sample.seconds:,.0f} files/s"
             for sample in result.entries["wormhole"].samples if sample]
    return judged(result, peak, "wormhole", (), present, "MB", notes)


def speed_rows(name, title, disk):
    return [
        Row(name, f"100,000 x 10 KB, {title}, 10 Gbit/s", promise="> 10,000 files/s",
            aim=">= 20,000 files/s", aim_value=20_000, floor="8,000 files/s", floor_value=8_000,
            unit="files/s", quick=disk == "tmpfs", measure=lambda context: speed(context, disk)),
        Row(f"{name}-rsyncd", "The same, against the rsync daemon", aim=">= 1.5 x", aim_value=1.5,
            unit="x rsyncd", quick=False, measure=lambda context: against(context, disk, "rsyncd")),
        Row(f"{name}-tar", "The same, against tar over ssh", aim=">= 2 x", aim_value=2.0,
            unit="x tar", quick=False, measure=lambda context: against(context, disk, "tar-ssh")),
    ]


ROWS = [
    *speed_rows("trees", "tmpfs to tmpfs", "tmpfs"),
    Row("trees-first", "The same from tmpfs: until the first file is there, against the rsync daemon",
        aim=">= 1 x", aim_value=1.0, unit="x rsyncd", quick=False, measure=first_file),
    *speed_rows("trees-xfs", "XFS to XFS", "xfs"),
    Row("trees-wan", "20,000 x 10 KB, 100 Mbit/s, 50 ms", aim=">= 0.9 x link", aim_value=0.9,
        floor="0.7 x", floor_value=0.7, unit="x link", measure=over_wan, quick=False),
    Row("trees-again", "100,000 x 10 KB again, nothing changed", aim=">= 100,000 files/s",
        aim_value=100_000, floor="50,000 files/s", floor_value=50_000, unit="files/s",
        measure=lambda context: compared(context, "again", False)),
    Row("trees-again-rsyncd", "The same, against the rsync daemon", aim=">= 1 x", aim_value=1.0,
        unit="x rsyncd", measure=lambda context: compared(context, "again", True), quick=False),
    Row("trees-changed", "The same with every hundredth file changed, against the rsync daemon",
        aim=">= 1 x", aim_value=1.0, unit="x rsyncd", quick=False,
        measure=lambda context: compared(context, "changed", True)),
    Row("trees-million", "1,000,000 files in one directory: memory of the larger side",
        aim="< 50 MB", aim_value=50.0, unit="MB", lower_is_better=True, measure=million,
        quick=False),
]
