#!/usr/bin/python3
"""Kills and cuts at random, then the same command again: every byte must be right.

    lab/chaos.py                                     a short run: 1 GB, 6 interruptions
    lab/chaos.py --gigabytes 20 --interruptions 20   the whole thing

A `get` of mixed files is interrupted at random times by one of: kill -9 of the get, kill -9 of the
share, the cable pulled for a while, the get killed while the cable is out. After each, whatever
stands under a final name must be the source's, byte for byte; at the end all of it is there, with
modes and times, and no temporary file is left. The seed is printed: with it the same kinds come in
the same order after the same number of bytes (what they hit depends on the machine).
"""

import argparse
import os
import random
import signal
import stat
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import data  # noqa: E402
import hosts  # noqa: E402
import links  # noqa: E402
import processes  # noqa: E402
from arena import arena  # noqa: E402
from peers import Wormhole  # noqa: E402
from processes import LabError  # noqa: E402

GB = 10 ** 9
LINK = "2.5gbit"
KINDS = ("kill get", "kill share", "cut", "kill get while cut")
# How long a get may take to see that its host is gone, and to end.
END_SECONDS = 120
FINISH_SECONDS = 3600
SLOWEST_BYTES_PER_SECOND = 2_000_000
CUT_SECONDS = (0.2, 3.0)
# More than an even share, as an interrupted file is fetched anew.
MOST_BYTES_FACTOR = 2.5
# One interruption in four comes while the two are still getting to know each other.
EARLY, EARLY_SECONDS = 0.25, 0.1
LOOK_EVERY_SECONDS = 0.01
TEMPORARY = ".wormhole-"
SKIPPED = 77


class Checker:
    """Compares what stands under final names; what was right and has not changed since is not
    read again."""

    def __init__(self, source, destination):
        self.source, self.destination = source, destination
        self._right = {}

    def faults(self):
        found = []
        for path, status in data.walk(self.destination).items():
            if os.path.basename(path).startswith(TEMPORARY):
                continue
            one, other = os.path.join(self.source, path), os.path.join(self.destination, path)
            identity = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            if not os.path.lexists(one):
                found.append(f"no such file in the source: {path}")
            elif stat.S_ISLNK(status.st_mode):
                if not os.path.islink(one) or os.readlink(one) != os.readlink(other):
                    found.append(f"another link: {path}")
            elif stat.S_ISREG(status.st_mode) and self._right.get(path) != identity:
                if data.same_file(one, other):
                    self._right[path] = identity
                else:
                    found.append(f"half-written under its final name: {path}")
        return found

    def files(self):
        return sum(stat.S_ISREG(status.st_mode) and not os.path.basename(path).startswith(TEMPORARY)
                   for path, status in data.walk(self.destination).items())


