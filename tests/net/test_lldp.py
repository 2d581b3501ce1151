"""LLDP and CDP with real peers: Debian's lldpd, Open vSwitch, tshark."""
import json
import os
import socket
import struct

from lib import netns
from lib.discovery_frames import cdp, everything, lldp, tlv
from lib.frame import frame, station
from lib.lldpd import Lldpd
from lib.netns import wait_until
from lib.testing import contains, test

ON = {"interface": {"lldp": {"enable": "true"}}}
STRANGER = bytes.fromhex("020000000077")


def neighbors(lab, *port):
    return lab.switch.command("lldp/neighbors", *port)


def wait_neighbors(lab, n, timeout=20):
    wait_until(lambda: len(neighbors(lab)) == n,
               f"the switch knows {n} neighbours", timeout)
    return neighbors(lab)


def connect(lab, *settings, name="up"):
    lab.switch.ctl("add-port", "br0", name, "--", "set", "Interface", name,
                   "lldp:enable=true", *settings)


def one(values):
    assert len(values) == 1, values
    return values[0]


def set_up(lab, *flags, settings=(), address="10.0.0.9/24"):
    """br0 with an address, lldpd at its port `up`."""
    lab.start(monitor=False)
    lab.sw_ns.ip("addr", "add", "10.0.0.1/24", "dev", "br0")
    lab.sw_ns.ip("link", "set", "br0", "up")
    host = lab.host("up", address, attach=False)
    peer = Lldpd(lab, host, *flags)
    connect(lab, *settings)
    return host, peer


def value(entry, key):
    return one(entry[key])["value"]


def bridge_mac(lab):
    return lab.switch.get("Interface", "br0", "mac_in_use")


@test("lldpd sees the switch, with all that it says", only="vsw")
def _(lab):
    host, peer = set_up(lab)
    lab.switch.set("Port", "up", tag=10)
    wait_until(lambda: any("vlan" in n for n in peer.neighbors()),
               "lldpd hears of the VLAN", 20, 0.1)
    seen = one(peer.neighbors())
    chassis, port = one(seen["chassis"]), one(seen["port"])
    assert one(chassis["id"]) == {"type": "mac", "value": bridge_mac(lab)}
    assert value(chassis, "name") == socket.gethostname()
    contains(value(chassis, "descr"), "vsw ", "system description")
    contains(value(chassis, "descr"), os.uname().release, "description")
    assert [a["value"] for a in chassis["mgmt-ip"]] == ["10.0.0.1"], chassis
    assert chassis["capability"] == [{"type": "Bridge", "enabled": True}]
    assert one(port["id"]) == {"type": "ifname", "value": "up"}
    assert value(port, "descr") == "bridge br0, port up"
    assert value(port, "ttl") == "121"
    assert value(port, "mfs") == "1522"
    vlan = one(seen["vlan"])
    assert vlan["vlan-id"] == "10" and vlan["pvid"], vlan


@test("the switch sees lldpd, with all that it says", only="vsw")
def _(lab):
    host, peer = set_up(lab)
    peer.cli("configure", "system", "description", "a host of the lab")
    peer.cli("configure", "lldp", "portidsubtype", "local", "port 7",
             "description", "to the switch")
    peer.cli("update")
    wait_until(lambda: any(n.get("port_id") == "port 7"
                           for n in neighbors(lab)), "its last word", 20)
    seen = one([n for n in neighbors(lab) if n["port_id"] == "port 7"])
    assert seen["protocol"] == "LLDP" and seen["port"] == "up"
    assert seen["bridge"] == "br0"
    assert seen["chassis_id_type"] == "mac"
    assert seen["chassis_id"] == host.mac == seen["source"]
    assert seen["port_id_type"] == "local"
    assert seen["port_description"] == "to the switch"
    assert seen["system_name"] == socket.gethostname()
    assert seen["system_description"] == "a host of the lab"
    contains([a["address"] for a in seen["management_addresses"]],
             "10.0.0.9", "addresses")
    assert "station" in seen["capabilities_enabled"], seen
    assert "bridge" in seen["capabilities"], seen
    assert not seen["aggregation"]["aggregated"]
    contains(seen["mac_phy"]["mau_name"], "BaseT", "MAU")
    assert seen["ttl"] == 120 and seen["ttl_left"] <= 120
    text = lab.switch.app("lldp/neighbors", "up")
    for part in ("a host of the lab", "port 7", "10.0.0.9", host.mac):
        contains(text, part, "lldp/neighbors")


@test("lldpd is told at once that a port, a protocol or the switch goes",
      only="vsw")
