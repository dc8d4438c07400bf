"""What `get --archive` and `--atimes` keep besides: owners, groups, attributes, ACLs, access times.
And that what cannot be kept is told."""

import errno
import os
import pwd
import shutil
import struct
import subprocess
import time

import pytest
import trees
from runner import (CODE, NOBODY, PARTIAL, SUCCESS, USAGE, Share, binary, command, environment,
                    get, is_sanitized, start_get, wait_until)

ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
# linux/posix_acl.h
USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
NOBODY_IN_PARTICULAR = 0xffffffff
MINE = 123_456_789  # a number that no account has

LOST = ("owners_lost", "groups_lost", "xattrs_lost", "acls_lost", "capabilities_lost")


def at(box, *parts):
    return os.path.join(os.fsencode(box), *map(os.fsencode, parts))


def acl(*entries):
    """As the kernel has it: (tag, permissions[, id]) each."""
    packed = struct.pack("<I", 2)
    for tag, permissions, *number in entries:
        packed += struct.pack("<HHI", tag, permissions, *(number or [NOBODY_IN_PARTICULAR]))
    return packed


def acl_for(user, mask=6, group=4):
    return acl((USER_OBJ, 6), (USER, 6, user), (GROUP_OBJ, group), (MASK, mask), (OTHER, 0))


def attributes(path):
    return {name: os.getxattr(path, name, follow_symlinks=False)
            for name in os.listxattr(path, follow_symlinks=False)
            if name.startswith("user.") or name in (ACCESS, DEFAULT)}


def needs_attributes(directory):
    probe = trees.write(at(directory, "probe"))
    try:
        os.setxattr(probe, "user.probe", b"")
        os.setxattr(probe, ACCESS, acl_for(1))
    except OSError as error:
        pytest.skip(f"needs a file system with user attributes and ACLs: {error}")
    finally:
        os.unlink(probe)


def metadata(path):
    status = os.lstat(path)
    return (status.st_uid, status.st_gid, status.st_mode & 0o177777 & ~0o6000, attributes(path),
            status.st_mtime_ns)


def assert_archived(source, copy, but=()):
    trees.assert_same(source, copy)
    for path in trees.snapshot(source):
        if path not in but:
            here, there = metadata(at(source, path)), metadata(at(copy, path))
            assert here == there, path


def assert_nothing_lost(done):
    assert {name: done.summary[name] for name in LOST} == dict.fromkeys(LOST, 0)


def fetch(box, *args, source="source", dest="dest", status=SUCCESS, **kwargs):
    with Share(box, os.path.join(box, source)) as share:
        return get(box, share.target, os.path.join(box, dest), *args, **kwargs).expect(status)


# --- owners ----------------------------------------------------------------------------------------

def test_owners_by_number_and_by_name(root, box):
    daemon = pwd.getpwnam("daemon")
    owners = {"mine": (MINE, MINE + 1), "daemon": (daemon.pw_uid, daemon.pw_gid), "root": (0, 0),
              "group": (0, MINE), "user": (MINE, 0)}
    for name, owner in owners.items():
        path = trees.write(at(box, "source", name), b"x", 0o640)
        directory = at(box, "source", "d-" + name)
        os.mkdir(directory, 0o750)
        trees.write(at(directory, "inner"), name.encode())
        os.symlink("nowhere", at(directory, "link"))
        for one in (path, directory, at(directory, "inner"), at(directory, "link")):
            os.chown(one, *owner, follow_symlinks=False)
    os.chown(at(box, "source"), MINE, MINE)
    done = fetch(box, "-a")
    assert_archived(at(box, "source"), at(box, "dest"))
    assert_nothing_lost(done)


def test_nothing_of_it_is_kept_unasked(root, box):
    needs_attributes(box)
    path = trees.write(at(box, "source", "f"), b"x", 0o644)
    os.setxattr(path, "user.note", b"here")
    os.chown(path, MINE, MINE)
    os.utime(path, ns=(10**18, 10**18))
    fetch(box)
    copy = at(box, "dest", "f")
    assert os.stat(copy).st_uid == 0 and attributes(copy) == {}
    assert os.stat(copy).st_atime_ns != 10**18


