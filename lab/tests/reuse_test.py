"""A file that was fetched before, wherever it is now, does not come again."""

import os
import random
import shutil
import threading

import pytest

import trees
from gate import Gate
from runner import SUCCESS, WRONG, WRONG_CODE, Share, command, get, start_get, wait_until

MIB = 1 << 20
SIZE = 20 * MIB
WIRE_MAX = 64 << 10
CONTENT = random.Random(3).randbytes(SIZE)


@pytest.fixture
def source(box):
    path = os.path.join(box, "source")
    trees.write(os.path.join(path, "large"), CONTENT, mtime_ns=1_500_000_000_123_456_789)
    trees.write(os.path.join(path, "small"), b"small")
    return path


def fetch(box, source, name, *options, **others):
    """Into a directory of that name; both ends start anew."""
    with Share(box, source) as share:
        done = get(box, share.target, os.path.join(box, name), *options, **others).expect(SUCCESS)
    trees.assert_same(source, os.path.join(box, name))
    return done.summary


def expect_reused(summary, size=SIZE):
    assert summary["reused_bytes"] == size
    assert summary["wire_bytes"] < WIRE_MAX


def cache(box, *options):
    done = command(box, "cache", "--json", *options).expect(SUCCESS)
    event, = [event for event in done.events if event["event"] == "cache"]
    return event


def test_into_a_new_directory(box, source):
    assert fetch(box, source, "first")["reused_bytes"] == 0
    expect_reused(fetch(box, source, "second"))
    shutil.rmtree(os.path.join(box, "first"))
    expect_reused(fetch(box, source, "third"))
    told = cache(box)
    assert (told["lookups"], told["found"], told["reused_bytes"]) == (2, 2, 2 * SIZE)


def test_renamed_moved_and_copied(box, source):
    large = os.path.join(source, "large")
    fetch(box, source, "first")
    os.rename(large, large + "-renamed")
    expect_reused(fetch(box, source, "second"))
    os.mkdir(os.path.join(source, "sub"))
    os.rename(large + "-renamed", os.path.join(source, "sub", "moved"))
    expect_reused(fetch(box, source, "third"))
    shutil.copyfile(os.path.join(source, "sub", "moved"), os.path.join(source, "copied"))
    expect_reused(fetch(box, source, "fourth"), 2 * SIZE)
    assert cache(box)["found"] == cache(box)["lookups"] == 4


@pytest.mark.parametrize("is_new", [True, False])
def test_copies_within_a_share_come_once(box, source, is_new):
    large = os.path.join(source, "large")
    os.mkdir(os.path.join(source, "sub"))
    shutil.copy2(large, os.path.join(source, "sub", "same time"))
    shutil.copyfile(large, os.path.join(source, "sub", "large"))
    shutil.copyfile(large, os.path.join(source, "sub", "neither"))
    trees.write(os.path.join(source, "sub", "different"), CONTENT[::-1])
    if not is_new:
        os.mkdir(os.path.join(box, "first"))
        trees.write(os.path.join(box, "first", "small"), b"", mtime_ns=5)
        os.unlink(os.path.join(box, "first", "small"))
    summary = fetch(box, source, "first")
    assert summary["reused_bytes"] == 3 * SIZE
    assert summary["wire_bytes"] < 2 * SIZE + MIB
    # Without looking, all of it comes.
    summary = fetch(box, source, "second", "--no-reuse")
    assert summary["reused_bytes"] == 0 and summary["wire_bytes"] > 5 * SIZE


def test_copies_that_share_blocks(box, source, xfs):
    path, _ = xfs
    shutil.copyfile(os.path.join(source, "large"), os.path.join(source, "copy"))
    before = shutil.disk_usage(path).used
    with Share(box, source) as share:
        done = get(box, share.target, os.path.join(path, "first")).expect(SUCCESS)
    trees.assert_same(source, os.path.join(path, "first"))
    assert done.summary["reused_bytes"] == SIZE
    os.sync()
    assert shutil.disk_usage(path).used - before < SIZE * 3 // 2


