"""What outer packets look like, and what their headers do to the inner frame:
a forged VTEP 2 sees each as it was on the wire, and makes its own.

Ports p1 and p2 of the switch under test are raw, 02:... are stations there.
"""
import os

from lib.frame import frame, station
from lib.netns import receive, wait_until
from lib.overlay import Forger, Tested, Wire, inner_address
from lib.testing import contains, equal, test
from lib.vxlan_frame import VNI, inner_ip, tos_of

NEAR, FAR, OTHER = station(1), station(0x22), station(0x33)
NOT_ECT, ECT1, ECT0, CE = range(4)
WAYS = [("", False, False), (" over IPv6", True, False),
        (", by an uplink's bridge", False, True),
        (" over IPv6, by an uplink's bridge", True, True)]


def start(lab, ipv6=False, uplink=False, **options):
    """(tested, forger): each knows of the other, and has heard a station."""
    wire = Wire(lab, 1500, ipv6)
    tested = Tested(lab, wire, uplink)
    tested.add(2, **options)
    lab.ports({"p1": {}})
    wire.as_on_a_wire(lab.sw_ns)
    forger = Forger(lab, wire, 2).meet()
    arrives(lab, forger, frame(NEAR, FAR))
    return tested, forger


def arrives(lab, forger, inner, at="p1", expected=None, **fields):
    """What the forger sends around a frame comes out as `expected`."""
    forger.send(inner, **fields)
    wanted = inner if expected is None else expected
    lab.pump(lambda: wanted in lab.peers[at].received,
             lambda: f"{wanted} arrives at {at}; there are "
             f"{lab.peers[at].received}")


def encapsulated(lab, forger, inner, port="p1", what=None):
    lab.send(port, inner)
    return forger.wait_for(inner if what is None else what)


for name, ipv6, uplink in WAYS:
    @test(f"headers as RFC 7348 has them{name}",
          only="vsw" if uplink else None)
    def _(lab, ipv6=ipv6, uplink=uplink):
        _, forger = start(lab, ipv6, uplink)
        ports = set()
        for i in range(24):
            # The same flow twice: the same port.
            both = {encapsulated(lab, forger, inner_ip(
                FAR, NEAR, "10.0.0.1", "10.0.0.2", ports=(1000 + i, 7),
                payload=bytes([i, k] * 20))).src_port for k in (1, 2)}
            equal(len(both), 1, "source ports of a flow")
            ports |= both
        assert len(ports) > 3, f"source ports of 24 flows: {ports}"
        one = encapsulated(lab, forger, frame(FAR, NEAR, length=1000))
        equal((one.version, one.src, one.dst, one.dst_port),
              (6 if ipv6 else 4, forger.wire.remote(1), forger.ip, 4789),
              "the outer packet")
        equal((one.flags, one.vni, one.reserved), (8, VNI, (0, 0)),
              "the VXLAN header")
        equal((one.ttl, one.tos, one.udp_len), (64, 0, 1016), "TTL, TOS, size")
        if not ipv6:
            equal((one.df, one.fragment, one.csum), (True, 0, 0),
                  "don't fragment, fragment, no checksum")


ECN_OUT = {(inner, outer): outer if outer == CE else inner
           for inner in (ECT0, ECT1, CE) for outer in range(4)}
ECN_OUT.update({(ECT0, ECT1): ECT1, (CE, ECT0): CE, (CE, ECT1): CE})
# RFC 6040 figure 4; (NOT_ECT, CE) is dropped.
ECN_OUT.update({(NOT_ECT, outer): NOT_ECT for outer in (NOT_ECT, ECT0, ECT1)})


def addresses(ipv6):
    return inner_address(2, ipv6), inner_address(1, ipv6)


