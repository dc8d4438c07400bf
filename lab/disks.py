"""File systems for the measured files: XFS with reflink on a loop device, tmpfs.

Neither may cost what a disk would not: the loop device reads and writes its image directly (through
the page cache each write-back is a copy, a fifth of the machine's time at 10 Gbit/s), and a source
in tmpfs has large pages, as the page cache of XFS and ext4 has (read at 7.1 GB/s; 3.7 in pages of
4 KiB). Written to, they would cost more than a disk: each is zeroed first.

Both are context managers that give the mount point. They are warmed up first: on a virtual machine
the first touch of memory or of a disk's blocks costs up to five times as much as the second.
"""

import contextlib
import os

import measure
from processes import LabError, run

GIB = 1 << 30
MAX_IMAGE_BYTES = 30 * GIB  # sparse; what it may grow to
BLOCK = 4 << 20


def _write_and_delete(directory, size):
    path = os.path.join(directory, "warm-up")
    block = bytes(BLOCK)
    with open(path, "wb", buffering=0) as file:
        for _ in range(0, size, BLOCK):
            file.write(block)
        os.fsync(file.fileno())
    os.unlink(path)


def _free(directory):
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize


def _need(directory, size):
    free = _free(directory)
    if free < size:
        raise LabError(f"{directory} has {free // GIB} GiB free, {-(-size // GIB)} are needed")


def _mount_image(image, mount):
    """The loop device goes with the mount."""
    attach = ["losetup", "--find", "--show", image]
    device = run([*attach, "--direct-io=on"], check=False)
    if device.returncode != 0:  # the file system below has no direct I/O
        device = run(attach)
    device = device.stdout.strip()
    try:
        run(["mount", device, mount])
    finally:
        run(["losetup", "--detach", device])  # when the last user is gone


@contextlib.contextmanager
def xfs(directory, name, size, warm=0):
    """XFS of `size` bytes in an image in `directory`. With `warm` all of it is touched: where the
    next file goes is the file system's choice."""
    size = max(size, GIB)  # mkfs.xfs refuses less than 300 MB
    if size > MAX_IMAGE_BYTES:
        raise LabError(f"an image of {size // GIB} GiB: at most {MAX_IMAGE_BYTES // GIB}")
    _need(directory, size)
    image, mount = (os.path.join(directory, name + end) for end in (".xfs", ""))
    os.mkdir(mount)
    with open(image, "wb") as file:
        os.truncate(file.fileno(), size)
    try:
        run(["mkfs.xfs", "-q", "-m", "reflink=1", image])
        _mount_image(image, mount)
        try:
            os.chmod(mount, 0o755)
            if warm:
                _write_and_delete(mount, _free(mount) * 19 // 20)
            yield mount
        finally:
            unmount(mount)
    finally:
        os.unlink(image)


@contextlib.contextmanager
def tmpfs(directory, name, size, warm=0, large_pages=False):
    """Memory as a disk; never more than what is free, or the machine itself would starve."""
    available = measure.memory_bytes("MemAvailable")
    if size > available * 3 // 4:
        raise LabError(f"a tmpfs of {size // GIB} GiB with {available // GIB} GiB available")
    mount = os.path.join(directory, name)
    os.mkdir(mount)
    options = f"size={size},mode=755"
    attempt = ["mount", "-t", "tmpfs", "wormhole-lab", mount, "-o"]
    # Refused by a kernel without large pages.
    if not large_pages or run([*attempt, f"{options},huge=within_size"],
                              check=False).returncode != 0:
        run([*attempt, options])
    try:
        if warm:
            _write_and_delete(mount, warm)
        yield mount
    finally:
        unmount(mount)


def tmpfs_to_read(directory, name, size):
    return tmpfs(directory, name, size, large_pages=True)


@contextlib.contextmanager
def plain(directory, name, size, warm=0):
    """A directory on the machine's own file system: for sources too large for memory."""
    _need(directory, size)
    path = os.path.join(directory, name)
    os.mkdir(path)
    if warm:
        _write_and_delete(path, warm)
    yield path


def unmount(mount):
    """Also when a process that is being killed still holds a file there."""
    if run(["umount", mount], check=False).returncode != 0:
        run(["umount", "--lazy", mount])


def cached_bytes(path):
    return int(run(["fincore", "-b", "-n", "-o", "RES", path]).stdout)


def forget(path):
    """The page cache forgets this file."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if cached_bytes(path) > BLOCK:
        raise LabError(f"{path} stays in the page cache")


def settle(mount):
    """Writes back what is dirty, so that one contestant does not pay for the one before."""
    # What lies below as well: an image is a file of the machine's own file system.
    run(["sync", "--file-system", mount, os.path.dirname(mount)])


def drop_caches():
    """The machine's page cache forgets all of its files but what is dirty of them."""
    with open("/proc/sys/vm/drop_caches", "w") as control:
        control.write("1")
