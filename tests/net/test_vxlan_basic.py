"""VXLAN by the host's sockets: two switches, the kernel's device as a peer,
what is shown of it, and changes while it runs.

Hosts are 10.0.0.x behind the switch x; the underlay is 192.0.2.x.
"""
import os

from lib.netns import Namespace, ip_batch, receive, wait_until
from lib.switch import KINDS
from lib.testing import contains, equal, test
from lib.traffic import BackgroundPing, iperf, tcp_transfer, udp_exchange

VNI = 7


def underlay_address(number, ipv6=False):
    return f"2001:db8::{number}" if ipv6 else f"192.0.2.{number}"


class Underlay:
    """A kernel bridge that VTEPs are plugged into."""

    def __init__(self, lab, mtu=1500):
        self.lab = lab
        self.mtu = mtu
        self.ns = Namespace(lab.prefix + "wire")
        ip_batch([f"link add wire mtu {mtu} type bridge", "link set wire up"],
                 self.ns.name)

    def plug(self, space, number):
        """The device `ul` of a namespace, with its addresses."""
        space.sysctl("ipv6/conf/default/disable_ipv6", 0)
        ip_batch([f"link add ul mtu {self.mtu} netns {space.name} type veth "
                  f"peer name u{number} mtu {self.mtu} netns "
                  f"{self.ns.name}"])
        ip_batch([f"addr add {underlay_address(number)}/24 dev ul",
                  f"addr add {underlay_address(number, True)}/64 dev ul "
                  "nodad", "link set ul up"], space.name)
        ip_batch([f"link set u{number} master wire up"], self.ns.name)
        self.lab.kept_devices.add("ul")


def begin(lab, wire):
    """The switch under test is number 1."""
    wire.plug(lab.sw_ns, 1)
    lab.start(monitor=False)


def another(lab, wire, number):
    """One more vswd in a namespace of its own, with a bridge."""
    space = Namespace(f"{lab.prefix}sw{number}")
    wire.plug(space, number)
    switch = KINDS["vsw"](space, os.path.join(lab.directory, f"run{number}"),
                          lab.options)
    lab.others.append(switch)
    switch.start()
    switch.add_bridge("br0")
    return switch


def overlay(switch, port="vx0", bridge="br0", **options):
    options = {"key": VNI, **options}
    switch.ctl("add-port", bridge, port, "--", "set", "Interface", port,
               "type=vxlan", *(f"options:{key}={value}"
                               for key, value in options.items()))


def pair(lab, mtu=1500, ipv6=False, **options):
    """Two switches joined by an overlay; the second one."""
    wire = Underlay(lab, mtu)
    begin(lab, wire)
    other = another(lab, wire, 2)
    overlay(lab.switch, remote_ip=underlay_address(2, ipv6), **options)
    overlay(other, remote_ip=underlay_address(1, ipv6), **options)
    inner = mtu - (70 if ipv6 else 50)
    host(lab, 1, lab.switch, inner)
    host(lab, 2, other, inner)
    return other


def host(lab, number, switch, mtu=1450):
    return lab.host(f"h{number}", f"10.0.0.{number}/24",
                    f"fd00::{number}/64", mtu=mtu, switch=switch)


def uplink(lab, wire, switch, number):
    """The switch's own uplink: no address of the host is on it."""
    space = switch.namespace
    name = f"up{number}"
    ip_batch([f"link add {name} mtu {wire.mtu} netns {space.name} type veth "
              f"peer name p{number} mtu {wire.mtu} netns {wire.ns.name}"])
    ip_batch([f"link set {name} up"], space.name)
    ip_batch([f"link set p{number} master wire up"], wire.ns.name)
    lab.kept_devices.add(name)
    switch.add_bridge("out")
    switch.ctl("add-port", "out", name)


def by_uplink(lab, switch, number, ipv6=False, **options):
    overlay(switch, underlay="out", local_ip=underlay_address(number, ipv6) +
            ("/64" if ipv6 else "/24"), **options)
    host(lab, number, switch, 1430 if ipv6 else 1450)


def vteps(switch, port="vx0"):
    """{address: remote} of vtep/show."""
    shown = switch.command("vtep/show", port)
    return {r["address"]: r for r in shown[0]["remotes"]}


