"""A port survives its device: missing, coming, going, changing."""
import array
import fcntl
import json
import socket
import struct
import time

from lib import netns
from lib.frame import frame, station
from lib.netns import Namespace, wait_until
from lib.testing import contains, equal, test
from lib.traffic import BackgroundPing


def column(lab, interface, name):
    return lab.switch.get("Interface", interface, name)


def wait_for(lab, interface, name, wanted):
    wait_until(lambda: column(lab, interface, name) == wanted,
               lambda: f"{interface}:{name} is {wanted!r}, it is "
                       f"{column(lab, interface, name)!r}")


def delivers(lab, source, sink):
    """A broadcast from one raw port reaches another, soon."""
    def once():
        lab.forget()
        one = frame(src=station(1))
        lab.send(source, one)
        try:
            lab.pump(lambda: one in lab.peers[sink].received, "", 0.2)
        except AssertionError:
            return False
        return True
    wait_until(once, f"{source} reaches {sink}")


@test("a port whose device is missing says so and works once it is there")
def _(lab):
    lab.start().ports({"p1": {}})
    result = lab.switch.ctl("add-port", "br0", "p2", check=False)
    contains(result.stderr, "p2", "the message")
    contains(str(column(lab, "p2", "error")), "p2", "Interface:error")
    equal(column(lab, "p2", "ofport"), -1, "ofport")
    lab.wire("p2")
    wait_for(lab, "p2", "error", [])
    wait_until(lambda: column(lab, "p2", "ofport") > 0, "p2 has an ofport")
    lab.ports_known({"p2": {}})
    delivers(lab, "p1", "p2")
    delivers(lab, "p2", "p1")


@test("a device that is let go by a bridge of the host is taken", only="vsw")
def _(lab):
    lab.start().ports({"p1": {}})
    lab.wire("p2")
    lab.sw_ns.ip("link", "add", "name", "kbr0", "type", "bridge")
    lab.sw_ns.ip("link", "set", "p2", "master", "kbr0")
    result = lab.switch.ctl("add-port", "br0", "p2", check=False)
    contains(result.stderr, "nomaster", "the message")
    lab.sw_ns.ip("link", "set", "p2", "nomaster")
    lab.sw_ns.ip("link", "del", "kbr0")
    wait_for(lab, "p2", "error", [])
    lab.ports_known({"p2": {}})
    delivers(lab, "p1", "p2")
    delivers(lab, "p2", "p1")


@test("an internal port is made when the device that has its name goes",
      only="vsw")
def _(lab):
    lab.start(monitor=False).wire("int1")
    result = lab.switch.ctl("add-port", "br0", "int1", "--", "set",
                            "Interface", "int1", "type=internal", check=False)
    contains(result.stderr, "ip link del int1", "the message")
    lab.sw_ns.ip("link", "del", "int1")
    wait_for(lab, "int1", "error", [])
    assert "int1" in lab.sw_ns.devices(), "int1 is not made"


# Open vSwitch goes on listening to the device that is gone.
@test("a device may vanish and come back, and others keep forwarding",
      only="vsw")
def _(lab):
    lab.start()
    a = lab.host("h1", "10.0.0.1/24")
    lab.host("h2", "10.0.0.2/24")
    lab.ports({"p1": {}, "p2": {}})
    a.must_ping("10.0.0.2")
    ping = BackgroundPing(lab, a, "10.0.0.2")
    for _ in range(3):
        lab.far_ns.ip("link", "del", "p2")
        lab.peers["p2"].sock.close()
        lab.peers["p2"].sock = None
        wait_until(lambda: column(lab, "p2", "error") != [] or
                   column(lab, "p2", "ofport") == -1 or
                   column(lab, "p2", "link_state") != "up",
                   "p2 is noticed as gone")
        ping.more()
        lab.wire("p2")
        lab.listen("p2")
        delivers(lab, "p1", "p2")
        delivers(lab, "p2", "p1")
        ping.more()
    ping.stop()


