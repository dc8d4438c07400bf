"""put: into what a host shares with --writable or --incoming."""

import contextlib
import os
import random
import shutil
import socket
import time

import data
import pytest
import trees
from gate import Gate
from runner import (DEADLINE_SECONDS, INTERRUPTED, LOCAL_IO, NO_CONNECTION, PARTIAL, SUCCESS, USAGE,
                    Share, command, get, put, start_put, wait_until)

MB = 1_000_000
WRITABLE = ("--writable",)
INCOMING = ("--incoming",)


def writable(box, *paths, args=WRITABLE, **options):
    return Share(box, *paths, args=args, **options)


@pytest.fixture
def inbox(box):
    path = os.path.join(box, "inbox")
    os.mkdir(path)
    return path


@pytest.fixture
def source(box):
    path = os.path.join(box, "source")
    trees.make_mixed(path)
    return path


def test_a_tree_arrives_as_it_is(box, inbox, source):
    with writable(box, inbox) as share:
        done = put(box, source, share.target).expect(SUCCESS)
        trees.assert_same(source, os.path.join(inbox, "source"))
        again = put(box, source, share.target).expect(SUCCESS)
    gone = share.output.named("client_gone")
    assert done.summary["files"] > 0 and done.summary["destination"] == "127.0.0.1/source"
    assert gone[0]["taken_files"] == done.summary["files"] and gone[0]["files"] == 0
    assert gone[0]["taken_bytes"] == done.summary["bytes"]
    assert again.summary["bytes"] == 0 and again.summary["files"] == 0
    assert again.summary["skipped"] == done.summary["files"]


def test_a_verbose_put_names_what_leaves(box, inbox):
    names = [f"d{number % 3}/f{number}" for number in range(40)] + ["large", "larger"]
    source = os.path.join(box, "source")
    for number, name in enumerate(names):
        size = 20 * MB if name.startswith("l") else 5_000
        trees.write(os.path.join(source, name), random.Random(number).randbytes(size))
    with writable(box, inbox) as share:
        # Two large files, by several streams each.
        done = command(box, "put", source, share.target, "-v", "--streams", "4").expect(SUCCESS)
        again = command(box, "put", source, share.target, "-v").expect(SUCCESS)
    said = done.stderr.decode().splitlines()
    assert sorted(line for line in said if line in names) == sorted(names)  # each once
    assert not set(again.stderr.decode().splitlines()) & set(names)


def test_what_is_put_can_be_fetched_again(box, inbox, source):
    with writable(box, inbox) as share:
        put(box, source, share.target).expect(SUCCESS)
        get(box, share.target + "/source", os.path.join(box, "back")).expect(SUCCESS)
    trees.assert_same(source, os.path.join(box, "back"))


@pytest.mark.parametrize("what, to, there", [
    ("d", "", "d/f"), ("d", "/", "d/f"), ("d", "/.", "f"), ("d", "/new", "new/f"),
    ("d", "/new/deep", "new/deep/f"), ("d", "/old", "old/f"), ("d/", "", "d/f"),
    ("f", "", "f"), ("f", "/new", "new"), ("f", "/new/", "new/f"), ("f", "/old", "old/f"),
    ("f", "/old/g", "old/g"), ("f", "/a/b/c", "a/b/c"), ("d/.hidden", "", ".hidden"),
])
def test_where_it_goes(box, inbox, what, to, there):
    for name in ("d/f", "f", "d/.hidden"):
        trees.write(os.path.join(box, "from", name), b"content")
    os.mkdir(os.path.join(inbox, "old"))
    with writable(box, inbox) as share:
        put(box, os.path.join(box, "from", what), share.target + to).expect(SUCCESS)
    assert trees.read(os.path.join(inbox, there)) == b"content"


