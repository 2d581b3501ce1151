"""The FDB that the kernel's fast path reads and refreshes: ageing, moves,
flushes, static entries, a full table, another size."""
import time

from lib import fastpath
from lib.fastpath import Watch
from lib.frame import frame, station
from lib.netns import wait_until
from lib.testing import equal, test

A, B, C, D = (station(n) for n in (0xa, 0xb, 0xc, 0xd))
PORTS = {"p1": {}, "p2": {}, "p3": {}}


def learn(lab, port, *stations):
    for one in stations:
        lab.send(port, frame(src=one))
    lab.fence(port)


def start(lab, **other_config):
    fastpath.start(lab, other_config=other_config) if other_config else \
        fastpath.start(lab)
    lab.ports(PORTS)


def goes(lab, source, dst, src, sinks, fast):
    """One frame, where it arrives, and whether the kernel forwards it."""
    one = frame(dst, src)
    with Watch(lab, source) as watch:
        lab.check([(source, one)], {sink: [one] for sink in sinks})
    equal(watch.rx[source], int(fast), f"by the kernel, {src} to {dst}")


@test("a station that only the kernel hears is not forgotten, a silent one is",
      only="vsw")
def _(lab):
    start(lab, **{"mac-aging-time": 2})
    learn(lab, "p1", A, C)
    learn(lab, "p2", B)
    heard = time.monotonic()

    def c_is_gone():
        nonlocal heard
        known = {mac for _, mac in lab.switch.fdb()}
        stood_still = time.monotonic() - heard > 1
        heard = time.monotonic()
        if stood_still:  # that proves nothing: begin anew
            learn(lab, "p1", A, C)
            learn(lab, "p2", B)
            return False
        assert {A, B} <= known, "A or B is forgotten though it is heard"
        one = frame(B, A)
        with Watch(lab, "p1", "p2") as watch:
            lab.forget()
            lab.send("p1", one)
            lab.send("p2", frame(A, B))
            lab.pump(lambda: one in lab.peers["p2"].received, "A to B")
            wait_until(lambda: lab.peers["p1"].collect() or
                       lab.peers["p1"].received, "B to A")
        equal(watch.rx, {"p1": 1, "p2": 1}, "by the kernel")
        return C not in known
    wait_until(c_is_gone, "C is aged out", timeout=60)
    goes(lab, "p2", C, B, ["p1", "p3"], False)
    ages = {mac: age for (_, mac), (_, age) in lab.switch.fdb().items()}
    assert ages[A] <= 2, f"A's age is {ages[A]}"


@test("a station that moves is followed at once, and back", only="vsw")
def _(lab):
    start(lab)
    learn(lab, "p3", B)
    for port, other in (("p1", "p2"), ("p2", "p1")) * 5:
        learn(lab, port, A)
        goes(lab, "p3", A, B, [port], True)
        goes(lab, port, B, A, ["p3"], True)
        # what it says at another port is userspace's, and moves it
        goes(lab, other, B, A, ["p3"], False)
        goes(lab, "p3", A, B, [other], True)


@test("what is flushed or deleted is no more forwarded in the kernel",
      only="vsw")
