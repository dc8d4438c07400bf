"""Hosts: network namespaces with names of their own for each run.

    with Lab() as lab:
        a, b = lab.host("a", "10.77.0.1"), lab.host("b", "10.77.0.2")
        links.lan(a, b, "10gbit")
        a.start([...]); b.run([...])

Everything made is taken down at the end of the `with`, also after an exception or Ctrl-C; what a
killed run left behind is taken down by the next one (names carry the process id).
"""

import contextlib
import ctypes
import itertools
import os
import re
import shutil
import signal
import tempfile
import time

import processes
from processes import run

NAME = re.compile(r"^wormhole-(\d+)-")
_numbers = itertools.count()

CLONE_NEWNET = 0x40000000  # <sched.h>
_libc = ctypes.CDLL(None, use_errno=True)  # Python has setns from 3.12 on

# A mount namespace of its own with a fresh /run: sshd, rpcbind and ganesha keep sockets and locks
# there, and would meet those of the machine itself or of another run.
PRIVATE_RUN = ["unshare", "--mount", "sh", "-c",
               "mount -t tmpfs tmpfs /run && mkdir -p /run/sshd && exec \"$@\"", "sh"]


def require_root():
    if os.geteuid() != 0:
        raise PermissionError("the lab makes network namespaces and mounts: it needs root")


def _set_network(namespace):
    """Of the calling thread (setns(2))."""
    if _libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), f"setns {namespace.name}")


class Host:
    """One host: a namespace, an address, a directory of its own for everything private."""

    def __init__(self, name, namespace, address, directory):
        self.name, self.namespace, self.address = name, namespace, address
        self.directory = directory
        self.device = None  # set by links
        self.preload = None  # a library that is put into every program
        self.extra_environment = {}  # of every program
        self._started = []
        for part in ("home", "cache", "config"):
            os.makedirs(self.path(part), mode=0o700)
        run(["ip", "netns", "add", namespace])
        run(["ip", "-n", namespace, "link", "set", "lo", "up"])

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def environment(self, extra=None):
        """Own cache and home: with a shared index, `get` would reflink the source instead of
        fetching it."""
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                       "LANG": "C.UTF-8", "HOME": self.path("home"),
                       "XDG_CACHE_HOME": self.path("cache"),
                       "XDG_CONFIG_HOME": self.path("config"),
                       "TMPDIR": self.directory}
        if self.preload:
            environment["LD_PRELOAD"] = self.preload
        environment.update({**self.extra_environment, **(extra or {})})
        return environment

    @contextlib.contextmanager
    def _entered(self):
        """This thread, and what it starts, is in the host's network. (nsenter before each program
        would be a millisecond of every measurement.)"""
        with open("/proc/thread-self/ns/net") as own, \
                open(f"/run/netns/{self.namespace}") as entered:
            _set_network(entered)
            try:
                yield
            finally:
                _set_network(own)

    def start(self, argv, env=None, private_run=False, **options):
        """Starts a process on this host; it is stopped with the host at the latest."""
        with self._entered():
            process = processes.start((PRIVATE_RUN if private_run else []) + list(argv),
                                      env=self.environment(env), **options)
        self._started.append(process)
        return process

    def run(self, argv, env=None, check=True, **options):
        with self._entered():
            return run(argv, check=check, env=self.environment(env), **options)

    def _read_net(self, name):
        """The lines of a file of /proc/net as this host has it."""
        with self._entered(), open(f"/proc/thread-self/net/{name}") as text:
            return text.read().splitlines()

    def listens(self, port):
        """True if something on this host listens at the TCP port."""
        fields = [line.split() for name in ("tcp", "tcp6") for line in self._read_net(name)]
        return any(field[3] == "0A" and field[1].endswith(f":{port:04X}") for field in fields)

    def daemon_pids(self, program):
        """Process ids of `program` on this host, also of those that left their parents."""
        pids = run(["ip", "netns", "pids", self.namespace], check=False).stdout.split()
        return [int(pid) for pid in pids if processes.program_of(pid) == program]

    def wire_bytes(self):
        """Bytes received and sent by the device that the link is on."""
        for line in self._read_net("dev"):
            name, _, counters = line.strip().partition(":")
            if name == self.device:
                fields = counters.split()
                return int(fields[0]), int(fields[8])
        raise processes.LabError(f"{self.device} is gone")

    def clear_cache(self):
        """What a tool remembers about earlier runs must not help it in this one."""
        shutil.rmtree(self.path("cache"), ignore_errors=True)
        os.makedirs(self.path("cache"), mode=0o700)

    def close(self):
        for process in reversed(self._started):
            processes.stop(process)
        remove_namespace(self.namespace)


class Lab:
    """All hosts of one experiment and a temporary directory."""

    def __init__(self, directory=None):
        self._number = next(_numbers)
        self._stack = contextlib.ExitStack()
        self._parent = directory or tempfile.gettempdir()
        self.hosts = []

    def __enter__(self):
        require_root()
        processes.interruptible()
        reap(self._parent)
        self.directory = os.path.join(self._parent, f"wormhole-{os.getpid()}-{self._number}")
        os.makedirs(self.directory, mode=0o755)
        self._stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
        return self

    def __exit__(self, *_exception):
        # A second Ctrl-C must not stop the taking down.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._stack.close()
        finally:
            signal.signal(signal.SIGINT, before)

    def host(self, name, address):
        namespace = f"wormhole-{os.getpid()}-{self._number}-{name}"
        directory = os.path.join(self.directory, name)
        os.makedirs(directory)
        self._stack.callback(remove_namespace, namespace)
        host = Host(name, namespace, address, directory)
        self._stack.callback(host.close)
        self.hosts.append(host)
        return host

    def keep(self, context):
        """Enters a context manager that ends with the lab (before its hosts do)."""
        return self._stack.enter_context(context)

    def callback(self, function, *arguments, **options):
        self._stack.callback(function, *arguments, **options)


def remove_namespace(namespace):
    if not os.path.exists(f"/run/netns/{namespace}"):
        return
    for _ in range(100):
        pids = run(["ip", "netns", "pids", namespace], check=False).stdout.split()
        if not pids:
            break
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.02)
    run(["ip", "netns", "delete", namespace], check=False)


def _is_alive(pid):
    return os.path.exists(f"/proc/{pid}")


def reap(directory):
    """Takes down what runs that were killed left: namespaces, mounts, directories."""
    namespaces = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
    for namespace in namespaces:
        match = NAME.match(namespace)
        if match and not _is_alive(int(match[1])):
            remove_namespace(namespace)
    for entry in os.listdir(directory):
        match = NAME.match(entry)
        if not match or _is_alive(int(match[1])):
            continue
        path = os.path.join(directory, entry)
        unmount_below(path)
        shutil.rmtree(path, ignore_errors=True)


def unmount_below(path):
    with open("/proc/mounts") as text:
        mounts = [line.split()[1] for line in text]
    for mount in reversed(mounts):
        if mount.startswith(path + "/"):
            run(["umount", "--lazy", mount], check=False)
