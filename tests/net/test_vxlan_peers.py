"""VXLAN with real peers: the kernel's device and Open vSwitch at the other
end, over both address families and both underlays.

The switch under test is VTEP 1, its host is 10.0.0.1 (lib/overlay.py).
"""
from lib.netns import ip_batch
from lib.overlay import KernelVtep, OvsVtep, Tested, Wire, inner_address
from lib.record import ERRORS, Recorder, check_decodes
from lib.testing import test
from lib.traffic import iperf, tcp_transfer, udp_exchange
from lib.vxlan_frame import parse

# All checksums are looked at; what TCP does (an end of a connection, a
# checksum of 0xffff) is no error, and payload is payload.
TSHARK = ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
          "-o", "tcp.check_checksum:TRUE", "-o",
          "tcp.analyze_sequence_numbers:FALSE", "-d", "tcp.port==5000,data",
          "-d", "udp.port==5001,data"]
GROUP, GROUP6 = "239.1.2.3", "ff05::123"


class Far:
    """A kernel VTEP's namespace, as the helpers of lib.traffic want it."""

    def __init__(self, vtep):
        self.namespace = vtep.namespace
        self.run = vtep.run


def with_kernel(lab, ipv6=False, uplink=False, mtu=1500, **options):
    """(host 1, the far end) behind VTEPs 1 and 2."""
    wire = Wire(lab, mtu, ipv6)
    tested = Tested(lab, wire, uplink)
    tested.add(2, **options)
    overhead = 70 if ipv6 else 50
    near = tested.host(mtu=mtu - overhead)
    far = KernelVtep(lab, wire, 2, offloads=uplink).add(1,
                                                        mtu=mtu - overhead)
    return wire, near, Far(far)


def talk(near, far, size=1200):
    """Both address families, both directions, whole bytes."""
    near.must_ping(inner_address(2), count=3, size=size)
    near.must_ping(inner_address(2, True), size=size)
    tcp_transfer(near, far, inner_address(2), size=1 << 20)
    tcp_transfer(far, near, inner_address(1, True), size=1 << 20)
    udp_exchange(near, far, inner_address(2), (1, 1000, 1372))


@test("the kernel's device over IPv4")
def _(lab):
    _, near, far = with_kernel(lab)
    talk(near, far)


@test("the kernel's device over IPv6")
def _(lab):
    _, near, far = with_kernel(lab, ipv6=True)
    talk(near, far)


@test("the kernel's device over IPv4, by an uplink's bridge", only="vsw")
def _(lab):
    _, near, far = with_kernel(lab, uplink=True)
    talk(near, far)


@test("the kernel's device over IPv6, by an uplink's bridge", only="vsw")
def _(lab):
    _, near, far = with_kernel(lab, ipv6=True, uplink=True)
    talk(near, far)


def with_ovs(lab, ipv6=False, uplink=False):
    wire = Wire(lab, 1500, ipv6)
    tested = Tested(lab, wire, uplink)
    tested.add(2)
    # It takes no trains, and no checksums that are left to it.
    wire.as_on_a_wire(lab.sw_ns)
    near = tested.host(mtu=1430)
    other = OvsVtep(lab, wire, 2)
    other.add(1)
    far = other.host(mtu=1430)
    return near, far


@test("Open vSwitch over IPv4")
def _(lab):
    near, far = with_ovs(lab)
    talk(near, far)
    iperf(lab, near, far, inner_address(2))
    iperf(lab, near, far, inner_address(2), "-R")


@test("Open vSwitch over IPv6")
def _(lab):
    near, far = with_ovs(lab, ipv6=True)
    talk(near, far)


@test("Open vSwitch over IPv4, by an uplink's bridge", only="vsw")
def _(lab):
    near, far = with_ovs(lab, uplink=True)
    talk(near, far)
    iperf(lab, near, far, inner_address(2))


@test("Open vSwitch over IPv6, by an uplink's bridge", only="vsw")
def _(lab):
    near, far = with_ovs(lab, ipv6=True, uplink=True)
    talk(near, far)


def check_iperf(lab, uplink):
    _, near, far = with_kernel(lab, uplink=uplink)
    near.must_ping(inner_address(2))
    iperf(lab, near, far, inner_address(2))
    iperf(lab, near, far, inner_address(2), "-R")
    iperf(lab, near, far, inner_address(2, True), "-P", "4")
    iperf(lab, near, far, inner_address(2), "-u", "-b", "50M", "-l", "1300")


@test("iperf3 with all offloads, both ways")
def _(lab):
    check_iperf(lab, False)


@test("iperf3 with all offloads, both ways, by an uplink's bridge",
      only="vsw")
def _(lab):
    check_iperf(lab, True)


def check_jumbo(lab, uplink):
    _, near, far = with_kernel(lab, mtu=9000, uplink=uplink)
    dont_fragment = ("-M", "do")
    near.must_ping(inner_address(2), size=8950 - 28, extra=dont_fragment)
    near.must_ping(inner_address(2, True), size=8950 - 48,
                   extra=dont_fragment)
    tcp_transfer(near, far, inner_address(2), size=1 << 20)
    tcp_transfer(far, near, inner_address(1), size=1 << 20)


@test("jumbo frames")
def _(lab):
    check_jumbo(lab, False)


@test("jumbo frames by an uplink's bridge", only="vsw")
def _(lab):
    check_jumbo(lab, True)


