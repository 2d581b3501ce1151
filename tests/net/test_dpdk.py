"""Ports of type dpdk, by DPDK's drivers that need no card: a veth end through
af_packet. They are there in a build with DPDK=1 only:

    make DPDK=1 && VSW_BUILD=build/dpdk tests/net/run dpdk
"""
from lib.frame import frame, station
from lib.testing import contains, equal, test


def dpdk_port(lab, name, devargs, check=True):
    return lab.switch.ctl(
        "add-port", "br0", name, "--", "set", "Interface", name, "type=dpdk",
        f"options:dpdk-devargs={devargs}", check=check)


def start(lab):
    lab.start()
    lab.switch.ctl("set", "Open_vSwitch", ".",
                   'other_config:dpdk-extra="--no-huge -m 256"')


def drivers_port(lab, name, number):
    """A raw port that DPDK's af_packet driver attaches."""
    lab.wire(name)
    lab.sw_ns.ip("link", "set", name, "promisc", "on")
    dpdk_port(lab, name + "d", f"net_af_packet{number},iface={name}")
    lab.ports_known({name: {}})


@test("a dpdk port takes and gives frames as they are", only="dpdk")
def _(lab):
    start(lab)
    lab.ports({"p1": {}})
    drivers_port(lab, "p2", 0)
    for size in (60, 61, 64, 65, 128, 1514):
        there = frame(src=station(1), dst=station(2), length=size)
        back = frame(src=station(2), dst=station(1), length=size)
        for source, sink, one in (("p1", "p2", there), ("p2", "p1", back)):
            lab.send(source, one)
            lab.pump(lambda: one in lab.peers[sink].received,
                     f"{size} bytes from {source} to {sink}")


@test("two dpdk ports forward to each other, and one can be had again",
      only="dpdk")
def _(lab):
    start(lab)
    drivers_port(lab, "p1", 0)
    drivers_port(lab, "p2", 1)
    for _ in range(3):
        one = frame(src=station(1))
        lab.send("p1", one)
        lab.pump(lambda: one in lab.peers["p2"].received, "p1 to p2")
        lab.forget()
        lab.switch.ctl("del-port", "br0", "p2d")
        dpdk_port(lab, "p2d", "net_af_packet1,iface=p2")
    equal(lab.switch.get("Interface", "p1d", "link_state"), "up", "link")
    contains(str(lab.switch.get("Interface", "p1d", "status")),
             "net_af_packet", "Interface:status")


@test("a dpdk port says why it cannot be had", only="dpdk")
def _(lab):
    start(lab)
    result = dpdk_port(lab, "d1", "net_nonsense", check=False)
    contains(result.stderr, "net_nonsense", "the message")
    result = lab.switch.ctl("add-port", "br0", "d2", "--", "set", "Interface",
                            "d2", "type=dpdk", check=False)
    contains(result.stderr, "dpdk-devargs", "the message")
    lab.wire("p1")
    dpdk_port(lab, "d3", "net_af_packet3,iface=p1")
    result = dpdk_port(lab, "d4", "net_af_packet3,iface=p1", check=False)
    contains(result.stderr, "another port's", "the message")