def test_copies_after_a_kill(box, source):
    """Whatever was under way: the same command brings the rest."""
    for name in ("one", "two", "three"):
        shutil.copyfile(os.path.join(source, "large"), os.path.join(source, name))
    for at in (SIZE // 2, SIZE, SIZE + MIB):
        dest = os.path.join(box, f"dest-{at}")
        with Share(box, source) as share:
            with Gate(share.port, hold_after=at) as gate:
                running = start_get(box, gate.target, dest)
                wait_until(lambda: gate.held.is_set() or running.process.poll() is not None,
                           "most of it")
                running.kill()
            trees.assert_nothing_half(source, dest)
            get(box, share.target, dest).expect(SUCCESS)
        trees.assert_same(source, dest)


def test_by_clone_where_blocks_can_be_shared(box, source, xfs):
    path, _ = xfs
    for name in ("first", "second"):
        with Share(box, source) as share:
            done = get(box, share.target, os.path.join(path, name)).expect(SUCCESS)
        trees.assert_same(source, os.path.join(path, name))
    expect_reused(done.summary)
    os.rename(os.path.join(source, "large"), os.path.join(source, "renamed"))
    with Share(box, source) as share:
        expect_reused(get(box, share.target, os.path.join(path, "third")).expect(SUCCESS).summary)
    trees.assert_same(source, os.path.join(path, "third"))


@pytest.mark.parametrize("touch", ["written", "replaced", "same size and time", "deleted"])
def test_what_somebody_touched_is_not_used(box, source, touch):
    fetch(box, source, "first")
    path = os.path.join(box, "first", "large")
    status = os.stat(path)
    if touch == "written":
        with open(path, "ab") as file:
            file.write(b"more")
    elif touch == "deleted":
        os.unlink(path)
    else:
        if touch == "replaced":
            os.unlink(path)
        trees.write(path, random.Random(4).randbytes(SIZE), mtime_ns=status.st_mtime_ns)
    assert fetch(box, source, "second")["reused_bytes"] == 0
    assert cache(box)["files"] == 1, "it is forgotten"


def test_another_file_of_the_same_size_is_not_it(box, source):
    fetch(box, source, "first")
    trees.write(os.path.join(source, "large"), random.Random(5).randbytes(SIZE))
    summary = fetch(box, source, "second")
    assert summary["reused_bytes"] == 0 and summary["bytes"] == SIZE + 5


def test_many_of_one_size(box, source):
    """The pictures of a film: only one of the same time or name is compared."""
    chance = random.Random(6)
    names = [f"frame-{i:03}" for i in range(12)]
    for number, name in enumerate(names):
        trees.write(os.path.join(source, name), chance.randbytes(3 * MIB), mtime_ns=10 ** 18 + number)
    fetch(box, source, "first")
    for name in names:
        os.rename(os.path.join(source, name), os.path.join(source, "take-1-" + name))
    expect_reused(fetch(box, source, "second"), SIZE + len(names) * 3 * MIB)


def test_no_reuse_fetches_it(box, source):
    fetch(box, source, "first")
    assert fetch(box, source, "second", "--no-reuse")["bytes"] == SIZE + 5


@pytest.mark.parametrize("damage", ["noise", "truncated", "foreign"])
def test_a_damaged_index_is_set_aside_with_a_word(box, source, damage):
    fetch(box, source, "first")
    directory = os.path.dirname(cache(box)["path"])
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        if damage == "foreign":
            trees.write(path, b"something else" if name == "index.db" else b"")
        elif damage == "truncated":
            os.truncate(path, os.path.getsize(path) // 3)
        else:
            trees.write(path, random.Random(7).randbytes(os.path.getsize(path)))
    with Share(box, source) as share:
        done = command(box, "get", share.target, os.path.join(box, "second")).expect(SUCCESS)
        if damage != "truncated":  # of which SQLite may still make sense
            assert b"was damaged" in done.stderr
    trees.assert_same(source, os.path.join(box, "second"))
    fetch(box, source, "third")
    expect_reused(fetch(box, source, "fourth"))


def test_a_damaged_index_is_told_of_although_nobody_joined(box, source):
    fetch(box, source, "first")
    path = cache(box)["path"]
    for suffix in "-wal", "-shm":
        trees.write(path + suffix, b"")
    trees.write(path, b"something else")
    with Share(box, source) as share:
        done = command(box, "get", share.target, os.path.join(box, "second"),
                       code=WRONG_CODE).expect(WRONG)
    assert b"was damaged" in done.stderr


def test_without_a_place_for_the_index_everything_else_works(box, source):
    trees.write(os.path.join(box, "file"))
    env = {"XDG_CACHE_HOME": os.path.join(box, "file")}
    fetch(box, source, "first", env=env)
    assert fetch(box, source, "second", env=env)["bytes"] == SIZE + 5


def test_after_a_power_cut(box, source, xfs):
    """What the index lost or is damaged by costs time and nothing else."""
    path, power_cut = xfs
    env = {"XDG_CACHE_HOME": os.path.join(path, "cache")}
    fetch(box, source, "first", env=env)
    os.sync()
    for number in range(3):
        os.utime(os.path.join(source, "large"), ns=(number, number))
        fetch(box, source, f"before-{number}", env=env)
        power_cut()
        fetch(box, source, f"after-{number}", env=env)
        fetch(box, source, f"again-{number}", env=env)


def test_several_at_once_share_it(box, source):
    fetch(box, source, "first")
    results = {}

    def one(number):
        results[number] = fetch(box, source, f"at-once-{number}")

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for summary in results.values():
        expect_reused(summary)
    assert cache(box)["files"] == 5


def test_cache_shows_verifies_and_clears(box, source):
    assert cache(box)["files"] == 0
    fetch(box, source, "first")
    fetch(box, source, "second")
    told = cache(box)
    assert (told["files"], told["file_bytes"]) == (2, 2 * SIZE)
    os.unlink(os.path.join(box, "first", "large"))
    assert cache(box, "--verify")["forgotten"] == 1
    assert cache(box)["files"] == 1
    shown = command(box, "cache").expect(SUCCESS).stdout.decode()
    assert "1 of 1 that were looked for (100 %)" in shown
    assert cache(box, "--clear")["files"] == 0
    assert trees.read(os.path.join(box, "second", "large")) == CONTENT
    assert fetch(box, source, "third")["bytes"] == SIZE + 5