def worker_rests(lab):
    """No worker looks at its queues again and again with nothing there."""
    def looks():
        workers = json.loads(lab.switch.vsw_ctl("--format=json",
                                                "worker/show").stdout)
        return [(w["idle_polls"], w["sleeps"]) for w in workers]

    def quiet():
        before = looks()
        time.sleep(0.3)
        return looks() == before
    wait_until(quiet, "the workers sleep")


@test("workers sleep when a device is down or gone", only="vsw")
def _(lab):
    lab.start(monitor=False).ports({"p1": {}, "p2": {}})
    worker_rests(lab)
    lab.sw_ns.ip("link", "set", "p1", "down")
    wait_for(lab, "p1", "admin_state", "down")
    worker_rests(lab)
    lab.sw_ns.ip("link", "set", "p1", "up")
    wait_for(lab, "p1", "link_state", "up")
    delivers(lab, "p1", "p2")
    worker_rests(lab)
    lab.far_ns.ip("link", "del", "p2")
    wait_until(lambda: column(lab, "p2", "error") != [], "p2 is gone")
    worker_rests(lab)


@test("a device that goes with another namespace is made anew", only="vsw")
def _(lab):
    lab.start(monitor=False)
    lab.switch.ctl("add-port", "br0", "int1", "--", "set", "Interface", "int1",
                   "type=internal")
    away = Namespace(lab.prefix + "away")
    lab.sw_ns.ip("link", "set", "int1", "netns", away.name)
    wait_until(lambda: column(lab, "int1", "ifindex") in (0, []),
               "int1 is seen to be elsewhere")
    worker_rests(lab)
    netns.run(["ip", "netns", "del", away.name])
    wait_until(lambda: "int1" in lab.sw_ns.devices(), "int1 is made anew")
    worker_rests(lab)


@test("link state and MTU follow the device")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}})
    wait_for(lab, "p1", "link_state", "up")
    wait_for(lab, "p1", "admin_state", "up")
    lab.far_ns.ip("link", "set", "p1", "down")
    wait_for(lab, "p1", "link_state", "down")
    wait_for(lab, "p1", "admin_state", "up")
    lab.far_ns.ip("link", "set", "p1", "up")
    wait_for(lab, "p1", "link_state", "up")
    delivers(lab, "p1", "p2")
    for space in (lab.far_ns, lab.sw_ns):
        space.ip("link", "set", "p1", "mtu", "9000")
        space.ip("link", "set", "p2", "mtu", "9000")
    wait_for(lab, "p1", "mtu", 9000)
    wait_for(lab, "p2", "mtu", 9000)
    lab.peers["p1"].received.clear()
    sent = [frame(src=station(1), length=length) for length in (9000, 9014)]
    lab.check([("p1", f) for f in sent], {"p2": sent})


@test("mtu_request and mac set the device's")
def _(lab):
    lab.start(monitor=False).ports({"p1": {}})
    lab.switch.ctl("add-port", "br0", "int1", "--", "set", "Interface",
                   "int1", "type=internal", 'mac="02:00:00:00:0a:0b"')
    lab.switch.set("Interface", "p1", mtu_request=2000)
    wait_for(lab, "p1", "mtu", 2000)
    contains(lab.sw_ns.ip("link", "show", "dev", "p1"), "mtu 2000", "p1")
    wait_for(lab, "int1", "mac_in_use", "02:00:00:00:0a:0b")
    contains(lab.sw_ns.ip("link", "show", "dev", "int1"),
             "02:00:00:00:0a:0b", "int1")


@test("link changes and vanished devices are logged and disturb no other",
      only="vsw")
