"""A file that was fetched before: again, elsewhere, and under another name."""

import json
import os
import random
import shutil
from dataclasses import asdict

import data
import disks
import measure
from arena import arena
from contest import order_of_round
from peers import Wormhole
from processes import LabError
from rows.base import Outcome, Row
from statistics_of import paired

MIB = 1 << 20
SIZES = (1024 * MIB, 256 * MIB)  # full, quick
FILE = "large.bin"
WIRE_MAX = 64 << 10
SPARE = 2 * MIB
# Two versions of a file over a path that is slower than hashing.
WAN = {"rate": "100mbit", "rtt": "50ms"}
VERSION_BYTES = 64 * MIB
CHUNK_BYTES, CHUNKS_PER_CHANGE = 2 * MIB, 4
WIRE_OVERHEAD = 1.06  # a packet of 1,448 bytes is 1,514 on the wire


class Fetcher:
    """One user's fetches, by one index; both ends start anew for each."""

    def __init__(self, place):
        self.place = place
        self.cache = place.client.path("cache-of-all")

    def fetch(self, remote, directory, wire_max=WIRE_MAX):
        """A Sample; the file must be right, and have come by the index."""
        peer = Wormhole()
        peer.cache = self.cache
        peer.start(self.place.server, self.place.source)
        try:
            disks.settle(self.place.destination)
            command = peer.fetch(self.place.client, remote, directory)
            sample = measure.timed(self.place.client, command.argv, command.env, peer.server_pid)
            peer.finish(sample)
        finally:
            peer.stop()
        sample.extra.pop("stdout", None)
        if not data.same_file(f"{self.place.source}/{remote}",
                              os.path.join(directory, os.path.basename(remote))):
            raise LabError(f"{remote}: the fetched file is not the source")
        if wire_max is not None and sample.wire_bytes > wire_max:
            raise LabError(f"{remote}: {sample.wire_bytes} bytes crossed the link")
        return sample

    def hit_rate(self):
        """In percent, as `wormhole cache` tells it."""
        told = self.place.client.run([Wormhole.binary, "cache", "--json"],
                                     env={"XDG_CACHE_HOME": self.cache})
        summary = json.loads(told.stdout)
        return 100 * summary["found"] / summary["lookups"]


def again(context, disk):
    """(Samples in place, Samples in a new directory)"""
    size = SIZES[context.quick]
    in_place, elsewhere = [], []
    with arena(context, "10gbit", size, disk=disk, copies=3) as place:
        data.write_file(f"{place.source}/{FILE}", size, seed=1)
        fetcher = Fetcher(place)
        first = place.fresh_directory()
        fetcher.fetch(FILE, first, wire_max=None)
        for _ in range(context.runs(full=5, quick=2)):
            in_place.append(fetcher.fetch(FILE, first))
            other = place.fresh_directory()
            measure.warm_memory(size)
            elsewhere.append(fetcher.fetch(FILE, other))
            place.remove(other)
            context.say(f"    {disk:6} in place {in_place[-1].seconds:7.3f} s  elsewhere "
                        f"{elsewhere[-1].seconds:7.3f} s  {elsewhere[-1].wire_bytes:8} bytes")
    return in_place, elsewhere


def seconds(context, disk, which):
    samples = context.once("again " + disk, lambda: again(context, disk))[which]
    report = {"name": "wormhole", "title": "Wormhole", "encrypted": True, "error": "",
              "values": [sample.seconds for sample in samples],
              "samples": [asdict(sample) for sample in samples]}
    return Outcome(report["values"], [report], contestants_unit="s",
                   notes=[f"{sample.wire_bytes} bytes crossed the link" for sample in samples])


def hit_rate(context):
    """Renamed, moved, copied, and all of it after both ends have started anew."""
    size = SIZES[context.quick] // 4
    with arena(context, "10gbit", 2 * size, copies=3) as place:
        fetcher = Fetcher(place)
        data.write_file(f"{place.source}/{FILE}", size, seed=1)
        fetcher.fetch(FILE, place.fresh_directory(), wire_max=None)
        os.rename(f"{place.source}/{FILE}", f"{place.source}/renamed.bin")
        fetcher.fetch("renamed.bin", place.fresh_directory())
        shutil.copyfile(f"{place.source}/renamed.bin", f"{place.source}/copied.bin")
        fetcher.fetch("copied.bin", place.fresh_directory())
        os.mkdir(f"{place.source}/sub")
        os.rename(f"{place.source}/copied.bin", f"{place.source}/sub/moved.bin")
        fetcher.fetch("sub/moved.bin", place.fresh_directory())
        fetcher.fetch("renamed.bin", place.fresh_directory())
        return Outcome([fetcher.hit_rate()])