class Chaos:
    def __init__(self, place, peer, seed, total_bytes, interruptions, say):
        self.place, self.peer, self.say = place, peer, say
        self.random = random.Random(seed)
        self.destination = os.path.join(place.destination, "fetched")
        self.checker = Checker(place.source, self.destination)
        self.interruptions = interruptions
        # By bytes, not by time: on a slow machine too, interruptions come all along the way.
        self.most_bytes = int(MOST_BYTES_FACTOR * total_bytes / interruptions)
        self.process = None
        self.disturbed = False  # the get that runs, by a cut
        self.faults = []
        self.done = {kind: 0 for kind in KINDS}

    def run(self):
        self.peer.start(self.place.server, self.place.source)
        try:
            for number in range(self.interruptions):
                kind = self.random.choice(KINDS)
                self.interrupt(number, kind, self.random.random() < EARLY)
            self.finish()
        finally:
            processes.stop(self.process, signal.SIGKILL)
            self.peer.stop()
        return self.faults

    def begin_get(self):
        if self.process and self.process.poll() is None:
            return
        processes.stop(self.process, signal.SIGKILL)
        command = self.peer.fetch(self.place.client, "", self.destination, tree=True)
        log = self.place.client.path("get.log")
        with open(log, "wb") as output:
            self.process = self.place.client.start(command.argv, env=command.env, stdin=-3,
                                                   stdout=-3, stderr=output)
        self.disturbed = False

    def received(self):
        """Bytes that the fetching host's link has received; 0 once the get has ended."""
        try:
            with open(f"/proc/{self.process.pid}/net/dev") as text:
                lines = [line.partition(":") for line in text]
        except OSError:
            return 0
        return next((int(counters.split()[0]) for name, _, counters in lines
                     if name.strip() == self.place.client.device), 0)

    def wait_for(self, amount):
        """Until that many more bytes have come. False if the get ended before."""
        until = self.received() + amount
        deadline = time.monotonic() + END_SECONDS + amount / SLOWEST_BYTES_PER_SECOND
        while not processes.wait_exit(self.process, LOOK_EVERY_SECONDS):
            if self.received() >= until:
                return True
            if time.monotonic() > deadline:
                self.faults.append(f"{amount / 1e6:.0f} MB did not come within "
                                   f"{END_SECONDS} s and a second for each 2 MB")
                return True
        return False

    def interrupt(self, number, kind, early):
        self.begin_get()
        amount = self.random.randrange(self.most_bytes)
        pause = self.random.uniform(0.0, EARLY_SECONDS)
        if early:
            processes.wait_exit(self.process, pause)
        elif not self.wait_for(amount):
            self.expect_success("before an interruption")
            self.take_some_away()
            self.begin_get()
            processes.wait_exit(self.process, pause)
        when = f"{1000 * pause:.0f} ms" if early else f"{amount / 1e6:.0f} MB"
        getattr(self, kind.replace(" ", "_"))()
        self.done[kind] += 1
        running = self.process.poll() is None
        if kind == "cut" and not running:
            self.expect_success("after a cut")
        before = len(self.faults)
        self.faults += [f"after interruption {number + 1} ({kind}): {fault}"
                        for fault in self.checker.faults()]
        self.say(f"  {number + 1:3} {kind:20} after {when:8} {self.checker.files():6} files there, "
                 f"{len(self.faults) - before} wrong" + (", get goes on" if running else ""))

    def kill_get(self):
        processes.stop(self.process, signal.SIGKILL)

    def kill_share(self):
        processes.stop(self.peer.process, signal.SIGKILL)
        # Told by the closed connection, the get ends by itself.
        if not processes.wait_exit(self.process, END_SECONDS):
            self.faults.append(f"get still ran {END_SECONDS} s after its host was killed")
            processes.stop(self.process, signal.SIGKILL)
        self.peer.stop()
        self.peer.start(self.place.server, self.place.source)

    def cut(self):
        self.disturbed = True
        links.set_up(self.place.client, False)
        time.sleep(self.random.uniform(*CUT_SECONDS))
        links.set_up(self.place.client, True)
        links.wait_reachable(self.place.server, self.place.client)

    def kill_get_while_cut(self):
        links.set_up(self.place.client, False)
        processes.stop(self.process, signal.SIGKILL)
        time.sleep(self.random.uniform(*CUT_SECONDS))
        links.set_up(self.place.client, True)
        links.wait_reachable(self.place.server, self.place.client)

    def expect_success(self, when):
        if self.process.returncode != 0:
            with open(self.place.client.path("get.log"), errors="replace") as log:
                tail = " | ".join(log.read().splitlines()[-3:])
            said = f"get ended with {self.process.returncode} {when}: {tail[-300:]}"
            self.say(f"      {said}")
            # A cut may end a get, but never by a signal; what nothing disturbed must succeed.
            if self.process.returncode < 0 or not self.disturbed:
                self.faults.append(said)

    def take_some_away(self):
        """All is there: half of it goes, so that there is something to fetch again."""
        for path, status in data.walk(self.destination).items():
            if stat.S_ISREG(status.st_mode) and self.random.random() < 0.5:
                os.unlink(os.path.join(self.destination, path))

    def finish(self):
        """A last get that nobody disturbs, and a look at everything."""
        if self.process.poll() is None and processes.wait_exit(self.process, FINISH_SECONDS):
            self.expect_success("after its last cut")
        self.begin_get()
        if not processes.wait_exit(self.process, FINISH_SECONDS):
            self.faults.append(f"the last get did not end within {FINISH_SECONDS} s")
            return
        self.expect_success("undisturbed")
        self.faults += [f"at the end: {fault}" for fault in
                        data.differences(self.place.source, self.destination, metadata=True)]
        # differences() has named them as too much; said once more for what they are
        self.faults += [f"left behind: {path}" for path in data.walk(self.destination)
                        if os.path.basename(path).startswith(TEMPORARY)]


def run(context, gigabytes, interruptions, seed):
    """Returns (faults, notes)."""
    size = int(gigabytes * GB)
    # The larger sources are on the machine's own disk: memory is for the page cache.
    with arena(context, LINK, size + size // 8,
               source_disk="plain" if size > 2 * GB else "tmpfs") as place:
        made, files = data.mixed_files(place.source, size, seed)
        chaos = Chaos(place, Wormhole(), seed, made, interruptions, context.say)
        faults = chaos.run()
    what = ", ".join(f"{count} x {kind}" for kind, count in chaos.done.items())
    return faults, [f"{made / GB:.1f} GB in {files} files, seed {seed}: {what}"]


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--interruptions", type=int, default=6)
    parser.add_argument("--seed", type=int, default=None, help="(by the clock)")
    parser.add_argument("--binary", help="the wormhole to try")
    parser.add_argument("--build", help="the build directory")
    parser.add_argument("--tmp", dest="directory", help="where disks and files are made")
    options = parser.parse_args(arguments)
    try:
        hosts.require_root()
    except PermissionError as error:
        print(f"lab/chaos.py: {error}", file=sys.stderr)
        return SKIPPED
    binary = options.binary or links.build_file("wormhole", options.build) or links.build_file(
        "src/cli/wormhole", options.build)
    Wormhole.binary = os.path.abspath(binary) if binary else None
    options.build_file = lambda name: links.build_file(name, options.build)
    options.say = lambda text: print(text, flush=True)
    seed = time.time_ns() if options.seed is None else options.seed
    print(f"seed {seed}")
    try:
        faults, notes = run(options, options.gigabytes, options.interruptions, seed)
    except LabError as error:
        print(f"lab/chaos.py: {error}", file=sys.stderr)
        return 1
    print("\n".join(notes + faults[:50]))
    print(f"{len(faults)} faults" if faults else "every byte right, nothing half-written")
    return 1 if faults else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
