"""A TCP connection from a host to a guest that goes on through everything:
random bytes, echoed by the guest and compared."""
import os
import socket
import threading

from lib.netns import wait_until

PORT = 7
CHUNK = 16 << 10


class Echoes:
    """Inside `with`; leaving it fails if a byte was wrong or the connection
    ended."""

    def __init__(self, host, guest, address):
        guest.run(f"nc -l -p {PORT} -e cat >/dev/null 2>&1 &")
        self.chunks = 0
        self.error = None
        self.stopping = False
        self.connection = None

        def connected():
            with host.namespace.entered():
                sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            sock.settimeout(5)
            try:
                sock.connect((address, PORT))
            except OSError:
                sock.close()
                return False
            self.connection = sock
            return True
        wait_until(connected, f"{address} takes a connection")
        self.connection.settimeout(90)
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        try:
            while not self.stopping:
                data = os.urandom(CHUNK)
                self.connection.sendall(data)
                self.expect(data)
                self.chunks += 1
        except OSError as error:
            self.error = f"the connection: {error}"

    def expect(self, data):
        got = b""
        while len(got) < len(data):
            part = self.connection.recv(len(data) - len(got))
            if not part:
                raise OSError("ended by the guest")
            got += part
        if got != data:
            raise OSError("bytes were changed on the way")

    def more(self, count=5, timeout=20):
        """Returns after some more echoes."""
        wanted = self.chunks + count
        wait_until(lambda: self.chunks >= wanted or self.error,
                   "bytes are echoed", timeout)
        assert not self.error, self.error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.stopping = True
        if kind is None:
            self.thread.join(90)
            assert not self.error, self.error
        self.connection.close()
