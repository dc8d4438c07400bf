"""What the files of one share have in common comes once over a long path."""

import os
import random
import signal

import between
import data
import processes
import pytest
from peers import Wormhole
from runner import binary

MIB = 1 << 20
SIZE = 24 * MIB
CHANGE_BYTES = 8 * MIB  # four chunks


@pytest.fixture
def source(box):
    """A file, a later version of it, and one that is in the second twice."""
    path = os.path.join(box, "source")
    os.mkdir(path)
    first = random.Random(1).randbytes(SIZE)
    second = first[:SIZE // 3] + random.Random(2).randbytes(MIB // 2) + first[SIZE // 3:]
    for name, content in (("1", first), ("2", second), ("3", second + second)):
        with open(os.path.join(path, name), "wb") as file:
            file.write(content)
    return path


def test_it_comes_once(long_path, box, source):
    near, far = long_path
    dest = os.path.join(box, "dest")
    summary = between.fetch(near, far, source, "", dest)
    assert data.differences(source, dest) == []
    # The file that leaves first may be any, and the longest is twice what is new.
    assert summary["bytes"] <= 2 * SIZE + MIB + CHANGE_BYTES
    assert summary["reused_bytes"] >= 2 * SIZE - CHANGE_BYTES


def test_it_goes_on_after_it_was_killed(long_path, box, source):
    near, far = long_path
    dest = os.path.join(box, "dest")
    share = Wormhole()
    share.binary = binary()
    share.start(near, source)
    try:
        command = share.fetch(far, "", dest)
        before = far.wire_bytes()[0]
        running = far.start(command.argv, env=command.env, stdin=-3, stdout=-3, stderr=-3)
        processes.wait_until(lambda: far.wire_bytes()[0] - before > SIZE, "a part of it", running)
        processes.stop(running, signal.SIGKILL)
    finally:
        share.stop()
    between.fetch(near, far, source, "", dest)
    assert data.differences(source, dest) == []
