"""Where things land: the grammar of `get TARGET [DEST]`."""

import os

import pytest
import trees
from runner import PARTIAL, SUCCESS, USAGE, Share, command, get


@pytest.fixture
def source(box):
    path = os.path.join(box, "album")
    trees.make_mixed(path, seed=11, files=20)
    return path


def join(*parts):
    return os.path.join(*parts)


def test_one_directory_fills_a_missing_destination(box, source):
    with Share(box, source) as share:
        done = get(box, share.target, join(box, "new")).expect(SUCCESS)
    trees.assert_same(source, join(box, "new"))
    files = [kind for kind in trees.snapshot(source).values() if kind[0] == "file"]
    assert done.summary["files"] == len(files)
    assert done.summary["bytes"] == sum(kind[3] for kind in files)
    assert done.summary["links"] == 3
    assert done.summary["failed"] == 0


def test_missing_parents_of_the_destination_are_made(box, source):
    with Share(box, source) as share:
        get(box, share.target, join(box, "a", "b", "c")).expect(SUCCESS)
    trees.assert_same(source, join(box, "a", "b", "c"))


def test_an_existing_destination_keeps_what_it_has(box, source):
    trees.write(join(box, "there", "mine"), b"my own")
    with Share(box, source) as share:
        get(box, share.target, join(box, "there")).expect(SUCCESS)
    assert trees.read(join(box, "there", "mine")) == b"my own"
    os.unlink(join(box, "there", "mine"))
    copied = trees.snapshot(join(box, "there"))
    del copied[b"."]
    expected = trees.snapshot(source)
    del expected[b"."]
    assert copied == expected


@pytest.mark.parametrize("prepare", [False, True], ids=["missing", "existing"])
def test_a_trailing_slash_changes_nothing_for_a_directory(box, source, prepare):
    if prepare:
        os.mkdir(join(box, "dest"))
    with Share(box, source + "/") as share:
        get(box, share.target, join(box, "dest") + "/").expect(SUCCESS)
    trees.assert_same(source, join(box, "dest"))


def test_running_twice_gives_the_same_tree_and_sends_nothing_again(box, source):
    with Share(box, source) as share:
        first = get(box, share.target, join(box, "dest")).expect(SUCCESS)
        before = trees.snapshot(join(box, "dest"))
        second = get(box, share.target, join(box, "dest")).expect(SUCCESS)
    assert trees.snapshot(join(box, "dest")) == before
    trees.assert_same(source, join(box, "dest"))
    assert second.summary["skipped"] == first.summary["files"]
    assert second.summary["files"] == 0
    assert second.summary["bytes"] == 0
    assert second.summary["wire_bytes"] < first.summary["wire_bytes"]


def test_without_destination_the_basename_is_made_here(box, source):
    os.mkdir(join(box, "here"))
    with Share(box, source) as share:
        get(box, share.target, cwd=join(box, "here")).expect(SUCCESS)
        again = get(box, share.target, cwd=join(box, "here")).expect(SUCCESS)
    trees.assert_same(source, join(box, "here", "album"))
    assert os.listdir(join(box, "here")) == ["album"]
    assert again.summary["bytes"] == 0


def test_single_file_without_destination(box):
    trees.write(join(box, "one.bin"), b"content", 0o640, 1_600_000_000_123_456_789)
    os.mkdir(join(box, "here"))
    with Share(box, join(box, "one.bin")) as share:
        get(box, share.target, cwd=join(box, "here")).expect(SUCCESS)
    assert trees.describe(join(box, "here", "one.bin")) == trees.describe(join(box, "one.bin"))


def test_single_file_into_an_existing_directory(box):
    trees.write(join(box, "one.bin"), b"content")
    os.mkdir(join(box, "dest"))
    with Share(box, join(box, "one.bin")) as share:
        get(box, share.target, join(box, "dest")).expect(SUCCESS)
    assert trees.read(join(box, "dest", "one.bin")) == b"content"


def test_single_file_with_a_trailing_slash_makes_the_directory(box):
    trees.write(join(box, "one.bin"), b"content")
    with Share(box, join(box, "one.bin")) as share:
        get(box, share.target, join(box, "dest") + "/").expect(SUCCESS)
    assert trees.read(join(box, "dest", "one.bin")) == b"content"