def test_bits_that_an_owner_lends_stay_dropped(root, box):
    path = trees.write(at(box, "source", "f"), b"x")
    os.chown(path, MINE, MINE)
    os.chmod(path, 0o6755)
    os.makedirs(at(box, "source", "d"))
    os.chown(at(box, "source", "d"), MINE, MINE)
    os.chmod(at(box, "source", "d"), 0o3770)
    fetch(box, "-a")
    assert os.stat(at(box, "dest", "f")).st_mode & 0o7777 == 0o755
    assert os.stat(at(box, "dest", "d")).st_mode & 0o7777 == 0o1770


def test_of_one_who_is_not_root_the_owner_is_told_and_lost(root, box):
    needs_attributes(box)
    for number in range(12):
        path = trees.write(at(box, "source", f"f{number}"), b"%d" % number, 0o644)
        os.setxattr(path, "user.n", b"%d" % number)
        os.chown(path, MINE, NOBODY)
    os.symlink("f1", at(box, "source", "link"))
    os.chown(at(box, "source", "link"), MINE, MINE, follow_symlinks=False)
    os.chown(at(box, "source"), NOBODY, NOBODY)
    os.mkdir(at(box, "out"))
    os.chmod(at(box, "out"), 0o777)
    dest = os.path.join(box, "out", "dest")
    with Share(box, os.path.join(box, "source")) as share:
        done = get(box, share.target, dest, "-a", nobody=True).expect(SUCCESS)
    trees.assert_same(at(box, "source"), dest)
    assert done.summary["owners_lost"] == 13 and done.summary["groups_lost"] == 1
    assert done.summary["xattrs_lost"] == done.summary["acls_lost"] == 0
    for number in range(12):
        copy = at(dest, f"f{number}")
        assert attributes(copy) == {"user.n": b"%d" % number}
        assert (os.stat(copy).st_uid, os.stat(copy).st_gid) == (NOBODY, NOBODY)


def test_what_was_lost_is_said_once_and_with_v_each(root, box):
    for number in range(3):
        os.chown(trees.write(at(box, "source", f"f{number}"), b"x"), MINE, NOBODY)
    os.chown(at(box, "source"), NOBODY, NOBODY)
    os.mkdir(at(box, "out"))
    os.chmod(at(box, "out"), 0o777)
    with Share(box, os.path.join(box, "source")) as share:
        said = [command(box, "get", share.target, os.path.join(box, "out", f"dest{len(args)}"),
                        "-a", *args, nobody=True).expect(SUCCESS).stderr
                for args in ((), ("-v",))]
    assert said[0].count(b"could not be kept") == 1
    assert b"3 owners of files and directories could not be kept: that takes root" in said[0]
    assert said[1].count(b"cannot keep the owner of") == 3


def test_what_was_about_to_be_put_in_place_is_made_anew(root, box):
    """A run that is killed between giving a file away and naming it leaves a partial of another
    user's. The same from somebody else, or of a symlink, is left alone."""
    for name in ("f", "g"):
        os.chown(trees.write(at(box, "source", name), name.encode()), MINE, MINE)
    with Share(box, os.path.join(box, "source")) as share:
        get(box, share.target, os.path.join(box, "dest"), "-a").expect(SUCCESS)
        names = {name: partial_name(box, name) for name in ("f", "g")}
        for name, owner in (("f", MINE), ("g", MINE + 1)):
            os.rename(at(box, "dest", name), at(box, "dest", names[name]))
            os.chown(at(box, "dest", names[name]), owner, owner)
        done = get(box, share.target, os.path.join(box, "dest"), "-a").expect(PARTIAL)
    assert trees.read(at(box, "dest", "f")) == b"f"
    assert os.stat(at(box, "dest", "f")).st_uid == MINE
    assert done.failed() == {"g": "unsafe_name"}
    assert trees.read(at(box, "dest", names["g"])) == b"g"


def partial_name(box, name):
    """What the unfinished file of that name is called: seen where one stays."""
    there = os.path.join(box, "probe-" + name)
    with open(trees.write(at(box, "big-" + name, name)), "r+b") as file:
        file.write(os.urandom(17 << 20))
    with Share(box, os.path.join(box, "big-" + name)) as share:
        running = start_get(box, share.target, there, "--bwlimit", "4M", "--compression", "off")
        found = wait_until(lambda: os.path.isdir(there) and trees.partials(there), "a partial")
        running.interrupt()
    return os.path.basename(found[0])


