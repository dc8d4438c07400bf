"""Streams that come and go while a file is on its way over a long path."""

import os
import re
from concurrent.futures import ThreadPoolExecutor

import between
import data
import pytest
from runner import wait_until

MIB = 1 << 20
# Ten seconds over the link below: time to try more streams, and to end them again.
SIZE = 64 * MIB
STREAMS_TO_BEGIN = 6  # src/transfer/stream_controller.h


def test_streams_come_and_go(long_path, box):
    """Without TCP's timestamps nobody sees by the path's queue that six fill it."""
    near, far = long_path
    for host in long_path:
        host.run(["sysctl", "-qw", "net.ipv4.tcp_timestamps=0"])
    source, dest = os.path.join(box, "large.bin"), os.path.join(box, "dest")
    data.write_file(source, SIZE, seed=3)
    summary = between.fetch(near, far, box, "large.bin", dest)
    assert summary["streams"] > STREAMS_TO_BEGIN, "more were tried"
    assert data.same_file(source, os.path.join(dest, "large.bin"))


def congestion_controls(host):
    """Of the connections that have sent more than a handshake."""
    shown = host.run(["ss", "-tinHO", "state", "established"]).stdout
    return {re.search(r"\b(bbr|cubic|reno)\b", line).group(1) for line in shown.splitlines()
            if int(re.search(r"bytes_sent:(\d+)|$", line).group(1) or 0) > MIB}


def test_a_long_path_has_bbr(long_path, box):
    """The other half, on a local link: src/session/listener_test.cc."""
    with open("/proc/sys/net/ipv4/tcp_available_congestion_control") as text:
        if "bbr" not in text.read().split():
            pytest.skip("this kernel has no BBR")
    near, far = long_path
    data.write_file(os.path.join(box, "large.bin"), SIZE // 2, seed=3)
    with ThreadPoolExecutor(1) as pool:
        fetching = pool.submit(between.fetch, near, far, box, "large.bin",
                               os.path.join(box, "dest"))
        used = wait_until(lambda: congestion_controls(near) or fetching.done(), "data on its way")
        fetching.result()
    if used is True:
        pytest.skip("it was over before anybody looked")
    assert used == {"bbr"}
