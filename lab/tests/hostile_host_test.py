"""The real binary in the hands of a hostile host: evil_host plays one attack after another.

What each attack must come to stands in the table that evil_host prints, beside its script; the
unit tests hold the client to the same table.
"""

import contextlib
import json
import os
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

import pytest
import trees
from runner import (CODE, DEADLINE_SECONDS, NO_CONNECTION, PARTIAL, SUCCESS, UNSAFE, Share, command,
                    environment, get)

# How the command ends, by the error that ended it (docs/exit-codes.md).
EXIT_OF = {"protocol": UNSAFE, "unsafe_name": UNSAFE, "version": NO_CONNECTION,
           "lost": NO_CONNECTION, "remote_io": PARTIAL}


def evil_host():
    path = os.environ.get("WORMHOLE_EVIL_HOST")
    if not path:
        raise RuntimeError("set WORMHOLE_EVIL_HOST to the built evil_host (ctest does)")
    return os.path.abspath(path)


def all_attacks():
    printed = subprocess.run([evil_host(), "--list"], stdout=subprocess.PIPE, check=True)
    attacks = [json.loads(line) for line in printed.stdout.splitlines()]
    for attack in attacks:
        if attack["ends"]:
            attack["exit"] = EXIT_OF[attack["ends"]]
        else:
            attack["exit"] = PARTIAL if attack["fails"] else SUCCESS
    return attacks


ATTACKS = {attack["name"]: attack for attack in all_attacks()}
ON_GET = [name for name, attack in ATTACKS.items() if not attack["on_list"]]
ON_LIST = [name for name, attack in ATTACKS.items() if attack["on_list"]]
# These end the connection: the guest tries again for 15 seconds.
WAITING = [name for name in ON_GET if ATTACKS[name]["ends"] == "lost"]
ON_ROOT = [name for name in ON_GET if name.startswith("root-")]


@contextlib.contextmanager
def playing(box, name):
    """The target of a host that plays the attack to whoever comes."""
    outside = os.path.join(box, "outside")
    trees.write(os.path.join(outside, "precious"), b"precious", mtime_ns=10**18)
    before = trees.snapshot(outside)
    process = subprocess.Popen([evil_host(), name, outside], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, env=environment(box, "evil"))
    try:
        yield "127.0.0.1:%d" % int(process.stdout.readline())
    finally:
        process.stdin.close()
        status = process.wait(DEADLINE_SECONDS)
        process.stdout.close()
    assert status == 0
    assert trees.snapshot(outside) == before, "the outside was reached"


def tree_of(root):
    """As the table has it: b'd/' -> b'', b'f' -> content, b'l' -> b'-> target'."""
    root = os.fsencode(root)
    found = {}
    for directory, directories, files in os.walk(root):
        for name in directories + files:
            path = os.path.join(directory, name)
            relative = os.path.relpath(path, root)
            if os.path.islink(path):
                found[relative] = b"-> " + os.readlink(path)
            elif os.path.isdir(path):
                found[relative + b"/"] = b""
            else:
                found[relative] = trees.read(path)
    return found


def expected_tree(box, attack):
    outside = os.path.join(box, "outside").encode()
    return {bytes.fromhex(path): content if isinstance(content, int)
            else bytes.fromhex(content).replace(b"OUTSIDE", outside)
            for path, content in attack["arrives"].items()}


def expect_message(attack, done):
    """The last word names what went wrong, and the entry, escaped."""
    if not attack["ends"] and not attack["says"]:
        return
    said = done.stdout + done.stderr
    assert attack["says"].encode() in said, said[-3000:]
    assert b"\x1b" not in said, "an escape sequence reached the terminal"


def expect_good_get(box):
    """The next command, with the same home and cache, works."""
    trees.write(os.path.join(box, "honest", "good"), b"good")
    with Share(box, os.path.join(box, "honest")) as share:
        get(box, share.target, os.path.join(box, "next")).expect(SUCCESS)
    trees.assert_same(os.path.join(box, "honest"), os.path.join(box, "next"))


def expect_survival(box, name):
    attack = ATTACKS[name]
    dest = os.path.join(box, "dest")
    trees.write(os.path.join(dest, "precious"), b"mine")
    extra = ["--encryption", "off"] if attack["victim_is_plain"] else []
    if not attack["victim_expands"]:
        extra += ["--compression", "off"]
    if attack["victim_archives"]:
        extra += ["--archive"]
    with playing(box, name) as target:
        done = get(box, target, dest, "--streams", "2", *extra).expect(attack["exit"])
    expect_message(attack, done)
    assert done.summary["exit"] == attack["exit"]
    failed = {os.fsencode(path): code for path, code in done.failed().items()}
    if not attack["name"].startswith("failures-"):  # those names are not text
        assert failed == {bytes.fromhex(path): code for path, code in attack["fails"].items()}
    found = tree_of(dest)
    assert found.pop(b"precious") == b"mine"
    expected = expected_tree(box, attack)
    assert found.keys() == expected.keys()
    for path, content in expected.items():
        assert content == (len(found[path]) if isinstance(content, int) else found[path])
    assert sorted(os.listdir(box)) == ["dest", "home-evil", "home-guest", "outside"]


@pytest.mark.parametrize("name", [name for name in ON_GET if name not in WAITING])
def test_get_survives(box, name):
    expect_survival(box, name)


@pytest.fixture(scope="module")
def waiting():
    """What came of each of them: they wait, so all of them do at once."""
    with tempfile.TemporaryDirectory(prefix="wormhole-e2e-") as path:
        boxes = {name: os.path.join(path, name) for name in WAITING}
        for one in boxes.values():
            os.mkdir(one)
        with ThreadPoolExecutor(len(WAITING)) as threads:
            yield {name: threads.submit(expect_survival, boxes[name], name) for name in WAITING}


@pytest.mark.parametrize("name", WAITING)
def test_get_survives_the_end_of_the_connection(waiting, name):
    waiting[name].result()


@pytest.mark.parametrize("name", ON_ROOT)
def test_a_root_of_a_bad_name_goes_nowhere(box, name):
    """Without a destination the host's name is what counts: it must not lead anywhere."""
    here = os.path.join(box, "here", "below")
    os.makedirs(here)
    with playing(box, name) as target:
        done = get(box, target, cwd=here).expect(UNSAFE)
    expect_message(ATTACKS[name], done)
    assert tree_of(os.path.join(box, "here")) == {b"below/": b""}


@pytest.mark.parametrize("name", ON_LIST)
def test_ls_survives(box, name):
    attack = ATTACKS[name]
    with playing(box, name) as target:
        done = command(box, "ls", target, "-R", "--json").expect(attack["exit"])
    expect_message(attack, done)


def test_everything_after_an_attack_is_as_before(box):
    for name in ("name-parent-file", "data-twice", "link-then-directory"):
        with playing(box, name) as target:
            get(box, target, os.path.join(box, "dest-" + name)).expect(ATTACKS[name]["exit"])
    expect_good_get(box)


def test_people_read_one_escaped_sentence(box):
    """Without --json: a sentence that names the entry, nothing that moves the cursor."""
    with playing(box, "name-parent-file") as target:
        done = command(box, "get", target, os.path.join(box, "dest")).expect(UNSAFE)
    assert b"../x" in done.stderr and CODE.encode() not in done.stderr
    with playing(box, "failures-of-strange-names") as target:
        done = command(box, "get", target, os.path.join(box, "dest")).expect(5)
    assert b"\x1b" not in done.stderr + done.stdout
    assert b"../../x" in done.stderr
