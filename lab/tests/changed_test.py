"""A file that changed since it was fetched: what is the same is copied from what is there, and only
the rest crosses."""

import os
import random
import subprocess
import time

import data
import pytest
import trees
from gate import Gate
from runner import (DEADLINE_SECONDS, PARTIAL, SUCCESS, Share, get, is_sanitized, start_get,
                    wait_until)

MB = 1_000_000
MIB = 1 << 20
SIZE = 64 * MIB
# Beside what changed: where blocks are shared, as a chunk is the least that is copied.
SLACK = 4 * 2 * MIB + MIB // 2
# On the wire: what a session costs, and each change. Four fine chunks, and the names of others.
SESSION = 32 << 10
SLACK_A_CHANGE = 4 * (64 << 10) + (64 << 10)
OLD_TIME = 1_500_000_000_123_456_789

ORIGINAL = random.Random(7).randbytes(SIZE)


@pytest.fixture
def source(box):
    path = os.path.join(box, "source")
    trees.write(os.path.join(path, "large"), ORIGINAL, mtime_ns=OLD_TIME)
    return path


@pytest.fixture
def dest(box):
    return os.path.join(box, "dest")


def change(source, content, name="large"):
    """With another time than the one that was fetched."""
    trees.write(os.path.join(source, name), content)


def written(dest):
    """Bytes of the partial that were written."""
    return sum(map(data.written_bytes, trees.partials(dest)))


def overwrite(offset, length):
    noise = random.Random(offset).randbytes(length)
    return ORIGINAL[:offset] + noise + ORIGINAL[offset + length:]


def moved(at=20 * MIB, length=16 * MIB, to=0):
    rest = ORIGINAL[:at] + ORIGINAL[at + length:]
    return rest[:to] + ORIGINAL[at:at + length] + rest[to:]


def scattered():
    content = bytearray(ORIGINAL)
    for place in (5 * MB, 21 * MB, 37 * MB, 53 * MB):
        content[place] ^= 1
    return bytes(content)


