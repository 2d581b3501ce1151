"""The FDB: learning, moving, ageing, limits, static entries, flushing."""
import time

from lib.frame import frame, station
from lib.netns import wait_until
from lib.testing import equal, test

A, B, C = station(0xa), station(0xb), station(0xc)


def learn(lab, port, *stations, vid=0):
    for one in stations:
        f = frame(src=one)
        lab.send(port, f.tagged(vid) if vid else f)
    lab.fence(port)


def macs(lab, bridge="br0"):
    """The stations of the test itself that are known."""
    return {mac for _, mac in lab.switch.fdb(bridge)
            if not mac.startswith("02:00:00:90:")}


@test("a frame to a known address goes to its port alone")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}, "p3": {}})
    learn(lab, "p1", A)
    f = frame(A, B)
    lab.check([("p2", f)], {"p1": [f]}, with_monitor=True)


@test("a frame to an unknown address goes to every other port")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}, "p3": {}})
    f = frame(A, B)
    lab.check([("p2", f)], {"p1": [f], "p3": [f], "mon-br0": [f]},
              with_monitor=True)


# Open vSwitch brings its cached flows up to date some time later.
@test("a station that has moved is found at once", only="vsw")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}, "p3": {}})
    for port in ("p1", "p2", "p1", "p2"):
        learn(lab, port, A)
        f = frame(A, B)
        lab.check([("p3", f)], {port: [f]})


@test("a frame to a station behind the port of arrival goes nowhere")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}})
    learn(lab, "p1", A, B)
    lab.check([("p1", frame(A, B))], {}, with_monitor=True)


@test("addresses are learned in the VLAN of their frame")
def _(lab):
    lab.start().ports({"p1": {"tag": 10}, "p2": {}})
    learn(lab, "p1", A)
    learn(lab, "p2", B, vid=20)
    learn(lab, "p2", C)
    table = lab.switch.fdb()
    equal({key for key in table if key[1] in (A, B, C)},
          {(10, A), (20, B), (0, C)}, "fdb/show")
    equal(table[10, A][0], str(lab.switch.ofport("p1")), "port of A")


@test("frames from group and zero addresses are dropped and not learned",
      only="vsw")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}})
    bad = ["01:00:5e:00:00:01", "33:33:00:00:00:01", "ff:ff:ff:ff:ff:ff",
           "00:00:00:00:00:00"]
    lab.check([("p1", frame(src=one)) for one in bad], {})
    equal(macs(lab), set(), "fdb/show")


# Open vSwitch takes at least 15 s.
@test("an address is forgotten after mac-aging-time, one that is heard is not",
      only="vsw")
def _(lab):
    lab.start(other_config={"mac-aging-time": 3}).ports({"p1": {}, "p2": {},
                                                         "p3": {}})
    heard = time.monotonic()
    learn(lab, "p1", A, B)

    def a_is_gone():
        nonlocal heard
        known = macs(lab)
        stood_still = time.monotonic() - heard > 2
        heard = time.monotonic()
        if stood_still:  # that proves nothing: begin anew
            learn(lab, "p1", A, B)
            return False
        assert B in known, "B was forgotten though it is heard"
        learn(lab, "p1", B)
        return A not in known
    wait_until(a_is_gone, "A is aged out", timeout=60)
    unknown, known = frame(A, C), frame(B, C)
    lab.check([("p2", unknown), ("p2", known)],
              {"p1": [unknown, known], "p3": [unknown]})


@test("an address is not forgotten before mac-aging-time", only="vsw")
def _(lab):
    lab.start(other_config={"mac-aging-time": 3600}).ports({"p1": {}})
    learn(lab, "p1", A)
    wait_until(lambda: lab.switch.fdb()[0, A][1] >= 2, "A is 2 s old")


@test("a static entry stays on its port whoever claims the address",
      only="vsw")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}, "p3": {}})
    lab.switch.app("fdb/add", "br0", "p1", "0", A)
    equal(lab.switch.fdb()[0, A], (str(lab.switch.ofport("p1")), "static"),
          "fdb/show")
    learn(lab, "p2", A)
    f = frame(A, B)
    lab.check([("p3", f)], {"p1": [f]})
    equal(lab.switch.fdb()[0, A][1], "static", "fdb/show")
    lab.switch.app("fdb/del", "br0", "0", A)
    assert A not in macs(lab)
    learn(lab, "p2", A)
    f = frame(A, B)
    lab.check([("p3", f)], {"p2": [f]})


@test("a static entry outlives ageing", only="vsw")
def _(lab):
    lab.start(other_config={"mac-aging-time": 1}).ports({"p1": {}, "p2": {}})
    lab.switch.app("fdb/add", "br0", "p1", "10", A)
    learn(lab, "p2", B)
    wait_until(lambda: B not in macs(lab), "B is aged out", timeout=20)
    equal(lab.switch.fdb()[10, A][1], "static", "fdb/show")


