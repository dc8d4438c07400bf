"""What arrives is what was shared: bytes, names, modes, times, links, holes."""

import os
import socket
import stat

import pytest
import trees
from runner import PARTIAL, SUCCESS, Share, get, preloaded, start_get


def fetch(box, source, *args, status=SUCCESS):
    with Share(box, source) as share:
        return get(box, share.target, os.path.join(box, "dest"), *args).expect(status)


def at(box, *parts):
    return os.path.join(os.fsencode(box), *map(os.fsencode, parts))


def test_a_mixed_tree(box):
    source = trees.make_mixed(at(box, "source"), seed=21, files=400, largest=700_000)
    fetch(box, source)
    trees.assert_same(source, at(box, "dest"))


def test_modes(box):
    for mode in (0o000, 0o400, 0o444, 0o600, 0o644, 0o664, 0o666, 0o755, 0o777):
        if mode & 0o400 or os.geteuid() == 0:
            trees.write(at(box, "source", f"{mode:o}"), b"x", mode)
    for mode in (0o500, 0o555, 0o700, 0o755, 0o777):
        trees.write(at(box, "source", f"d{mode:o}", "inner"), b"y")
        os.chmod(at(box, "source", f"d{mode:o}"), mode)
    fetch(box, at(box, "source"))
    trees.assert_same(at(box, "source"), at(box, "dest"))


@pytest.mark.parametrize("lacks", ["none", "unlinkable", "linkless"])
def test_where_files_cannot_be_nameless_all_is_the_same(box, lacks):
    source = trees.make_mixed(at(box, "source"), seed=22, files=200, largest=300_000)
    env = preloaded("refuse_nameless.so", WORMHOLE_LAB_NAMELESS=lacks)
    with Share(box, source) as share:
        get(box, share.target, os.path.join(box, "dest"), env=env).expect(SUCCESS)
    trees.assert_same(source, at(box, "dest"))
    assert not trees.partials(os.path.join(box, "dest"))


def test_modes_do_not_depend_on_the_umask(box):
    trees.write(at(box, "source", "f"), b"x", 0o666)
    os.mkdir(at(box, "source", "d"))
    os.chmod(at(box, "source", "d"), 0o777)
    before = os.umask(0o077)
    try:
        fetch(box, at(box, "source"))
    finally:
        os.umask(before)
    trees.assert_same(at(box, "source"), at(box, "dest"))


def test_setuid_and_setgid_bits_are_dropped(box):
    for mode in (0o4755, 0o2755, 0o6711, 0o1644):
        trees.write(at(box, "source", f"{mode:o}"), b"x", mode)
    os.makedirs(at(box, "source", "d"))
    os.chmod(at(box, "source", "d"), 0o3777)
    fetch(box, at(box, "source"))
    for name in os.listdir(at(box, "source")):
        source = os.lstat(at(box, "source", name)).st_mode
        copy = os.lstat(at(box, "dest", name)).st_mode
        assert stat.S_IMODE(copy) == stat.S_IMODE(source) & 0o1777, name


def test_times_to_the_nanosecond(box):
    times = [1, 999_999_999, 10**9 + 1, 1_234_567_890_123_456_789, 2**31 * 10**9 + 5,
             -1_000_000_001, -1]
    for number, time in enumerate(times):
        trees.write(at(box, "source", f"f{number}"), b"x" * number, mtime_ns=time)
    os.makedirs(at(box, "source", "d", "e"))
    trees.write(at(box, "source", "d", "e", "inner"), b"x")
    for directory in (("d", "e"), ("d",), ()):
        os.utime(at(box, "source", *directory), ns=(5, 1_111_111_111_222_222_222))
    fetch(box, at(box, "source"))
    trees.assert_same(at(box, "source"), at(box, "dest"))


def test_empty_files_and_empty_directories(box):
    trees.write(at(box, "source", "empty"))
    for parts in (("a",), ("b", "c", "d")):
        os.makedirs(at(box, "source", *parts))
    done = fetch(box, at(box, "source"))
    trees.assert_same(at(box, "source"), at(box, "dest"))
    assert done.summary["files"] == 1
    assert done.summary["bytes"] == 0


def test_an_empty_share(box):
    os.mkdir(at(box, "source"))
    fetch(box, at(box, "source"))
    trees.assert_same(at(box, "source"), at(box, "dest"))


