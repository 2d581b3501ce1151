"""VTEPs on one underlay: the switch under test (vswd by the host's sockets or
by an uplink's bridge, or Open vSwitch), the kernel's vxlan devices, an Open
vSwitch, and a forger, whose outer packets the test itself makes and reads.

A VTEP has a number: 192.0.2.N and 2001:db8::N on the underlay, and in the
overlay 10.0.0.N and fd00::N for its host.
"""
import os
import socket

from . import netns, vxlan_frame
from .frame import Frame
from .netns import Namespace, ip_batch, wait_until
from .switch import Ovs
from .vxlan_frame import PORT, VNI

UNDER_TEST = 1


def address(number, ipv6=False):
    return f"2001:db8::{number}" if ipv6 else f"192.0.2.{number}"


def inner_address(number, ipv6=False):
    return f"fd00::{number}" if ipv6 else f"10.0.0.{number}"


def prefixed(number, ipv6):
    return address(number, ipv6) + ("/64" if ipv6 else "/24")


class Wire:
    """The underlay: a bridge of the kernel's, in a namespace of its own."""

    def __init__(self, lab, mtu=1500, ipv6=False):
        self.lab, self.mtu, self.ipv6 = lab, mtu, ipv6
        self.ns = Namespace(lab.prefix + "wire")
        ip_batch([f"link add wire mtu {mtu} type bridge mcast_snooping 0",
                  "link set wire up"], self.ns.name)

    def plug(self, space, number):
        """The device `ul` of a namespace, without addresses."""
        ip_batch([f"link add ul mtu {self.mtu} netns {space.name} type veth "
                  f"peer name u{number} mtu {self.mtu} netns "
                  f"{self.ns.name}"])
        ip_batch(["link set ul up"], space.name)
        ip_batch([f"link set u{number} master wire up"], self.ns.name)
        self.lab.kept_devices.add("ul")

    def give_address(self, space, number, device="ul"):
        space.sysctl(f"ipv6/conf/{device}/disable_ipv6", 0)
        ip_batch([f"addr add {address(number)}/24 dev {device}",
                  f"addr add {address(number, True)}/64 dev {device} nodad"],
                 space.name)

    def as_on_a_wire(self, *spaces):
        """What leaves is what a cable would carry: whole checksums, segments;
        and nobody vouches for what arrives, or merges it."""
        for space in spaces:
            space.run("ethtool", "-K", "ul", "tx", "off", "gso", "off", "tso",
                      "off", "sg", "off", "rx", "off")
        for name in self.ns.devices():
            if name != "wire":
                self.ns.run("ethtool", "-K", name, "gro", "off", "rx", "off")

    def remote(self, number):
        return address(number, self.ipv6)


class Tested:
    """The switch under test as VTEP number 1, its bridge br0."""

    def __init__(self, lab, wire, uplink=False, monitor=False):
        self.lab, self.wire, self.uplink = lab, wire, uplink
        self.switch = lab.switch
        wire.plug(lab.sw_ns, UNDER_TEST)
        lab.start(monitor=monitor)
        if isinstance(self.switch, Ovs):
            ovs_underlay(self.switch, wire, UNDER_TEST)
        elif uplink:
            self.switch.ctl("add-br", "br-ul", "--", "add-port", "br-ul", "ul")
        else:
            wire.give_address(lab.sw_ns, UNDER_TEST)

    def add(self, remote, port="vx0", bridge="br0", key=VNI, **options):
        """remote: a VTEP's number, several of them, or "flow"."""
        number = UNDER_TEST
        if isinstance(remote, (list, tuple)):
            options["remotes"] = '"' + ",".join(map(self.wire.remote,
                                                    remote)) + '"'
            remote = "flow"
        elif remote != "flow":
            remote = f'"{self.wire.remote(remote)}"'
        options = {"remote_ip": remote, "key": key, **options}
        if self.uplink:
            options["underlay"] = "br-ul"
            options["local_ip"] = f'"{prefixed(number, self.wire.ipv6)}"'
        elif remote == "flow":
            options.setdefault("local_ip", f'"{self.wire.remote(number)}"')
        self.switch.ctl("add-port", bridge, port, "--", "set", "Interface",
                        port, "type=vxlan",
                        *(f"options:{k.replace('__', '-')}={v}"
                          for k, v in options.items()))
        if self.switch.kind == "vsw":
            error = self.switch.get("Interface", port, "error")
            assert not error, f"{port}: {error}"

    def host(self, number=UNDER_TEST, mtu=1450, bridge="br0", **columns):
        host = self.lab.host(f"h{number}", inner_address(number) + "/24",
                             inner_address(number, True) + "/64", mtu=mtu,
                             bridge=bridge, **columns)
        if isinstance(self.switch, Ovs):
            finish_checksums(host.namespace, "eth0")
        return host

    def drops(self):
        """{"vxlan-flags": 3}: of all ports, but for a bridge's own device."""
        counts = {}
        for one in self.switch.command("drops"):
            if one["port"] != one["bridge"]:
                counts[one["reason"]] = counts.get(one["reason"], 0) + \
                    one["packets"]
        return counts