def test_several_go_by_their_names(box, inbox):
    for name in ("a/x", "b", "c/y"):
        trees.write(os.path.join(box, name), name.encode())
    paths = [os.path.join(box, name) for name in ("a", "b", "c")]
    with writable(box, inbox) as share:
        put(box, *paths, share.target).expect(SUCCESS)
        done = put(box, *paths, share.target + "/into/there").expect(SUCCESS)
        for where in (inbox, os.path.join(inbox, "into/there")):
            assert trees.read(os.path.join(where, "a/x")) == b"a/x"
            assert trees.read(os.path.join(where, "b")) == b"b"
        assert done.summary["files"] == 3
        put(box, paths[0], os.path.join(box, "else", "a"), share.target).expect(LOCAL_IO)
        os.mkdir(os.path.join(box, "else"))
        shutil.copytree(paths[0], os.path.join(box, "else", "a"))
        put(box, paths[0], os.path.join(box, "else", "a"), share.target).expect(USAGE)


def test_of_several_shares_one_is_named(box, source):
    for name in ("one", "two"):
        os.mkdir(os.path.join(box, name))
    with writable(box, os.path.join(box, "one"), os.path.join(box, "two")) as share:
        put(box, source, share.target).expect(PARTIAL)
        put(box, source, share.target + "/three").expect(PARTIAL)
        put(box, source, share.target + "/two").expect(SUCCESS)
        put(box, source, share.target + "/one/new").expect(SUCCESS)
    trees.assert_same(source, os.path.join(box, "two"))
    trees.assert_same(source, os.path.join(box, "one/new"))


def test_what_is_there_stays_unless_it_is_to_be_replaced(box, inbox):
    source = os.path.join(box, "source")
    for name in ("equal", "newer", "older", "new"):
        trees.write(os.path.join(source, name), name.encode(), mtime_ns=10**18)
    for name, content, mtime in (("equal", b"equal", 10**18), ("newer", b"mine", 10**18 + 10**9),
                                 ("older", b"mine", 10**18 - 10**9)):
        trees.write(os.path.join(inbox, name), content, mtime_ns=mtime)

    def there(name):
        return trees.read(os.path.join(inbox, name))

    with writable(box, inbox) as share:
        target = share.target + "/."
        planned = put(box, source, target, "-n").expect(PARTIAL)
        assert {event["path"]: event["action"] for event in planned.events
                if event["event"] == "planned"} == {
                    "equal": "keep", "newer": "conflict", "older": "conflict", "new": "put"}
        assert not os.path.exists(os.path.join(inbox, "new"))
        done = put(box, source, target).expect(PARTIAL)
        assert done.failed() == {"newer": "exists", "older": "exists"}
        assert there("new") == b"new" and there("newer") == b"mine" and there("older") == b"mine"
        left = put(box, source, target, "--ignore-existing").expect(SUCCESS)
        assert left.summary["left"] == 2
        plan = put(box, source, target, "--update", "-n").expect(SUCCESS)
        assert plan.events[-2]["would_replace"] == 1
        put(box, source, target, "--update").expect(SUCCESS)
        assert there("newer") == b"mine" and there("older") == b"older"
        put(box, source, target, "--overwrite").expect(SUCCESS)
        assert there("newer") == b"newer"
        # Only looks equal.
        trees.write(os.path.join(inbox, "equal"), b"EQUAL", mtime_ns=10**18)
        put(box, source, target, "--overwrite").expect(SUCCESS)
        assert there("equal") == b"EQUAL"
        put(box, source, target, "--overwrite", "--checksum").expect(SUCCESS)
        assert there("equal") == b"equal"


def test_what_is_excluded_stays_here(box, inbox, source):
    trees.write(os.path.join(source, "a.o"), b"o")
    trees.write(os.path.join(source, "long"), b"l" * 100_000)
    with writable(box, inbox) as share:
        put(box, source, share.target, "--exclude", "*.o", "--max-size", "50K").expect(SUCCESS)
    assert not os.path.exists(os.path.join(inbox, "source/a.o"))
    assert not os.path.exists(os.path.join(inbox, "source/long"))


def test_a_read_only_share_takes_nothing(box, inbox, source):
    with Share(box, inbox) as share:
        done = put(box, source, share.target).expect(PARTIAL)
        assert "read-only" in done.events[-2]["reason"]
        assert "--writable" in done.events[-2]["reason"]
    assert os.listdir(inbox) == []


def test_only_directories_are_writable(box, inbox):
    trees.write(os.path.join(box, "f"), b"f")
    for option in ("--writable", "--incoming"):
        command(box, "share", os.path.join(box, "f"), option).expect(USAGE)
    command(box, "share", inbox, "--writable", "--incoming").expect(USAGE)
    command(box, "put", inbox).expect(USAGE)
    command(box, "put", os.path.join(box, "nothing"), "127.0.0.1:1").expect(LOCAL_IO)


