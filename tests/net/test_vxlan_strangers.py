"""VXLAN whose underlay, or whose configuration, leaves it no peace."""
import json
import os
import random
import socket
import struct
import threading
import time

from lib.netns import CommandFailed, wait_until
from lib.raw_ip import ip4, put_csum
from lib.segment_vm import Machine, add_segment
from lib.switch import read_json
from lib.testing import equal, test
from lib.vxlan_frame import header
from lib.vxlan_strangers import (FROM, LOCAL, PACKET_VNET_HDR, PACKETS,
                                 PAYLOADS, REMOTE, SOL_PACKET, TAGGED_VNI,
                                 Attacked, Chance, inner, packet, spoil, train)


def train_socket(lab):
    """Sends what begins with a virtio_net_hdr."""
    with lab.far_ns.entered():
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    with lab.far_ns.entered():
        sock.bind(("atk", 0))
    return sock


def megabytes_of(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file
                    if line.startswith("VmRSS")) >> 10


def descriptors_of(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def is_sanitized(lab):
    """Its memory says nothing."""
    with open(f"/proc/{lab.switch.process.pid}/maps",
              encoding="ascii") as file:
        return "libasan" in file.read()


def counted(reasons):
    found = {}
    for reason in reasons:
        if reason:
            found[reason] = found.get(reason, 0) + 1
    return found


def all_arrive(attacked, reasons):
    """As many as have no reason come out, all others are counted."""
    wanted = counted(reasons)
    delivered = reasons.count(None)

    def done():
        attacked.inside.collect()
        return len(attacked.inside.received) >= delivered and \
            attacked.drops() == wanted
    wait_until(done, lambda: f"{len(attacked.inside.received)} of {delivered}"
               f", {attacked.drops()}, expected {wanted}")
    equal(len(attacked.inside.received), delivered, "delivered")


def more_ports(attacked):
    attacked.vtep("vx1", remote_ip="10.99.1.2", key=8)
    attacked.vtep("vx2", remote_ip="flow", key="flow",
                  vni_map=f"10={TAGGED_VNI}", remotes=REMOTE)


@test("each packet to a VTEP comes out, or is counted with its reason",
      only="vsw")
def _(lab):
    attacked = Attacked(lab)
    more_ports(attacked)
    r = random.Random(1)
    reasons = []
    for _ in range(60):
        for reason, data in r.sample(PACKETS, len(PACKETS)):
            attacked.outside.send(attacked.mac + FROM + data)
            reasons.append(reason)
        # Before the next: what a full ring loses is not counted by a reason.
        all_arrive(attacked, reasons)


@test("so is each datagram of a train", only="vsw")
def _(lab):
    attacked = Attacked(lab)
    more_ports(attacked)
    r = random.Random(2)
    reasons = []
    with train_socket(lab) as sock:
        for n in (2, 33, 39, 64, 7, 50, 64, 3):
            some = [r.choice(PAYLOADS) for _ in range(n)]
            sock.send(train(attacked.mac, [data for _, data in some]))
            reasons += [reason for reason, _ in some]
    all_arrive(attacked, reasons)


def tcp_segment(sequence, data, kind):
    """A frame of one, wrong or special as `kind` says."""
    flags = {"push": 0x18, "cwr": 0x90, "ece": 0x50, "syn": 0x12}
    segment = struct.pack("!HHIIBBHHH", 80, 81, sequence, 1, 0x50,
                          flags.get(kind, 0x10), 100, 0, 0) + data
    segment = put_csum(segment, 16, 6, "10.0.0.1", "10.0.0.2")
    if kind == "checksum":
        segment = spoil(segment, 16)
    body = ip4("10.0.0.1", "10.0.0.2", (6, segment), 0x4000)
    if kind == "header":
        body = spoil(body, 12)
    return b"\2\0\0\0\0\2\2\0\0\0\0\1" + body


def tcp_payloads(frames):
    return b"".join(bytes(data)[54:14 + int.from_bytes(data[16:18], "big")]
                    for data in frames)


@test("TCP segments come out in order, wrong ones just as they were",
      only="vsw")
def _(lab):
    attacked = Attacked(lab)
    r, sequence, sent, wrong = random.Random(6), 1, [], []
    with train_socket(lab) as sock:
        for n in (33, 1, 39, 7, 39, 2, 34, 25) * 3:
            size, burst = r.choice((100, 500)), []
            for _ in range(n):
                kind = r.choice(("right",) * 12 + (
                    "checksum", "header", "push", "cwr", "ece", "syn"))
                sequence += 5 * (r.random() < .05)
                data = struct.pack("!I", len(sent)) * (size // 4)
                burst.append(tcp_segment(sequence, data, kind))
                sent.append(burst[-1])
                if kind in ("checksum", "header", "syn"):
                    wrong.append(burst[-1])
                sequence += size
            if n > 1 and r.random() < .5:
                sock.send(train(attacked.mac,
                                [header() + frame for frame in burst]))
                continue
            for frame in burst:
                attacked.outside.send(attacked.mac + FROM +
                                      packet(header() + frame))
    wanted = tcp_payloads(sent)

    def done():
        attacked.inside.collect()
        return len(tcp_payloads(attacked.inside.received)) >= len(wanted)
    wait_until(done, lambda: f"all come out; {attacked.drops()}")
    assert tcp_payloads(attacked.inside.received) == wanted, "in order"
    whole = {bytes(data) for data in attacked.inside.received}
    assert all(frame in whole for frame in wrong), "wrong ones"


def send_by_chance(lab, attacked, seconds, seed):
    chance = Chance(random.Random(seed), attacked.mac)
    end = time.monotonic() + seconds
    with train_socket(lab) as sock:
        while time.monotonic() < end:
            for _ in range(100):
                attacked.outside.send(chance.outer())
            for _ in range(10):
                sock.send(chance.train())
                attacked.inside.send(chance.frame()[:1500].ljust(60, b"\0"))
            for peer in attacked.inside, attacked.outside:
                peer.collect()
                peer.received.clear()
                peer.markers.clear()
            assert lab.switch.process.poll() is None, lab.switch.log_tail()


@test("packets of all kinds of nonsense, and tunnels in tunnels, end nothing",
      only="vsw")
def _(lab):
    attacked = Attacked(lab)
    more_ports(attacked)
    lab.switch.ctl("add-br", "br1")
    attacked.vtep("vy", bridge="br1", underlay="br0", remote_ip="flow", key=7,
                  remotes=REMOTE)
    send_by_chance(lab, attacked, 3, 3)
    station = attacked.mac + FROM
    attacked.outside.send(station + packet(header() + inner(0x777)))
    wait_until(lambda: (attacked.inside.collect(), any(
        b"\2\0\0\0\x07\x77" in data for data in attacked.inside.received))[1],
        "a good packet comes out")
    for port in "vx1", "vx2":
        equal(lab.switch.get("Interface", port, "error"), [], port)


class Flood:
    """Packets of 10,000 VTEPs that nobody knows, until it ends."""

    def __init__(self, attacked):
        self.attacked, self.sent = attacked, 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        packets = [self.attacked.mac + FROM + packet(
            header() + inner(100 + i), src=f"10.99.{10 + i // 250}.{i % 250}")
            for i in range(10000)]
        while not self.stop.is_set():
            try:
                self.attacked.outside.sock.send(packets[self.sent % 10000])
                self.sent += 1
            except OSError:
                time.sleep(0.001)
            if self.sent % 64 == 0:
                time.sleep(0.001)

    def __enter__(self):
        self.thread.start()
        wait_until(lambda: self.sent > 10000, "the flood is there", 60)
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


@test("10,000 VTEPs that nobody knows keep nobody from being served",
      only="vsw")
def _(lab):
    attacked = Attacked(lab)
    add_segment(lab)
    with Flood(attacked) as flood:
        machine = Machine(lab, "vm1")
        machine.dhclient()
        machine.host.must_ping("10.20.0.1")
        lab.switch.ctl("set", "Interface", "vx0", "options:ttl=9")
        wait_until(lambda: flood.sent > 60000 and
                   len(attacked.learned()) == 512, "there are 512", 60)
    late = attacked.mac + FROM + packet(header() + inner(7),
                                        src="10.99.200.200")

    def is_learned():
        attacked.outside.send(late)
        return "10.99.200.200" in attacked.learned()
    wait_until(is_learned, "one that comes later is learned", interval=0.05)
    equal(len(attacked.learned()), 512, "learned ones")
    equal(lab.switch.get("Interface", "vx0", "error"), [], "the port's error")


@test("200 VXLAN ports come and go, and leave nothing behind", only="vsw")
def _(lab):
    attacked = Attacked(lab)
    seen = []
    for turn in range(3):
        command = []
        for i in range(200):
            command += ["--", "add-port", "br0", f"v{i}", "--", "set",
                        "Interface", f"v{i}", "type=vxlan",
                        "options:remote_ip=flow", f"options:key={1000 + i}",
                        f"options:remotes={REMOTE}", "options:underlay=wan",
                        f"options:local_ip=\"{LOCAL}/16\""]
        lab.switch.ctl(*command[1:], timeout=60)
        attacked.outside.send(attacked.mac + FROM +
                              packet(header(1000 + turn) + inner()))
        wait_until(lambda: (attacked.inside.collect(), len(
            attacked.inside.received))[1] > len(seen), "it comes out")
        lab.switch.ctl(*[word for i in range(200) for word in
                         ("--", "del-port", "br0", f"v{i}")][1:], timeout=60)
        seen.append((descriptors_of(lab.switch.process),
                     megabytes_of(lab.switch.process)))
    assert seen[-1][0] <= seen[0][0] + 8, f"descriptors: {seen}"
    if not is_sanitized(lab):
        assert seen[-1][1] < 300, f"memory: {seen}"


class Database:
    """Transactions without a process for each."""

    def __init__(self, switch):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(switch.path("db.sock"))

    def answer(self):
        while True:
            got = read_json(self.sock)
            if got.get("method") != "echo":
                return got
            self.sock.sendall(json.dumps(
                {"id": "echo", "error": None,
                 "result": got["params"]}).encode())

    def set_options(self, name, options):
        self.sock.sendall(json.dumps({
            "id": 0, "method": "transact",
            "params": ["Open_vSwitch", {
                "op": "update", "table": "Interface",
                "where": [["name", "==", name]],
                "row": {"options": ["map", [
                    [key, str(value)] for key, value in options.items()]]}}]
        }).encode())
        equal(self.answer()["error"], None, "the database")


CHOICES = {
    "key": (7, 8, "flow"),
    "underlay": ("wan", "wan", "nowhere", "br0", None),
    "local_ip": (f"{LOCAL}/16", f"{LOCAL}/24", "fd99::1/64", "127.0.0.1",
                 None),
    "remote_ip": ("flow", "flow", REMOTE, "fd99::2", LOCAL),
    "remotes": (None, REMOTE, "10.99.1.1,10.99.1.2"),
    "vni-map": (None, None, f"10={TAGGED_VNI}", "0=7", "1-200=1-200", ","),
    "group": (None, None, "239.1.1.1", "ff05::1"),
    "learning": (None, "true", "false"),
    "arp-suppression": (None, "true", "false"),
    "split-horizon": (None, "false"),
    "mtu": (None, 68, 1400, 65450),
    "csum": (None, "true", "false"),
    "gateway": (None, None, "10.99.0.254", "10.98.0.1"),
    "dst_port": (None, None, 4790),
}


def change(lab, attacked, database, r, i):
    options = {key: r.choice(values) for key, values in CHOICES.items()}
    database.set_options(r.choice(("vx0", "vx1", "vx2", "vy")), {
        key: value for key, value in options.items() if value is not None})
    if i % 40 == 20:
        lab.switch.ctl("del-port", "vx1")
        lab.switch.ctl("del-br", "wan")
        lab.switch.ctl("add-br", "wan", "--", "add-port", "wan", "atk")
    if i % 40 == 30:
        lab.switch.ctl("del-port", "in0")
        lab.switch.ctl("add-port", "br0", "in0")
        try:
            attacked.vtep("vx1", remote_ip=REMOTE, key=8)
        except CommandFailed as error:
            # Another may have what it needs by now.
            assert "it stays configured" in str(error), error


@test("ports and bridges that come, go and change under packets of all kinds",
      only="vsw")
def _(lab):
    attacked = Attacked(lab)
    more_ports(attacked)
    lab.switch.ctl("add-br", "br1")
    attacked.vtep("vy", bridge="br1", underlay="br0", remote_ip="flow", key=7)
    before = descriptors_of(lab.switch.process)
    sender = threading.Thread(target=send_by_chance,
                              args=(lab, attacked, 8, 4), daemon=True)
    sender.start()
    database, r = Database(lab.switch), random.Random(5)
    for i in range(200):
        change(lab, attacked, database, r, i)
    for port in "vx1", "vx2", "vy":
        lab.switch.ctl("del-port", port)
    database.set_options("vx0", {
        "remote_ip": "flow", "remotes": REMOTE, "key": 7, "underlay": "wan",
        "local_ip": f"{LOCAL}/16"})
    sender.join()
    wait_until(attacked.station_mac, "the VTEP is in the FDB")
    late = attacked.station_mac() + FROM + packet(header() + inner(0x777))

    def comes_out():
        attacked.outside.send(late)
        attacked.inside.collect()
        return any(b"\2\0\0\0\x07\x77" in data
                   for data in attacked.inside.received)
    wait_until(comes_out, "a good packet comes out", interval=0.05)
    equal(lab.switch.get("Interface", "vx0", "error"), [], "the port's error")
    wait_until(lambda: descriptors_of(lab.switch.process) <= before + 8,
               lambda: f"{descriptors_of(lab.switch.process)} descriptors, "
               f"before {before}")