def _(lab):
    lab.start()
    a = lab.host("h1", "10.0.0.1/24")
    lab.host("h2", "10.0.0.2/24")
    lab.ports({"p1": {}})
    a.must_ping("10.0.0.2")
    ping = BackgroundPing(lab, a, "10.0.0.2")
    for _ in range(5):
        lab.far_ns.ip("link", "set", "p1", "down")
        wait_for(lab, "p1", "link_state", "down")
        lab.far_ns.ip("link", "set", "p1", "up")
        wait_for(lab, "p1", "link_state", "up")
    lab.far_ns.ip("link", "del", "p1")
    lab.peers.pop("p1").sock.close()
    wait_until(lambda: column(lab, "p1", "error") != [], "p1 has an error")
    ping.stop()
    log = lab.switch.log_text()
    contains(log, "p1", "the log")
    assert any("p1" in line and "down" in line.lower()
               for line in log.splitlines()), f"no link event in:\n{log}"


@test("one device in two bridges: an error says so, the first keeps it",
      only="vsw")
def _(lab):
    lab.start("br0", "br1", monitor=False)
    a = lab.host("h1", "10.0.0.1/24")
    lab.host("h2", "10.0.0.2/24")
    a.must_ping("10.0.0.2")
    equal(column(lab, "h1", "error"), [], "Interface:error")
    port = lab.switch.ctl("get", "Port", "h1", "_uuid")
    lab.switch.ctl("add", "Bridge", "br1", "ports", port, check=False)
    wait_until(lambda: "h1" in str(column(lab, "h1", "error")),
               "Interface:error names h1")
    contains(column(lab, "h1", "error"), "br0", "Interface:error")
    a.must_ping("10.0.0.2", count=3)
    lab.switch.ctl("remove", "Bridge", "br1", "ports", port)
    wait_for(lab, "h1", "error", [])
    a.must_ping("10.0.0.2", count=3)


@test("changing one port interrupts no other")
def _(lab):
    lab.start()
    a = lab.host("h1", "10.0.0.1/24")
    lab.host("h2", "10.0.0.2/24")
    a.must_ping("10.0.0.2")
    ping = BackgroundPing(lab, a, "10.0.0.2")
    for i in range(5):
        lab.ports({f"p{i}": {"tag": 10 + i}})
        lab.switch.set("Port", f"p{i}", tag=20 + i)
    lab.switch.add_bridge("br9")
    for i in range(5):
        lab.switch.ctl("del-port", f"p{i}")
        lab.peers.pop(f"p{i}").sock.close()
    lab.switch.ctl("del-br", "br9")
    ping.stop(lost=0 if lab.options.switch == "vsw" else 1000)


@test("an unknown interface type is named in the error", only="vsw")
def _(lab):
    lab.start(monitor=False)
    result = lab.switch.ctl("add-port", "br0", "odd", "--", "set",
                            "Interface", "odd", "type=nonsense", check=False)
    error = str(column(lab, "odd", "error"))
    contains(error + result.stderr, "nonsense", "the error")


ETHTOOL_GET, ETHTOOL_SET, SIOCETHTOOL = 1, 2, 0x8946
DUPLEX = {0: "half", 1: "full", 255: "full"}  # 255: the device cannot tell


def set_duplex(space, device, duplex):
    """Of a tap, which takes anything: 1 Gbit/s and this."""
    settings = array.array("B", struct.pack("I40x", ETHTOOL_GET))
    request = struct.pack("16sP16x", device.encode(),
                          settings.buffer_info()[0])
    with space.entered(), socket.socket(socket.AF_INET,
                                        socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCETHTOOL, request)
        struct.pack_into("I", settings, 0, ETHTOOL_SET)
        struct.pack_into("HB", settings, 12, 1000, duplex)
        fcntl.ioctl(sock, SIOCETHTOOL, request)


@test("a device that does not know its duplex is not half duplex", only="vsw")
def _(lab):
    lab.start()
    lab.sw_ns.ip("tuntap", "add", "dev", "t0", "mode", "tap")
    lab.sw_ns.ip("link", "set", "t0", "up")
    lab.kept_devices.add("t0")
    for number, word in DUPLEX.items():
        set_duplex(lab.sw_ns, "t0", number)
        lab.switch.ctl("add-port", "br0", "t0")
        equal((column(lab, "t0", "link_speed"), column(lab, "t0", "duplex")),
              (1000000000, word), f"speed, and duplex {number}")
        lab.switch.ctl("del-port", "t0")