def test_symlinks_are_kept_and_never_followed(box):
    trees.write(at(box, "outside", "secret"), b"secret")
    trees.write(at(box, "source", "target"), b"target")
    links = {"inside": "target", "dangling": "no/such/thing", "absolute": "/etc/passwd",
             "up": "../outside", "loop": "loop", "long": "x" * 4000, "odd": b"\xff\x1b[31m",
             "dot": "."}
    for name, target in links.items():
        os.symlink(os.fsencode(target), at(box, "source", name))
    done = fetch(box, at(box, "source"))
    trees.assert_same(at(box, "source"), at(box, "dest"))
    assert done.summary["links"] == len(links)
    assert done.summary["files"] == 1


def test_a_link_that_changed_is_refused_and_with_overwrite_replaced(box):
    os.makedirs(at(box, "source"))
    os.symlink("new", at(box, "source", "link"))
    os.makedirs(at(box, "dest"))
    os.symlink("old", at(box, "dest", "link"))
    fetch(box, at(box, "source"), status=PARTIAL)
    assert os.readlink(at(box, "dest", "link")) == b"old"
    fetch(box, at(box, "source"), "--overwrite")
    assert os.readlink(at(box, "dest", "link")) == b"new"


def test_sparse_files_stay_sparse(box):
    size = 64 * 1024 * 1024
    path = trees.write(at(box, "source", "sparse"))
    with open(path, "r+b") as stream:
        stream.truncate(size)
        stream.seek(10 * 1024 * 1024)
        stream.write(b"island" * 1000)
        stream.seek(size - 5)
        stream.write(b"shore")
    hole = trees.write(at(box, "source", "only-a-hole"))
    os.truncate(hole, size)
    fetch(box, at(box, "source"))
    trees.assert_same(at(box, "source"), at(box, "dest"))
    for name in ("sparse", "only-a-hole"):
        blocks = os.stat(at(box, "dest", name)).st_blocks
        if os.stat(at(box, "source", name)).st_blocks * 512 < size // 2:
            assert blocks * 512 < size // 2, f"{name} takes {blocks * 512} bytes"


def test_names_are_bytes(box):
    names = [b"\xff\xfe", b"caf\xc3\xa9", b"cafe\xcc\x81", b" ", b" lead", b"trail ", b"-rf",
             b"--help", b"*", b"new\nline", b"tab\tbed", b"cr\rcr", b"\x01", b"\x7f", b"\x1b[2J",
             b"a\\b", b"C:", b"nul.txt", b"..." , b"....", b".hidden", b"'", b'"', b"%s%n",
             "\u202egpj.exe".encode(), "\U0001f427".encode(), b"n" * 255,
             "\u00e9".encode() * 127]
    for number, name in enumerate(names):
        trees.write(at(box, "source", name), b"%d" % number)
        os.makedirs(at(box, "source", b"d", name), exist_ok=True)
        trees.write(at(box, "source", b"d", name, name), b"%d" % number)
    fetch(box, at(box, "source"))
    trees.assert_same(at(box, "source"), at(box, "dest"))


def test_a_deep_tree_past_path_max(box):
    # 60 levels of 100 bytes: longer than any single path the kernel takes.
    start = os.open(".", os.O_RDONLY)
    levels, name = 60, "d" * 100

    def walk_down(root, make):
        os.chdir(root)
        for _ in range(levels):
            if make:
                os.mkdir(name)
            os.chdir(name)

    try:
        os.mkdir(at(box, "source"))
        walk_down(at(box, "source"), True)
        with open("bottom", "wb") as stream:
            stream.write(b"reached")
        os.fchdir(start)
        fetch(box, at(box, "source"))
        walk_down(at(box, "dest"), False)
        assert trees.read("bottom") == b"reached"
        assert os.listdir(".") == ["bottom"]
    finally:
        os.fchdir(start)
        os.close(start)


def test_block_and_segment_edges(box):
    kib, mib = 1024, 1024 * 1024
    edges = [1, 128 * kib, 256 * kib, 512 * kib, 64 * mib]
    for edge in edges:
        for size in (edge - 1, edge, edge + 1):
            trees.write(at(box, "source", f"{size}"), trees.random_bytes(size, size))
    fetch(box, at(box, "source"))
    trees.assert_same(at(box, "source"), at(box, "dest"))


