"""Bonds come, change and go, and so do their members, while other ports and
the bonds that stay carry traffic."""
import itertools

from lib.failover import Learning
from lib.frame import frame, station
from lib.netns import ip_batch, wait_until
from lib.testing import equal, test
from lib.upstream import (add_bond, bond_arguments, bond_show, cables, enabled,
                          wait_enabled)
from lib.vhost_guest import Guest

KINDS = (
    {"bond_mode": "active-backup", "other_config": {"bond-primary": "x1"}},
    {"bond_mode": "balance-slb", "bond_updelay": 50},
    {"bond_mode": "balance-tcp", "lacp": "active",
     "other_config": {"lacp-fallback-ab": "true"}},
    {"other_config": {"bond-policy": "port-id"}, "tag": 7},
    {"other_config": {"bond-policy": "ip-hash"}, "vlan_mode": "dot1q-tunnel",
     "tag": 9},
    {"bond_mode": "active-backup", "other_config": {
        "bond-detect-mode": "beacon", "bond-beacon-interval": 20}},
    {"bond_mode": "balance-slb", "other_config": {
        "bond-detect-mode": "miimon", "bond-miimon-interval": 10}},
)
MEMBERS = ("x0", "x1", "x2", "x3")


def churn(rig, count):
    """Each time another kind; members are taken away and added."""
    ctl = rig.lab.switch.ctl

    def step(sending):
        kinds = itertools.cycle(KINDS)
        for i in range(count):
            kind = next(kinds)
            ctl(*bond_arguments("br0", "bond9", MEMBERS, **kind))
            if i % 3 == 1:
                ctl("del-bond-iface", "bond9", "x3", check=False)
            if i % 3 == 2:
                ctl("set", "Port", "bond9", "other_config:bond-failback=true",
                    "mac=[]")
            ctl("del-port", "br0", "bond9")
        sending.more(0.2)
    return step


@test("bonds are made, changed and removed under traffic: the others lose "
      "nothing", only="vsw", timeout=240)
def _(lab):
    rig = Learning(lab, bond_mode="balance-slb")
    lab.switch.set("Open_vSwitch", ".", other_config={"n-workers": 2})
    # to a bridge of its own, so that nothing goes round
    cables(lab, rig.up, *MEMBERS)
    rig.settled()
    rig.make_streams()
    rig.run(churn(rig, 35 if lab.options.quick else 105), interval=0.002)
    for account in rig.accounts:
        equal(account.lost, [], f"lost: {account}")
    rig.check_once()
    equal("bond9" in lab.switch.app("bond/list"), False, "bond9 is left")


@test("members' devices vanish and come back", only="vsw")
def _(lab):
    rig = Learning(lab, bond_mode="active-backup",
                 other_config={"bond-primary": "m0"})
    rig.settled()
    rig.make_streams(talking=2, silent=0)

    def vanish(sending):
        for _ in range(5):
            for member, rest in (("m0", {"m1"}), ("m1", {"m0"})):
                ip_batch([f"link del {member}"], lab.sw_ns.name)
                wait_enabled(lab.switch, "bond0", rest)
                sending.more(0.05)
                cables(lab, rig.up, member)
                rig.up.ctl("add-port", "br0", member)
                wait_enabled(lab.switch, "bond0", rig.members)
        rig.mark("back")
        sending.more(0.3)
    for stream in rig.streams:
        stream.sent = 0
    rig.run(vanish)
    rig.check_lossless("back")
    rig.check_once()


@test("the daemon is killed and started again under a bond", only="vsw")
def _(lab):
    rig = Learning(lab, bond_mode="balance-slb")
    rig.settled()
    rig.make_streams(talking=3, silent=0)

    def kill(sending):
        for _ in range(3):
            lab.switch.kill()
            lab.switch.start()
            wait_until(lambda: "bond0" in lab.switch.app("bond/list"),
                       "the bond is there again")
            wait_enabled(lab.switch, "bond0", rig.members)
        rig.mark("up")
        sending.more(0.3)
    rig.run(kill)
    rig.check_lossless("up")
    rig.check_once()


@test("a bond of 32 members", only="vsw")
def _(lab):
    names = [f"m{i}" for i in range(32)]
    rig = Learning(lab, tuple(names), bond_mode="balance-slb")
    rig.settled()
    rig.make_streams(talking=40, silent=0)
    rig.run(lambda sending: sending.more(0.2))
    for account in rig.accounts:
        equal(account.lost, [], f"lost: {account}")
    rig.check_once()
    assert len(set().union(*(a.devices() for a in rig.accounts
                             if a.stream.source == "p1"))) > 15, "members used"
    result = lab.switch.ctl("add-bond-iface", "bond0", "p2", check=False)
    assert result is not None
    equal(len(bond_show(lab.switch, "bond0")) - 1, 32, "members")


@test("a bond of guests that come and go", only="vsw")
def _(lab):
    lab.start(monitor=False)
    lab.switch.set("Open_vSwitch", ".", other_config={"n-workers": 2})
    lab.ports({"p1": {}})
    guests = [Guest(lab, 10 + i, name, {}, False, {})
              for i, name in enumerate(("a", "b"))]
    add_bond(lab.switch, "br0", "bond0", ("a", "b"), bond_mode="balance-slb",
             interfaces={one.name: {
                 "type": "vhostuser",
                 "options": {"vhost-server-path": one.path}}
                 for one in guests})
    equal(enabled(lab.switch, "bond0"), set(), "enabled without guests")
    for i in range(10):
        for one in guests:
            one.start()
        wait_enabled(lab.switch, "bond0", ("a", "b"))
        # not to all: of those the active member's alone come in
        for j, one in enumerate(guests):
            sent = frame(station(0x50), station(0x60 + 2 * i + j))
            one.send(sent)
            lab.pump(lambda: sent in lab.peers["p1"].received, "from a guest")
        for gone, rest in ((0, "b"), (1, None)):
            guests[gone].detach()
            wait_enabled(lab.switch, "bond0", {rest} - {None})
            lab.send("p1", frame(src=station(0x51)))
    equal(bond_show(lab.switch, "bond0")[None].get("bond_mode"),
          "balance-slb", "bond_mode")
