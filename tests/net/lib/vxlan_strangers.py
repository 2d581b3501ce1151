"""What a stranger sends to a VTEP: packets that are wrong in one way each,
and what becomes of them, and packets that are wrong in any way at all."""
import struct

from .frame import mac_bytes
from .netns import wait_until
from .raw_ip import address, ip4, ip6, put_csum
from .vxlan_frame import VNI, header, udp

LOCAL = "10.99.0.1"
REMOTE = "10.99.1.1"
FROM = b"\2\0\0\0\x99\x99"
ALL = b"\xff" * 6
BYTES = 100  # of a datagram's payload, where trains are made of them
TAGGED_VNI = 1010

SOL_PACKET, PACKET_VNET_HDR = 263, 15
NEEDS_CSUM, GSO_UDP_L4 = 1, 5


def inner(number=1, to=ALL, kind=0x88b5, payload=b"", size=BYTES - 8):
    """A frame of the station with that number."""
    head = to + struct.pack("!HIH", 0x0200, number, kind)
    return head + payload.ljust(size - len(head), b"\0")


def datagram(payload, length=None, port=4789, csum=False, src=REMOTE):
    data = udp(src, LOCAL, payload, dst_port=port, csum=csum)
    if length is not None:
        data = data[:4] + struct.pack("!H", length) + data[6:]
    return 17, data


def packet(payload=None, src=REMOTE, options=b"", fragment=0x4000, **how):
    if payload is None:
        payload = header() + inner()
    return ip4(src, LOCAL, datagram(payload, src=src, **how), fragment,
               options)


def spoil(data, at):
    return data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1:]


def mark(data, tos):
    """The type, then an IPv4 header; its checksum is made anew."""
    proto, payload = data[11], data[22:]
    made = ip4(REMOTE, LOCAL, (proto, payload), 0x4000)
    made = made[:3] + bytes([tos]) + made[4:12] + b"\0\0" + made[14:]
    total = sum(struct.unpack("!10H", made[2:22]))
    total = (total & 0xffff) + (total >> 16)
    return made[:12] + struct.pack("!H", ~total & 0xffff) + made[14:]


CONGESTED = inner(kind=0x0800, payload=ip4("10.0.0.1", "10.0.0.2",
                                           (17, bytes(8)))[2:])

# What the payload of a datagram becomes; None: it is delivered.
PAYLOADS = [
    (None, header() + inner()),
    (None, header(flags=0xff) + inner()),
    (None, header() + CONGESTED),
    ("vxlan-flags", header(flags=0) + inner()),
    ("vxlan-no-vni", header(vni=99) + inner()),
    ("vxlan-no-remote", header(vni=8) + inner()),
    ("vxlan-tag", header(vni=TAGGED_VNI) + inner(kind=0x8100)),
    ("bad-source", header() + ALL + b"\1" + bytes(BYTES - 15)),
    ("link-local", header() + inner(to=b"\1\x80\xc2\0\0\2")),
]

# The same of whole packets.
PACKETS = [(reason, packet(payload)) for reason, payload in PAYLOADS] + [
    (None, packet(csum=True)),
    (None, packet(options=b"\1" * 4)),
    (None, packet(options=b"\1" * 40)),
    (None, packet() + bytes(20)),
    ("vxlan-malformed", packet(header() + b"short")),
    ("vxlan-malformed", packet(b"\x08\0\0")),
    ("vxlan-malformed", packet(b"")),
    ("vxlan-malformed", packet(length=0)),
    ("vxlan-malformed", packet(length=65535)),
    ("vxlan-malformed", packet()[:-10]),
    ("vxlan-malformed", spoil(packet(), 2)),
    ("vxlan-checksum", spoil(packet(), 12)),
    ("vxlan-checksum", packet(csum=0x1234)),
    ("vxlan-checksum", spoil(packet(csum=True), 60)),
    ("vxlan-fragment", packet(fragment=0x2000)),
    ("vxlan-fragment", packet(fragment=0x2001)),
    ("vxlan-self", packet(src=LOCAL)),
    ("vxlan-no-remote", packet(src="239.1.1.1")),
    ("vxlan-no-remote", packet(src="127.0.0.1")),
    ("vxlan-no-remote", packet(src="0.0.0.0")),
    ("vxlan-no-remote", packet(src="255.255.255.255")),
    ("vxlan-ecn", mark(packet(header() + CONGESTED), 3)),
]


def train(mac, payloads):
    """Datagrams in one packet, behind a virtio_net_hdr."""
    _, data = datagram(b"".join(payloads))
    return struct.pack("<BBHHHH", NEEDS_CSUM, GSO_UDP_L4, 42, len(payloads[0]),
                       34, 6) + mac + FROM + ip4(REMOTE, LOCAL, (17, data))


