"""Kinds of ports: internal, tap, a device that another holds, patch."""
import fcntl
import os
import select
import struct

from lib.frame import Frame, frame, station
from lib.netns import ip_batch, wait_until
from lib.testing import equal, test
from lib.traffic import tcp_transfer, udp_exchange

TUNSETIFF = 0x400454ca
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x2, 0x1000, 0x4000


class SwitchSide:
    """The switch's own namespace as a host: its internal and tap devices."""

    def __init__(self, lab):
        self.namespace = lab.sw_ns
        self.run = lab.sw_ns.run


def address(lab, device, *addresses):
    lab.sw_ns.sysctl(f"ipv6/conf/{device}/disable_ipv6", 0)
    ip_batch([f"link set dev {device} up"] +
             [f"addr add {a} dev {device}" + (" nodad" if ":" in a else "")
              for a in addresses], lab.sw_ns.name)


@test("a bridge has an internal port of its name, by which its host talks")
def _(lab):
    lab.start(monitor=False)
    address(lab, "br0", "10.0.0.254/24", "fd00::fe/64")
    a = lab.host("h1", "10.0.0.1/24", "fd00::1/64")
    a.must_ping("10.0.0.254")
    a.must_ping("fd00::fe")
    lab.sw_ns.run("ping", "-c", 3, "-i", "0.05", "10.0.0.1")
    if lab.options.switch == "vsw":
        tcp_transfer(a, SwitchSide(lab), "10.0.0.254")
        tcp_transfer(SwitchSide(lab), a, "10.0.0.1")
        tcp_transfer(SwitchSide(lab), a, "fd00::1")
        udp_exchange(SwitchSide(lab), a, "10.0.0.1", [1, 1472, 20000])


@test("more internal ports and taps join VLANs like any other port")
def _(lab):
    lab.start(monitor=False)
    lab.switch.ctl("add-port", "br0", "int10", "tag=10", "--", "set",
                   "Interface", "int10", "type=internal", "--",
                   "add-port", "br0", "tap20", "tag=20", "--", "set",
                   "Interface", "tap20", "type=tap")
    address(lab, "int10", "10.1.0.254/24")
    address(lab, "tap20", "10.2.0.254/24")
    a = lab.host("h1", "10.1.0.1/24", tag=10)
    b = lab.host("h2", "10.2.0.1/24", "10.1.0.2/24", tag=20)
    a.must_ping("10.1.0.254")
    b.must_ping("10.2.0.254")
    assert not b.ping("10.1.0.254", count=2), "VLAN 20 reaches VLAN 10"
    if lab.options.switch == "vsw":
        tcp_transfer(b, SwitchSide(lab), "10.2.0.254")
        tcp_transfer(SwitchSide(lab), b, "10.2.0.1")


@test("there may be more ports than a shell allows open files", only="vsw")
def _(lab):
    argv = lab.switch.argv
    lab.switch.argv = lambda: ["prlimit", "--nofile=128:4096", *argv()]
    lab.start(monitor=False)
    command = []
    for i in range(200):
        command += ["--", "add-port", "br0", f"n{i}", "--", "set", "Interface",
                    f"n{i}", "type=null"]
    lab.switch.ctl(*command[1:])
    errors = lab.switch.ctl("--bare", "--columns=error", "list", "Interface")
    equal(errors.strip(), "", "the interfaces' errors")


@test("internal and tap devices go away with their ports")
def _(lab):
    lab.start(monitor=False)
    lab.switch.ctl("add-port", "br0", "int1", "--", "set", "Interface",
                   "int1", "type=internal", "--", "add-port", "br0", "tap1",
                   "--", "set", "Interface", "tap1", "type=tap")
    devices = lab.sw_ns.devices()
    assert {"br0", "int1", "tap1"} <= set(devices), f"devices: {devices}"
    lab.switch.ctl("del-port", "int1", "--", "del-port", "tap1")
    wait_until(lambda: not {"int1", "tap1"} & set(lab.sw_ns.devices()),
               "the devices are gone")
    lab.switch.ctl("del-br", "br0")
    wait_until(lambda: "br0" not in lab.sw_ns.devices(), "br0 is gone")


class HeldTap:
    """A tap that this process holds, as an emulator does."""

    def __init__(self, lab, name):
        with lab.sw_ns.entered():
            self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(self.fd, TUNSETIFF,
                        struct.pack("16sH22x", name.encode(),
                                    IFF_TAP | IFF_NO_PI))
        ip_batch([f"link set dev {name} up"], lab.sw_ns.name)
        lab.kept_devices.add(name)

    def write(self, data):
        os.write(self.fd, data)

    def read(self, timeout=20):
        ready, _, _ = select.select([self.fd], [], [], timeout)
        assert ready, "nothing arrives at the tap"
        return Frame(os.read(self.fd, 70000))

    def forget(self):
        """Drops what has arrived so far."""
        while select.select([self.fd], [], [], 0)[0]:
            os.read(self.fd, 70000)