def kernel_vtep(lab, wire, number, *remotes, group=None, ipv6=False):
    """A namespace with the kernel's device and a bridge; 10.0.0.NUMBER."""
    space = Namespace(f"{lab.prefix}k{number}")
    wire.plug(space, number)
    how = f"group {group} dev ul" if group else ""
    ip_batch([f"link add vx type vxlan id {VNI} dstport 4789 local "
              f"{underlay_address(number, ipv6)} {how}",
              "link add inner type bridge",
              "link set vx master inner up", "link set inner up",
              f"addr add 10.0.0.{number}/24 dev inner"], space.name)
    for remote in remotes:
        space.run("bridge", "fdb", "append", "00:00:00:00:00:00", "dev", "vx",
                  "dst", remote)
    return space


@test("hosts behind two switches reach each other", only="vsw")
def _(lab):
    other = pair(lab)
    lab.hosts["h1"].must_ping("10.0.0.2")
    lab.hosts["h2"].must_ping("fd00::1")
    tcp_transfer(lab.hosts["h1"], lab.hosts["h2"], "10.0.0.2")
    tcp_transfer(lab.hosts["h2"], lab.hosts["h1"], "fd00::1")
    udp_exchange(lab.hosts["h1"], lab.hosts["h2"], "10.0.0.2",
                 (1, 100, 1400, 1422))
    equal(lab.switch.get("Interface", "vx0", "error"), [], "the port's error")
    assert lab.switch.ofport("vx0") > 0
    other.sync()


@test("the same over IPv6", only="vsw")
def _(lab):
    pair(lab, ipv6=True)
    lab.hosts["h1"].must_ping("10.0.0.2", size=1300)
    tcp_transfer(lab.hosts["h2"], lab.hosts["h1"], "10.0.0.1")


@test("iperf3 with all offloads", only="vsw")
def _(lab):
    pair(lab)
    h1, h2 = lab.hosts["h1"], lab.hosts["h2"]
    h1.must_ping("10.0.0.2")
    iperf(lab, h1, h2, "10.0.0.2")
    iperf(lab, h1, h2, "10.0.0.2", "-R")
    iperf(lab, h1, h2, "10.0.0.2", "-u", "-b", "20M", "-l", "1400")


@test("the FDB and vtep/show tell of remote stations, and count", only="vsw")
def _(lab):
    pair(lab)
    h1, h2 = lab.hosts["h1"], lab.hosts["h2"]
    h1.must_ping("10.0.0.2", count=5)
    line = next(line for line in
                lab.switch.app("fdb/show", "br0").splitlines()
                if h2.mac in line)
    equal(line.split()[0], str(lab.switch.ofport("vx0")), "the port")
    contains(line, "vtep=192.0.2.2", "the line")
    entry = next(e for e in lab.switch.command("fdb/show", "br0")
                 if e["mac"] == h2.mac)
    equal((entry["port"], entry["vtep"]), ("vx0", "192.0.2.2"), "as JSON")
    remote = vteps(lab.switch)["192.0.2.2"]
    assert remote["macs"] >= 1 and remote["reached"], remote
    equal(remote["origins"], ["static"], "who says so")
    assert remote["rx_packets"] >= 5 and remote["tx_packets"] >= 5, remote
    text = lab.switch.app("vtep/show")
    contains(text, "192.0.2.2", "the text")
    contains(text, f"VNI {VNI}", "the text")
    result = lab.switch.app("vtep/show", "h1", check=False)
    contains(result.stderr, "not a VXLAN port", "the answer")

    def counted():
        return lab.switch.get("Interface", "vx0",
                              "statistics").get("rx_packets", 0) >= 5
    wait_until(counted, "statistics of the port")


@test("several remotes: each learns, no frame comes twice", only="vsw")
def _(lab):
    wire = Underlay(lab)
    begin(lab, wire)
    switches = {1: lab.switch, 2: another(lab, wire, 2),
                3: another(lab, wire, 3)}
    for number, switch in switches.items():
        others = [underlay_address(n) for n in switches if n != number]
        overlay(switch, remote_ip="flow", remotes=f'"{",".join(others)}"')
        host(lab, number, switch)
    h1 = lab.hosts["h1"]
    for number in (2, 3):
        h1.must_ping(f"10.0.0.{number}")
        out = h1.run("ping", "-n", "-c", "5", "-i", "0.05",
                     f"10.0.0.{number}").stdout
        assert "DUP" not in out and "5 received" in out, out
    lab.hosts["h2"].must_ping("10.0.0.3")
    lines = lab.switch.app("fdb/show", "br0").splitlines()
    for number in (2, 3):
        mac = lab.hosts[f"h{number}"].mac
        contains(next(line for line in lines if mac in line),
                 f"vtep=192.0.2.{number}", "the FDB")
    equal({a: r["origins"] for a, r in vteps(lab.switch).items()},
          {"192.0.2.2": ["static"], "192.0.2.3": ["static"]}, "the remotes")


