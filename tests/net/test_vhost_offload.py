"""Large frames and unfinished checksums across vhost-user ports.

A frame of 64 KiB reaches whoever takes such frames as one; a receiver that
does not gets what the sender's own stack would have sent.
"""
import itertools
import os
import struct

from lib import netns
from lib.frame import Frame, frame, station
from lib.netns import wait_until
from lib.testing import equal, test
from lib.vhost_frontend import (GSO_ECN, OFFLOADS, OFFLOADS_IN, OFFLOADS_OUT,
                                Header)
from lib.vhost_guest import guest
from lib.vhost_memory import GuestMemory
from lib.vhost_offload import TCP, UDP, Flow

A, B = station(0xa), station(0xb)
KINDS = {"TCP over IPv4": (TCP, 4), "TCP over IPv6": (TCP, 6),
         "UDP over IPv4": (UDP, 4), "UDP over IPv6": (UDP, 6)}
MSS = {TCP: 1428, UDP: 1400}
ALL = {"add": OFFLOADS, "rx_layout": (4096,)}


def start(lab, vm2, **columns):
    """vm1 with all offloads, and vm2 as given, which is known to the FDB."""
    lab.start(monitor=False)
    one, two = guest(lab, "vm1", front=ALL), guest(lab, "vm2", front=vm2,
                                                   **columns)
    assert OFFLOADS <= one.front.features, \
        f"not offered: {sorted(OFFLOADS - one.front.features)}"
    return one.front, two.front


def flows(tags=()):
    for name, (proto, version) in KINDS.items():
        yield name, Flow(A, B, proto, version, tags), MSS[proto]


def say(name, check, *args):
    try:
        check(*args)
    except AssertionError as error:
        raise AssertionError(f"{name}: {error}") from error


def whole(lab, front, tags=()):
    vm1, vm2 = start(lab, front)
    for name, flow, mss in flows(tags):
        _, sent = flow.large(mss)
        for cuts in ((), (12,), (12 + flow.headers,), (7, 100, 5000)):
            vm1.send(sent, header=flow.header(mss), cuts=cuts)
            say(name, flow.check_whole, vm2.receive(), sent, mss)


@test("a 64 KiB frame goes from guest to guest as one: mergeable buffers",
      only="vsw")
def _(lab):
    whole(lab, ALL)


@test("a 64 KiB frame goes from guest to guest as one: packed, in order",
      only="vsw")
def _(lab):
    whole(lab, {**ALL, "add": OFFLOADS | {"RING_PACKED", "IN_ORDER"}})


@test("a 64 KiB frame goes from guest to guest as one: one chain of buffers",
      only="vsw")
def _(lab):
    whole(lab, {"add": OFFLOADS, "remove": {"MRG_RXBUF"}, "indirect_rx": True,
                "size": 16, "rx_layout": (12, *[4096] * 17)})


@test("a 64 KiB frame goes from guest to guest as one: with VLAN tags",
      only="vsw")
def _(lab):
    whole(lab, ALL, tags=(10,))


