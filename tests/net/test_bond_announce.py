"""After a failover the network is told where the stations are now: frames as
they leave by the new member, read by tshark."""
import os
import signal
import socket
import struct
import time

from lib.failover import Rig
from lib.frame import BROADCAST, frame, mac_bytes, station
from lib.netns import run, wait_until
from lib.record import Recorder, check_decodes, decode
from lib.streams import checksum
from lib.testing import equal, test
from lib.upstream import plug, pull, stations, wait_active, wait_enabled

VLAN = 10
MANY = 300
BURST = 64  # announcements at once, and then ...
PACE = 0.001  # ... one each


def arp_request(mac, ip):
    """Who has 10.9.9.9, of a station that says who it is."""
    return frame(BROADCAST, mac, ethertype=0x0806, payload=struct.pack(
        "!HHBBH", 1, 0x0800, 6, 4, 1) + mac_bytes(mac) + socket.inet_aton(ip) +
        bytes(6) + bytes([10, 9, 9, 9]))


def solicitation(mac, ip6):
    """A neighbour solicitation (RFC 4861 4.3) of that address."""
    source = socket.inet_pton(socket.AF_INET6, ip6)
    target = socket.inet_pton(socket.AF_INET6, "fd00::9999")
    group = bytes.fromhex("ff0200000000000000000001ff") + target[13:]
    body = struct.pack("!BBHI", 135, 0, 0, 0) + target + b"\x01\x01" + \
        mac_bytes(mac)
    pseudo = source + group + struct.pack("!II", len(body), 58)
    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
    return frame("33:33:" + ":".join(f"{b:02x}" for b in group[12:]), mac,
                 ethertype=0x86dd, payload=struct.pack(
                     "!IHBB", 6 << 28, len(body), 58, 255) + source + group +
                 body)


def plain(mac):
    """Says no address."""
    return frame(BROADCAST, mac, ethertype=0x88b6)


KNOWN = {
    # station: (port, VLAN, IPv4, IPv6)
    station(0x601): ("p1", 0, "10.0.0.1", None),
    station(0x602): ("p1", 0, None, "fd00::602"),
    station(0x603): ("p1", 0, None, None),
    station(0x604): ("v1", VLAN, "10.0.10.4", None),
    station(0x605): ("v1", VLAN, None, "fd00::605"),
    station(0x606): ("v1", VLAN, None, None),
    station(0x607): ("p1", 0, "10.0.0.7", "fd00::607"),
}


def say(lab):
    for mac, (port, _, ip, ip6) in KNOWN.items():
        lab.send(port, plain(mac))
        if ip:
            lab.send(port, arp_request(mac, ip))
        if ip6:
            lab.send(port, solicitation(mac, ip6))


def wait_learned(lab, macs):
    wait_until(lambda: macs <= {mac for _, mac in lab.switch.fdb()},
               "all stations are learned")


def failed_over(lab, rig, member, until, *seen_at):
    """Records what comes upstream by members while one is pulled."""
    recorder = Recorder().add(rig.up.namespace, *seen_at, outgoing=False)
    with recorder:
        pull(rig.up, member)
        wait_until(lambda: until(list(recorder.seen)), lambda:
                   f"announced; only {len(recorder.seen)} frames came")
    return [one for one in recorder.seen if one.data[:6] !=
            b"\x01\x80\xc2\x00\x00\x02"]


def sources(seen):
    return {one.data[6:12] for one in seen}


FIELDS = ("eth.src", "eth.dst", "vlan.id", "arp.opcode", "arp.src.hw_mac",
          "arp.src.proto_ipv4", "arp.dst.proto_ipv4", "arp.dst.hw_mac",
          "icmpv6.type", "icmpv6.nd.na.target_address",
          "icmpv6.nd.na.flag.s", "icmpv6.nd.na.flag.o",
          "icmpv6.opt.linkaddr", "eth.type", "vlan.etype", "ipv6.src",
          "ipv6.dst", "ipv6.hlim")


def one(row, field):
    return row[field][0] if row[field] else None


@test("gratuitous ARP, RARP and neighbour advertisements leave by the new "
      "member, with their VLANs")