def test_a_name_is_the_users_of_that_name_here(root, box):
    """The taker's machine knows the name under another number, and the number under another name."""
    daemon = pwd.getpwnam("daemon")
    known = {"passwd": "root:x:0:0::/:/bin/sh\ndaemon:x:7001:7002::/:/bin/sh\n"
                       f"other:x:{daemon.pw_uid}:{daemon.pw_gid}::/:/bin/sh\n",
             "group": f"root:x:0:\ndaemon:x:7002:other\nother:x:{daemon.pw_gid}:\n"}
    for name, text in known.items():
        trees.write(at(box, name), text.encode())
    os.chown(trees.write(at(box, "source", "f"), b"x"), daemon.pw_uid, daemon.pw_gid)
    os.chown(trees.write(at(box, "source", "nameless"), b"y"), MINE, MINE)
    with Share(box, os.path.join(box, "source")) as share:
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-ec",
             'mount --bind "$1" /etc/passwd; mount --bind "$2" /etc/group; shift 2; exec "$@"',
             "sh", os.path.join(box, "passwd"), os.path.join(box, "group"),
             binary(), "get", share.target, os.path.join(box, "dest"), "-a"],
            env=environment(box, "guest", CODE), cwd=box, capture_output=True)
    assert done.returncode == SUCCESS, done.stderr
    for name, owner in (("f", (7001, 7002)), ("nameless", (MINE, MINE))):
        status = os.stat(at(box, "dest", name))
        assert (status.st_uid, status.st_gid) == owner, name


def test_killed_at_any_moment_it_goes_on(root, box):
    needs_attributes(box)
    for number in range(2000):
        path = trees.write(at(box, "source", f"d{number % 5}", f"f{number}"), b"%d" % number)
        os.setxattr(path, "user.n", b"%d" % number)
        os.setxattr(path, ACCESS, acl_for(MINE))
        os.chown(path, MINE, MINE)
    with Share(box, os.path.join(box, "source")) as share:
        for attempt in range(20):
            running = start_get(box, share.target, os.path.join(box, "dest"), "-a")
            wait_until(lambda: os.path.isdir(os.path.join(box, "dest")), "the destination")
            time.sleep(0.002 * attempt)
            running.kill()
        done = get(box, share.target, os.path.join(box, "dest"), "-a").expect(SUCCESS)
    assert_archived(at(box, "source"), at(box, "dest"))
    assert_nothing_lost(done)


# --- attributes and ACLs ---------------------------------------------------------------------------

def test_attributes_of_files_and_directories(box):
    needs_attributes(box)
    given = {"user.plain": b"value", "user.empty": b"", "user.bytes": bytes(range(256)),
             "user." + "n" * 200: b"long name", "user.utf\u00e9": b"\xff\xfe"}
    paths = [trees.write(at(box, "source", "f"), b"content"), trees.write(at(box, "source", "empty")),
             trees.write(at(box, "source", "read-only"), b"x", 0o444),
             trees.write(at(box, "source", "d", "large"), trees.random_bytes(3 << 20)),
             at(box, "source", "d"), at(box, "source")]
    for path in paths:
        for name, value in given.items():
            os.setxattr(path, name, value)
    os.symlink("f", at(box, "source", "link"))
    done = fetch(box, "--archive")
    assert_archived(at(box, "source"), at(box, "dest"))
    assert attributes(at(box, "dest", "f")) == given
    assert_nothing_lost(done)


def test_acls_of_files_and_directories_and_the_modes_that_go_with_them(box):
    needs_attributes(box)
    cases = {"mask-wider": acl_for(MINE), "mask-narrower": acl_for(MINE, mask=0, group=7),
             "groups": acl((USER_OBJ, 7), (GROUP_OBJ, 5), (GROUP, 2, MINE), (GROUP, 0, MINE + 1),
                           (MASK, 7), (OTHER, 1))}
    for name, value in cases.items():
        os.setxattr(trees.write(at(box, "source", name), b"x"), ACCESS, value)
        directory = at(box, "source", "d-" + name)
        trees.write(at(directory, "inner"), b"y", 0o600)
        os.setxattr(directory, DEFAULT, value)
        trees.write(at(directory, "inherits"), b"z")
        os.setxattr(directory, ACCESS, value)
        os.chmod(directory, os.stat(directory).st_mode | 0o700)
    done = fetch(box, "-a")
    assert_archived(at(box, "source"), at(box, "dest"))
    assert_nothing_lost(done)
    # What is put there once more inherits what only its directory is to have.
    for directory in ("d-mask-wider", "d-groups"):
        for name in ("inner", "inherits"):
            os.unlink(at(box, "dest", directory, name))
    fetch(box, "-a")
    assert_archived(at(box, "source"), at(box, "dest"))


