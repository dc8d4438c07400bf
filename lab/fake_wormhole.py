#!/usr/bin/python3
"""Stands in for wormhole where the lab itself is tested: the same command line, no security, no
speed. By the name it is called with it also does what the lab must notice:

    fake-right    fetches rightly
    fake-flip     one byte of every file is wrong
    fake-local    reads the source itself instead of fetching it
    fake-litter   leaves a temporary file behind
"""

import json
import os
import pickle
import shutil
import socket
import stat
import sys
import threading
import time

BLOCK = 256 << 10


def serve(directory, address, port):
    listener = socket.create_server((address, port))
    print(json.dumps({"event": "listening", "addresses": [f"{address}:{port}"]}), flush=True)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=answer, args=(directory, client), daemon=True).start()


def answer(directory, client):
    """Entries, each pickled behind its length, then its bytes."""
    try:
        with client:
            path = client.makefile("rb").readline().decode().rstrip("\n")
            root = os.path.join(directory, path)
            for entry in entries(root):
                send(client, directory, entry, root)
            client.sendall((0).to_bytes(4, "big"))
    except OSError:
        pass


def entries(root):
    """Files before the directory that holds them, as writing changes its time."""
    if not os.path.isdir(root):
        yield os.path.basename(root), root
        return
    for parent, folders, files in os.walk(root, topdown=False):
        for name in files + folders:
            path = os.path.join(parent, name)
            yield os.path.relpath(path, root), path


def send(client, directory, entry, root):
    name, path = entry
    status = os.lstat(path)
    link = os.readlink(path) if stat.S_ISLNK(status.st_mode) else None
    head = pickle.dumps((name, status.st_mode, status.st_size, status.st_mtime_ns, link, path))
    client.sendall(len(head).to_bytes(4, "big") + head)
    if stat.S_ISREG(status.st_mode):
        with open(path, "rb") as file:
            client.sendfile(file)


def receive_all(connection, size):
    data = connection.read(size)
    if len(data) != size:
        sys.exit(3)
    return data


def get(kind, address, port, path, destination):
    began = time.monotonic()
    connection = socket.create_connection((address, port)).makefile("rwb")
    connection.write(path.encode() + b"\n")
    connection.flush()
    totals = {"bytes": 0, "files": 0}
    while size := int.from_bytes(receive_all(connection, 4), "big"):
        entry = pickle.loads(receive_all(connection, size))
        if kind == "fake-local" and stat.S_ISREG(entry[1]):
            shutil.copy(entry[5], os.path.join(destination, entry[0]))
            break
        take(kind, connection, entry, destination, totals)
    print(json.dumps({"event": "summary", **totals, "seconds": time.monotonic() - began,
                      "first_byte_ms": 1.0}))


def take(kind, connection, entry, destination, totals):
    name, mode, size, mtime, link, _ = entry
    final = os.path.join(destination, name)
    os.makedirs(os.path.dirname(final), exist_ok=True)
    if link is not None:
        if not os.path.lexists(final):
            os.symlink(link, final)
        return
    if stat.S_ISREG(mode):
        path = os.path.join(os.path.dirname(final), f".wormhole-{os.path.basename(name)}")
        with open(path, "wb") as file:
            for at in range(0, size, BLOCK):
                block = receive_all(connection, min(BLOCK, size - at))
                file.write(block if kind != "fake-flip" or at else bytes([block[0] ^ 1])
                           + block[1:])
        os.replace(path, final)
        if kind == "fake-litter":
            open(path, "wb").close()
        totals["bytes"] += size
        totals["files"] += 1
    else:
        os.makedirs(final, exist_ok=True)
    os.chmod(final, stat.S_IMODE(mode))
    os.utime(final, ns=(mtime, mtime))


def main(kind, arguments):
    if arguments[0] == "share":
        address, port = arguments[arguments.index("--listen") + 1].rsplit(":", 1)
        try:
            serve(arguments[1], address, int(port))
        except KeyboardInterrupt:
            return
    target, _, path = arguments[1].partition("/")
    address, port = target.rsplit(":", 1)
    get(kind, address, int(port), path, arguments[2])


if __name__ == "__main__":
    main(os.path.basename(sys.argv[0]), sys.argv[1:])