def _(lab):
    rig = Rig(lab, bond_mode="active-backup",
              other_config={"bond-primary": "m0"})
    rig.settled()
    wait_active(lab.switch, "bond0", "m0")
    stations(lab, lab.switch, {"v1": {"tag": VLAN}})
    say(lab)
    wait_learned(lab, set(KNOWN))
    wanted = {mac_bytes(mac) for mac in KNOWN}
    full = lab.switch.kind == "vsw"
    count = sum(max(1, bool(ip) + bool(ip6))
                for _, _, ip, ip6 in KNOWN.values()) if full else len(KNOWN)
    seen = failed_over(lab, rig, "m0", lambda seen: wanted <= sources(seen) and
                       len(seen) >= count, "m1")
    check_decodes(lab, seen, "arp || icmpv6.type == 136")
    rows = decode(lab, seen, "eth", *FIELDS)
    got = {}
    for row in rows:
        got.setdefault(one(row, "eth.src"), []).append(check_row(row))
    equal(set(got) - set(KNOWN), set(), "announced but not ours")
    for mac, (_, vid, ip, ip6) in KNOWN.items():
        what = {(vid, address) for address in (ip, ip6) if address} \
            if full else set()
        equal(set(got[mac]), what or {(vid, None)}, f"told of {mac}")
    # the upstream knows them there now
    wait_until(lambda: {mac for (_, mac), (port, _) in rig.up.fdb().items()
                        if port == str(rig.up.ofport("m1"))} >= set(KNOWN),
               "the upstream has learned all at m1")


def check_row(row):
    """(VLAN, address or None) of an announcement that is right in itself."""
    mac = one(row, "eth.src")
    vid = int(one(row, "vlan.id") or 0)
    if row["icmpv6.type"]:
        equal(row["icmpv6.type"], ["136"], "ICMPv6 type")
        equal((one(row, "icmpv6.opt.linkaddr"), one(row, "ipv6.hlim"),
               one(row, "ipv6.dst"), one(row, "eth.dst")),
              (mac, "255", "ff02::1", "33:33:00:00:00:01"),
              "an unsolicited advertisement")
        equal([one(row, f"icmpv6.nd.na.flag.{f}") in ("1", "True")
               for f in "so"], [False, True], "solicited and override")
        return vid, one(row, "icmpv6.nd.na.target_address")
    equal((one(row, "eth.dst"), one(row, "arp.src.hw_mac")),
          (BROADCAST, mac), "destination and sender")
    if one(row, "arp.opcode") == "3":
        equal(one(row, "vlan.etype") or one(row, "eth.type"), "0x8035",
              "RARP's type")
        equal(one(row, "arp.dst.hw_mac"), mac, "RARP's target")
        return vid, None
    equal(one(row, "arp.src.proto_ipv4"), one(row, "arp.dst.proto_ipv4"),
          "the addresses of a gratuitous ARP")
    return vid, one(row, "arp.src.proto_ipv4")


@test("an address that has moved to another station is announced for that "
      "one only, and the neighbour's entry stays right", only="vsw")
def _(lab):
    rig = Rig(lab, bond_mode="active-backup",
              other_config={"bond-primary": "m0"})
    rig.settled()
    wait_active(lab.switch, "bond0", "m0")
    former, owner = station(0x611), station(0x612)
    lab.send("p1", arp_request(former, "10.0.0.254"))
    lab.send("p2", arp_request(owner, "10.0.0.254"))
    # who leaves for the other side is not announced either
    lab.send("p1", arp_request(station(0x613), "10.0.0.253"))
    lab.send("u1", arp_request(station(0x614), "10.0.0.253"))
    wait_learned(lab, {former, owner, station(0x613), station(0x614)})
    neighbour = [["ip", "-n", lab.far_ns.name, *words.split()] for words in (
        "address add 10.0.0.99/24 dev u1",
        f"neigh replace 10.0.0.254 lladdr {owner} dev u1 nud reachable",
        "neigh show 10.0.0.254 dev u1")]
    run(neighbour[0])
    run(neighbour[1])
    wanted = {mac_bytes(mac) for mac in (former, owner, station(0x613))}
    seen = failed_over(lab, rig, "m0",
                       lambda seen: wanted <= sources(seen), "m1")
    said = {(one(row, "eth.src"), one(row, "arp.src.proto_ipv4"))
            for row in decode(lab, seen, "eth", *FIELDS)
            if one(row, "eth.type") == "0x0806"}
    equal({mac for mac, ip in said if ip == "10.0.0.254"}, {owner},
          "who has the address")
    equal({mac for mac, ip in said if ip == "10.0.0.253"}, set(),
          "announced though it is elsewhere")
    shown = run(neighbour[2]).stdout
    assert owner in shown, f"the neighbour's entry is now: {shown}"


