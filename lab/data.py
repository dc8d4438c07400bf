"""The files that are moved, and whether they arrived.

But for text_file() and text_tree(), content is random (nobody wins by compressing) and no two
stretches are alike (nobody wins by finding duplicates): a pool of random bytes, written round and
round, stamped anew every 64 KiB.
"""

import contextlib
import errno
import os
import random
import shutil
import stat
import struct

POOL_BYTES = 32 << 20
STAMP_EVERY = 64 << 10
KIB, MIB = 1 << 10, 1 << 20

_pool = None


def _random_pool():
    global _pool
    if _pool is None:
        source = random.Random(20240501)
        _pool = bytearray(b"".join(source.randbytes(MIB) for _ in range(POOL_BYTES // MIB)))
    return _pool


def write_file(path, size, seed):
    """`size` bytes that no other file or offset has; readable by all, as GridFTP does not run as
    root."""
    pool = _random_pool()
    start = random.Random(seed).randrange(POOL_BYTES // 2 - 16)
    with open(path, "wb", buffering=0) as file, memoryview(pool) as view:
        written = 0
        while written < size:
            length = min(size - written, POOL_BYTES // 2)
            for at in range(start, start + length, STAMP_EVERY):
                struct.pack_into("<QQ", pool, at, seed & (1 << 64) - 1, written + at)
            file.write(view[start:start + length])
            written += length
    os.chmod(path, 0o644)


SOURCES = ("/usr/include", "/usr/lib/python3", "/usr/lib/python3.11", "/usr/share/perl")
SOURCE_NAMES = (".h", ".hpp", ".py", ".pm", ".c", ".cc")


def source_files():
    """Paths of the source text that is on this machine, in an order that does not change."""
    for top in SOURCES:
        for directory, folders, names in os.walk(top):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(directory, name)
                if name.endswith(SOURCE_NAMES) and os.path.isfile(path) \
                        and not os.path.islink(path):
                    yield path


def first_arrival(directory):
    """When the first of its files was as it stayed: seconds since 1970. Whoever makes a file gives
    it its name or its times last, which is its last change (ctime)."""
    return min(os.stat(os.path.join(place, name)).st_ctime_ns
               for place, _, names in os.walk(directory) for name in names) / 1e9


def text_file(path, size):
    """Source text, one file behind the other, no file twice. Returns its size: less than `size`
    where this machine has less."""
    written = 0
    with open(path, "wb") as file:
        for source in source_files():
            with open(source, "rb") as text:
                written += file.write(text.read()[:size - written])
            if written == size:
                break
    os.chmod(path, 0o644)
    return written


def text_tree(directory, size):
    """The same as the files they are. Returns (bytes, files)."""
    written = files = 0
    for source in source_files():
        length = os.path.getsize(source)
        if length == 0:
            continue
        if written + length > size:
            break
        copy = os.path.join(directory, source.lstrip("/"))
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        shutil.copyfile(source, copy)
        written, files = written + length, files + 1
    return written, files


def small_files(directory, count, size, seed, per_directory=500):
    """`count` files of `size` bytes in a tree. Returns the bytes in all."""
    for number in range(count):
        folder = os.path.join(directory, f"d{number // per_directory:04}")
        if number % per_directory == 0:
            os.makedirs(folder, exist_ok=True)
        write_file(os.path.join(folder, f"f{number:06}"), size, seed * 1_000_003 + number)
    return count * size


def mixed_files(directory, total_bytes, seed, large_share=0.5):
    """A tree like people have: many small files, some large ones, links, empty files and
    directories. Returns (bytes, files)."""
    source = random.Random(seed)
    made = files = 0
    while made < total_bytes:
        kind = source.random()
        if made < total_bytes * large_share:
            size = source.randrange(max(MIB, min(64 * MIB, total_bytes // 256)),
                                    max(2 * MIB, min(512 * MIB, total_bytes // 40)))
        elif kind < 0.9:
            size = source.randrange(0, 64 * KIB)
        elif kind < 0.99:
            size = source.randrange(64 * KIB, 4 * MIB)
        else:
            size = source.randrange(4 * MIB, 32 * MIB)
        folder = os.path.join(directory, *(f"d{source.randrange(8)}"
                                           for _ in range(source.randrange(4))))
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, f"file {files:06}.dat")
        write_file(path, size, seed * 1_000_003 + files)
        os.chmod(path, source.choice((0o644, 0o600, 0o755, 0o444)))
        made += size
        files += 1
    os.makedirs(os.path.join(directory, "empty", "inner"))
    open(os.path.join(directory, "empty.dat"), "wb").close()
    os.symlink("empty.dat", os.path.join(directory, "link"))
    os.symlink("nowhere/at all", os.path.join(directory, "dangling link"))
    return made, files + 1


def same_file(one, other):
    """Every byte compared; no look at times."""
    with open(one, "rb", buffering=0) as a, open(other, "rb", buffering=0) as b:
        if os.fstat(a.fileno()).st_size != os.fstat(b.fileno()).st_size:
            return False
        while True:
            block = a.read(MIB)
            if block != b.read(MIB):
                return False
            if not block:
                return True


def copy_beginning(source, copy, size):
    with open(source, "rb") as whole, open(copy, "wb") as part:
        while size > 0:
            size -= part.write(whole.read(min(size, 1 << 20)))


def written_bytes(path):
    """What of a file was written, whatever room it takes."""
    written = end = 0
    with open(path, "rb") as stream:
        while True:
            try:
                start = os.lseek(stream.fileno(), end, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:  # only a hole is left
                    return written
                raise
            end = os.lseek(stream.fileno(), start, os.SEEK_HOLE)
            written += end - start


def walk(directory):
    """Relative path -> lstat of everything below. Files may come and go meanwhile."""
    found = {}
    for parent, folders, files in os.walk(directory):
        for name in folders + files:
            path = os.path.join(parent, name)
            with contextlib.suppress(FileNotFoundError):
                found[os.path.relpath(path, directory)] = os.lstat(path)
    return found


def differences(source, copy, metadata=False):
    """What is missing, too much or different in `copy`, as sentences; empty if it is right."""
    wanted, got = walk(source), walk(copy)
    wrong = [f"missing: {path}" for path in wanted.keys() - got.keys()]
    wrong += [f"too much: {path}" for path in got.keys() - wanted.keys()]
    for path in sorted(wanted.keys() & got.keys()):
        a, b = wanted[path], got[path]
        one, other = os.path.join(source, path), os.path.join(copy, path)
        if stat.S_IFMT(a.st_mode) != stat.S_IFMT(b.st_mode):
            wrong.append(f"another kind: {path}")
        elif stat.S_ISLNK(a.st_mode):
            if os.readlink(one) != os.readlink(other):
                wrong.append(f"another target: {path}")
        else:
            if stat.S_ISREG(a.st_mode) and not same_file(one, other):
                wrong.append(f"other bytes: {path}")
            if metadata and a.st_mode & 0o1777 != b.st_mode & 0o1777:
                wrong.append(f"mode {b.st_mode:o} for {a.st_mode:o}: {path}")
            if metadata and a.st_mtime_ns != b.st_mtime_ns:
                wrong.append(f"another mtime: {path}")
    return wrong