def test_acls_that_are_inherited_do_not_stay(box):
    needs_attributes(box)
    trees.write(at(box, "source", "d", "f"), b"x", 0o640)
    os.mkdir(at(box, "dest"))
    os.setxattr(at(box, "dest"), DEFAULT, acl_for(MINE))
    fetch(box, "-a")
    assert_archived(at(box, "source"), at(box, "dest"), but=(b".",))


def test_large_values_up_to_the_limit(xfs):
    path, _ = xfs
    trees.write(os.path.join(path, "source", "below"), b"x")
    trees.write(os.path.join(path, "source", "beyond"), b"y")
    trees.write(os.path.join(path, "source", "many"), b"z")
    value = trees.random_bytes((64 << 10) - len("user.large"))
    os.setxattr(os.path.join(path, "source", "below"), "user.large", value)
    os.setxattr(os.path.join(path, "source", "beyond"), "user.large", value + b"1")
    os.setxattr(os.path.join(path, "source", "beyond"), "user.small", b"s")
    for number in range(257):
        os.setxattr(os.path.join(path, "source", "many"), f"user.{number}", b"n")
    done = fetch(path, "-a")
    trees.assert_same(os.path.join(path, "source"), os.path.join(path, "dest"))
    assert attributes(os.path.join(path, "dest", "below")) == {"user.large": value}
    assert attributes(os.path.join(path, "dest", "beyond")) == {"user.small": b"s"}
    assert len(attributes(os.path.join(path, "dest", "many"))) == 256
    assert done.summary["xattrs_lost"] == 2


def test_a_deep_tree_of_large_attributes_ends(xfs):
    """What directories have counts against the credit until they are done with."""
    path, _ = xfs
    directory = os.path.join(path, "source")
    depth = 150
    for level in range(depth):
        directory = os.path.join(directory, f"d{level}")
        os.makedirs(directory)
        os.setxattr(directory, "user.large", bytes([level]) * 60_000)
    trees.write(os.path.join(directory, "bottom"), b"reached")
    done = fetch(path, "-a")
    trees.assert_same(os.path.join(path, "source"), os.path.join(path, "dest"))
    kept = depth - done.summary["xattrs_lost"]
    assert 4 * 1024 * 1024 // 60_100 - 2 <= kept < depth


def test_many_files_of_large_attributes(xfs):
    """More than the credit and the memory of either side have room for at once."""
    path, _ = xfs
    count = 800
    for number in range(count):
        file = trees.write(os.path.join(path, "source", f"f{number}"), b"%d" % number)
        os.setxattr(file, "user.large", b"%4d" % number * 15_000)
    done = fetch(path, "-a")
    assert_nothing_lost(done)
    for number in range(count):
        value = os.getxattr(os.path.join(path, "dest", f"f{number}"), "user.large")
        assert value == b"%4d" % number * 15_000
    if not is_sanitized():  # it keeps what was freed
        assert done.summary["peak_rss_bytes"] < 100e6


