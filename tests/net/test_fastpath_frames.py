"""Frames of all kinds with the fast path on and off: random ones, such as no
well-behaved machine sends, large ones, and ports with other MTUs."""
import random
import struct

from lib.fastpath import (Large, Step, both_ways, is_fast, length_field, raw,
                          take_offloads, whole)
from lib.frame import BROADCAST, C_TAG, S_TAG, Frame, frame, station
from lib.netns import wait_until
from lib.testing import test
from lib.vhost_frontend import Header
from lib.vhost_offload import TCP, UDP, Flow

PORTS = {
    "acc10": {"tag": 10},
    "acc20": {"tag": 20},
    "trunk": {},
    "some": {"trunks": [10, 20, 30]},
    "nt10": {"vlan_mode": "native-tagged", "tag": 10},
    "nu10": {"vlan_mode": "native-untagged", "tag": 10, "trunks": [20]},
}
GROUPS = [BROADCAST, "01:00:5e:00:00:05", "33:33:00:00:00:01",
          "01:80:c2:00:00:00", "01:80:c2:00:00:0e", "01:80:c2:00:00:21",
          "01:00:0c:cc:cc:cc", "00:00:00:00:00:00"]
LONGEST = 1518  # that the end of a veth takes with an MTU of 1500
BAD_SOURCES = ["00:00:00:00:00:00", BROADCAST, "01:00:5e:00:00:01"]
VIDS = [0, 1, 10, 20, 30, 4094, 4095]
UNKNOWN = [station(0xdead00 + i) for i in range(4)]
MOVING = [station(0x660000 + i) for i in range(4)]


def home(port, number=0):
    return station(0x1000 + 16 * list(PORTS).index(port) + number)


def learning(ports):
    """Two stations a port, in each VLAN there is."""
    for port in ports:
        for number in (0, 1):
            plain = frame(src=home(port, number))
            yield Step(port, plain)
            for vid in (10, 20, 30, 4094):
                yield Step(port, plain.tagged(vid))


def random_body(rng):
    """From the type on."""
    kind = rng.randrange(8)
    if kind == 0:  # 802.3 with LLC
        length = rng.choice([3, 46, 200, 1500])
        return struct.pack("!H", length) + b"\x42\x42\3" + \
            rng.randbytes(max(43, length - 3))
    if kind == 1:  # no padding
        return b"\x88\xb5" + rng.randbytes(rng.randrange(0, 46))
    if kind == 2:  # at the MTU's edge
        return b"\x88\xb5" + rng.randbytes(rng.randrange(1498, 1505))
    if kind == 3:  # what calls itself ARP, IPv4, IPv6, MPLS or LLDP
        kind = rng.choice([0x0806, 0x0800, 0x86dd, 0x8847, 0x88cc, 0x8809])
        return struct.pack("!H", kind) + rng.randbytes(rng.randrange(46, 200))
    return b"\x88\xb5" + rng.randbytes(rng.randrange(46, 600))


def random_tags(rng):
    """[(type, tag control information)] from the inside out."""
    count = rng.choice([0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 5, 8])
    types = [C_TAG, C_TAG, C_TAG, S_TAG, 0x9100]
    return [(rng.choice(types), rng.choice(VIDS) |
             rng.choice([0, 0, 0x1000, 0xa000, 0xf000]))
            for _ in range(count)]


