"""HTTP: nginx with sendfile, curl."""

import urllib.parse

from peers.base import Command, Peer, write


class Nginx(Peer):
    name = "http"
    title = "nginx + curl (plaintext)"
    fetches_trees = False
    programs = ("nginx", "curl")
    port = 8080

    def root(self):
        return self.directory

    def serve(self):
        directory = self.own_directory()
        temporary = "\n".join(f"  {kind}_temp_path {directory}/{kind};" for kind in
                              ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config = write(f"{directory}/nginx.conf", f"""
user root;
daemon off;
worker_processes 2;
pid {directory}/pid;
error_log {directory}/log;
events {{ worker_connections 64; }}
http {{
{temporary}
  access_log off;
  sendfile on;
  tcp_nopush on;
  server {{
    listen {self.host.address}:{self.port};
    root {self.root()};
  }}
}}
""")
        self.run_server(["nginx", "-c", config, "-p", directory, "-e", f"{directory}/log"],
                        self.port, f"{directory}/log")

    def fetch(self, client, remote, local_dir, tree=False):
        name = remote.rsplit("/", 1)[-1]
        url = f"http://{self.host.address}:{self.port}/{urllib.parse.quote(remote)}"
        return Command(["curl", "--silent", "--show-error", "--fail", "--output",
                        f"{local_dir}/{name}", url])
