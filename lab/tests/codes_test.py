"""The join code: where it comes from, where it must never be, and what a wrong one costs."""

import os
import pty
import re
import resource
import select
import signal
import stat
import termios

import pytest
import trees
from gate import Gate
from runner import (CODE, DEADLINE_SECONDS, LOCAL_IO, NOBODY, SUCCESS, USAGE, WRONG, WRONG_CODE,
                    Share, binary, command, environment, get, start_get, wait_until)

GENERATED = re.compile(r"^\d{4}-[a-z]+-[a-z]+-[a-z]+$")
WORDS = [word.encode() for word in CODE.split("-")[1:]]


@pytest.fixture
def source(box):
    path = os.path.join(box, "source")
    trees.write(os.path.join(path, "file"), b"content")
    return path


def dest(box):
    return os.path.join(box, "dest")


def test_a_code_is_made_and_works(box, source):
    with Share(box, source, code=None) as share:
        code = share.listening["code"]
        assert GENERATED.match(code)
        assert code not in share.listening["command"]
        get(box, share.target, dest(box), code=code).expect(SUCCESS)
    with Share(box, source, code=None) as other:
        assert other.listening["code"] != code


@pytest.mark.parametrize("typed", ["4821 marble anchor tulip", "4821-MARBLE-Anchor-tulip"])
def test_case_and_separators_do_not_matter(box, source, typed):
    with Share(box, source) as share:
        get(box, share.target, dest(box), code=typed).expect(SUCCESS)


@pytest.mark.parametrize("chosen", ["swordfish", "correct horse battery staple", "\u00e9t\u00e9"])
def test_any_words_may_be_chosen(box, source, chosen):
    with Share(box, source, code=chosen) as share:
        get(box, share.target, dest(box), code=chosen).expect(SUCCESS)


def test_by_argument(box, source):
    with Share(box, source) as share:
        get(box, share.target, dest(box), "--code", CODE, code=None).expect(SUCCESS)


def test_by_file(box, source):
    path = trees.write(os.path.join(box, "code"), CODE.encode() + b"\n", 0o600)
    with Share(box, source, code=None, args=["--code-file", path]) as share:
        assert share.listening["code"] == CODE
        get(box, share.target, dest(box), "--code-file", path, code=None).expect(SUCCESS)


def test_share_writes_a_missing_code_file_for_its_owner_alone(box, source):
    path = os.path.join(box, "code")
    before = os.umask(0)
    try:
        with Share(box, source, code=None, args=["--code-file", path]) as share:
            status = os.lstat(path)
            assert stat.S_IMODE(status.st_mode) == 0o600
            written = trees.read(path).decode().strip()
            assert written == share.listening["code"]
            assert GENERATED.match(written)
            get(box, share.target, dest(box), "--code-file", path, code=None).expect(SUCCESS)
        with Share(box, source, code=None, args=["--code-file", path]) as share:
            assert share.listening["code"] == written
    finally:
        os.umask(before)


def test_a_code_file_is_never_written_through_a_link(box, source):
    target = os.path.join(box, "target")
    link = os.path.join(box, "code")
    os.symlink(target, link)
    done = command(box, "share", source, "--listen", "127.0.0.1:0", "--code-file", link,
                   code=None)
    done.expect(LOCAL_IO)
    assert not os.path.exists(target)


def test_get_needs_its_code_file(box, source):
    with Share(box, source) as share:
        done = get(box, share.target, dest(box), "--code-file", os.path.join(box, "none"),
                   code=None)
    done.expect(LOCAL_IO)
    assert not os.path.exists(os.path.join(box, "none"))


def test_without_code_and_terminal(box, source):
    with Share(box, source) as share:
        done = get(box, share.target, dest(box), code=None).expect(USAGE)
    assert b"code" in done.stderr.lower()


class Typing:
    """A command on a terminal of its own."""

    def __init__(self, box, argv, code=None):
        self.shown = b""
        env = environment(box, "guest", code, {"TERM": "xterm"})
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.chdir(box)
            os.execve(binary(), [binary(), *argv], env)

    def wait_for(self, pattern):
        def seen():
            ready, _, _ = select.select([self._terminal], [], [], 0.05)
            if ready:
                try:
                    self.shown += os.read(self._terminal, 4096)
                except OSError:  # the other end is closed
                    return re.search(pattern, self.shown) or True
            return re.search(pattern, self.shown)

        wait_until(seen, f"{pattern!r} on the terminal")

    def echoes(self):
        return bool(termios.tcgetattr(self._terminal)[3] & termios.ECHO)

    def type(self, text):
        os.write(self._terminal, text)

    def finish(self):
        while True:
            try:
                data = os.read(self._terminal, 4096)
            except OSError:
                break
            if not data:
                break
            self.shown += data
        _, status = os.waitpid(self.pid, 0)
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(status)


