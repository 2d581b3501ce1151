"""A segment behind a NAT of its own, a provider, and a server beyond it.

    c1, c2 -- [lab] -- gateway -- [wan] -- wan0: provider -- server
    10.20.0.21, .22    .1  192.0.2.5       192.0.2.1      198.51.100.9
    fd20::21, ::22         2001:db8:1::5   2001:db8:1::1  2001:db8:2::9
"""
import os
import signal
import socket
import struct
import threading

from .lab import Host
from .netns import CommandFailed, Namespace, ip_batch, run, wait_until

SERVER, SERVER6 = "198.51.100.9", "2001:db8:2::9"
PROVIDER, PROVIDER6 = "192.0.2.1", "2001:db8:1::1"
OUTSIDE, OUTSIDE6 = "192.0.2.5", "2001:db8:1::5"
GATEWAY, GATEWAY6 = "10.20.0.1", "fd20::1"

STATIC = ("outside-address=192.0.2.5/24", "outside-gateway=192.0.2.1")
STATIC6 = ("outside-address6=2001:db8:1::5/64",
           "outside-gateway6=2001:db8:1::1")


class NatLab:
    """The lab is started, with bridge wan; options are the segment's."""

    def __init__(self, lab, *options, ip6=False, clients=2, attach=True):
        self.lab = lab
        self.ctl = lab.switch.ctl
        lab.start("wan", monitor=False)
        self.provider = lab.host("wan0", f"{PROVIDER}/24", f"{PROVIDER6}/64",
                                 bridge="wan", attach=attach)
        self.make_server()
        subnets = ["10.20.0.0/24"] + (["fd20::/64"] if ip6 else [])
        self.ctl("add-segment", "lab", "nat", *subnets, "outside=wan",
                 *options)
        self.clients = [self.client(i + 1) for i in range(clients)]

    def make_server(self):
        space = Namespace(self.lab.prefix + "srv")
        for name in ("default", "all"):
            space.sysctl(f"ipv6/conf/{name}/disable_ipv6", 0)
        space.sysctl("ipv6/conf/default/accept_dad", 0)
        there = self.provider.namespace
        ip_batch([f"link add name lan netns {there.name} type veth "
                  f"peer name eth0 netns {space.name}"])
        ip_batch(["link set lan up", "addr add 198.51.100.1/24 dev lan",
                  "addr add 2001:db8:2::1/64 dev lan nodad",
                  "route add fd20::/64 via 2001:db8:1::5"], there.name)
        ip_batch(["link set eth0 up", f"addr add {SERVER}/24 dev eth0",
                  f"addr add {SERVER6}/64 dev eth0 nodad",
                  "route add default via 198.51.100.1",
                  "route add default via 2001:db8:2::1"], space.name)
        there.sysctl("ipv4/ip_forward", 1)
        there.sysctl("ipv6/conf/all/forwarding", 1)
        self.server = Host(space, [f"{SERVER}/24", f"{SERVER6}/64"])

    def client(self, number):
        host = self.lab.host(f"c{number}", f"10.20.0.{20 + number}/24",
                             f"fd20::{20 + number}/64", bridge="lab")
        ip_batch([f"route add default via {GATEWAY}",
                  f"route add default via {GATEWAY6}"],
                 host.namespace.name)
        return host

    def set(self, *options):
        self.ctl("set-segment", "lab", *options)

    def sessions(self, *filters):
        return self.lab.switch.command("nat/show", "lab",
                                       *filters)["sessions"]

    def stats(self):
        return self.lab.switch.command("nat/stats", "lab")[0]

    def wait_ready(self):
        """The segment is there, after a start of the switch."""
        wait_until(self.addresses, "the uplink has an address")

    def segment(self):
        shown = self.lab.switch.command("segment/show", "lab")
        return shown[0] if isinstance(shown, list) else shown

    def addresses(self):
        """Of the uplink; none while there is no segment (yet)."""
        try:
            return self.segment()["uplink"]["addresses"]
        except CommandFailed:
            return []

    def wait_address(self, part, timeout=20):
        wait_until(lambda: any(part in a for a in self.addresses()),
                   lambda: f"{part} of {self.addresses()}", timeout)


class Echo:
    """A TCP and a UDP server that send back what they get."""

    def __init__(self, host, port=7000, address=None):
        self.peers = []
        family = socket.AF_INET6 if address and ":" in address \
            else socket.AF_INET
        address = address or "0.0.0.0"
        with host.namespace.entered():
            self.tcp = socket.create_server((address, port), family=family)
            self.udp = socket.socket(family, socket.SOCK_DGRAM)
            self.udp.bind((address, port))
        for serve in (self.serve_tcp, self.serve_udp):
            threading.Thread(target=serve, daemon=True).start()

    def serve_tcp(self):
        while True:
            try:
                connection, peer = self.tcp.accept()
            except OSError:
                return
            self.peers.append(peer[:2])
            threading.Thread(target=self.echo, args=(connection,),
                             daemon=True).start()

    def echo(self, connection):
        try:
            while data := connection.recv(65536):
                connection.sendall(data)
        except OSError:
            pass
        connection.close()

    def serve_udp(self):
        while True:
            try:
                data, peer = self.udp.recvfrom(65536)
                self.peers.append(peer[:2])
                self.udp.sendto(data, peer)
            except OSError:
                return

    def close(self):
        self.tcp.close()
        self.udp.close()


