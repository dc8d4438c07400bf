"""A TCP relay that a test can close, hold, or listen to: it puts the test in charge of moments
that otherwise only luck would hit."""

import select
import socket
import threading
import time

CHUNK_BYTES = 64 * 1024


class Gate:
    """Relays every connection to 127.0.0.1:port.

    `hold_after`: once that many bytes have gone from host to guest (over all connections), nothing
    more goes that way until release(); with `of_guest`, from guest to host. `lags`: seconds by which
    what the guest says on its first connection comes later, and what the host says on the others.
    `source`: the address the host sees. `record`: keeps what crosses, both ways, in `seen`.
    """

    def __init__(self, port, hold_after=None, source=None, record=False, of_guest=False,
                 lags=(0, 0)):
        self._port = port
        self._lags = lags
        self._source = source
        self._hold_after = hold_after
        self._record = record
        self._of_guest = of_guest
        self._lock = threading.Lock()
        self._released = threading.Event()
        self.held = threading.Event()
        self.seen = bytearray()
        self.to_guest = 0
        self.to_host = 0
        self.connections = 0
        self._pairs = []
        self._deaf = set()
        self._threads = []
        self._closing = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.target = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._start(self._accept)

    def _start(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _accept(self):
        while True:
            try:
                guest, _ = self._listener.accept()
            except OSError:
                return
            try:
                host = socket.create_connection(
                    ("127.0.0.1", self._port),
                    source_address=(self._source, 0) if self._source else None)
            except OSError:
                guest.close()
                continue
            with self._lock:
                if self._closing:
                    guest.close()
                    host.close()
                    return
                self.connections += 1
                self._pairs += [guest, host]
            self._start(self._relay, guest, host, False)
            self._start(self._relay, host, guest, True)

    def _relay(self, source, target, from_host):
        try:
            while True:
                if from_host != self._of_guest and self._must_hold():
                    self.held.set()
                    self._released.wait()
                data = source.recv(CHUNK_BYTES)
                if not data:
                    break
                with self._lock:
                    if self._record:
                        self.seen += data
                    if from_host:
                        self.to_guest += len(data)
                    else:
                        self.to_host += len(data)
                time.sleep(self._lag(source, from_host))
                target.sendall(data)
            if target not in self._deaf:
                target.shutdown(socket.SHUT_WR)
        except OSError:
            self._end(*({source, target} - self._deaf))

    def _lag(self, source, from_host):
        is_first = source in self._pairs[:2]
        return self._lags[from_host] if is_first != from_host else 0

    def _must_hold(self):
        gone = self.to_host if self._of_guest else self.to_guest
        return (self._hold_after is not None and gone >= self._hold_after
                and not self._released.is_set())

    @staticmethod
    def _end(*sockets):
        for one in sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def wait_held(self, seconds):
        assert self.held.wait(seconds), f"only {self.to_guest} and {self.to_host} bytes came by"

    def release(self):
        self._released.set()

    def close_to_new_ones(self):
        """Nobody listens here any more."""
        if self._listener.fileno() != -1:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()

    def cut(self):
        """Every connection breaks now; new ones are relayed as before."""
        with self._lock:
            self._end(*self._pairs)

    def cut_unnoticed(self):
        """Every connection breaks now, and the host hears nothing of it."""
        with self._lock:
            self._deaf.update(self._pairs[1::2])
            self._end(*self._pairs[0::2])

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        with self._lock:
            self._closing = True
        self.close_to_new_ones()
        self._released.set()
        self._end(*self._pairs)
        for thread in self._threads:
            thread.join(10)
        for one in self._pairs:
            one.close()


def is_open(connection):
    """False once the other end has closed, whatever it said before."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)  # errors and hang-ups are told unasked
    return not poll.poll(0)
