"""What fits into an overlay by the host's sockets, where paths are the
kernel's; and machines of a segment that are told of it."""
import json

from lib.netns import Namespace, ip_batch, wait_until
from lib.segment_vm import Machine
from lib.testing import contains, equal, test

INNER = "10.20.0.200"


def begin(lab, *segment):
    """The segment's bridge is lab; the peer is the kernel's, 192.0.2.6."""
    lab.start(monitor=False)
    if segment:
        lab.switch.vsw_ctl("add-segment", "lab", "internal", "10.20.0.0/24",
                           *segment)
    else:
        lab.switch.ctl("add-br", "lab")
    peer = Namespace(lab.prefix + "peer")
    ip_batch([f"link add ul netns {lab.sw_ns.name} type veth peer name ul "
              f"netns {peer.name}"])
    ip_batch(["addr add 192.0.2.5/24 dev ul", "link set ul up"],
             lab.sw_ns.name)
    ip_batch(["addr add 192.0.2.6/24 dev ul", "link set ul up",
              "link add vx7 mtu 1500 type vxlan id 7 local 192.0.2.6 remote "
              "192.0.2.5 dstport 4789",
              f"addr add {INNER}/24 dev vx7", "link set vx7 up"], peer.name)
    lab.kept_devices.add("ul")
    lab.switch.ctl("add-port", "lab", "vx0", "--", "set", "Interface", "vx0",
                   "type=vxlan", "options:remote_ip=192.0.2.6",
                   "options:key=7")


def wait_mtu(lab, mtu):
    def status():
        return lab.switch.get("Interface", "vx0", "status")

    wait_until(lambda: status().get("overlay_mtu") == str(mtu),
               lambda: f"{status()}", 25)
    wait_until(lambda: lab.switch.get("Interface", "vx0", "mtu") == mtu,
               "Interface:mtu, too")


def big_ping(host, size):
    return host.run("ping", "-n", "-c", 1, "-W", 1, "-M", "do", "-s",
                    size - 28, INNER, check=False).stdout


@test("by sockets: the route's MTU counts, and its changes", only="vsw")
def _(lab):
    begin(lab)
    h1 = lab.host("h1", "10.20.0.1/24", bridge="lab")
    h1.must_ping(INNER)
    wait_mtu(lab, 1450)
    contains(big_ping(h1, 1451), "mtu = 1450", "ping")
    assert h1.ping(INNER, size=1450 - 28)
    lab.sw_ns.ip("route", "add", "192.0.2.6/32", "dev", "ul", "mtu", "1400")
    # What the kernel does not take any more makes it be looked at.
    wait_until(lambda: "mtu = 1350" in big_ping(h1, 1450), "1350", 25)
    wait_mtu(lab, 1350)
    lab.sw_ns.ip("route", "change", "192.0.2.6/32", "dev", "ul", "mtu",
                 "1300")
    wait_mtu(lab, 1250)
    lab.switch.ctl("set", "Interface", "vx0", "options:mtu=1200")
    wait_mtu(lab, 1200)
    contains(big_ping(h1, 1201), "mtu = 1200", "ping")


@test("a remote's address becomes the host's own: it is said, until it is not",
      only="vsw")
def _(lab):
    begin(lab)

    def error():
        return str(lab.switch.get("Interface", "vx0", "error"))

    equal(error(), "[]", "no error")
    lab.sw_ns.ip("addr", "add", "192.0.2.6/32", "dev", "lo")
    wait_until(lambda: "an address of this host now" in error(), error, 25)
    lab.sw_ns.ip("addr", "del", "192.0.2.6/32", "dev", "lo")
    wait_until(lambda: error() == "[]", error, 25)


@test("machines of a segment with an overlay are told its MTU, by DHCP and "
      "advertisements", only="vsw")
def _(lab):
    begin(lab, "fd20::/64")
    wait_mtu(lab, 1450)
    vm = Machine(lab, "vm1")
    vm.host.namespace.sysctl("ipv6/conf/eth0/accept_ra", 2)
    vm.run("busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-O", "mtu", "-s",
           vm.script(), timeout=40)
    equal(vm.told("bound")["mtu"], "1450", "by DHCP")

    def advertised():
        return int(vm.host.namespace.sysctl("ipv6/conf/eth0/mtu"))

    wait_until(lambda: advertised() == 1450, lambda: f"{advertised()}", 25)
    # Another one, while it runs, and one that the segment itself says.
    lab.switch.ctl("set", "Interface", "vx0", "options:mtu=1400")
    wait_until(lambda: advertised() == 1400, lambda: f"{advertised()}", 25)
    lab.switch.vsw_ctl("set-segment", "lab", "mtu=1300")
    wait_until(lambda: advertised() == 1300, lambda: f"{advertised()}", 25)
    shown = lab.switch.command("segment/show", "lab")[0]
    equal(shown["mtu"], 1300, json.dumps(shown))
    contains(lab.switch.vsw_ctl("segment/show", "lab").stdout,
             "MTU of machines: 1300", "segment/show")
