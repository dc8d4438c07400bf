"""A destination somebody prepared, and guests that only want to be in the way."""

import ctypes
import os
import resource
import selectors
import socket
import threading

import pytest
import trees
from gate import Gate, is_open
from runner import (DEADLINE_SECONDS, PARTIAL, SUCCESS, Share, get, preloaded, put, start_get,
                    wait_until)


def at(box, *parts):
    return os.path.join(os.fsencode(box), *map(os.fsencode, parts))


def dest(box):
    return os.path.join(box, "dest")


@pytest.fixture
def elsewhere(box):
    """A directory that must stay as it is."""
    path = at(box, "elsewhere")
    trees.write(os.path.join(path, b"precious"), b"precious", mtime_ns=10**18)
    os.utime(path, ns=(10**18, 10**18))
    before = trees.snapshot(path)
    yield path
    assert trees.snapshot(path) == before


LANDLOCK_CREATE_RULESET = 444


@pytest.fixture
def landlock():
    syscall = ctypes.CDLL(None).syscall
    if syscall(LANDLOCK_CREATE_RULESET, None, 0, 1) <= 0:
        pytest.skip("this kernel has no landlock")


class Smuggled:
    """What code in the process itself could open, had a peer brought it there."""

    def __init__(self, box, *wanted):
        self.path = os.path.join(box, "tried")
        self.wanted = wanted
        with open(self.path, "w") as file:
            file.writelines(f"{access} {path}\n" for access, path in wanted)
        self.env = preloaded("try_outside.so", WORMHOLE_LAB_TRIED=self.path)

    def results(self):
        with open(self.path) as file:
            lines = file.read().splitlines()
        assert len(lines) == 2 * len(self.wanted), "it was not tried"
        return lines[len(self.wanted):]


def test_a_host_that_was_taken_over_reads_what_it_shares_only(box, landlock):
    trees.write(at(box, "source", "file"), b"shared")
    trees.write(at(box, "secret"), b"not shared")
    smuggled = Smuggled(box, ("read", f"{box}/source/file"), ("write", f"{box}/source/file"),
                        ("write", f"{box}/source/new"), ("read", f"{box}/secret"),
                        ("read", f"{box}/source/../secret"), ("write", f"{box}/new"),
                        ("read", "/etc/hosts"), ("write", "/etc/passwd"),
                        ("write", "/dev/tty"), ("read", "/etc/passwd"),
                        ("read", "/proc/sys/kernel/random/boot_id"))
    with Share(box, at(box, "source"), env=smuggled.env) as share:
        get(box, share.target, dest(box)).expect(SUCCESS)
    # Last, what names its users, and this machine.
    assert smuggled.results() == ["open"] + 8 * ["EACCES"] + 2 * ["open"]


@pytest.mark.parametrize("destination", ["dest", "not/there/yet", None])
def test_a_guest_that_was_taken_over_writes_to_its_destination_only(box, landlock, destination):
    trees.write(at(box, "source", "file"), b"shared")
    trees.write(at(box, "precious"), b"precious")
    trees.write(at(box, "here", "dest", "before"), b"there")
    here = os.path.join(box, "here")
    inside = f"{here}/dest/new" if destination == "dest" else f"{here}/new"
    smuggled = Smuggled(box, ("write", inside), ("write", f"{box}/precious"),
                        ("write", f"{here}/../new"), ("write", "/etc/passwd"),
                        ("read", f"{box}/precious"))
    arguments = [] if destination is None else [destination]
    with Share(box, at(box, "source")) as share:
        get(box, share.target, *arguments, cwd=here, env=smuggled.env).expect(SUCCESS)
    assert smuggled.results() == ["open"] + 3 * ["EACCES"] + ["open"]
    assert trees.read(os.path.join(here, destination or "source", "file")) == b"shared"


@pytest.mark.parametrize("extra", [[], ["--overwrite"]], ids=["plain", "overwrite"])
def test_a_link_where_a_directory_goes_is_not_followed(box, elsewhere, extra):
    trees.write(at(box, "source", "d", "precious"), b"attack")
    trees.write(at(box, "source", "d", "new"), b"attack")
    trees.write(at(box, "source", "rest"), b"rest")
    os.mkdir(dest(box))
    os.symlink(elsewhere, at(box, "dest", "d"))
    with Share(box, at(box, "source")) as share:
        done = get(box, share.target, dest(box), *extra)
    assert done.status in ((SUCCESS, PARTIAL) if extra else (PARTIAL,)), done.stderr
    assert trees.read(at(box, "dest", "rest")) == b"rest"


