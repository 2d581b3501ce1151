"""vhost-user ports: what is offered, who connects to whom, what is shown."""
import grp
import os
import socket
import stat
import struct
import time

from lib import vhost_protocol as protocol
from lib.frame import frame, station
from lib.netns import wait_until
from lib.testing import contains, equal, test
from lib.vhost_frontend import BASIC, OFFLOADS, PROTOCOL, FrontEnd
from lib.vhost_guest import Footprint, guest, same, two_guests, vswd_pid
from lib.vhost_protocol import (NEED_REPLY, VERSION, Connection,
                                Disconnected, u64, vring_state)

A, B = station(0xa), station(0xb)


@test("the features and protocol features that front ends use are offered",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    front = guest(lab, "vm1", start=False).attach()
    front.negotiate()
    wanted = BASIC | OFFLOADS | {"RING_PACKED", "IN_ORDER", "ANY_LAYOUT",
                                 "LOG_ALL"}
    missing = wanted - front.offered
    assert not missing, f"features not offered: {sorted(missing)}"
    wanted = PROTOCOL | {"BACKEND_REQ", "BACKEND_SEND_FD"}
    missing = wanted - front.protocol_offered
    assert not missing, f"protocol features not offered: {sorted(missing)}"
    assert front.queue_number >= 8, f"{front.queue_number} queue pairs"
    slots = front.connection.get("GET_MAX_MEM_SLOTS")
    assert slots >= 32, f"{slots} memory slots"


@test("options:queues and the switches of features limit what is offered",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    vm = guest(lab, "vm1", start=False, options={"queues": 3})
    front = vm.attach()
    front.negotiate()
    equal(front.queue_number, 3, "queue pairs")
    result = lab.switch.ctl("--", "set", "Interface", "vm1",
                            "options:no-such=1", check=False)
    wait_until(lambda: "no-such" in str(lab.switch.get("Interface", "vm1",
                                                       "error")) or
               result.returncode, "the unknown option is named")


@test("features that were not offered, and queues that are not there, are "
      "refused", only="vsw")
def _(lab):
    lab.start(monitor=False)
    vm = guest(lab, "vm1", start=False)
    for request, payload in (
            ("SET_FEATURES", u64(1 << 63)),
            ("SET_PROTOCOL_FEATURES", u64(1 << 62)),
            ("SET_VRING_NUM", vring_state(9999, 256)),
            ("SET_VRING_ENABLE", vring_state(256, 1))):
        c = Connection.connect(vm.path)
        c.get("GET_FEATURES")
        c.send(request, payload, flags=VERSION | NEED_REPLY)
        c.wait_closed()
        c.close()
        wait_until(lambda: "disconnected" in str(vm.status()), "it is gone")


@test("REPLY_ACK: a reply when it is asked for, and none when it is not",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    front = guest(lab, "vm1", start=False).attach()
    front.negotiate()
    c = front.connection
    for _ in range(3):
        c.send("SET_OWNER")
        c.send("SET_OWNER", flags=VERSION | NEED_REPLY)
        equal(c.receive("SET_OWNER")[0], u64(0), "the acknowledgement")
    # nothing but the answer comes, whatever the flag says
    c.send("GET_FEATURES", flags=VERSION | NEED_REPLY)
    c.receive("GET_FEATURES")
    c.send("GET_QUEUE_NUM")
    c.receive("GET_QUEUE_NUM")


@test("a front end without protocol features runs when its rings are kicked",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    vm1 = guest(lab, "vm1").front
    vm2 = guest(lab, "vm2", front={"remove": {"PROTOCOL_FEATURES",
                                              "MQ"}}).front
    equal(vm2.protocol_features, frozenset(), "protocol features")
    for a, b, src, dst in ((vm1, vm2, A, B), (vm2, vm1, B, A)):
        sent = [frame(dst, src) for _ in range(10)]
        a.send(*sent)
        same(b.take(10), sent, f"frames from {src}")


@test("the database and vhost/show tell of a connection", only="vsw")
def _(lab):
    lab.start(monitor=False)
    vm = guest(lab, "vm1", start=False)
    vm.wait_link("down")
    contains(vm.show(), "vm1", "vhost/show")
    front = vm.start(pairs=2, add={"RING_PACKED"}, size=128)

    def status():
        return {key: vm.status().get(key) for key in wanted}
    wanted = {"mode": "server", "socket": vm.path, "status": "connected",
              "num_of_vrings": "4", "vring_0_size": "128",
              "vring_3_size": "128",
              "features": f"0x{protocol.bits(front.features):016x}"}
    wait_until(lambda: status() == wanted, lambda: f"{wanted}: {status()}")
    for part in ("vm1", vm.path, "packed", str(os.getpid())):
        contains(vm.show(), part, "vhost/show")
    result = lab.switch.vsw_ctl("vhost/show", "nowhere", check=False)
    assert result.returncode, "vhost/show of a port that is not there"
    vm.detach()
    vm.wait_link("down")
    wait_until(lambda: vm.status().get("status") == "disconnected",
               lambda: str(vm.status()))


@test("vswd listens again and again: front ends come and go", only="vsw")
def _(lab):
    vm1, vm2 = two_guests(lab)
    held = Footprint(vswd_pid(lab))
    for i in range(20):
        vm1.start()
        sent = [frame(B, A) for _ in range(5)]
        vm1.front.send(*sent)
        same(vm2.front.take(5), sent, f"connection {i}")
    held.check()


@test("as a client vswd comes back when the front end does", only="vsw")
def _(lab):
    lab.start(monitor=False)
    vm1 = guest(lab, "vm1")
    vm2 = guest(lab, "vm2", client=True)
    wait_until(lambda: vm2.status().get("mode") == "client", "its mode")
    for i in range(4):
        sent = [frame(B, A) for _ in range(5)]
        vm1.front.send(*sent)
        same(vm2.front.take(5), sent, f"connection {i}")
        vm2.detach()
        vm2.wait_link("down")
        begin = time.monotonic()
        vm2.start()
        assert time.monotonic() - begin < 10, "it did not hurry"


@test("as a client vswd waits longer and longer where nobody stays",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    vm = guest(lab, "vm1", client=True, start=False)
    times = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(vm.path)
        listener.listen(1)
        listener.settimeout(30)
        for _ in range(9):
            listener.accept()[0].close()
            times.append(time.monotonic())
    os.unlink(vm.path)
    gaps = [b - a for a, b in zip(times, times[1:])]
    # a busy machine makes some longer, not all of the first
    assert gaps[-1] > 4 * min(gaps[:3]), f"gaps: {gaps}"


@test("one port has one front end: the second is refused", only="vsw")
def _(lab):
    vm1, vm2 = two_guests(lab)
    held = Footprint(vswd_pid(lab))
    for _ in range(10):
        second = Connection.connect(vm1.path)
        try:
            second.send("GET_FEATURES")
            second.wait_closed()
        except Disconnected:
            pass
        second.close()
    sent = frame(B, A)
    vm1.front.send(sent)
    same(vm2.front.take(1), [sent], "the first one's frame")
    held.check()
    vm1.detach()
    vm1.start()


@test("mode, owner and group of the socket are as options say", only="vsw")
def _(lab):
    lab.start(monitor=False)
    vm = guest(lab, "vm1", start=False)

    def access():
        st = os.stat(vm.path)
        return oct(stat.S_IMODE(st.st_mode)), st.st_uid, st.st_gid
    equal(access()[0], "0o660", "the mode by default")
    group = grp.getgrnam("daemon").gr_gid
    lab.switch.ctl("set", "Interface", "vm1", "options:socket-mode=0600",
                   "options:socket-owner=nobody",
                   "options:socket-group=daemon")
    wait_until(lambda: access() == ("0o600", 65534, group),
               lambda: f"mode, owner, group are {access()}")
    vm.start()
    lab.switch.ctl("del-port", "br0", "vm1")
    wait_until(lambda: not os.path.exists(vm.path), "the socket is removed")


@test("a socket that another process listens on is not taken from it",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    path = os.path.join(lab.directory, "taken.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(path)
        other.listen(1)
        lab.switch.ctl("--no-wait", "add-port", "br0", "vm1", "--", "set",
                       "Interface", "vm1", "type=vhostuser",
                       f"options:vhost-server-path={path}")
        wait_until(lambda: "taken.sock" in str(
            lab.switch.get("Interface", "vm1", "error")),
            "Interface:error names it")
        assert os.path.exists(path), "it was removed"
        contains(str(lab.switch.get("Interface", "vm1", "error")),
                 "listens", "Interface:error")


@test("Open vSwitch's names of the types work, too", only="vsw")
def _(lab):
    lab.start(monitor=False)
    path = os.path.join(lab.directory, "client.sock")
    client = FrontEnd(path, server=True)
    lab.switch.ctl(
        "add-port", "br0", "vu1", "--", "set", "Interface", "vu1",
        "type=dpdkvhostuser", "--", "add-port", "br0", "vu2", "--", "set",
        "Interface", "vu2", "type=dpdkvhostuserclient",
        f"options:vhost-server-path={path}")
    client.start()
    server = FrontEnd(lab.switch.path("vu1")).start()
    wait_until(lambda: all(lab.switch.get("Interface", p, "link_state") ==
                           "up" for p in ("vu1", "vu2")), "both are up")
    sent = frame(B, A)
    server.send(sent)
    same(client.take(1), [sent], "a frame")
    server.close()
    client.close()


@test("STATUS and RESET_DEVICE: the device stops, and starts again",
      only="vsw")
def _(lab):
    vm1, vm2 = two_guests(lab)
    front = vm1.front
    equal(front.connection.get("GET_STATUS"), 0xf, "the status")
    for _ in range(3):
        front.connection.set("RESET_DEVICE")
        equal(front.connection.get("GET_STATUS"), 0, "status after reset")
        vm1.wait_link("down")
        for ring in front.rings():
            ring.reset()
        front.set_features()
        for ring in front.rings():
            front.start_ring(ring)
            front.enable(ring)
        front.set_status(0xf)
        front.pairs[0].fill()
        sent = frame(B, A)
        front.send(sent)
        same(vm2.front.take(1), [sent], "a frame")
        vm2.front.send(sent)
        same(front.take(1), [sent], "a frame back")


@test("SEND_RARP: the bridge learns where a guest has gone, and tells all",
      only="vsw")
def _(lab):
    lab.start()
    lab.ports({"raw": {"tag": 10}, "raw20": {"tag": 20}})
    vm = guest(lab, "vm1", tag=10)
    lab.forget()
    mac = bytes.fromhex("0200000000cc")
    vm.front.connection.set("SEND_RARP", struct.pack("<6s2x", mac))
    raw = lab.peers["raw"]
    lab.pump(lambda: raw.received, "the announcement")
    got = raw.received[0]
    equal((got.src, got.dst, got[12:14].hex()),
          ("02:00:00:00:00:cc", "ff:ff:ff:ff:ff:ff", "8035"), "what is said")
    equal(got[14:22].hex() + got[22:28].hex() + got[32:38].hex(),
          "0001080006040003" + 2 * mac.hex(), "the RARP request")
    lab.fence("raw")
    lab.probe()
    equal(lab.peers["raw20"].received, [], "in another VLAN")
    port, _ = lab.switch.fdb()[10, "02:00:00:00:00:cc"]
    equal(port, str(lab.switch.ofport("vm1")), "the port it is learned at")
