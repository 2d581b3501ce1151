"""Mirrors: copies compared frame by frame with what was sent and what came."""
import struct

from lib import overlay
from lib.frame import S_TAG, Frame, frame, station
from lib.netns import receive, wait_until
from lib.testing import contains, equal, test
from lib.traffic import tcp_transfer
from lib.vhost_guest import guest

A, B, C = station(0xa), station(0xb), station(0xc)


def mirror(lab, name="m0", bridge="br0", **columns):
    """Made by ovs-vsctl's grammar; @PORT stands for a Port."""
    command, settings, known = [], [], set()
    for column, value in columns.items():
        for port in str(value).split(","):
            if port.startswith("@") and port not in known:
                known.add(port)
                command += ["--", f"--id={port}", "get", "Port", port[1:]]
        settings.append(f"{column}={value}")
    lab.switch.ctl(*command, "--", "--id=@mirror", "create", "Mirror",
                   f"name={name}", *settings, "--", "add", "Bridge",
                   bridge, "mirrors", "@mirror")


def learn(lab, out=("out",), **stations):
    """The switch knows who is where."""
    for port, mac in stations.items():
        lab.send(port, frame(src=mac))
    lab.settle(stations, but=out)
    lab.forget()


def check(lab, sent, expected, via, vid=0, out=("out",), ordered=True):
    """As lab.check(), with copies: a frame of `via` is copied to each `out`,
    so that they have all copies then."""
    lab.forget()
    for port, one in sent:
        lab.send(port, one)
    senders = list(dict.fromkeys(port for port, _ in sent))
    lab.settle([s for s in senders if s not in out], but=out)
    lab.mark(via, out, vid)
    lab.compare(expected, ordered=ordered and len(senders) == 1)


def copied(lab, name="m0"):
    """What mirror/show says has been copied."""
    return next(one for one in lab.switch.command("mirror/show")
                if one["name"] == name)


@test("what comes in by a selected port is copied, and nothing else is")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}, "p3": {}, "out": {}})
    mirror(lab, select_src_port="@p1", output_port="@out")
    learn(lab, p1=A, p2=B, p3=C)
    to_b, back, other = frame(B, A), frame(A, B), frame(C, B)
    to_all = frame(src=A)
    check(lab, [("p1", to_b), ("p1", to_all), ("p2", back), ("p2", other)],
          {"p1": [back], "p2": [to_b, to_all], "p3": [to_all, other],
           "out": [to_b, to_all]}, via="p1")


@test("what leaves by a selected port is copied once, as it leaves")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {"tag": 10}, "p3": {"tag": 10},
                       "out": {}})
    mirror(lab, select_dst_port="@p2,@p3", output_port="@out")
    learn(lab, p2=B, p3=C)
    to_b, to_all, to_nobody = frame(B, A), frame(src=A), frame(src=A)
    check(lab, [("p1", to_b.tagged(10, pcp=5)), ("p1", to_all.tagged(10)),
                ("p1", to_nobody.tagged(20))],
          {"p2": [to_b, to_all], "p3": [to_all],
           "out": [to_b.tagged(10), to_all.tagged(10)]}, via="p1", vid=10)


@test("a packet that comes and leaves by selected ports is copied once")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}, "p3": {}, "out": {}})
    mirror(lab, select_all="true", output_port="@out")
    learn(lab, p1=A, p2=B, p3=C)
    frames = [frame(B, A), frame(src=A), frame(C, A), frame(A, B)]
    check(lab, [("p1", one) for one in frames[:3]] + [("p2", frames[3])],
          {"p1": [frames[3]], "p2": frames[:2], "p3": frames[1:3],
           "out": frames}, via="p1", ordered=False)


@test("a port that copies go to takes and gives nothing else", only="vsw")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}, "out": {}})
    lab.send("out", frame(src=C))
    lab.settle(["out"])
    lab.forget()
    mirror(lab, select_src_port="@p1", output_port="@out")
    to_c, from_b = frame(C, A), frame(src=B)
    check(lab, [("p1", to_c), ("p2", from_b)],
          {"p1": [from_b], "p2": [to_c], "out": [to_c]}, via="p1")
    lab.send("out", frame(src=C), frame(B, C))
    wait_until(lambda: [one["packets"] for one in
                        lab.switch.command("drops", "out")
                        if one["reason"] == "mirror-port"] == [2],
               "what comes in by the output ends")
    check(lab, [("p1", to_c)], {"p2": [to_c], "out": [to_c]}, via="p1")


