"""Looking for what is there already costs nothing where nothing is."""

import data
from arena import arena
from contest import FIRST, Contest, rate
from peers import Wormhole
from rows.base import Row, judged
from statistics_of import paired

SIZE = 2048 << 20
FILE = "data.bin"
KNOWN, KNOWN_BYTES = "known.bin", 4 << 20  # smaller ones are not remembered


class Remembering(Wormhole):
    """Has an index with something in it to look through: of the file before the measured one."""

    def fetch(self, client, remote, local_dir, tree=False):
        if remote == FIRST:
            self.remember_from_here(client)
            remote = KNOWN
        return super().fetch(client, remote, local_dir, tree)

    def remember_from_here(self, client):
        self.cache = client.path(f"cache-remembering-{self._fetches}")


class Forgetting(Remembering):
    name = "wormhole-forgetting"
    title = "Wormhole, without an index, --no-reuse"

    def __init__(self):
        super().__init__(["--no-reuse"])
        self.port += 1

    def remember_from_here(self, client):
        self.cache = "/dev/null"  # below which no index can be made


def cost(context, link):
    with arena(context, link, SIZE, disk="tmpfs") as place:
        data.write_file(f"{place.source}/{FILE}", SIZE, seed=1)
        data.write_file(f"{place.source}/{KNOWN}", KNOWN_BYTES, seed=2)
        contest = Contest(context, place, FILE, SIZE).add(Remembering(), Forgetting())
        contest.run(context.runs(full=7, quick=1))
    return judged(contest, rate, "wormhole", ("wormhole-forgetting",), paired)


def row(name, title, link):
    return Row(name, title, aim=">= 0.98 x without", aim_value=0.98, unit="x without",
               measure=lambda context: cost(context, link), quick=False)


ROWS = [
    row("reuse-cost", "A file of which nothing is there, 10 Gbit/s, with what looks for it",
        "10gbit"),
    row("reuse-cost-unshaped", "The same over the bare link", None),
]