@test("remotes come and go while traffic to others goes on", only="vsw")
def _(lab):
    wire = Underlay(lab)
    begin(lab, wire)
    switches = {1: lab.switch, 2: another(lab, wire, 2),
                3: another(lab, wire, 3)}
    overlay(lab.switch, remote_ip="flow", remotes="192.0.2.2",
            learning="false")
    for number in (2, 3):
        overlay(switches[number], remote_ip="192.0.2.1")
    for number, switch in switches.items():
        host(lab, number, switch)
    h1 = lab.hosts["h1"]
    h1.must_ping("10.0.0.2")
    steady = BackgroundPing(lab, h1, "10.0.0.2")
    assert not h1.ping("10.0.0.3")
    for _ in range(3):
        lab.switch.ctl("set", "Interface", "vx0",
                       'options:remotes="192.0.2.2,192.0.2.3"')
        h1.must_ping("10.0.0.3")
        lab.switch.ctl("set", "Interface", "vx0",
                       "options:remotes=192.0.2.2")
        equal(sorted(vteps(lab.switch)), ["192.0.2.2"], "the remotes")
        assert not h1.ping("10.0.0.3")
    steady.stop()


@test("a VTEP that sends is learned, and forgotten when it is silent",
      only="vsw")
def _(lab):
    wire = Underlay(lab)
    begin(lab, wire)
    other = another(lab, wire, 2)
    overlay(lab.switch, remote_ip="flow")
    overlay(other, remote_ip="192.0.2.1")
    h1 = host(lab, 1, lab.switch)
    h2 = host(lab, 2, other)
    h2.must_ping("10.0.0.1")
    equal(vteps(lab.switch)["192.0.2.2"]["origins"], ["learned"],
          "who says so")
    h1.must_ping("10.0.0.2")
    other.ctl("set", "Interface", "vx0", "options:remote_ip=192.0.2.9")
    lab.switch.ctl("set", "Bridge", "br0", "other_config:mac-aging-time=1")
    wait_until(lambda: not vteps(lab.switch), "it is forgotten", timeout=60)


@test("the kernel's VXLAN device is a peer", only="vsw")
def _(lab):
    wire = Underlay(lab)
    begin(lab, wire)
    peer = kernel_vtep(lab, wire, 3, "192.0.2.1")
    overlay(lab.switch, remote_ip="192.0.2.3")
    h1 = host(lab, 1, lab.switch)
    h1.must_ping("10.0.0.3", count=5)
    h1.must_ping("10.0.0.3", size=1300)
    lab.spawn(peer, "iperf3", "-s")
    wait_until(lambda: peer.run("ss", "-Hltn", "sport = :5201").stdout.strip(),
               "iperf3 listens")
    for way in ((), ("-R",)):
        out = h1.run("iperf3", "-c", "10.0.0.3", "-t", "1", *way,
                     timeout=20).stdout
        contains(out, "receiver", "iperf3")


@test("by an uplink of the switch's own: two switches", only="vsw")
def _(lab):
    wire = Underlay(lab)
    lab.start(monitor=False)
    other = KINDS["vsw"](Namespace(lab.prefix + "sw2"),
                         os.path.join(lab.directory, "run2"), lab.options)
    lab.others.append(other)
    other.start()
    other.add_bridge("br0")
    for number, switch in ((1, lab.switch), (2, other)):
        uplink(lab, wire, switch, number)
        by_uplink(lab, switch, number, remote_ip=underlay_address(3 - number))
    h1, h2 = lab.hosts["h1"], lab.hosts["h2"]
    h1.must_ping("10.0.0.2", count=3)
    h1.must_ping("10.0.0.2", size=1400)
    assert vteps(lab.switch)["192.0.2.2"]["next_hop"]
    tcp_transfer(h1, h2, "10.0.0.2")
    iperf(lab, h1, h2, "10.0.0.2")
    iperf(lab, h2, h1, "10.0.0.1")


