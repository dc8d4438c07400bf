"""One measured run: wall time, CPU of the machine, peak memory of both ends, bytes on the wire."""

import mmap
import os
import signal
import time
from dataclasses import dataclass, field

import processes
from processes import LabError

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
RUN_SECONDS_MAX = 1800


@dataclass
class Sample:
    """What one run of one contestant showed. Sizes in bytes, times in seconds."""
    seconds: float
    bytes: int = 0
    files: int = 1
    wire_bytes: int = 0  # received by the fetching host
    cpu_seconds: float = 0.0  # both ends, kernel and all
    server_cpu_seconds: float = 0.0  # the serving process's own
    client_peak_bytes: int = 0
    server_peak_bytes: int = 0
    course: list = field(default_factory=list)  # (seconds, wire bytes so far), on slow links
    extra: dict = field(default_factory=dict)

    @property
    def rate(self):
        return self.bytes / self.seconds


def memory_bytes(field):
    """A field of /proc/meminfo."""
    with open("/proc/meminfo") as text:
        lines = dict(line.split(":") for line in text)
    return int(lines[field].split()[0]) * 1024


def warm_memory(size):
    """Touches so much free memory and gives it back. A virtual machine returns freed memory to its
    host within a second, and taking it again costs two seconds a gigabyte: without this, whoever
    runs after a slow contestant pays for it."""
    size = min(size, memory_bytes("MemFree") * 3 // 4)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
    if size > 0:
        mmap.mmap(-1, size, flags=flags).close()


def process_cpu_seconds(pid):
    """User and system time of a process and all below it."""
    ticks = 0
    for one in processes.descendants(pid):
        try:
            with open(f"/proc/{one}/stat") as text:
                fields = text.read().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS_PER_SECOND


def machine_ticks():
    """user, nice, system, idle, iowait, irq, softirq, steal: of all cores together."""
    with open("/proc/stat") as text:
        return [int(word) for word in text.readline().split()[1:9]]


def _busy(ticks):
    user, nice, system, _idle, _iowait, irq, softirq, _steal = ticks
    return user + nice + system + irq + softirq


def machine_cpu_seconds():
    """user + nice + system + irq + softirq of the whole machine: as both hosts are on it, the CPU
    of both ends, interrupts and kernel threads included. Right only if nothing else runs, which
    background_cores() checks."""
    return _busy(machine_ticks()) / TICKS_PER_SECOND


class StolenShare:
    """What the host of a virtual machine gives to others, of the time in which this one wanted to
    run. What is left is slower as well, as they share its caches."""

    def __init__(self):
        self._before = machine_ticks()

    def so_far(self):
        passed = [now - then for then, now in zip(self._before, machine_ticks())]
        steal = passed[-1]
        wanted = _busy(passed) + steal
        return steal / wanted if wanted else 0.0


def background_cores(seconds=0.5):
    """Cores that something else keeps busy just now."""
    before = machine_cpu_seconds()
    time.sleep(seconds)
    return (machine_cpu_seconds() - before) / seconds


def _peak_bytes(pid):
    """VmHWM of one process. (ru_maxrss will not do: it inherits the parent's peak.)"""
    try:
        with open(f"/proc/{pid}/status") as text:
            for line in text:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def reset_peak(pid):
    """A server's peak starts anew with each run."""
    for one in processes.descendants(pid):
        try:
            with open(f"/proc/{one}/clear_refs", "w") as file:
                file.write("5")
        except OSError:
            pass


class PeakMemory:
    """The largest sum of VmHWM over a process and all below it, seen so far."""

    def __init__(self, pid):
        self.pid, self.peak = pid, 0

    def look(self):
        if self.pid:
            self.peak = max(self.peak, sum(_peak_bytes(one)
                                           for one in processes.descendants(self.pid)))


def timed(client, argv, env=None, server_pid=None, server_log=None, other_cpu=None,
          seconds_max=RUN_SECONDS_MAX, stdout_path=None, on_tick=None):
    """Runs argv on the client host to its end. Its output is in Sample.extra["stdout"].
    other_cpu() gives the CPU of what is no part of the contestant, to be taken off; on_tick(seconds)
    is called some times a second meanwhile."""
    out = stdout_path or client.path("stdout")
    error = client.path("stderr")
    if server_pid:
        reset_peak(server_pid)
    wire_before = client.wire_bytes()
    other_before = other_cpu() if other_cpu else 0.0
    with open(out, "wb") as stdout, open(error, "wb") as stderr:
        server_before = process_cpu_seconds(server_pid) if server_pid else 0.0
        cpu_before = machine_cpu_seconds()
        began = time.monotonic()
        process = client.start(argv, env=env, stdin=-3, stdout=stdout, stderr=stderr)
        own, far = PeakMemory(process.pid), PeakMemory(server_pid)

        def look():
            own.look()
            far.look()
            if on_tick:
                on_tick(time.monotonic() - began)
        try:
            if not processes.wait_exit(process, seconds_max, look):
                raise LabError(f"{argv[0]}: not finished within {seconds_max} s")
            seconds = time.monotonic() - began
            cpu = machine_cpu_seconds() - cpu_before
            server_cpu = process_cpu_seconds(server_pid) - server_before if server_pid else 0.0
            own.look()  # a process that has ended but is not waited for has no memory any more
            far.look()
        finally:
            processes.stop(process, signal.SIGKILL)
    received = client.wire_bytes()[0] - wire_before[0]
    cpu -= (other_cpu() - other_before) if other_cpu else 0.0
    with open(out, errors="replace") as text:
        output = text.read()
    if process.returncode != 0:
        with open(error, errors="replace") as text:
            tail = " | ".join((text.read() or output).splitlines()[-3:])
        raise LabError(f"{argv[0]}: exit {process.returncode}: {tail[-400:]}")
    return Sample(seconds=seconds, wire_bytes=received, cpu_seconds=cpu,
                  server_cpu_seconds=server_cpu, client_peak_bytes=own.peak,
                  server_peak_bytes=far.peak, extra={"stdout": output, "began": began})


def strace(path):
    """Put before a command: counts its system calls, threads and children too, into `path`."""
    return ["strace", "--follow-forks", "--summary-only", "--summary-columns=calls,name",
            "--output", path]


def count_calls(path):
    """{name: calls} of a file that strace() wrote."""
    calls = {}
    with open(path) as text:
        for line in text:
            words = line.split()
            if len(words) == 2 and words[0].isdigit() and words[1] != "total":
                calls[words[1]] = int(words[0])
    return calls
