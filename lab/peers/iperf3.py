"""iperf3: what the link carries, from memory to memory. Every ratio stands on it."""

import json

from peers.base import Command, Peer

PORT = 5201


class Iperf3(Peer):
    name = "iperf3"
    title = "iperf3 (limit)"
    fetches_files = fetches_trees = False
    programs = ("iperf3",)

    def serve(self):
        directory = self.own_directory()
        self.run_server(["iperf3", "--server", "--bind", self.host.address], PORT,
                        f"{directory}/log")

    def carry(self, size, streams=1):
        """Sends `size` bytes from the server, as a fetch would."""
        return Command(["iperf3", "--client", self.host.address, "--reverse", "--json",
                        "--parallel", streams, "--bytes", size])

    def finish(self, sample):
        """The receiver's own count over its own time: without the set-up of the test."""
        received = json.loads(sample.extra.pop("stdout"))["end"]["sum_received"]
        sample.bytes, sample.seconds = received["bytes"], received["seconds"]
