"""casync: chunks by content over HTTP, the other version on the client as its seed.

The host has cut, hashed and compressed everything before anybody asks, once for all versions."""

import os

from peers.base import Command
from peers.nginx import Nginx


class Casync(Nginx):
    name = "casync"
    title = "casync over nginx (plaintext), chunks made before"
    programs = (*Nginx.programs, "casync")

    def __init__(self, remotes):
        super().__init__()
        self._remotes = remotes

    def root(self):
        return self.host.path(self.name, "published")

    def serve(self):
        super().serve()
        os.mkdir(self.root())
        for remote in self._remotes:
            self.host.run(["casync", "make", f"--store={self.root()}/chunks.castr",
                           f"{self.root()}/{remote}.caibx", f"{self.directory}/{remote}"])

    def fetch(self, client, remote, local_dir, tree=False):
        """To another name and then over the old version: written in place, that is no seed."""
        url = f"http://{self.host.address}:{self.port}"
        there = f"{local_dir}/{remote}"
        return Command(["sh", "-c", 'casync extract --seed-output=no --seed="$1" --store="$2" '
                        '"$3" "$1.new" && mv "$1.new" "$1"', "casync", there,
                        f"{url}/chunks.castr", f"{url}/{remote}.caibx"])
