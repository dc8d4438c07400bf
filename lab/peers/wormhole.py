"""Wormhole itself, by its command line only: what a user gets."""

import json
import os
import signal

import measure
import processes
from peers.base import Command, Peer

PORT = 7117
CODE = "4821-marble-anchor-tulip"


def json_lines(text):
    """The whole objects among the lines; a line that is still being written is left out."""
    lines = []
    for line in text.splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            pass
    return lines


class Wormhole(Peer):
    name = "wormhole"
    title = "Wormhole"
    encrypted = True
    binary = None  # the path; set by the driver

    def __init__(self, get_options=(), share_options=(), server_strace=None):
        super().__init__()
        self.get_options, self.share_options = list(get_options), list(share_options)
        self._server_strace = server_strace
        self.port = PORT
        self.cache = None  # where the index of all its fetches is
        self._fetches = 0

    def serve(self):
        if not self.binary or not os.access(self.binary, os.X_OK):
            raise processes.LabError("the wormhole binary does not exist")
        directory = self.own_directory()
        self._events, self._log = f"{directory}/events", f"{directory}/log"
        prefix = measure.strace(self._server_strace) if self._server_strace else []
        with open(self._events, "wb") as events, open(self._log, "wb") as log:
            self.process = self.host.start(
                [*prefix, self.binary, "share", self.directory, "--listen",
                 f"{self.host.address}:{self.port}", "--json", *self.share_options],
                env={"WORMHOLE_CODE": CODE}, stdin=-3, stdout=events, stderr=log)
        processes.wait_until(self._listening, "wormhole share", self.process, self._log)

    def _listening(self):
        with open(self._events, errors="replace") as text:
            for event in json_lines(text.read()):
                if event.get("event") == "listening":
                    self.port = int(event["addresses"][0].rsplit(":", 1)[1])
                    return True
        return False

    def stop(self):
        processes.stop(self.process, signal.SIGINT)  # as a user does; strace writes its counts
        self.process = None

    def fetch(self, client, remote, local_dir, tree=False):
        target = f"{self.host.address}:{self.port}/{remote}".rstrip("/")
        # An index of its own, or what one run fetched would stand in for the next one's.
        self._fetches += 1
        cache = self.cache or client.path(f"cache-{id(self)}-{self._fetches}")
        return Command([self.binary, "get", target, local_dir + "/", "--json", *self.get_options],
                       {"WORMHOLE_CODE": CODE, "XDG_CACHE_HOME": cache})

    def finish(self, sample):
        """Its summary goes along into the report."""
        events = json_lines(sample.extra.pop("stdout"))
        summary = next((event for event in reversed(events) if event.get("event") == "summary"),
                       None)
        if summary is None:
            raise processes.LabError("wormhole get: no summary on stdout")
        sample.extra["summary"] = summary
