#!/usr/bin/python3
"""Tests the lab itself: that it cleans up, and that it notices what it is there to notice.

    machinery_test.py PATH-OF-COUNT-MEMORY

Needs root; ends with 77 without. Contestants are fakes that are wrong on purpose."""

import argparse
import contextlib
import html.parser
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import chaos  # noqa: E402
import course  # noqa: E402
import data  # noqa: E402
import disks  # noqa: E402
import hosts  # noqa: E402
import links  # noqa: E402
import measure  # noqa: E402
import page  # noqa: E402
import peers  # noqa: E402
import processes  # noqa: E402
import readme  # noqa: E402
import report  # noqa: E402
from arena import arena  # noqa: E402
from contest import Contest, order_of_round, rate  # noqa: E402
from processes import LabError, run  # noqa: E402
from rows.base import Outcome, Row, judged  # noqa: E402
from statistics_of import paired  # noqa: E402

MIB = 1 << 20
HERE = os.path.dirname(os.path.abspath(__file__))
COUNT_MEMORY = ""


def context():
    return argparse.Namespace(quick=True, directory=None, say=lambda text: None,
                              is_late=lambda: False, build_file=lambda name: None)


@contextlib.contextmanager
def fake(kind):
    """peers.Wormhole is this fake."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, kind)
        os.symlink(os.path.join(HERE, "fake_wormhole.py"), path)
        before, peers.Wormhole.binary = peers.Wormhole.binary, path
        try:
            yield
        finally:
            peers.Wormhole.binary = before


def overwrite(path):
    with open(path, "r+b") as file:
        file.write(b"other")


def dead_pid():
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


class Hosts(unittest.TestCase):
    def test_everything_is_gone_after_an_exception(self):
        with self.assertRaises(ZeroDivisionError):
            with hosts.Lab() as lab:
                a, b = lab.host("a", "10.77.0.1"), lab.host("b", "10.77.0.2")
                links.lan(a, b, "1gbit")
                mount = lab.keep(disks.xfs(a.directory, "disk", 1 << 30))
                process = a.start(["sleep", "1000"], cwd=mount)
                daemon = a.run(["sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 & echo $!"])
                1 / 0
        self.assertIsNotNone(process.poll())
        self.assertFalse(os.path.exists(f"/proc/{daemon.stdout.strip()}/exe"))
        self.assertFalse(os.path.exists(lab.directory))
        self.assertFalse(os.path.exists(f"/run/netns/{a.namespace}"))
        with open("/proc/mounts") as text:
            self.assertNotIn(lab.directory, text.read())

    def test_what_a_killed_run_left_is_taken_down(self):
        pid = dead_pid()
        namespace = f"wormhole-{pid}-0-a"
        run(["ip", "netns", "add", namespace])
        with tempfile.TemporaryDirectory() as parent:
            left = os.path.join(parent, f"wormhole-{pid}-0")
            os.makedirs(f"{left}/a/disk")
            run(["mount", "-t", "tmpfs", "tmpfs", f"{left}/a/disk"])
            with hosts.Lab(parent):
                self.assertFalse(os.path.exists(left))
                self.assertFalse(os.path.exists(f"/run/netns/{namespace}"))

    def test_each_host_has_its_own_cache_and_home(self):
        with hosts.Lab() as lab:
            a, b = lab.host("a", "10.77.0.1"), lab.host("b", "10.77.0.2")
            shown = [host.run(["sh", "-c", "echo $HOME $XDG_CACHE_HOME"]).stdout for host in (a, b)]
            self.assertNotEqual(*shown)
            self.assertTrue(all(lab.directory in one for one in shown))


class Disks(unittest.TestCase):
    def test_xfs_has_reflink(self):
        with tempfile.TemporaryDirectory() as directory:
            with disks.xfs(directory, "disk", 1 << 30) as mount:
                data.write_file(f"{mount}/a", MIB, 1)
                run(["cp", "--reflink=always", f"{mount}/a", f"{mount}/b"])
                self.assertTrue(data.same_file(f"{mount}/a", f"{mount}/b"))
            self.assertFalse(os.path.ismount(mount))


class Data(unittest.TestCase):
    def test_no_two_blocks_are_alike_and_none_compresses(self):
        import zlib
        with tempfile.TemporaryDirectory() as directory:
            path = f"{directory}/f"
            data.write_file(path, 70 * MIB, 1)
            with open(path, "rb") as file:
                blocks = [file.read(MIB) for _ in range(70)]
        self.assertEqual(len(set(blocks)), 70)
        self.assertGreater(len(zlib.compress(blocks[3], 1)), MIB * 99 // 100)

    def test_every_difference_is_seen(self):
        with tempfile.TemporaryDirectory() as source, tempfile.TemporaryDirectory() as copy:
            data.mixed_files(source, 4 * MIB, 1)
            run(["cp", "-a", f"{source}/.", copy])
            self.assertEqual(data.differences(source, copy, metadata=True), [])
            file = sorted(path for path in data.walk(copy) if path.endswith(".dat"))[-1]
            path = f"{copy}/{file}"
            times = os.stat(path).st_mtime_ns
            changes = (
                (lambda: os.chmod(path, 0o111), "mode"),
                (lambda: os.utime(path, ns=(times, times + 1)), "mtime"),
                (lambda: overwrite(path), "other bytes"),
                (lambda: os.unlink(path), "missing"),
                (lambda: os.mkdir(path), "another kind"),
                (lambda: os.mkdir(f"{copy}/more"), "too much"),
            )
            for change, word in changes:
                change()
                found = " ".join(data.differences(source, copy, metadata=True))
                self.assertIn(word, found)


class Measuring(unittest.TestCase):
    def test_peak_memory_wire_bytes_and_failure(self):
        with hosts.Lab() as lab:
            a, b = lab.host("a", "10.77.0.1"), lab.host("b", "10.77.0.2")
            links.lan(a, b)
            # A child that holds 200 MB until it was seen: the parent's own peak is not counted.
            hog = ("import time; x = bytearray(200 << 20)\n"
                   "for at in range(0, len(x), 4096): x[at] = 1\n"
                   "time.sleep(0.5)")
            sample = measure.timed(b, ["sh", "-c", 'python3 -c "$1"; true', "sh", hog])
            self.assertGreater(sample.client_peak_bytes, 200 << 20)
            self.assertLess(sample.client_peak_bytes, 300 << 20)
            sample = measure.timed(b, ["ping", "-c", "3", "-i", "0.01", "-s", "1000", a.address])
            self.assertGreaterEqual(sample.wire_bytes, 3000)
            with self.assertRaisesRegex(LabError, "exit 3: oh"):
                measure.timed(b, ["sh", "-c", "echo oh >&2; exit 3"])

    def test_system_calls_are_counted(self):
        with tempfile.TemporaryDirectory() as directory:
            path = f"{directory}/calls"
            run([*measure.strace(path), "dd", "if=/dev/zero", "of=/dev/null", "bs=1k", "count=300"])
            self.assertGreaterEqual(measure.count_calls(path)["write"], 300)


    def test_a_serving_process_s_cpu_is_its_own_and_its_children_s(self):
        burn = "import time\nwhile time.process_time() < 0.4: pass\ntime.sleep(60)"
        process = processes.start(["sh", "-c", 'python3 -c "$1"; true', "sh", burn])
        try:
            processes.wait_until(lambda: measure.process_cpu_seconds(process.pid) >= 0.3, "burning",
                                 process)
        finally:
            processes.stop(process)
        self.assertEqual(measure.process_cpu_seconds(process.pid), 0)

    def test_what_the_machine_s_host_took_is_a_share_of_what_was_wanted(self):
        ticks = [[10, 0, 10, 500, 0, 0, 0, 5], [50, 0, 40, 900, 30, 10, 10, 15]]
        with mock.patch.object(measure, "machine_ticks", side_effect=ticks):
            self.assertAlmostEqual(measure.StolenShare().so_far(), 10 / 100)
        self.assertEqual(len(measure.machine_ticks()), 8)

    def test_allocations_and_copies_are_counted(self):
        program = ("import ctypes, sys\n"
                   "c = ctypes.CDLL(None)\n"
                   "c.malloc.restype = ctypes.c_void_p\n"
                   "memory = [ctypes.create_string_buffer(1000) for _ in range(2)]\n"
                   "for _ in range(int(sys.argv[1])):\n"
                   "    for copy in (c.memcpy, c.memmove): copy(*memory, 1000)\n"
                   "    for copy in (c.__memcpy_chk, c.__memmove_chk): copy(*memory, 1000, 1000)\n"
                   "    c.free(ctypes.c_void_p(c.malloc(10)))\n")
        counts = []
        for times in (1, 1001):
            with tempfile.TemporaryDirectory() as directory:
                path = f"{directory}/counts"
                run(["python3", "-c", program, times],
                    env={**os.environ, "LD_PRELOAD": COUNT_MEMORY, "WORMHOLE_LAB_MEMORY": path})
                with open(path) as text:
                    counts.append([int(word) for word in text.read().split()])
        allocated, copied = (longer - shorter for shorter, longer in zip(*counts))
        self.assertGreaterEqual(allocated, 1000)
        self.assertGreaterEqual(copied, 4_000_000)
        self.assertLess(copied, 5_000_000)


class Order(unittest.TestCase):
    def test_nobody_always_comes_after_the_same_one(self):
        for count in range(1, 10):
            names = [str(number) for number in range(count)]
            follows, firsts = {}, {}
            for number in range(2 * count):
                order = order_of_round(names, number)
                self.assertEqual(sorted(order), names)
                firsts[order[0]] = firsts.get(order[0], 0) + 1
                for pair in zip(order, order[1:]):
                    follows[pair] = follows.get(pair, 0) + 1
            self.assertEqual(set(firsts.values()), {2})
            for (one, other), times in follows.items():
                self.assertEqual(follows.get((other, one)), times)


class Contests(unittest.TestCase):
    def hold(self, kind, tree=False):
        with fake(kind), arena(context(), None, 16 * MIB, disk="tmpfs") as place:
            os.mkdir(f"{place.source}/tree")
            data.write_file(f"{place.source}/large.bin", 8 * MIB, 1)
            size = data.small_files(f"{place.source}/tree", 20, 1000, 2)
            what = ("tree", size) if tree else ("large.bin", 8 * MIB)
            return Contest(context(), place, *what, tree=tree).add("iperf3", "wormhole").run(2)

    def test_a_right_one_is_measured(self):
        for tree in (False, True):
            contest = self.hold("fake-right", tree)
            outcome = judged(contest, rate, "wormhole", ("iperf3",), paired)
            self.assertEqual((len(outcome.reached), outcome.reason), (2, ""))
            self.assertGreater(outcome.value, 0)

    def test_a_wrong_byte_is_noticed(self):
        for tree in (False, True):
            contest = self.hold("fake-flip", tree)
            self.assertRegex(contest.entries["wormhole"].error, "not the source|not right")
            outcome = judged(contest, rate, "wormhole", ("iperf3",), paired)
            self.assertEqual(outcome.reached, [])
            self.assertTrue(outcome.contestants[0]["values"], "the limit's figures are kept")

    def test_bytes_that_did_not_cross_the_link_are_noticed(self):
        self.assertIn("that was no transfer",
                      self.hold("fake-local").entries["wormhole"].error)

    def test_a_missing_binary_is_no_result(self):
        with arena(context(), None, MIB, disk="tmpfs") as place:
            data.write_file(f"{place.source}/f", MIB, 1)
            contest = Contest(context(), place, "f", MIB).add("wormhole").run(1)
        self.assertIn("does not exist", contest.entries["wormhole"].error)


class RealPeers(unittest.TestCase):
    def test_each_fetches_a_file_and_a_tree(self):
        with arena(context(), "1gbit", 32 * MIB) as place:
            os.makedirs(f"{place.source}/below/tree")
            data.write_file(f"{place.source}/below/f.bin", 4 * MIB, 1)
            tree_size = data.small_files(f"{place.source}/below/tree", 30, 5000, 2, 10)
            names = [name for name in peers.ALL if name not in ("iperf3", "wormhole")]
            for remote, size, tree in (("below/f.bin", 4 * MIB, False),
                                       ("below/tree", tree_size, True)):
                able = [name for name in names if (peers.ALL[name].fetches_trees if tree
                                                   else peers.ALL[name].fetches_files)]
                contest = Contest(context(), place, remote, size, tree=tree).add(*able).run(1)
                for name, entry in contest.entries.items():
                    with self.subTest(peer=name, tree=tree):
                        if "is not installed" in entry.error:
                            self.skipTest(entry.error)
                        self.assertEqual(entry.error, "")


class Interruptions(unittest.TestCase):
    def chaos_of(self, kind):
        with fake(kind):
            return chaos.run(context(), 0.3, 6, seed=5)[0]

    def test_a_right_one_passes(self):
        self.assertEqual(self.chaos_of("fake-right"), [])

    def test_what_is_half_written_under_its_final_name_is_noticed(self):
        with tempfile.TemporaryDirectory() as source, tempfile.TemporaryDirectory() as copy:
            data.write_file(f"{source}/f", MIB, 1)
            checker = chaos.Checker(source, copy)
            shutil.copy(f"{source}/f", f"{copy}/.wormhole-f")
            os.truncate(f"{copy}/.wormhole-f", 1000)
            self.assertEqual(checker.faults(), [], "a temporary name promises nothing")
            shutil.copy2(f"{source}/f", f"{copy}/f")
            self.assertEqual(checker.faults(), [])
            status = os.stat(f"{copy}/f")
            overwrite(f"{copy}/f")
            os.utime(f"{copy}/f", ns=(status.st_mtime_ns, status.st_mtime_ns))
            self.assertIn("half-written", checker.faults()[0])
            os.truncate(f"{copy}/f", 0)
            self.assertIn("half-written", checker.faults()[0])
            os.rename(f"{copy}/f", f"{copy}/g")
            self.assertIn("no such file", checker.faults()[0])

    def test_litter_is_noticed(self):
        self.assertIn("left behind", " ".join(self.chaos_of("fake-litter")))


class Reports(unittest.TestCase):
    ROWS = (
        (Row("good", "A good row", aim=">= 0.99", aim_value=0.99, floor="0.9", floor_value=0.9),
         Outcome([0.95, 0.97, 0.96], [
             {"name": "wormhole", "title": "Wormhole <&>", "encrypted": True, "error": "",
              "values": [95.0, 97.0, 96.0],
              "samples": [{"course": [(0, 0), (1, 90e6), (2, 190e6), (3, 290e6)]}]},
             {"name": "iperf3", "title": "iperf3", "encrypted": False, "error": "",
              "values": [100.0, 100.0, 100.0], "samples": []},
             {"name": "scp", "title": "scp", "encrypted": True, "error": "no key", "values": [],
              "samples": []}], limit="100 MB/s")),
        (Row("slow", "A slow row", floor="0.9", floor_value=0.9), Outcome([0.44])),
        (Row("fat", "A fat row", floor_value=50, unit="MB", lower_is_better=True), Outcome([101])),
        (Row("half", "Half of an aim", aim_value=50, unit="MB", lower_is_better=True),
         Outcome([99])),
        (Row("late", "Some milliseconds", aim_value=2, unit="ms", lower_is_better=True,
             fails_value=40), Outcome([39])),
        (Row("far", "A round trip", aim_value=2, unit="ms", lower_is_better=True,
             fails_value=40), Outcome([52])),
        (Row("later", "A later row", not_yet="no index"), None),
        (Row("broken", "A broken row", floor_value=1), Outcome([], reason="no binary")),
    )

    def results(self):
        return [report.row_result(row, outcome) for row, outcome in self.ROWS]

    def test_failures_are_the_unmeasured_and_those_far_off(self):
        failures = report.failures(self.results())
        self.assertEqual([line.split(":")[0] for line in failures], ["slow", "fat", "far", "broken"])

    def test_statuses(self):
        self.assertEqual([report.verdict(row) for row in self.results()],
                         ["floor", "FAR OFF", "FAR OFF", "short of aim", "short of aim",
                          "FAR OFF", "not yet", "not measured"])

    def test_text_json_and_page(self):
        head = report.heading(["--quick"], 0.5, "wormhole 0.1")
        results = self.results()
        self.assertIn("0.960 x limit", report.table(results))
        with tempfile.TemporaryDirectory() as directory:
            report.write_json(f"{directory}/r.json", head, results)
            page.write_page(f"{directory}/r.html", head, results)
            with open(f"{directory}/r.json") as file:
                self.assertEqual(json.load(file)["rows"][0]["reached"]["median"], 0.96)
            with open(f"{directory}/r.html") as file:
                text = file.read()
        self.assertEqual(text.count("<svg"), 3)
        self.assertIn('class="ours-course"', text)
        self.assertNotIn("<&>", text)
        for outside in ("http://", "https://", "<script", "src="):
            self.assertNotIn(outside, text)
        Balanced().feed(text)

    def test_what_is_not_measured_anew_stays(self):
        rows = [row for row, _ in self.ROWS]
        with tempfile.TemporaryDirectory() as directory:
            path = f"{directory}/r.json"
            self.assertEqual(len(report.with_earlier(path, rows, [])), len(rows))
            report.write_json(path, {}, self.results())
            anew = report.row_result(rows[1], Outcome([0.5]))
            results = report.with_earlier(path, rows, [anew])
        self.assertEqual([row["name"] for row in results], [row.name for row in rows])
        self.assertEqual([row["reached"]["median"] for row in results[:2]], [0.96, 0.5])

    def test_the_tables_of_the_readme(self):
        results = self.results()
        results[0]["name"] = "lan-1g"
        results[1]["name"] = readme.FILES
        marked = "".join(f"before\n{readme.BEGIN.format(name)}\nold\n{readme.END}\nafter\n"
                         for name in readme.TABLES)
        text = readme.rewritten(marked, results)
        self.assertNotIn("old", text)
        self.assertIn("| A good row | 100.0 | **96.00** | - |", text)
        self.assertIn("| A good row (`lan-1g`) | - | >= 0.99 | **0.960** x limit, short of it | 3 |",
                      text)
        self.assertIn("| A later row (`later`) | - | - | not yet: no index | - |", text)
        self.assertEqual(readme.rewritten(text, results), text)
        self.assertEqual(text.count("before"), 3)
        with self.assertRaises(ValueError):
            readme.rewritten("no marks", results)

    def test_the_rate_of_a_part_of_a_run(self):
        points = [(0, 0), (1, 10), (2, 40), (3, 70), (4, 71)]
        self.assertEqual(course.rates(points)[1], (1.5, 30))
        self.assertEqual(course.rate_between(points, 0.5, 3.2), 30)
        self.assertIsNone(course.rate_between(points, 0.5, 1.5))

    def test_ratios_are_taken_round_by_round(self):
        self.assertEqual(paired([1.0, 4.0, None], [2.0, 2.0, 2.0]), [0.5, 2.0])
        self.assertEqual(paired([6.0, 6.0], [2.0, None], [3.0, 3.0]), [2.0])


class Balanced(html.parser.HTMLParser):
    """Every tag that is opened is closed, in order."""
    VOID = {"meta"}

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            raise AssertionError(f"</{tag}> closes nothing that is open")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    COUNT_MEMORY = os.path.abspath(sys.argv.pop())
    if os.geteuid() != 0:
        print("skipped: needs root for namespaces and mounts")
        sys.exit(77)
    if not os.path.exists("/dev/loop-control"):
        print("skipped: this kernel has no loop devices")
        sys.exit(77)
    unittest.main(verbosity=2)