def test_capabilities_are_dropped_and_told(root, box):
    path = trees.write(at(box, "source", "ping"), b"x", 0o755)
    # linux/capability.h: VFS_CAP_REVISION_2, CAP_NET_RAW, effective.
    os.setxattr(path, "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0))
    done = fetch(box, "-a")
    assert "security.capability" not in os.listxattr(at(box, "dest", "ping"))
    assert done.summary["capabilities_lost"] == 1
    assert done.summary["xattrs_lost"] == 0
    shutil.rmtree(at(box, "dest"))
    assert fetch(box).summary["capabilities_lost"] == 0


def test_where_there_are_no_attributes(root, box):
    """Each is told, nothing fails, and the group of a mode is not let in where the ACL did not let
    it."""
    needs_attributes(box)
    path = os.path.join(box, "plain")
    os.mkdir(path)
    subprocess.run(["mount", "-t", "ramfs", "ramfs", path], check=True)
    try:
        try:
            os.setxattr(path, "user.probe", b"")
            pytest.skip("ramfs has attributes here")
        except OSError as error:
            assert error.errno == errno.EOPNOTSUPP
        file = trees.write(at(box, "source", "f"), b"x")
        os.setxattr(file, ACCESS, acl_for(MINE, mask=6, group=0))
        os.setxattr(file, "user.a", b"1")
        os.setxattr(file, "user.b", b"2")
        os.setxattr(at(box, "source"), "user.c", b"3")
        os.setxattr(at(box, "source"), DEFAULT, acl_for(MINE))
        os.chown(file, MINE, MINE)
        done = fetch(box, "-a", dest="plain/dest")
        copy = at(path, "dest", "f")
        assert trees.read(copy) == b"x"
        assert os.stat(copy).st_uid == MINE
        assert os.stat(file).st_mode & 0o777 == 0o660
        assert os.stat(copy).st_mode & 0o777 == 0o600
        assert {name: done.summary[name] for name in LOST} == {
            "owners_lost": 0, "groups_lost": 0, "xattrs_lost": 3, "acls_lost": 2,
            "capabilities_lost": 0}
    finally:
        subprocess.run(["umount", path], check=True)


# --- what is there already -------------------------------------------------------------------------

def test_of_equal_files_only_with_overwrite(root, box):
    needs_attributes(box)
    for name, mode in (("f", 0o640), ("read-only", 0o444)):
        trees.write(at(box, "source", name), b"the same", mode)
    os.symlink("f", at(box, "source", "link"))
    fetch(box)
    before = {name: metadata(at(box, "dest", name)) for name in ("f", "read-only", "link")}
    for name in ("f", "read-only", "link"):
        os.chown(at(box, "source", name), MINE, MINE + 1, follow_symlinks=False)
    for name in ("f", "read-only"):
        os.setxattr(at(box, "source", name), "user.note", b"new")
        os.setxattr(at(box, "source", name), ACCESS, acl_for(MINE, mask=4))
        os.setxattr(at(box, "dest", name), "user.of-its-own", b"old")
    done = fetch(box, "-a")
    assert done.summary["files"] == 0
    for name, was in before.items():
        now = metadata(at(box, "dest", name))
        assert (now[:3], now[4]) == (was[:3], was[4]) and "user.note" not in now[3]
    done = fetch(box, "-a", "--overwrite")
    assert done.summary["files"] == 0 and done.summary["skipped"] == 2
    assert_archived(at(box, "source"), at(box, "dest"))
    assert_nothing_lost(done)
    # And once more nothing is touched.
    changed = {name: os.lstat(at(box, "dest", name)).st_ctime_ns for name in before}
    fetch(box, "-a", "--overwrite")
    assert changed == {name: os.lstat(at(box, "dest", name)).st_ctime_ns for name in before}


def test_an_equal_file_that_its_owner_may_not_write(root, box):
    """Not root: an attribute takes leave to write, which is there for as long as that takes."""
    needs_attributes(box)
    path = trees.write(at(box, "source", "f"), b"the same", 0o444)
    os.mkdir(at(box, "out"))
    os.chmod(at(box, "out"), 0o777)
    dest = os.path.join(box, "out", "dest")
    for one in (path, at(box, "source")):
        os.chown(one, NOBODY, NOBODY)
    with Share(box, os.path.join(box, "source")) as share:
        get(box, share.target, dest, nobody=True).expect(SUCCESS)
        os.setxattr(path, "user.note", b"new")
        done = get(box, share.target, dest, "-a", "--overwrite", nobody=True).expect(SUCCESS)
    assert_archived(at(box, "source"), dest)
    assert_nothing_lost(done)


def test_a_changed_file_and_one_gone_on_with(root, box):
    needs_attributes(box)
    content = trees.random_bytes(24 << 20, seed=3)
    path = trees.write(at(box, "source", "big"), content)
    with Share(box, os.path.join(box, "source")) as share:
        get(box, share.target, os.path.join(box, "dest"), "-a").expect(SUCCESS)
        changed = trees.write(path, content[:9 << 20] + b"inserted" + content[9 << 20:])
        os.setxattr(changed, "user.version", b"2")
        os.setxattr(changed, ACCESS, acl_for(MINE))
        os.chown(changed, MINE, MINE)
        done = get(box, share.target, os.path.join(box, "dest"), "-a", "--overwrite").expect(SUCCESS)
        assert done.summary["reused_bytes"] > 16 << 20
        assert_archived(at(box, "source"), at(box, "dest"))
        # Interrupted, then gone on with.
        dest = os.path.join(box, "other")
        running = start_get(box, share.target, dest, "-a", "--no-reuse", "--bwlimit", "20M",
                            "--compression", "off")
        wait_until(lambda: os.path.isdir(dest) and trees.partials(dest) and
                   os.stat(trees.partials(dest)[0]).st_blocks > 8 << 11, "a third of it")
        running.interrupt()
        done = get(box, share.target, dest, "-a", "--no-reuse").expect(SUCCESS)
        assert done.summary["resumed_bytes"] > 0
    assert_archived(at(box, "source"), dest)


def test_hard_links_and_copies(root, box):
    needs_attributes(box)
    path = trees.write(at(box, "source", "a"), b"one")
    os.setxattr(path, "user.note", b"of all names")
    os.chown(path, MINE, MINE)
    os.link(path, at(box, "source", "b"))
    twin = trees.random_bytes(3 << 20)
    for name, note in (("t1", b"first"), ("t2", b"second")):
        os.setxattr(trees.write(at(box, "source", name), twin), "user.note", note)
    done = fetch(box, "-a")
    assert done.summary["hard_links"] == 1
    assert_archived(at(box, "source"), at(box, "dest"))
    assert_nothing_lost(done)


def test_small_files_that_come_packed(root, box):
    needs_attributes(box)
    for number in range(600):
        path = trees.write(at(box, "source", f"d{number % 7}", f"f{number}"), b"%d" % number)
        os.setxattr(path, "user.n", b"%d" % number)
        os.chown(path, MINE + number % 3, number % 2)
    done = fetch(box, "-a")
    assert_archived(at(box, "source"), at(box, "dest"))
    assert_nothing_lost(done)


def test_several_shares_and_a_single_file(root, box):
    for name in ("one", "two"):
        os.chown(trees.write(at(box, name, "f"), b"x"), MINE, MINE)
        os.chown(at(box, name), MINE, MINE)
    with Share(box, os.path.join(box, "one"), os.path.join(box, "two")) as share:
        done = get(box, share.target, os.path.join(box, "all"), "-a").expect(SUCCESS)
        assert_nothing_lost(done)
        done = get(box, share.target + "/one/f", os.path.join(box, "single"), "-a").expect(SUCCESS)
    for name in ("one", "two"):
        assert_archived(at(box, name), at(box, "all", name))
    assert os.stat(at(box, "single")).st_uid == MINE
    assert_nothing_lost(done)


# --- access times ----------------------------------------------------------------------------------

@pytest.mark.parametrize("args", [("-U",), ("--atimes", "-a")])
def test_access_times(box, args):
    before = 1_000_000_000_123_456_789
    paths = [trees.write(at(box, "source", "f"), b"x"), trees.write(at(box, "source", "empty")),
             trees.write(at(box, "source", "d", "big"), trees.random_bytes(3 << 20))]
    os.symlink("f", at(box, "source", "link"))
    paths += [at(box, "source", "link"), at(box, "source", "d"), at(box, "source")]
    for number, path in enumerate(paths):
        os.utime(path, ns=(before + number, 5 * 10**17), follow_symlinks=False)
    fetch(box, *args)
    for number, path in enumerate(paths):
        copy = path.replace(at(box, "source"), at(box, "dest"))
        status = os.lstat(copy)
        assert (status.st_atime_ns, status.st_mtime_ns) == (before + number, 5 * 10**17), copy
        os.utime(path, ns=(before + 1000 + number, 5 * 10**17), follow_symlinks=False)
    fetch(box, *args)
    assert os.lstat(at(box, "dest", "f")).st_atime_ns == before
    fetch(box, *args, "--overwrite")
    assert os.lstat(at(box, "dest", "f")).st_atime_ns == before + 1000


# --- what goes with it -----------------------------------------------------------------------------

def test_a_dry_run_and_standard_output(box):
    path = trees.write(at(box, "source", "f"), b"x")
    with Share(box, os.path.join(box, "source")) as share:
        done = get(box, share.target, os.path.join(box, "dest"), "-a", "-n").expect(SUCCESS)
        assert [event["would_fetch"] for event in done.events if event["event"] == "plan"] == [1]
        said = command(box, "get", share.target + "/f", "-", "-a").expect(USAGE)
        assert b"no owner" in said.stderr
    assert not os.path.exists(at(box, "dest")) and os.path.exists(path)


def test_a_host_that_reads_names_while_it_is_confined(root, box):
    """The host's directory of users is out of what it shares."""
    daemon = pwd.getpwnam("daemon")
    os.chown(trees.write(at(box, "source", "f"), b"x"), daemon.pw_uid, daemon.pw_gid)
    done = fetch(box, "-a")
    assert_archived(at(box, "source"), at(box, "dest"))
    assert_nothing_lost(done)
