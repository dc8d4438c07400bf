"""File systems that answer as most do not: whose files belong to another user, have another number
each time, or are listed and not found."""

import os

import pytest
import trees
from gate import Gate
from runner import DEADLINE_SECONDS, PARTIAL, SUCCESS, Share, get, preloaded, start_get, wait_until

MB = 1_000_000


def odd(status):
    return preloaded("odd_status.so", WORMHOLE_LAB_STATUS=status)


@pytest.fixture
def source(box):
    path = os.path.join(box, "source")
    trees.make_mixed(path, seed=31, files=100, largest=200_000)
    trees.write(os.path.join(path, "large"), trees.random_bytes(24 * MB))
    return path


@pytest.fixture
def dest(box):
    return os.path.join(box, "dest")


def test_files_that_have_another_number_each_time_are_whole(box, source, dest):
    with Share(box, source, env=odd("numbered")) as share:
        get(box, share.target, dest, "--streams", "2").expect(SUCCESS)
        trees.assert_same(source, dest)
        # Of another version only the chunks are told.
        trees.write(os.path.join(source, "large"), b"new" + trees.random_bytes(24 * MB))
        done = get(box, share.target, dest, "--overwrite").expect(SUCCESS)
        assert done.summary["reused_bytes"] > 20 * MB
    trees.assert_same(source, dest)


def test_elsewhere_another_number_is_another_file(box, source, dest):
    with Share(box, source, env=odd("renumbered")) as share:
        done = get(box, share.target, dest).expect(PARTIAL)
    assert set(done.failed().values()) == {"changed"}
    assert not trees.partials(dest)


@pytest.mark.parametrize("nameless", ["all", "none"])
def test_an_interrupted_file_is_gone_on_with_where_all_belong_to_another(box, source, dest, nameless):
    env = preloaded("refuse_nameless.so", "odd_status.so", WORMHOLE_LAB_NAMELESS=nameless,
                    WORMHOLE_LAB_STATUS="squashed")
    with Share(box, source) as share:
        with Gate(share.port, hold_after=12 * MB) as gate:
            running = start_get(box, gate.target, dest, env=env)
            gate.wait_held(DEADLINE_SECONDS)
            wait_until(lambda: trees.partials(dest), "a partial")
            running.kill()
        get(box, share.target, dest, env=env).expect(SUCCESS)
    trees.assert_same(source, dest)
    assert not [name for name in os.listdir(dest) if name.startswith(".")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_partial_of_another_user_is_not_touched(box, source, dest):
    with Share(box, source) as share:
        with Gate(share.port, hold_after=12 * MB) as gate:
            running = start_get(box, gate.target, dest)
            gate.wait_held(DEADLINE_SECONDS)
            [partial] = wait_until(lambda: trees.partials(dest), "a partial")
            running.kill()
        os.chown(partial, 4242, -1)
        done = get(box, share.target, dest).expect(PARTIAL)
    assert set(done.failed()) == {"large"}
    assert os.stat(partial).st_uid == 4242


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_what_is_listed_and_not_found_is_told_and_its_copy_stays(box, source, dest, kind):
    lost = os.path.join(source, "d", "lost")
    trees.write(os.path.join(source, "d", "found"), b"found")
    if kind == "file":
        trees.write(lost, b"precious")
    elif kind == "directory":
        trees.write(os.path.join(lost, "inner"), b"precious")
    else:
        os.symlink("precious", lost)
    with Share(box, source) as share:
        get(box, share.target, dest).expect(SUCCESS)
    # It may be the copy of what is listed by another name now: in that directory nothing goes.
    trees.write(os.path.join(dest, "d", "by its right name"), b"stays")
    trees.write(os.path.join(dest, "d000", "surplus"), b"goes")
    with Share(box, source, env=odd("lost:lost")) as share:
        done = get(box, share.target, dest, "--overwrite", "--delete", "--yes").expect(PARTIAL)
    assert done.failed() == {"d/lost": "not_found", "d": "not_found"}
    assert trees.read(os.path.join(dest, "d", "by its right name")) == b"stays"
    os.unlink(os.path.join(dest, "d", "by its right name"))
    os.utime(os.path.join(dest, "d"), ns=(os.stat(os.path.join(source, "d")).st_mtime_ns,) * 2)
    trees.assert_same(source, dest)


@pytest.mark.parametrize("other", ["file", "symlink"])
def test_of_two_names_that_are_one_there_one_stays(box, source, dest, other):
    """Of new ones that whose data was there first, from then on the one that is told of first; and
    that the other did not come is told each time."""
    trees.write(os.path.join(source, "X.h"), b"of the first", mtime_ns=1_600_000_000_000_000_000)
    if other == "file":
        trees.write(os.path.join(source, "x.h"), b"of another", mtime_ns=1_700_000_000_000_000_000)
    else:
        os.symlink("elsewhere", os.path.join(source, "x.h"))
    env = odd("folded")
    there = []
    with Share(box, source) as share:
        for options in ((), ("--overwrite",), ("--overwrite", "--checksum"), ("--overwrite",)):
            done = get(box, share.target, dest, *options, env=env).expect(PARTIAL)
            assert len(done.failed()) == 1 and set(done.failed()) < {"X.h", "x.h"}
            there.append(trees.describe(os.path.join(dest, "x.h")))
            planned = get(box, share.target, dest, "--dry-run", "--overwrite", env=env)
            assert planned.expect(PARTIAL).events[-2]["would_fail"] == 1
        # Without the other one all is well.
        os.unlink(os.path.join(source, "x.h"))
        get(box, share.target, dest, "--overwrite", env=env).expect(SUCCESS)
        assert trees.read(os.path.join(dest, "x.h")) == b"of the first"
        assert not os.path.lexists(os.path.join(dest, "X.h"))
    assert len(set(there[1:])) == 1


def test_where_a_file_can_have_no_more_names_it_is_copied(box, source, dest):
    trees.write(os.path.join(source, "one"), b"file of two names")
    os.link(os.path.join(source, "one"), os.path.join(source, "two"))
    with Share(box, source) as share:
        get(box, share.target, dest, env=odd("linked-out")).expect(SUCCESS)
        trees.assert_same(source, dest)
        assert os.stat(os.path.join(dest, "one")).st_nlink == 1
        # Such a copy is looked at like any other file.
        status = os.stat(os.path.join(dest, "two"))
        for path in ("one", "two"):
            trees.write(os.path.join(dest, path), b"damaged of 2 name", mtime_ns=status.st_mtime_ns)
        os.chmod(os.path.join(dest, "two"), 0o600)
        refused = get(box, share.target, dest, "--checksum", env=odd("linked-out")).expect(PARTIAL)
        assert set(refused.failed()) == {"one", "two"}
        get(box, share.target, dest, "--checksum", "--overwrite",
            env=odd("linked-out")).expect(SUCCESS)
    trees.assert_same(source, dest)