class Chance:
    """Packets by chance: of a random.Random, to a VTEP with that MAC."""

    def __init__(self, r, mac):
        self.r, self.mac = r, mac

    def cut(self, data, odds=.05):
        if self.r.random() >= odds:
            return data
        return data[:self.r.randrange(len(data) + 1)]

    def tcp(self):
        data = bytes(self.r.randrange(1000))
        segment = struct.pack(
            "!HHIIBBHHH", 80, 81, self.r.choice((1, 1 + len(data))), 1,
            self.r.choice((0x50, 0x50, 0x80, 0xf0, 0)),
            self.r.choice((0x10, 0x18, 0xd0, 2)), 100, 0, 0) + data
        return 6, put_csum(segment, 16, 6, "10.0.0.1", "10.0.0.2")

    def body(self):
        """With its type."""
        r = self.r
        return r.choice((
            lambda: ip4("10.0.0.1", "10.0.0.2", self.tcp(),
                        r.choice((0x4000, 0x2000, 1)),
                        r.choice((b"", b"\1" * 40))),
            lambda: ip6("fd00::1", "fd00::2", self.tcp()),
            lambda: struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1) +
            r.randbytes(20),
            lambda: ip6("fd00::1", "ff02::1:ff00:2",
                        (58, b"\x87" + bytes(7) + address("fd00::2") +
                         r.randbytes(8))),
            lambda: r.randbytes(r.randrange(300))))()

    def frame(self):
        r = self.r
        head = r.choice((ALL, b"\2\0\0\0\0\1", b"\x33\x33\xff\0\0\2")) + \
            struct.pack("!HI", r.choice((0x200, 0x300)), r.randrange(9))
        tags = b"".join(struct.pack("!HH", 0x8100, r.randrange(4096))
                        for _ in range(r.choice((0, 0, 0, 1, 2, 5))))
        return self.cut(head + tags + self.body())

    def vxlan(self, depth=0):
        frame = self.frame()
        if depth < 5 and self.r.random() < .1:
            frame = ALL + b"\2\0\0\0\0\3" + packet(self.vxlan(depth + 1))
        return self.cut(header(
            self.r.choice((VNI, VNI, 8, TAGGED_VNI, 99)),
            self.r.choice((8, 8, 8, 0, 0xff))) + frame)

    def outer(self):
        r = self.r
        whole = packet(
            self.vxlan()[:1400], csum=r.choice((False, True, 7)),
            src=r.choice((REMOTE, LOCAL, "127.0.0.1", "239.1.1.1",
                          f"10.{r.choice((98, 99))}.7.{r.randrange(256)}")),
            options=r.choice((b"", b"", b"\1" * 4, b"\1" * 40)),
            fragment=r.choice((0x4000, 0x4000, 0x2000, 3)),
            length=r.choice((None, None, None, r.randrange(65536))))
        if r.random() < .1:
            whole = ip6("fd99::2", "fd99::1", datagram(self.vxlan()[:1300]),
                        r.choice((None, (0, bytes((0, 5, 2, 0, 0, 1, 0))),
                                  (44, bytes(7)), (60, b"\xff" * 7))))
        tags = struct.pack("!HH", 0x8100, r.choice((0, 30, 4095))) * \
            r.choice((0, 0, 0, 0, 1, 3))
        to = r.choice((self.mac, self.mac, self.mac, ALL))
        return self.cut(to + FROM + tags + whole)[:1500].ljust(14, b"\0")

    def train(self):
        """No two are of the length that the header says."""
        size = self.r.choice((1, 7, 22, BYTES, 500, 1400))
        parts = [self.vxlan()[:size].ljust(size, b"\0")
                 for _ in range(self.r.randrange(1, min(65, 60000 // size)))]
        parts[-1] = parts[-1][:self.r.randrange(1, size + 1)]
        return train(self.mac, parts)


class Attacked:
    """The switch under test with a VXLAN port of a static remote by an address
    on the bridge wan, on which is a raw port."""

    def __init__(self, lab, **options):
        self.switch = lab.switch
        lab.start("br0", "wan", monitor=False)
        lab.ports({"atk": {}}, bridge="wan")
        lab.ports({"in0": {}}, bridge="br0")
        self.outside, self.inside = lab.peers["atk"], lab.peers["in0"]
        self.vtep("vx0", **{"remote_ip": "flow", "remotes": REMOTE,
                            "key": VNI, **options})
        wait_until(self.station_mac, "the VTEP is in the FDB")
        self.mac = self.station_mac()

    def vtep(self, name, bridge="br0", **options):
        options = {"underlay": "wan", "local_ip": f"{LOCAL}/16", **options}
        self.switch.ctl("add-port", bridge, name, "--", "set", "Interface",
                        name, "type=vxlan",
                        *(f"options:{key.replace('_map', '-map')}=\"{value}\""
                          for key, value in options.items()))

    def station_mac(self):
        return next((mac_bytes(mac) for (_, mac), (_, age) in
                     self.switch.fdb("wan").items() if age == "static"), None)

    def drops(self):
        """{reason: packets} at the VTEP's port, or at VXLAN ports."""
        found = {}
        for drop in self.switch.command("drops"):
            if drop["port"].startswith(("vx", "wan.vtep")):
                found[drop["reason"]] = found.get(drop["reason"], 0) + \
                    drop["packets"]
        return found

    def learned(self):
        return {remote["address"]
                for remote in self.switch.command("vtep/show", "vx0")[0][
                    "remotes"] if remote["origins"] == ["learned"]}
