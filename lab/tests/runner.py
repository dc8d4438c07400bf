"""Starts the real binary, as host and as guest, and reads what it says.

Everything waits for a condition with one generous deadline: a slow machine makes a test slow,
never red.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

DEADLINE_SECONDS = 300
CODE = "4821-marble-anchor-tulip"
WRONG_CODE = "4821-marble-anchor-walnut"
NOBODY = 65534

# docs/exit-codes.md
SUCCESS, USAGE, NO_CONNECTION, WRONG, PARTIAL, LOCAL_IO, UNSAFE, INTERRUPTED = (
    0, 2, 3, 4, 5, 6, 7, 130)


def _documented_events():
    """{(event, verb or "all"): fields} of docs/json.md, and the codes it names."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/json.md")
    with open(path) as page:
        text = page.read()
    events = {}
    for event, verbs, fields in re.findall(r"^\| `(\w+)` \| ([a-z, ]+) \| (.*) \|$", text, re.M):
        # What stands in brackets explains; a name there is a value.
        names = set(re.findall(r"`(\w+)`", re.sub(r"\([^()]*\)", "", fields)))
        for verb in verbs.split(", "):
            events.setdefault((event, verb), set()).update(names)
    codes = set(re.findall(r"`(\w+)`", re.search(r"is one of: (.*?)\. Branch", text)[1]))
    return events, codes


DOCUMENTED_EVENTS, DOCUMENTED_CODES = _documented_events()


def check_documented(verb, event):
    """Every object of every test is as docs/json.md says: its event is there, and each field."""
    name = event["event"]
    fields = DOCUMENTED_EVENTS.get((name, verb), set()) | DOCUMENTED_EVENTS.get((name, "all"), set())
    given = {field.removesuffix("_base64") for field in event} - {"event"}
    assert fields, f"docs/json.md has no event {name!r} of {verb}"
    assert given <= fields, f"docs/json.md does not name {given - fields} of {name!r} ({verb})"
    missing = fields - given - {"reason", "target"}
    assert not missing, f"{name!r} of {verb} lacks {missing}: {event}"
    if name in ("failed", "error"):
        assert event["code"] in DOCUMENTED_CODES, event


def binary():
    path = os.environ.get("WORMHOLE_BIN")
    if not path:
        raise RuntimeError("set WORMHOLE_BIN to the binary under test (ctest does)")
    return os.path.abspath(path)


def is_sanitized():
    """The binary carries a sanitizer's runtime."""
    with open(binary(), "rb") as program:
        text = program.read()
    return b"__asan_init" in text or b"__tsan_init" in text


def lab_file(name):
    """A helper that was built with the binary under test."""
    return os.path.normpath(os.path.join(os.path.dirname(binary()), "../../lab", name))


def preloaded(*names, **environment):
    """The environment that puts these helpers into the binary under test."""
    if is_sanitized():
        pytest.skip("a sanitizer wants to be loaded first")
    return {"LD_PRELOAD": ":".join(map(lab_file, names)), **environment}


