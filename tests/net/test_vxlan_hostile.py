"""Outer packets that are bad, or not for us: each ends with its reason
counted, and good ones pass before and after.
"""
import struct

from lib.frame import BROADCAST, frame, station
from lib.netns import wait_until
from lib.overlay import Forger, Tested, Wire, address
from lib.testing import contains, equal, test
from lib.vxlan_frame import ethernet, header, ipv4, udp

NEAR, FAR = station(1), station(0x22)


def start(lab, ipv6=False, uplink=False, remote=2, **options):
    wire = Wire(lab, 1500, ipv6)
    tested = Tested(lab, wire, uplink)
    tested.add(remote, **options)
    lab.ports({"p1": {}})
    wire.as_on_a_wire(lab.sw_ns)
    forger = Forger(lab, wire, 2).meet()
    check(lab, tested, forger, [], {})
    return tested, forger


def check(lab, tested, forger, bad, drops, at="p1"):
    """
    None of the bad outer packets has an effect but on these counters, and a
    good one behind them arrives.
    """
    before = tested.drops()
    lab.forget()
    for one in bad:
        forger.send_raw(one)
    good = frame(NEAR, FAR)
    forger.send(good)
    lab.pump(lambda: good in lab.peers[at].received, "a good one arrives")
    equal(lab.peers[at].received, [good], "what arrives")

    def counted():
        now = tested.drops()
        return {key: now[key] - before.get(key, 0) for key in now
                if now[key] != before.get(key, 0)}
    wait_until(lambda: counted() == drops, lambda: f"{drops} is counted; "
               f"there are {counted()}", timeout=10)


def ways(claim):
    """The test by both underlays."""
    def register(function):
        for name, uplink in (("", False), (", by an uplink's bridge", True)):
            @test(claim + name, only="vsw")
            def _(lab, uplink=uplink):
                function(lab, uplink)
        return function
    return register


@ways("truncated packets, and inner frames that are none")
def _(lab, uplink):
    tested, forger = start(lab, uplink=uplink)
    whole = frame(NEAR, FAR)
    # UDP datagrams that end within the headers.
    bad = [forger.outer(b"", head=header()[:n]) for n in range(1, 8)]
    bad += [forger.outer(whole[:n]) for n in (0, 1, 6, 13)]
    check(lab, tested, forger, bad, {"vxlan-malformed": len(bad)})


@test("lengths that contradict each other", only="vsw")
def _(lab):
    tested, forger = start(lab, uplink=True)
    bad = []
    for udp_len in (7, 15, 21, 2000, 65535):
        one = bytearray(forger.outer(frame(NEAR, FAR)))
        one[38:40] = struct.pack("!H", udp_len)
        bad.append(bytes(one))
    check(lab, tested, forger, bad, {"vxlan-malformed": len(bad)})


@ways("another VNI")
def _(lab, uplink):
    tested, forger = start(lab, uplink=uplink)
    bad = [forger.outer(frame(NEAR, FAR), vni=vni)
           for vni in (0, 6, 8, 7 << 8, 0xffffff)]
    check(lab, tested, forger, bad, {"vxlan-no-vni": len(bad)})


@ways("no VNI at all, by its flag")
def _(lab, uplink):
    tested, forger = start(lab, uplink=uplink)
    bad = [forger.outer(frame(NEAR, FAR), vxlan_flags=flags)
           for flags in (0, 0xf7)]
    check(lab, tested, forger, bad, {"vxlan-flags": len(bad)})


@ways("a sender that is no remote VTEP")
def _(lab, uplink):
    tested, forger = start(lab, uplink=uplink)
    bad = [forger.outer(frame(NEAR, FAR), src=address(9))] * 3
    check(lab, tested, forger, bad, {"vxlan-no-remote": 3})


@ways("a sender that has our own address")
def _(lab, uplink):
    tested, forger = start(lab, uplink=uplink, remote=[2, 3])
    bad = [forger.outer(frame(NEAR, FAR), src=address(1))] * 2
    if uplink:
        check(lab, tested, forger, bad, {"vxlan-self": 2})
    else:
        # The kernel drops them as martians before any socket has them.
        check(lab, tested, forger, bad, {})


@ways("inner tags where VLANs are told by VNI")
def _(lab, uplink):
    wire = Wire(lab)
    tested = Tested(lab, wire, uplink)
    tested.add(2, key="flow", vni__map='"10=7"')
    lab.ports({"p1": {"tag": 10}})
    forger = Forger(lab, wire, 2).meet()
    bad = [forger.outer(frame(NEAR, FAR).tagged(vid)) for vid in (0, 10, 20)]
    check(lab, tested, forger, bad, {"vxlan-tag": len(bad)})


@test("fragments and wrong checksums of outer packets", only="vsw")
def _(lab):
    tested, forger = start(lab, uplink=True)
    inner = frame(NEAR, FAR)
    fragments = [forger.outer(inner, flags=flags) for flags in (0x2000, 1)]
    # The later one of a datagram has no UDP header that says whose it is.
    check(lab, tested, forger, fragments[:1], {"vxlan-fragment": 1})
    # Of the IP header's the kernel's bridge between the two takes care.
    wrong = [forger.outer(inner, csum=csum) for csum in (1, 0x1234)]
    check(lab, tested, forger, wrong, {"vxlan-checksum": 2})


@ways("a tunnel in the tunnel reaches the stations as it is")
def _(lab, uplink):
    """What is within is not ours to open: one header is taken off."""
    _, forger = start(lab, uplink=uplink)
    within = ethernet(NEAR, FAR, 0x0800, ipv4("10.0.0.2", "10.0.0.1", udp(
        "10.0.0.2", "10.0.0.1", header() + frame(NEAR, FAR))))
    lab.forget()
    forger.send(within)
    lab.pump(lambda: within in lab.peers["p1"].received, "it arrives")
    equal(lab.peers["p1"].received, [within], "what arrives")


@test("a tunnel that leads into itself ends in a counter", only="vsw")
def _(lab):
    wire = Wire(lab)
    tested = Tested(lab, wire, uplink=True)
    tested.add("flow", group="239.1.2.3")
    lab.ports({"p1": {}})
    # Outer packets to the group are flooded in the underlay's bridge, and come
    # back into the overlay's.
    for here, there, bridge in (("ab", "ba", "br0"), ("ba", "ab", "br-ul")):
        tested.switch.ctl("add-port", bridge, here, "--", "set", "Interface",
                          here, "type=patch", f"options:peer={there}")
    forger = Forger(lab, wire, 2)
    sent = frame(BROADCAST, NEAR)
    lab.send("p1", sent)
    forger.wait_for(sent)
    wait_until(lambda: "tunnel-loop" in tested.drops(),
               lambda: f"the loop ends; {tested.drops()}")
    equal([o.inner for o in forger.collect() if sent in o.inner], [sent],
          "outer packets with the frame in them")


@test("a remote that is ourselves is refused in a line", only="vsw")
def _(lab):
    wire = Wire(lab)
    Tested(lab, wire)
    result = lab.switch.ctl(
        "add-port", "br0", "vx9", "--", "set", "Interface", "vx9",
        "type=vxlan", f"options:remote_ip={address(1)}", "options:key=9",
        check=False)
    equal(result.returncode, 1, "the status")
    contains(result.stderr, "an address of this host", "the message")
    equal(result.stderr.strip().count("\n"), 0, "more lines")
