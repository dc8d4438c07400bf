"""What compresses arrives by fewer bytes over a slow link, and is the same in the end."""

import os
import random

import between
import data
import hosts
import links
import pytest

MIB = 1 << 20
SIZE = 8 * MIB


@pytest.fixture
def path(root):
    """Two hosts, 50 Mbit/s between them."""
    with hosts.Lab(None) as lab:
        near, far = lab.host("a", "10.77.0.1"), lab.host("b", "10.77.0.2")
        links.lan(near, far, "50mbit")
        yield near, far


def words(source, size):
    text = bytearray()
    while len(text) < size:
        text += b"%d the folder of %d is fetched by %x\n" % (
            len(text), source.randrange(1000), source.getrandbits(20))
    return bytes(text[:size])


def fetch(path, shared, *options):
    """Fetches all of it; returns the summary."""
    dest = shared + "-fetched"
    summary = between.fetch(*path, shared, "", dest, *options)
    assert data.differences(shared, dest) == []
    return summary


@pytest.fixture
def shared(box):
    directory = os.path.join(box, "shared")
    os.mkdir(directory)
    return directory


def test_one_text(path, shared):
    with open(f"{shared}/text", "wb") as file:
        file.write(words(random.Random(1), SIZE))
    summary = fetch(path, shared)
    assert summary["bytes"] == SIZE
    assert summary["wire_bytes"] < SIZE / 2


def test_many_texts(path, shared):
    source = random.Random(2)
    for number in range(400):
        with open(f"{shared}/{number}", "wb") as file:
            file.write(words(source, 20_000))
    summary = fetch(path, shared)
    assert summary["bytes"] == 400 * 20_000
    assert summary["wire_bytes"] < 400 * 20_000 / 2


def test_what_does_not_compress_among_what_does(path, shared):
    data.write_file(f"{shared}/random", SIZE // 2, seed=4)
    with open(f"{shared}/text", "wb") as file:
        file.write(words(random.Random(3), SIZE // 2))
    with open(f"{shared}/both", "wb") as file:  # every other megabyte
        for number in range(4):
            file.write(random.Random(number).randbytes(MIB) if number % 2 else
                       words(random.Random(number), MIB))
    summary = fetch(path, shared)
    assert SIZE // 2 + 2 * MIB < summary["wire_bytes"] < SIZE


def test_nothing_is_compressed_where_the_user_says_so(path, shared):
    with open(f"{shared}/text", "wb") as file:
        file.write(words(random.Random(5), SIZE // 4))
    summary = fetch(path, shared, "--compression", "off")
    assert summary["wire_bytes"] > SIZE // 4