def test_single_file_under_a_new_name(box):
    trees.write(join(box, "one.bin"), b"content")
    with Share(box, join(box, "one.bin")) as share:
        get(box, share.target, join(box, "other.bin")).expect(SUCCESS)
        again = get(box, share.target, join(box, "other.bin")).expect(SUCCESS)
    assert trees.read(join(box, "other.bin")) == b"content"
    assert again.summary["skipped"] == 1


def test_several_paths_each_get_their_basename(box, source):
    trees.write(join(box, "one.bin"), b"content")
    with Share(box, source, join(box, "one.bin")) as share:
        get(box, share.target, join(box, "dest")).expect(SUCCESS)
        get(box, share.target, join(box, "dest")).expect(SUCCESS)
    assert sorted(os.listdir(join(box, "dest"))) == ["album", "one.bin"]
    trees.assert_same(source, join(box, "dest", "album"))
    assert trees.read(join(box, "dest", "one.bin")) == b"content"


def test_of_several_none_goes_through_a_link_that_an_earlier_one_left(box):
    secret = join(box, "secret")
    trees.write(join(secret, "authorized_keys"), b"mine")
    stuff = join(box, "stuff")
    trees.write(join(stuff, "day-3", "f"), b"3")
    os.symlink(secret, join(stuff, "day-4"))
    with Share(box, stuff) as share:
        get(box, share.target, join(box, "dest")).expect(SUCCESS)
    os.unlink(join(stuff, "day-4"))
    trees.write(join(stuff, "day-4", "authorized_keys"), b"theirs")
    with Share(box, stuff) as share:
        done = get(box, share.target + "/day-3", share.target + "/day-4", join(box, "dest"),
                   "--overwrite", "--delete", "--yes")
    done.expect(PARTIAL)
    assert list(done.failed()) == ["day-4"]
    assert trees.read(join(secret, "authorized_keys")) == b"mine"
    assert trees.read(join(box, "dest", "day-3", "f")) == b"3"


def test_a_path_in_the_target_names_one_of_several_shares(box, source):
    trees.write(join(box, "one.bin"), b"content")
    with Share(box, source, join(box, "one.bin")) as share:
        get(box, share.target + "/album", join(box, "dest")).expect(SUCCESS)
        get(box, share.target + "/one.bin", join(box, "renamed")).expect(SUCCESS)
    trees.assert_same(source, join(box, "dest"))
    assert trees.read(join(box, "renamed")) == b"content"


def test_a_path_in_the_target_reaches_below_a_share(box):
    trees.write(join(box, "top", "a", "b", "deep.txt"), b"deep")
    trees.write(join(box, "top", "a", "other.txt"), b"other")
    with Share(box, join(box, "top")) as share:
        get(box, share.target + "/a", join(box, "dest")).expect(SUCCESS)
    trees.assert_same(join(box, "top", "a"), join(box, "dest"))


def test_a_path_that_is_not_shared_is_an_error(box, source):
    with Share(box, source) as share:
        done = get(box, share.target + "/nothing-here", join(box, "dest"))
        outside = get(box, share.target + "/../box", join(box, "dest"))
        absolute = get(box, share.target + "//etc/passwd", join(box, "dest"))
    for result, status in ((done, PARTIAL), (outside, USAGE), (absolute, PARTIAL)):
        result.expect(status)
    assert b"'nothing-here'" in done.stderr
    with Share(box, source) as share:
        get(box, share.target, "").expect(USAGE)
        get(box, share.target + "/" + os.listdir(source)[0], "nope/..").expect(USAGE)
    leftovers = trees.snapshot(join(box, "dest")) if os.path.exists(join(box, "dest")) else {}
    assert not [kind for kind in leftovers.values() if kind[0] == "file"]


def test_path_bytes_in_the_target_are_literal(box):
    odd = b"a b%20c#d?e"
    trees.write(os.path.join(os.fsencode(box), b"top", odd), b"content")
    with Share(box, join(box, "top")) as share:
        get(box, os.fsencode(share.target) + b"/" + odd, join(box, "dest")).expect(SUCCESS)
    assert trees.read(join(box, "dest")) == b"content"


