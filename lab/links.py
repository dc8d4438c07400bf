"""Links between hosts: LAN classes by veth and tbf, WAN by the TUN link emulator."""

import json
import os
import subprocess

import processes
from processes import LabError, run

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PREFIX_BITS = 24
# Up to 2.5 Gbit/s a small burst keeps the rate exact; at 10 Gbit/s it costs a few percent.
SMALL_BURST_UP_TO = 2.5e9
SMALL_BURST, LARGE_BURST = "256k", "4m"
QUEUE_LATENCY = "20ms"


def bits_per_second(rate):
    for unit, factor in (("gbit", 1e9), ("mbit", 1e6), ("kbit", 1e3)):
        if rate.endswith(unit):
            return float(rate[:-len(unit)]) * factor
    raise ValueError(f"not a rate: {rate}")


def _give_address(host, device):
    host.device = device
    run(["ip", "-n", host.namespace, "address", "add", f"{host.address}/{PREFIX_BITS}",
         "dev", device])
    run(["ip", "-n", host.namespace, "link", "set", device, "up"])


def lan(a, b, rate=None):
    """A veth pair, shaped at both ends; rate None leaves it bare."""
    run(["ip", "link", "add", "lan0", "netns", a.namespace, "type", "veth",
         "peer", "name", "lan0", "netns", b.namespace])
    for host in (a, b):
        _give_address(host, "lan0")
        if rate:
            burst = SMALL_BURST if bits_per_second(rate) <= SMALL_BURST_UP_TO else LARGE_BURST
            run(["tc", "-n", host.namespace, "qdisc", "add", "dev", "lan0", "root", "tbf",
                 "rate", rate, "burst", burst, "latency", QUEUE_LATENCY])
    wait_reachable(a, b)


def wait_reachable(a, b):
    processes.wait_until(
        lambda: b.run(["ping", "-c1", "-W1", a.address], check=False).returncode == 0,
        f"{b.name} reaches {a.name}")


def build_file(name, build=None):
    """A file of the build: in `build`, else where `make` builds what is measured (never what the
    sanitizers slow down)."""
    places = [build] if build else [f"{REPOSITORY}/build/release", f"{REPOSITORY}/build"]
    for place in places:
        path = os.path.join(place, name)
        if os.access(path, os.X_OK):
            return os.path.abspath(path)
    return None


class Wan:
    """Two TUN devices joined by the link emulator. A context manager; `lab.keep(Wan(...))`.

    The queue holds one bandwidth-delay product unless `queue_bytes` says otherwise; every packet
    of either direction is lost with probability `loss`."""

    def __init__(self, a, b, rate, rtt, loss="0", queue_bytes=0, seed=1, emulator=None):
        self.hosts = (a, b)
        self._settings = ["--rate", rate, "--rtt", rtt, "--loss", loss, "--seed", seed,
                          "--queue", queue_bytes]
        self._emulator = emulator or build_file("lab/link_emulator")
        self.process = None

    def __enter__(self):
        if not self._emulator:
            raise LabError("lab/link_emulator is not built (make)")
        if not os.path.exists("/dev/net/tun"):
            raise LabError("this kernel has no /dev/net/tun")
        a, b = self.hosts
        self.process = processes.start(
            [self._emulator, "--a", f"{a.namespace}:wan0", "--b", f"{b.namespace}:wan0",
             *self._settings], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self._event() != {"event": "ready"}:
            raise LabError("the link emulator did not start")
        for host in (a, b):
            _give_address(host, "wan0")
            # The emulator looks at the devices once a tick: bursts of that time must fit.
            run(["ip", "-n", host.namespace, "link", "set", "wan0", "txqueuelen", "10000"])
        wait_reachable(a, b)
        return self

    def __exit__(self, *_exception):
        processes.stop(self.process)

    def _event(self):
        line = self.process.stdout.readline()
        if not line:
            raise LabError("the link emulator ended")
        return json.loads(line)

    def command(self, line):
        """'rate 50mbit', 'rtt 20ms', 'loss 1%' or 'stats'; returns the emulator's answer."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self._event()
        if answer["event"] == "not understood":
            raise ValueError(line)
        return answer

    def cpu_seconds(self):
        """What the emulator itself has used: no part of any contestant."""
        with open(f"/proc/{self.process.pid}/stat") as text:
            fields = text.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def set_up(host, is_up):
    """Plugs the cable in or out."""
    run(["ip", "-n", host.namespace, "link", "set", host.device, "up" if is_up else "down"])
