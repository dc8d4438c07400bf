"""What compression wins where the link is slow, and that it costs nothing anywhere else."""

import data
from arena import arena
from contest import Contest, rate
from peers import Wormhole
from rows.base import Row, judged
from statistics_of import paired

MIB = 1 << 20
FILE, TREE = "data.bin", "tree"
TEXT_SIZES = (128 * MIB, 64 * MIB)
WIRE_SHARE = 50  # text does not get smaller than by this: less on the wire was no transfer
SLOW, FAST = "100mbit", "10gbit"
FAST_SIZE = 2048 * MIB


class Uncompressed(Wormhole):
    name = "wormhole-off"
    title = "Wormhole, --compression off"

    def __init__(self):
        super().__init__(["--compression", "off"])
        self.port += 1


def contest(context, link, make, size, rounds, tree=False, peers=()):
    """`make(source directory)` returns (what to fetch, its bytes, its files)."""
    with arena(context, link, size, disk="tmpfs") as place:
        remote, size, files = make(place.source)
        return Contest(context, place, remote, size, files, tree=tree,
                       wire_least=size // WIRE_SHARE).add(
                           "wormhole", Uncompressed(), *peers).run(rounds)


def compared(result, *notes):
    return judged(result, rate, "wormhole", ("wormhole-off",), paired, notes=notes)


def text(context):
    def make(source):
        return FILE, data.text_file(f"{source}/{FILE}", TEXT_SIZES[context.quick]), 1
    return compared(contest(context, SLOW, make, TEXT_SIZES[context.quick],
                            context.runs(full=5, quick=1),
                            peers=() if context.quick else ("scp", "rsyncd")),
                    "Source text of this machine, one file behind the other; peers as they are, "
                    "none told to compress.")


def source_tree(context):
    def make(source):
        size, files = data.text_tree(f"{source}/{TREE}", TEXT_SIZES[context.quick])
        return TREE, size, files
    return compared(contest(context, SLOW, make, TEXT_SIZES[context.quick],
                            context.runs(full=5, quick=1), tree=True))


def random_data(context, link, size):
    def make(source):
        data.write_file(f"{source}/{FILE}", size, seed=1)
        return FILE, size, 1
    return compared(contest(context, link, make, size, context.runs(full=7, quick=3)))


def fast_text(context, link):
    """As long a file as the random one: the same text again and again, which is nothing to a
    compression that looks at a block at a time."""
    def make(source):
        length = data.text_file(f"{source}/{FILE}", TEXT_SIZES[0])
        with open(f"{source}/{FILE}", "r+b") as file:
            once = file.read()
            for _ in range(FAST_SIZE // length - 1):
                file.write(once)
            return FILE, file.tell(), 1
    return compared(contest(context, link, make, FAST_SIZE, context.runs(full=7, quick=3)))


def row(name, title, measure, least, **options):
    return Row(name, title, aim=f">= {least} x without", aim_value=least, unit="x without",
               measure=measure, **options)


ROWS = [
    row("compression", "Text, one file, 100 Mbit/s", text, 2.5, promise="> 2 x"),
    row("compression-tree", "Source files, 100 Mbit/s", source_tree, 2.5, promise="> 2 x",
        quick=False),
    row("compression-random", "What does not compress, 100 Mbit/s",
        lambda context: random_data(context, SLOW, 128 * MIB), 0.98, promise="0 overhead",
        quick=False),
    row("compression-random-10g", "What does not compress, 10 Gbit/s",
        lambda context: random_data(context, FAST, FAST_SIZE), 0.98, promise="0 overhead",
        quick=False),
    row("compression-text-1g", "Text, 1 Gbit/s", lambda context: fast_text(context, "1gbit"), 0.98,
        promise="0 overhead", quick=False),
    row("compression-text-10g", "Text, 10 Gbit/s", lambda context: fast_text(context, FAST), 0.98,
        promise="0 overhead", quick=False),
]
