"""The same command again after an interruption: only what is missing crosses the link, and what the
interruption damaged is mended."""

import os
import random
import shutil
import subprocess
import time

import data
import pytest
import trees
from gate import Gate
from runner import (DEADLINE_SECONDS, INTERRUPTED, LOCAL_IO, NO_CONNECTION, PARTIAL, SUCCESS,
                    Share, get, start_get, wait_until)

MB = 1_000_000
SIZE = 96 * MB
# What a kill may cost beside the eighth that was not noted yet: what is under way, and a block.
SLACK = 4 * MB
# Frames' headers and tags, and control.
OVERHEAD = 1 * MB


@pytest.fixture
def source(box):
    path = os.path.join(box, "source")
    trees.write(os.path.join(path, "large"), random.Random(1).randbytes(SIZE))
    return path


@pytest.fixture
def dest(box):
    return os.path.join(box, "dest")


def arrived(dest):
    """Bytes of the partial that were written."""
    try:
        return sum(map(data.written_bytes, trees.partials(dest)))
    except OSError:
        return 0


def interrupt_at(box, share, dest, share_of_it, how):
    """Fetches so much of it, and ends it by how(running, gate)."""
    at = int(share_of_it * SIZE)
    with Gate(share.port, hold_after=at) as gate:
        running = start_get(box, gate.target, dest)
        gate.wait_held(DEADLINE_SECONDS)
        wait_until(lambda: arrived(dest) >= max(1, at - SLACK), f"{at} bytes to be written")
        how(running, gate)
    return at


def kill_guest(running, _gate):
    running.kill()


def ctrl_c(running, _gate):
    done = running.interrupt().expect(INTERRUPTED)
    assert done.summary["kept_bytes"] > 0


def cut(running, gate):
    gate.close_to_new_ones()
    gate.cut()
    gate.release()
    assert running.finish().expect(NO_CONNECTION).summary["kept_bytes"] > 0


def ctrl_c_any(running, _gate):
    running.interrupt().expect(INTERRUPTED)


def cut_any(running, gate):
    gate.close_to_new_ones()
    gate.cut()
    gate.release()
    running.finish().expect(NO_CONNECTION)


def expect_resumed(done, least):
    done.expect(SUCCESS)
    resumed = done.summary["resumed_bytes"]
    assert resumed >= least, f"only {resumed} of {least}"
    assert done.summary["bytes"] == SIZE - resumed
    assert done.summary["wire_bytes"] <= SIZE - resumed + OVERHEAD


