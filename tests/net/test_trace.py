"""vsw-ctl trace: what it says is what then happens, and it changes nothing."""
import json
import os
import random
import struct

from lib.frame import BROADCAST, Frame, frame, station
from lib.nat import NatLab, SERVER, STATIC
from lib.testing import contains, equal, test

A, B, C = station(0xa), station(0xb), station(0xc)
MODES = {
    "a10": {"tag": 10}, "a20": {"tag": 20}, "trunk": {},
    "some": {"trunks": [10, 30]},
    "nat": {"vlan_mode": "native-untagged", "tag": 10, "trunks": [10, 20]},
    "natt": {"vlan_mode": "native-tagged", "tag": 20},
    "qinq": {"vlan_mode": "dot1q-tunnel", "tag": 30},
    "prio": {"tag": 10, "other_config": {"priority-tags": "always"}},
}


def trace(lab, port, one, *options, bridge="br0"):
    """The trace of a frame, or of fields, as JSON."""
    what = one.hex() if isinstance(one, bytes) else one
    words = [f"in_port={port}", what] if isinstance(one, bytes) else \
        [f"in_port={port},{what}"]
    return json.loads(lab.switch.vsw_ctl("--format=json", "trace", *options,
                                         bridge, *words).stdout)


def outputs(lab, traced):
    """{port: [frames]} of raw ports."""
    found = {}
    for one in traced["outputs"]:
        port = one["port"]
        if port in lab.peers and not port.startswith("mon-"):
            found.setdefault(port, []).append(
                Frame(bytes.fromhex(one["frame"])))
    return found


def reasons(traced):
    return [(one["port"], one["reason"]) for one in traced["drops"]]


def check(lab, port, one, bridge="br0"):
    """What the trace says leaves is what arrives."""
    traced = trace(lab, port, one, bridge=bridge)
    lab.check([(port, one)], outputs(lab, traced))
    return traced


def drop_counters(lab):
    return json.loads(lab.switch.vsw_ctl("--format=json", "drops").stdout)


@test("a trace of any frame into any kind of VLAN port comes true",
      only="vsw", timeout=200)
def _(lab):
    lab.start().ports(MODES)
    frames = [frame(src=A), frame(src=A).tagged(10),
              frame(src=A).tagged(20, pcp=5), frame(src=A).tagged(0, pcp=3),
              frame(src=A).tagged(30).tagged(10), frame("01:80:c2:00:00:00", A)]
    chosen = random.Random(5)
    for port in MODES:
        for one in chosen.sample(frames, 4):
            check(lab, port, one)


@test("a trace finds learned, static and moved stations, and learns nothing",
      only="vsw")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}, "p3": {}})
    lab.send("p2", frame(src=B))
    lab.settle(["p2"])
    before = lab.switch.fdb()
    traced = trace(lab, "p1", frame(B, A))
    equal(list(outputs(lab, traced)), ["p2"], "outputs")
    text = [s["text"] for s in traced["steps"] if s["stage"] == "lookup"]
    contains(text[0], f"{B} in VLAN 0 is at p2", "the lookup's step")
    text = [s["text"] for s in traced["steps"] if s["stage"] == "learn"]
    contains(text[0], f"{A} is new", "the learning step")
    equal(set(lab.switch.fdb()), set(before), "fdb/show")
    check(lab, "p1", frame(B, A))
    lab.switch.app("fdb/add", "br0", "p3", "0", C)
    text = [s["text"] for s in trace(lab, "p1", frame(B, C))["steps"]
            if s["stage"] == "learn"]
    contains(text[0], "stays at p3: its entry is static", "the static entry")


@test("a trace names the port, the reason and nothing is counted", only="vsw")
def _(lab):
    lab.start().ports({"p1": {"tag": 10}, "p2": {"tag": 10}})
    lab.send("p1", frame(src=A))
    lab.settle(["p1"])
    before = drop_counters(lab)
    equal(reasons(trace(lab, "p1", frame(src=A).tagged(20))),
          [("p1", "tag-not-allowed")], "drops")
    equal(reasons(trace(lab, "p1", frame(A, B))), [("p1", "same-port")],
          "drops")
    equal(reasons(trace(lab, "p1", frame(src="01:00:5e:00:00:01"))),
          [("p1", "bad-source")], "drops")
    equal(drop_counters(lab), before, "drops")


@test("a trace goes over patch ports and into bonds", only="vsw")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {"tag": 10}})
    lab.bridge("br1", monitor=False)
    lab.ports({"q1": {"tag": 10}}, bridge="br1")
    lab.switch.ctl(
        "add-port", "br0", "to1", "--", "set", "Interface", "to1",
        "type=patch", "options:peer=to0", "--",
        "add-port", "br1", "to0", "--", "set", "Interface", "to0",
        "type=patch", "options:peer=to1")
    one = frame(src=A).tagged(10)
    traced = trace(lab, "p1", one)
    equal(outputs(lab, traced), {"p2": [one.untagged()], "q1": [one.untagged()]},
          "outputs")
    entered = [(s["bridge"], s["port"], s["level"]) for s in traced["steps"]
               if s["kind"] == "enters"]
    equal(entered, [("br0", "p1", 0), ("br1", "to0", 1)], "bridges")
    lab.wire("x")
    lab.wire("y")
    lab.switch.ctl("add-bond", "br0", "bond0", "x", "y",
                   "bond_mode=active-backup",
                   "other_config:bond-primary=y")
    traced = trace(lab, "p1", one)
    members = [(o["port"], o["bond"]) for o in traced["outputs"]
               if "bond" in o]
    equal(members, [("y", "bond0")], "members")
    text = [s["text"] for s in traced["steps"] if s["stage"] == "bond"]
    equal(text, ["bond0: y is the active member"], "why")