def random_step(rng):
    source, sink = rng.choices(list(PORTS), k=2)
    src, dst = home(source, rng.randrange(2)), home(sink, rng.randrange(2))
    alone, fast = False, source != sink
    what = rng.randrange(16)
    if what == 0:
        dst, fast = rng.choice(GROUPS), False
    elif what == 1:
        dst, fast = rng.choice(UNKNOWN), False
    elif what == 2:
        src, fast = rng.choice(BAD_SOURCES), False
    elif what in (3, 4):
        # Where it is known decides whether the kernel may: anything goes.
        src, alone, fast = rng.choice(MOVING), True, None
    elif what == 5:
        dst, fast = rng.choice(MOVING), None
    one = raw(dst, src, random_body(rng))
    for tpid, tci in random_tags(rng):
        one = one.tagged(tci & 0xfff, tci >> 13, tpid, tci >> 12 & 1)
    if fast:
        fast = is_fast(PORTS[source], PORTS[sink], one)
        tags = one.tags()
        if one[12 + 4 * len(tags):][:2] == b"\x91\x00":
            fast = None if fast else False
        if tags and tags[0][1] & 0xfff == 1:  # nobody is known in VLAN 1
            fast = False
    elif fast is None and not is_fast_at_all(one):
        fast = False
    while len(one) > LONGEST:
        one = one.untagged() if one.tags() else Frame(one[:LONGEST])
        fast = fast and None
    if len(one) - 4 * len(one.tags()) > 1514:
        fast = False
    return Step(source, one, alone, fast)


def is_fast_at_all(one):
    return is_fast({}, {}, one) is not False


@test("random frames are forwarded and dropped as userspace does",
      only="vsw")
def _(lab):
    lab.start().ports(PORTS)
    for port in PORTS:  # so that giants come
        lab.far_ns.ip("link", "set", port, "mtu", "1600")
    rng = random.Random(9)
    steps = [random_step(rng) for _ in range(2500)]
    assert sum(step.fast is True for step in steps) > 200
    both_ways(lab, list(learning(PORTS)), steps)


@test("frames cut short or with a length for a type are treated alike",
      only="vsw")
def _(lab):
    lab.start().ports({"acc10": {"tag": 10}, "trunk": {}})
    src, dst = home("trunk"), home("acc10")
    steps = []
    for vid in (None, 10):
        tag = b"" if vid is None else struct.pack("!HH", C_TAG, vid)
        for length in range(2, 50):  # the kernel takes no shorter tagged one
            one = raw(dst, src, tag + b"\x88\xb5" + bytes(length))
            steps.append(Step("trunk", one, fast=vid == 10))
            one = raw(src, dst, b"\x88\xb5" + bytes(length))
            steps.append(Step("acc10", one, fast=True))
    for cut in (b"\x81\x00", b"\x81\x00\x00", b"\x81\x00\x00\x0a",
                b"\x81\x00\x00\x0a\x88", b"\x88\xa8\x00",
                b"\x81\x00\x00\x0a\x81\x00", b"\x81\x00\x00\x0a\x81\x00\x00"):
        steps.append(Step("trunk", raw(dst, src, cut), fast=None))
    steps += [Step("acc10", length_field(src, dst, n), fast=True)
              for n in (3, 46, 100, 1500)]
    both_ways(lab, list(learning(["acc10", "trunk"])), steps)


def set_mtu(lab, port, mtu, far=None):
    lab.sw_ns.ip("link", "set", port, "mtu", str(mtu))
    lab.far_ns.ip("link", "set", port, "mtu", str(far or mtu))
    wait_until(lambda: lab.switch.get("Interface", port, "mtu") == mtu,
               f"{port}'s MTU is {mtu}")


@test("frames as long as a port's MTU pass, longer ones are dropped, counted",
      only="vsw")
def _(lab):
    ports = {name: PORTS[name] for name in ("acc10", "trunk", "nu10")}
    lab.start().ports(ports)
    mtus = {"acc10": 1500, "trunk": 1000, "nu10": 2000}
    for port, mtu in mtus.items():
        set_mtu(lab, port, mtu, 3000)
    steps = []
    for source in ports:
        for sink in ports:
            edges = {60, *(mtu + 14 + more for mtu in mtus.values()
                           for more in range(-1, 6))}
            for length in sorted(edges):
                plain = frame(home(sink), home(source), length=length)
                fits = length <= 14 + min(mtus[source], mtus[sink])
                for one in (plain, plain.tagged(10), plain.tagged(10, pcp=3)):
                    if len(one) > mtus[source] + 18:
                        continue  # a veth's end takes no more
                    fast = source != sink and fits and \
                        is_fast(ports[source], ports[sink], one)
                    steps.append(Step(source, one, fast=fast))
    both_ways(lab, list(learning(ports)), steps)