@test("a full table takes from the port that holds most")
def _(lab):
    lab.start(other_config={"mac-table-size": 16}).ports(
        {"p1": {}, "p2": {}, "p3": {}})
    learn(lab, "p1", *(station(0x100 + i) for i in range(40)))
    few = {station(0x200 + i) for i in range(3)}
    learn(lab, "p2", *few)
    known = macs(lab)
    assert few <= known, f"p2's are missing: {sorted(few - known)}"
    assert len(lab.switch.fdb()) <= 16, f"{len(lab.switch.fdb())} entries"
    assert len(known) >= 10, f"only {len(known)} entries"


@test("a port's mac-table-limit holds for it alone, and its frames pass",
      only="vsw")
def _(lab):
    lab.start().ports({"p1": {"other_config": {"mac-table-limit": 5}},
                       "p2": {}, "p3": {}})
    sent = [frame(src=station(0x100 + i)) for i in range(50)]
    lab.check([("p1", f) for f in sent], {"p2": sent, "p3": sent})
    learn(lab, "p2", *(station(0x200 + i) for i in range(50)))
    limited = str(lab.switch.ofport("p1"))
    at = [port for port, _ in lab.switch.fdb().values()]
    assert at.count(limited) <= 5, f"{at.count(limited)} entries at p1"
    assert len(at) > 50, f"{len(at)} entries in all"


@test("frames pass whatever does not fit into the table")
def _(lab):
    lab.start(other_config={"mac-table-size": 16}).ports({"p1": {}, "p2": {}})
    sent = [frame(src=station(0x100 + i)) for i in range(100)]
    lab.check([("p1", f) for f in sent], {"p2": sent})


@test("a flood of addresses at one port does not push out another's")
def _(lab):
    lab.start(other_config={"mac-table-size": 64}).ports(
        {"p1": {}, "p2": {}, "p3": {}})
    learn(lab, "p2", A)
    for chunk in range(20):
        learn(lab, "p1", *(station(0x1000 + 100 * chunk + i)
                           for i in range(100)))
    f = frame(A, B)
    lab.check([("p3", f)], {"p2": [f]})


@test("fdb/flush empties the bridge it names and no other")
def _(lab):
    lab.start("br0", "br1")
    lab.ports({"p1": {}})
    lab.ports({"q1": {}}, bridge="br1")
    learn(lab, "p1", A)
    learn(lab, "q1", B)
    lab.switch.app("fdb/flush", "br0")
    equal(macs(lab), set(), "br0")
    equal(macs(lab, "br1"), {B}, "br1")


@test("fdb/flush of a port, of a VLAN and of both takes those alone",
      only="vsw")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}})
    for port, base in (("p1", 0x100), ("p2", 0x200)):
        for vid in (10, 20):
            learn(lab, port, station(base + vid), vid=vid)
    every = {station(base + vid) for base in (0x100, 0x200)
             for vid in (10, 20)}
    equal(macs(lab), every, "before")
    lab.switch.vsw_ctl("fdb/flush", "br0", "port=p1", "vlan=10")
    equal(macs(lab), every - {station(0x10a)}, "after port=p1 vlan=10")
    lab.switch.vsw_ctl("fdb/flush", "br0", "vlan=10")
    equal(macs(lab), {station(0x114), station(0x214)}, "after vlan=10")
    lab.switch.vsw_ctl("fdb/flush", "br0", "port=p2")
    equal(macs(lab), {station(0x114)}, "after port=p2")


@test("the addresses at a port are forgotten when its link goes down",
      only="vsw")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}, "p3": {}})
    learn(lab, "p1", A)
    learn(lab, "p2", B)
    lab.far_ns.ip("link", "set", "p1", "down")
    wait_until(lambda: A not in macs(lab), "A is flushed")
    assert B in macs(lab), "B was flushed too"


@test("the addresses at a port are forgotten when it is deleted")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}, "p3": {}})
    learn(lab, "p1", A)
    learn(lab, "p2", B)
    lab.switch.ctl("del-port", "br0", "p1")
    lab.peers["p1"].sock.close()
    del lab.peers["p1"]
    equal(macs(lab), {B}, "fdb/show")
    f = frame(A, B)
    lab.check([("p2", f)], {"p3": [f]})


@test("fdb/stats-show counts the entries")
def _(lab):
    lab.start().ports({"p1": {}})
    learn(lab, "p1", *(station(0x100 + i) for i in range(5)))
    text = lab.switch.app("fdb/stats-show", "br0")
    n = len(lab.switch.fdb())
    assert str(n) in text, f"{n} entries are not in:\n{text}"