@pytest.mark.parametrize("extra", [[], ["--overwrite"]], ids=["plain", "overwrite"])
def test_a_link_where_a_file_goes_is_not_written_through(box, elsewhere, extra):
    trees.write(at(box, "source", "precious"), b"attack")
    os.mkdir(dest(box))
    os.symlink(os.path.join(elsewhere, b"precious"), at(box, "dest", "precious"))
    with Share(box, at(box, "source")) as share:
        done = get(box, share.target, dest(box), *extra)
    if extra:
        done.expect(SUCCESS)
        assert trees.describe(at(box, "dest", "precious")) == trees.describe(
            at(box, "source", "precious"))
    else:
        done.expect(PARTIAL)
        assert os.path.islink(at(box, "dest", "precious"))


def test_an_equal_file_behind_a_link_is_still_not_ours(box, elsewhere):
    trees.write(at(box, "source", "precious"), b"precious", mtime_ns=10**18)
    os.mkdir(dest(box))
    os.symlink(os.path.join(elsewhere, b"precious"), at(box, "dest", "precious"))
    with Share(box, at(box, "source")) as share:
        get(box, share.target, dest(box)).expect(PARTIAL)
    assert os.path.islink(at(box, "dest", "precious"))


def test_the_destination_itself_may_be_a_link_of_the_users(box):
    """What the user names is the user's to name."""
    trees.write(at(box, "source", "f"), b"content")
    os.mkdir(at(box, "real"))
    os.symlink("real", at(box, "dest"))
    with Share(box, at(box, "source")) as share:
        get(box, share.target, dest(box)).expect(SUCCESS)
    assert trees.read(at(box, "real", "f")) == b"content"


def test_a_fifo_in_the_way_does_not_block(box):
    trees.write(at(box, "source", "f"), b"content")
    trees.write(at(box, "source", "rest"), b"rest")
    os.mkdir(dest(box))
    os.mkfifo(at(box, "dest", "f"))
    with Share(box, at(box, "source")) as share:
        get(box, share.target, dest(box)).expect(PARTIAL)
    assert trees.read(at(box, "dest", "rest")) == b"rest"
    assert trees.describe(at(box, "dest", "f"))[0] == "special"


def test_a_directory_without_permissions_in_the_way(box):
    trees.write(at(box, "source", "d", "f"), b"content")
    os.makedirs(at(box, "dest", "d"))
    os.chmod(at(box, "dest", "d"), 0)
    with Share(box, at(box, "source")) as share:
        done = get(box, share.target, dest(box))
    if os.geteuid() == 0:
        done.expect(SUCCESS)
        trees.assert_same(at(box, "source", "d"), at(box, "dest", "d"))
    else:
        assert done.status not in (SUCCESS, -6, -11)


def partial_of_an_interrupted_get(box, share):
    """The name under which the single file of the share is being received."""
    with Gate(share.port, hold_after=5_000_000) as gate:
        running = start_get(box, gate.target, dest(box), "--streams", "1")
        gate.wait_held(DEADLINE_SECONDS)
        found = wait_until(lambda: trees.partials(dest(box)), "a partial file")
        running.kill()
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("plant", ["link to a file", "dangling link", "link to a directory",
                                   "directory", "fifo", "hard link"])
