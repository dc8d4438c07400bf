"""Fixtures of the end-to-end tests."""

import contextlib
import ctypes
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

import pytest

TESTS = pathlib.Path(__file__).parent
sys.path[:0] = [str(TESTS), str(TESTS.parent)]  # and the lab's own modules
import hosts  # noqa: E402
import links  # noqa: E402
from runner import lab_file  # noqa: E402

CLONE_NEWNET = 0x40000000


@pytest.fixture
def box():
    """A directory of the test's own, as str, gone afterwards whatever the test left in it."""
    path = tempfile.mkdtemp(prefix="wormhole-e2e-")
    os.chmod(path, 0o755)
    yield path
    for directory, directories, _ in os.walk(path):
        for name in directories:
            with contextlib.suppress(OSError):
                if not os.path.islink(os.path.join(directory, name)):
                    os.chmod(os.path.join(directory, name), 0o700)
    shutil.rmtree(path)


@pytest.fixture
def root():
    if os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.fixture
def xfs(root, box):
    """The path of a disk that can share blocks, and power_cut(), by which it loses what was not
    flushed."""
    image, path = os.path.join(box, "disk"), os.path.join(box, "xfs")
    os.mkdir(path)
    with open(image, "wb") as file:
        file.truncate(512 << 20)
    try:
        subprocess.run(["mkfs.xfs", "-q", image], check=True)
        subprocess.run(["mount", "-o", "loop", image, path], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"needs XFS on a loop device: {error}")

    def power_cut():
        subprocess.run(["xfs_io", "-x", "-c", "shutdown", path], check=True)
        subprocess.run(["umount", path], check=True)
        subprocess.run(["mount", "-o", "loop", image, path], check=True)

    yield path, power_cut
    subprocess.run(["umount", path], check=True)


@pytest.fixture
def own_network(root):
    """The test and what it starts run on a host of their own, with nothing but loopback."""
    libc = ctypes.CDLL(None, use_errno=True)

    def check(result):
        if result != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        check(libc.unshare(CLONE_NEWNET))
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield
        finally:
            check(libc.setns(before, CLONE_NEWNET))
    finally:
        os.close(before)


@pytest.fixture
def long_path(root):
    """Two hosts, 50 Mbit/s and 20 ms apart."""
    if not os.path.exists("/dev/net/tun"):
        pytest.skip("needs /dev/net/tun")
    with hosts.Lab(None) as lab:
        near, far = lab.host("a", "10.77.0.1"), lab.host("b", "10.77.0.2")
        lab.keep(links.Wan(near, far, "50mbit", "20ms", emulator=lab_file("link_emulator")))
        yield near, far


@pytest.fixture
def small_disk(root, box):
    """mount(bytes) gives a directory on a file system of that size; calling it again resizes."""
    path = os.path.join(box, "small-disk")
    os.mkdir(path)
    mounted = False

    def mount(size):
        nonlocal mounted
        options = f"size={size}" + (",remount" if mounted else "")
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=True)
        mounted = True
        return path

    yield mount
    if mounted:
        subprocess.run(["umount", path], check=True)


@pytest.fixture
def ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