@test("a tap that an emulator holds is a port")
def _(lab):
    tap = HeldTap(lab, "vm0")
    lab.start().ports({"p1": {}})
    lab.switch.ctl("add-port", "br0", "vm0")
    out = frame(src=station(0xa))
    lab.forget()
    tap.write(out)
    lab.pump(lambda: lab.peers["p1"].received, "the frame reaches p1")
    equal(lab.peers["p1"].received, [out], "at p1")
    back = frame(station(0xa), station(0xb))
    lab.send("p1", back)
    got = tap.read()
    equal(got, back, "at the tap")
    os.close(tap.fd)
    wait_until(lambda: "vm0" not in lab.sw_ns.devices(), "vm0 is gone")


@test("patch ports join two bridges")
def _(lab):
    lab.start("br0", "br1", monitor=False)
    lab.switch.ctl(
        "add-port", "br0", "patch0", "--", "set", "Interface", "patch0",
        "type=patch", "options:peer=patch1", "--",
        "add-port", "br1", "patch1", "--", "set", "Interface", "patch1",
        "type=patch", "options:peer=patch0")
    a = lab.host("h1", "10.0.0.1/24", "fd00::1/64")
    b = lab.host("h2", "10.0.0.2/24", "fd00::2/64", bridge="br1")
    a.must_ping("10.0.0.2")
    a.must_ping("fd00::2")
    if lab.options.switch == "vsw":
        tcp_transfer(a, b, "10.0.0.2")
        tcp_transfer(b, a, "fd00::1")


@test("a patch carries VLAN tags according to its ports")
def _(lab):
    lab.start("br0", "br1")
    lab.switch.ctl(
        "add-port", "br0", "patch0", "trunks=10,20", "--", "set",
        "Interface", "patch0", "type=patch", "options:peer=patch1", "--",
        "add-port", "br1", "patch1", "trunks=10", "--", "set", "Interface",
        "patch1", "type=patch", "options:peer=patch0")
    lab.ports({"a10": {"tag": 10}, "a20": {"tag": 20}, "a30": {"tag": 30}})
    lab.ports({"b10": {"tag": 10}, "b20": {"tag": 20}, "b30": {"tag": 30},
               "btrunk": {}}, bridge="br1")
    sent = {port: frame(src=station(i)) for i, port in
            enumerate(("a10", "a20", "a30"), 1)}
    lab.check(list(sent.items()), {
        "b10": [sent["a10"]], "btrunk": [sent["a10"].tagged(10)]})


@test("a loop of patches kills nothing")
def _(lab):
    lab.start("br0", "br1", monitor=False)
    for i in (0, 2):
        lab.switch.ctl(
            "add-port", "br0", f"patch{i}", "--", "set", "Interface",
            f"patch{i}", "type=patch", f"options:peer=patch{i + 1}", "--",
            "add-port", "br1", f"patch{i + 1}", "--", "set", "Interface",
            f"patch{i + 1}", "type=patch", f"options:peer=patch{i}")
    lab.ports({"p1": {}, "p2": {}})
    lab.send("p1", *(frame(src=station(1)) for _ in range(20)))
    lab.pump(lambda: lab.peers["p2"].received, "something reaches p2")
    lab.switch.ctl("del-port", "patch2", "--", "del-port", "patch3")
    lab.forget()
    # what is still under way may come first
    last = frame(src=station(1))
    lab.send("p1", last)
    lab.pump(lambda: last in lab.peers["p2"].received, "p1 reaches p2")


@test("a patch without a peer takes its frames and delivers none")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}})
    lab.switch.ctl("--", "add-port", "br0", "patch0", "--", "set",
                   "Interface", "patch0", "type=patch",
                   "options:peer=nowhere", check=False)
    f = frame(src=station(1))
    lab.check([("p1", f)], {"p2": [f]})


# Open vSwitch leaves the device to the host's stack as well.
@test("the host's stack does not answer frames that belong to the bridge",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    a = lab.host("h1", "10.0.0.1/24", "fd00::1/64")
    lab.host("h2", "10.0.0.2/24", "fd00::2/64")
    a.must_ping("10.0.0.2")
    address(lab, "h1", "10.0.0.99/24", "fd00::99/64")
    assert not a.ping("10.0.0.99", count=3), "the host answered by IPv4"
    assert not a.ping("fd00::99", count=3), "the host answered by IPv6"
    # nor answers it for another of its addresses
    ip_batch(["addr add 10.0.0.98/32 dev lo"], lab.sw_ns.name)
    assert not a.ping("10.0.0.98", count=3), "the host answered"
    a.must_ping("10.0.0.2")


@test("a port that is deleted gives its device back to the host", only="vsw")
def _(lab):
    lab.start(monitor=False)
    a = lab.host("h1", "10.0.0.1/24")
    address(lab, "h1", "10.0.0.99/24")
    assert not a.ping("10.0.0.99", count=2), "the host answered"
    lab.switch.ctl("del-port", "br0", "h1")
    a.must_ping("10.0.0.99")
