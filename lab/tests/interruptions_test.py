"""Kills, cuts, full disks and files that change: nothing half stands under a final name."""

import os
import random
import shutil

import data
import pytest
import trees
from gate import Gate
from runner import (CODE, DEADLINE_SECONDS, INTERRUPTED, LOCAL_IO, NOBODY, PARTIAL, SUCCESS,
                    Command, Share, get, start_get, wait_until)


def dest(box):
    return os.path.join(box, "dest")


@pytest.fixture
def source(box):
    """300 MB: small, middling and large files."""
    path = os.path.join(box, "source")
    trees.make_mixed(path, seed=31, files=120)
    chance = random.Random(32)
    for number, size in enumerate([200_000, 1_500_000, 9_000_000, 70_000_000, 90_000_000,
                                   120_000_000]):
        trees.write(os.path.join(path, f"large{number}"), chance.randbytes(size))
    return path


def bytes_below(path):
    total = 0
    for directory, _, files in os.walk(path):
        for name in files:
            try:
                total += data.written_bytes(os.path.join(directory, name))
            except OSError:
                pass
    return total


@pytest.mark.parametrize("victim", ["guest", "host"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kill_at_random_moments_then_run_again(box, source, victim, seed):
    chance = random.Random(seed)
    for _ in range(4):
        moment = chance.randrange(1, 290_000_000)
        with Share(box, source) as share:
            running = start_get(box, share.target, dest(box))
            wait_until(lambda: bytes_below(dest(box)) >= moment
                       or running.process.poll() is not None, f"{moment} bytes to arrive")
            if victim == "guest":
                running.kill()
            else:
                share.kill()
                done = running.finish()
                assert done.status not in (-6, -11), done.stderr
        if os.path.exists(dest(box)):
            trees.assert_nothing_half(source, dest(box))
    with Share(box, source) as share:
        get(box, share.target, dest(box)).expect(SUCCESS)
    trees.assert_same(source, dest(box))


def test_finished_files_are_not_fetched_again(box, source):
    with Share(box, source) as share, Gate(share.port, hold_after=150_000_000) as gate:
        running = start_get(box, gate.target, dest(box))
        gate.wait_held(DEADLINE_SECONDS)
        running.kill()
        whole = [path for path, kind in trees.snapshot(dest(box)).items()
                 if kind[0] == "file" and not os.path.basename(path).startswith(
                     trees.PARTIAL_PREFIX)]
        done = get(box, share.target, dest(box)).expect(SUCCESS)
    assert done.summary["skipped"] >= len(whole) - 1
    trees.assert_same(source, dest(box))


def test_a_lost_link_that_nobody_answers_on_is_an_error_and_the_next_run_finishes(box, source):
    with Share(box, source) as share:
        with Gate(share.port, hold_after=100_000_000) as gate:
            running = start_get(box, gate.target, dest(box))
            gate.wait_held(DEADLINE_SECONDS)
            gate.close_to_new_ones()
            gate.cut()
            gate.release()
            done = running.finish()
        assert done.status in (3, PARTIAL), (done.status, done.stderr)
        assert b"lost" in done.stderr or b"connection" in done.stderr
        trees.assert_nothing_half(source, dest(box))
        # The host lives on.
        get(box, share.target, dest(box)).expect(SUCCESS)
    trees.assert_same(source, dest(box))


def test_ctrl_c_leaves_only_what_the_next_run_goes_on_with(box, source):
    with Share(box, source) as share, Gate(share.port, hold_after=100_000_000) as gate:
        running = start_get(box, gate.target, dest(box))
        gate.wait_held(DEADLINE_SECONDS)
        done = running.interrupt().expect(INTERRUPTED)
        assert done.events[-1]["event"] == "summary"
        trees.assert_nothing_half(source, dest(box))
        left = trees.partials(dest(box))
        assert (done.summary["kept_bytes"] > 0) == bool(left)
        gate.release()
        get(box, share.target, dest(box)).expect(SUCCESS)
    assert not trees.partials(dest(box))
    trees.assert_same(source, dest(box))


def test_ctrl_c_before_anything_came(box, source):
    with Share(box, source) as share, Gate(share.port, hold_after=0, record=True) as gate:
        running = start_get(box, gate.target, dest(box))
        wait_until(lambda: gate.seen, "the guest to say hello, which nobody answers")
        running.interrupt().expect(INTERRUPTED)


def test_ctrl_c_at_the_host_ends_the_guest(box, source):
    with Share(box, source) as share, Gate(share.port, hold_after=100_000_000) as gate:
        running = start_get(box, gate.target, dest(box))
        gate.wait_held(DEADLINE_SECONDS)
        gate.close_to_new_ones()  # as the host's own port then is
        assert share.interrupt() == SUCCESS
        gate.release()
        done = running.finish()
        assert done.status not in (SUCCESS, -6, -11)
    trees.assert_nothing_half(source, dest(box))


def test_a_full_disk(box, small_disk):
    source = os.path.join(box, "source")
    for number in range(8):
        trees.write(os.path.join(source, f"f{number}"), trees.random_bytes(3_000_000, number))
    trees.write(os.path.join(source, "large"), trees.random_bytes(40_000_000, 99))
    disk = small_disk("16m")
    target = os.path.join(disk, "dest")
    with Share(box, source) as share:
        done = get(box, share.target, target).expect(LOCAL_IO)
        assert b"space" in done.stderr.lower()
        assert done.summary["bytes"] < 40_000_000
        trees.assert_nothing_half(source, target)
        small_disk("200m")
        get(box, share.target, target).expect(SUCCESS)
    trees.assert_same(source, target)


def test_a_destination_that_may_not_be_written(box, root):
    source = os.path.join(box, "source")
    trees.write(os.path.join(source, "f"), b"x")
    os.mkdir(dest(box))
    with Share(box, source) as share:
        done = Command(box, "get", share.target, dest(box), "--json", nobody=True).finish()
    assert done.status in (PARTIAL, LOCAL_IO), done.stderr
    assert not os.listdir(dest(box))
    assert b"permission denied" in (done.stdout + done.stderr).lower()


def test_a_directory_that_may_not_be_written_inside(box, root):
    source = os.path.join(box, "source")
    trees.write(os.path.join(source, "a", "f"), b"x")
    trees.write(os.path.join(source, "b", "f"), b"y")
    os.makedirs(os.path.join(dest(box), "a"))
    os.chown(dest(box), NOBODY, NOBODY)
    with Share(box, source) as share:
        done = Command(box, "get", share.target, dest(box), "--json", nobody=True).finish()
    assert done.status in (PARTIAL, LOCAL_IO), done.stderr
    assert trees.read(os.path.join(dest(box), "b", "f")) == b"y"
    assert not os.listdir(os.path.join(dest(box), "a"))


CHANGES = {
    "shrinks": lambda path: os.truncate(path, 1000),
    "vanishes into nothing": lambda path: os.truncate(path, 0),
    "grows": lambda path: open(path, "ab").write(b"more"),
    "is rewritten": lambda path: open(path, "r+b").write(b"other beginning"),
    "is rewritten at its end": lambda path: os.pwrite(os.open(path, os.O_WRONLY), b"x", 10**8),
}


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_source_that_changes_while_it_is_read(box, change):
    source = os.path.join(box, "source")
    trees.make_mixed(source, seed=41, files=40)
    victim = os.path.join(source, "victim")
    trees.write(victim, trees.random_bytes(200_000_000, 5), mtime_ns=10**18)
    with Share(box, source) as share, Gate(share.port, hold_after=20_000_000) as gate:
        running = start_get(box, gate.target, dest(box), "--streams", "1")
        gate.wait_held(DEADLINE_SECONDS)
        CHANGES[change](victim)
        gate.release()
        done = running.finish().expect(PARTIAL)
        assert [(os.path.basename(path), code) for path, code in done.failed().items()] == [
            ("victim", "changed")]
        assert not os.path.exists(os.path.join(dest(box), "victim"))
        trees.assert_nothing_half(source, dest(box))
        # The rest is there, and once it stands still it comes too.
        get(box, share.target, dest(box)).expect(SUCCESS)
    trees.assert_same(source, dest(box))


def test_a_source_that_is_removed_while_the_tree_is_read(box):
    source = os.path.join(box, "source")
    trees.write(os.path.join(source, "a"), trees.random_bytes(100_000_000, 6))
    for number in range(50):
        trees.write(os.path.join(source, f"gone{number}"), trees.random_bytes(2_000_000, number))
    with Share(box, source) as share, Gate(share.port, hold_after=3_000_000) as gate:
        running = start_get(box, gate.target, dest(box), "--streams", "1")
        gate.wait_held(DEADLINE_SECONDS)
        for number in range(50):
            os.unlink(os.path.join(source, f"gone{number}"))
        gate.release()
        done = running.finish()
    assert done.status in (SUCCESS, PARTIAL), done.stderr
    for name in os.listdir(dest(box)):
        # What was open by then may have arrived whole.
        content = trees.read(os.path.join(dest(box), name))
        expected = (trees.random_bytes(100_000_000, 6) if name == "a"
                    else trees.random_bytes(2_000_000, int(name[4:])))
        assert content == expected, name


def test_a_share_that_disappears(box):
    source = os.path.join(box, "source")
    trees.write(os.path.join(source, "f"), b"x")
    with Share(box, source) as share:
        shutil.rmtree(source)
        done = get(box, share.target, dest(box))
        assert done.status not in (-6, -11)
        os.mkdir(source)
    assert share.process.returncode in (SUCCESS, INTERRUPTED)


def test_the_code_survives_kills(box, source):
    """Sessions that were killed are no wrong guesses."""
    with Share(box, source) as share:
        for number in range(12):
            with Gate(share.port, hold_after=number * 300) as gate:
                running = start_get(box, gate.target, dest(box))
                wait_until(lambda: gate.held.is_set() or running.process.poll() is not None,
                           "the guest to be held")
                running.kill()
        get(box, share.target, dest(box), code=CODE).expect(SUCCESS)