def test_incoming_takes_and_shows_nothing(box, inbox, source):
    trees.write(os.path.join(inbox, "secret"), b"secret")
    with Share(box, inbox, args=INCOMING) as share:
        assert share.listening["command"].startswith("wormhole put ")
        put(box, source, share.target).expect(SUCCESS)
        trees.assert_same(source, os.path.join(inbox, "source"))
        again = put(box, source, share.target).expect(SUCCESS)
        assert again.summary["bytes"] == 0, "what arrived need not come again"
        for verb in ("get", "ls"):
            refused = command(box, verb, share.target, "--json").expect(PARTIAL)
            assert b"secret" not in refused.stdout + refused.stderr
        trees.write(os.path.join(box, "secret"), b"guess")
        done = put(box, os.path.join(box, "secret"), share.target).expect(PARTIAL)
        assert done.failed() == {"secret": "exists"}
        for option in ("--overwrite", "--update", "--ignore-existing", "--checksum", "--dry-run"):
            put(box, os.path.join(box, "secret"), share.target, option).expect(PARTIAL)
    assert trees.read(os.path.join(inbox, "secret")) == b"secret"


def test_incoming_changes_nothing_that_is_there(box, inbox):
    for name in ("d/sub/f", "d/closed/g"):
        trees.write(os.path.join(inbox, name), b"f", mtime_ns=10**18)
        trees.write(os.path.join(box, "from", name), b"f", mtime_ns=10**18)
    trees.write(os.path.join(box, "from/d/sub/new"), b"new")
    os.chmod(os.path.join(inbox, "d/sub"), 0o700)
    os.chmod(os.path.join(inbox, "d/closed"), 0o500)
    before = {name: os.stat(os.path.join(inbox, name)) for name in ("d", "d/sub", "d/closed")}
    os.chmod(os.path.join(box, "from/d/sub"), 0o777)
    with Share(box, inbox, args=INCOMING) as share:
        put(box, os.path.join(box, "from/d"), share.target).expect(SUCCESS)
    assert trees.read(os.path.join(inbox, "d/sub/new")) == b"new"
    for name, status in before.items():
        now = os.stat(os.path.join(inbox, name))
        assert now.st_mode == status.st_mode, name
        if name != "d/sub":
            assert now.st_mtime_ns == status.st_mtime_ns, name


def test_an_emptied_file_is_another_one_for_incoming(box, inbox):
    trees.write(os.path.join(inbox, "f"), b"", mtime_ns=10**18)
    trees.write(os.path.join(box, "f"), b"content", mtime_ns=10**18)
    with Share(box, inbox, args=INCOMING) as share:
        done = put(box, os.path.join(box, "f"), share.target).expect(PARTIAL)
    assert "--overwrite" not in done.events[0]["reason"], "it would be refused"
    assert trees.read(os.path.join(inbox, "f")) == b""


def test_links_in_the_share_lead_nowhere(box, inbox, source):
    outside = os.path.join(box, "outside")
    os.mkdir(outside)
    os.symlink(outside, os.path.join(inbox, "out"))
    os.symlink(outside, os.path.join(inbox, "source"))
    with writable(box, inbox) as share:
        put(box, source, share.target + "/out").expect(PARTIAL)
        put(box, source, share.target + "/out/deeper", "--overwrite").expect(PARTIAL)
        put(box, source, share.target, "--overwrite").expect(PARTIAL)
        put(box, source, share.target + "/../outside").expect(USAGE)
    assert os.listdir(outside) == []


def test_what_cannot_be_read_here_is_told(box, inbox, root):
    plain = os.path.join(box, "plain")
    trees.write(os.path.join(plain, "closed"), b"closed", mode=0)
    os.mkfifo(os.path.join(plain, "pipe"))
    os.chmod(box, 0o755)
    with writable(box, inbox) as share:
        done = put(box, plain, share.target, nobody=True).expect(PARTIAL)
        assert done.failed() == {"closed": "local_io"}
        reason, = [e["reason"] for e in done.events if e["event"] == "failed"]
        assert "denied" in reason and "host" not in reason
        assert [e["path"] for e in done.events if e["event"] == "skipped_special"] == ["pipe"]
    assert not os.path.exists(os.path.join(inbox, "plain/closed"))