# name: (the new version, bytes that are new in it, places where it changed)
CHANGES = {
    "a byte inserted at the front": (lambda: b"x" + ORIGINAL, 1, 1),
    "a byte deleted at the front": (lambda: ORIGINAL[1:], 0, 1),
    "a tenth overwritten": (lambda: overwrite(30 * MIB, SIZE // 10), SIZE // 10, 1),
    "appended to": (lambda: ORIGINAL + bytes(range(256)) * 100, 25_600, 1),
    "truncated": (lambda: ORIGINAL[:41 * MIB + 5], 0, 1),
    "a block moved": (moved, 0, 3),
    "twice itself": (lambda: ORIGINAL + ORIGINAL, 0, 1),
    "bytes here and there": (scattered, 4, 4),
}


@pytest.mark.parametrize("name", CHANGES, ids=lambda name: name.replace(" ", "_"))
def test_only_what_is_new_crosses(box, source, dest, name):
    make, new_bytes, places = CHANGES[name]
    with Share(box, source) as share:
        get(box, share.target, dest).expect(SUCCESS)
        change(source, make())
        done = get(box, share.target, dest, "--overwrite").expect(SUCCESS)
    trees.assert_same(source, dest)
    assert done.summary["wire_bytes"] <= new_bytes + SESSION + places * SLACK_A_CHANGE
    assert done.summary["bytes"] + done.summary["reused_bytes"] == os.path.getsize(
        os.path.join(source, "large"))
    assert not trees.partials(dest)


def edit(chance, content):
    """Some of it inserted, deleted, overwritten, moved, repeated; each second time whole blocks."""
    kind = chance.choice(["insert", "delete", "overwrite", "move", "repeat", "end", "beginning"])
    unit = chance.choice([1, 4096])
    at = chance.randrange(len(content)) // unit * unit
    length = chance.randrange(unit, 6 * MIB) // unit * unit
    piece = content[at:at + length]
    rest = content[:at] + content[at + length:]
    to = chance.randrange(len(rest) or 1) // unit * unit
    return {
        "insert": lambda: content[:at] + chance.randbytes(length) + content[at:],
        "delete": lambda: rest,
        "overwrite": lambda: content[:at] + chance.randbytes(len(piece)) + content[at + length:],
        "move": lambda: rest[:to] + piece + rest[to:],
        "repeat": lambda: content[:to] + piece + content[to:],
        "end": lambda: content + chance.randbytes(length),
        "beginning": lambda: content[length:] or b"nothing else",
    }[kind]()


@pytest.mark.parametrize("disk", ["xfs", "plain"])
def test_any_edits(box, source, dest, disk, request):
    """Where blocks can be shared, and where they cannot."""
    if disk == "xfs":
        dest = os.path.join(request.getfixturevalue("xfs")[0], "dest")
    chance = random.Random(11)
    content = ORIGINAL
    with Share(box, source) as share:
        get(box, share.target, dest).expect(SUCCESS)
        for _ in range(4 if is_sanitized() else 12):
            for _ in range(chance.randrange(1, 5)):
                content = edit(chance, content)
            change(source, content)
            get(box, share.target, dest, "--overwrite").expect(SUCCESS)
            trees.assert_same(source, dest)
            assert not trees.partials(dest)


def taken_by(box, source, path, edited, first=ORIGINAL):
    """The bytes that a fetched file takes from the disk at `path` when it comes anew, edited, while
    what was fetched first stays there under another name."""
    dest, kept = os.path.join(path, "dest"), os.path.join(path, "kept")

    def free():
        os.sync()
        status = os.statvfs(path)
        return status.f_bavail * status.f_frsize

    change(source, first)
    with Share(box, source) as share:
        get(box, share.target, dest).expect(SUCCESS)
        os.link(os.path.join(dest, "large"), kept)
        before = free()
        change(source, edited)
        get(box, share.target, dest, "--overwrite").expect(SUCCESS)
    trees.assert_same(source, dest)
    assert trees.read(kept) == first
    return before - free()


def test_what_stays_in_place_shares_its_blocks(box, source, xfs):
    path, _ = xfs
    edited = overwrite(30 * MIB, SIZE // 10)
    assert taken_by(box, source, path, edited) < SIZE // 10 + SLACK


@pytest.mark.parametrize("edited", [
    moved(),
    moved(5 * MIB + 4096, 7 * MIB + 8192, 31 * MIB + 12288),
    ORIGINAL[:10 * MIB + 99] + bytes(4096) + ORIGINAL[10 * MIB + 99:],
    ORIGINAL[8 * MIB:],
], ids=["to the front", "not by chunks", "inserted", "beginning cut off"])
def test_what_was_moved_by_whole_blocks_shares_them(box, source, xfs, edited):
    path, _ = xfs
    assert taken_by(box, source, path, edited) < SLACK


def test_a_file_that_grew_shares_its_blocks(box, source, xfs):
    path, _ = xfs
    first = ORIGINAL[:SIZE - 1234]
    assert taken_by(box, source, path, first + b"another line\n", first) < SLACK


def test_units_where_blocks_can_be_shared(xfs):
    """The unit tests' own directory has a file system that often cannot."""
    if is_sanitized():
        pytest.skip("takes minutes with a sanitizer, and the other tests here share blocks as well")
    path, _ = xfs
    tests = os.environ.get("WORMHOLE_TRANSFER_TEST")
    if not tests:
        raise RuntimeError("set WORMHOLE_TRANSFER_TEST to the built transfer_test (ctest does)")
    run = subprocess.run([tests, "--gtest_filter=ReconstructionTest.*"], check=True,
                         env={**os.environ, "TMPDIR": path}, stdout=subprocess.PIPE)
    assert b"[  PASSED  ]" in run.stdout and b"[  PASSED  ] 0 tests" not in run.stdout


def test_changed_files_between_many_others_are_one_session(box, source, dest):
    for number in range(40):
        large, old = f"large-{number:02}", random.Random(number).randbytes(2_300_000)
        trees.write(os.path.join(dest, large), old, mtime_ns=OLD_TIME)
        change(source, b"new" + old[3:], large)
        for empty in range(600):
            trees.write(os.path.join(source, f"{large}-{empty}"), b"")
    with Share(box, source) as share:
        done = get(box, share.target, dest, "--overwrite").expect(SUCCESS)
    trees.assert_same(source, dest)
    assert not [event for event in done.events if event["event"] == "retrying"]


def test_what_has_nothing_in_common_comes_whole(box, source, dest):
    with Share(box, source) as share:
        get(box, share.target, dest).expect(SUCCESS)
        change(source, random.Random(8).randbytes(SIZE))
        done = get(box, share.target, dest, "--overwrite").expect(SUCCESS)
    trees.assert_same(source, dest)
    assert done.summary["reused_bytes"] == 0 and done.summary["bytes"] == SIZE


def test_without_overwrite_it_is_left_alone(box, source, dest):
    with Share(box, source) as share:
        get(box, share.target, dest).expect(SUCCESS)
        change(source, b"x" + ORIGINAL)
        done = get(box, share.target, dest).expect(PARTIAL)
    assert list(done.failed().values()) == ["exists"]
    assert trees.read(os.path.join(dest, "large")) == ORIGINAL


def test_of_the_same_bytes_with_another_time_nothing_crosses_or_is_written(box, source, dest):
    with Share(box, source) as share:
        get(box, share.target, dest).expect(SUCCESS)
        before = os.stat(os.path.join(dest, "large"))
        change(source, ORIGINAL)
        done = get(box, share.target, dest, "--overwrite").expect(SUCCESS)
    trees.assert_same(source, dest)
    after = os.stat(os.path.join(dest, "large"))
    assert after.st_ino == before.st_ino and after.st_mtime_ns != before.st_mtime_ns
    assert done.summary["skipped"] == 1 and done.summary["bytes"] == 0
    assert done.summary["wire_bytes"] < 64 << 10


def test_no_reuse_fetches_it_whole(box, source, dest):
    with Share(box, source) as share:
        get(box, share.target, dest).expect(SUCCESS)
        change(source, b"x" + ORIGINAL)
        done = get(box, share.target, dest, "--overwrite", "--no-reuse").expect(SUCCESS)
    trees.assert_same(source, dest)
    assert done.summary["reused_bytes"] == 0 and done.summary["bytes"] == SIZE + 1


def test_many_changed_files_among_others(box, source, dest):
    chance = random.Random(3)
    contents = {f"d{i % 3}/f{i}": chance.randbytes(chance.randrange(5 * MIB)) for i in range(60)}
    for name, content in contents.items():
        trees.write(os.path.join(source, name), content, mtime_ns=OLD_TIME)
    with Share(box, source) as share:
        get(box, share.target, dest).expect(SUCCESS)
        for name, content in list(contents.items())[::2]:
            change(source, content[: len(content) // 2] + b"!" + content[len(content) // 2:], name)
        trees.write(os.path.join(source, "d1/new"), b"new")
        done = get(box, share.target, dest, "--overwrite").expect(SUCCESS)
    trees.assert_same(source, dest)
    assert done.summary["files"] == 31
    assert done.summary["reused_bytes"] > 0
    assert not trees.partials(dest)


# --- --checksum ---------------------------------------------------------------------------------

def alter(path, offset):
    """Other bytes; the same size and time."""
    status = os.stat(path)
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_what_only_looks_unchanged_is_caught_by_checksum(box, source, dest):
    for number in range(300):
        trees.write(os.path.join(source, "small", str(number)), b"%d" % number * 100)
    with Share(box, source) as share:
        get(box, share.target, dest).expect(SUCCESS)
        alter(os.path.join(source, "large"), 33 * MIB)
        alter(os.path.join(source, "small", "77"), 5)
        assert get(box, share.target, dest).expect(SUCCESS).summary["files"] == 0
        refused = get(box, share.target, dest, "--checksum").expect(PARTIAL)
        assert refused.failed() == {"large": "exists", "small/77": "exists"}
        assert trees.read(os.path.join(dest, "large")) == ORIGINAL
        assert refused.summary["skipped"] == 299 and refused.summary["bytes"] == 0
        done = get(box, share.target, dest, "--checksum", "--overwrite").expect(SUCCESS)
        assert done.summary["files"] == 2 and done.summary["skipped"] == 299
        assert done.summary["wire_bytes"] <= SLACK
        trees.assert_same(source, dest)
        again = get(box, share.target, dest, "--checksum").expect(SUCCESS)
        assert again.summary["skipped"] == 301 and again.summary["bytes"] == 0


def test_what_is_there_without_its_zeros_is_compared_as_a_dry_run_says(box, source, xfs):
    """It may be what a power cut left, or a sparse copy."""
    content = bytes(MB) + random.Random(5).randbytes(MB)
    trees.write(os.path.join(source, "zeros"), content)
    dest = os.path.join(xfs[0], "dest")
    there = os.path.join(dest, "zeros")
    os.makedirs(dest)
    with open(there, "wb") as file:
        file.seek(MB)
        file.write(content[MB:])
    os.utime(there, ns=(os.stat(os.path.join(source, "zeros")).st_mtime_ns,) * 2)
    with Share(box, source) as share:
        planned = get(box, share.target, dest, "--dry-run").expect(SUCCESS)
        assert planned.events[-2]["would_replace"] == 0
        said = [event for event in planned.events if event.get("path") == "zeros"]
        assert [(event["action"], "compared" in event["reason"]) for event in said] == [
            ("keep", True)]
        done = get(box, share.target, dest).expect(SUCCESS)
    assert done.summary["skipped"] == 1
    trees.assert_same(source, dest)


def test_checksum_of_files_with_holes(box, source, dest):
    path = os.path.join(source, "sparse")
    with open(path, "wb") as file:
        file.truncate(40 * MIB)
        file.seek(20 * MIB)
        file.write(b"an island")
    with Share(box, source) as share:
        get(box, share.target, dest).expect(SUCCESS)
        alter(path, 20 * MIB + 3)
        get(box, share.target, dest, "--checksum", "--overwrite").expect(SUCCESS)
    trees.assert_same(source, dest)
    assert os.stat(os.path.join(dest, "sparse")).st_blocks * 512 < 20 * MIB


# --- what goes wrong ----------------------------------------------------------------------------

@pytest.mark.parametrize("how", ["kill", "interrupt"])
def test_an_interrupted_one_is_gone_on_with(box, source, dest, how):
    content = overwrite(10 * MIB, 30 * MIB)
    with Share(box, source) as share:
        get(box, share.target, dest).expect(SUCCESS)
        change(source, content)
        with Gate(share.port, hold_after=20 * MIB) as gate:
            running = start_get(box, gate.target, dest, "--overwrite")
            gate.wait_held(DEADLINE_SECONDS)
            wait_until(lambda: written(dest) >= 50 * MIB, "what came to be written")
            getattr(running, how)()
        assert trees.read(os.path.join(dest, "large")) == ORIGINAL
        done = get(box, share.target, dest, "--overwrite").expect(SUCCESS)
    trees.assert_same(source, dest)
    assert done.summary["resumed_bytes"] > 0
    assert done.summary["wire_bytes"] <= 30 * MIB
    assert not trees.partials(dest)


@pytest.mark.parametrize("disk", ["xfs", "plain"])
def test_what_is_there_is_written_to_while_it_is_copied(box, source, dest, disk, request):
    """It is the user's, and newer now: it is kept, and nothing mixes."""
    if disk == "xfs":
        dest = os.path.join(request.getfixturevalue("xfs")[0], "dest")
    path = os.path.join(dest, "large")
    chance = random.Random(4)
    with Share(box, source) as share:
        for version in (b"x" + ORIGINAL, ORIGINAL, moved()):
            get(box, share.target, dest, "--overwrite").expect(SUCCESS)
            change(source, version)
            with open(path, "r+b", buffering=0) as old:
                running = start_get(box, share.target, dest, "--overwrite")
                while running.process.poll() is None:
                    os.pwrite(old.fileno(), b"meddled", chance.randrange(SIZE))
                    if chance.random() < 0.001:
                        old.truncate(SIZE // 2)
                done = running.finish().expect(PARTIAL)
                assert list(done.failed().values()) == ["exists"]
                assert os.path.samestat(os.fstat(old.fileno()), os.stat(path))
            assert not trees.partials(dest)
            # What is as new as the run itself is never replaced.
            wait_until(lambda: time.time() > os.stat(path).st_ctime + 0.1, "it to be older")
            get(box, share.target, dest, "--overwrite").expect(SUCCESS)
            trees.assert_same(source, dest)


def test_the_source_changes_while_it_is_read(box, source, dest):
    """One version arrives, or it is said that none did."""
    path = os.path.join(source, "large")
    with Share(box, source) as share:
        get(box, share.target, dest).expect(SUCCESS)
        for turn in range(6):
            change(source, bytes([turn]) + ORIGINAL)
            running = start_get(box, share.target, dest, "--overwrite")
            time.sleep(turn * 0.03)
            with open(path, "r+b") as file:
                file.seek(SIZE - MIB)
                file.write(b"changed meanwhile")
            done = running.finish()
            if done.status == SUCCESS:
                kept = trees.read(os.path.join(dest, "large"))
                assert kept in (bytes([turn]) + ORIGINAL, trees.read(path))
            else:
                assert list(done.expect(PARTIAL).failed().values()) == ["changed"]
            assert not trees.partials(dest)
        get(box, share.target, dest, "--overwrite").expect(SUCCESS)
    trees.assert_same(source, dest)