@test("by an uplink of the switch's own: the kernel's device", only="vsw")
def _(lab):
    wire = Underlay(lab)
    lab.start(monitor=False)
    uplink(lab, wire, lab.switch, 1)
    peer = kernel_vtep(lab, wire, 3, "192.0.2.1")
    by_uplink(lab, lab.switch, 1, remote_ip="192.0.2.3")
    h1 = lab.hosts["h1"]
    h1.must_ping("10.0.0.3", count=5)
    lab.spawn(peer, "iperf3", "-s")
    wait_until(lambda: peer.run("ss", "-Hltn", "sport = :5201").stdout.strip(),
               "iperf3 listens")
    for way in ((), ("-R",)):
        out = h1.run("iperf3", "-c", "10.0.0.3", "-t", "1", *way,
                     timeout=20).stdout
        contains(out, "receiver", "iperf3")


@test("a multicast group has the frames to all", only="vsw")
def _(lab):
    wire = Underlay(lab)
    begin(lab, wire)
    other = another(lab, wire, 2)
    kernel_vtep(lab, wire, 3, group="239.1.1.1")
    for number, switch in ((1, lab.switch), (2, other)):
        overlay(switch, remote_ip="flow", group="239.1.1.1",
                **{"group-dev": "ul"})
        host(lab, number, switch)
    h1, h2 = lab.hosts["h1"], lab.hosts["h2"]
    h1.must_ping("10.0.0.2")
    h1.must_ping("10.0.0.3")
    h2.must_ping("10.0.0.3")
    out = h1.run("ping", "-n", "-c", "5", "-i", "0.05", "10.0.0.2").stdout
    assert "DUP" not in out and "5 received" in out, out
    shown = vteps(lab.switch)
    assert shown["239.1.1.1"]["group"], shown
    equal(shown["192.0.2.2"]["origins"], ["learned"], "the other's")
    networks = lab.switch.command("vtep/show")[0]["networks"]
    equal(networks, [{"vni": VNI, "floods_to": 1}], "who is flooded to")


def asked(recorder_socket, ip):
    """ARP requests for an address that have come to a packet socket."""
    found = 0
    while (data := receive(recorder_socket)) is not None:
        arp = data.find(b"\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01")
        found += arp >= 0 and data[arp + 26:arp + 30] == ip
    return found


@test("the switch answers for stations that it knows behind a VTEP",
      only="vsw")
def _(lab):
    other = pair(lab)
    for switch in (lab.switch, other):
        switch.ctl("set", "Interface", "vx0", "options:arp-suppression=true")
    h1, h2 = lab.hosts["h1"], lab.hosts["h2"]
    h2.must_ping("10.0.0.1")  # it asks all, and says who it is
    sock = h2.namespace.packet_socket("eth0")

    def suppressed():
        return lab.switch.command("vtep/show")[0]["suppressed_addresses"] >= 1
    wait_until(suppressed, "the address is known")
    asked(sock, bytes([10, 0, 0, 2]))
    h1.run("ip", "neigh", "flush", "dev", "eth0")
    h1.must_ping("10.0.0.2", count=3)
    equal(asked(sock, bytes([10, 0, 0, 2])), 0, "questions behind the tunnel")
    h1.ping("10.0.0.77")
    wait_until(lambda: asked(sock, bytes([10, 0, 0, 77])),
               "a question that nobody here can answer")


@test("a row of Remote_MAC puts a station behind a VTEP", only="vsw")
def _(lab):
    other = pair(lab, learning="false")
    h1, h2 = lab.hosts["h1"], lab.hosts["h2"]
    lab.switch.vsw_ctl("add-remote-mac", "vx0", h2.mac, "192.0.2.2",
                       "ip=10.0.0.2")
    line = next(line for line in
                lab.switch.app("fdb/show", "br0").splitlines()
                if h2.mac in line)
    contains(line, "vtep=192.0.2.2", "the FDB")
    h1.must_ping("10.0.0.2")
    lab.switch.vsw_ctl("del-remote-mac", "vx0", h2.mac)
    assert h2.mac not in lab.switch.app("fdb/show", "br0")
    other.sync()


