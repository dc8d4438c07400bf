"""Starting, watching and stopping processes. Nothing here knows of hosts or of measuring."""

import os
import select
import signal
import subprocess
import time

STOP_SECONDS = 5
START_SECONDS = 20


class LabError(Exception):
    """Something the lab needs does not work here; the text is for the user."""


def run(argv, check=True, **options):
    """Runs a short administrative command; its output is returned, its failure is a LabError."""
    done = subprocess.run([str(word) for word in argv], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, **options)
    if check and done.returncode != 0:
        raise LabError(f"{' '.join(map(str, argv))}: exit {done.returncode}: "
                       f"{(done.stderr or done.stdout).strip()[-400:]}")
    return done


def interruptible():
    """SIGTERM and SIGHUP unwind the stack like Ctrl-C, so that everything made is taken down."""
    def stop(number, _frame):
        raise SystemExit(128 + number)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)


def start(argv, **options):
    """Starts a process in a session of its own: a Ctrl-C reaches the lab alone, which then stops
    its processes in order."""
    return subprocess.Popen([str(word) for word in argv], start_new_session=True, **options)


def wait_exit(process, seconds, tick=None, tick_seconds=0.05):
    """Waits for the end of a process without delay (a pidfd, no polling of its state); calls
    tick() meanwhile. Returns False when the time is over."""
    deadline = time.monotonic() + seconds
    descriptor = os.pidfd_open(process.pid)
    try:
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            ready, _, _ = select.select([descriptor], [], [], min(left, tick_seconds))
            if ready:
                process.wait()
                return True
            if tick:
                tick()
    finally:
        os.close(descriptor)


def stop(process, first=signal.SIGTERM):
    """Ends a process and the group it leads."""
    if process is None:
        return
    for number in (first, signal.SIGKILL):
        if process.poll() is None:
            try:
                os.killpg(process.pid, number)
            except ProcessLookupError:
                pass
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        break
    try:  # children that outlived their leader
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()


def wait_until(condition, what, process=None, log=None, seconds=START_SECONDS):
    """Waits for condition(); a process that ends first, or the time, is a LabError with its log."""
    deadline = time.monotonic() + seconds
    while not condition():
        ended = process is not None and process.poll() is not None
        if ended or time.monotonic() > deadline:
            tail = ""
            if log and os.path.exists(log):
                with open(log, errors="replace") as text:
                    tail = ": " + " | ".join(text.read().splitlines()[-4:])
            why = f"ended with {process.returncode}" if ended else f"not within {seconds} s"
            raise LabError(f"{what}: {why}{tail}")
        time.sleep(0.02)


def descendants(pid):
    """The process and all below it."""
    found = [pid]
    for parent in found:
        try:
            threads = os.listdir(f"/proc/{parent}/task")
        except OSError:
            continue
        for thread in threads:
            try:
                with open(f"/proc/{parent}/task/{thread}/children") as text:
                    found.extend(int(child) for child in text.read().split())
            except OSError:
                pass
    return found


def program_of(pid):
    try:
        with open(f"/proc/{pid}/comm") as text:
            return text.read().strip()
    except OSError:
        return None


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
