"""What bond/... and lacp/... print, beside a real Open vSwitch at the other end
of the same cables: what reads its output reads ours."""
import json
import re

from lib.netns import wait_until
from lib.testing import contains, equal, test
from lib.upstream import (Upstream, add_bond, bond_show, cables, plug, pull,
                          wait_enabled, wait_negotiated)

# Lines that we add below Open vSwitch's.
OURS = {
    "bond/show": r"policy in effect: |detect mode: |failback: |failovers: "
                 r"|neighbors told: |  role: |  not enabled because: ",
    "lacp/show": r"  (receive|mux|periodic) machine: |  selected: "
                 r"|  individual: |$",
    "lacp/show-stats": r"  TX Marker Response PDUs: |  (Actor|Partner) Churned",
}
# What is no matter of layout: who is active, how much passed when.
CHANCE = re.compile(r"  active member$|  hash \d+: \d+ kB load$")

MODES = {
    "active-backup": {"bond_mode": "active-backup",
                      "other_config": {"bond-primary": "y"}},
    "balance-slb": {"bond_mode": "balance-slb", "bond_updelay": 5,
                    "other_config": {"bond-hash-basis": "3"}},
    "balance-tcp": {"bond_mode": "balance-tcp", "lacp": "active",
                    "other_config": {"lacp-time": "fast",
                                     "bond-rebalance-interval": "5000"}},
}


def both(lab, columns):
    """bond0 of the same two cables, here and there."""
    up = Upstream(lab).begin()
    lab.start()
    cables(lab, up, "x", "y")
    for switch in (lab.switch, up):
        add_bond(switch, "br0", "bond0", ["x", "y"], **columns)
    if "lacp" in columns:
        wait_negotiated((lab.switch, "bond0"), (up, "bond0"))
    for switch in (lab.switch, up):
        wait_enabled(switch, "bond0", {"x", "y"})
    return up


def shape(text):
    """The lines without what differs from one switch to the next."""
    text = re.sub(r"([0-9a-f]{2}:){5}[0-9a-f]{2}(\(\w+\))?", "MAC", text)
    text = re.sub(r"recirculation: (yes|no)", "recirculation: WORD", text)
    text = re.sub(r"-?\b\d+\b", "N", text)
    return [line for line in text.splitlines() if not CHANCE.match(line)]


def check_layout(lab, up, command, *args):
    """All lines of theirs in their order, and no others but those we add."""
    theirs = shape(up.app(command, *args))
    ours = shape(lab.switch.app(command, *args))
    added, rest = re.compile(OURS[command]), list(theirs)
    for line in ours:
        if rest and line == rest[0]:
            rest.pop(0)
        else:
            assert added.match(line), (
                f"{command}: {line!r} where {rest[:1]} is expected, in\n" +
                "\n".join(ours) + "\nbeside\n" + "\n".join(theirs))
    equal(rest, [], f"{command}: lines of Open vSwitch that are missing")


def check_mode(lab, mode):
    up = both(lab, MODES[mode])
    check_layout(lab, up, "bond/show", "bond0")
    check_layout(lab, up, "bond/show")
    ours, theirs = (switch.app("bond/list").splitlines()
                    for switch in (lab.switch, up))
    equal(ours[0], theirs[0], "the heading of bond/list")
    for fields in (ours[1].split("\t"), theirs[1].split("\t")):
        equal((fields[0], fields[1], sorted(fields[3].split(", "))),
              ("bond0", mode, ["x", "y"]), "a line of bond/list")
    return up


@test("bond/show of active-backup reads as Open vSwitch's", only="vsw")
def _(lab):
    check_mode(lab, "active-backup")


@test("bond/show of balance-slb reads as Open vSwitch's", only="vsw")
def _(lab):
    check_mode(lab, "balance-slb")


@test("bond/show and lacp/show with LACP read as Open vSwitch's", only="vsw")
def _(lab):
    up = check_mode(lab, "balance-tcp")
    for args in ((), ("bond0",)):
        check_layout(lab, up, "lacp/show", *args)
        check_layout(lab, up, "lacp/show-stats", *args)


@test("bond/show of members that are down, or wait, reads as Open vSwitch's",
      only="vsw")
def _(lab):
    up = both(lab, {"bond_mode": "active-backup"})
    for switch in (lab.switch, up):
        switch.ctl("set", "Port", "bond0", "bond_updelay=600000")
    pull(up, "x")
    for switch in (lab.switch, up):
        wait_enabled(switch, "bond0", {"y"})
    check_layout(lab, up, "bond/show")
    plug(up, "x")
    for switch in (lab.switch, up):
        wait_until(lambda at=switch: bond_show(at, "bond0")["x"].get(
            "may_enable") == "true", "updelay runs")
    check_layout(lab, up, "bond/show")
    assert "updelay expires in" in lab.switch.app("bond/show"), "no delay"


# Commands whose answers, or errors, must be the same to the letter.
SAME = """
    bond/show nope
    bond/show a b
    bond/list x
    lacp/show nope
    lacp/show-stats nope
    bond/set-active-member nope x
    bond/set-active-member bond0 nope
    bond/set-active-slave bond0 nope
    bond/set-active-member bond0
    bond/set-active-member bond0 x
    bond/set-active-slave bond0 x
    bond/disable-member bond0 x
    bond/enable-member bond0 x
    bond/disable-slave bond0 y
    bond/enable-slave bond0 y
    bond/disable-member nope x
    bond/enable-slave bond0 nope
    bond/migrate nope 1 x
    bond/migrate bond0 12 nope
    bond/migrate bond0 abc x
    bond/migrate bond0 12 x
    bond/hash nope
    bond/hash 02:00:00:00:00:01 nope
    bond/hash 02:00:00:00:00:01 1 nope
    bond/hash
"""


@test("bond/... answers as Open vSwitch, mistakes too", only="vsw")
def _(lab):
    up = both(lab, {"bond_mode": "balance-slb"})
    for switch in (lab.switch, up):
        switch.app("bond/set-active-member", "bond0", "y")
    for line in SAME.split("\n"):
        if not line.strip():
            continue
        ours, theirs = (switch.app(*line.split(), check=False)
                        for switch in (lab.switch, up))
        for result in (ours, theirs):
            result.said = result.stderr.split("\n")[0]
        # Behind its words stands what they are about.
        if ours.said.startswith(theirs.said + ": "):
            ours.said = theirs.said
        equal((ours.returncode, ours.stdout, ours.said),
              (theirs.returncode, theirs.stdout, theirs.said), line)
    # Which Open vSwitch takes for 44.
    contains(lab.switch.app("bond/migrate", "bond0", "300", "y",
                            check=False).stderr,
             "bad hash: 300; it is a number from 0 to 255", "bucket 300")


@test("bond/... and lacp/... answer as JSON, too", only="vsw")
def _(lab):
    both(lab, MODES["balance-tcp"])
    for command in ("bond/show", "bond/list", "lacp/show", "lacp/show-stats"):
        out = lab.switch.vsw_ctl("--format=json", command).stdout
        (bond,) = json.loads(out)
        equal((bond["bond"], len(bond["members"])), ("bond0", 2), command)