def cut(lab, vm2, finished, tags=(), seen=None, **columns):
    """vm2, which takes no large frames, gets segments."""
    vm1, vm2 = start(lab, vm2, **columns)
    for name, flow, mss in flows(tags):
        payload, sent = flow.large(mss)
        vm1.send(sent, header=flow.header(mss))
        count = -(-len(payload) // mss)
        vm2.wait(lambda c=count: len(vm2.frames) >= c,
                 f"{name}: {count} segments")
        got, vm2.frames = vm2.frames, []
        wanted = flow
        if seen is not None:
            wanted = Flow(A, B, flow.proto, flow.version, seen)
        say(name, wanted.check_segments, got, payload, mss, finished)


@test("a guest without offloads gets checksummed segments", only="vsw")
def _(lab):
    cut(lab, {"size": 256}, True)


@test("a guest with checksums only gets segments for it to finish",
      only="vsw")
def _(lab):
    vm1, vm2 = start(lab, {"add": {"GUEST_CSUM"}})
    for name, flow, mss in flows():
        payload, sent = flow.large(mss, 20000)
        vm1.send(sent, header=flow.header(mss))
        vm2.wait(lambda c=-(-len(payload) // mss): len(vm2.frames) >= c,
                 f"{name}: segments")
        got, vm2.frames = vm2.frames, []
        finished = not any(h.flags & 1 for h, _ in got)
        say(name, flow.check_segments, got, payload, mss, finished)


@test("segments carry the VLAN tags of the large frame", only="vsw")
def _(lab):
    cut(lab, {}, True, tags=(10, 20))


@test("segments lose the tag that an access port takes off", only="vsw")
def _(lab):
    cut(lab, {}, True, tags=(10,), seen=(), tag=10)


@test("a guest that takes TSO4 only gets the other kinds in segments",
      only="vsw")
def _(lab):
    vm1, vm2 = start(lab, {"add": {"GUEST_CSUM", "GUEST_TSO4"},
                           "rx_layout": (4096,)})
    for name, flow, mss in flows():
        payload, sent = flow.large(mss, 30000)
        vm1.send(sent, header=flow.header(mss))
        if flow.version == 4 and flow.proto == TCP:
            say(name, flow.check_whole, vm2.receive(), sent, mss)
            continue
        vm2.wait(lambda c=-(-len(payload) // mss): len(vm2.frames) >= c,
                 f"{name}: segments")
        got, vm2.frames = vm2.frames, []
        finished = not any(h.flags & 1 for h, _ in got)
        say(name, flow.check_segments, got, payload, mss, finished)


@test("a large frame marked ECN stays so where that is negotiated",
      only="vsw")
def _(lab):
    vm1, vm2 = start(lab, ALL)
    flow = Flow(A, B)
    _, sent = flow.large()
    vm1.send(sent, header=flow.header(1448, ecn=GSO_ECN))
    header, data = vm2.receive()
    equal(data, sent, "the frame")
    equal(header.gso_type, flow.gso_type | GSO_ECN, "its type")


@test("an unfinished checksum is finished for a guest that cannot",
      only="vsw")
def _(lab):
    vm1, vm2 = start(lab, {})
    for (name, flow, _), size in itertools.product(flows(), (0, 1, 101,
                                                             1400)):
        sent = flow.frame(os.urandom(size), flags=0x10)
        vm1.send(sent, header=flow.header())
        header, data = vm2.receive()
        equal(header._replace(num_buffers=0, flags=header.flags & ~2),
              Header(), f"{name}: the header")
        equal(data, flow.finished(sent), f"{name} with {size} bytes")


@test("an unfinished checksum stays so for a guest that finishes it",
      only="vsw")
def _(lab):
    vm1, vm2 = start(lab, ALL)
    for name, flow, _ in flows():
        sent = flow.frame(os.urandom(500), flags=0x10)
        vm1.send(sent, header=flow.header())
        say(name, flow.check_whole, vm2.receive(), sent, 0)


@test("fields that a header does not need are not passed through",
      only="vsw")
def _(lab):
    vm1, vm2 = start(lab, ALL)
    sent = frame(B, A, 200)
    vm1.send(sent, header=Header(hdr_len=14, gso_size=77, csum_start=50,
                                 csum_offset=60, num_buffers=9))
    header, data = vm2.receive()
    equal((header, data), (Header(num_buffers=1), sent), "what arrives")
    vm1.send(sent, header=Header(flags=2))
    equal(vm2.receive()[0].flags & 2, 0, "a guest's word for a checksum")


def raw_receive(lab, peer, count):
    """Frames at a raw port, as its veth gives them."""
    out = []

    def arrived():
        while (data := netns.receive(peer.sock)) is not None:
            out.append(Frame(data))
        return len(out) >= count
    wait_until(arrived, lambda: f"{count} frames; {len(out)} came")
    return out


@test("from guest to device: one frame where the device takes it",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    lab.ports({"raw": {}})
    vm1 = guest(lab, "vm1", front=ALL).front
    for name, flow, mss in flows():
        # the kernel's own limit is 65535 bytes with the Ethernet header
        _, sent = flow.large(mss, 64000)
        vm1.send(sent, header=flow.header(mss))
        got = raw_receive(lab, lab.peers["raw"], 1)
        assert got == [sent], f"{name}: {list(map(len, got))} bytes came, " \
            f"{len(sent)} were sent"


@test("from guest to device: segments where the device has no offloads",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    lab.wire("raw")
    lab.sw_ns.run("ethtool", "-K", "raw", "tx", "off", "tso", "off", "gso",
                  "off")
    lab.switch.ctl("add-port", "br0", "raw")
    lab.ports_known({"raw": {}})
    vm1 = guest(lab, "vm1", front=ALL).front
    for name, flow, mss in flows():
        payload, sent = flow.large(mss, 20000)
        vm1.send(sent, header=flow.header(mss))
        got = raw_receive(lab, lab.peers["raw"], -(-len(payload) // mss))
        say(name, flow.check_segments, [(None, f) for f in got], payload,
            mss)


class TapUser:
    """The other end of a tap: what a monitor with an old backend reads."""

    def __init__(self, lab, name):
        self.sock = None
        with lab.sw_ns.entered():
            self.sock = netns.socket.socket(netns.socket.AF_PACKET,
                                            netns.socket.SOCK_RAW, 0)
            self.sock.setsockopt(netns.SOL_PACKET, 15, 1)  # PACKET_VNET_HDR
            self.sock.bind((name, 3))
        self.sock.settimeout(20)

    def receive(self, length):
        """The first frame that is that long: (Header, bytes)."""
        while True:
            data = self.sock.recv(70000)
            if len(data) - 10 >= length:
                return Header.unpack(data[:10]), data[10:]


@test("from guest to tap: one frame with its header", only="vsw")
def _(lab):
    lab.start(monitor=False)
    lab.switch.ctl("add-port", "br0", "tap1", "--", "set", "Interface",
                   "tap1", "type=tap")
    lab.sw_ns.ip("link", "set", "tap1", "up")
    user = TapUser(lab, "tap1")
    vm1 = guest(lab, "vm1", front=ALL).front
    for name, flow, mss in flows():
        _, sent = flow.large(mss)
        vm1.send(sent, header=flow.header(mss))
        header, data = user.receive(len(sent))
        assert data == sent, f"{name}: {len(data)} bytes, not {len(sent)}"
        equal((header.gso_type, header.gso_size), (flow.gso_type, mss),
              f"{name}: the header")


@test("from a stack to a guest: TCP in large frames, if it takes them",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    host = lab.host("h1", "10.1.0.9/24")
    front = {**ALL, "memory": GuestMemory(64 << 20)}
    vm = guest(lab, "vm1", front=front).front
    host.run("ip", "neigh", "add", "10.1.0.1", "lladdr", A, "dev", "eth0")
    with host.namespace.entered():
        sock = netns.socket.socket(netns.socket.AF_INET,
                                   netns.socket.SOCK_DGRAM)
    with sock:
        sock.setsockopt(netns.socket.IPPROTO_UDP, 103, 1400)  # UDP_SEGMENT
        sock.connect(("10.1.0.1", 2000))
        payload = os.urandom(40000)
        sock.send(payload)
    vm.wait(lambda: any(len(d) > 40000 for _, d in vm.frames),
            "a frame of 40000 bytes")
    header, data = next(f for f in vm.frames if len(f[1]) > 40000)
    equal(data[42:], payload, "its payload")
    equal((header.gso_type, header.gso_size), (5, 1400), "its header")
    assert struct.unpack_from("!H", data, 38)[0] == len(data) - 34


@test("a guest is offered what it may offer: each feature can be left out",
      only="vsw")
def _(lab):
    vm1, vm2 = start(lab, {})
    for one in sorted(OFFLOADS_IN | OFFLOADS_OUT):
        assert one in vm2.offered, f"{one} is not offered"
    sent = frame(B, A, 1514)
    vm1.send(sent)
    equal(vm2.receive()[1], sent, "an ordinary frame")