def _(lab):
    _, peer = set_up(lab)
    peer.wait_neighbors(1)
    lab.switch.ctl("del-port", "up")
    peer.wait_neighbors(0)
    connect(lab)
    peer.wait_neighbors(1)
    lab.switch.ctl("set", "Interface", "up", "lldp:enable=false")
    peer.wait_neighbors(0)
    lab.switch.ctl("set", "Interface", "up", "lldp:enable=true")
    peer.wait_neighbors(1)
    lab.switch.stop()
    peer.wait_neighbors(0)


@test("the switch forgets who says goodbye, and whose link is down",
      only="vsw")
def _(lab):
    host, peer = set_up(lab)
    peer.cli("update")
    wait_neighbors(lab, 1)
    peer.stop()
    wait_neighbors(lab, 0)
    peer = Lldpd(lab, host, name="second")
    peer.cli("update")
    wait_neighbors(lab, 1)
    host.namespace.ip("link", "set", "eth0", "down")
    wait_neighbors(lab, 0)


@test("CDP: lldpd and the switch see each other",
      only="vsw")
def _(lab):
    host, peer = set_up(lab, "-cc", "-H", "0",
                        settings=("other_config:cdp=both",))
    lab.switch.set("Port", "up", tag=10)
    peer.cli("update")
    wait_until(lambda: {n["protocol"] for n in neighbors(lab)} ==
               {"LLDP", "CDP"}, "the switch hears both", 20)
    seen = one([n for n in neighbors(lab) if n["protocol"] == "CDP"])
    assert seen["chassis_id"] == socket.gethostname(), seen
    assert seen["port_id"] == "eth0", seen
    assert seen["capabilities"] == ["host"], seen
    assert seen["platform"] == "Linux", seen
    contains([a["address"] for a in seen["management_addresses"]],
             "10.0.0.9", "addresses")
    wait_until(lambda: {n["via"] for n in peer.neighbors()} ==
               {"LLDP", "CDPv2"}, "lldpd hears both", 20, 0.1)
    ours = one([n for n in peer.neighbors() if n["via"] == "CDPv2"])
    chassis, port = one(ours["chassis"]), one(ours["port"])
    assert value(chassis, "name") == socket.gethostname()
    contains(value(chassis, "descr"), "vsw ", "version")
    assert [a["value"] for a in chassis["mgmt-ip"]] == ["10.0.0.1"], chassis
    assert value(port, "id") == "up"
    lab.switch.ctl("set", "Interface", "up", "other_config:cdp=receive")
    peer.wait_neighbors(1, "lldpd is told that CDP goes")


def hears_cdp(lab, flag, version):
    _, peer = set_up(lab, flag, "-H", "0")
    peer.cli("update")
    wait_until(lambda: any(n.get("cdp_version") == version
                           for n in neighbors(lab)),
               f"the switch hears CDP version {version}", 20, 0.2)
    assert all(n["via"] == "LLDP" for n in peer.neighbors()), \
        "CDP is sent without having been asked for"


@test("CDP version 1 of lldpd is heard, and not answered", only="vsw")
def _(lab):
    hears_cdp(lab, "-cc", 1)


@test("CDP version 2 of lldpd is heard, and not answered", only="vsw")
def _(lab):
    hears_cdp(lab, "-ccc", 2)


def to_pcap(path, frames):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for one_frame in frames:
            file.write(struct.pack("<IIII", 0, 0, len(one_frame),
                                   len(one_frame)) + bytes(one_frame))


def expert_notes(path):
    """All that tshark has to say about any frame of the file."""
    return netns.run(["tshark", "-r", path, "-Y", "_ws.expert", "-T",
                      "fields", "-e", "frame.number", "-e",
                      "_ws.expert.message"]).stdout


