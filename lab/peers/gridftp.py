"""GridFTP: four plaintext streams, the fastest peer known to us."""

import os
import pwd

from peers.base import Command, Peer

PORT = 2811


class GridFtp(Peer):
    name = "gridftp"
    title = "GridFTP -p 4 (plaintext)"
    programs = ("globus-gridftp-server", "globus-url-copy")

    def serve(self):
        directory = self.own_directory()
        # The server gives anonymous users a user of its own: files must be readable by all.
        os.chown(directory, pwd.getpwnam("nobody").pw_uid, -1)
        self.run_server(["globus-gridftp-server", "-s", "-aa", "-anonymous-user", "nobody",
                         "-p", PORT, "-data-interface", self.host.address,
                         "-log-level", "ERROR"], PORT, f"{directory}/log")

    def fetch(self, client, remote, local_dir, tree=False):
        source = f"ftp://{self.host.address}:{PORT}{self.directory}/{remote}"
        if tree:
            return Command(["globus-url-copy", "-p", 4, "-nodcau", "-r", "-cd", source + "/",
                            f"file://{local_dir}/"])
        name = remote.rsplit("/", 1)[-1]
        return Command(["globus-url-copy", "-p", 4, "-nodcau", source,
                        f"file://{local_dir}/{name}"])