def test_many_small_files(box):
    for number in range(5000):
        trees.write(at(box, "source", f"d{number % 17}", f"f{number}"), b"%d" % number * 50)
    done = fetch(box, at(box, "source"))
    trees.assert_same(at(box, "source"), at(box, "dest"))
    assert done.summary["files"] == 5000


def test_more_directories_than_credit(box):
    # limits.h: kOpenEntriesMax entries may be open at once.
    for number in range(20_000):
        os.makedirs(at(box, "source", f"{number % 100}", f"{number}"))
    done = fetch(box, at(box, "source"))
    trees.assert_same(at(box, "source"), at(box, "dest"))
    assert done.summary["directories"] >= 20_100


def test_specials_are_skipped_and_reported(box):
    trees.write(at(box, "source", "file"), b"file")
    os.mkfifo(at(box, "source", "pipe"))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.fsdecode(at(box, "source", "socket")))
    specials = {"pipe", "socket"}
    if os.geteuid() == 0:
        os.mknod(at(box, "source", "device"), stat.S_IFCHR | 0o666, os.makedev(1, 3))
        specials.add("device")
    try:
        with Share(box, at(box, "source")) as share:
            done = get(box, share.target, os.path.join(box, "dest")).expect(SUCCESS)
    finally:
        listener.close()
    skipped = [event for event in done.events if event["event"] == "skipped_special"]
    assert {os.path.basename(event["path"]) for event in skipped} == specials
    assert done.summary["specials"] == len(specials)
    assert not done.failed()
    assert os.listdir(at(box, "dest")) == [b"file"]


def test_unreadable_files_are_reported_and_the_rest_arrives(box, root):
    trees.write(at(box, "source", "open"), b"open", 0o644)
    trees.write(at(box, "source", "closed"), b"closed", 0o600)
    trees.write(at(box, "source", "room", "inner"), b"inner", 0o644)
    os.chmod(at(box, "source", "room"), 0o700)
    with Share(box, at(box, "source"), nobody=True) as share:
        done = get(box, share.target, os.path.join(box, "dest")).expect(PARTIAL)
    assert {os.path.basename(path) for path in done.failed()} == {"closed", "room"}
    assert trees.read(at(box, "dest", "open")) == b"open"
    assert not os.path.exists(at(box, "dest", "closed"))


def test_streams_and_fsync(box):
    source = trees.make_mixed(at(box, "source"), seed=5, files=50)
    trees.write(at(box, "source", "large"), trees.random_bytes(150_000_000, 3))
    with Share(box, source) as share:
        for streams in (1, 3, 40):
            dest = os.path.join(box, f"dest{streams}")
            done = get(box, share.target, dest, "--streams", str(streams)).expect(SUCCESS)
            # One connection carries control; with several streams it carries nothing else.
            assert 1 <= done.summary["streams"] <= streams + (streams > 1)
            trees.assert_same(source, dest)
        get(box, share.target, os.path.join(box, "synced"), "--fsync").expect(SUCCESS)
    trees.assert_same(source, os.path.join(box, "synced"))


def test_two_guests_at_once(box):
    source = trees.make_mixed(at(box, "source"), seed=6, files=200)
    trees.write(at(box, "source", "large"), trees.random_bytes(80_000_000, 4))
    with Share(box, source) as share:
        running = [start_get(box, share.target, os.path.join(box, f"dest{n}")) for n in range(3)]
        for each in running:
            each.finish().expect(SUCCESS)
    for number in range(3):
        trees.assert_same(source, os.path.join(box, f"dest{number}"))


def names_of_one_file(root):
    """The sets of relative names that are one file, of those with several."""
    found = {}
    for directory, _, files in os.walk(root):
        for name in files:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            found.setdefault((status.st_dev, status.st_ino), set()).add(os.path.relpath(path, root))
    return {frozenset(names) for names in found.values() if len(names) > 1}


def make_linked(box):
    source = at(box, "source")
    for name, size in (("small", 10), ("d/middle", 100_000), ("large", 3 << 20), ("empty", 0)):
        trees.write(os.path.join(source, os.fsencode(name)), trees.random_bytes(size, seed=size))
    os.mkdir(os.path.join(source, b"e"))
    for first, others in ((b"small", (b"a", b"e/b", b"zz")), (b"d/middle", (b"e/middle",)),
                          (b"large", (b"large too", b"e/large")), (b"empty", (b"e/empty",))):
        for other in others:
            os.link(os.path.join(source, first), os.path.join(source, other))
    # One of its names stands elsewhere.
    trees.write(at(box, "outside"), b"outside")
    os.link(at(box, "outside"), os.path.join(source, b"inside"))
    return source


