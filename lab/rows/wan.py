"""Wide-area links: 100 Mbit/s, 50 ms round trip, without and with loss, steady and changing."""

from contest import MEGABYTE, rate
from course import rate_between
from peers import Iperf3
from processes import LabError
from rows.base import Row, judged, present
from rows.throughput import hold
from statistics_of import paired

MIB = 1 << 20
LINK = {"rate": "100mbit", "rtt": "50ms", "seed": 7}
LINK_MEGABYTES = 12.5  # 100 Mbit/s
SETTLED_SECONDS, END_SECONDS = 5, 0.5
CHANGES = ((0, "rate 100mbit"), (5, "rate 30mbit"), (11, "rate 100mbit"))
CHANGING_SIZE = 192 * MIB
FAT_STREAMS = 8  # of iperf3: one alone is held back by its window
SIZES = (128 * MIB, 48 * MIB)  # full, quick
# The ratio is to the link's nominal rate, and the start is in it: long enough to be about the rest.
LOSSY_SIZES = (256 * MIB, 48 * MIB)
PEERS = ("scp", "rsyncd", "smb", "nfs", "gridftp", "http")
NOTE = ("No tool is told which congestion control to use: the kernel's default applies to all, {}. "
        "iperf3 sends the same number of bytes, so both sides pay for the start.")


def check_the_link(result):
    """The ratios mean nothing if the emulator is not the link it says it is."""
    carried = max(result.entries["iperf3"].measured(rate), default=0.0)
    if not 0.85 * LINK_MEGABYTES < carried < LINK_MEGABYTES:
        raise LabError(f"the link of {LINK_MEGABYTES} MB/s carries {carried:.1f} MB/s")


class Iperf3Parallel(Iperf3):
    title = f"iperf3, {FAT_STREAMS} streams (limit)"

    def carry(self, size, streams=FAT_STREAMS):
        return super().carry(size, streams)


def contest(context, loss, sizes, cubic=False):
    """With nothing but cubic one stream carries 0.3 MB/s here: the others would take minutes."""
    with open("/proc/sys/net/ipv4/tcp_congestion_control") as text:
        note = NOTE.format("cubic" if cubic else text.read().strip())
    link = {**LINK, "loss": loss}
    return hold(context, link, sizes[context.quick],
                ("wormhole",) if cubic else
                ("iperf3", "wormhole", *(() if context.quick else PEERS)),
                context.runs(full=5, quick=2), disk="tmpfs", cubic=cubic), note


def clean_contest(context):
    """One contest, from which two rows are read."""
    def run():
        result, note = contest(context, "0", SIZES)
        check_the_link(result)
        return result, note
    return context.once("wan-clean", run)


def clean(context):
    result, note = clean_contest(context)
    return judged(result, rate, "wormhole", ("iperf3",), paired, notes=[note])


def settled_rate(sample):
    """On the wire, from five seconds after the start to half a second before the end."""
    reached = rate_between(sample.course, SETTLED_SECONDS, sample.seconds - END_SECONDS)
    return reached and reached / MEGABYTE


def settled(context):
    result, _ = clean_contest(context)
    return judged(result, settled_rate, "wormhole", ("iperf3",), paired,
                  notes=["Bytes on the wire, headers and all, so that both are counted alike."])


def changing(context):
    """The link is three times as slow for a while: both must follow, down and up."""
    result = hold(context, LINK, CHANGING_SIZE, ("iperf3", "wormhole"),
                  context.runs(full=5, quick=1), script=CHANGES, disk="tmpfs")
    return judged(result, rate, "wormhole", ("iperf3",), paired,
                  notes=["The link: " + ", ".join(f"{command} at {seconds} s"
                                                  for seconds, command in CHANGES)])


def lossy(context, cubic=False):
    result, note = contest(context, "1%", LOSSY_SIZES, cubic)
    return judged(result, rate, "wormhole", (),
                  lambda values: [value / LINK_MEGABYTES for value in present(values)],
                  notes=[note, "Each direction loses 1 % of its packets. The ratio is to the "
                               "link's nominal 12.5 MB/s, of which headers take 3.5 %."])


def fat(context):
    """A path whose bandwidth-delay product no single stream's window holds."""
    link = {"rate": "1gbit", "rtt": "100ms", "seed": 7}
    result = hold(context, link, 1024 * MIB, (Iperf3Parallel(), "wormhole", "rsyncd", "gridftp"),
                  context.runs(full=5, quick=1), disk="tmpfs")
    return judged(result, rate, "wormhole", ("iperf3",), paired)


ROWS = [
    Row("wan-clean", "One file, 100 Mbit/s, 50 ms", promise="90-97 % of link",
        aim=">= 0.97 x limit, its start included", aim_value=0.97, floor="0.95 x limit",
        floor_value=0.95, measure=clean),
    Row("wan-settled", "The same from 5 s after the start on", promise="90-97 % of link",
        aim=">= 0.99 x limit", aim_value=0.99, quick=False, measure=settled),
    Row("wan-changing", "The same while the link falls to 30 Mbit/s and rises again",
        aim=">= 0.95 x limit", aim_value=0.95, quick=False, measure=changing),
    Row("wan-lossy", "One file, 100 Mbit/s, 50 ms, 1 % loss", aim=">= 0.90 x link", aim_value=0.90,
        unit="x link", measure=lossy),
    Row("wan-lossy-cubic", "The same where the kernel's congestion control is cubic",
        aim=">= 0.90 x link",
        aim_value=0.90, unit="x link", quick=False,
        measure=lambda context: lossy(context, cubic=True)),
    Row("wan-fat", "One file of 1 GiB, 1 Gbit/s, 100 ms, against 8 streams of iperf3",
        aim=">= 0.90 x limit", aim_value=0.90, quick=False, measure=fat),
]
