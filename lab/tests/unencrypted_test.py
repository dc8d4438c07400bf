"""Unencrypted data between real peers: only when both ask for it, and never wrong."""

import os

import pytest
import trees
from gate import CHUNK_BYTES, Gate
from runner import DEADLINE_SECONDS, PARTIAL, SUCCESS, Share, get, start_get

OFF = ("--encryption", "off")
# Compressed, the pattern would not be readable either, whatever the cipher does.
AS_IT_IS = ("--compression", "off")
PATTERN = b"a line that anyone on the way could read, if it travelled in the clear\n"
LARGE = PATTERN * 60_000  # 4 MB


def at(box, *parts):
    return os.path.join(box, *parts)


class FlippingGate(Gate):
    """Flips one bit of the content where it passes by in the clear: the first time, or always."""

    def __init__(self, port, always=False):
        self._always = always
        self.flips = 0
        super().__init__(port)

    def _relay(self, source, target, from_host):
        if not from_host:
            super()._relay(source, target, from_host)
            return
        try:
            while data := source.recv(CHUNK_BYTES):
                place = data.find(PATTERN)
                if place >= 0 and (self._always or self.flips == 0):
                    data = bytearray(data)
                    data[place + len(PATTERN) // 2] ^= 1
                    self.flips += 1
                target.sendall(data)
        except OSError:
            pass
        self._end(source, target)


@pytest.mark.parametrize("streams", ["1", "2", "4"])
def test_every_byte_arrives(box, streams):
    source = trees.make_mixed(at(box, "source"))
    trees.write(at(box, "source", "large"), LARGE)
    with open(at(box, "source", "sparse"), "wb") as stream:
        stream.truncate(20_000_000)
        stream.seek(9_000_000)
        stream.write(b"an island")
    with Share(box, at(box, "source"), args=OFF) as share:
        done = get(box, share.target, at(box, "dest"), "--streams", streams, *OFF)
    done.expect(SUCCESS)
    assert done.summary["encrypted"] is False
    trees.assert_same(source, at(box, "dest"))


@pytest.mark.parametrize("host,guest", [(OFF, OFF), (OFF, ()), ((), OFF), ((), ())],
                         ids=["both", "host only", "guest only", "neither"])
def test_it_takes_both_to_travel_in_the_clear(box, host, guest):
    trees.write(at(box, "source", "large"), LARGE)
    clear = bool(host and guest)
    with Share(box, at(box, "source"), args=host) as share:
        with Gate(share.port, record=True) as gate:
            done = get(box, gate.target, at(box, "dest"), *AS_IT_IS, *guest).expect(SUCCESS)
            seen = bytes(gate.seen)
    assert done.summary["encrypted"] is not clear
    assert (PATTERN in seen) is clear
    trees.assert_same(at(box, "source"), at(box, "dest"))


@pytest.mark.parametrize("streams", ["1", "2"])
def test_a_flipped_bit_is_repaired(box, streams):
    trees.write(at(box, "source", "large"), LARGE)
    with Share(box, at(box, "source"), args=OFF) as share:
        with FlippingGate(share.port) as gate:
            done = get(box, gate.target, at(box, "dest"), "--streams", streams, *OFF)
        assert gate.flips == 1
    done.expect(SUCCESS)
    trees.assert_same(at(box, "source"), at(box, "dest"))


def test_a_link_that_always_damages_costs_its_files_only(box):
    trees.write(at(box, "source", "large"), LARGE)
    trees.write(at(box, "source", "small"), b"sealed, as small files always are")
    with Share(box, at(box, "source"), args=OFF) as share:
        with FlippingGate(share.port, always=True) as gate:
            done = get(box, gate.target, at(box, "dest"), *OFF).expect(PARTIAL)
        assert gate.flips >= 2
    assert done.failed() == {"large": "changed"}
    assert sorted(os.listdir(at(box, "dest"))) == ["small"]


@pytest.mark.parametrize("encryption", [OFF, ()], ids=["unencrypted", "encrypted"])
def test_a_file_that_changes_on_its_way_is_reported(box, encryption):
    path = trees.write(at(box, "source", "large"), LARGE * 4)
    trees.write(at(box, "source", "rest"), b"rest")
    with Share(box, at(box, "source"), args=encryption) as share:
        with Gate(share.port, hold_after=1_000_000) as gate:
            running = start_get(box, gate.target, at(box, "dest"), *AS_IT_IS, *encryption)
            gate.wait_held(DEADLINE_SECONDS)
            with open(path, "r+b") as stream:
                stream.seek(len(LARGE) * 4 - 1000)
                stream.write(b"changed")
            gate.release()
            done = running.finish()
    done.expect(PARTIAL)
    assert done.failed() == {"large": "changed"}
    assert sorted(os.listdir(at(box, "dest"))) == ["rest"]
    assert trees.partials(at(box, "dest")) == []
