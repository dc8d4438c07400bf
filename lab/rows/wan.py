"""Wide-area links: 100 Mbit/s, 50 ms round trip, without and with loss."""

from contest import rate
from peers import Iperf3
from processes import LabError
from rows.base import Row, judged, present
from rows.throughput import hold
from statistics_of import paired

MIB = 1 << 20
LINK_MEGABYTES = 12.5  # 100 Mbit/s
FAT_STREAMS = 8  # of iperf3: one alone is held back by its window
SIZES = (128 * MIB, 48 * MIB)
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


def contest(context, loss, cubic=False):
    """With nothing but cubic one stream carries 0.3 MB/s here: the others would take minutes."""
    with open("/proc/sys/net/ipv4/tcp_congestion_control") as text:
        note = NOTE.format("cubic" if cubic else text.read().strip())
    link = {"rate": "100mbit", "rtt": "50ms", "loss": loss, "seed": 7}
    return hold(context, link, SIZES[context.quick],
                ("wormhole",) if cubic else
                ("iperf3", "wormhole", *(() if context.quick else PEERS)),
                context.runs(full=5, quick=2), disk="tmpfs", cubic=cubic), note


def clean(context):
    result, note = contest(context, "0")
    check_the_link(result)
    return judged(result, rate, "wormhole", ("iperf3",), paired, notes=[note])


def lossy(context, cubic=False):
    result, note = contest(context, "1%", cubic)
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
        aim=">= 0.99 x limit", aim_value=0.99, floor="0.95 x limit", floor_value=0.95,
        measure=clean),
    Row("wan-lossy", "One file, 100 Mbit/s, 50 ms, 1 % loss", aim=">= 0.90 x link", aim_value=0.90,
        unit="x link", measure=lossy),
    Row("wan-lossy-cubic", "The same where the kernel's congestion control is cubic",
        aim=">= 0.90 x link",
        aim_value=0.90, unit="x link", quick=False,
        measure=lambda context: lossy(context, cubic=True)),
    Row("wan-fat", "One file of 1 GiB, 1 Gbit/s, 100 ms, against 8 streams of iperf3",
        aim=">= 0.90 x limit", aim_value=0.90, quick=False, measure=fat),
]