def large_steps(ports, mtus):
    for source in ports:
        for sink in ports:
            for proto, version, tags in (
                    (TCP, 4, ()), (TCP, 6, ()), (TCP, 4, (10,)),
                    (TCP, 6, (10,)), (UDP, 4, (10,)), (TCP, 4, (20, 10))):
                flow = Flow(home(source), home(sink), proto, version, tags)
                headers = flow.headers - 14 - 4 * len(tags)
                for mss, size in ((1000, 1400), (1000, 20000), (1400, 60000),
                                  (1948, 30000), (8000, 60000), (100, 6000)):
                    one = whole(flow, bytes(i & 255 for i in range(size)),
                                mss)
                    # what UDP is cut into the kernel's program cannot tell
                    fits = proto == TCP and mss + headers <= mtus[sink]
                    fast = source != sink and fits and \
                        is_fast(ports[source], ports[sink], one)
                    yield Step(source, one, fast=fast)
            # a checksum alone
            flow = Flow(home(source), home(sink))
            one = whole(flow, b"x" * 100, 0)
            yield Step(source, one, fast=source != sink and
                       is_fast(ports[source], ports[sink], one))


@test("GSO packets stay whole in the kernel, or go where they must",
      only="vsw")
def _(lab):
    ports = {name: PORTS[name] for name in ("acc10", "trunk", "nu10")}
    lab.start().ports(ports)
    take_offloads(lab, *ports)
    mtus = {"acc10": 1500, "trunk": 1200, "nu10": 2000}
    for port, mtu in mtus.items():
        set_mtu(lab, port, mtu, 9000)
    both_ways(lab, list(learning(ports)), list(large_steps(ports, mtus)))


def spoiled(rng, one):
    """The frame with an offload header that may contradict it, or a byte of
    its headers changed. Where a checksum is to be written no program of the
    kernel can see; that it lies in the frame the kernel has checked."""
    fields = one.header._asdict()
    for _ in range(rng.randrange(3)):
        name = rng.choice(["flags", "gso_type", "hdr_len", "gso_size"])
        fields[name] = rng.choice([
            0, 1, 4, 5, 0x80, 0x81, fields[name] ^ 1 << rng.randrange(8),
            max(0, fields[name] + rng.randrange(-20, 20)),
            rng.randrange(65536)]) & (
                0xff if name in ("flags", "gso_type") else 0xffff)
    if fields["gso_type"] & 0x7f == 3:  # fragments get random numbers
        fields["gso_type"] ^= 2
    data = bytearray(one)
    for _ in range(rng.randrange(3)):
        data[rng.randrange(12, min(90, len(data)))] ^= 1 << rng.randrange(8)
    if not rng.randrange(6):
        del data[rng.randrange(14, len(data)):]
    return Large.of(Header(**fields), bytes(data))


@test("packets whose offload headers lie end as they do in userspace",
      only="vsw")
def _(lab):
    ports = {name: PORTS[name] for name in ("acc10", "nt10")}
    lab.start().ports(ports)
    take_offloads(lab, *ports)
    rng = random.Random(7)
    steps = []
    for _ in range(1500):
        source, sink = rng.sample(list(ports), 2)
        flow = Flow(home(source), home(sink), rng.choice([TCP, TCP, UDP]),
                    rng.choice([4, 6]), rng.choice([(), (), (10,)]))
        one = whole(flow, rng.randbytes(rng.choice([10, 500, 1400, 5000])),
                    rng.choice([0, 100, 1000, 1400]))
        steps.append(Step(source, spoiled(rng, one)))
    fast = both_ways(lab, list(learning(ports)), steps)
    assert fast["acc10"][0] > 50, f"by the kernel: {fast}"
