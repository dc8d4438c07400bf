"""One file of 50 GB, from a source that is read for the first time to the machine's own disk."""

import contextlib
import mmap
import os
import subprocess
import time

import course
import disks
import links
import measure
import processes
from contest import MEGABYTE
from hosts import Lab
from peers import Iperf3, Wormhole
from processes import LabError, run
from rows.base import Outcome, Row

GB = 10 ** 9
SIZE, QUARTER = 50 * GB, 10 * GB
LINK = "10gbit"
FILE = "large.bin"
OTHER_BYTES = 2 * GB  # of another program, in the page cache
SPARE = 4 * GB
BLOCK = 4 << 20


@contextlib.contextmanager
def generated(context, host, size):
    """A directory with FILE in it: too large to stand on the disk twice, so it is made up as it is
    read (lab/generated_file.cc)."""
    program = context.build_file("lab/generated_file")
    if not program:
        raise LabError("lab/generated_file is not built")
    if not os.path.exists("/dev/fuse"):
        raise LabError("this kernel has no /dev/fuse")
    directory = host.path("source")
    os.mkdir(directory)
    process = host.start([program, "mount", directory, size], stdout=-3, stderr=-3)
    try:
        processes.wait_until(lambda: os.path.exists(f"{directory}/{FILE}"), "generated_file", process)
        yield directory
    finally:
        run(["umount", "--lazy", directory], check=False)
        processes.stop(process)


def check(context, path, size):
    done = subprocess.run([context.build_file("lab/generated_file"), "check", path, str(size)],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(done.stdout.strip() or "the fetched file could not be checked")


def disk_rate(directory, size):
    """MB/s of one program that writes with direct I/O, one block after the other."""
    path = os.path.join(directory, "disk-rate")
    block = mmap.mmap(-1, BLOCK)
    block.write(os.urandom(BLOCK))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_DIRECT, 0o600)
    try:
        began = time.monotonic()
        for _ in range(0, size, BLOCK):
            os.write(descriptor, block)
        os.fsync(descriptor)
        return size / (time.monotonic() - began) / MEGABYTE
    finally:
        os.close(descriptor)
        os.unlink(path)


def other_program(directory):
    """A file that another program has just read twice: all of it is in the page cache."""
    path = os.path.join(directory, "other.bin")
    with open(path, "wb") as file:
        for _ in range(0, OTHER_BYTES, BLOCK):
            file.write(os.urandom(BLOCK))
        os.fsync(file.fileno())
    for _ in range(2):
        with open(path, "rb", buffering=0) as file:
            while file.read(BLOCK):
                pass
    return path


def one_run(context):
    """{what: value}, and the run's Sample."""
    with Lab(context.directory) as lab:
        server, client = lab.host("a", "10.77.0.1"), lab.host("b", "10.77.0.2")
        links.lan(server, client, LINK)
        # What the file system gives out for the first time is slow on a virtual disk.
        destination = lab.keep(disks.plain(client.directory, "destination", SIZE + SPARE, warm=SIZE))
        disk = disk_rate(destination, QUARTER)
        source = lab.keep(generated(context, server, SIZE))
        limit, peer = Iperf3(), Wormhole()
        try:
            limit.start(server, source)
            command = limit.carry(QUARTER)
            sample = measure.timed(client, command.argv, command.env)
            limit.finish(sample)
            link = sample.rate / MEGABYTE
            other = other_program(destination)
            before = disks.cached_bytes(other)
            peer.start(server, source)
            command = peer.fetch(client, FILE, destination)
            way = course.Course(client, None)
            sample = measure.timed(client, command.argv, command.env, peer.server_pid,
                                   on_tick=way.on_tick)
            sample.bytes, sample.course = SIZE, way.points
            peer.finish(sample)
            kept = disks.cached_bytes(other) / before
        finally:
            peer.stop()
            limit.stop()
        check(context, f"{destination}/{FILE}", SIZE)
    return {"disk": disk, "link": link, "rate": sample.rate / MEGABYTE, "kept": kept,
            "flat": last_to_first(way.points)}, sample


def last_to_first(points):
    """The rate of the last 10 GB to that of the first."""
    def seconds_at(wire_bytes):
        return next(at for at, count in points if count >= wire_bytes)
    end_at, end = points[-1]
    return seconds_at(QUARTER) / (end_at - seconds_at(end - QUARTER))


def rounds(context):
    return context.once("sustained", lambda: [one_run(context)
                                              for _ in range(context.runs(full=2, quick=1))])


def outcome(context, reached):
    results = rounds(context)

    def entry(name, title, values, samples=()):
        return {"name": name, "title": title, "encrypted": name == "wormhole", "error": "",
                "values": values, "samples": list(samples)}
    contestants = [entry("iperf3", "iperf3 (limit)", [shown["link"] for shown, _ in results]),
                   entry("disk", "direct writes to the disk", [shown["disk"] for shown, _ in results]),
                   entry("wormhole", "Wormhole", [shown["rate"] for shown, _ in results],
                         [vars(sample) for _, sample in results])]
    return Outcome([reached(shown) for shown, _ in results], contestants,
                   limit=f"{min(results[0][0]['link'], results[0][0]['disk']):.0f} MB/s",
                   notes=["The source is made up as it is read, by a process on the same two cores; "
                          "the destination is the machine's own disk; every byte is checked."])


ROWS = [
    Row("sustained", "One file of 50 GB, 10 Gbit/s, to the disk", promise="> 500 MB/s",
        aim=">= 0.9 x the slower of link and disk", aim_value=0.9, quick=False,
        measure=lambda context: outcome(
            context, lambda shown: shown["rate"] / min(shown["link"], shown["disk"]))),
    Row("sustained-flat", "Its last 10 GB to its first", aim=">= 0.95 x", aim_value=0.95,
        unit="x first", quick=False,
        measure=lambda context: outcome(context, lambda shown: shown["flat"])),
    Row("sustained-cache", "What stays of 2 GB that another program had in the page cache",
        aim=">= 0.95", aim_value=0.95, unit="of it", quick=False,
        measure=lambda context: outcome(context, lambda shown: shown["kept"])),
]
