"""Two hosts, a link, a source and a destination: where contestants meet."""

import os
import shutil
from contextlib import contextmanager

import disks
import links
from hosts import Lab

GIB = 1 << 30
# Room beside the measured bytes: file system metadata, and the run before while it is deleted.
SPARE = GIB


class Arena:
    def __init__(self, lab, server, client, source, destination, wan):
        self.lab, self.server, self.client = lab, server, client
        self.source, self.destination, self.wan = source, destination, wan
        self._number = 0

    def fresh_directory(self):
        """An empty directory on the destination; never one that was used before."""
        self._number += 1
        path = os.path.join(self.destination, f"run{self._number:04}")
        os.mkdir(path)
        return path

    def remove(self, path):
        shutil.rmtree(path)
        disks.settle(self.destination)

    def other_cpu(self):
        return self.wan.cpu_seconds() if self.wan else 0.0


@contextmanager
def arena(context, link, size, disk="xfs", source_disk="tmpfs", copies=1, cubic=False):
    """link: a LAN rate, None for a bare veth, or a dict of Wan's arguments. `size`: bytes of the
    source; the destination holds that `copies` times, and is touched once before. `cubic`: on both
    hosts no program has another congestion control."""
    with Lab(context.directory) as lab:
        server, client = lab.host("a", "10.77.0.1"), lab.host("b", "10.77.0.2")
        if cubic:
            server.preload = client.preload = context.build_file("lab/force_cubic.so")
        wan = None
        if isinstance(link, dict):
            emulator = context.build_file("lab/link_emulator")
            wan = lab.keep(links.Wan(server, client, emulator=emulator, **link))
        else:
            links.lan(server, client, link)
        make = {"xfs": disks.xfs, "tmpfs": disks.tmpfs, "plain": disks.plain}
        make_source = {**make, "tmpfs": disks.tmpfs_to_read}
        source = lab.keep(make_source[source_disk](server.directory, "source", size + SPARE))
        destination = lab.keep(make[disk](client.directory, "destination", size * copies + SPARE,
                                          warm=size * copies))
        yield Arena(lab, server, client, source, destination, wan)
