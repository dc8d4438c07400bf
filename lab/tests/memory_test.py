"""What a share holds that stands for long."""

import os
import shutil

import pytest
import trees
from runner import SUCCESS, Share, get, is_sanitized, wait_until

FILES = 30_000
KEPT_BYTES_MAX = 7_000_000  # of 13 MB that each of them takes


def anonymous_bytes(pid):
    """What it has allocated and touched: RssAnon of proc(5)."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon:"))


@pytest.mark.skipif(is_sanitized(), reason="a sanitizer keeps what is freed")
def test_a_share_that_served_many_holds_no_more_than_one_that_served_none(box):
    for number in range(FILES):
        trees.write(os.path.join(box, "source", str(number % 20), str(number)), b"small")
    with Share(box, os.path.join(box, "source")) as share:
        held = anonymous_bytes(share.process.pid)
        for _ in range(4):
            get(box, share.target, os.path.join(box, "dest"), "--no-reuse").expect(SUCCESS)
            shutil.rmtree(os.path.join(box, "dest"))
            wait_until(lambda: anonymous_bytes(share.process.pid) < held + KEPT_BYTES_MAX,
                       "what it took to be given back")
