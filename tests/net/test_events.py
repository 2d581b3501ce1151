"""vsw-ctl events: what is noted of links, guests, bonds, stations, violations;
and who follows it."""
import contextlib
import json
import os
import re
import select
import signal
import subprocess

from lib.frame import BROADCAST, frame, station
from lib.nat import SERVER, STATIC, NatLab, udp_socket
from lib.netns import ip_batch, wait_until
from lib.switch import BUILD
from lib.testing import contains, equal, test
from lib.vhost_guest import guest

A, B, X = station(0xa), station(0xb), station(0xbad)


def events(lab, *words):
    return lab.switch.command("events", *words)


def last_id(lab):
    return max((one["id"] for one in events(lab)), default=0)


def find(lab, after=0, **wanted):
    """Those kept since with these fields, in the order in which they came."""
    return [one for one in events(lab, f"after={after}")
            if wanted.items() <= one.items()]


def wait_event(lab, after=0, **wanted):
    return wait_until(lambda: find(lab, after, **wanted),
                      lambda: f"an event with {wanted}: {events(lab)}")[0]


def swing(lab, mac, **wanted):
    """From port to port and back; the events of it that are wanted. Changes
    are told once a second, and those before the first time not at all."""
    for port in ("p2", "p1"):
        lab.send(port, frame(src=mac))
        lab.settle([port])
    return find(lab, mac=mac, **wanted)


class Follower:
    """vsw-ctl events --follow in JSON, a line each."""

    def __init__(self, lab, *words):
        self.process = lab.spawn(
            lab.sw_ns, f"{BUILD}/vsw-ctl", "--run-dir", lab.switch.directory,
            "--format=json", "events", "--follow", *words,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.got, self.rest = [], b""

    def read(self):
        """All that has come so far."""
        out = self.process.stdout
        while select.select([out], [], [], 0)[0]:
            data = os.read(out.fileno(), 65536)
            assert data, f"it ended: {self.process.stderr.read()}"
            *lines, self.rest = (self.rest + data).split(b"\n")
            self.got += map(json.loads, lines)
        return self.got

    def wait(self, **wanted):
        return wait_until(
            lambda: [one for one in self.read()
                     if wanted.items() <= one.items()],
            lambda: f"an event with {wanted}: {self.got}")[0]


@test("links and ports that come and go are told, with time and port",
      only="vsw")
def _(lab):
    lab.start(monitor=False).ports({"p1": {}, "p2": {}})
    added = wait_event(lab, kind="port", port="p1", added=True)
    equal(added["bridge"], "br0", "bridge")
    follower = Follower(lab, "p1")
    follower.wait(kind="port", added=True)
    after = last_id(lab)
    for state in ("down", "up"):
        ip_batch([f"link set p1 {state}"], lab.far_ns.name)
        one = wait_event(lab, after, kind="link", port="p1",
                         up=state == "up")
        equal(follower.wait(id=one["id"]), one, "what a follower gets")
        equal(one["text"], f"link {state}", "text")
    assert not find(lab, after, kind="link", port="p2"), "p2 had no change"
    lab.switch.ctl("del-port", "p1")
    one = follower.wait(kind="port", added=False)
    ids = [one["id"] for one in follower.read()]
    equal(ids, sorted(ids), "order")
    assert all(one["port"] == "p1" for one in follower.got), follower.got
    # for people; options stand before and behind
    text = lab.switch.vsw_ctl("events", "p1", "--kind=link,port").stdout
    assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} link       "
                     r"br0 p1: link down$", text, re.MULTILINE), text
    contains(text, " port       br0 p1: the port is gone\n", "text")
    shown = lab.switch.vsw_ctl("events", f"--after={one['id'] - 1}",
                               "--format=json").stdout
    equal(json.loads(shown)[0]["id"], one["id"], "first after")
    text = lab.switch.vsw_ctl("events", "--kind=bond").stdout
    equal(text, "", "events of bonds")


