"""A member that is pulled costs no more than its detection and 50 ms; one that
is put back costs nothing. Counted in numbered frames, each way.

Open vSwitch in our place loses what upstream still sends to the old member when
a better one is back, so that those frames are not asked of it.
"""
import json
import time

from lib.failover import (GRACE, Learning, OnEdges, OnWire, Rig, cut_and_mend,
                          pull_and_plug)
from lib.record import Recorder
from lib.streams import Account, IperfStream
from lib.testing import equal, test
from lib.traffic import serve_iperf
from lib.upstream import (plug, pull, wait_active, wait_enabled,
                          wait_negotiated)

LACP = {"bond_mode": "balance-tcp", "lacp": "active",
        "other_config": {"lacp-time": "fast"}}


def both_ways(rig):
    return None if rig.lab.options.switch == "vsw" else rig.upward()


def check(rig, other, limit=GRACE, since="pulled", until="plugged"):
    rig.check_outage(limit, since, until)
    rig.check_lossless(until, None, both_ways(rig))
    rig.check_once()
    equal(used(rig, since, until), {other}, "members meanwhile")


def used(rig, since, until, skip=0.5):
    """By which members frames went up in that time; skip: of it, at its
    start."""
    devices = set()
    for account in rig.accounts:
        if account.stream.source == "p1":
            low = rig.marks[since][account.stream.number]
            high = rig.marks[until][account.stream.number]
            for number in range(low + int((high - low) * skip), high):
                devices |= account.paths[number]
    return devices


@test("active-backup: pulling the active member and putting it back")
def _(lab):
    rig = Learning(lab, bond_mode="active-backup",
                   other_config={"bond-primary": "m0"})
    rig.settled()
    wait_active(lab.switch, "bond0", "m0")
    rig.make_streams()
    rig.run(*pull_and_plug(rig, "m0", {"m1"}))
    wait_active(lab.switch, "bond0", "m0")
    check(rig, "m1")


@test("active-backup with MII polling: detection takes an interval",
      slow=True)
def _(lab):
    rig = Learning(lab, bond_mode="active-backup", other_config={
        "bond-primary": "m0", "bond-detect-mode": "miimon",
        "bond-miimon-interval": 100})
    rig.settled()
    wait_active(lab.switch, "bond0", "m0")
    rig.make_streams()
    rig.run(*pull_and_plug(rig, "m0", {"m1"}))
    wait_active(lab.switch, "bond0", "m0")
    check(rig, "m1", 0.1 + GRACE)


@test("active-backup with bond_downdelay and bond_updelay: both are kept",
      slow=True)
def _(lab):
    rig = Learning(lab, bond_mode="active-backup", bond_downdelay=300,
                   bond_updelay=400, other_config={"bond-primary": "m0"})
    rig.settled()
    wait_active(lab.switch, "bond0", "m0")
    rig.make_streams()

    def flap(sending):
        rig.mark("flapped")
        pull(rig.up, "m0")
        sending.more(0.05)
        plug(rig.up, "m0")
        sending.more(0.1)

    def waits(sending):
        rig.mark("plugged")
        plug(rig.up, "m0")
        sending.more(0.3)
        rig.mark("waited")

    def back(sending):
        wait_enabled(lab.switch, "bond0", rig.members)
        sending.more(0.3)
    pulled, _ = pull_and_plug(rig, "m0", {"m1"})
    rig.run(flap, pulled, waits, back)
    wait_active(lab.switch, "bond0", "m0")
    equal(used(rig, "flapped", "pulled"), {"m0"}, "members in a flap")
    check(rig, "m1", 0.3 + GRACE)
    lost = max(len(rig.between(a, "pulled", "plugged")) * a.interval
               for a in rig.accounts)
    assert lost > 0.2, f"bond_downdelay was not kept: {lost * 1000:.0f} ms"
    equal(used(rig, "plugged", "waited", 0), {"m1"},
          "members in bond_updelay")


@test("balance-slb: pulling either member and putting it back")
def _(lab):
    rig = Learning(lab, bond_mode="balance-slb")
    rig.settled()
    rig.make_streams()
    for member, other in (("m0", "m1"), ("m1", "m0")):
        rig.run(*pull_and_plug(rig, member, {other}))
        check(rig, other)


@test("balance-slb on Open vSwitch, which may go back to what it learned "
      "before: it is told, and what it sends arrives", only="vsw")
def _(lab):
    rig = Rig(lab, bond_mode="balance-slb")
    rig.settled()
    rig.make_streams()
    near = {s.dst for s in rig.downward()}
    for member, other in (("m0", "m1"), ("m1", "m0")):
        rig.run(*pull_and_plug(rig, member, {other}))
        rig.check_outage(GRACE, "pulled", "plugged", rig.upward())
        rig.check_told("pulled", near)
        rig.check_delivered("pulled", "plugged", rig.downward())
        rig.check_lossless("plugged", None, rig.upward())
        rig.check_delivered("plugged", None, rig.downward())
        rig.check_once()


@test("port-id: pulling either member and putting it back", only="vsw",
      slow=True)
def _(lab):
    rig = Learning(lab, other_config={"bond-policy": "port-id"})
    rig.settled()
    rig.make_streams()
    for member, other in (("m0", "m1"), ("m1", "m0")):
        rig.run(*pull_and_plug(rig, member, {other}))
        check(rig, other)


