"""put beside get: the same engine, turned round, over the same link and onto the same disk."""

import os

import data
import disks
import measure
from arena import arena
from contest import files_rate, order_of_round, rate
from peers import Wormhole
from peers.base import Command
from processes import LabError
from rows.base import Outcome, Row
from statistics_of import paired

MIB = 1 << 20
FILE, TREE = "large.bin", "tree"
FILE_SIZES, COUNTS = (4096 * MIB, 1024 * MIB), (100_000, 20_000)  # full, quick
SMALL = 10_000
WAN = {"rate": "100mbit", "rtt": "50ms", "seed": 7}
WAN_SIZE = 128 * MIB


class Putting(Wormhole):
    """The source's host puts into what the destination's host shares."""
    name = "wormhole-put"
    title = "Wormhole put"

    def __init__(self):
        super().__init__(share_options=["--writable"])
        self.port += 2

    def put(self, place, remote):
        cache = place.server.path(f"cache-put-{self._fetches}")
        self._fetches += 1
        return Command([self.binary, "put", f"{place.source}/{remote}",
                        f"{self.host.address}:{self.port}/.", "--json"],
                       {"WORMHOLE_CODE": "4821-marble-anchor-tulip", "XDG_CACHE_HOME": cache})


def fetched(place, remote, directory, tree):
    peer = Wormhole()
    peer.start(place.server, place.source)
    try:
        command = peer.fetch(place.client, remote, directory, tree=tree)
        sample = measure.timed(place.client, command.argv, command.env, peer.server_pid)
        peer.finish(sample)
        return sample
    finally:
        peer.stop()


def brought(place, remote, directory, _tree):
    peer = Putting()
    peer.start(place.client, directory)
    try:
        command = peer.put(place, remote)
        sample = measure.timed(place.server, command.argv, command.env, peer.server_pid)
        peer.finish(sample)
        return sample
    finally:
        peer.stop()


def one_round(place, how, remote, size, files, tree):
    directory = place.fresh_directory()
    disks.settle(place.destination)
    sample = how(place, remote, directory, tree)
    sample.bytes, sample.files = size, files
    sample.extra.pop("stdout", None)
    if tree:
        wrong = data.differences(f"{place.source}/{remote}", directory)
        if wrong:
            raise LabError(f"{len(wrong)} files not right: {'; '.join(wrong[:3])}")
    elif not data.same_file(f"{place.source}/{remote}", f"{directory}/{remote}"):
        raise LabError("the file is not right")
    place.remove(directory)
    return sample


def beside_get(context, link, remote, make, size, files=1, quantity=rate, **options):
    """The put's rate over the get's, round by round, taking turns."""
    tree = remote == TREE
    values = {"get": [], "put": []}
    with arena(context, link, size, **options) as place:
        make(f"{place.source}/{remote}")
        for number in range(context.runs(full=5, quick=2)):
            for name in order_of_round(["get", "put"], number):
                how = fetched if name == "get" else brought
                values[name].append(quantity(one_round(place, how, remote, size, files, tree)))
            context.say("    " + "  ".join(f"{name} {one[-1]:,.1f}" for name, one in
                                           values.items()))
    unit = "MB/s" if quantity is rate else "files/s"
    return Outcome(paired(values["put"], values["get"]), contestants_unit=unit,
                   notes=[f"{name}: {sorted(one)[len(one) // 2]:,.1f} {unit}"
                          for name, one in values.items()])


def one_file(context, link="10gbit", size=None, **options):
    size = size or FILE_SIZES[context.quick]
    return beside_get(context, link, FILE, lambda path: data.write_file(path, size, seed=1), size,
                      **options)


def small_files(context):
    count = COUNTS[context.quick]

    def make(path):
        os.mkdir(path)
        data.small_files(path, count, SMALL, seed=3, per_directory=200)
    return beside_get(context, "10gbit", TREE, make, count * SMALL, count, files_rate, disk="tmpfs",
                      source_disk="tmpfs")


ROWS = [
    Row("put", "One file put, 10 Gbit/s, against the same fetched", aim=">= 0.97 x get",
        aim_value=0.97, floor="0.8 x", floor_value=0.8, unit="x get", measure=one_file),
    Row("put-trees", "100,000 x 10 KB put, tmpfs to tmpfs, 10 Gbit/s, against the same fetched",
        aim=">= 0.9 x get", aim_value=0.9, floor="0.7 x", floor_value=0.7, unit="x get",
        measure=small_files),
    Row("put-wan", "One file put, 100 Mbit/s, 50 ms, against the same fetched",
        aim=">= 0.97 x get", aim_value=0.97, floor="0.8 x", floor_value=0.8, unit="x get",
        measure=lambda context: one_file(context, WAN, WAN_SIZE, disk="tmpfs"), quick=False),
]
