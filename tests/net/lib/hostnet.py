"""A port to the host's sockets with a machine behind it and a world beyond.

programs/hostnet.c is the port, run in the namespace `host`; its tap is the
machine's card, in `vm`; `world` is at the end of a cable from the host.
"""
import os
import socket
import subprocess
import threading

from . import switch
from .netns import Namespace, ip_batch, wait_until

PROGRAM = os.environ.get("HOSTNET_PROGRAM") or os.path.join(
    switch.ROOT, "build", "net-tools", "hostnet")
ROUTER_MAC = "02:56:00:00:00:01"
HOST = {4: "192.0.2.1", 6: "2001:db8::1"}
WORLD = {4: "192.0.2.2", 6: "2001:db8::2"}
MACHINE = {4: "10.20.0.15", 6: "fd20::15"}
GATEWAY = {4: "10.20.0.1", 6: "fd20::1"}
LOOPBACK = {4: "127.0.0.1", 6: "::1"}
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}


def make_socket(namespace, version, kind=socket.SOCK_STREAM):
    with namespace.entered():
        s = socket.socket(FAMILY[version], kind)
    s.settimeout(20)
    return s


def connect(namespace, version, address, port):
    s = make_socket(namespace, version)
    s.connect((address, port))
    return s


def receive_all(s):
    parts = []
    while part := s.recv(1 << 20):
        parts.append(part)
    return b"".join(parts)


class Echo:
    """Gives back what it got: TCP after the other side's end, UDP at once."""

    def __init__(self, namespace, version, address, port,
                 kind=socket.SOCK_STREAM):
        self.peers = []
        self.socket = make_socket(namespace, version, kind)
        self.socket.settimeout(None)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, port))
        if kind == socket.SOCK_STREAM:
            self.socket.listen(2000)
        target = self.tcp if kind == socket.SOCK_STREAM else self.udp
        threading.Thread(target=target, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()

    def tcp(self):
        while True:
            try:
                s, peer = self.socket.accept()
            except OSError:
                return
            self.peers.append(peer[0])
            threading.Thread(target=self.echo, args=(s,), daemon=True).start()

    @staticmethod
    def echo(s):
        with s:
            try:
                s.sendall(receive_all(s))
            except OSError:
                pass

    def udp(self):
        while True:
            try:
                data, peer = self.socket.recvfrom(65536)
                if peer is None:
                    return
                self.peers.append(peer[0])
                self.socket.sendto(data, peer)
            except OSError:
                return


class Hostnet:
    """The port and the three namespaces, as `with` has it."""

    def __init__(self, lab, *options, wrapper=()):
        self.options, self.wrapper = options, wrapper
        self.vm = Namespace(lab.prefix + "vm")
        self.host = Namespace(lab.prefix + "host")
        self.world = Namespace(lab.prefix + "world")
        for n in (self.vm, self.host, self.world):
            n.sysctl("ipv6/conf/default/disable_ipv6", 0)
            n.sysctl("ipv6/conf/all/disable_ipv6", 0)
            n.sysctl("ipv6/conf/lo/disable_ipv6", 0)
        self.host.sysctl("ipv4/ping_group_range", "0 2147483647")
        ip_batch([f"link add name cable0 type veth peer name cable1 netns "
                  f"{self.world.name}",
                  "addr add 192.0.2.1/24 dev cable0",
                  "addr add 2001:db8::1/64 dev cable0 nodad",
                  "link set cable0 up",
                  "route add default via 192.0.2.2"], self.host.name)
        ip_batch(["addr add 192.0.2.2/24 dev cable1",
                  "addr add 2001:db8::2/64 dev cable1 nodad",
                  "link set cable1 up"], self.world.name)
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(
            self.host.argv([*self.wrapper, PROGRAM, self.vm.name, "eth0",
                            *self.options, "ip4=10.20.0.1/24",
                            "ip6=fd20::1/64"]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line == "ready\n", f"the port says {line!r}"
        ip_batch(["link set eth0 address 02:00:00:00:00:0f",
                  "link set eth0 up",
                  "addr add 10.20.0.15/24 dev eth0",
                  "addr add fd20::15/64 dev eth0 nodad",
                  f"neigh replace 10.20.0.1 lladdr {ROUTER_MAC} dev eth0 "
                  "nud permanent",
                  f"neigh replace fd20::1 lladdr {ROUTER_MAC} dev eth0 "
                  "nud permanent",
                  "route add default via 10.20.0.1",
                  "route add default via fd20::1"], self.vm.name)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        assert status == 0, f"the port ended with {status}"

    def tell(self, command):
        """The lines that the port answers a command with."""
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        lines = []
        while (line := self.process.stdout.readline().rstrip()) != "end":
            assert line or self.process.poll() is None, "the port has ended"
            lines.append(line)
        return lines

    def forward(self, *forwards):
        """Puts these in force, no others; what it says of those it cannot."""
        for f in forwards:
            assert not self.tell(f"forward {f}"), f
        lines = self.tell("apply")
        assert lines[0] == "apply 0", lines
        return lines[1:]

    def stats(self):
        words = self.tell("stats")[0].split()
        return dict(zip(words[::2], map(int, words[1::2])))

    def drops(self):
        return {name: int(count) for name, count in
                (line.split() for line in self.tell("drops"))}

    def wait_for_no_sessions(self):
        wait_until(lambda: not self.stats()["tcp"], "no TCP session is left")
