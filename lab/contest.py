"""Contestants take turns over the same files: A B C, A B C, ...; every result is checked."""

import os
import time
from dataclasses import asdict, dataclass, field

import data
import disks
import measure
import peers
from course import Course
from processes import LabError

MEGABYTE = 1e6
# What a run may take newly: the copy, and what lies between the ends and the disk meanwhile. A run
# of more uses the same memory again and again.
WARM_SHARE = 2
WARM_BYTES_MAX = 6 << 30
# From this size on a contest of one file begins each run with a small one.
FIRST, FIRST_BYTES = "first.bin", 64 << 10
FIRST_FROM_BYTES = 64 << 20


@dataclass
class Entry:
    """One contestant's samples; None where a round was not measured."""
    peer: object
    samples: list = field(default_factory=list)
    error: str = ""

    def values(self, quantity):
        return [quantity(sample) if sample else None for sample in self.samples]

    def measured(self, quantity):
        return [value for value in self.values(quantity) if value is not None]


def rate(sample):
    return sample.rate / MEGABYTE


def files_rate(sample):
    return sample.files / sample.seconds


def peak(sample):
    return max(sample.client_peak_bytes, sample.server_peak_bytes) / MEGABYTE


def cpu_per_gigabyte_and_side(sample):
    return sample.cpu_seconds / (sample.bytes / 1e9) / 2


def server_cpu_per_gigabyte(sample):
    return sample.server_cpu_seconds / (sample.bytes / 1e9)


def order_of_round(names, number):
    """Nobody always comes after the same one, of however many: a turn further every second round,
    and every second round goes backwards."""
    turn = number // 2 % len(names)
    order = names[turn:] + names[:turn]
    return order[::-1] if number % 2 else order


class Contest:
    """Fetches `remote` (a file, or a tree) from the arena's source with each peer in turn.

    A peer that does not work is reported as such and left out from then on."""

    def __init__(self, context, arena, remote, size, files=1, tree=False, script=(),
                 wire_least=None, carries_first=None, is_cold=False):
        self.context, self.arena = context, arena
        self.remote, self.size, self.files, self.tree = remote, size, files, tree
        # Fewer bytes on the wire were no transfer.
        self.wire_least = size if wire_least is None else wire_least
        self.script = script  # how a wide-area link changes during each run: course.Course
        self.entries = {}
        self.is_cold = is_cold  # a file, which is read from its disk each time
        # See _carry_first().
        self._carries_first = (size >= FIRST_FROM_BYTES and not tree if carries_first is None
                               else carries_first)
        if self._carries_first:
            data.write_file(os.path.join(arena.source, FIRST), FIRST_BYTES, seed=1)

    def add(self, *contestants):
        for peer in contestants:
            name = peer if isinstance(peer, str) else peer.name
            entry = self.entries[name] = Entry(peers.ALL[peer]() if isinstance(peer, str) else peer)
            try:
                entry.peer.start(self.arena.server, self.arena.source)
            except (LabError, OSError) as error:
                entry.error = str(error)
        return self

    def run(self, rounds):
        try:
            for number in range(rounds):
                if number > 0 and self.context.is_late():
                    break
                for name in order_of_round(list(self.entries), number):
                    self._one_run(name, self.entries[name])
        finally:
            for entry in self.entries.values():
                entry.peer.stop()
        return self

    def _one_run(self, name, entry):
        if entry.error:
            entry.samples.append(None)
            return
        try:
            measure.warm_memory(min(WARM_SHARE * self.size, WARM_BYTES_MAX))
            if self._carries_first:
                self._carry_first(entry.peer)
            limit = isinstance(entry.peer, peers.Iperf3)
            entry.samples.append(self._limit(entry.peer) if limit else self._fetch(entry.peer))
        except (LabError, OSError, KeyError, ValueError) as error:
            entry.error = str(error) or type(error).__name__
            entry.samples.append(None)
        sample = entry.samples[-1]
        self.context.say(f"    {name:10} " + (f"{rate(sample):8.1f} MB/s {sample.seconds:6.2f} s"
                                              if sample else entry.error))

    def _carry_first(self, peer):
        """A small file, not measured. Touching gigabytes of memory takes the programs' own pages
        out of the reach of a virtual machine: 8 GiB, and the next start of `true` takes 30 ms in
        place of 3, of `iperf3` 50, of `wormhole` 80; the one after it is as before. A pause does
        so for the processor's caches, which others use (docs/measurements.md): behind one of 0.3 s
        `true` takes three times as long."""
        client = self.arena.client
        if isinstance(peer, peers.Iperf3):
            command = peer.carry(FIRST_BYTES)
            measure.timed(client, command.argv, command.env)
            return
        directory = self.arena.fresh_directory()
        try:
            command = peer.fetch(client, FIRST, directory)
            measure.timed(client, command.argv, command.env)
        finally:
            self.arena.remove(directory)

    def _timed(self, peer, command):
        client, wan = self.arena.client, self.arena.wan
        if not wan:
            return measure.timed(client, command.argv, command.env, peer.server_pid)
        course = Course(client, wan, self.script)
        sample = measure.timed(client, command.argv, command.env, peer.server_pid,
                               other_cpu=self.arena.other_cpu, on_tick=course.on_tick)
        sample.course = course.points
        return sample

    def _limit(self, peer):
        sample = self._timed(peer, peer.carry(self.size))
        peer.finish(sample)
        return sample

    def _fetch(self, peer):
        client = self.arena.client
        client.clear_cache()
        directory = self.arena.fresh_directory()
        try:
            command = peer.fetch(client, self.remote, directory, self.tree)
            if self.is_cold:
                disks.forget(os.path.join(self.arena.source, self.remote))
            sample = self._timed(peer, command)
            sample.bytes, sample.files = self.size, self.files
            peer.finish(sample)
            sample.extra.pop("stdout", None)
            if self.tree:
                since = time.time() - time.monotonic() + sample.extra["began"]
                sample.extra["first_file_ms"] = 1e3 * (data.first_arrival(directory) - since)
            self._verify(directory)
        finally:
            self.arena.remove(directory)
        if sample.wire_bytes < self.wire_least:
            raise LabError(f"only {sample.wire_bytes} bytes crossed the link for {self.size}: "
                           "that was no transfer")
        return sample

    def _verify(self, directory):
        source = os.path.join(self.arena.source, self.remote)
        if self.tree:
            wrong = data.differences(source, directory)
            if wrong:
                raise LabError(f"{len(wrong)} files not right: {'; '.join(wrong[:3])}")
        elif not data.same_file(source, os.path.join(directory, os.path.basename(self.remote))):
            raise LabError("the fetched file is not the source")

    def report(self, quantity):
        """For the report: every contestant with its values in the row's unit."""
        rows = []
        for name, entry in self.entries.items():
            rows.append({"name": name, "title": entry.peer.title,
                         "encrypted": entry.peer.encrypted, "error": entry.error,
                         "values": entry.measured(quantity),
                         "samples": [asdict(sample) for sample in entry.samples if sample]})
        return rows