def udp_socket(host, address, port=7000, timeout=2):
    """Connected."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with host.namespace.entered():
        sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.settimeout(timeout)
    sock.connect((address, port))
    return sock


def tcp_socket(host, address, port=7000, timeout=10):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with host.namespace.entered():
        sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    sock.connect((address, port))
    return sock


def says(sock, data=b"hello"):
    """What is sent comes back; a datagram may be lost once."""
    for _ in range(3):
        try:
            sock.sendall(data)
            got = b""
            while len(got) < len(data):
                part = sock.recv(65536)
                if not part:
                    return False
                got += part
            return got == data
        except socket.timeout:
            if sock.type == socket.SOCK_STREAM:
                return False
    return False


def is_refused(sock):
    """A datagram of a connected socket comes to a port that is closed."""
    for _ in range(3):
        try:
            sock.send(b"x")
            sock.recv(1)
        except ConnectionRefusedError:
            return True
        except socket.timeout:
            pass
    return False


class Capture:
    """Of a device's frames, both ways, with tcpdump; read by tshark."""

    def __init__(self, lab, host, device="eth0"):
        self.path = os.path.join(lab.directory, "capture.pcap")
        self.process = lab.spawn(host.namespace, "tcpdump", "-i", device,
                                 "--immediate-mode", "-U",
                                 "-w", self.path)
        wait_until(lambda: os.path.exists(self.path) and
                   os.path.getsize(self.path) >= 24, "tcpdump has begun")

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)

    def tshark(self, display_filter, *fields):
        """A list of fields for each frame that matches."""
        argv = ["tshark", "-r", self.path, "-o", "ip.check_checksum:TRUE",
                "-o", "tcp.check_checksum:TRUE",
                "-o", "udp.check_checksum:TRUE"]
        if display_filter:
            argv += ["-Y", display_filter]
        if fields:
            argv += ["-T", "fields"] + [a for f in fields for a in ("-e", f)]
        return run(argv, timeout=60).stdout.splitlines()


def no_offload(*hosts, device="eth0"):
    """Frames are whole and their checksums finished, as on a wire."""
    for host in hosts:
        host.run("ethtool", "-K", device, "tx", "off", "gso", "off", "tso",
                 "off", "gro", "off")


class DhcpServer:
    """udhcpd at the provider."""

    def __init__(self, nat, first, last, router, lease=20):
        self.nat = nat
        self.conf = os.path.join(nat.lab.directory, "udhcpd.conf")
        leases = os.path.join(nat.lab.directory, "udhcpd.leases")
        with open(leases, "ab"):
            pass
        with open(self.conf, "w", encoding="ascii") as file:
            file.write(f"start {first}\nend {last}\ninterface eth0\n"
                       f"lease_file {leases}\nmin_lease 10\n"
                       f"pidfile {nat.lab.directory}/udhcpd.pid\n"
                       "option subnet 255.255.255.0\n"
                       f"option router {router}\noption lease {lease}\n")
        self.process = nat.lab.spawn(nat.provider.namespace, "busybox",
                                     "udhcpd", "-f", self.conf)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        os.unlink(os.path.join(self.nat.lab.directory, "udhcpd.leases"))


class Advertiser:
    """Router advertisements of the provider, each 300 ms and when asked."""

    def __init__(self, host, prefix="2001:db8:1::", mtu=0, lifetime=1800):
        self.prefix, self.mtu, self.lifetime = prefix, mtu, lifetime
        with host.namespace.entered():
            self.sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW,
                                      socket.IPPROTO_ICMPV6)
            index = socket.if_nametoindex("eth0")
        self.sock.setsockopt(socket.IPPROTO_IPV6,
                             socket.IPV6_MULTICAST_HOPS, 255)
        self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF,
                             index)
        self.to = ("ff02::1", 0, 0, index)
        self.stopping = threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def message(self):
        options = struct.pack("!BBBBIII16s", 3, 4, 64, 0xc0, 3600, 1800, 0,
                              socket.inet_pton(socket.AF_INET6, self.prefix))
        if self.mtu:
            options += struct.pack("!BBHI", 5, 1, 0, self.mtu)
        return struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, self.lifetime, 0,
                           0) + options

    def serve(self):
        while not self.stopping.wait(0.3):
            self.sock.sendto(self.message(), self.to)

    def stop(self):
        self.stopping.set()