def test_what_cannot_be_written_there_is_told(box, inbox, source, root):
    os.chmod(box, 0o755)
    with writable(box, inbox, nobody=True) as share:
        done = put(box, source, share.target).expect(PARTIAL)
        assert "the host says: " in done.events[-2]["reason"]
    assert os.listdir(inbox) == []


def test_a_full_disk_there(box, small_disk, source):
    trees.write(os.path.join(source, "zz-large"), random.Random(2).randbytes(30 * MB))
    disk = small_disk(10 * MB)
    with writable(box, disk) as share:
        done = put(box, source, share.target).expect(PARTIAL)
        assert done.events[-2]["event"] == "error"
        assert "space" in done.events[-2]["reason"] and "the host says" in done.events[-2]["reason"]
        assert not os.path.exists(os.path.join(disk, "source/zz-large"))
        small_disk(60 * MB)
        put(box, source, share.target).expect(SUCCESS)
        trees.assert_same(source, os.path.join(disk, "source"))


@pytest.mark.parametrize("options", [("--streams", "1"), ("--streams", "4"),
                                     ("--compression", "off"), ("--encryption", "off")], ids=str)
def test_however_it_travels(box, inbox, source, options):
    trees.write(os.path.join(source, "large"), random.Random(3).randbytes(20 * MB))
    with writable(box, inbox, args=("--writable", "--encryption", "off")) as share:
        done = put(box, source, share.target, *options).expect(SUCCESS)
        assert done.summary["encrypted"] == ("--encryption" not in options)
        trees.assert_same(source, os.path.join(inbox, "source"))


def test_a_limit_is_kept(box, inbox):
    trees.write(os.path.join(box, "f"), random.Random(4).randbytes(2 * MB))
    with writable(box, inbox) as share:
        for streams in ("1", "2"):
            done = put(box, os.path.join(box, "f"), share.target + "/" + streams, "--bwlimit",
                       "1MB", "--streams", streams).expect(SUCCESS)
            assert done.summary["seconds"] >= 1.5


SIZE = 96 * MB


@pytest.fixture
def large(box):
    path = os.path.join(box, "large")
    trees.write(os.path.join(path, "film"), random.Random(1).randbytes(SIZE))
    return path


def arrived(inbox):
    try:
        return sum(map(data.written_bytes, trees.partials(inbox)))
    except OSError:
        return 0


@contextlib.contextmanager
def held_at(at, box, inbox, large, share, *options):
    """(a gate that lets no more through, the put of which so much has arrived)"""
    with Gate(share.port, hold_after=at, of_guest=True) as gate:
        running = start_put(box, large, gate.target, *options)
        gate.wait_held(DEADLINE_SECONDS)
        wait_until(lambda: arrived(inbox) >= at - 4 * MB, f"{at} bytes to be there")
        yield gate, running


def kill(running, _gate):
    running.kill()


def ctrl_c(running, _gate):
    running.interrupt().expect(INTERRUPTED)


def cut(running, gate):
    gate.close_to_new_ones()
    gate.cut()
    gate.release()
    running.finish().expect(NO_CONNECTION)


