"""A file of which an older version is there: only what is new crosses."""

import os
import shutil
from contextlib import contextmanager
from dataclasses import asdict

import data
import disks
import measure
from arena import arena
from contest import order_of_round
from peers import Casync, RsyncDaemon, Wormhole
from processes import LabError
from rows.base import Outcome, Row
from statistics_of import paired

MIB = 1 << 20
SIZES = (1024 * MIB, 256 * MIB)  # full, quick
CHUNK_MAX = 8 * MIB
OLD = "old.bin"
OLD_TIME = 1_500_000_000


def insert(old, new, size):
    new.write(b"x")
    shutil.copyfileobj(old, new, MIB)


def overwrite(old, new, size):
    """A tenth, in the middle."""
    shutil.copyfileobj(old, new, MIB)
    new.seek(size * 45 // 100)
    new.write(os.urandom(size // 10))


def move(old, new, size):
    """The third quarter comes first."""
    for begin, end in ((size // 2, size * 3 // 4), (0, size // 2), (size * 3 // 4, size)):
        old.seek(begin)
        for at in range(begin, end, MIB):
            new.write(old.read(min(MIB, end - at)))


# What is new in it, as a part of the file, and in how many places it changed.
CHANGES = {insert: (0.0, 1), overwrite: (0.1, 1), move: (0.0, 3)}


class RsyncOfChanges(RsyncDaemon):
    title = "rsync daemon (plaintext), --no-whole-file"

    def fetch(self, client, remote, local_dir, tree=False):
        command = super().fetch(client, remote, local_dir, tree)
        command.argv[1:1] = ["--no-whole-file"]
        return command


def fetched(place, peer, change, size):
    """A Sample of fetching the new version over the old one."""
    directory = place.fresh_directory()
    name = change.__name__
    try:
        there = os.path.join(directory, name)
        shutil.copyfile(os.path.join(place.source, OLD), there)
        os.utime(there, (OLD_TIME, OLD_TIME))
        disks.settle(place.destination)
        measure.warm_memory(size)
        command = peer.fetch(place.client, name, directory)
        sample = measure.timed(place.client, command.argv, command.env, peer.server_pid)
        sample.bytes = size
        peer.finish(sample)
        sample.extra.pop("stdout", None)
        if not data.same_file(os.path.join(place.source, name), there):
            raise LabError(f"{peer.name}: the fetched file is not the source")
        part, places = CHANGES[change]
        if peer.name == "wormhole" and \
                sample.wire_bytes > 1.05 * part * size + places * 4 * CHUNK_MAX:
            raise LabError(f"{name}: {sample.wire_bytes} bytes crossed the link")
        return sample
    finally:
        place.remove(directory)


@contextmanager
def beside(context, peers, name):
    """Casync, whose figures no row needs, is left out from when it does not work."""
    try:
        yield
    except (LabError, OSError) as error:
        if name != Casync.name:
            raise
        context.say(f"    {name:10} {error}")
        peers.pop(name).stop()


def contest(context, link):
    """{change: {peer: [Sample]}}"""
    size = SIZES[context.quick]
    with arena(context, link, 4 * size) as place:
        data.write_file(f"{place.source}/{OLD}", size, seed=1)
        for change in CHANGES:
            with open(f"{place.source}/{OLD}", "rb") as old, \
                    open(f"{place.source}/{change.__name__}", "wb") as new:
                change(old, new, size)
        peers = {peer.name: peer for peer in (Wormhole(["--overwrite"]), RsyncOfChanges())}
        if not context.quick:
            peers[Casync.name] = Casync([change.__name__ for change in CHANGES])
        samples = {change: {name: [] for name in peers} for change in CHANGES}
        try:
            for name in list(peers):
                with beside(context, peers, name):
                    peers[name].start(place.server, place.source)
            for number in range(context.runs(full=5, quick=1)):
                for change, some in samples.items():
                    for name in order_of_round(list(peers), number):
                        with beside(context, peers, name):
                            sample = fetched(place, peers[name], change, size)
                            some[name].append(sample)
                            context.say(f"    {name:10} {change.__name__:10} "
                                        f"{sample.seconds:8.3f} s  "
                                        f"{sample.wire_bytes / MIB:8.1f} MiB")
        finally:
            for peer in peers.values():
                peer.stop()
        return samples


def contestants(samples, value):
    """One entry a change and peer."""
    titles = {peer.name: peer.title for peer in (Wormhole, RsyncOfChanges, Casync)}
    return [{"name": f"{name} {change.__name__}", "title": f"{titles[name]}: {change.__name__}",
             "encrypted": name == "wormhole", "error": "",
             "values": [value(sample) for sample in some],
             "samples": [asdict(sample) for sample in some]}
            for change, peers in samples.items() for name, some in peers.items()]


def speed(context, link):
    samples = context.once("changed " + link, lambda: contest(context, link))
    ratios = [ratio for some in samples.values()
              for ratio in paired([sample.seconds for sample in some["rsyncd"]],
                                  [sample.seconds for sample in some["wormhole"]])]
    return Outcome(ratios, contestants(samples, lambda sample: sample.seconds),
                   contestants_unit="s")


def wire(context):
    samples = context.once("changed 10gbit", lambda: contest(context, "10gbit"))
    return Outcome([sample.wire_bytes / MIB for sample in samples[insert]["wormhole"]],
                   contestants(samples, lambda sample: sample.wire_bytes / MIB),
                   contestants_unit="MiB")


def speed_row(link):
    return Row(f"changed-{link[:-4]}g", f"A changed file, {link[:-4]} Gbit/s, against rsync's delta: "
               "a byte inserted, a tenth overwritten, a quarter moved", aim="> 1 x rsync",
               aim_value=1.0, floor="faster than rsync", floor_value=1.0, unit="x rsync",
               measure=lambda context: speed(context, link), quick=link == "10gbit")


ROWS = [
    Row("insert", "One byte inserted at the front of 1 GB", aim="< 8 MiB on the wire",
        aim_value=8.0, floor="< 8 MiB", floor_value=8.0, unit="MiB", lower_is_better=True,
        measure=wire),
    speed_row("1gbit"),
    speed_row("10gbit"),
]
