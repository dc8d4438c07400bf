"""Memory, system calls, allocations and copies."""

import os
from statistics import median

import data
import measure
from arena import arena
from contest import Contest, peak
from peers import Wormhole
from processes import LabError
from rows.base import Outcome, Row, judged, present

GB, GIB = 10 ** 9, 1 << 30
FILE = "large.bin"
BLOCK = 128 << 10
CHUNKS = GIB / (2 << 20)  # in what the longer file is longer by
LONGER_FILE = (GIB // 2, GIB // 2 + GIB)


def memory(context):
    """The larger of the two ends' peaks, VmHWM by the kernel's count."""
    size = 2 * GB if context.quick else 10 * GB
    # Both on disks: 20 GB of tmpfs would leave the machine none.
    with arena(context, "10gbit", size, source_disk="tmpfs" if context.quick else "xfs") as place:
        data.write_file(f"{place.source}/{FILE}", size, seed=1)
        peers = () if context.quick else ("scp", "rsyncd")
        contest = Contest(context, place, FILE, size).add("wormhole", *peers).run(
            context.runs(full=2, quick=1))
    samples = [sample for sample in contest.entries["wormhole"].samples if sample]
    notes = [f"fetching {sample.client_peak_bytes / 1e6:.1f} MB, "
             f"sharing {sample.server_peak_bytes / 1e6:.1f} MB" for sample in samples]
    if context.quick:
        notes.append("A quick run: a file of 2 GB stands for the one of 10 GB.")
    return judged(contest, peak, "wormhole", (), present, "MB", notes)


def fetch_once(place, peer, prefix=(), environment=None):
    """One checked fetch of FILE, for rows that count what its two processes do."""
    peer.start(place.server, place.source)
    directory = place.fresh_directory()
    try:
        command = peer.fetch(place.client, FILE, directory)
        measure.timed(place.client, [*prefix, *command.argv],
                      {**command.env, **(environment or {})})
    finally:
        peer.stop()
    if not data.same_file(f"{place.source}/{FILE}", os.path.join(directory, FILE)):
        raise LabError("the fetched file is not the source")


def system_calls(context, size):
    """{side: {name: calls}} of one fetch of a file of `size`, all threads, start and end included."""
    with arena(context, None, size, disk="tmpfs") as place:
        data.write_file(f"{place.source}/{FILE}", size, seed=1)
        counts = {"share": place.server.path("calls"), "get": place.client.path("calls")}
        fetch_once(place, Wormhole(server_strace=counts["share"]),
                   prefix=measure.strace(counts["get"]))
        return {side: measure.count_calls(path) for side, path in counts.items()}


def memory_calls(context, counter, size):
    """{side: (allocations, bytes copied)} of one fetch of a file of `size`."""
    with arena(context, None, size, disk="tmpfs") as place:
        data.write_file(f"{place.source}/{FILE}", size, seed=1)
        place.server.preload = place.client.preload = counter
        written = {"share": place.server.path("memory"), "get": place.client.path("memory")}
        place.server.extra_environment = {"WORMHOLE_LAB_MEMORY": written["share"]}
        fetch_once(place, Wormhole(), environment={"WORMHOLE_LAB_MEMORY": written["get"]})
        counts = {}
        for side, path in written.items():
            with open(path) as text:
                counts[side] = tuple(int(word) for word in text.read().split())
        return counts


def in_pairs(context, measured, full):
    """[(of the shorter file, of the longer one)], one a run: what `measured(size)` showed."""
    return [[measured(size) for size in LONGER_FILE]
            for _ in range(context.runs(full=full, quick=1))]


def more_for_a_longer_file(pairs, count, share, unit):
    """What a file longer by 1 GiB costs more, of either side, in `share`s: what is done once is no
    matter. The median of several runs, as a stream more or less is another number."""
    more = {side: median(max(count(longer[side]) - count(shorter[side]), 0)
                         for shorter, longer in pairs) / share for side in ("share", "get")}
    contestants = [{"name": side, "title": f"wormhole {side}", "encrypted": True, "error": "",
                    "values": [value], "samples": []} for side, value in more.items()]
    return Outcome([max(more.values())], contestants, contestants_unit=unit,
                   notes=[f"{side}: {count(shorter[side])} in all for 0.5 GiB, "
                          f"{count(longer[side])} for 1.5 GiB"
                          for shorter, longer in pairs for side in more])


def memory_row(context, index, share, what):
    """Two rows are read from the same runs."""
    def run():
        counter = context.build_file("lab/count_memory.so")
        if not counter:
            raise LabError("lab/count_memory is not built")
        return in_pairs(context, lambda size: memory_calls(context, counter, size), full=5)
    return more_for_a_longer_file(context.once("longer file", run), lambda counts: counts[index],
                                  share, f"{what} a chunk")


def system_calls_row(context):
    pairs = in_pairs(context, lambda size: system_calls(context, size), full=3)
    outcome = more_for_a_longer_file(pairs, lambda calls: sum(calls.values()), GIB / BLOCK,
                                     "calls / 128 KiB")
    outcome.notes += [side + ", the longer file: " + ", ".join(
        f"{name} {count}" for name, count in sorted(
            names.items(), key=lambda item: -item[1])[:6]) for side, names in pairs[-1][1].items()]
    return outcome


ROWS = [
    Row("memory", "Peak memory of either side, one file of 10 GB", promise="< 50 MB",
        aim="< 50 MB", aim_value=50.0, floor="< 50 MB", floor_value=50.0, unit="MB",
        lower_is_better=True, measure=memory),
    Row("allocations", "Allocations per chunk of 2 MiB once it runs, the busier side", promise="0",
        aim="0 (<= 0.05)", aim_value=0.05, unit="a chunk", lower_is_better=True, quick=False,
        measure=lambda context: memory_row(context, 0, CHUNKS, "allocations")),
    Row("copies", "RAM copies per chunk in user space (memcpy, memmove), the busier side",
        promise="0-1", aim="0 (<= 0.01)", aim_value=0.01, unit="a chunk", lower_is_better=True,
        quick=False, measure=lambda context: memory_row(context, 1, GIB, "copies")),
    Row("syscalls", "System calls per 128 KiB once it runs, the busier side", promise="1-2",
        aim="<= 1.1", aim_value=1.1, unit="calls", lower_is_better=True,
        measure=system_calls_row),
]