for name, ipv6, uplink in WAYS:
    @test(f"ECN marks follow RFC 6040, both ways{name}", only="vsw")
    def _(lab, ipv6=ipv6, uplink=uplink):
        tested, forger = start(lab, ipv6, uplink)
        for inner_v6 in (False, True):
            far, near = addresses(inner_v6)
            for inner in range(4):
                lab.forget()
                out = inner_ip(FAR, NEAR, near, far, tos=0x28 | inner)
                equal(encapsulated(lab, forger, out).tos, inner,
                      f"outer TOS of inner {inner}")
                for outer in range(4):
                    check_in(lab, forger, near, far, inner, outer)
        wait_until(lambda: tested.drops().get("vxlan-ecn") == 2,
                   lambda: f"two are dropped; there are {tested.drops()}")


def check_in(lab, forger, near, far, inner, outer):
    """The DSCP stays the inner one."""
    sent = inner_ip(NEAR, FAR, far, near, tos=0x28 | inner)
    if (inner, outer) not in ECN_OUT:
        forger.send(sent, tos=0x40 | outer)
        return
    arrives(lab, forger, sent, tos=0x40 | outer, expected=inner_ip(
        NEAR, FAR, far, near, tos=0x28 | ECN_OUT[inner, outer]))


def outer_of(lab, forger, tos, ttl, ipv6=False):
    far, near = addresses(ipv6)
    one = encapsulated(lab, forger, inner_ip(FAR, NEAR, near, far, tos=tos,
                                             ttl=ttl, payload=os.urandom(26)))
    return one.tos, one.ttl


for name, ipv6, uplink in WAYS:
    @test(f"TOS and TTL are fixed or inherited{name}",
          only="vsw" if uplink else None)
    def _(lab, ipv6=ipv6, uplink=uplink):
        tested, forger = start(lab, ipv6, uplink, tos=0x48, ttl=9)
        equal(outer_of(lab, forger, 0x2a, 33), (0x4a, 9), "tos=0x48 ttl=9")
        tested.switch.ctl("set", "Interface", "vx0", "options:tos=inherit",
                          "options:ttl=inherit")
        wait_until(lambda: outer_of(lab, forger, 0x2a, 33) == (0x2a, 33),
                   "TOS and TTL are the inner ones")
        equal(outer_of(lab, forger, 0x54, 44, ipv6=True), (0x54, 44),
              "of an IPv6 packet")
        # On the way in the inner TTL is as it was.
        sent = inner_ip(NEAR, FAR, *addresses(False), ttl=5)
        arrives(lab, forger, sent, ttl=200)
        equal(tos_of(lab.peers["p1"].received[-1]), (0, 5), "TOS and TTL")


@test("stations are learned where they are heard; others are flooded to, once",
      only="vsw")
def _(lab):
    wire = Wire(lab)
    tested = Tested(lab, wire)
    tested.add([2, 3])
    lab.ports({"p1": {}, "p2": {}})
    wire.as_on_a_wire(lab.sw_ns)
    second, third = (Forger(lab, wire, n).meet() for n in (2, 3))
    arrives(lab, second, frame(src=FAR))
    assert third.collect() == [], "what came from a tunnel went into one"
    lab.pump(lambda: lab.peers["p2"].received, "it is flooded to p2")
    known, unknown = frame(FAR, NEAR), frame(OTHER, NEAR)
    lab.send("p1", known, unknown, frame(src=NEAR))
    last = frame(src=NEAR)
    lab.send("p1", last)
    for one in (second, third):
        one.wait_for(last)
        equal(sum(o.inner == unknown for o in one.collect()), 1,
              "copies of a frame to nobody that is known")
    equal([o for o in third.collect() if o.inner == known], [],
          "what is for a station behind the other")
    # It moves to the other VTEP.
    arrives(lab, third, frame(src=FAR))
    moved = frame(FAR, NEAR)
    lab.send("p1", moved)
    third.wait_for(moved)
    line = next(line for line in tested.switch.app(
        "fdb/show", "br0").splitlines() if FAR in line)
    contains(line, "vtep=192.0.2.3", "the FDB")


@test("a VTEP that is heard right after the start is not forgotten at once",
      only="vsw")