@test("what the port says that cannot be is its error, and mends", only="vsw")
def _(lab):
    pair(lab)
    h1 = lab.hosts["h1"]
    h1.must_ping("10.0.0.2")
    result = lab.switch.ctl("set", "Interface", "vx0",
                            "options:remote_ip=192.0.2.1", check=False)
    contains(result.stderr, "own", "the command")
    contains(lab.switch.get("Interface", "vx0", "error"), "own", "the error")
    equal(lab.switch.ofport("vx0"), -1, "the port's number")
    assert not h1.ping("10.0.0.2")
    lab.switch.ctl("set", "Interface", "vx0", "options:remote_ip=192.0.2.2")
    h1.must_ping("10.0.0.2")
    equal(lab.switch.get("Interface", "vx0", "error"), [], "the error")
    lab.switch.ctl("set", "Interface", "vx0", "options:key=99")
    assert not h1.ping("10.0.0.2")
    lab.switch.ctl("set", "Interface", "vx0", f"options:key={VNI}")
    h1.must_ping("10.0.0.2")


@test("the local address comes later", only="vsw")
def _(lab):
    other = pair(lab)
    h1 = lab.hosts["h1"]
    ip_batch(["addr del 192.0.2.1/24 dev ul"], lab.sw_ns.name)
    lab.switch.ctl("set", "Interface", "vx0", "options:local_ip=192.0.2.1",
                   check=False)
    contains(lab.switch.get("Interface", "vx0", "error"), "192.0.2.1",
             "the error")
    ip_batch(["addr add 192.0.2.1/24 dev ul"], lab.sw_ns.name)
    wait_until(lambda: lab.switch.get("Interface", "vx0", "error") == [],
               "the socket is there")
    h1.must_ping("10.0.0.2")
    other.sync()


@test("another number of workers", only="vsw")
def _(lab):
    pair(lab)
    for workers in (3, 1, 2):
        lab.switch.ctl("set", "Open_vSwitch", ".",
                       f"other_config:n-workers={workers}")
        lab.hosts["h1"].must_ping("10.0.0.2", count=3)
    assert vteps(lab.switch)["192.0.2.2"]["tx_packets"] >= 9


@test("the uplink's bridge goes and comes back", only="vsw")
def _(lab):
    wire = Underlay(lab)
    lab.start(monitor=False)
    uplink(lab, wire, lab.switch, 1)
    kernel_vtep(lab, wire, 3, "192.0.2.1")
    by_uplink(lab, lab.switch, 1, remote_ip="192.0.2.3")
    h1 = lab.hosts["h1"]
    for _ in range(2):
        h1.must_ping("10.0.0.3")
        lab.switch.ctl("del-br", "out")
        contains(lab.switch.get("Interface", "vx0", "error"), "out",
                 "the error")
        assert not h1.ping("10.0.0.3")
        lab.switch.ctl("add-br", "out", "--", "add-port", "out", "up1")
    h1.must_ping("10.0.0.3")
    equal(lab.switch.get("Interface", "vx0", "error"), [], "the error")
    lab.switch.ctl("del-br", "br0")
    lab.switch.ctl("del-br", "out")


@test("a restart takes up where it was", only="vsw")
def _(lab):
    pair(lab)
    lab.hosts["h1"].must_ping("10.0.0.2")
    lab.switch.kill()
    lab.switch.start()
    lab.hosts["h1"].must_ping("10.0.0.2")
    ofport = lab.switch.ofport("vx0")
    lab.switch.ctl("del-port", "br0", "vx0")
    assert not lab.hosts["h1"].ping("10.0.0.2")
    overlay(lab.switch, remote_ip="192.0.2.2")
    lab.hosts["h1"].must_ping("10.0.0.2")
    assert ofport > 0


@test("a VLAN each is a VNI each", only="vsw")
def _(lab):
    wire = Underlay(lab)
    begin(lab, wire)
    other = another(lab, wire, 2)
    maps = {"key": "flow", "vni-map": '"10=1010,20=1020"'}
    overlay(lab.switch, remote_ip="192.0.2.2", **maps)
    overlay(other, remote_ip="192.0.2.1", **maps)
    for number, switch in ((1, lab.switch), (2, other)):
        for vlan in (10, 20):
            lab.host(f"v{vlan}h{number}", f"10.0.{vlan}.{number}/24",
                     mtu=1450, switch=switch, tag=vlan)
    for vlan in (10, 20):
        lab.hosts[f"v{vlan}h1"].must_ping(f"10.0.{vlan}.2")
    ip_batch(["addr add 10.0.10.9/24 dev eth0"],
             lab.hosts["v20h2"].namespace.name)
    assert not lab.hosts["v10h1"].ping("10.0.10.9")