@test("only packets of the selected VLANs are copied")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {"tag": 10}, "out": {}})
    mirror(lab, select_src_port="@p1,@p2", select_vlan="10,20",
           output_port="@out")
    tagged = [frame(src=A).tagged(vid) for vid in (10, 20, 30)]
    plain, access = frame(src=A), frame(src=B)
    check(lab, [("p1", one) for one in (*tagged, plain)] + [("p2", access)],
          {"p1": [access.tagged(10)], "p2": [tagged[0].untagged()],
           "out": [*tagged[:2], access.tagged(10)]},
          via="p1", vid=10, ordered=False)


@test("an access port has copies without the VLAN's tag; a customer's stays")
def _(lab):
    lab.start().ports({"p1": {}, "out": {"tag": 5},
                       "q": {"vlan_mode": "dot1q-tunnel", "tag": 30}})
    mirror(lab, select_src_port="@p1", output_port="@out")
    ten, five = frame(src=A).tagged(10), frame(src=A).tagged(5)
    both = frame(src=A).tagged(20).tagged(30, tpid=S_TAG)
    check(lab, [("p1", ten), ("p1", five), ("p1", both)],
          {"out": [ten.untagged(), five.untagged(), both.untagged()],
           "q": [both.untagged()]}, via="p1")


@test("two mirrors to one port copy a packet once, to two ports twice")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}, "out": {}, "other": {}})
    mirror(lab, select_src_port="@p1", output_port="@out")
    mirror(lab, "m1", select_dst_port="@p2", output_port="@out")
    mirror(lab, "m2", select_all="true", output_port="@other")
    learn(lab, out=("out", "other"), p1=A, p2=B)
    forth, back = frame(B, A), frame(A, B)
    check(lab, [("p1", forth), ("p2", back)],
          {"p1": [back], "p2": [forth], "out": [forth],
           "other": [forth, back]}, via="p1", out=("out", "other"))
    if lab.options.switch == "vsw":
        assert copied(lab, "m1")["tx_packets"] >= 1, copied(lab, "m1")


@test("a mirror into a VLAN reaches its ports, and is not mirrored again")
def _(lab):
    lab.start(flood_vlans=99).ports(
        {"p1": {}, "p2": {"tag": 10}, "up": {"trunks": [10, 99]},
         "an": {"tag": 99}, "p4": {"tag": 20}})
    mirror(lab, select_all="true", output_vlan=99)
    to_all, stp = frame(src=A), frame("01:80:c2:00:00:00", A)
    # Open vSwitch does not even forward these.
    cdp = [frame("01:00:0c:cc:cc:cc", A)] * (lab.options.switch == "vsw")
    analysed = frame(src=C)
    lab.forget()
    for one in (to_all, stp, *cdp):
        lab.send("p2", one)
    lab.send("up", analysed.tagged(99))
    lab.settle(["p2", "up"], but=["up", "an"])
    lab.mark("p2", ["up", "an"])
    both = [to_all.tagged(10), to_all.tagged(99),
            *(one.tagged(10) for one in cdp)]
    lab.compare({"p1": [*both, analysed.tagged(99)], "up": both,
                 "an": [to_all, analysed]}, ordered=False)


@test("copies are cut at the snaplen", only="vsw")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}, "p3": {"tag": 10}, "out": {}})
    mirror(lab, select_src_port="@p1,@p3", output_port="@out", snaplen=64)
    small, large = frame(src=A, length=60), frame(src=A, length=1500)
    tagged = frame(src=B, length=900)
    check(lab, [("p1", small), ("p1", large), ("p3", tagged)],
          {"p1": [tagged.tagged(10)], "p2": [small, large,
                                             tagged.tagged(10)],
           "out": [small, Frame(large[:64]), Frame(tagged.tagged(10)[:64])]},
          via="p1", ordered=False)
    lab.switch.set("Mirror", "m0", snaplen=14)
    lab.switch.sync()
    lab.forget()
    lab.send("p1", large)
    lab.pump(lambda: lab.peers["out"].received, "a copy")
    equal(lab.peers["out"].received, [Frame(large[:14])], "copies")


def segments(sock, sink):
    """(sequence number, payload said by IP, bytes here) of TCP to sink."""
    found = []
    while (data := receive(sock)) is not None:
        ip = data[14:]
        if data[12:14] != b"\x08\0" or ip[9] != 6 or \
                ip[16:20] != bytes(map(int, sink.ip.split("."))):
            continue
        head = (ip[0] & 15) * 4
        said = struct.unpack_from("!H", ip, 2)[0] - head - \
            (ip[head + 12] >> 4) * 4
        found.append((struct.unpack_from("!I", ip, head + 4)[0], said,
                      len(data)))
    return found


def covered(found):
    """How many bytes of the stream the segments are."""
    start, total, end = found[0][0], 0, 0
    for at, size in sorted(((seq - start) & 0xffffffff, size)
                           for seq, size, _ in found if size):
        total += max(0, at + size - max(at, end))
        end = max(end, at + size)
    return total