@pytest.mark.parametrize("part", [0.01, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("how", [kill_guest, ctrl_c, cut], ids=lambda how: how.__name__)
def test_the_same_command_goes_on(box, source, dest, how, part):
    with Share(box, source) as share:
        at = interrupt_at(box, share, dest, part, how)
        # Nothing is lost in order; a kill costs what was not noted yet.
        least = at * 7 // 8 if how is kill_guest else at
        done = get(box, share.target, dest)
    expect_resumed(done, max(0, least - SLACK))
    trees.assert_same(source, dest)
    assert not trees.partials(dest)


def test_it_goes_on_after_the_host_was_killed(box, source, dest):
    def kill_host(running, gate):
        gate.close_to_new_ones()
        share.kill()
        gate.release()
        assert running.finish().status != SUCCESS

    with Share(box, source) as share:
        at = interrupt_at(box, share, dest, 0.9, kill_host)
    with Share(box, source) as share:
        expect_resumed(get(box, share.target, dest), at - SLACK)
    trees.assert_same(source, dest)


def test_a_lost_link_is_tried_again_in_the_same_run(box, source, dest):
    trees.write(os.path.join(source, "small"), b"whole by then")
    with Share(box, source) as share, Gate(share.port, hold_after=SIZE // 2) as gate:
        running = start_get(box, gate.target, dest)
        gate.wait_held(DEADLINE_SECONDS)
        wait_until(lambda: arrived(dest) >= SIZE // 2 - SLACK, "half of it to be written")
        gate.cut()
        gate.release()
        done = running.finish().expect(SUCCESS)
    retrying, = [event for event in done.events if event["event"] == "retrying"]
    assert retrying["code"] == "lost" and retrying["seconds"] == 1
    assert done.summary["files"] == 2 and done.summary["skipped"] == 0
    assert done.summary["bytes"] <= SIZE + SLACK, "what was there came again"
    assert done.summary["wire_bytes"] <= SIZE + SLACK + OVERHEAD
    assert done.summary["resumed_bytes"] == 0, "it was this run's own"
    trees.assert_same(source, dest)


def test_a_link_that_is_lost_again_and_again(box, source, dest):
    with Share(box, source) as share, Gate(share.port) as gate:
        running = start_get(box, gate.target, dest, "--streams", "1")
        for part in range(1, 4):
            at = part * SIZE // 5
            wait_until(lambda: gate.to_guest >= at or running.process.poll() is not None,
                       f"{at} bytes")
            gate.cut()
        done = running.finish().expect(SUCCESS)
    assert done.summary["bytes"] <= SIZE + 4 * SLACK
    trees.assert_same(source, dest)


def test_ctrl_c_while_the_link_is_gone(box, source, dest):
    with Share(box, source) as share, Gate(share.port, hold_after=SIZE // 2) as gate:
        running = start_get(box, gate.target, dest)
        gate.wait_held(DEADLINE_SECONDS)
        before = gate.connections
        gate.cut()  # who comes anew is held
        wait_until(lambda: gate.connections > before, "the guest to come back")
        done = running.interrupt().expect(INTERRUPTED)
        assert [event["code"] for event in done.events if event["event"] == "retrying"]
        gate.release()


def test_again_and_again(box, source, dest):
    chance = random.Random(4)
    with Share(box, source) as share:
        for _ in range(6):
            with Gate(share.port, hold_after=chance.randrange(1, SIZE // 6)) as gate:
                running = start_get(box, gate.target, dest)
                wait_until(lambda: gate.held.is_set() or running.process.poll() is not None,
                           "the guest to be held")
                if running.process.poll() is None:
                    chance.choice([kill_guest, ctrl_c_any, cut_any])(running, gate)
                else:
                    running.finish()
        get(box, share.target, dest).expect(SUCCESS)
    trees.assert_same(source, dest)
    assert not trees.partials(dest)


def test_a_single_file_under_another_name(box, source):
    dest = os.path.join(box, "there", "copy")
    with Share(box, source) as share:
        with Gate(share.port, hold_after=SIZE // 2) as gate:
            running = start_get(box, gate.target + "/large", dest)
            gate.wait_held(DEADLINE_SECONDS)
            wait_until(lambda: arrived(os.path.dirname(dest)) >= SIZE // 2 - SLACK, "half of it")
            ctrl_c(running, gate)
        assert not os.path.exists(dest)
        expect_resumed(get(box, share.target + "/large", dest), SIZE // 2 - SLACK)
    assert trees.read(dest) == trees.read(os.path.join(source, "large"))


def same_size_and_time(path):
    status = os.stat(path)
    with open(path, "r+b") as file:
        file.seek(3)
        file.write(b"another beginning")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


CHANGES = {
    "in place, of the same size and time": same_size_and_time,
    "longer": lambda path: open(path, "ab").write(b"more"),
    "shorter": lambda path: os.truncate(path, SIZE - 5 * MB),
    "too short to go on with": lambda path: os.truncate(path, 1000),
}


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_source_that_changed_meanwhile_comes_whole(box, source, dest, change):
    with Share(box, source) as share:
        interrupt_at(box, share, dest, 0.5, ctrl_c)
        time.sleep(0.02)  # the kernel's clock of file times ticks every 10 ms at worst
        CHANGES[change](os.path.join(source, "large"))
        done = get(box, share.target, dest).expect(SUCCESS)
    assert done.summary["resumed_bytes"] == 0
    trees.assert_same(source, dest)
    assert not trees.partials(dest)


def test_another_hosts_file_is_never_mixed_with_it(box, source, dest):
    """It has the same name, size and time."""
    path = os.path.join(source, "large")
    other = os.path.join(box, "other", "source")
    trees.write(os.path.join(other, "large"), random.Random(2).randbytes(SIZE),
                mtime_ns=os.stat(path).st_mtime_ns)
    with Share(box, source) as share:
        interrupt_at(box, share, dest, 0.5, ctrl_c)
    with Share(box, other) as share:
        assert get(box, share.target, dest).expect(SUCCESS).summary["resumed_bytes"] == 0
    assert trees.read(os.path.join(dest, "large")) == trees.read(os.path.join(other, "large"))


def test_a_stale_partial_never_replaces_a_newer_file(box, source, dest):
    with Share(box, source) as share:
        interrupt_at(box, share, dest, 0.9, ctrl_c)
        mine = os.path.join(dest, "large")
        trees.write(mine, b"made meanwhile")
        done = get(box, share.target, dest).expect(PARTIAL)
        assert list(done.failed().values()) == ["exists"]
        assert trees.read(mine) == b"made meanwhile"
        expect_resumed(get(box, share.target, dest, "--overwrite"), int(0.9 * SIZE) - SLACK)
    trees.assert_same(source, dest)


@pytest.mark.parametrize("damage", ["zeros", "noise", "no journal", "half a journal"])
def test_what_was_damaged_meanwhile_is_mended(box, source, dest, damage):
    with Share(box, source) as share:
        interrupt_at(box, share, dest, 0.9, ctrl_c)
        partial, = trees.partials(dest)
        with open(partial, "r+b") as file:
            if damage == "zeros":
                file.seek(10 * MB)
                file.write(bytes(8 * MB))
            elif damage == "noise":
                chance = random.Random(5)
                for _ in range(40):
                    file.seek(chance.randrange(SIZE))
                    file.write(chance.randbytes(3))
            else:
                journal = os.fstat(file.fileno()).st_size - SIZE
                file.truncate(SIZE + (0 if damage == "no journal" else journal // 2))
        # Another file: what is written into this one at once after an interruption counts as the
        # interrupted run's own.
        os.rename(partial, partial + b"-old")
        shutil.copyfile(partial + b"-old", partial)
        os.unlink(partial + b"-old")
        done = get(box, share.target, dest).expect(SUCCESS)
    assert done.summary["resumed_bytes"] + done.summary["bytes"] == SIZE
    if damage == "no journal":
        assert done.summary["resumed_bytes"] == 0
    else:
        assert 0 < done.summary["resumed_bytes"] < int(0.9 * SIZE)
    trees.assert_same(source, dest)


def test_a_full_disk_that_was_made_larger(box, source, small_disk):
    disk = small_disk("64m")
    dest = os.path.join(disk, "dest")
    with Share(box, source) as share:
        done = get(box, share.target, dest).expect(LOCAL_IO)
        assert done.summary["kept_bytes"] > 0
        trees.assert_nothing_half(source, dest)
        small_disk("200m")
        expect_resumed(get(box, share.target, dest), 50 * MB)
    trees.assert_same(source, dest)


@pytest.mark.parametrize("fills_the_disk", [False, True])
def test_room_on_xfs_is_taken_beforehand(box, source, xfs, fills_the_disk):
    """What has no blocks yet would be written back while the file is closed. Not where others would
    be short of it."""
    path, _ = xfs
    dest = os.path.join(path, "dest")
    if fills_the_disk:
        disk = os.statvfs(path)
        with open(os.path.join(path, "filler"), "wb") as filler:
            os.posix_fallocate(filler.fileno(), 0, disk.f_bavail * disk.f_frsize - SIZE - 32 * MB)
    with Share(box, source) as share:
        with Gate(share.port, hold_after=SIZE // 4) as gate:
            running = start_get(box, gate.target, dest)
            gate.wait_held(DEADLINE_SECONDS)
            wait_until(lambda: arrived(dest) > 0, "some of it to be written")
            taken = sum(os.stat(partial).st_blocks * 512 for partial in trees.partials(dest))
            assert (taken < SIZE // 2) if fills_the_disk else (taken >= SIZE)
            gate.release()
            running.finish().expect(SUCCESS)
    trees.assert_same(source, dest)


@pytest.mark.parametrize("synced", [False, True])
def test_after_a_power_cut(box, source, xfs, synced):
    """Nothing was flushed, or something in between: what is gone is fetched, the rest is not."""
    path, power_cut = xfs
    dest = os.path.join(path, "dest")
    os.mkdir(dest)
    os.sync()
    with Share(box, source) as share:
        with Gate(share.port, hold_after=SIZE // 2) as gate:
            running = start_get(box, gate.target, dest)
            gate.wait_held(DEADLINE_SECONDS)
            wait_until(lambda: arrived(dest) >= SIZE // 2 - SLACK, "half of it")
            if synced:
                subprocess.run(["sync", "-f", dest], check=True)
            gate.release()
            wait_until(lambda: arrived(dest) >= SIZE * 3 // 4 or running.process.poll() is not None,
                       "more to come after the flush")
            running.kill()
        power_cut()
        for name in os.listdir(dest):
            assert name.startswith(".wormhole-") or not synced, "whole before the cut?"
        # A finished file that the cut took the bytes of looks equal.
        done = get(box, share.target, dest, "--checksum", "--overwrite").expect(SUCCESS)
    if synced:
        assert done.summary["resumed_bytes"] > SIZE // 4
    trees.assert_same(source, dest)


def test_a_plain_get_mends_what_a_power_cut_left(box, source, xfs):
    """Times and some sizes are on the disk, the bytes are not: what is empty, or what the index knows
    to be ours, is mended unasked; the rest is found."""
    path, power_cut = xfs
    dest = os.path.join(path, "dest")
    chance = random.Random(6)
    for name, size in {"small": 20_000, "block": 300_000, "medium": 5 * MB}.items():
        trees.write(os.path.join(source, name), chance.randbytes(size), mtime_ns=10**18 + 7)
    os.mkdir(dest)
    os.sync()
    with Share(box, source) as share:
        get(box, share.target, dest).expect(SUCCESS)
        # The names, and nothing else.
        subprocess.run(["xfs_io", "-c", "fsync", dest], check=True)
        power_cut()
        sizes = {name: os.stat(os.path.join(dest, name)).st_size for name in os.listdir(dest)}
        assert sizes["small"] == 0 and sizes["medium"] == 5 * MB, "the cut took nothing"
        assert trees.read(os.path.join(dest, "medium")) == bytes(5 * MB)
        mended = get(box, share.target, dest).expect(PARTIAL)
        assert mended.failed() == {"block": "exists"}, "too short for the index"
        assert trees.read(os.path.join(dest, "medium")) == trees.read(
            os.path.join(source, "medium"))
        assert trees.read(os.path.join(dest, "small")) == trees.read(os.path.join(source, "small"))
        get(box, share.target, dest, "--overwrite").expect(SUCCESS)
        trees.assert_same(source, dest)
        again = get(box, share.target, dest).expect(SUCCESS)
    assert mended.summary["files"] >= 2
    assert again.summary["files"] == 0 and again.summary["skipped"] == len(sizes)


def test_two_files_that_are_compared_while_the_rest_arrives(box, source, dest):
    """Nothing is written into a file that is in place already."""
    chance = random.Random(8)
    for name in ("one", "two", "three"):
        trees.write(os.path.join(source, name), chance.randbytes(20 * MB), mtime_ns=10**18 + 7)
    with Share(box, source) as share:
        with Gate(share.port, hold_after=130 * MB) as gate:
            running = start_get(box, gate.target, dest)
            gate.wait_held(DEADLINE_SECONDS)
            ctrl_c(running, gate)
        for partial in trees.partials(dest):
            os.rename(partial, partial + b"-old")
            shutil.copyfile(partial + b"-old", partial)
            os.unlink(partial + b"-old")
        get(box, share.target, dest).expect(SUCCESS)
        trees.assert_same(source, dest)
        again = get(box, share.target, dest).expect(SUCCESS)
    assert again.summary["files"] == 0
