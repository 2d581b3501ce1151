"""VXLAN by an address on an uplink's bridge: the kernel's vxlan device as the
other end, on the link and behind a router; what is too big, and who hears it.

    h1 -- [br0] vx0 ... [wan] -- wan0: peer, or router -- peer
    10.1.0.1            .5       192.0.2.6     198.51.100.9
"""
import json
import socket
import threading

from lib.lab import Host
from lib.netns import Namespace, ip_batch, wait_until
from lib.nat import Capture
from lib.testing import contains, equal, test

LOCAL = {4: "192.0.2.5/24", 6: "2001:db8:1::5/64"}
PEER = {4: "192.0.2.6", 6: "2001:db8:1::6"}
ROUTER = {4: "192.0.2.1", 6: "2001:db8:1::1"}
FAR = {4: "198.51.100.9", 6: "2001:db8:2::9"}
BEYOND = {4: "198.51.100.1", 6: "2001:db8:2::1"}
INNER = {4: "10.1.0.2", 6: "fd01::2"}
OUTER = {4: 50, 6: 70}


def bare(address):
    return address.split("/", maxsplit=1)[0]


class Uplink:
    """The switch under test with its VTEP on bridge wan; routed: the peer is
    behind a router, by a link that takes `mtu`."""

    def __init__(self, lab, version=4, routed=False, mtu=1500, peer_mtu=None,
                 **options):
        self.lab, self.version = lab, version
        lab.start("br0", "wan", monitor=False)
        self.h1 = lab.host("h1", "10.1.0.1/24", "fd01::1/64")
        if routed:
            self.make_router(mtu)
            remote = FAR[version]
            options["gateway"] = ROUTER[version]
        else:
            self.next = lab.host("wan0", f"{PEER[4]}/24", f"{PEER[6]}/64",
                                 bridge="wan")
            self.peer, remote = self.next, PEER[version]
        self.end(self.peer, remote, peer_mtu)
        self.set(remote_ip=remote, key=7, underlay="wan",
                 local_ip=LOCAL[version], **options)

    def make_router(self, mtu):
        self.next = router = self.lab.host(
            "wan0", f"{ROUTER[4]}/24", f"{ROUTER[6]}/64", bridge="wan")
        space = Namespace(self.lab.prefix + "peer")
        for one in (space, router.namespace):
            one.sysctl("ipv6/conf/all/disable_ipv6", 0)
            one.sysctl("ipv6/conf/default/disable_ipv6", 0)
        router.namespace.sysctl("ipv4/ip_forward", 1)
        router.namespace.sysctl("ipv6/conf/all/forwarding", 1)
        ip_batch([f"link add eth1 mtu {mtu} netns {router.namespace.name} "
                  f"type veth peer name eth0 mtu {mtu} netns {space.name}"])
        ip_batch([f"addr add {BEYOND[4]}/24 dev eth1",
                  f"addr add {BEYOND[6]}/64 dev eth1 nodad",
                  "link set eth1 up"], router.namespace.name)
        ip_batch([f"addr add {FAR[4]}/24 dev eth0",
                  f"addr add {FAR[6]}/64 dev eth0 nodad",
                  "link set eth0 up", f"route add default via {BEYOND[4]}",
                  f"route add default via {BEYOND[6]}"], space.name)
        self.peer = Host(space, [f"{FAR[4]}/24"])

    def end(self, host, local, mtu):
        """The kernel's VTEP, with the inner addresses on its device."""
        checksums = "udp6zerocsumrx" if self.version == 6 else ""
        ip_batch([f"link add vx7 type vxlan id 7 local {local} "
                  f"remote {bare(LOCAL[self.version])} dstport 4789 "
                  f"{checksums}",
                  f"addr add {INNER[4]}/24 dev vx7",
                  f"addr add {INNER[6]}/64 dev vx7 nodad",
                  "link set vx7 up"], host.namespace.name)
        if mtu:
            host.namespace.ip("link", "set", "vx7", "mtu", str(mtu))

    def set(self, **options):
        lines = [f"options:{key}=\"{value}\"" for key, value in options.items()]
        self.lab.switch.ctl("--may-exist", "add-port", "br0", "vx0", "--",
                            "set", "Interface", "vx0", "type=vxlan", *lines)

    def status(self):
        return self.lab.switch.get("Interface", "vx0", "status")

    def mtu(self):
        return int(self.status().get("overlay_mtu", 0))

    def wait_mtu(self, mtu, timeout=20):
        wait_until(lambda: self.mtu() == mtu, lambda: f"{self.status()}",
                   timeout)

    def ping_all(self):
        for version in 4, 6:
            self.h1.must_ping(INNER[version])


