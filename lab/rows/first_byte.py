"""How soon the first byte of a file is there, beyond the round trips that it takes."""

import json
from statistics import median

import data
import measure
from arena import arena
from contest import Contest
from peers import Wormhole
from peers.wormhole import CODE
from processes import LabError
from rows.base import Outcome, Row, judged

SIZE = 64 << 10
FILE = "small.bin"
WAN = {"rate": "100mbit", "rtt": "50ms"}
COLD_ROUND_TRIPS = 4  # TCP, key exchange, TLS, request
PROBE = "lab/first_byte_probe"
NOTE = "lab/note_connect.so"


class NotedWormhole(Wormhole):
    """Says when it began to connect, which NOTE writes to `note`, and the round trip just after."""

    def __init__(self, place, note):
        super().__init__()
        self.place, self.note = place, note

    def finish(self, sample):
        super().finish(sample)
        with open(self.note) as text:
            sample.extra["start_ms"] = 1000 * (float(text.read()) - sample.extra["began"])
        sample.extra["round_trip_ms"] = round_trip_ms(self.place)


def first_byte_ms(sample):
    """From our starting the process. The program counts from when it begins to connect; what came
    before is put on top."""
    return sample.extra["start_ms"] + float(sample.extra["summary"]["first_byte_ms"])


def round_trip_ms(place):
    """The median of five pings. Asked anew beside each measurement: on a busy machine the link's
    own delay is not the same a second later."""
    shown = place.client.run(["ping", "-c5", "-i0.05", place.server.address]).stdout
    times = sorted(float(line.split("time=")[1].split()[0]) for line in shown.splitlines()
                   if "time=" in line)
    return times[len(times) // 2]


def beyond_cold(sample):
    return first_byte_ms(sample) - COLD_ROUND_TRIPS * sample.extra["round_trip_ms"]


def rtt(values):
    return f"RTT {median(values):.2f} ms"


def timeline(shown):
    """Where the time of a cold start goes, as the library counts it."""
    def middle(name):
        return median(one[name] for one in shown)
    connect, exchange, tls = middle("connect_ms"), middle("key_exchange_ms"), middle("tls_ms")
    return (f"A cold start by the same probe, ms: connect {connect:.2f}, key exchange "
            f"{exchange:.2f}, TLS {tls:.2f}, request to first byte "
            f"{middle('cold_ms') - connect - exchange - tls:.2f}; {middle('cold_ms'):.2f} in all.")


def cold(context, link):
    """From the start of the process, with nothing but the code."""
    with arena(context, link, SIZE, disk="tmpfs") as place:
        data.write_file(f"{place.source}/{FILE}", SIZE, seed=1)
        preload = context.build_file(NOTE)
        if not preload:
            raise LabError(f"{NOTE} is not built")
        peer = NotedWormhole(place, place.client.path("connect"))
        place.client.preload = preload
        place.client.extra_environment = {"WORMHOLE_LAB_CONNECT": peer.note}
        contest = Contest(context, place, FILE, SIZE, carries_first=True).add(peer).run(
            context.runs(full=20, quick=7))
    ours = contest.entries["wormhole"]
    outcome = judged(contest, first_byte_ms, "wormhole", (),
                     lambda _: ours.measured(beyond_cold), "ms")
    samples = [sample for sample in ours.samples if sample]
    if not samples:
        return outcome
    outcome.limit = rtt([sample.extra["round_trip_ms"] for sample in samples])
    outcome.notes.append("Before it connects, of that: " + ", ".join(
        f"{sample.extra['start_ms']:.1f}" for sample in samples) + " ms.")
    return outcome


def warm(context, link):
    """A further Get on an open session, by the library's probe."""
    probe = context.build_file(PROBE)
    if not probe:
        raise LabError(f"{PROBE} is not built")
    with arena(context, link, SIZE, disk="tmpfs") as place:
        data.write_file(f"{place.source}/{FILE}", SIZE, seed=1)
        peer = Wormhole()
        peer.start(place.server, place.source)
        try:
            shown = [_probe(place, peer, probe) for _ in range(context.runs(full=20, quick=7))]
        finally:
            peer.stop()
    report = {"name": "wormhole", "title": "Wormhole (library probe)", "encrypted": True,
              "error": "", "values": [one["warm_ms"] for one in shown], "samples": shown}
    return Outcome([one["warm_ms"] - one["round_trip_ms"] for one in shown], [report],
                   contestants_unit="ms", limit=rtt([one["round_trip_ms"] for one in shown]),
                   notes=[timeline(shown)])


def _probe(place, peer, probe):
    """One cold start and one Get after it; the probe's own JSON line, and the round trip."""
    round_trip = round_trip_ms(place)
    sample = measure.timed(place.client, [probe, peer.host.address, peer.port, 1],
                           {"WORMHOLE_CODE": CODE}, peer.server_pid)
    return {**json.loads(sample.extra["stdout"].splitlines()[-1]), "round_trip_ms": round_trip}


def row(name, title, measure_row, link, **targets):
    round_trips = "4 RTT" if measure_row is cold else "RTT"
    return Row(name, title, unit=f"ms past {round_trips}", lower_is_better=True,
               aim=f"<= {round_trips} + {targets['aim_value']:.0f} ms",
               measure=lambda context: measure_row(context, link), **targets)


# A run fails where a further round trip would be taken, or 100 ms for nothing.
ROWS = [
    row("first-byte-cold", "First byte on the LAN, from the start of `get`", cold, None,
        promise="< 50 ms", aim_value=10.0, floor="< 50 ms", floor_value=50.0),
    row("first-byte-warm", "First byte on the LAN, on an open session", warm, None,
        promise="< 50 ms", aim_value=2.0, floor="< 5 ms", floor_value=5.0),
    row("first-byte-cold-wan", "First byte at 50 ms RTT, from the start of `get`", cold, WAN,
        promise="~RTT", aim_value=10.0, floor="<= 4 RTT + 20 ms", floor_value=20.0, fails_value=100.0),
    row("first-byte-warm-wan", "First byte at 50 ms RTT, on an open session", warm, WAN,
        promise="~RTT", aim_value=2.0, fails_value=40.0),
]
