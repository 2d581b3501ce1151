"""What a guest, or a neighbor that is not the partner, may send: it takes
nothing from the bonds and the control thread of others."""
import socket
import threading
import time

from lib.frame import BROADCAST, frame, mac_bytes, station
from lib.failover import Rig
from lib.lacp import SLOW_PROTOCOLS
from lib.netns import wait_until
from lib.testing import equal, test
from lib.upstream import add_bond, cables, lacp_show, wait_negotiated

LACP = {"bond_mode": "balance-tcp", "lacp": "active",
        "other_config": {"lacp-time": "fast"}}
FLOOD_SECONDS = 4.5  # longer than fast LACP's patience, 3 s


def lacpdu(system, key=1, port=1, state=0x3f, partner=bytes(6), src=None):
    """Of an actor with this system (bytes) that says all is well."""
    def info(kind, system, key, port, state):
        return bytes([kind, 20]) + b"\xff\xfe" + system + \
            key.to_bytes(2, "big") + b"\x80\x00" + port.to_bytes(2, "big") + \
            bytes([state]) + bytes(3)
    return SLOW_PROTOCOLS + mac_bytes(src or station(0x666)) + b"\x88\x09" + \
        b"\x01\x01" + info(1, system, key, port, state) + \
        info(2, partner, 1, 1, 0x3f) + b"\x03\x10" + bytes(14) + bytes(52)


def hostile_frames(system):
    """system: the switch's own, as bytes."""
    lldp = bytes.fromhex("0180c200000e") + mac_bytes(station(0x667)) + \
        bytes.fromhex("88cc0207040200000006670404050165060200780000")
    beacon = mac_bytes(BROADCAST) + mac_bytes(station(0x668)) + \
        b"\x88\xb5vswb\x01\0" + bytes(8) + mac_bytes(station(0x668)) + \
        bytes(28)
    arps = []
    for i in range(64):
        mac = mac_bytes(station(0x6600 + i))
        ip = bytes([10, 66, 0, i])
        arps.append(frame(BROADCAST, station(0x6600 + i), ethertype=0x0806,
                          payload=bytes.fromhex("0001080006040001") + mac +
                          ip + bytes(6) + ip))
    return [lacpdu(system), lacpdu(mac_bytes(station(0x669))),
            lldp.ljust(60, b"\0"), beacon, *arps]


class Flood:
    """All frames in turn, at each device, as fast as one thread can."""

    def __init__(self, space, devices, frames):
        self.socks = [space.packet_socket(device) for device in devices]
        self.frames = frames
        self.stopping = False
        self.sent = 0
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.stopping:
            for sock in self.socks:
                for one in self.frames:
                    try:
                        sock.send(one)
                        self.sent += 1
                    except (BlockingIOError, OSError):
                        time.sleep(0)  # its queue is full

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.thread.join()
        for sock in self.socks:
            sock.close()


def system_of(lab, bond):
    text = lacp_show(lab.switch, bond)[None]["sys_id"]
    return mac_bytes(text)


def lapses(lab, bond):
    """How often a link of the bond was given up, by its partner or by us."""
    text = lab.switch.app("lacp/show-stats", bond)
    return [line.strip() for line in text.splitlines()
            if "expired" in line or "defaulted" in line]


@test("floods of LACP, LLDP, beacons and ARP from a guest and from an uplink: "
      "the other bond's LACP stays up", only="vsw")
def _(lab):
    rig = Rig(lab, peer=LACP, **LACP)
    cables(lab, rig.up, "x0", "x1")
    add_bond(lab.switch, "br0", "bond1", ("x0", "x1"), **LACP)
    lab.switch.ctl("set", "Interface", "x0", "lldp:enable=true")
    wait_negotiated((lab.switch, "bond0"), (rig.up, "bond0"))
    before = lapses(lab, "bond0")
    frames = hostile_frames(system_of(lab, "bond0"))
    with Flood(lab.far_ns, ["p1"], frames) as guest, \
            Flood(rig.up.namespace, ["x0", "x1"], frames) as uplink:
        end = time.monotonic() + FLOOD_SECONDS
        while time.monotonic() < end:
            lab.switch.app("fdb/show", "br0")
            lab.switch.app("lacp/show", "bond1")
            time.sleep(0.05)
    assert guest.sent > 1000 and uplink.sent > 1000, "the floods were small"
    equal(lapses(lab, "bond0"), before, "LACP of bond0")
    wait_negotiated((lab.switch, "bond0"), (rig.up, "bond0"))
    drops = {row["reason"]: row["packets"]
             for row in lab.switch.command("drops", "x0")}
    assert drops.get("punt-limited"), f"x0 was not limited: {drops}"


@test("a guest's LACPDU leaves by no bond that speaks LACP, with forward-bpdu, "
      "too", only="vsw")
def _(lab):
    rig = Rig(lab, peer=LACP, **LACP)
    lab.switch.ctl("set", "Bridge", "br0", "other_config:forward-bpdu=true")
    wait_negotiated((lab.switch, "bond0"), (rig.up, "bond0"))
    forged = lacpdu(mac_bytes(station(0x669)))
    rig.make_streams(talking=1, silent=0)

    def forge(sending):
        for _ in range(50):
            lab.send("p1", forged)
            sending.more(0.01)
    before = lapses(lab, "bond0")
    rig.run(forge)
    equal([one for one in rig.recorder.at(*rig.members, outgoing=False)
           if one.data == forged], [], "forged frames upstream")
    # other ports take part in guests' own protocols
    equal(len([one for one in rig.recorder.at("p2", outgoing=False)
               if one.data == forged]), 50, "frames at the other port")
    equal(lapses(lab, "bond0"), before, "LACP of bond0")
    for account in rig.accounts:
        equal(account.lost, [], f"lost: {account}")
