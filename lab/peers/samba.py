"""Samba's smbd and smbclient: a guest's session, so not encrypted."""

import os

from peers.base import Command, Peer, write

PORT = 445


class Samba(Peer):
    name = "smb"
    title = "smbclient (plaintext)"
    programs = ("smbd", "smbclient")

    def serve(self):
        directory = self.own_directory()
        # All of them, and fresh: left-over ones have modes that smbd refuses.
        places = ("pid", "lock", "state", "cache", "private", "ncalrpc")
        for place in places:
            os.mkdir(f"{directory}/{place}", 0o755)
        own = "\n".join(f"{'ncalrpc dir' if place == 'ncalrpc' else place + ' directory'}"
                        f" = {directory}/{place}" for place in places
                        if place != "private")
        config = write(f"{directory}/smb.conf", f"""
[global]
server role = standalone server
map to guest = Bad User
guest account = root
smb ports = {PORT}
disable netbios = yes
disable spoolss = yes
load printers = no
{own}
private dir = {directory}/private
use sendfile = yes
log file = {directory}/log
[lab]
path = {self.directory}
guest ok = yes
read only = yes
""")
        self.client_config = write(f"{directory}/client.conf", f"""
[global]
lock directory = {directory}/lock
state directory = {directory}/state
cache directory = {directory}/cache
private dir = {directory}/private
""")
        self.run_server(["smbd", "--foreground", "--no-process-group", f"--configfile={config}"],
                        PORT, f"{directory}/log")

    def fetch(self, client, remote, local_dir, tree=False):
        folder, name = os.path.split(remote)
        commands = [f'lcd "{local_dir}"']
        if tree:
            commands += [f'cd "{remote}"', "recurse ON", "prompt OFF", "mget *"]
        else:
            commands += ([f'cd "{folder}"'] if folder else []) + [f'get "{name}"']
        return Command(["smbclient", f"--configfile={self.client_config}", "-N",
                        f"//{self.host.address}/lab", "-c", "; ".join(commands)])