def _(lab):
    start(lab)
    ctl = lab.switch.vsw_ctl
    for flush in (lambda: ctl("fdb/flush", "br0"),
                  lambda: ctl("fdb/flush", "br0", "port=p1"),
                  lambda: ctl("fdb/flush", "br0", "vlan=0"),
                  lambda: ctl("fdb/del", "br0", "0", A)):
        learn(lab, "p1", A)
        learn(lab, "p2", B)
        goes(lab, "p2", A, B, ["p1"], True)
        flush()
        learn(lab, "p2", B)
        goes(lab, "p2", A, B, ["p1", "p3"], False)
    learn(lab, "p1", A)
    lab.far_ns.ip("link", "set", "p1", "down")
    wait_until(lambda: A not in {mac for _, mac in lab.switch.fdb()},
               "A is flushed with its link")
    one = frame(A, B)
    with Watch(lab, "p2") as watch:
        lab.forget()
        lab.send("p2", one)
        lab.pump(lambda: one in lab.peers["p3"].received, "A is flooded")
    equal(watch.rx["p2"], 0, "by the kernel")
    lab.far_ns.ip("link", "set", "p1", "up")
    wait_until(lambda: lab.switch.get("Interface", "p1", "link_state") ==
               "up", "p1 is up")
    learn(lab, "p1", A)
    goes(lab, "p2", A, B, ["p1"], True)
    lab.switch.ctl("del-port", "br0", "p1")
    lab.peers.pop("p1").sock.close()
    goes(lab, "p2", A, B, ["p3"], False)


@test("static entries are the kernel's, too, and stay where they are",
      only="vsw")
def _(lab):
    start(lab)
    learn(lab, "p2", B)
    lab.switch.app("fdb/add", "br0", "p1", "0", A)
    goes(lab, "p2", A, B, ["p1"], True)
    goes(lab, "p1", B, A, ["p2"], True)
    goes(lab, "p3", B, A, ["p2"], False)  # it claims A's address
    goes(lab, "p2", A, B, ["p1"], True)
    equal(lab.switch.fdb()[0, A][1], "static", "fdb/show")
    lab.switch.app("fdb/del", "br0", "0", A)
    goes(lab, "p2", A, B, ["p1", "p3"], False)


@test("a full table sends strangers to userspace, and nobody astray",
      only="vsw")
def _(lab):
    start(lab, **{"mac-table-size": 64})
    learn(lab, "p2", B)
    strangers = [station(0x2000 + i) for i in range(500)]
    learn(lab, "p1", *strangers)
    known = {mac for _, mac in lab.switch.fdb()}
    assert B in known and len(known) <= 64, f"{len(known)} are known"
    # from a station that is known: nothing is learned meanwhile
    sent = [frame(one, B) for one in strangers]
    with Watch(lab, "p2") as watch:
        lab.check([("p2", one) for one in sent],
                  {"p1": sent, "p3": [one for one in sent
                                      if one.dst not in known]},
                  ordered=False)
    equal(watch.rx["p2"], len(known & set(strangers)), "by the kernel")
    # and from all of them, some of which are learned in others' places
    back = [frame(B, one) for one in strangers]
    lab.check([("p1", one) for one in back], {"p2": back}, ordered=False)


@test("a table that grows or shrinks goes on as the kernel's", only="vsw")
def _(lab):
    start(lab)
    for size in (16, 100000, 1000):
        lab.switch.set("Bridge", "br0", other_config={"mac-table-size": size})
        learn(lab, "p1", A)
        learn(lab, "p2", B)
        goes(lab, "p2", A, B, ["p1"], True)
        many = [station(0x3000 + i) for i in range(min(size - 8, 600))]
        learn(lab, "p3", *many)
        known = lab.switch.fdb()
        sent = [frame(one, B) for one in many if (0, one) in known]
        with Watch(lab, "p2") as watch:
            lab.check([("p2", one) for one in sent], {"p3": sent})
        # some may lie further away than the kernel looks
        assert watch.rx["p2"] > 0.9 * len(sent), \
            f"{watch.rx['p2']} of {len(sent)} by the kernel, size {size}"


@test("a port that is not to learn, or only so many, lets none past it",
      only="vsw")
def _(lab):
    start(lab)
    lab.switch.set("Port", "p1", other_config={
        "mac-table-limit": 2, "mac-limit-action": "drop"})
    learn(lab, "p2", B)
    learn(lab, "p1", A, lab.peers["p1"].mac)
    goes(lab, "p1", B, A, ["p2"], True)
    goes(lab, "p1", B, C, [], False)
    goes(lab, "p1", B, A, ["p2"], True)