def test_hard_links_stay_hard_links(box):
    source = make_linked(box)
    done = fetch(box, source)
    trees.assert_same(source, at(box, "dest"))
    assert names_of_one_file(at(box, "dest")) == names_of_one_file(source)
    assert len(names_of_one_file(source)) == 4
    assert done.summary["hard_links"] == 7 and done.summary["files"] == 12
    assert done.summary["bytes"] == 10 + 100_000 + (3 << 20) + 7, "each file's bytes came once"
    again = fetch(box, source)
    assert again.summary["files"] == 0 and again.summary["skipped"] == 12
    assert names_of_one_file(at(box, "dest")) == names_of_one_file(source)


def test_a_missing_name_is_made_again_and_a_changed_file_is_replaced_under_all(box):
    source = make_linked(box)
    fetch(box, source)
    os.unlink(at(box, "dest", "e", "b"))
    fetch(box, source)
    assert names_of_one_file(at(box, "dest")) == names_of_one_file(source)
    with open(at(box, "source", "small"), "wb") as file:
        file.write(b"another version")
    fetch(box, source, "--overwrite")
    trees.assert_same(source, at(box, "dest"))
    assert names_of_one_file(at(box, "dest")) == names_of_one_file(source)


def test_names_that_are_not_asked_for_are_no_links(box):
    source = make_linked(box)
    fetch(box, source, "--exclude", "/small", "--exclude", "/large")
    trees.assert_same(source, at(box, "dest"), without=("small", "large"))
    assert names_of_one_file(at(box, "dest")) == {
        frozenset(names - {b"small", b"large"}) for names in names_of_one_file(source)}


def test_modes_of_equal_files_are_the_hosts_on_request(box):
    source = at(box, "source")
    for name in (b"small", b"large"):
        trees.write(os.path.join(source, name), trees.random_bytes(3 << 20, seed=1), 0o640)
    fetch(box, source)
    for mode in (0o600, 0o4755):
        os.chmod(at(box, "dest", "small"), mode)
        os.chmod(at(box, "dest", "large"), mode)
        fetch(box, source)
        assert stat.S_IMODE(os.stat(at(box, "dest", "small")).st_mode) == mode, "it is the user's"
        done = fetch(box, source, "--overwrite", *(("--checksum",) if mode == 0o600 else ()))
        assert done.summary["bytes"] == 0
        trees.assert_same(source, at(box, "dest"))
        assert stat.S_IMODE(os.stat(at(box, "dest", "small")).st_mode) == 0o640


@pytest.mark.parametrize("path", ["/etc", "/usr/lib/python3", "/usr/bin", "/usr/share/perl5"])
def test_a_copy_of_this_machines_own_files(box, root, path):
    """As they are: links of all kinds, modes, names, times of files that people have."""
    if not os.path.isdir(path):
        pytest.skip(f"there is no {path}")
    fetch(box, path)
    trees.assert_same(path, at(box, "dest"))
    assert names_of_one_file(at(box, "dest")) == names_of_one_file(os.fsencode(path))


def test_a_large_file_of_several_names_is_found_again(box):
    source = at(box, "source")
    trees.write(os.path.join(source, b"a"), trees.random_bytes(5 << 20))
    os.link(os.path.join(source, b"a"), os.path.join(source, b"b"))
    with Share(box, source) as share:
        get(box, share.target, os.path.join(box, "first")).expect(SUCCESS)
        again = get(box, share.target, os.path.join(box, "second")).expect(SUCCESS)
        os.link(os.path.join(source, b"a"), os.path.join(source, b"c"))
        get(box, share.target, os.path.join(box, "first")).expect(SUCCESS)
        third = get(box, share.target, os.path.join(box, "third")).expect(SUCCESS)
    for done in (again, third):
        assert done.summary["bytes"] == 0 and done.summary["reused_bytes"] == 5 << 20
    for name in ("first", "second", "third"):
        expected = {b"a", b"b", b"c"} if name != "second" else {b"a", b"b"}
        assert names_of_one_file(at(box, name)) == {frozenset(expected)}