@test("large packets are copied as they are, and cut segment by segment",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    a = lab.host("a", "10.0.0.1/24")
    b = lab.host("b", "10.0.0.2/24")
    lab.ports({"out": {}, "cut": {}})
    mirror(lab, select_src_port="@a", output_port="@out")
    mirror(lab, "m1", select_dst_port="@b", output_port="@cut", snaplen=66)
    a.must_ping("10.0.0.2")
    lab.forget()
    size = 1 << 20
    tcp_transfer(a, b, "10.0.0.2", size=size)
    found = {"out": [], "cut": []}

    def complete():
        for name, list_ in found.items():
            list_ += segments(lab.peers[name].sock, b)
        return all(list_ and covered(list_) == size
                   for list_ in found.values())
    wait_until(complete, "copies of the whole stream")
    assert max(here for _, _, here in found["out"]) > 3000, "no large copies"
    assert all(here <= 66 for _, _, here in found["cut"]), "cut"
    assert max(said for _, said, _ in found["cut"]) <= 1460, "segments"


@test("a bond is mirrored as a port, and takes copies as one", only="vsw")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}, "out": {}})
    for name in ("e0", "e1", "e2", "e3"):
        lab.wire(name)
    lab.switch.ctl("add-bond", "br0", "bond0", "e0", "e1", "--",
                   "add-bond", "br0", "bond1", "e2", "e3")
    lab.ports_known({name: {} for name in ("e0", "e1", "e2", "e3")})
    members = ["e0", "e1", "e2", "e3"]
    mirror(lab, select_src_port="@bond0", select_dst_port="@bond0",
           output_port="@out")
    mirror(lab, "m1", select_src_port="@p1", output_port="@bond1")
    wait_until(lambda: all(
        member["enabled"] for port in lab.switch.command("bridge/show")[0]
        ["ports"] if port["type"] == "bond" for member in port["members"]),
        "members are up")
    lab.forget()
    out, back = frame(B, A), frame(A, B)
    lab.send("p1", out)
    lab.settle(["p1"], but=["out", *members])
    lab.mark("p1", ["out"])
    equal(lab.peers["out"].received, [out], "copies of what leaves")
    lab.pump(lambda: any(lab.peers[e].received for e in ("e2", "e3")),
             "a copy to the bond")
    equal(lab.peers["e2"].received + lab.peers["e3"].received, [out],
          "copies to the bond")
    lab.forget()
    active = next(member["name"] for port in
                  lab.switch.command("bridge/show")[0]["ports"]
                  if port["name"] == "bond0" for member in port["members"]
                  if member["active"])
    lab.send(active, back)
    lab.pump(lambda: lab.peers["p1"].received and lab.peers["out"].received,
             "a frame and its copy")
    equal([lab.peers["p1"].received, lab.peers["out"].received],
          [[back], [back]], "what came by the bond")


@test("copies go over a patch port, and a way back does not feed them")
def _(lab):
    lab.start("br0", "br1").ports({"p1": {}, "p2": {}})
    lab.ports({"q1": {}}, bridge="br1")
    ports = []
    for name, bridge, peer in (("pa", "br0", "pb"), ("pb", "br1", "pa"),
                               ("pc", "br0", "pd"), ("pd", "br1", "pc")):
        ports += ["--", "add-port", bridge, name, "--", "set", "Interface",
                  name, "type=patch", f"options:peer={peer}"]
    lab.switch.ctl(*ports[1:4], *ports[4:])
    mirror(lab, select_all="true", output_port="@pa")
    lab.switch.ctl("del-port", "br0", "pc")
    one = frame(B, A)
    check(lab, [("p1", one)], {"p2": [one], "q1": [one]}, via="p1",
          out=("q1",))
    if lab.options.switch == "vsw":
        lab.switch.ctl("add-port", "br0", "pc", "--", "set", "Interface",
                       "pc", "type=patch", "options:peer=pd")
        before = copied(lab)["tx_packets"]
        lab.send("p1", frame(B, A))
        lab.pump(lambda: len(lab.peers["q1"].received) > 0, "a copy")
        wait_until(lambda: copied(lab)["tx_packets"] > before, "counted")
        assert copied(lab)["tx_packets"] < before + 20, "copies are fed back"


