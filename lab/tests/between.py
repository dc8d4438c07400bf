"""A real fetch from one host of the lab to another."""

from peers import Wormhole
from peers.wormhole import json_lines
from runner import SUCCESS, binary


def fetch(near, far, shared, remote, dest, *options):
    """Shares the directory `shared` on one host and fetches `remote` of it ("": all) to `dest` on
    the other. Returns the summary of a success."""
    share = Wormhole(get_options=options)
    share.binary = binary()
    share.start(near, shared)
    try:
        command = share.fetch(far, remote, dest)
        done = far.run(command.argv, env=command.env)
    finally:
        share.stop()
    summary = json_lines(done.stdout)[-1]
    assert summary["exit"] == SUCCESS
    return summary