@test("balance-tcp with LACP: pulling either member and putting it back")
def _(lab):
    rig = Rig(lab, peer=LACP, **LACP)
    wait_negotiated((lab.switch, "bond0"), (rig.up, "bond0"))
    rig.make_streams()

    def negotiated(sending):
        wait_negotiated((lab.switch, "bond0"), (rig.up, "bond0"))
        sending.more(0.2)
    for member, other in (("m0", "m1"), ("m1", "m0")):
        rig.run(*pull_and_plug(rig, member, {other}), negotiated)
        rig.check_outage(GRACE, "pulled", "plugged")
        rig.check_lossless("plugged", None, both_ways(rig))
        rig.check_once()
        equal(used(rig, "pulled", "plugged"), {other}, "members meanwhile")


@test("balance-tcp with fast LACP: a break that no carrier tells of")
def _(lab):
    rig = OnWire(lab, peer=LACP, **LACP)
    wait_negotiated((lab.switch, "bond0"), (rig.up, "bond0"))
    rig.make_streams()

    def cut(sending):
        rig.mark("cut")
        rig.cut()
        wait_enabled(lab.switch, "bond0", {"m1"})
        wait_enabled(rig.up, "bond0", {"m1"})
        sending.more(0.3)

    def mend(sending):
        rig.mark("mended")
        rig.mend()
        wait_negotiated((lab.switch, "bond0"), (rig.up, "bond0"))
        sending.more(0.3)
    rig.run(cut, mend, interval=0.001)
    # 6.4.4: three periods of a second after the last that came
    rig.check_outage(3 + GRACE, "cut", "mended", rig.upward())
    rig.check_lossless("mended", None, both_ways(rig))
    rig.check_once()


def iperf_hosts(lab):
    rig = Rig(lab, peer=LACP, **LACP)
    wait_negotiated((lab.switch, "bond0"), (rig.up, "bond0"))
    one = lab.host("h1", "10.0.0.1/24")
    two = lab.host("h2", "10.0.0.2/24", switch=rig.up)
    for host in (one, two):  # Open vSwitch finishes no checksums
        host.run("ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso",
                 "off")
    one.must_ping("10.0.0.2")
    serve_iperf(lab, two.namespace)
    return rig, one, two


def pull_both_in_turn(rig):
    """Whichever carries the flow."""
    for member, other in (("m0", "m1"), ("m1", "m0")):
        time.sleep(0.3)
        pull(rig.up, member)
        wait_enabled(rig.lab.switch, "bond0", {other})
        time.sleep(0.3)
        plug(rig.up, member)
        wait_negotiated((rig.lab.switch, "bond0"), (rig.up, "bond0"))


@test("iperf3 over UDP: what a pulled member costs, by its own numbers",
      slow=True)
def _(lab):
    rig, one, two = iperf_hosts(lab)
    recorder = Recorder().add(one.namespace, "eth0", called="h1")
    recorder.add(two.namespace, "eth0", called="h2")
    with recorder:
        client = lab.spawn(one.namespace, "iperf3", "-c", "10.0.0.2", "-u",
                           "-b", "8M", "-l", "1000", "-t", "60")
        pull_both_in_turn(rig)
        time.sleep(0.3)
        client.terminate()
        client.wait(20)
    account = Account(recorder.seen, IperfStream("h1", "h2"), parse=IperfStream
                      .parse)
    print(account)
    assert len(account.stamps) > 500, f"iperf3 sent little: {account}"
    equal(account.duplicates, {}, "duplicates")
    # its member is pulled once, or, when it comes back to it, twice
    assert account.outage <= 2 * GRACE, \
        f"{account.outage * 1000:.0f} ms lost, {account}"


@test("iperf3 over TCP goes on when members are pulled", slow=True)
def _(lab):
    rig, one, _ = iperf_hosts(lab)
    path = lab.switch.path("iperf.json")
    with open(path, "wb") as out:
        client = lab.spawn(one.namespace, "iperf3", "-c", "10.0.0.2", "-J",
                           "-t", "4", "-b", "50M", "-i", "0.2", stdout=out)
        pull_both_in_turn(rig)
        client.wait(30)
    with open(path, encoding="ascii") as file:
        report = json.load(file)
    assert "error" not in report, report["error"]
    last = [i["sum"]["bytes"] for i in report["intervals"][-3:]]
    assert sum(last), f"bytes in the last intervals: {last}"
    assert report["end"]["sum_received"]["bytes"] > 1 << 20, report["end"]


BEACON_MS = 100
BEACONS_MISSED = 3  # a member is down when so many intervals are silent


@test("beacons find a break behind the first hop, with three members",
      only="vsw")
def _(lab):
    beacons = {"bond-detect-mode": "beacon", "bond-beacon-interval": BEACON_MS}
    rig = OnEdges(lab, ("m0", "m1", "m2"), bond_mode="active-backup",
                  other_config={**beacons, "bond-primary": "m0"})
    rig.settled()
    wait_active(lab.switch, "bond0", "m0")
    rig.make_streams()
    rig.run(*cut_and_mend(rig, "e0", {"m1", "m2"}))
    wait_active(lab.switch, "bond0", "m0")
    rig.check_outage(BEACONS_MISSED * BEACON_MS / 1000 + GRACE, "cut",
                     "mended")
    rig.check_lossless("mended")
    rig.check_once()


@test("beacons find a break in balance-slb, too", only="vsw", slow=True)
def _(lab):
    rig = OnEdges(lab, ("m0", "m1", "m2"), bond_mode="balance-slb",
                  other_config={"bond-detect-mode": "beacon",
                                "bond-beacon-interval": BEACON_MS})
    rig.settled()
    rig.make_streams()
    for edge, rest in (("e0", {"m1", "m2"}), ("e1", {"m0", "m2"})):
        rig.run(*cut_and_mend(rig, edge, rest))
        rig.check_outage(BEACONS_MISSED * BEACON_MS / 1000 + GRACE, "cut",
                         "mended")
        rig.check_lossless("mended")
        rig.check_once()
