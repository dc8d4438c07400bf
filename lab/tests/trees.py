"""Making directory trees and comparing them."""

import hashlib
import os
import random
import stat

PARTIAL_PREFIX = b".wormhole-"


def write(path, content=b"", mode=0o644, mtime_ns=None):
    """A file, its parents made."""
    path = os.fsencode(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as stream:
        stream.write(content)
    os.chmod(path, mode)
    if mtime_ns is not None:
        os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


def read(path):
    with open(path, "rb") as stream:
        return stream.read()


def random_bytes(size, seed=0):
    return random.Random(seed).randbytes(size)


def digest(path):
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def describe(path):
    """What must be the same on both sides. setuid and setgid bits never cross."""
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return ("link", os.readlink(path), status.st_mtime_ns)
    if stat.S_ISDIR(status.st_mode):
        return ("directory", status.st_mode & 0o1777, status.st_mtime_ns)
    if stat.S_ISREG(status.st_mode):
        return ("file", status.st_mode & 0o1777, status.st_mtime_ns, status.st_size, digest(path))
    return ("special", stat.S_IFMT(status.st_mode))


def snapshot(root):
    """{relative path: description}, the root itself as b'.'; names are bytes."""
    root = os.fsencode(root)
    found = {b".": describe(root)}
    for directory, directories, files in os.walk(root):
        for name in directories + files:
            path = os.path.join(directory, name)
            found[os.path.relpath(path, root)] = describe(path)
    return found


def assert_same(source, copy, without=()):
    """The copy holds exactly the source, except for the relative paths in `without`."""
    expected = snapshot(source)
    for path in without:
        del expected[os.fsencode(path)]
    actual = snapshot(copy)
    missing = sorted(expected.keys() - actual.keys())
    extra = sorted(actual.keys() - expected.keys())
    different = {path: (expected[path], actual[path])
                 for path in expected.keys() & actual.keys() if expected[path] != actual[path]}
    assert not missing and not extra and not different, (
        f"missing {missing[:10]}, extra {extra[:10]}, different {list(different.items())[:5]}")


def partials(root):
    """Paths of unfinished files below."""
    return [os.path.join(directory, name)
            for directory, _, files in os.walk(os.fsencode(root))
            for name in files if name.startswith(PARTIAL_PREFIX)]


def assert_nothing_half(source, copy):
    """Whatever stands under a final name is whole: what a kill at any moment must leave."""
    source, copy = os.fsencode(source), os.fsencode(copy)
    for directory, _, files in os.walk(copy):
        for name in files:
            path = os.path.join(directory, name)
            if name.startswith(PARTIAL_PREFIX):
                continue
            original = os.path.join(source, os.path.relpath(path, copy))
            assert os.path.lexists(original), f"{path} is not in the source"
            assert describe(path) == describe(original), f"{path} is not whole"


def make_mixed(root, seed=1, files=60, largest=200_000):
    """A tree like real ones: a few levels, sizes from nothing to `largest`, odd modes and times."""
    chance = random.Random(seed)
    root = os.fsencode(root)
    directories = [root]
    for number in range(max(2, files // 8)):
        parent = chance.choice(directories)
        path = os.path.join(parent, b"d%03d" % number)
        os.makedirs(path)
        directories.append(path)
    for number in range(files):
        size = chance.choice([0, 1, chance.randrange(4096), chance.randrange(largest)])
        write(os.path.join(chance.choice(directories), b"f%04d" % number),
              chance.randbytes(size), chance.choice([0o644, 0o600, 0o755, 0o444]),
              chance.randrange(10**18, 17 * 10**17))
    for number in range(3):
        os.symlink(b"../f%04d" % number, os.path.join(chance.choice(directories),
                                                      b"link%d" % number))
    for path in reversed(directories):
        time = chance.randrange(10**18, 17 * 10**17)
        os.chmod(path, chance.choice([0o755, 0o750, 0o700]) if path != root else 0o755)
        os.utime(path, ns=(time, time))
    return root
