"""Several clients at once."""

import json
import os
import time

import data
import processes
from arena import arena
from contest import MEGABYTE
from peers import Iperf3, Wormhole
from processes import LabError
from rows.base import Outcome, Row

MIB = 1 << 20
CLIENTS = 4
FILE = "large.bin"
SIZES = (1024 * MIB, 512 * MIB)
SECONDS_MAX = 600


def limit_rate(place, peer, size):
    """What four streams of iperf3 carry in all, in MB/s."""
    done = place.client.run(peer.carry(size, streams=CLIENTS).argv)
    received = json.loads(done.stdout)["end"]["sum_received"]
    return received["bits_per_second"] / 8 / MEGABYTE


def fetch_at_once(place, peer, size):
    """Returns (all bytes until the last client is done, the slowest client, a fair share: the mean
    of the clients' own rates) in MB/s. Each client has caches of its own."""
    running = []
    began = time.monotonic()
    for number in range(CLIENTS):
        directory = place.fresh_directory()
        command = peer.fetch(place.client, FILE, directory)
        cache = place.client.path(f"cache-{os.path.basename(directory)}")
        error = open(place.client.path(f"stderr-{number}"), "w+")
        process = place.client.start(command.argv, env={**command.env, "XDG_CACHE_HOME": cache},
                                     stdin=-3, stdout=-3, stderr=error)
        running.append((process, directory, error))
    ended = {}

    def look():
        for process, _, _ in running:
            if process.poll() is not None:
                ended.setdefault(process.pid, time.monotonic() - began)
    while len(ended) < CLIENTS:
        waiting = next(process for process, _, _ in running if process.pid not in ended)
        if not processes.wait_exit(waiting, SECONDS_MAX, look, tick_seconds=0.01):
            raise LabError(f"a client did not finish within {SECONDS_MAX} s")
        look()
    for process, directory, error in running:
        with error:
            error.seek(0)
            if process.returncode != 0:
                raise LabError(f"a client ended with {process.returncode}: {error.read()[-300:]}")
        if not data.same_file(f"{place.source}/{FILE}", f"{directory}/{FILE}"):
            raise LabError("a fetched file is not the source")
        place.remove(directory)
    rates = [size / seconds / MEGABYTE for seconds in ended.values()]
    return CLIENTS * min(rates), min(rates), sum(rates) / CLIENTS


def rounds(context):
    def run():
        size = SIZES[context.quick]
        results = []
        with arena(context, "10gbit", size, disk="tmpfs", copies=CLIENTS) as place:
            data.write_file(f"{place.source}/{FILE}", size, seed=1)
            limit, peer = Iperf3(), Wormhole()
            try:
                limit.start(place.server, place.source)
                peer.start(place.server, place.source)
                for _ in range(context.runs(full=5, quick=2)):
                    carried = limit_rate(place, limit, CLIENTS * size)
                    results.append((carried, *fetch_at_once(place, peer, size)))
                    context.say("    limit {:.1f}, together {:.1f}, slowest {:.1f}, mean {:.1f} "
                                "MB/s".format(*results[-1]))
            finally:
                peer.stop()
                limit.stop()
        return results
    return context.once("concurrent", run)


def report(results):
    def entry(name, title, values, encrypted):
        return {"name": name, "title": title, "encrypted": encrypted, "error": "",
                "values": values, "samples": []}
    return [entry("iperf3", "iperf3, 4 streams (limit)", [one[0] for one in results], False),
            entry("wormhole", "Wormhole, 4 clients together", [one[1] for one in results], True),
            entry("slowest", "its slowest client", [one[2] for one in results], True)]


def outcome(context, reached):
    results = rounds(context)
    limits = sorted(one[0] for one in results)
    return Outcome([reached(*one) for one in results], report(results),
                   limit=f"{limits[len(limits) // 2]:.1f} MB/s")


ROWS = [
    Row("concurrent", "4 clients at once, 10 Gbit/s, summed", promise="full aggregate",
        aim=">= 0.95 x limit", aim_value=0.95,
        measure=lambda context: outcome(context, lambda limit, total, *_: total / limit)),
    Row("concurrent-fair", "The slowest of the 4, to its fair share", promise="-",
        aim=">= 0.7 x fair share", aim_value=0.7, unit="x share",
        measure=lambda context: outcome(context,
                                        lambda _, total, slowest, fair: slowest / fair)),
]
