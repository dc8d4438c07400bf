"""rsync: its daemon (plaintext), and over ssh."""

from peers.base import Command, Peer, write
from peers.ssh import SshPeer

PORT = 8730


def _source(path, tree):
    return path + "/" if tree else path


class RsyncDaemon(Peer):
    name = "rsyncd"
    title = "rsync daemon (plaintext)"
    programs = ("rsync",)

    def serve(self):
        directory = self.own_directory()
        config = write(f"{directory}/rsyncd.conf", f"""
use chroot = no
address = {self.host.address}
port = {PORT}
pid file = {directory}/pid
log file = {directory}/log
[lab]
path = {self.directory}
read only = yes
uid = root
gid = root
""")
        self.run_server(["rsync", "--daemon", "--no-detach", f"--config={config}"], PORT,
                        f"{directory}/log")

    def fetch(self, client, remote, local_dir, tree=False):
        path = _source(f"rsync://{self.host.address}:{PORT}/lab/{remote}", tree)
        return Command(["rsync", "-a", path, local_dir + "/"])


class RsyncOverSsh(SshPeer):
    name = "rsync-ssh"
    port = 2204
    title = "rsync over ssh"
    programs = (*SshPeer.programs, "rsync")

    def fetch(self, client, remote, local_dir, tree=False):
        path = _source(f"root@{self.host.address}:{self.directory}/{remote}", tree)
        return Command(["rsync", "-a", "-e", self.remote_shell(), path, local_dir + "/"])