@test("copies go into a VXLAN tunnel", only="vsw")
def _(lab):
    wire = overlay.Wire(lab)
    tested = overlay.Tested(lab, wire)
    peer = overlay.KernelVtep(lab, wire, 2).add(1)
    tested.add(2)
    lab.ports({"p1": {}, "p2": {}})
    mirror(lab, select_src_port="@p1", output_port="@vx0")
    sock = peer.namespace.packet_socket(f"vx{overlay.VNI}")
    one, got = frame(B, A, length=200), []
    lab.send("p1", one)

    def arrived():
        while (data := receive(sock)) is not None:
            got.append(Frame(data))
        return one in got
    wait_until(arrived, "a copy at the other VTEP")
    lab.pump(lambda: lab.peers["p2"].received, "the frame")
    equal(lab.peers["p2"].received, [one], "frames")


@test("guests' frames are copied, and copies go to a guest", only="vsw")
def _(lab):
    lab.start(monitor=False)
    watcher = guest(lab, "watcher")
    sender = guest(lab, "sender")
    lab.ports({"p2": {}})
    mirror(lab, select_src_port="@sender", output_port="@watcher")
    one = frame(B, A, length=300)
    sender.send(one)
    lab.pump(lambda: watcher.received and lab.peers["p2"].received,
             "the frame and its copy")
    equal([watcher.received, lab.peers["p2"].received], [[one], [one]],
          "frames")


@test("what is copied is counted, and shown")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}, "out": {}})
    lab.switch.set("Open_vSwitch", ".",
                   other_config={"stats-update-interval": 1000})
    mirror(lab, select_src_port="@p1", output_port="@out")
    frames = [frame(B, A, length=100) for _ in range(5)]
    lab.send("p1", *frames)
    lab.pump(lambda: len(lab.peers["out"].received) == 5, "five copies")
    if lab.options.switch == "vsw":
        shown = copied(lab)
        equal([shown["tx_packets"], shown["tx_bytes"]], [5, 500], "shown")
        contains(lab.switch.vsw_ctl("mirror/show", "br0").stdout,
                 "copied: 5 packets, 500 bytes", "mirror/show")
        wait_until(lambda: lab.switch.get("Mirror", "m0", "statistics") ==
                   {"tx_packets": 5, "tx_bytes": 500}, "statistics")


@test("mirrors come, change and go while packets pass", only="vsw")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}, "out": {}, "other": {}})
    lab.switch.vsw_ctl("add-mirror", "br0", "m0", "src=p1",
                       "output-port=out")
    one = frame(B, A)
    check(lab, [("p1", one)], {"p2": [one], "other": [one], "out": [one]},
          via="p1")
    lab.switch.vsw_ctl("--may-exist", "add-mirror", "br0", "m0", "dst=p2",
                       "output-port=other")
    check(lab, [("p1", one)], {"p2": [one], "out": [one], "other": [one]},
          via="p1", out=("other",))
    lab.switch.vsw_ctl("del-mirror", "br0", "m0")
    lab.check([("p1", one)], {"p2": [one], "out": [one], "other": [one]})
    equal(lab.switch.command("mirror/show"), [], "mirrors")


@test("contradictions are refused, and what cannot be is said in the row",
      only="vsw")
def _(lab):
    lab.start("br0", "br1", monitor=False).ports({"p1": {}, "out": {}})
    lab.ports({"q1": {}}, bridge="br1")

    def refused(text, *argv):
        result = lab.switch.vsw_ctl(*argv, check=False)
        equal(result.returncode, 1, f"status of {argv}")
        equal(len(result.stderr.strip().splitlines()), 1, result.stderr)
        contains(result.stderr, text, "the refusal")

    add = ("add-mirror", "br0", "m0")
    refused("lacks output-port", *add, "src=p1")
    refused("lacks what it selects", *add, "output-port=out")
    refused("output_port out and output_vlan 9", *add, "src=p1",
            "output-port=out", "output-vlan=9")
    refused("output_port and select_src_port are both port out", *add,
            "src=out", "output-port=out")
    refused("port q1 is on bridge br1", *add, "src=q1", "output-port=out")
    refused("from 14 to 65535", *add, "all", "output-port=out", "snaplen=9")
    lab.switch.vsw_ctl(*add, "all", "output-port=out")
    refused("output_port of mirror m0", "add-mirror", "br0", "m1", "src=out",
            "output-vlan=9")
    # Who speaks to the database itself is told there.
    mirror(lab, "m2", select_src_port="@p1", output_port="@q1")

    def error(name):
        return lab.switch.vsw_ctl("get", "Mirror", name, "error").stdout
    if not lab.options.db:
        wait_until(lambda: "output" in error("m2"), "an error")
        contains(error("m2"), "output_port q1 is in bridge br1", "m2's error")
        lab.switch.ctl("clear", "Mirror", "m0", "output_port")
        wait_until(lambda: "output" in error("m0"), "an error")
        contains(error("m0"), "neither output_port nor output_vlan",
                 "m0's error")
    contains(lab.switch.log_text(), "mirror m2: ", "the log")