def test_equal_basenames_are_refused(box):
    for parent in ("x", "y"):
        trees.write(join(box, parent, "same", "f"), b"1")
    done = command(box, "share", join(box, "x", "same"), join(box, "y", "same"),
                   "--listen", "127.0.0.1:0").expect(USAGE)
    assert b"same" in done.stderr


def test_sharing_what_is_not_there_is_an_error(box):
    done = command(box, "share", join(box, "missing"), "--listen", "127.0.0.1:0")
    assert done.status != SUCCESS
    assert b"missing" in done.stderr


def test_a_different_file_is_refused_unless_overwrite(box, source):
    dest = join(box, "dest")
    with Share(box, source) as share:
        get(box, share.target, dest).expect(SUCCESS)
        victim = next(path for path, kind in trees.snapshot(source).items()
                      if kind[0] == "file" and kind[3] > 0)
        mine = os.path.join(os.fsencode(dest), victim)
        os.chmod(mine, 0o644)
        trees.write(mine, b"changed here", 0o644, 1_700_000_000_000_000_000)

        refused = get(box, share.target, dest).expect(PARTIAL)
        assert trees.read(mine) == b"changed here"
        assert list(refused.failed().values()) == ["exists"]
        assert os.fsdecode(victim) in list(refused.failed())[0]
        assert refused.summary["failed"] == 1

        get(box, share.target, dest, "--overwrite").expect(SUCCESS)
    trees.assert_same(source, dest)


def test_refusing_one_file_lets_the_others_arrive(box):
    for name in ("a", "b", "c"):
        trees.write(join(box, "top", name), name.encode() * 100)
    trees.write(join(box, "dest", "b"), b"different")
    with Share(box, join(box, "top")) as share:
        done = get(box, share.target, join(box, "dest")).expect(PARTIAL)
    assert trees.read(join(box, "dest", "a")) == b"a" * 100
    assert trees.read(join(box, "dest", "b")) == b"different"
    assert trees.read(join(box, "dest", "c")) == b"c" * 100
    assert len(done.failed()) == 1


def test_a_file_of_another_size_and_the_same_time_is_different(box):
    trees.write(join(box, "top", "f"), b"longer content", mtime_ns=10**18)
    trees.write(join(box, "dest", "f"), b"short", mtime_ns=10**18)
    with Share(box, join(box, "top")) as share:
        get(box, share.target, join(box, "dest")).expect(PARTIAL)
        assert trees.read(join(box, "dest", "f")) == b"short"


def test_a_directory_where_a_file_should_go_and_the_other_way_round(box):
    trees.write(join(box, "top", "file"), b"f")
    trees.write(join(box, "top", "directory", "inner"), b"i")
    trees.write(join(box, "top", "rest"), b"r")
    trees.write(join(box, "dest", "file", "kept"), b"kept")
    trees.write(join(box, "dest", "directory"), b"a file")
    with Share(box, join(box, "top")) as share:
        for extra in ([], ["--overwrite"]):
            done = get(box, share.target, join(box, "dest"), *extra).expect(PARTIAL)
            assert done.failed()
            # A directory of the user's is never removed to make room.
            assert trees.read(join(box, "dest", "file", "kept")) == b"kept"
            assert trees.read(join(box, "dest", "rest")) == b"r"
            if not extra:
                assert trees.read(join(box, "dest", "directory")) == b"a file"


def test_destination_is_a_file_where_a_directory_is_needed(box, source):
    trees.write(join(box, "dest"), b"a file")
    with Share(box, source) as share:
        done = get(box, share.target, join(box, "dest"))
    assert done.status not in (SUCCESS, -6, -11)
    assert trees.read(join(box, "dest")) == b"a file"


def test_what_was_deleted_comes_back(box, source):
    dest = join(box, "dest")
    with Share(box, source) as share:
        get(box, share.target, dest).expect(SUCCESS)
        gone = [path for path, kind in sorted(trees.snapshot(source).items())
                if kind[0] == "file"][::3]
        for path in gone:
            os.unlink(os.path.join(os.fsencode(dest), path))
        done = get(box, share.target, dest).expect(SUCCESS)
    assert done.summary["files"] == len(gone)
    trees.assert_same(source, dest)