def wait_until(condition, what, seconds=DEADLINE_SECONDS):
    """Polls; returns the first true value of condition()."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.002)


def environment(box, side, code=None, extra=None):
    """A small one, with an index and a home of its own for each side."""
    home = os.path.join(box, f"home-{side}")
    os.makedirs(home, exist_ok=True)
    with contextlib.suppress(PermissionError):
        os.chmod(home, 0o777)
    kept = {name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}
    result = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LANG": "C.UTF-8", "HOME": home,
              "XDG_CACHE_HOME": os.path.join(home, "cache"), **kept}
    if code is not None:
        result["WORMHOLE_CODE"] = code
    result.update(extra or {})
    return result


def as_nobody(argv, env):
    """The command as an ordinary user, who cannot be stopped by ptrace when not dumpable."""
    for name in ("ASAN_OPTIONS", "LSAN_OPTIONS"):
        env[name] = (env[name] + ":" if name in env else "") + "detect_leaks=0"
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *argv]


def binary_for_nobody(box):
    """A copy where an ordinary user can reach it."""
    copy = os.path.join(box, "wormhole")
    if not os.path.exists(copy):
        shutil.copy(binary(), copy)
    return copy


class Events:
    """The JSON objects a process prints, one a line, collected as they come."""

    def __init__(self, stream):
        self.lines = []
        self.events = []
        self.errors = []
        self.ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream):
        for line in stream:
            with self._changed:
                self.lines.append(line)
                try:
                    event = json.loads(line)
                    assert isinstance(event, dict) and "event" in event
                    self.events.append(event)
                except (ValueError, AssertionError):
                    self.errors.append(line)
                self._changed.notify_all()
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def wait(self, name, count=1, **fields):
        """The count-th event of that name (and with those fields)."""

        def found():
            return [event for event in self.events if event["event"] == name
                    and all(event.get(key) == value for key, value in fields.items())]

        with self._changed:
            self._changed.wait_for(lambda: len(found()) >= count or self.ended, DEADLINE_SECONDS)
            matching = found()
        if len(matching) < count:
            raise AssertionError(f"no {count} events {name!r} {fields} in {self.lines[-20:]}")
        return matching[count - 1]

    def named(self, name):
        return [event for event in self.events if event["event"] == name]

    def join(self):
        self._thread.join(DEADLINE_SECONDS)


class Share:
    """`wormhole share ... --json` as a context; listens when entered."""

    def __init__(self, box, *paths, code=CODE, listen="127.0.0.1:0", args=(), env=None,
                 nobody=False, cwd=None, stderr_name="share.stderr"):
        self._box = box
        self._nobody = nobody
        program = binary_for_nobody(box) if nobody else binary()
        self._argv = [program, "share", *paths, "--json", *args]
        if listen is not None:
            self._argv += ["--listen", listen]
        self._env = environment(box, "host", code, env)
        if nobody:
            self._argv = as_nobody(self._argv, self._env)
        self._cwd = cwd
        self._stderr_path = os.path.join(box, stderr_name)
        self.process = None

    def __enter__(self):
        with open(self._stderr_path, "wb") as stderr:
            self.process = subprocess.Popen(
                self._argv, env=self._env, cwd=self._cwd or self._box, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=stderr, start_new_session=True)
        self.output = Events(self.process.stdout)
        try:
            self.listening = self.output.wait("listening")
        except AssertionError as error:
            self.__exit__(None, None, None)
            raise AssertionError(f"{error}; stderr: {self.stderr()!r}") from None
        # The addresses are what guests may use; the last field of each is the port.
        self.port = int(self.listening["addresses"][0].rsplit(":", 1)[1])
        self.target = f"127.0.0.1:{self.port}"
        return self

    def stderr(self):
        with open(self._stderr_path, "rb") as stream:
            return stream.read()

    def everything_said(self):
        return b"".join(self.output.lines) + self.stderr()

    def interrupt(self):
        """Ctrl-C; the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.wait()

    def wait(self):
        status = self.process.wait(DEADLINE_SECONDS)
        self.output.join()
        return status

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __exit__(self, kind, _value, _trace):
        ended_by_itself = self.process.poll() is not None
        if not ended_by_itself:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                if kind is None:
                    raise AssertionError("the share did not end after Ctrl-C") from None
        self.output.join()
        self.process.stdout.close()
        # A crash or a sanitizer's finding must not hide behind a passing transfer.
        if kind is None:
            for event in self.output.events:
                check_documented("share", event)
        if kind is None and self.process.returncode not in (
                SUCCESS, INTERRUPTED, -signal.SIGKILL):
            raise AssertionError(
                f"share ended with {self.process.returncode}: {self.stderr()[-4000:]!r}")


class Done:
    """How a command ended."""

    def __init__(self, argv, status, stdout, stderr):
        self.argv, self.status, self.stdout, self.stderr = argv, status, stdout, stderr

    @property
    def events(self):
        events = [json.loads(line) for line in self.stdout.splitlines()]
        verb = next(word for word in self.argv if word in ("get", "put", "ls", "share", "cache"))
        for event in events:
            check_documented(verb, event)
        return events

    @property
    def summary(self):
        last = self.events[-1]
        assert last["event"] == "summary", last
        return last

    def failed(self):
        """{path: code} of everything reported as failed."""
        return {event["path"]: event["code"] for event in self.events
                if event["event"] == "failed"}

    def expect(self, status):
        assert self.status == status, (
            f"{self.argv}\nended with {self.status}, not {status}\n"
            f"stdout: {self.stdout[-3000:]!r}\nstderr: {self.stderr[-6000:]!r}")
        return self


class Command:
    """Any command of the binary, running."""

    def __init__(self, box, *argv, code=CODE, env=None, cwd=None, nobody=False, stdin=None):
        program = binary_for_nobody(box) if nobody else binary()
        self.argv = [program, *argv]
        surroundings = environment(box, "guest", code, env)
        if nobody:
            self.argv = as_nobody(self.argv, surroundings)
        self.process = subprocess.Popen(
            self.argv, env=surroundings, cwd=cwd or box,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)

    def finish(self):
        try:
            stdout, stderr = self.process.communicate(timeout=DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            stdout, stderr = self.process.communicate()
            raise AssertionError(f"{self.argv} did not end: {stdout!r} {stderr!r}") from None
        done = Done(self.argv, self.process.returncode, stdout, stderr)
        if "--json" in self.argv and self.process.returncode >= 0:
            assert isinstance(done.events, list)  # each object is documented
        return done

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.finish()

    def kill(self):
        self.process.kill()
        return self.finish()


def command(box, *argv, **options):
    return Command(box, *argv, **options).finish()


def start_get(box, target, *args, **options):
    return Command(box, "get", target, *args, "--json", **options)


def get(box, target, *args, **options):
    """`wormhole get TARGET ... --json`, to its end."""
    return start_get(box, target, *args, **options).finish()


def start_put(box, *args, **options):
    return Command(box, "put", *args, "--json", **options)


def put(box, *args, **options):
    """`wormhole put PATH... TARGET ... --json`, to its end."""
    return start_put(box, *args, **options).finish()