def finish_checksums(space, device):
    """What leaves the device has whole checksums, and is not left to a stage
    behind it: a veth device would leave them to its reader."""
    space.run("ethtool", "-K", device, "tx", "off", "tso", "off", "gso",
              "off")


def ovs_underlay(switch, wire, number):
    """Open vSwitch ends tunnels in a bridge with the device and address."""
    mtu = ["--", "set", "Interface", "br-phy", f"mtu_request={wire.mtu}"]
    switch.add_bridge("br-phy")
    switch.ctl("add-port", "br-phy", "ul", *mtu)
    ip_batch(["link set br-phy up"], switch.namespace.name)
    # Or the kernel would answer for br-phy's address by this device, too, and
    # with its MAC: who hears that answer first sends nothing to br-phy.
    switch.namespace.sysctl("ipv4/conf/ul/arp_ignore", 1)
    wire.give_address(switch.namespace, number, "br-phy")


class OvsVtep(Ovs):
    """Another Open vSwitch, with bridge br0 and a host."""

    def __init__(self, lab, wire, number):
        super().__init__(Namespace(f"{lab.prefix}ovs{number}"),
                         os.path.join(lab.directory, f"ovs{number}"),
                         lab.options)
        self.lab, self.wire, self.number = lab, wire, number
        lab.others.append(self)
        wire.plug(self.namespace, number)
        self.start()
        self.ctl("set", "Open_vSwitch", ".",
                 "other_config:userspace-tso-enable=false")
        ovs_underlay(self, wire, number)
        self.add_bridge("br0")

    def add(self, remote, port="vx0", bridge="br0", key=VNI, **options):
        options = {"remote_ip": f'"{self.wire.remote(remote)}"', "key": key,
                   **options}
        self.ctl("add-port", bridge, port, "--", "set", "Interface", port,
                 "type=vxlan", *(f"options:{k}={v}"
                                 for k, v in options.items()))

    def host(self, mtu=1450, **columns):
        host = self.lab.host(f"h{self.number}",
                             inner_address(self.number) + "/24",
                             inner_address(self.number, True) + "/64",
                             mtu=mtu, switch=self, **columns)
        finish_checksums(host.namespace, "eth0")
        return host