@test("a frame is made up from fields, and told from a capture file",
      only="vsw")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}})
    traced = trace(lab, "p1", f"dl_src={A},dl_dst={B},dl_vlan=7,nw_src="
                   "10.0.0.1,nw_dst=10.0.0.2,nw_proto=17,tp_src=53,tp_dst=99")
    one = bytes.fromhex(traced["outputs"][0]["frame"])
    equal(struct.unpack("!HH", one[12:16]), (0x8100, 7), "tag")
    equal(struct.unpack("!HH", one[38:42]), (53, 99), "ports")
    path = os.path.join(lab.directory, "two.pcap")
    frames = [frame(src=A), frame(src=B, length=99)]
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for f in frames:
            file.write(struct.pack("<IIII", 0, 0, len(f), len(f)) + f)
    for number, f in ((":1", frames[0]), (":2", frames[1]), ("", frames[0])):
        traced = json.loads(lab.switch.vsw_ctl(
            "--format=json", "trace", "br0", "in_port=p1",
            f"pcap:{path}{number}").stdout)
        equal(outputs(lab, traced)["p2"], [f], f"pcap:FILE{number}")


@test("--commit lets the frame take its way", only="vsw")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}})
    one = frame(BROADCAST, A)
    lab.forget()
    traced = trace(lab, "p1", one, "--commit")
    equal(traced["committed"], True, "committed")
    lab.probe()
    equal(lab.peers["p2"].received, [one], "at p2")
    assert (0, A) in lab.switch.fdb()


@test("what cannot be traced is refused in a line", only="vsw")
def _(lab):
    lab.start().ports({"p1": {}})
    for words, expected in (
            (["br0", "in_port=p9,ip"], "p9: bridge br0 has no such port"),
            (["br9", "in_port=p1,ip"], "br9: no such bridge"),
            (["br0", "ip"], "in_port=PORT is missing"),
            (["br0", "in_port=p1", "abc"], "no whole bytes"),
            (["br0", "in_port=p1,dl_vlan=5000"], "dl_vlan=5000"),
            (["br0", "in_port=p1,nw_scr=1.2.3.4"], 'did you mean "nw_src"'),
            (["br0", "in_port=p1,nw_src=1.2.3.4,ipv6_dst=::1"], "is IPv6"),
            (["br0", "in_port=p1,tcp", "0011"], "either, not both"),
            (["br0", "in_port=p1", "pcap:/nowhere"], "cannot open")):
        result = lab.switch.vsw_ctl("trace", *words, check=False)
        assert result.returncode, words
        contains(result.stderr, expected, "the message")
        equal(len(result.stderr.splitlines()), 1, "lines")


@test("copies of mirrors are traced, to a port and into a VLAN", only="vsw")
def _(lab):
    lab.start().ports({"p1": {"tag": 10}, "p2": {"tag": 10}, "out": {}})
    lab.switch.ctl("--", "--id=@p", "get", "Port", "p1", "--", "--id=@o",
                   "get", "Port", "out", "--", "--id=@m", "create", "Mirror",
                   "name=m", "select_src_port=@p", "output_port=@o",
                   "snaplen=40", "--", "set", "Bridge", "br0", "mirrors=@m")
    one = frame(BROADCAST, A)
    traced = trace(lab, "p1", one)
    found = outputs(lab, traced)
    equal(found["p2"], [one], "p2")
    equal(found["out"], [one.tagged(10)[:40]], "the copy")
    text = [s["text"] for s in traced["steps"] if s["stage"] == "mirror"]
    contains(text[0], "mirror m selects it", "the mirror's step")
    counted = lab.switch.command("mirror/show")[0]
    assert not counted.get("packets") and \
        not counted.get("statistics", {}).get("tx_packets"), counted


@test("a traced frame goes through a NAT, and opens no session", only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC)
    nat.wait_ready()
    client = nat.clients[0]
    client.must_ping(SERVER)
    before = nat.sessions()
    traced = trace(lab, "c1", f"dl_src={client.mac},dl_dst={gateway(nat)},"
                   f"nw_src={client.ip},nw_dst={SERVER},udp,tp_src=4000,"
                   "tp_dst=7000", bridge="lab")
    out = [one for one in traced["outputs"] if one["port"] == "wan0"]
    equal(len(out), 1, f"outputs: {traced}")
    sent = bytes.fromhex(out[0]["frame"])
    equal(".".join(str(b) for b in sent[26:30]), "192.0.2.5", "its source")
    equal(".".join(str(b) for b in sent[30:34]), SERVER, "its destination")
    equal(sent[22], 63, "TTL")
    stages = {s["stage"] for s in traced["steps"]}
    assert {"gateway", "lookup", "input"} <= stages, stages
    equal(len(nat.sessions()), len(before), "sessions")
    # ARP for the gateway is its own business
    traced = trace(lab, "c1", f"dl_src={client.mac},arp,arp_spa={client.ip},"
                   "arp_tpa=10.20.0.1", bridge="lab")
    assert any(s["kind"] == "control" for s in traced["steps"]), traced


def gateway(nat):
    return nat.segment()["mac"]
