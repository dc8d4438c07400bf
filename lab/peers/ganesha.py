"""NFS in user space at both ends: nfs-ganesha, and nfs-cp of libnfs."""

import processes
from peers.base import Command, Peer, write

PORT, MOUNT_PORT = 2049, 20048


class Ganesha(Peer):
    name = "nfs"
    title = "nfs-cp (plaintext)"
    fetches_trees = False
    programs = ("ganesha.nfsd", "nfs-cp", "rpcbind")

    def serve(self):
        directory = self.own_directory()
        config = write(f"{directory}/ganesha.conf", f"""
NFS_CORE_PARAM {{
  Protocols = 3,4; NFS_Port = {PORT}; MNT_Port = {MOUNT_PORT};
  Enable_NLM = false; Enable_RQUOTA = false; Bind_addr = {self.host.address};
}}
NFSV4 {{ RecoveryRoot = {directory}; Graceless = true; }}
EXPORT {{
  Export_Id = 1; Path = {self.directory}; Pseudo = /lab; Access_Type = RO;
  Squash = No_Root_Squash; SecType = sys; FSAL {{ Name = VFS; }}
}}
""")
        # One mount namespace for both: ganesha registers through rpcbind's socket in /run.
        script = ("rpcbind -w && exec ganesha.nfsd -F -f \"$1\" -L \"$2\" -p \"$3\"")
        log = f"{directory}/log"
        self.run_server(["sh", "-c", script, "sh", config, log, f"{directory}/pid"], PORT, log,
                        private_run=True)
        processes.wait_until(lambda: self.host.listens(MOUNT_PORT), "nfs mount server", self.process,
                             log)

    def stop(self):
        # rpcbind daemonises into a session of its own; its host's end ends it. Here it must not
        # outlive its server, or the next one meets it.
        pids = self.host.daemon_pids("rpcbind") if self.host else []
        super().stop()
        for pid in pids:
            processes.kill(pid)

    def fetch(self, client, remote, local_dir, tree=False):
        name = remote.rsplit("/", 1)[-1]
        return Command(["nfs-cp", f"nfs://{self.host.address}{self.directory}/{remote}",
                        f"{local_dir}/{name}"])