class KernelVtep:
    """A namespace with a vxlan device and a bridge for each VNI; the bridge
    has the address, so the namespace is the host, too."""

    def __init__(self, lab, wire, number, offloads=False):
        """offloads: for readers of the device that know of checksums within
        tunnels that are still to be made; a UDP socket never hears of them.
        Large frames within tunnels no reader knows of."""
        self.lab, self.wire, self.number = lab, wire, number
        self.namespace = Namespace(f"{lab.prefix}k{number}")
        wire.plug(self.namespace, number)
        wire.give_address(self.namespace, number)
        if offloads:
            self.namespace.run("ethtool", "-K", "ul",
                               "tx-udp_tnl-segmentation", "off",
                               "tx-udp_tnl-csum-segmentation", "off")
        else:
            finish_checksums(self.namespace, "ul")

    def add(self, *remotes, key=VNI, mtu=None, subnet="10.0.0", how="",
            device=None):
        """remotes: numbers; none with `how` = "group ...": a group."""
        device, bridge = device or f"vx{key}", f"br{key}"
        flags = "udp6zerocsumrx" if self.wire.ipv6 else ""
        self.namespace.sysctl("ipv6/conf/default/disable_ipv6", 0)
        size = f"mtu {mtu}" if mtu else ""
        ip_batch([f"link add {device} {size} type vxlan id {key} dstport "
                  f"{PORT} local {self.wire.remote(self.number)} {how} "
                  f"{flags}",
                  f"link add {bridge} type bridge",
                  f"link set {device} master {bridge} up",
                  f"addr add {subnet}.{self.number}/24 dev {bridge}",
                  f"addr add {inner_address(self.number, True)}/64 dev "
                  f"{bridge} nodad",
                  f"link set {bridge} {size} up"], self.namespace.name)
        for remote in remotes:
            self.namespace.run("bridge", "fdb", "append", "00:00:00:00:00:00",
                               "dev", device, "dst", self.wire.remote(remote))
        return self

    # As lib.lab.Host has them.

    @property
    def mac(self):
        out = self.namespace.ip("-o", "link", "show", f"br{VNI}")
        return out.split("link/ether ")[1].split()[0]

    def run(self, *argv, **kwargs):
        return self.namespace.run(*argv, **kwargs)


class Forger:
    """A VTEP that is nothing but packet sockets: it sends any outer packet and
    keeps all that it gets. The kernel's stack answers ARP for it."""

    def __init__(self, lab, wire, number):
        self.lab, self.wire, self.number = lab, wire, number
        self.namespace = Namespace(f"{lab.prefix}f{number}")
        wire.plug(self.namespace, number)
        wire.give_address(self.namespace, number)
        wire.as_on_a_wire(self.namespace)
        with self.namespace.entered():
            # So that no ICMP error goes out.
            self.sink = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            self.sink.bind(("::", PORT))
        self.sock = self.namespace.packet_socket("ul")
        self.out = self.namespace.packet_socket("ul")
        out = self.namespace.ip("-o", "link", "show", "ul")
        self.mac = out.split("link/ether ")[1].split()[0]
        self.peer_mac = None
        self.seen = []

    @property
    def ip(self):
        return self.wire.remote(self.number)

    def meet(self, number=UNDER_TEST):
        """Learns the MAC of another VTEP's address."""
        there = self.wire.remote(number)
        wait_until(lambda: self.namespace.run(
            "ping", "-n", "-c", "1", "-W", "1", there,
            check=False).returncode == 0, f"{there} answers")
        out = self.namespace.ip("neigh", "show", there)
        self.peer_mac = out.split("lladdr ")[1].split()[0]
        return self

    def outer(self, inner, dst=UNDER_TEST, src=None, head=None, csum=None,
              src_port=50000, dst_port=PORT, dst_mac=None, group=None,
              **fields):
        """An outer packet; `fields` are those of IP (tos, ttl, flags, ident)
        and of the VXLAN header (vni, vxlan_flags, reserved). csum: as udp()
        has it; None: with IPv6 only."""
        csum = self.wire.ipv6 if csum is None else csum
        src = src or self.ip
        there = group or self.wire.remote(dst)
        vxlan = {key.removeprefix("vxlan_"): fields.pop(key)
                 for key in ("vni", "vxlan_flags", "reserved")
                 if key in fields}
        body = (head if head is not None
                else vxlan_frame.header(**vxlan)) + inner
        return vxlan_frame.ethernet(
            dst_mac or self.peer_mac, self.mac, vxlan_frame.ethertype(there),
            vxlan_frame.ip(src, there, vxlan_frame.udp(
                src, there, body, src_port, dst_port, csum), **fields))

    def send(self, inner, **fields):
        self.send_raw(self.outer(inner, **fields))

    def send_raw(self, frame):
        self.out.send(frame)

    def collect(self):
        """The Outer of each that has come so far."""
        while (data := netns.receive(self.sock)) is not None:
            outer = vxlan_frame.parse(Frame(data))
            if outer:
                self.seen.append(outer)
        return self.seen

    def wait_for(self, inner, what="an outer packet"):
        """The Outer whose inner frame is this one."""
        def found():
            return next((o for o in self.collect() if o.inner == inner), None)
        return wait_until(found, lambda: f"{what} with {inner} arrives; "
                          f"there are {self.seen}")