def test_a_planted_partial(box, elsewhere, plant):
    trees.write(at(box, "source", "large"), trees.random_bytes(30_000_000, 1))
    with Share(box, at(box, "source")) as share:
        partial = partial_of_an_interrupted_get(box, share)
        os.unlink(partial)
        if plant == "link to a file":
            os.symlink(os.path.join(elsewhere, b"precious"), partial)
        elif plant == "dangling link":
            os.symlink(os.path.join(elsewhere, b"created"), partial)
        elif plant == "link to a directory":
            os.symlink(elsewhere, partial)
        elif plant == "directory":
            os.mkdir(partial)
        elif plant == "fifo":
            os.mkfifo(partial)
        else:
            os.link(os.path.join(elsewhere, b"precious"), partial)
        done = get(box, share.target, dest(box))
        assert done.status not in (-6, -11), done.stderr
        if done.status == SUCCESS:
            assert trees.read(at(box, "dest", "large")) == trees.random_bytes(30_000_000, 1)
        else:
            assert not os.path.exists(at(box, "dest", "large"))
        if plant == "hard link":
            assert os.stat(os.path.join(elsewhere, b"precious")).st_size == len(b"precious")


def test_somebody_elses_partial_is_not_continued(box, root):
    trees.write(at(box, "source", "large"), trees.random_bytes(30_000_000, 2))
    with Share(box, at(box, "source")) as share:
        partial = partial_of_an_interrupted_get(box, share)
        os.chown(partial, 12345, 12345)
        os.chmod(partial, 0o666)
        done = get(box, share.target, dest(box))
    if done.status == SUCCESS:
        trees.assert_same(at(box, "source"), at(box, "dest"))
        assert os.stat(at(box, "dest", "large")).st_uid == os.geteuid()
    else:
        assert not os.path.exists(at(box, "dest", "large"))


def test_shared_names_that_look_like_partials(box):
    trees.write(at(box, "source", ".wormhole-0123456789abcdef"), b"a user's own file")
    trees.write(at(box, "source", "f"), b"content")
    with Share(box, at(box, "source")) as share:
        done = get(box, share.target, dest(box))
    # Either way is safe; silence is not.
    if done.status == SUCCESS:
        trees.assert_same(at(box, "source"), at(box, "dest"))
    else:
        done.expect(PARTIAL)
        assert ".wormhole-" in list(done.failed())[0]
    assert trees.read(at(box, "dest", "f")) == b"content"


class Trickle:
    """Many connections that each send a byte now and then, and never finish anything."""

    def __init__(self, port, count):
        self._stop = threading.Event()
        self._selector = selectors.DefaultSelector()
        self._connections = []
        for _ in range(count):
            connection = socket.socket()
            connection.setblocking(False)
            connection.connect_ex(("127.0.0.1", port))
            self._connections.append(connection)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        # The length of a plausible frame, then one byte at a time.
        position = 0
        hello = b"\x16\x03\x01\x02\x00" + bytes(1000)
        while not self._stop.wait(0.2):
            for connection in self._connections:
                try:
                    connection.send(hello[position:position + 1])
                except OSError:
                    pass
            position = (position + 1) % len(hello)

    def open_count(self):
        return sum(is_open(connection) for connection in self._connections)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exception):
        self._stop.set()
        self._thread.join()
        for connection in self._connections:
            connection.close()
        self._selector.close()


def test_a_thousand_trickling_connections_beside_a_get(box):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    source = trees.make_mixed(at(box, "source"), files=100)
    trees.write(at(box, "source", "large"), trees.random_bytes(50_000_000))
    try:
        with Share(box, source) as share, Trickle(share.port, 1000) as trickle:
            for number in range(3):
                get(box, share.target, os.path.join(box, f"dest{number}")).expect(SUCCESS)
            # None of them holds its place for good: the deadline is theirs to miss.
            wait_until(lambda: trickle.open_count() == 0, "the host to drop them")
            threads = len(os.listdir(f"/proc/{share.process.pid}/task"))
            descriptors = len(os.listdir(f"/proc/{share.process.pid}/fd"))
            assert threads < 200 and descriptors < 300
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for number in range(3):
        trees.assert_same(source, os.path.join(box, f"dest{number}"))


def test_noise_on_the_port(box):
    trees.write(at(box, "source", "f"), b"content")
    noises = [b"", b"\0", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100_000, os.urandom(3000),
              b"\x16\x03\x01\xff\xff" + bytes(70_000)]
    with Share(box, at(box, "source")) as share:
        for noise in noises * 3:
            with socket.create_connection(("127.0.0.1", share.port)) as connection:
                try:
                    connection.sendall(noise)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(4096):
                        pass
                except OSError:
                    pass
        get(box, share.target, dest(box)).expect(SUCCESS)