@pytest.mark.parametrize("how", [kill, ctrl_c, cut], ids=lambda how: how.__name__)
def test_the_same_command_goes_on(box, inbox, large, how):
    with writable(box, inbox) as share:
        with held_at(SIZE * 9 // 10, box, inbox, large, share) as (gate, running):
            how(running, gate)
        wait_until(lambda: len(share.output.named("client_gone")) == 1, "the host to notice")
        assert not os.path.exists(os.path.join(inbox, "large/film"))
        done = put(box, large, share.target).expect(SUCCESS)
    assert done.summary["resumed_bytes"] >= SIZE * 7 // 10
    assert done.summary["bytes"] == SIZE - done.summary["resumed_bytes"]
    trees.assert_same(large, os.path.join(inbox, "large"))
    assert not trees.partials(inbox)


def test_it_goes_on_after_the_host_was_killed(box, inbox, large):
    with writable(box, inbox) as share:
        with held_at(SIZE // 2, box, inbox, large, share) as (gate, running):
            gate.close_to_new_ones()
            share.kill()
            gate.release()
            running.finish().expect(NO_CONNECTION)
    with writable(box, inbox) as share:
        done = put(box, large, share.target).expect(SUCCESS)
    assert done.summary["resumed_bytes"] >= SIZE // 3
    trees.assert_same(large, os.path.join(inbox, "large"))


def test_a_lost_link_is_tried_again_in_the_same_run(box, inbox, large):
    with writable(box, inbox) as share:
        with held_at(SIZE // 2, box, inbox, large, share) as (gate, running):
            gate.cut()
            gate.release()
            done = running.finish().expect(SUCCESS)
    assert [event["code"] for event in done.events if event["event"] == "retrying"] == ["lost"]
    assert done.summary["bytes"] <= SIZE + 4 * MB, "what was there came again"
    trees.assert_same(large, os.path.join(inbox, "large"))


def test_an_attempt_takes_the_place_of_the_last_one(box, inbox, large):
    """The host does not know yet that the link is gone, and still holds what it took by it."""
    with writable(box, inbox) as share:
        with held_at(SIZE // 2, box, inbox, large, share) as (gate, running):
            gate.cut_unnoticed()
            gate.release()
            done = running.finish().expect(SUCCESS)
            # The gate stays until then: it would break what the goodbye is on its way by.
            wait_until(lambda: len(share.output.named("client_gone")) == 2, "the host to notice")
        older, newer = share.output.named("client_gone")
        assert "come back" in older["reason"], "it noticed"
        assert newer["ok"], newer["reason"]
    assert done.failed() == {}
    assert done.summary["bytes"] <= SIZE + 4 * MB, "what was there came again"
    trees.assert_same(large, os.path.join(inbox, "large"))


def test_a_goodbye_that_comes_last_is_one(box, inbox, source):
    """The other connections have ended in order before it, also where they were not let in yet."""
    trees.write(os.path.join(source, "large"), random.Random(5).randbytes(32 * MB))
    with writable(box, inbox, args=(*WRITABLE, "--once")) as share:
        with Gate(share.port, lags=(0.005, 2)) as gate:  # 13 MB/s
            put(box, source, gate.target, "--streams", "4").expect(SUCCESS)
            wait_until(lambda: share.output.named("client_gone"), "the host to notice")
        gone, = share.output.named("client_gone")
    assert gone["ok"], gone["reason"]


def test_what_was_changed_between_two_attempts_stays(box, inbox, large):
    """And what an earlier attempt made is still this run's own."""
    trees.write(os.path.join(large, "zz-edited"), b"from here")
    os.chmod(large, 0o775)
    with writable(box, inbox) as share:
        with held_at(SIZE // 2, box, inbox, large, share, "--overwrite") as (gate, running):
            edited = os.path.join(inbox, "large/zz-edited")
            if os.path.exists(edited):
                os.remove(edited)
            trees.write(edited, b"the user's own")
            gate.cut()
            gate.release()
            done = running.finish().expect(PARTIAL)
    assert done.failed() == {"zz-edited": "exists"}
    assert trees.read(edited) == b"the user's own"
    assert os.stat(os.path.join(inbox, "large")).st_mode & 0o777 == 0o775


def test_it_goes_on_as_long_as_it_gets_on(box, inbox, large):
    with writable(box, inbox) as share:
        with Gate(share.port) as gate:
            running = start_put(box, large, gate.target, "--streams", "1", "--bwlimit", "24MB")
            for part in range(1, 7):
                wait_until(lambda part=part: arrived(inbox) >= SIZE * part // 8
                           or running.process.poll() is not None, f"eighth {part}")
                gate.cut()
            done = running.finish().expect(SUCCESS)
    assert len([event for event in done.events if event["event"] == "retrying"]) >= 5
    trees.assert_same(large, os.path.join(inbox, "large"))


def test_several_at_once_into_one_share(box, inbox):
    sources = []
    for number in range(4):
        path = os.path.join(box, f"from-{number}")
        trees.make_mixed(path, seed=number)
        trees.write(os.path.join(path, "large"), random.Random(number).randbytes(10 * MB))
        sources.append(path)
    with writable(box, inbox) as share:
        running = [start_put(box, path, share.target) for path in sources]
        for one in running:
            one.finish().expect(SUCCESS)
    for path in sources:
        trees.assert_same(path, os.path.join(inbox, os.path.basename(path)))


def test_what_was_put_before_need_not_come_again(box, inbox, large):
    with writable(box, inbox) as share:
        put(box, large, share.target).expect(SUCCESS)
        os.rename(os.path.join(large, "film"), os.path.join(large, "renamed"))
        done = put(box, large, share.target + "/other").expect(SUCCESS)
    assert done.summary["bytes"] == 0 and done.summary["reused_bytes"] == SIZE
    trees.assert_same(large, os.path.join(inbox, "other"))


def test_what_is_elsewhere_at_the_host_is_not_found_out(box, inbox, large):
    """Of what the host's user fetched, a client learns nothing by what need not be sent."""
    elsewhere = os.path.join(box, "elsewhere")
    with Share(box, large) as share:
        # The host's own index: as its user.
        get(box, share.target, elsewhere, env={"XDG_CACHE_HOME": os.path.join(box, "host-cache")}
            ).expect(SUCCESS)
    with writable(box, inbox, env={"XDG_CACHE_HOME": os.path.join(box, "host-cache")}) as share:
        done = put(box, large, share.target).expect(SUCCESS)
    assert done.summary["reused_bytes"] == 0 and done.summary["bytes"] == SIZE


def test_a_changed_file_comes_in_part(box, inbox, large):
    with writable(box, inbox) as share:
        put(box, large, share.target).expect(SUCCESS)
        with open(os.path.join(large, "film"), "r+b") as film:
            film.seek(SIZE // 2)
            film.write(b"changed")
        done = put(box, large, share.target, "--overwrite").expect(SUCCESS)
    assert done.summary["bytes"] < SIZE // 10
    trees.assert_same(large, os.path.join(inbox, "large"))


def test_hard_links_and_sparse_files(box, inbox):
    source = os.path.join(box, "source")
    trees.write(os.path.join(source, "a"), b"twice")
    os.link(os.path.join(source, "a"), os.path.join(source, "b"))
    with open(os.path.join(source, "holes"), "wb") as holes:
        holes.truncate(50 * MB)
        holes.seek(20 * MB)
        holes.write(b"data")
    with writable(box, inbox) as share:
        done = put(box, source, share.target).expect(SUCCESS)
    there = os.path.join(inbox, "source")
    trees.assert_same(source, there)
    assert os.path.samefile(os.path.join(there, "a"), os.path.join(there, "b"))
    assert done.summary["hard_links"] == 1
    assert data.written_bytes(os.path.join(there, "holes")) < MB


def test_standard_input_goes_into_a_file(box, inbox):
    content = random.Random(5).randbytes(3 * MB)
    cache = os.path.join(box, "home-guest", "cache", "wormhole")

    def spools():
        return [name for name in os.listdir(cache) if name.startswith("put-")]

    with writable(box, inbox) as share:
        for name, given in (("some", content), ("deep/er/none", b"")):
            read, write = os.pipe()
            running = start_put(box, "-", f"{share.target}/{name}", stdin=read)
            os.close(read)
            with os.fdopen(write, "wb") as pipe:
                pipe.write(given)
            running.finish().expect(SUCCESS)
            assert trees.read(os.path.join(inbox, name)) == given
        put(box, "-", share.target).expect(USAGE)
        put(box, "-", share.target + "/d/").expect(USAGE)
        put(box, "-", os.path.join(box, "x"), share.target + "/d").expect(USAGE)
        # Nothing comes: it waits, and can be stopped.
        read, write = os.pipe()
        running = start_put(box, "-", share.target + "/never", stdin=read)
        wait_until(spools, "it to begin")
        running.interrupt().expect(INTERRUPTED)
        os.close(read)
        os.close(write)
    assert spools() == []
    assert not os.path.exists(os.path.join(inbox, "never"))


def test_a_host_that_is_not_there(box, source):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    started = time.monotonic()
    put(box, source, f"127.0.0.1:{port}").expect(NO_CONNECTION)
    assert time.monotonic() - started < 30