@test("tshark decodes every frame that is sent, without a complaint",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    lab.sw_ns.ip("addr", "add", "10.0.0.1/24", "dev", "br0")
    lab.sw_ns.ip("link", "set", "br0", "up")
    both_on = {"lldp": {"enable": "true"}, "other_config": {"cdp": "both"}}
    lab.ports({"up": {"interface": both_on}})
    for name in ("m0", "m1"):
        lab.wire(name)
    lab.ports_known({"m0": {}, "m1": {}})
    lab.switch.ctl("add-bond", "br0", "bond0", "m0", "m1", *sum(
        (["--", "set", "Interface", name, "other_config:cdp=both"]
         for name in ("m0", "m1")), []))

    def both(n):
        for name in ("up", "m0", "m1"):
            kinds = [bytes(f[:3]) for f in lab.peers[name].received]
            if kinds.count(b"\x01\x80\xc2") < n or \
                    kinds.count(b"\x01\x00\x0c") < n:
                return False
        return True
    lab.pump(lambda: both(1), "the first of each protocol")
    lab.switch.set("Port", "up", tag=7)
    lab.switch.set("Port", "bond0", tag=8)
    lab.pump(lambda: both(2), "what has changed")
    lab.switch.ctl("del-port", "up", "--", "del-port", "bond0")
    lab.pump(lambda: both(3), "the goodbye")
    path = os.path.join(lab.directory, "sent.pcap")
    frames = [f for name in ("up", "m0", "m1")
              for f in lab.peers[name].received
              if f[:3] in (b"\x01\x80\xc2", b"\x01\x00\x0c")]
    to_pcap(path, frames)
    out = json.loads(netns.run(["tshark", "-r", path, "-T", "json"]).stdout)
    text = netns.run(["tshark", "-r", path, "-V"]).stdout
    assert not expert_notes(path), expert_notes(path)
    for bad in ("Malformed", "Expert Info", "incorrect", "Unknown", "Bad "):
        assert bad not in text, f"{bad}:\n{text}"
    layers = [list(p["_source"]["layers"])[-1] for p in out]
    assert set(layers) == {"lldp", "cdp"} and len(layers) == len(frames), \
        layers
    contains(text, "[correct]", "CDP's checksum")
    contains(text, "10.0.0.1", "management address")
    contains(text, "Aggregation Status", "a member's aggregation")


@test("without LLDP such a frame is dropped, and not believed", only="vsw")
def _(lab):
    lab.start().ports({"vm": {}, "other": {}})
    sent = [frame(dst, station(5)) for dst in
            ("01:80:c2:00:00:0e", "01:80:c2:00:00:03", "01:80:c2:00:00:00")]
    lab.check([("vm", f) for f in sent], {})
    lab.send("vm", lldp(STRANGER, *everything()))
    lab.settle(["vm"])
    assert not lab.peers["other"].received, "it was forwarded"
    drops = {d["reason"]: d["packets"]
             for d in lab.switch.command("drops", "vm")}
    assert drops.get("link-local") == 4, drops
    assert neighbors(lab) == []
    result = lab.switch.vsw_ctl("lldp/neighbors", "vm", check=False)
    assert result.returncode, "lldp/neighbors of a port without LLDP"
    contains(result.stderr, "lldp:enable=true", "what to do")


@test("a tap has LLDP off by itself", only="vsw")
def _(lab):
    lab.start()
    lab.switch.ctl("add-port", "br0", "tap0", "--", "set", "Interface",
                   "tap0", "type=tap")
    assert lab.switch.command("lldp/stats") == []


@test("a tap has it off as a bond's member, too, a device has it on",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    lab.wire("dev0")
    lab.switch.ctl("add-bond", "br0", "bond0", "tap0", "tap1", "dev0",
                   *sum((["--", "set", "Interface", name, "type=tap"]
                         for name in ("tap0", "tap1")), []))
    stats = lab.switch.command("lldp/stats")
    assert [s["port"] for s in stats] == ["dev0"], stats
    lab.switch.ctl("set", "Interface", "tap1", "lldp:enable=true")
    stats = lab.switch.command("lldp/stats")
    assert {s["port"]: s["mode"]["CDP"] for s in stats} == \
        {"dev0": "receive", "tap1": "receive"}, stats


@test("everything that a switch may say is shown, LLDP and CDP", only="vsw")
def _(lab):
    lab.start().ports({"up": ON})
    lab.send("up", lldp(STRANGER, *everything()))
    lab.send("up", cdp(STRANGER, (4, b"\0\0\0\x28"), (5, b"IOS"),
                       (6, b"C9300"), (9, b"lab"), (10, b"\0\x63"),
                       (11, b"\x01")))
    seen = {n["protocol"]: n for n in wait_neighbors(lab, 2)}
    n = seen["LLDP"]
    assert n["chassis_id"] == "neighbour" and n["port_id"] == "port1"
    assert n["system_description"] == "Switch v1"
    assert n["capabilities"] == ["bridge", "router"]
    assert n["capabilities_enabled"] == ["bridge"]
    assert [a["address"] for a in n["management_addresses"]] == \
        ["10.0.0.2", "fd00::2"]
    assert n["pvid"] == 10
    assert n["vlans"] == [{"vid": 10, "name": "lab"},
                          {"vid": 20, "name": "guest"}]
    assert n["ppvids"] == [{"vid": 11, "supported": True, "enabled": True}]
    assert n["aggregation"] == {"capable": True, "aggregated": True,
                                "port": 7}
    assert n["mac_phy"]["mau_name"] == "1000BaseTFD"
    assert n["max_frame"] == 0x23fa
    n = seen["CDP"]
    assert (n["chassis_id"], n["port_id"], n["platform"], n["vtp_domain"],
            n["pvid"], n["duplex"]) == \
        ("ios", "Gi1/0/1", "C9300", "lab", 99, "full"), n
    assert n["capabilities"] == ["switch", "igmp"], n
    for port in ((), ("up",)):
        text = lab.switch.vsw_ctl("lldp/neighbors", *port).stdout
        for part in ("rack-switch", "Gi1/0/1", "99"):
            contains(text, part, "lldp/neighbors")


@test("what a stranger sends is bounded, and harms no terminal", only="vsw")
def _(lab):
    lab.start().ports({"up": ON, "other": ON})
    lab.send("up", lldp(STRANGER, tlv(5, b"evil\x1b[2J\x07\xff"),
                        chassis=b"\x07\x1b]0;x"))
    wait_neighbors(lab, 1)
    text = lab.switch.app("lldp/neighbors", "up")
    assert "\x1b" not in text and "\x07" not in text, repr(text)
    contains(text, "evil?[2J??", "the name")
    assert "\x1b" not in lab.switch.log_text(), "in the log"
    # fewer than a port may punt at once
    lab.send("up", *(lldp(STRANGER, chassis=b"\x07%d" % i)
                     for i in range(40)))
    wait_until(lambda: lab.switch.command("lldp/stats", "up")[0]["drops"] > 0,
               "some are refused")
    lab.send("up", b"".join([bytes.fromhex("0180c200000e"), STRANGER,
                             b"\x88\xcc", b"\xff" * 50]))
    wait_until(lambda: lab.switch.command("lldp/stats", "up")[0]["LLDP"]
               ["frames_in_errors"] == 1, "a malformed one is counted")
    stats = lab.switch.command("lldp/stats", "up")[0]
    assert stats["neighbors"] == 16 and stats["too_many_neighbors"], stats
    assert len(neighbors(lab, "up")) == 16
    # the other port's neighbour is heard all the same
    lab.send("other", lldp(STRANGER))
    wait_until(lambda: len(neighbors(lab, "other")) == 1, "the other port's")


@test("Open vSwitch's LLDP is heard", only="vsw")
def _(lab):
    from lib.switch import Ovs
    lab.start(monitor=False)
    host = lab.host("up", "10.0.0.9/24", attach=False)
    connect(lab)
    ovs = Ovs(host.namespace, os.path.join(lab.directory, "ovs"),
              lab.options)
    ovs.start()
    try:
        ovs.add_bridge("ovsbr")
        ovs.ctl("add-port", "ovsbr", "eth0", "--", "set", "Interface",
                "eth0", "lldp:enable=true")
        seen = one(wait_neighbors(lab, 1, 60))
        assert seen["protocol"] == "LLDP" and seen["port"] == "up", seen
        contains(seen["system_description"], "openvswitch", "description")
        contains(seen["capabilities_enabled"], "bridge", "capabilities")
    finally:
        ovs.ctl("del-br", "ovsbr", check=False)
        ovs.stop()


def is_aggregated(entry):
    """By the TLV of IEEE 802.1, of which lldpd 1.0 shows the bytes only."""
    found = [t for tlvs in entry.get("unknown-tlvs", [])
             for t in tlvs["unknown-tlv"]
             if (t["oui"].upper(), t["subtype"]) == ("00,80,C2", "7")]
    return bool(found) and found[0]["value"].startswith("03,")


@test("each member of a bond speaks for itself, by itself", only="vsw")
def _(lab):
    lab.start(monitor=False)
    peers = [Lldpd(lab, lab.host(name, attach=False), name=name)
             for name in ("m0", "m1")]
    lab.switch.ctl("add-bond", "br0", "bond0", "m0", "m1", "--", "set",
                   "Port", "bond0", "bond_mode=active-backup", "tag=5")
    for peer, name in zip(peers, ("m0", "m1")):
        wait_until(lambda: any(is_aggregated(n) for n in peer.neighbors()),
                   f"{name}'s neighbour hears that it is aggregated", 20, 0.1)
        port = one(one(peer.neighbors())["port"])
        assert value(port, "id") == name, port
        assert value(port, "descr") == "bridge br0, port bond0", port
        peer.cli("update")
    wait_until(lambda: {n["port"] for n in neighbors(lab)} == {"m0", "m1"},
               "each member hears its neighbour", 20)
    assert [n["port"] for n in neighbors(lab)] == ["m0", "m1"], "sorted"
    assert [n["port"] for n in neighbors(lab, "bond0")] == ["m0", "m1"]
    result = lab.switch.vsw_ctl("lldp/neighbors", "br0", check=False)
    assert result.returncode and "turns it on" not in result.stderr, \
        result.stderr
    contains(result.stderr, "never takes part", "a bridge's own port")


@test("vsw-ctl refuses what LLDP and CDP do not take", only="vsw")
def _(lab):
    lab.start(monitor=False).ports({"up": {}})
    for setting, words in (("lldp:enable=yes", "true false"),
                           ("other_config:cdp=on", "off receive both")):
        result = lab.switch.vsw_ctl("set", "Interface", "up", setting,
                                    check=False)
        assert result.returncode, setting
        contains(result.stderr, setting.split("=")[0], setting)
        contains(result.stderr, words, setting)
