"""Wide-area links: 100 Mbit/s, 50 ms round trip, without and with loss."""

from contest import rate
from processes import LabError
from rows.base import Row, judged, present
from rows.throughput import hold
from statistics_of import paired

MIB = 1 << 20
LINK_MEGABYTES = 12.5  # 100 Mbit/s
SIZES = (128 * MIB, 48 * MIB)
PEERS = ("scp", "rsyncd", "smb", "nfs", "gridftp", "http")
NOTE = ("No tool is told which congestion control to use: the kernel's default applies to all, {}. "
        "iperf3 sends the same number of bytes, so both sides pay for the start.")


def check_the_link(result):
    """The ratios mean nothing if the emulator is not the link it says it is."""
    carried = max(result.entries["iperf3"].measured(rate), default=0.0)
    if not 0.85 * LINK_MEGABYTES < carried < LINK_MEGABYTES:
        raise LabError(f"the link of {LINK_MEGABYTES} MB/s carries {carried:.1f} MB/s")


def contest(context, loss):
    with open("/proc/sys/net/ipv4/tcp_congestion_control") as text:
        note = NOTE.format(text.read().strip())
    link = {"rate": "100mbit", "rtt": "50ms", "loss": loss, "seed": 7}
    return hold(context, link, SIZES[context.quick],
                ("iperf3", "wormhole", *(() if context.quick else PEERS)),
                context.runs(full=5, quick=2), disk="tmpfs"), note


def clean(context):
    result, note = contest(context, "0")
    check_the_link(result)
    return judged(result, rate, "wormhole", ("iperf3",), paired, notes=[note])


def lossy(context):
    result, note = contest(context, "1%")
    return judged(result, rate, "wormhole", (),
                  lambda values: [value / LINK_MEGABYTES for value in present(values)],
                  notes=[note, "Each direction loses 1 % of its packets. The ratio is to the "
                               "link's nominal 12.5 MB/s, of which headers take 3.5 %."])


ROWS = [
    Row("wan-clean", "One file, 100 Mbit/s, 50 ms", promise="90-97 % of link",
        aim=">= 0.99 x limit", aim_value=0.99, floor="0.95 x limit", floor_value=0.95,
        measure=clean),
    Row("wan-lossy", "One file, 100 Mbit/s, 50 ms, 1 % loss", aim=">= 0.90 x link", aim_value=0.90,
        unit="x link", measure=lossy),
    Row("wan-lossy-cubic", "The same where the kernel's congestion control is cubic",
        aim=">= 0.90 x link", unit="x link",
        not_yet="the kernel's default cannot be set in a namespace, and Wormhole has no option "
                "for it: needs a kernel whose default is cubic"),
]
