#!/usr/bin/python3
"""Checks the link emulator against ping and iperf3, from outside.

    link_emulator_test.py PATH-OF-LINK-EMULATOR

A slow or busy machine may carry less and answer later, so only what it cannot excuse is checked:
never faster than the rate, never sooner than the delay, losses near their rate. Ends with 77 where
it cannot run.
"""

import json
import os
import re
import shutil
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hosts import Lab  # noqa: E402
from links import Wan  # noqa: E402
from peers import Iperf3  # noqa: E402

SKIPPED = 77
MBIT = 1e6
EMULATOR = ""


class LinkEmulator(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.lab.__enter__()
        self.addCleanup(self.lab.__exit__, None, None, None)
        self.a = self.lab.host("a", "10.77.0.1")
        self.b = self.lab.host("b", "10.77.0.2")

    def link(self, rate, rtt, **settings):
        return self.lab.keep(Wan(self.a, self.b, rate, rtt, emulator=EMULATOR, **settings))

    def ping(self, count, interval, size=56):
        """(least round trip in ms, packets sent, packets received)"""
        # -W: a slow machine's answers are late, not lost.
        shown = self.b.run(["ping", "-q", "-c", count, "-i", interval, "-s", size, "-W", "5",
                            self.a.address], check=False).stdout
        sent, received = re.search(r"(\d+) packets transmitted, (\d+) received", shown).groups()
        least = re.search(r"= ([\d.]+)/", shown)
        return float(least[1]) if least else None, int(sent), int(received)

    def carried(self, seconds):
        """What iperf3 carries from a to b, in bit/s."""
        done = self.b.run(["iperf3", "--client", self.a.address, "--reverse", "--json",
                           "--time", seconds])
        return json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"]

    def start_iperf3(self):
        peer = Iperf3()
        peer.start(self.a, self.lab.directory)
        self.addCleanup(peer.stop)

    def test_delay(self):
        link = self.link("100mbit", "50ms")
        least, sent, received = self.ping(20, 0.02)
        self.assertGreaterEqual(least, 50.0)
        self.assertEqual(sent, received)
        link.command("rtt 10ms")
        least, _, _ = self.ping(20, 0.02)
        self.assertGreaterEqual(least, 10.0)

    def test_rate_and_its_change_under_way(self):
        link = self.link("100mbit", "20ms")
        self.start_iperf3()
        for rate in (100, 20):
            link.command(f"rate {rate}mbit")
            carried = self.carried(3)
            # What was in the queue and on the line when the clock began may come on top.
            self.assertLess(carried, rate * MBIT * 1.02)
            self.assertGreater(carried, 0)
        counters = link.command("stats")
        self.assertGreater(counters["a_to_b"]["bytes"], 20 * MBIT / 8)

    def test_losses(self):
        link = self.link("0", "0", loss="10%", seed=3)
        _, sent, received = self.ping(4000, 0.002)
        # Both ways count: 0.9 x 0.9 come back. Five standard deviations either way.
        self.assertEqual(sent, 4000)
        self.assertAlmostEqual(received / sent, 0.81, delta=0.031)
        counters = link.command("stats")
        # Other packets of the system may be among them (neighbour and router discovery).
        self.assertGreaterEqual(counters["a_to_b"]["lost"] + counters["b_to_a"]["lost"],
                                sent - received)
        link.command("loss 0")
        _, sent, received = self.ping(200, 0.002)
        self.assertEqual(sent, received)

    def test_a_full_queue_drops(self):
        # 64 KiB at 1 Mbit/s: 200 packets of 1,000 bytes at once do not fit.
        link = self.link("1mbit", "0")
        self.b.run(["ping", "-q", "-c", 200, "-l", 200, "-s", 972, "-W", "5", self.a.address],
                   check=False)
        self.assertGreater(link.command("stats")["b_to_a"]["dropped"], 50)

    def test_nonsense_is_refused(self):
        link = self.link("1gbit", "100ms")
        for line in ("rate fast", "loss 200%", "rate", "colour red"):
            with self.assertRaises(ValueError):
                link.command(line)
        least, _, _ = self.ping(3, 0.1)
        self.assertGreaterEqual(least, 100.0)

    def test_it_ends_with_its_caller(self):
        link = self.link("1gbit", "0")
        link.process.stdin.close()
        self.assertEqual(link.process.wait(60), 0)
        link.process.stdin = None


def reason_to_skip():
    if os.geteuid() != 0:
        return "needs root for namespaces"
    if not os.path.exists("/dev/net/tun"):
        return "this kernel has no /dev/net/tun"
    for program in ("ping", "iperf3", "ip"):
        if not shutil.which(program):
            return f"{program} is not installed"
    return None


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    EMULATOR = os.path.abspath(sys.argv.pop())
    reason = reason_to_skip()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)