def test_by_prompt_without_echo(box, source):
    with Share(box, source) as share:
        typing = Typing(box, ["get", share.target, dest(box)])
        typing.wait_for(rb"(?i)code")
        typing.type(CODE.encode() + b"\n")
        status = typing.finish()
        assert status == SUCCESS, typing.shown
    for word in WORDS:
        assert word not in typing.shown.lower()
    assert trees.read(os.path.join(dest(box), "file")) == b"content"


def test_ctrl_c_at_the_prompt(box, source):
    with Share(box, source) as share:
        typing = Typing(box, ["get", share.target, dest(box)])
        typing.wait_for(rb"(?i)code")
        typing.type(b"\x03")
        assert typing.finish() in (130, -signal.SIGINT)


def test_ctrl_c_when_the_code_is_asked_for_once_more(box, source):
    """Other threads stand by then: the signal is for the one that asks."""
    with Share(box, source) as share:
        typing = Typing(box, ["get", share.target, dest(box)])
        typing.wait_for(rb"(?i)code")
        typing.type(WRONG_CODE.encode() + b"\n")
        typing.wait_for(rb"(?is)code.*code[^\n]*: ?$")
        assert not typing.echoes()
        typing.type(b"\x03")
        wait_until(typing.echoes, "the echo is back")
        assert typing.finish() in (130, -signal.SIGINT)


def test_a_wrong_code(box, source):
    with Share(box, source) as share:
        done = get(box, share.target, dest(box), code=WRONG_CODE).expect(WRONG)
        assert not os.path.exists(os.path.join(dest(box), "file"))
        for word in WRONG_CODE.split("-")[1:]:
            assert word.encode() not in done.stdout + done.stderr
        get(box, share.target, dest(box)).expect(SUCCESS)


def test_another_channel_is_a_wrong_code(box, source):
    with Share(box, source) as share:
        get(box, share.target, dest(box), code="4822-marble-anchor-tulip").expect(WRONG)


def guess_until_retired(box, share):
    """Ten wrong codes, each from an address of its own, for an address waits after three."""
    for number in range(10):
        with Gate(share.port, source=f"127.0.0.{number + 10}") as gate:
            get(box, gate.target, dest(box), code=WRONG_CODE).expect(WRONG)


def test_ten_wrong_codes_retire_a_chosen_one_for_good(box, source):
    with Share(box, source) as share:
        guess_until_retired(box, share)
        wait_until(lambda: re.search(rb"(?i)retired|stopped|no longer", share.everything_said()),
                   "the share says that it no longer takes the code")
        with Gate(share.port, source="127.0.0.30") as gate:
            done = get(box, gate.target, dest(box))
        assert done.status not in (SUCCESS, -6, -11)
        assert not os.path.exists(os.path.join(dest(box), "file"))


def test_ten_wrong_codes_retire_one_that_was_made_for_a_file(box, source):
    """A new one would not be the one in the file, whose readers would use up its guesses."""
    path = os.path.join(box, "code")
    with Share(box, source, code=None, args=["--code-file", path]) as share:
        guess_until_retired(box, share)
        assert share.output.wait("code_retired")["code"] is None


def test_ten_wrong_codes_replace_a_made_one(box, source):
    with Share(box, source, code=None) as share:
        first = share.listening["code"]
        guess_until_retired(box, share)

        def codes():
            return [event["code"] for event in share.output.events
                    if GENERATED.match(str(event.get("code", ""))) and event["code"] != first]

        fresh = wait_until(codes, "a new code")[0]
        with Gate(share.port, source="127.0.0.30") as gate:
            assert get(box, gate.target, dest(box), code=first).status != SUCCESS
        with Gate(share.port, source="127.0.0.31") as gate:
            get(box, gate.target, dest(box), code=fresh).expect(SUCCESS)


def test_a_running_session_outlives_its_code(box):
    source = os.path.join(box, "source")
    trees.write(os.path.join(source, "large"), trees.random_bytes(60_000_000))
    with Share(box, source) as share, Gate(share.port, hold_after=4_000_000) as gate:
        running = start_get(box, gate.target, dest(box), "--streams", "1")
        gate.wait_held(DEADLINE_SECONDS)
        guess_until_retired(box, share)
        gate.release()
        running.finish().expect(SUCCESS)
    trees.assert_same(source, dest(box))


def secrets_of(pid):
    """What everybody who may look at the process can read of its arguments and surroundings."""
    found = b""
    for name in ("cmdline", "environ", "comm"):
        try:
            found += trees.read(f"/proc/{pid}/{name}").replace(b"\0", b" ") + b"\n"
        except PermissionError:
            pass
    return found


def children_of(pid):
    try:
        return trees.read(f"/proc/{pid}/task/{pid}/children").split()
    except OSError:
        return []