def _(lab):
    wire = Wire(lab)
    tested = Tested(lab, wire)
    tested.add("flow")
    lab.ports({"p1": {}})
    forger = Forger(lab, wire, 2).meet()
    arrives(lab, forger, frame(src=FAR))

    def shown():
        return tested.switch.command("vtep/show")[0]["remotes"]
    wait_until(shown, "the VTEP is learned")
    # Until it has been looked at: statistics are written by a later tick.
    tested.switch.set("Open_vSwitch", ".", other_config={
        "stats-update-interval": 1000})
    wait_until(lambda: tested.switch.get("Interface", "vx0", "statistics").get(
        "rx_packets"), "statistics")
    assert shown(), "the VTEP is forgotten"


@test("remote stations age", only="vsw")
def _(lab):
    tested, _ = start(lab)
    contains(tested.switch.app("fdb/show", "br0"), FAR, "the FDB")
    tested.switch.ctl("set", "Bridge", "br0", "other_config:mac-aging-time=1")
    wait_until(lambda: FAR not in tested.switch.app("fdb/show", "br0"),
               "the station is forgotten", timeout=40, interval=0.5)


@test("IPv6 without checksums, if csum=false", only="vsw")
def _(lab):
    _, forger = start(lab, ipv6=True, csum="false")
    arrives(lab, forger, frame(NEAR, FAR), csum=False)
    equal(encapsulated(lab, forger, frame(FAR, NEAR)).csum, 0,
          "the checksum")


@test("Q-in-VNI: a customer's tags cross as they are")
def _(lab):
    wire = Wire(lab)
    tested = Tested(lab, wire)
    tested.switch.ctl("set", "Open_vSwitch", ".",
                      "other_config:vlan-limit=2")
    tested.add(2)
    columns = ["vlan_mode=dot1q-tunnel", "tag=100"]
    tested.switch.ctl("set", "Port", "vx0", *columns)
    lab.ports({"p1": {"vlan_mode": "dot1q-tunnel", "tag": 100},
               "p2": {"tag": 100}, "p3": {"tag": 200}})
    forger = Forger(lab, wire, 2).meet()
    for vid in (0, 5, 4094):
        tagged = frame(src=FAR).tagged(vid, pcp=3)
        arrives(lab, forger, tagged)
        out = frame(src=NEAR).tagged(vid, pcp=5)
        encapsulated(lab, forger, out)
    equal(lab.peers["p3"].received, [], "frames in another service VLAN")


@test("a trunk with one VNI keeps tags, of both kinds")
def _(lab):
    tested, forger = start(lab)
    for inner in (frame(src=FAR).tagged(7), frame(src=FAR)):
        arrives(lab, forger, inner)
    for inner in (frame(src=NEAR).tagged(7, pcp=2), frame(src=NEAR)):
        encapsulated(lab, forger, inner)
    equal(tested.switch.kind == "vsw" and tested.drops() or {}, {}, "drops")


@test("reserved bits are ignored, or refused by choice", only="vsw")
def _(lab):
    tested, forger = start(lab)
    odd = [{"vxlan_flags": 0x88}, {"vxlan_flags": 0x0f},
           {"reserved": (0xffffff, 0)}, {"reserved": (0, 0xff)}]
    for fields in odd:
        arrives(lab, forger, frame(NEAR, FAR), **fields)
    tested.switch.ctl("set", "Interface", "vx0",
                      "options:reserved-bits=refuse")
    lab.forget()
    for fields in odd:
        forger.send(frame(NEAR, FAR), **fields)
    last = frame(NEAR, FAR)
    arrives(lab, forger, last)
    equal(lab.peers["p1"].received, [last], "what arrives")
    equal(tested.drops(), {"vxlan-flags": len(odd)}, "drops")


@test("the underlay's tag is on what looks for a next hop", only="vsw")
def _(lab):
    wire = Wire(lab)
    tested = Tested(lab, wire, uplink=True)
    tested.add(2, underlay__tag=30)
    lab.ports({"p1": {}})
    spy = wire.ns.packet_socket("u1")
    seen = []

    def tagged():
        while (data := receive(spy)) is not None:
            seen.append(data)
        return any(d[12:16] == b"\x81\x00\x00\x1e" for d in seen)
    wait_until(tagged, lambda: f"a tagged frame; there are {seen}")
