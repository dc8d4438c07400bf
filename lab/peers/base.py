"""What every contestant is."""

import os
import shutil
from dataclasses import dataclass, field

import processes
from processes import LabError


@dataclass
class Command:
    argv: list
    env: dict = field(default_factory=dict)


class Peer:
    """A server on one host and the command that fetches from it on another.

    A file is fetched to local_dir/<its name>; a tree's entries directly into local_dir."""

    name = ""
    title = ""
    encrypted = False
    fetches_files = True
    fetches_trees = True
    programs = ()  # that must be installed

    def __init__(self):
        self.host = None
        self.directory = None
        self.process = None

    def start(self, host, directory):
        """Serves `directory` from `host`; returns when it answers."""
        for program in self.programs:
            if not shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin"):
                raise LabError(f"{program} is not installed")
        self.host, self.directory = host, directory
        self.serve()

    def serve(self):
        raise NotImplementedError

    def fetch(self, client, remote, local_dir, tree=False):
        """The Command that fetches `remote`, a path below the directory, on the client host."""
        raise NotImplementedError

    def finish(self, sample):
        """Takes what the contestant itself reports into the sample."""

    def stop(self):
        processes.stop(self.process)
        self.process = None

    @property
    def server_pid(self):
        return self.process.pid if self.process else None

    # For those who serve:

    def own_directory(self):
        """A fresh directory for configuration, keys, logs."""
        path = self.host.path(self.name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path, mode=0o755)
        return path

    def run_server(self, argv, port, log, private_run=False, env=None):
        """Starts the server and waits until its port is open."""
        if self.host.listens(port):  # or the wait below would be for somebody else's
            raise LabError(f"{self.name} server: port {port} is taken")
        with open(log, "ab") as output:
            self.process = self.host.start(argv, env=env, private_run=private_run, stdin=-3,
                                           stdout=output, stderr=output)
        processes.wait_until(lambda: self.host.listens(port), f"{self.name} server", self.process,
                             log)


def write(path, text, mode=0o644):
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)
    return path
