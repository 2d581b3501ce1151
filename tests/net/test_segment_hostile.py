"""A segment whose machines, or whose configuration, leave it no peace."""
import itertools
import random
import socket
import threading

from lib.netns import receive, wait_until
from lib.raw_ip import ip4, ip6, mac_bytes, syn, udp
from lib.segment_vm import Machine, add_segment
from lib.testing import equal, test

GATEWAY, GATEWAY6 = "10.20.0.1", "fd20::1"
UPLINK = ("outside=wan", "outside-address=192.0.2.5/24",
          "outside-gateway=192.0.2.1", "outside-address6=2001:db8:1::5/64",
          "outside-gateway6=2001:db8:1::1")
MARK = b"it should not get there"


def macs_to_gateway(machine):
    """Destination and source of what it sends there."""
    machine.host.must_ping(GATEWAY)
    line = machine.run("ip", "neigh", "show", GATEWAY).stdout
    return mac_bytes(line.split()[4]) + mac_bytes(machine.host.mac)


def megabytes_of(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file
                    if line.startswith("VmRSS")) >> 10


@test("connections to the name service that nobody completes give way",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    add_segment(lab)
    bad, good = Machine(lab, "vm1"), Machine(lab, "vm2")
    bad.dhclient()
    address = good.dhclient()
    macs = macs_to_gateway(bad)
    equal(good.short("+tcp", "vm2.lab"), address, "before")
    with bad.host.namespace.packet_socket("eth0") as sock:
        sock.setblocking(True)
        for i in range(20000):
            source = f"10.20.0.{200 + i % 50}"
            sock.send(macs + ip4(source, GATEWAY, syn(source, GATEWAY, 53,
                                                      1024 + i // 50)))
    wait_until(lambda: good.short("+tcp", "vm2.lab") == address,
               "the other machine's question is answered")
    used = megabytes_of(lab.switch.process)
    assert used < 1000, f"{used} MB for connections that are half open"


class Two:
    """A nat segment with machines vm1 and vm2, and wan beside it."""

    def __init__(self, lab, *settings):
        lab.start("wan", monitor=False)
        lab.host("wan0", "192.0.2.1/24", "2001:db8:1::1/64", bridge="wan")
        # By the host's sockets, that address is the host's own.
        lab.sw_ns.ip("link", "set", "lo", "up")
        lab.sw_ns.ip("addr", "add", "192.0.2.1/32", "dev", "lo")
        lab.switch.vsw_ctl("add-segment", "lab", "nat", "10.20.0.0/24",
                           "fd20::/64", *settings)
        self.a, self.b = [
            lab.host(f"vm{i}", f"10.20.0.{20 + i}/24", f"fd20::{20 + i}/64",
                     bridge="lab") for i in (1, 2)]
        for m in (self.a, self.b):
            m.run("ip", "route", "add", "default", "via", GATEWAY)
            m.run("ip", "-6", "route", "add", "default", "via", GATEWAY6)
            m.must_ping(GATEWAY)
            m.must_ping(GATEWAY6)
        line = self.a.run("ip", "neigh", "show", GATEWAY).stdout
        self.gateway_mac = mac_bytes(line.split()[4])

    def send(self, frames):
        with self.a.namespace.packet_socket("eth0") as sock:
            sock.setblocking(True)
            for frame in frames:
                sock.send(frame)
        # By the same ways, behind them.
        self.a.must_ping(GATEWAY)
        self.a.must_ping("192.0.2.1", size=1000)


def packets_to_another():
    what = udp(GATEWAY, GATEWAY, MARK)
    for src, dst in itertools.product(
            ("10.20.0.21", "10.20.0.22", GATEWAY, "0.0.0.0", "192.0.2.1",
             "10.20.0.99"),
            ("10.20.0.22", "10.20.0.255", "255.255.255.255", GATEWAY,
             "192.0.2.5")):
        for more in ({}, {"fragment": 0x2000}, {"fragment": 3}, {"ttl": 1},
                     {"options": b"\x83\x07\x04\x0a\x14\x00\x16\0"}):
            yield ip4(src, dst, what, **more)
    for src, dst in itertools.product(
            ("fd20::21", "fd20::22", GATEWAY6, "fe80::1", "::",
             "2001:db8:1::1"),
            ("fd20::22", "ff02::1", GATEWAY6)):
        what = udp(src, dst, MARK)
        yield ip6(src, dst, what)
        for kind in (0, 43, 60):
            yield ip6(src, dst, what, (kind, b"\0\1\4\0\0\0\0"))
        for offset in (0, 1, 9):
            yield ip6(src, dst, what, (44, bytes([0, 0, offset, 0, 0, 0, 7])))


def no_way_to_another(lab, *settings):
    two = Two(lab, "isolated=true", *settings)
    a, b = mac_bytes(two.a.mac), mac_bytes(two.b.mac)
    to = (two.gateway_mac, b, b"\xff" * 6, b"\x33\x33\0\0\0\1",
          b"\2\2\2\2\2\2")
    arrived = two.b.namespace.packet_socket("eth0")
    two.send(dst + src + packet
             for dst, src in itertools.product(to, (a, b, two.gateway_mac))
             for packet in packets_to_another())
    with arrived:
        frames = iter(lambda: receive(arrived), None)
        equal([f.hex() for f in frames if MARK in f], [], "what arrived")
    two.b.must_ping(GATEWAY)


@test("nothing of a machine gets to another of an isolated segment",
      only="vsw")
def _(lab):
    no_way_to_another(lab)


@test("nor where an uplink is the way outside", only="vsw")
def _(lab):
    no_way_to_another(lab, *UPLINK)


LOOPBACK = ("127.0.0.1", "127.1.2.3", "0.0.0.0", GATEWAY, "10.20.0.0",
            "10.20.0.255", "255.255.255.255", "10.0.2.2", "169.254.1.1")
LOOPBACK6 = ("::1", "::", "::ffff:127.0.0.1", "::127.0.0.1",
             "64:ff9b::7f00:1", "2002:7f00:1::1", GATEWAY6, "fd20::",
             "fe80::1", "ff02::1", "::ffff:0:7f00:1", "fe80::2")


def listen_at_loopback(space, seen):
    """TCP and UDP at port 7777; who comes is added to `seen`."""
    def serve(call):
        try:
            while True:
                seen.append(call()[-1])
        except OSError:
            pass

    for family, ip in ((socket.AF_INET, "127.0.0.1"),
                       (socket.AF_INET6, "::1")):
        with space.entered():
            tcp = socket.create_server((ip, 7777), family=family)
            datagrams = socket.socket(family, socket.SOCK_DGRAM)
            datagrams.bind((ip, 7777))
        for call in (tcp.accept, lambda s=datagrams: s.recvfrom(100)):
            threading.Thread(target=serve, args=(call,), daemon=True).start()


@test("the host's loopback is reached by none of its names", only="vsw")
def _(lab):
    seen = []
    two = Two(lab)
    for name in ("lo", "all"):
        lab.sw_ns.sysctl(f"ipv6/conf/{name}/disable_ipv6", 0)
    lab.sw_ns.ip("addr", "replace", "::1/128", "dev", "lo", "nodad")
    listen_at_loopback(lab.sw_ns, seen)
    macs = two.gateway_mac + mac_bytes(two.a.mac)
    own, own6 = "10.20.0.21", "fd20::21"
    two.send(frame for dst, dst6 in itertools.zip_longest(
        LOOPBACK, LOOPBACK6, fillvalue=GATEWAY) for frame in (
            macs + ip4(own, dst, udp(own, dst, MARK)),
            macs + ip4(own, dst, syn(own, dst)),
            macs + ip6(own6, dst6, udp(own6, dst6, MARK)),
            macs + ip6(own6, dst6, syn(own6, dst6))))
    equal(seen, [], "who came")


# One of these at a time, while machines send.
CHANGES = (
    ("set-segment", "lab", "outside=host"),
    ("set-segment", "lab", *UPLINK),
    ("set-segment", "lab", "nat-sessions=1024"),
    ("set-segment", "lab", "nat-sessions=4096"),
    ("set-segment", "lab", "isolated=true"),
    ("set-segment", "lab", "isolated=false"),
    ("set-segment", "lab", "mtu=1400"),
    ("set-segment", "lab", "mtu="),
    ("set-segment", "lab", "dns=false"),
    ("set-segment", "lab", "dns=true"),
    ("--may-exist", "add-forward", "lab", "tcp", "2222", "10.20.0.21:22"),
    ("--if-exists", "del-forward", "lab", "tcp", "2222"),
    ("--may-exist", "add-segment", "other", "nat", "10.21.0.0/24",
     "outside=wan", "outside-address=192.0.2.6/24"),
    ("--if-exists", "del-segment", "other"),
    ("--may-exist", "add-segment", "third", "internal", "10.22.0.0/24"),
    ("--if-exists", "del-segment", "third"),
    ("--if-exists", "del-port", "lab", "vm3"),
    ("set", "Open_vSwitch", ".", "other_config:n-workers=1"),
    ("set", "Open_vSwitch", ".", "other_config:n-workers=2"),
)
SENDING = """
import itertools, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in itertools.count():
    to = (sys.argv[1 + i % (len(sys.argv) - 1)], 1 + i % 99)
    try:
        s.sendto(b"x" * (i * 37 % 3000), to)
    except OSError:
        pass
"""


@test("anything may change while machines send", only="vsw")
def _(lab):
    two = Two(lab)
    machines = (two.a, two.b)
    senders = [lab.spawn(m.namespace, "python3", "-c", SENDING, GATEWAY,
                         "192.0.2.1", "192.0.2.77", "10.20.0.99",
                         "10.20.0.22", "10.20.0.21") for m in machines]
    order = random.Random(5)
    for _ in range(3):
        for change in order.sample(CHANGES, len(CHANGES)):
            lab.switch.vsw_ctl(*change, check=False)
            lab.switch.app("segment/show", check=False)
    for sender in senders:
        sender.kill()
        sender.wait()
    lab.switch.vsw_ctl("set-segment", "lab", "outside=host",
                       "isolated=false", "dns=true")
    wait_until(lambda: machines[0].ping(machines[1].ip), "they are joined")
    for m in machines:
        m.must_ping(GATEWAY)
    lab.switch.vsw_ctl("del-segment", "lab")
    wait_until(lambda: "segment lab" not in lab.switch.app("segment/show"),
               "it is gone")