@test("what events does not know is refused in one line", only="vsw")
def _(lab):
    lab.start(monitor=False)
    for words, what in ((("--kind=links",), "table-full"),
                        (("--after=x",), "after"),
                        (("p1", "p2"), "p2"), (("nosuch",), "nosuch"),
                        (("--folow",), "--folow"),
                        (("--follow", "--kind=links"), "links")):
        result = lab.switch.vsw_ctl("events", *words, check=False)
        equal(result.returncode, 1, f"status with {words}")
        contains(result.stderr, what, "the message")
        equal(result.stderr.count("\n"), 1, "lines")


@test("a guest that connects and goes is told", only="vsw")
def _(lab):
    lab.start(monitor=False)
    vm = guest(lab, "vm1")
    up = wait_event(lab, kind="guest", port="vm1", up=True)
    vm.detach()
    wait_event(lab, up["id"], kind="guest", port="vm1", up=False)
    vm.start()
    wait_event(lab, up["id"], kind="guest", port="vm1", up=True)


@test("members of a bond and its active one are told", only="vsw")
def _(lab):
    lab.start(monitor=False)
    for name in ("m0", "m1"):
        lab.wire(name)
    lab.switch.ctl("add-bond", "br0", "bond0", "m0", "m1",
                   "bond_mode=active-backup", "other_config:bond-primary=m0")
    for name in ("m0", "m1"):
        wait_event(lab, kind="bond", port="bond0", member=name, enabled=True)
    wait_event(lab, kind="bond", port="bond0", active="m0")
    after = last_id(lab)
    ip_batch(["link set m0 down"], lab.far_ns.name)
    wait_event(lab, after, kind="bond", port="bond0", member="m0",
               enabled=False)
    wait_event(lab, after, kind="bond", port="bond0", active="m1")
    wait_event(lab, after, kind="link", port="m0", up=False)
    ip_batch(["link set m1 down"], lab.far_ns.name)
    wait_event(lab, after, kind="bond", port="bond0", active="")
    ip_batch(["link set m0 up"], lab.far_ns.name)
    wait_event(lab, after, kind="bond", port="bond0", active="m0")


@test("a station that moves is told, and one that flaps", only="vsw")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}, "p3": {"tag": 7}})
    lab.send("p1", frame(src=A))
    lab.settle(["p1"])
    assert not find(lab, kind="mac-move"), "nobody has moved"

    one = wait_until(lambda: swing(lab, A, kind="mac-move"),
                     "it moves")[0]
    equal((one["vlan"], {one["from"], one["to"]}), (0, {"p1", "p2"}),
          "VLAN and ports")
    equal(one["port"], one["to"], "port")
    flapping = wait_until(lambda: swing(lab, A, kind="mac-flap"),
                          "it flaps")
    equal(flapping[0]["vlan"], 0, "VLAN")
    # the same address in another VLAN is another station
    lab.send("p3", frame(src=A))
    lab.settle(["p3"])
    wait_until(lambda: swing(lab, B, kind="mac-move"), "another moves")
    assert not find(lab, kind="mac-move", mac=A, port="p3"), "it is another"


@test("a full MAC table is told once, until it is well again", only="vsw")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}})
    lab.switch.set("Port", "p1", other_config={"mac-table-limit": 4})
    lab.send("p1", *(frame(src=station(n)) for n in range(100, 120)))
    lab.settle(["p1"])
    one = wait_event(lab, kind="table-full", bridge="br0")
    equal((one["port"], one["limit"]), ("p1", 4), "port and its limit")
    contains(one["text"], "mac-table-limit", "text")


@test("a NAT that is full is told", only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC, "nat-sessions=16")
    socks = [udp_socket(nat.clients[0], SERVER, timeout=1) for _ in range(20)]
    for sock in socks:
        with contextlib.suppress(OSError):  # told by ICMP
            sock.send(b"hello")
    one = wait_event(lab, kind="table-full", max_sessions=16)
    contains(one["text"], "NAT", "text")