def test_a_silent_host_is_given_up(box):
    """The guest has a deadline of its own before authentication."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        running = start_get(box, f"127.0.0.1:{silent.getsockname()[1]}", dest(box))
        connection, _ = silent.accept()
        with connection:
            done = running.finish()
    done.expect(3)


def test_nothing_is_said_before_the_guest_spoke(box):
    """Nothing about the local network or the share goes to who merely connects."""
    trees.write(at(box, "source", "f"), b"content")
    with Share(box, at(box, "source")) as share:
        with socket.create_connection(("127.0.0.1", share.port)) as connection:
            connection.settimeout(DEADLINE_SECONDS)
            said = connection.recv(4096)  # until the host's deadline closes it
        assert len(said) < 64
        assert b"source" not in said and b"127.0.0.1" not in said


def test_the_machines_settings_of_openssl_are_not_ours(box):
    """They may leave out what TLS is made of here, or load somebody's code."""
    trees.write(at(box, "source", "file"), b"x")
    trees.write(at(box, "openssl.cnf"), b"""
openssl_conf = main
[main]
providers = providers
[providers]
base = base
[base]
activate = 1
""")
    env = {"OPENSSL_CONF": os.path.join(box, "openssl.cnf")}
    for number in range(5):  # several threads begin with it
        with Share(box, at(box, "source"), env=env) as share:
            get(box, share.target, dest(box) + str(number), env=env).expect(SUCCESS)


@pytest.mark.parametrize("verb", ["get", "put"])
def test_a_share_lives_on_where_no_thread_can_be_had(box, verb):
    """Whom it cannot serve it sends away; all others are served as before."""
    trees.write(at(box, "here", "source", "large"), os.urandom(3 << 20))
    trees.write(at(box, "source", "large"), trees.read(at(box, "here", "source", "large")))
    budget = os.path.join(box, "threads")
    trees.write(budget, bytes(1000))
    env = preloaded("refuse_threads.so", WORMHOLE_LAB_THREADS=budget)

    def attempt(share, number):
        if verb == "get":
            return get(box, share.target, dest(box) + number, "--streams", "3")
        return put(box, os.path.join(box, "source"), share.target + "/" + number, "--streams", "3",
                   "--overwrite")

    with Share(box, os.path.join(box, "here"), args=("--writable",), env=env) as share:
        outcomes = set()
        # Seven are enough for the session and its streams, whoever of them comes first.
        for left in (1, 2, 3, 4, 7):
            # What is there in another version is worked on by a thread more.
            trees.write(at(box, "here", str(left), "large"), os.urandom(3 << 20))
            os.truncate(budget, left)
            status = attempt(share, str(left)).status
            outcomes.add(status)
            assert left < 7 or status == SUCCESS
            assert share.process.poll() is None, share.stderr()
            os.truncate(budget, 1000)
            attempt(share, str(left)).expect(SUCCESS)
        assert SUCCESS in outcomes and len(outcomes) > 1, outcomes


@pytest.mark.parametrize("verb", ["get", "put"])
def test_a_guest_without_threads_says_so_or_goes_on_with_fewer(box, verb):
    trees.write(at(box, "source", "large"), os.urandom(12 << 20))
    budget = os.path.join(box, "threads")
    env = preloaded("refuse_threads.so", WORMHOLE_LAB_THREADS=budget)
    outcomes = []
    with Share(box, at(box, "source"), args=("--writable",)) as share:
        for left in range(12):
            trees.write(budget, bytes(left))
            to = dest(box) + str(left)
            done = (get(box, share.target, to, "--streams", "4", env=env) if verb == "get" else
                    put(box, at(box, "source", "large"), f"{share.target}/{left}", "--streams", "4",
                        env=env))
            assert done.status in (SUCCESS, 1), (left, done.stdout, done.stderr)
            outcomes.append(done.status)
            if done.status == SUCCESS and verb == "get":
                trees.assert_same(at(box, "source"), to)
            elif done.status != SUCCESS:
                assert b"thread" in done.stdout + done.stderr
    assert outcomes == sorted(outcomes, reverse=True), outcomes
    assert outcomes[-1] == SUCCESS and len(set(outcomes)) == 2
