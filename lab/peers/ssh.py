"""scp, sftp and tar over one sshd."""

import shlex

from peers.base import Command, Peer, write
from processes import run


class SshPeer(Peer):
    """An sshd of our own with one key."""

    encrypted = True
    programs = ("sshd", "ssh", "ssh-keygen")
    port = 0  # each has its own: all run at the same time

    def serve(self):
        directory = self.own_directory()
        for key in ("host_key", "user_key"):
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{directory}/{key}"])
        with open(f"{directory}/user_key.pub") as key:
            authorized = write(f"{directory}/authorized_keys", key.read(), 0o600)
        self.key = f"{directory}/user_key"
        config = write(f"{directory}/sshd_config", f"""
Port {self.port}
ListenAddress {self.host.address}
HostKey {directory}/host_key
AuthorizedKeysFile {authorized}
PidFile {directory}/pid
PermitRootLogin yes
StrictModes no
UsePAM no
UseDNS no
Subsystem sftp internal-sftp
""", 0o600)
        self.run_server(["/usr/sbin/sshd", "-D", "-e", "-f", config], self.port, f"{directory}/log",
                        private_run=True)

    def options(self):
        return ["-F", "none", "-i", self.key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
                "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                "-o", "LogLevel=ERROR"]

    def remote_shell(self):
        return shlex.join(["ssh", "-p", str(self.port), *self.options()])


class Scp(SshPeer):
    name = "scp"
    port = 2201
    title = "scp"

    def fetch(self, client, remote, local_dir, tree=False):
        path = f"root@{self.host.address}:{self.directory}/{remote}"
        return Command(["scp", "-q", "-p", "-P", self.port, *self.options(), *(["-r"] if tree else []),
                        path + "/." if tree else path, local_dir + "/"])


class Sftp(SshPeer):
    name = "sftp"
    port = 2202
    title = "sftp"
    fetches_trees = False

    def fetch(self, client, remote, local_dir, tree=False):
        return Command(["sftp", "-q", "-p", "-P", self.port, *self.options(),
                        f"root@{self.host.address}:{self.directory}/{remote}", local_dir + "/"])


class TarOverSsh(SshPeer):
    name = "tar-ssh"
    port = 2203
    title = "tar over ssh"
    fetches_files = False
    programs = (*SshPeer.programs, "tar")

    def fetch(self, client, remote, local_dir, tree=False):
        far = shlex.quote(f"tar -C {shlex.quote(f'{self.directory}/{remote}')} -cf - .")
        return Command(["sh", "-c", f"{self.remote_shell()} root@{self.host.address} {far} | "
                                    f"tar -C {shlex.quote(local_dir)} -xpf -"])