def check_several(lab, uplink):
    """Three VTEPs that all flood to each other: nothing comes twice."""
    wire = Wire(lab)
    tested = Tested(lab, wire, uplink)
    tested.add([2, 3])
    near = tested.host()
    second = KernelVtep(lab, wire, 2).add(1, 3)
    KernelVtep(lab, wire, 3).add(1, 2)
    for number in (2, 3):
        near.must_ping(inner_address(number))
    for space, there in ((near, 2), (near, 3), (second, 1), (second, 3)):
        out = space.run("ping", "-n", "-c", "4", "-i", "0.05",
                        inner_address(there)).stdout
        assert "DUP" not in out and "4 received" in out, out
    # To all: one answer of each of the others.
    out = near.run("ping", "-n", "-c", "1", "-w", "1", "-I", "eth0",
                   "ff02::1", check=False).stdout
    for number in (2, 3):
        link_local = [line for line in out.splitlines() if "DUP" in line]
        assert len(link_local) <= 2, (number, out)


@test("several remotes: flooded to each, once", only="vsw")
def _(lab):
    check_several(lab, False)


@test("several remotes by an uplink's bridge: flooded to each, once",
      only="vsw")
def _(lab):
    check_several(lab, True)


@test("several VNIs between the same VTEPs are apart")
def _(lab):
    wire = Wire(lab)
    tested = Tested(lab, wire)
    far = KernelVtep(lab, wire, 2)
    for key, subnet in ((10, "10.0.10"), (20, "10.0.20")):
        tested.switch.add_bridge(f"br{key}")
        tested.add(2, port=f"vx{key}", bridge=f"br{key}", key=key)
        lab.host(f"h{key}", f"{subnet}.1/24", mtu=1450, bridge=f"br{key}")
        far.add(1, key=key, subnet=subnet)
    for key in (10, 20):
        lab.hosts[f"h{key}"].must_ping(f"10.0.{key}.2")
    ip_batch(["addr add 10.0.20.9/24 dev eth0"],
             lab.hosts["h10"].namespace.name)
    assert not lab.hosts["h10"].ping("10.0.20.2")


def check_vlans(lab, uplink):
    wire = Wire(lab)
    tested = Tested(lab, wire, uplink)
    tested.add([2, 3], key="flow", vni__map='"10=1010,20=1020"')
    for number, key, vlan in ((2, 1010, 10), (3, 1020, 20)):
        KernelVtep(lab, wire, number).add(1, key=key, subnet=f"10.0.{vlan}")
        lab.host(f"v{vlan}", f"10.0.{vlan}.1/24", mtu=1450, tag=vlan)
    lab.hosts["v10"].must_ping("10.0.10.2")
    lab.hosts["v20"].must_ping("10.0.20.3")
    ip_batch(["addr add 10.0.20.9/24 dev eth0"],
             lab.hosts["v10"].namespace.name)
    assert not lab.hosts["v10"].ping("10.0.20.3")


@test("a VLAN each is a VNI each, at a kernel VTEP each", only="vsw")
def _(lab):
    check_vlans(lab, False)


@test("a VLAN each is a VNI each, by an uplink's bridge", only="vsw")
def _(lab):
    check_vlans(lab, True)


def check_group(lab, ipv6, uplink=False):
    """Two kernel VTEPs in a multicast group: frames to all go there, answers
    to whom they are for."""
    wire = Wire(lab, 1500, ipv6)
    tested = Tested(lab, wire, uplink)
    group = GROUP6 if ipv6 else GROUP
    options = {} if uplink else {"group__dev": "ul"}
    tested.add("flow", group=f'"{group}"', **options)
    near = tested.host(mtu=1430)
    for number in (2, 3):
        KernelVtep(lab, wire, number).add(how=f"group {group} dev ul",
                                          mtu=1430)
    for number in (2, 3):
        near.must_ping(inner_address(number))
        out = near.run("ping", "-n", "-c", "4", "-i", "0.05",
                       inner_address(number)).stdout
        assert "DUP" not in out and "4 received" in out, out


@test("a multicast group", only="vsw")
def _(lab):
    check_group(lab, False)


@test("a multicast group of IPv6", only="vsw")
def _(lab):
    check_group(lab, True)


@test("a multicast group by an uplink's bridge", only="vsw")
def _(lab):
    check_group(lab, False, uplink=True)


def check_tshark(lab, ipv6, uplink, **options):
    """tshark finds no fault with any outer packet, and no wrong checksum."""
    wire, near, far = with_kernel(lab, ipv6, uplink, **options)
    wire.as_on_a_wire(lab.sw_ns, far.namespace)
    recorder = Recorder().add(wire.ns, "u1", outgoing=False).start()
    talk(near, far)
    recorder.stop()
    outer = [one for one in recorder.seen if parse(one.data)]
    assert len(outer) > 100, f"only {len(outer)} outer packets"
    check_decodes(lab, outer, "vxlan", *TSHARK, faults=ERRORS)


@test("tshark decodes every outer packet without a complaint")
def _(lab):
    check_tshark(lab, False, False)


@test("the same of IPv6 with checksums", only="vsw")
def _(lab):
    check_tshark(lab, True, False, csum="true")


@test("the same by an uplink's bridge", only="vsw")
def _(lab):
    check_tshark(lab, False, True, csum="true")


@test("the same of IPv6 by an uplink's bridge", only="vsw")
def _(lab):
    check_tshark(lab, True, True)