@pytest.mark.parametrize("way", ["environment", "argument"])
def test_the_code_is_in_no_cmdline_environ_or_log(box, way):
    source = os.path.join(box, "source")
    trees.write(os.path.join(source, "large"), trees.random_bytes(40_000_000))
    with Share(box, source, args=["-v"]) as share, \
            Gate(share.port, hold_after=2_000_000) as gate:
        if way == "environment":
            running = start_get(box, gate.target, dest(box), "-v")
        else:
            running = start_get(box, gate.target, dest(box), "-v", "--code", CODE, code=None)
        gate.wait_held(DEADLINE_SECONDS)
        exposed = secrets_of(running.process.pid) + secrets_of(share.process.pid)
        assert not children_of(running.process.pid)
        gate.release()
        done = running.finish().expect(SUCCESS)
        exposed += done.stdout + done.stderr + share.stderr()
    for word in WORDS:
        assert word not in exposed.lower()


def test_no_core_and_no_other_process_sees_the_memory(box, root):
    source = os.path.join(box, "source")
    trees.write(os.path.join(source, "large"), trees.random_bytes(40_000_000))
    with Share(box, source, nobody=True) as share, Gate(share.port, hold_after=2_000_000) as gate:
        os.mkdir(dest(box))
        os.chown(dest(box), NOBODY, NOBODY)
        running = start_get(box, gate.target, dest(box), nobody=True)
        gate.wait_held(DEADLINE_SECONDS)
        # The kernel gives /proc/PID/* of a process that is not dumpable to root.
        for pid in (running.process.pid, share.process.pid):
            assert os.stat(f"/proc/{pid}/environ").st_uid == 0
            assert trees.read(f"/proc/{pid}/status").find(b"\nUid:\t%d" % NOBODY) > 0
        gate.release()
        running.finish().expect(SUCCESS)


def test_a_crash_leaves_no_core_file(box, source):

    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    with Share(box, source) as share:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
        os.kill(share.process.pid, signal.SIGSEGV)
        share.process.wait(DEADLINE_SECONDS)
        status = share.process.returncode
        share.process.returncode = SUCCESS  # this end was asked for
    assert status == -signal.SIGSEGV or status > 0
    assert not [name for name in os.listdir(box) if name.startswith("core")]


def test_nothing_of_ours_is_readable_on_the_wire(box):
    source = os.path.join(box, "source")
    marker = b"marker-that-is-easy-to-find"
    trees.write(os.path.join(source, "name-that-is-easy-to-find"), marker * 10_000)
    with Share(box, source) as share, Gate(share.port, record=True) as gate:
        # Compressed it would not be readable either, whatever the cipher does.
        get(box, gate.target, dest(box), "--compression", "off").expect(SUCCESS)
    assert len(gate.seen) > 10_000 * len(marker)
    for secret in (marker, b"name-that-is-easy", b"marble", b"anchor", b"tulip"):
        assert secret not in gate.seen


@pytest.mark.parametrize("host,guest", [(True, False), (False, True), (True, True)],
                         ids=["host alone", "guest alone", "both"])
def test_unencrypted_only_when_both_ask(box, host, guest):
    source = os.path.join(box, "source")
    marker = b"marker-that-is-easy-to-find"
    trees.write(os.path.join(source, "name-that-is-easy-to-find"), marker * 500_000)
    trees.make_mixed(os.path.join(source, "more"), seed=9)
    off = ["--encryption", "off"]
    with Share(box, source, args=off if host else []) as share, \
            Gate(share.port, record=True) as gate:
        done = get(box, gate.target, dest(box), "--compression", "off", *(off if guest else []))
    if host and guest:
        done.expect(SUCCESS)
        assert marker in gate.seen, done.summary
    else:
        assert marker not in gate.seen
        done.expect(SUCCESS)
    assert done.summary["encrypted"] != (host and guest)
    # Headers and control stay sealed in any case.
    assert b"name-that-is-easy" not in gate.seen
    if done.status == SUCCESS:
        trees.assert_same(source, dest(box))


def test_an_unencrypted_flipped_bit_never_lands(box):
    """Covered bit by bit by the session's unit tests; here once through the whole program: a relay
    that damages what it carries ends in an error or another attempt, never in a wrong file."""
    source = os.path.join(box, "source")
    trees.write(os.path.join(source, "large"), trees.random_bytes(20_000_000))

    class Damaging(Gate):
        def _must_hold(self):
            return False

        def _relay(self, one, other, from_host):
            try:
                while data := one.recv(65536):
                    if from_host and self.to_guest < 9_000_000 <= self.to_guest + len(data):
                        data = bytearray(data)
                        data[len(data) // 2] ^= 1
                    self.to_guest += len(data)
                    other.sendall(data)
                other.shutdown(1)
            except OSError:
                self._end(one, other)

    for off in ([], ["--encryption", "off"]):
        with Share(box, source, args=off) as share, Damaging(share.port) as gate:
            done = get(box, gate.target, dest(box), *off, "--streams", "1")
        if done.status == SUCCESS:  # the range came once more, or all that was missing did
            assert off or any(event["event"] == "retrying" for event in done.events)
            trees.assert_same(source, dest(box))
        else:  # it was a frame's header
            assert not os.path.exists(os.path.join(dest(box), "large"))
            assert done.status not in (-6, -11)
