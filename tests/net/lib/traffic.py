"""Bytes through real stacks, checked at the other end."""
import hashlib
import os
import re
import signal
import socket
import threading

from .netns import wait_until


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def tcp_transfer(source, sink, address, size=8 << 20, port=5000):
    """Sends size random bytes over TCP and compares their hashes."""
    family = family_of(address)
    result = {}
    with sink.namespace.entered():
        listener = socket.create_server((address, port), family=family)
    listener.settimeout(30)

    def receive():
        connection, _ = listener.accept()
        connection.settimeout(30)
        digest, count = hashlib.sha256(), 0
        with connection:
            while data := connection.recv(1 << 18):
                digest.update(data)
                count += len(data)
        result.update(digest=digest.hexdigest(), count=count)

    thread = threading.Thread(target=receive, daemon=True)
    thread.start()
    with source.namespace.entered():
        sender = socket.socket(family, socket.SOCK_STREAM)
    sender.settimeout(30)
    digest = hashlib.sha256()
    with sender:
        sender.connect((address, port))
        left = size
        while left:
            data = os.urandom(min(left, 1 << 18))
            sender.sendall(data)
            digest.update(data)
            left -= len(data)
        sender.shutdown(socket.SHUT_WR)
        thread.join(60)
    listener.close()
    assert result.get("count") == size, \
        f"{result.get('count')} of {size} bytes arrived"
    assert result["digest"] == digest.hexdigest(), "the bytes were changed"


def udp_exchange(source, sink, address, sizes, port=5001):
    """Each datagram arrives as it was sent; sent again if it is lost."""
    family = family_of(address)
    with sink.namespace.entered():
        receiver = socket.socket(family, socket.SOCK_DGRAM)
        receiver.bind((address, port))
    with source.namespace.entered():
        sender = socket.socket(family, socket.SOCK_DGRAM)
    receiver.settimeout(1)
    with sender, receiver:
        for size in sizes:
            data = os.urandom(size)
            for _ in range(5):
                sender.sendto(data, (address, port))
                try:
                    got = receiver.recv(70000)
                except TimeoutError:
                    continue
                assert got == data, f"a datagram of {size} was changed"
                break
            else:
                raise AssertionError(f"no datagram of {size} arrives")


def serve_iperf(lab, namespace, *options):
    """A server of iperf3 that clients reach from now on; its process. With
    "-1" it ends after one client: wait for that before the next one starts."""
    server = lab.spawn(namespace, "iperf3", "-s", *options)
    wait_until(lambda: namespace.run("ss", "-Hltn", "sport = :5201")
               .stdout.strip(), "iperf3 -s listens")
    return server


def iperf(lab, source, sink, address, *options, seconds=1):
    """Runs iperf3; the receiver's figure in bits a second."""
    server = serve_iperf(lab, sink.namespace, "-1")
    out = source.run("iperf3", "-c", address, "-t", seconds, "-f", "k",
                     *options, timeout=30 + 2 * seconds).stdout
    server.wait(20)
    match = re.search(r"([\d.]+) Kbits/sec.*receiver", out)
    assert match and float(match.group(1)) > 0, f"iperf3 says:\n{out}"
    return float(match.group(1)) * 1000


class BackgroundPing:
    """Pings all the time; stop() fails if an echo was lost."""

    def __init__(self, lab, source, address):
        self.path = os.path.join(lab.directory, f"ping-{address}")
        with open(self.path, "wb") as out:
            self.process = lab.spawn(source.namespace, "ping", "-n", "-i",
                                     "0.02", "-W", "5", address, stdout=out)
        wait_until(lambda: self.replies() >= 3, f"{address} answers")

    def replies(self):
        with open(self.path, encoding="ascii") as file:
            return file.read().count("bytes from")

    def more(self, count=5):
        """Returns after some more echoes have returned."""
        wanted = self.replies() + count
        wait_until(lambda: self.replies() >= wanted, "echoes return")

    def stop(self, lost=0):
        self.more()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)
        with open(self.path, encoding="ascii") as file:
            text = file.read()
        match = re.search(r"(\d+) packets transmitted, (\d+) received", text)
        assert match, text
        missing = int(match.group(1)) - int(match.group(2))
        # the last may still be on its way
        assert missing <= lost + 1, f"{missing} echoes lost:\n{text[-300:]}"
