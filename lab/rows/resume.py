"""An interrupted file: the same command again."""

import os
import signal
from dataclasses import asdict

import data
import disks
import measure
import processes
from arena import arena
from contest import order_of_round
from peers import RsyncDaemon, Wormhole
from processes import LabError
from rows.base import Outcome, Row
from statistics_of import paired

MIB = 1 << 20
FILE = "large.bin"
SIZES = (4096 * MIB, 1024 * MIB)  # full, quick
DONE = 0.9
SLACK = 64 * MIB  # that may cross again


class ResumingWormhole(Wormhole):
    def interrupt(self, client, directory, size):
        """kill -9 once so much of it is written."""
        command = self.fetch(client, FILE, directory)
        with open(client.path("interrupted"), "wb") as output:
            running = client.start(command.argv, env=command.env, stdin=-3, stdout=output,
                                   stderr=output)

            def written():
                return sum(map(data.written_bytes, os.scandir(directory)))
            processes.wait_until(lambda: written() >= DONE * size, "most of the file", running,
                                 client.path("interrupted"))
            processes.stop(running, signal.SIGKILL)
        if os.path.exists(os.path.join(directory, FILE)):
            raise LabError("the file was whole before it was interrupted")


class ResumingRsync(RsyncDaemon):
    title = "rsync daemon, --partial --append-verify"

    def interrupt(self, client, directory, size):
        """What --partial leaves: the beginning of the file, under its final name."""
        path = os.path.join(directory, FILE)
        data.copy_beginning(os.path.join(self.directory, FILE), path, int(DONE * size))

    def fetch(self, client, remote, local_dir, tree=False):
        command = super().fetch(client, remote, local_dir, tree)
        command.argv[1:1] = ["--partial", "--append-verify"]
        return command


def resumed(place, peer, size, is_cold):
    """A Sample of the second run. `is_cold`: nothing of the file is in the page cache, as with one
    that is larger than the memory."""
    directory = place.fresh_directory()
    try:
        peer.interrupt(place.client, directory, size)
        disks.settle(place.destination)  # what was written so far is no matter any more
        measure.warm_memory(size)
        if is_cold:
            disks.drop_caches()
        command = peer.fetch(place.client, FILE, directory)
        sample = measure.timed(place.client, command.argv, command.env, peer.server_pid)
        sample.bytes = size
        peer.finish(sample)
        sample.extra.pop("stdout", None)
        if not data.same_file(os.path.join(place.source, FILE), os.path.join(directory, FILE)):
            raise LabError(f"{peer.name}: the fetched file is not the source")
        if sample.wire_bytes > (1 - DONE) * size * 1.05 + SLACK:
            raise LabError(f"{peer.name}: {sample.wire_bytes} bytes crossed the link again")
        return sample
    finally:
        place.remove(directory)


def resume(context, link, is_cold):
    size = SIZES[context.quick]
    samples = {"wormhole": [], "rsyncd": []}
    with arena(context, link, size, source_disk="xfs" if is_cold else "tmpfs") as place:
        data.write_file(f"{place.source}/{FILE}", size, seed=1)
        disks.settle(place.source)
        peers = {"wormhole": ResumingWormhole(), "rsyncd": ResumingRsync()}
        try:
            for peer in peers.values():
                peer.start(place.server, place.source)
            for number in range(context.runs(full=5, quick=2)):
                for name in order_of_round(list(peers), number):
                    samples[name].append(resumed(place, peers[name], size, is_cold))
                    context.say(f"    {name:10} {samples[name][-1].seconds:8.3f} s")
        finally:
            for peer in peers.values():
                peer.stop()
    seconds = {name: [sample.seconds for sample in some] for name, some in samples.items()}
    contestants = [{"name": name, "title": peer.title, "encrypted": peer.encrypted, "error": "",
                    "values": seconds[name], "samples": [asdict(one) for one in samples[name]]}
                   for name, peer in peers.items()]
    return Outcome(paired(seconds["rsyncd"], seconds["wormhole"]), contestants,
                   contestants_unit="s",
                   notes=[f"{sample.wire_bytes / 1e6:.0f} MB crossed the link for the missing "
                          f"{(1 - DONE) * size / 1e6:.0f} MB" for sample in samples["wormhole"]])


def row(name, title, link, is_cold=False):
    return Row(name, title, promise="10 x rsync", aim=">= 10 x rsync, missing tenth only",
               aim_value=10.0, floor="faster than rsync", floor_value=1.0, unit="x rsync",
               measure=lambda context: resume(context, link, is_cold), quick=False)


ROWS = [
    row("resume", "A file interrupted at 90 % by kill -9, 10 Gbit/s, against rsync", "10gbit"),
    row("resume-bare", "The same over the bare link", None),
    row("resume-cold", "The same at 10 Gbit/s, nothing of it in the page cache", "10gbit",
        is_cold=True),
]