@test("violations and storms are told, at a bounded pace, with who it was",
      only="vsw")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}})
    mac = lab.peers["p1"].mac
    lab.switch.set("Port", "p1", other_config={
        "forged-transmits": "reject", "allowed-macs": f'"{A},{mac}"'})
    lab.switch.set("Port", "p2", other_config={"storm-broadcast": 20,
                                               "storm-burst": 20})
    follower = Follower(lab, "--kind=violation,storm")
    lab.send("p1", frame(B, X), frame(B, A))
    one = follower.wait(kind="violation", port="p1")
    equal({key: one[key] for key in
           ("reason", "dl_src", "dl_dst", "vlan", "interface")},
          {"reason": "forged-source", "dl_src": X, "dl_dst": B, "vlan": 0,
           "interface": "p1"}, "fields")
    lab.send("p2", *(frame(BROADCAST, B) for _ in range(60)))
    one = follower.wait(kind="storm", port="p2", begins=True)
    equal((one["reason"], one["limit"]), ("storm-broadcast", 20),
          "reason and limit")
    one = follower.wait(kind="storm", port="p2", begins=False)
    dropped = {row["reason"]: row["packets"]
               for row in lab.switch.command("drops", "p2")}
    equal(one["count"], dropped["storm-broadcast"], "dropped in the storm")
    equal(len(find(lab, kind="storm")), 2, "events of the storm")
    # a flood of them: all are dropped and counted, some are told
    before = len(find(lab, kind="violation"))
    for _ in range(20):
        lab.check([("p1", frame(B, X)) for _ in range(200)], {})
    told = len(find(lab, kind="violation")) - before
    assert 1 <= told <= 200, f"{told} of 4000 are told"
    wait_until(lambda: sum(one["count"] for one in
                           find(lab, kind="violation", port="p1")) == 4001,
               "all are counted")
    dropped = {row["reason"]: row["packets"]
               for row in lab.switch.command("drops", "p1")}
    equal(dropped["forged-source"], 4001, "dropped")
    follower.read()
    assert follower.process.poll() is None, "the follower has ended"
    follower.process.send_signal(signal.SIGINT)
    follower.process.wait(20)


@test("a violation names addresses, of lists at departure, too", only="vsw")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}})
    lab.switch.vsw_ctl("add-acl", "web", "allow")
    lab.switch.vsw_ctl("set-acl", "web", "10", "deny", "proto=tcp", "dport=80")
    lab.switch.set("Port", "p2", other_config={"acl-out": "web"})
    text = lab.switch.vsw_ctl("trace", "--commit", "br0",
                              "in_port=p1,tcp,nw_src=10.0.0.1,"
                              "nw_dst=10.0.0.2,tp_dst=80").stdout
    contains(text, "list web: rule 10 denies it: deny proto=tcp dport=80",
             "the trace")
    one = wait_event(lab, kind="violation", port="p2")
    equal({key: one[key] for key in
           ("reason", "nw_src", "nw_dst", "tp_dst", "count")},
          {"reason": "acl-out", "nw_src": "10.0.0.1", "nw_dst": "10.0.0.2",
           "tp_dst": 80, "count": 1}, "fields")
    contains(one["text"], "nw_src 10.0.0.1", "text")


@test("so many follow and no more; who goes makes room", only="vsw")
def _(lab):
    lab.start(monitor=False).ports({"p1": {}})
    many = [Follower(lab) for _ in range(16)]
    for one in many:
        one.wait(kind="port", port="p1")
    result = lab.switch.vsw_ctl("events", "--follow", check=False)
    equal(result.returncode, 1, "status")
    contains(result.stderr, "16 clients", "the message")
    many[0].process.kill()
    many[0].process.wait()
    late = []

    def follows():
        late.append(Follower(lab, "--kind=port"))
        return wait_until(lambda: late[-1].process.poll() is not None or
                          select.select([late[-1].process.stdout], [], [],
                                        0)[0], "an answer") and \
            late[-1].process.poll() is None
    wait_until(follows, "there is room")
    late[-1].wait(kind="port", port="p1")
    ip_batch(["link set p1 down"], lab.far_ns.name)
    for one in many[1:]:
        one.wait(kind="link", port="p1", up=False)
    # vswd's end is theirs
    lab.switch.vsw_ctl("exit")
    for one in many[1:]:
        equal(one.process.wait(20), 1, "status")
    lab.switch.process.wait(20)
