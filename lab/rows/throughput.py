"""One large file over the LAN classes and the bare link."""

import data
from arena import arena
from contest import Contest, cpu_per_gigabyte_and_side, rate, server_cpu_per_gigabyte
from peers import Wormhole
from rows.base import Row, judged, present
from statistics_of import paired

MIB = 1 << 20
FILE = "large.bin"
LAN_PEERS = ("scp", "rsyncd", "smb", "nfs", "gridftp", "http")
# rate: (bytes in a full run, in a quick one); a quick one still lasts two seconds, so that the
# start does not weigh.
LAN_SIZES = {"1gbit": (1024 * MIB, 256 * MIB), "2.5gbit": (2048 * MIB, 512 * MIB),
             "10gbit": (4096 * MIB, 2048 * MIB)}
UNSHAPED_SIZES = (1024 * MIB, 512 * MIB)
SSH = ("scp", "sftp")
PLAINTEXT = ("smb", "nfs", "rsyncd")


class PlainWormhole(Wormhole):
    """Both ends ask for no encryption by name."""
    name = "wormhole-plain"
    title = "Wormhole, --encryption off"
    encrypted = False

    def __init__(self):
        super().__init__(["--encryption", "off"], ["--encryption", "off"])
        self.port += 1


def hold(context, link, size, contestants, rounds, script=(), is_cold=False, **options):
    with arena(context, link, size, **options) as place:
        data.write_file(f"{place.source}/{FILE}", size, seed=1)
        contest = Contest(context, place, FILE, size, script=script, is_cold=is_cold)
        return contest.add(*contestants).run(rounds)


def lan(context, link, **options):
    full, quick = LAN_SIZES[link]
    peers = () if context.quick else LAN_PEERS
    contest = hold(context, link, quick if context.quick else full,
                   ("iperf3", "wormhole", *peers), context.runs(full=5, quick=3), **options)
    return judged(contest, rate, "wormhole", ("iperf3",), paired)


def unshaped(context):
    """One contest, from which several rows are read."""
    def run():
        contestants = ["iperf3", "wormhole", *SSH]
        if not context.quick or context.asked("unshaped"):
            contestants += ["rsync-ssh", *PLAINTEXT, "http"]
        if not context.quick or context.asked("unshaped-plain", "cpu-plain-sender"):
            contestants += [PlainWormhole(), "gridftp"]
        return hold(context, None, UNSHAPED_SIZES[context.quick], contestants,
                    context.runs(full=9, quick=3))
    return context.once("unshaped", run)


def against(context, ours, names):
    return judged(unshaped(context), rate, ours, names, paired)


def cpu(context):
    return judged(unshaped(context), cpu_per_gigabyte_and_side, "wormhole", (), present,
                  "core-s/GB", ["Half of the whole machine's CPU time during the run, kernel "
                                "included, as both ends are on it."])


def cpu_of_plain_sender(context):
    return judged(unshaped(context), server_cpu_per_gigabyte, "wormhole-plain", (), present,
                  "core-s/GB", ["User and system time of the sharing process during the run; on a "
                                "bare link a part of the receiving kernel's work is done in it."])


def lan_row(name, link, promise, aim, floor):
    return Row(name, f"One file, {link[:-4]} Gbit/s, encrypted", promise=promise,
               aim=f">= {aim} x limit", aim_value=aim, floor=f"{floor} x limit", floor_value=floor,
               measure=lambda context: lan(context, link))


ROWS = [
    lan_row("lan-1g", "1gbit", "112-118 MB/s", 0.99, 0.97),
    lan_row("lan-2.5g", "2.5gbit", "280-295 MB/s", 0.99, 0.97),
    lan_row("lan-10g", "10gbit", "900-1,050 MB/s", 0.98, 0.90),
    Row("lan-10g-cold", "One file, 10 Gbit/s, encrypted, nothing of it in the page cache (both "
        "hosts have the same disk)", aim=">= 0.9 x limit", aim_value=0.9, quick=False,
        measure=lambda context: lan(context, "10gbit", source_disk="xfs", is_cold=True)),
    Row("unshaped-ssh", "One file, bare link, against the faster of scp and sftp",
        promise="2-3 x", aim=">= 4 x", aim_value=4.0, floor="3 x", floor_value=3.0,
        unit="x scp/sftp", measure=lambda context: against(context, "wormhole", SSH)),
    Row("unshaped", "One file, bare link, against the fastest of smbclient, nfs-cp, rsyncd "
        "(plaintext)", aim=">= 1.0 x", aim_value=1.0, unit="x peer", quick=False,
        measure=lambda context: against(context, "wormhole", PLAINTEXT)),
    Row("unshaped-plain", "One file, bare link, unencrypted, against GridFTP -p 4",
        aim=">= 1.0 x", aim_value=1.0, unit="x GridFTP", quick=False,
        measure=lambda context: against(context, "wormhole-plain", ("gridftp",))),
    Row("cpu", "CPU for one file over the bare link, encrypted", promise="< 0.5 % per 100 MB/s",
        aim="<= 0.6 core-s/GB", aim_value=0.6, unit="core-s/GB and side", lower_is_better=True,
        quick=False,  # means nothing on a machine that does something else as well
        measure=cpu),
    Row("cpu-plain-sender", "CPU of the sharing process, bare link, unencrypted",
        aim="<= 0.35 core-s/GB", aim_value=0.35, unit="core-s/GB", lower_is_better=True,
        quick=False, measure=cpu_of_plain_sender),
]