@test("many stations are told of at a measured pace", only="vsw")
def _(lab):
    rig = Rig(lab, bond_mode="active-backup",
              other_config={"bond-primary": "m0"})
    rig.settled()
    wait_active(lab.switch, "bond0", "m0")
    macs = {station(0x700 + i) for i in range(MANY)}
    for mac in macs:
        lab.send("p1", plain(mac))
    wait_learned(lab, macs)
    wanted = {mac_bytes(mac) for mac in macs}
    seen = [s for s in failed_over(lab, rig, "m0", lambda seen: wanted <=
                                   sources(seen), "m1")
            if s.data[6:12] in wanted]
    first = {}
    for one_ in seen:
        first.setdefault(one_.data[6:12], one_.stamp)
    took = max(first.values()) - min(first.values())
    assert took >= (MANY - BURST) * PACE * 0.9, \
        f"{MANY} stations were told of within {took * 1000:.0f} ms"
    assert len(seen) <= 2 * MANY, f"{len(seen)} frames for {MANY} stations"


@test("a member's return is told of; one that stays active says nothing",
      only="vsw")
def _(lab):
    rig = Rig(lab, bond_mode="active-backup",
              other_config={"bond-primary": "m0"})
    rig.settled()
    wait_active(lab.switch, "bond0", "m0")
    lab.send("p1", plain(station(0x601)))
    wait_learned(lab, {station(0x601)})
    mine = mac_bytes(station(0x601))
    recorder = Recorder().add(rig.up.namespace, "m0", "m1", outgoing=False)
    with recorder:
        def told(member):
            return [s for s in list(recorder.seen)
                    if s.device == member and s.data[6:12] == mine]
        pull(rig.up, "m1")
        wait_enabled(lab.switch, "bond0", {"m0"})
        rig.lab.send("p1", plain(station(0x602)))
        wait_until(lambda: mac_bytes(station(0x602)) in
                   sources(list(recorder.seen)), "m0 carries on")
        equal(told("m0"), [], "announced though nothing moved")
        plug(rig.up, "m1")
        wait_enabled(lab.switch, "bond0", {"m0", "m1"})
        pull(rig.up, "m0")
        wait_until(lambda: told("m1"), "m1 announces")
        plug(rig.up, "m0")
        wait_active(lab.switch, "bond0", "m0")
        wait_until(lambda: told("m0"), lambda: "m0 announces:\n" +
                   lab.switch.app("fdb/show", "br0") +
                   "\n".join(f"{s.stamp % 100:.3f} {s.device} "
                             f"{s.data[:14].hex()}" for s in recorder.seen))


def vswitchd(switch):
    """The process, which another watches."""
    pids = run(["ip", "netns", "pids", switch.namespace.name]).stdout.split()
    for pid in map(int, pids):
        with open(f"/proc/{pid}/comm", encoding="ascii") as file:
            if file.read().strip() == "ovs-vswitchd":
                return pid
    raise AssertionError("no ovs-vswitchd")


@test("what was told by one member and comes back by the other is not "
      "believed, though the switch between them is slow", only="vsw")
def _(lab):
    rig = Rig(lab, bond_mode="active-backup",
              other_config={"bond-primary": "m0"})
    rig.settled()
    wait_active(lab.switch, "bond0", "m0")
    lab.send("p1", plain(station(0x601)))
    wait_learned(lab, {station(0x601)})
    place = lab.switch.fdb()[0, station(0x601)][0]
    mine = mac_bytes(station(0x601))
    recorder = Recorder().add(rig.up.namespace, "m0", "m1")
    pid = vswitchd(rig.up)
    with recorder:
        os.kill(pid, signal.SIGSTOP)
        pull(rig.up, "m0")
        wait_until(lambda: any(s.device == "m1" and s.data[6:12] == mine
                               for s in list(recorder.seen)), "m1 announces")
        plug(rig.up, "m0")
        wait_active(lab.switch, "bond0", "m0")
        time.sleep(0.4)  # until m1 does not receive any more
        os.kill(pid, signal.SIGCONT)
        wait_until(lambda: any(s.device == "m0" and s.outgoing and
                               s.data[6:12] == mine
                               for s in list(recorder.seen)),
                   "it comes back by m0")
    wait_until(lambda: any(row["reason"] == "bond-moved" for row in
                           lab.switch.command("drops", "m0")),
               "it is dropped")
    equal(lab.switch.fdb()[0, station(0x601)][0], place, "the station's port")