def twins(context):
    """A file and a copy of it."""
    return beside_itself(context, "10gbit", SIZES[context.quick], shutil.copyfile,
                         "with its copy", 0)


def versions(context):
    """A file and a later version of it, longer by what was put in at a third of it."""
    def edit(source, target):
        with open(source, "rb") as old, open(target, "wb") as new:
            new.write(old.read(VERSION_BYTES // 3))
            new.write(random.Random(1).randbytes(MIB))
            shutil.copyfileobj(old, new)
    return beside_itself(context, WAN, VERSION_BYTES, edit, "with a later version",
                         MIB + CHUNKS_PER_CHANGE * CHUNK_BYTES)


def beside_itself(context, link, size, make_second, title, new_bytes):
    """A file and what is made of it, to the file alone. No more than `new_bytes` cross besides."""
    seconds = {"one": [], "two": []}
    wire = []
    with arena(context, link, 2 * size + SPARE, copies=2) as place:
        for name in seconds:
            os.mkdir(f"{place.source}/{name}")
            data.write_file(f"{place.source}/{name}/{FILE}", size, seed=1)
        make_second(f"{place.source}/two/{FILE}", f"{place.source}/two/second.bin")
        peer = Wormhole()
        peer.start(place.server, place.source)
        try:
            for number in range(context.runs(full=5, quick=2)):
                for name in order_of_round(list(seconds), number):
                    directory = place.fresh_directory()
                    disks.settle(place.destination)
                    measure.warm_memory(2 * size)
                    command = peer.fetch(place.client, name, directory, tree=True)
                    sample = measure.timed(place.client, command.argv, command.env,
                                           peer.server_pid)
                    peer.finish(sample)
                    sample.extra.pop("stdout", None)
                    seconds[name].append(sample.seconds)
                    for file in os.listdir(f"{place.source}/{name}"):
                        if not data.same_file(f"{place.source}/{name}/{file}",
                                              arrived(directory, file)):
                            raise LabError(f"{file}: the fetched file is not the source")
                    if name == "two":
                        wire.append(sample.wire_bytes)
                    if sample.wire_bytes > (size + new_bytes) * WIRE_OVERHEAD + MIB:
                        raise LabError(f"{sample.wire_bytes} bytes crossed the link")
                    place.remove(directory)
                context.say(f"    one {seconds['one'][-1]:7.3f} s  two {seconds['two'][-1]:7.3f} s")
        finally:
            peer.stop()
    contestants = [{"name": name, "title": shown, "encrypted": True, "error": "",
                    "values": seconds[name], "samples": []}
                   for name, shown in (("one", "the file alone"), ("two", title))]
    return Outcome(paired(seconds["two"], seconds["one"]), contestants, contestants_unit="s",
                   notes=[f"{one} bytes crossed the link" for one in wire])


def arrived(directory, name):
    """Where it came to stand below the directory."""
    for root, _, files in os.walk(directory):
        if name in files:
            return os.path.join(root, name)
    raise LabError(f"{name} did not arrive")


def seconds_row(name, title, disk, which, aim, floor, promise=""):
    return Row(name, title, promise=promise, aim=f"< {aim} s, < 64 KiB on the wire", aim_value=aim,
               floor=f"< {floor} s", floor_value=floor, unit="s", lower_is_better=True,
               measure=lambda context: seconds(context, disk, which), quick=disk == "xfs")


ROWS = [
    seconds_row("identical", "1 GiB again, in place", "xfs", 0, 0.1, 1.0, promise="< 1 s"),
    seconds_row("identical-elsewhere", "1 GiB again, into a new directory of XFS", "xfs", 1, 0.5,
                1.0, promise="< 1 s"),
    seconds_row("identical-copied", "1 GiB again, into a new directory of a disk that shares no "
                "blocks", "tmpfs", 1, 1.0, 2.0, promise="< 1 s"),
    Row("twins", "1 GiB and a copy of it in one share, 10 Gbit/s, to the file alone", promise="-",
        aim="<= 1.5 x, once on the wire", aim_value=1.5, floor="<= 2 x", floor_value=2.0, unit="x",
        lower_is_better=True, measure=twins, quick=False),
    Row("versions", "64 MiB and a later version of it in one share, 100 Mbit/s, 50 ms, to the file "
        "alone", promise="-", aim="<= 1.2 x", aim_value=1.2, floor="<= 1.5 x", floor_value=1.5,
        unit="x", lower_is_better=True, measure=versions, quick=False),
    Row("dedup", "Files found again: renamed, moved, copied, both ends restarted", promise="> 99 %",
        aim="100 %", aim_value=100.0, floor="> 99 %", floor_value=99.0, unit="%", measure=hit_rate),
]