def big_ping(host, address, size):
    """What ping says of one packet that must not be fragmented."""
    return host.run("ping", "-n", "-c", 1, "-W", 1, "-M", "do", "-s", size,
                    address, check=False).stdout


def tcp_to(host, peer, address, count=2 << 20):
    """`count` bytes to the peer; how many arrived."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    got = []
    with peer.namespace.entered():
        server = socket.socket(family, socket.SOCK_STREAM)
    server.bind((address, 7001))
    server.listen(1)

    def serve():
        connection = server.accept()[0]
        total = 0
        while True:
            data = connection.recv(65536)
            if not data:
                break
            total += len(data)
        got.append(total)
        connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with host.namespace.entered():
        client = socket.socket(family, socket.SOCK_STREAM)
    client.settimeout(20)
    client.connect((address, 7001))
    client.sendall(bytes(count))
    client.shutdown(socket.SHUT_WR)
    thread.join(20)
    client.close()
    server.close()
    return got[0] if got else 0


@test("an uplink's VTEP and the kernel's: IPv4 on the link", only="vsw")
def _(lab):
    rig = Uplink(lab)
    rig.ping_all()
    equal(rig.mtu(), 1450, "the overlay's MTU")
    assert not lab.switch.get("Interface", "vx0", "error")
    # The VTEP itself answers, by its own address.
    rig.next.must_ping(bare(LOCAL[4]))


@test("an uplink's VTEP and the kernel's: IPv6 on the link", only="vsw")
def _(lab):
    rig = Uplink(lab, version=6)
    rig.ping_all()
    equal(rig.mtu(), 1430, "the overlay's MTU")
    rig.next.must_ping(bare(LOCAL[6]))


@test("an uplink's VTEP behind a router", only="vsw")
def _(lab):
    rig = Uplink(lab, routed=True)
    rig.ping_all()
    equal(tcp_to(rig.h1, rig.peer, INNER[4]), 2 << 20, "bytes by TCP")


@test("an uplink's VTEP behind a router, IPv6", only="vsw")
def _(lab):
    rig = Uplink(lab, version=6, routed=True)
    rig.ping_all()
    equal(tcp_to(rig.h1, rig.peer, INNER[6]), 2 << 20, "bytes by TCP")


@test("what is too big for an overlay: the sender is told, TCP goes on",
      only="vsw")
def _(lab):
    # Both ends believe in 1500 bytes, which is 50 too many.
    rig = Uplink(lab, peer_mtu=1500)
    rig.ping_all()
    contains(big_ping(rig.h1, INNER[4], 1500 - 28), "mtu = 1450", "ping")
    contains(big_ping(rig.h1, INNER[6], 1500 - 48), "mtu=1450", "ping")
    assert rig.h1.ping(INNER[4], size=1450 - 28, extra=("-M", "do"))
    rig.h1.run("ip", "route", "flush", "cache")
    equal(tcp_to(rig.h1, rig.peer, INNER[4]), 2 << 20, "bytes by TCP")
    equal(tcp_to(rig.h1, rig.peer, INNER[6]), 2 << 20, "bytes by TCP6")


@test("a router on the way takes less: the path's MTU is taken over",
      only="vsw")
def _(lab):
    rig = Uplink(lab, routed=True, mtu=1400, peer_mtu=1450)
    rig.ping_all()
    equal(rig.mtu(), 1450, "nothing large was sent yet")
    # The first is lost on the way, and the router says why.
    big_ping(rig.h1, INNER[4], 1450 - 28)
    rig.wait_mtu(1350)
    contains(big_ping(rig.h1, INNER[4], 1450 - 28), "mtu = 1350", "ping")
    equal(tcp_to(rig.h1, rig.peer, INNER[4]), 2 << 20, "bytes by TCP")


@test("a router on the way takes less, IPv6", only="vsw")
def _(lab):
    rig = Uplink(lab, version=6, routed=True, mtu=1400, peer_mtu=1430)
    rig.ping_all()
    big_ping(rig.h1, INNER[6], 1430 - 48)
    rig.wait_mtu(1330)
    equal(tcp_to(rig.h1, rig.peer, INNER[6]), 2 << 20, "bytes by TCP")


@test("devices of a bridge with an overlay have its MTU", only="vsw")
def _(lab):
    rig = Uplink(lab)

    def device():
        return json.loads(lab.sw_ns.ip("-j", "link", "show", "br0"))[0]["mtu"]

    def wait_device(mtu, timeout=20):
        wait_until(lambda: device() == mtu, lambda: f"{device()}", timeout)

    wait_device(1450)
    rig.set(mtu=1400)
    wait_device(1400)
    lab.switch.ctl("remove", "Interface", "vx0", "options", "mtu")
    wait_device(1450)
    # The uplink takes more, from one moment to the next.
    ip_batch(["link set wan0 mtu 9000"], lab.sw_ns.name)
    wait_device(8950)
    lab.switch.ctl("set", "Interface", "br0", "mtu_request=2000")
    wait_device(2000)
    lab.switch.ctl("clear", "Interface", "br0", "mtu_request")
    wait_device(8950)
    lab.switch.ctl("del-port", "vx0")
    wait_device(1500)


@test("a group on an uplink: joined, used, left", only="vsw")
def _(lab):
    lab.start("br0", "wan", monitor=False)
    h1 = lab.host("h1", "10.1.0.1/24")
    peer = lab.host("wan0", "192.0.2.6/24", bridge="wan")
    capture = Capture(lab, peer)
    ip_batch(["link add vx7 type vxlan id 7 local 192.0.2.6 group 239.1.1.7 "
              "dstport 4789 dev eth0", "addr add 10.1.0.2/24 dev vx7",
              "link set vx7 up"], peer.namespace.name)
    lab.switch.ctl("add-port", "br0", "vx0", "--", "set", "Interface", "vx0",
                   "type=vxlan", "options:remote_ip=flow", "options:key=7",
                   "options:underlay=wan", "options:local_ip=192.0.2.5/24",
                   "options:group=239.1.1.7")
    h1.must_ping("10.1.0.2")
    lab.switch.ctl("del-port", "vx0")
    peer.namespace.ip("link", "set", "vx7", "down")

    def said(record):
        return capture.tshark(
            "ip.src == 192.0.2.5 && igmp.maddr == 239.1.1.7 && "
            f"igmp.record_type == {record}", "igmp.type")

    wait_until(lambda: said(3), "left")
    capture.stop()
    assert said(4), "joined"
    equal(capture.tshark("_ws.malformed && ip.src == 192.0.2.5"), [],
          "frames that cannot be read")


@test("a remote VTEP's MAC changes", only="vsw")
def _(lab):
    rig = Uplink(lab)
    rig.ping_all()
    ip_batch(["link set eth0 down", "link set eth0 address 02:11:22:33:44:55",
              "link set eth0 up"], rig.peer.namespace.name)
    # The former one is asked first whether it still has the address.
    rig.ping_all()
    contains(lab.switch.app("vtep/show"), "02:11:22:33:44:55", "the next hop")


@test("a thousand remotes on the link are found", only="vsw")
def _(lab):
    lab.start("br0", "wan", monitor=False)
    peer = lab.host("wan0", "10.9.255.1/16", bridge="wan")
    remotes = [f"10.9.{i >> 8}.{i & 255}" for i in range(1, 1001)]
    ip_batch([f"addr add {remote}/16 dev eth0" for remote in remotes],
             peer.namespace.name)
    lab.switch.ctl("add-port", "br0", "vx0", "--", "set", "Interface", "vx0",
                   "type=vxlan", "options:remote_ip=flow", "options:key=7",
                   "options:underlay=wan", "options:local_ip=10.9.255.5/16",
                   f"options:remotes=\"{','.join(remotes)}\"")

    def unreached():
        shown = lab.switch.command("vtep/show")[0]["remotes"]
        return len(shown) - sum(one["reached"] for one in shown)

    wait_until(lambda: not unreached(), lambda: f"{unreached()} are not")


@test("the VTEP's address is somebody else's, too", only="vsw")
def _(lab):
    rig = Uplink(lab)
    rig.ping_all()
    other = lab.host("other", "192.0.2.77/24", bridge="wan")
    other.run("arping", "-c", 1, "-U", "-S", "192.0.2.5", "192.0.2.5",
              check=False)
    other.namespace.ip("addr", "add", "192.0.2.5/24", "dev", "eth0")
    other.run("ping", "-c", 1, "-W", 1, "-I", "192.0.2.5", "192.0.2.6",
              check=False)
    wait_until(lambda: "claimed" in str(lab.switch.get("Interface", "vx0",
                                                       "error")),
               "said in Interface:error")
    rig.ping_all()
