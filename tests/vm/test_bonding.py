"""The kernel's bonding driver, in a guest with Debian's kernel, as the partner
of a bond whose members are the guest's two cards."""
import json

from lib.netns import ip_batch
from lib.testing import equal, test
from lib.upstream import (active, add_bond, bond_show, is_negotiated,
                          wait_active, wait_enabled, wait_lacp)
from vmlib.bonding import Bonding
from vmlib.guest import Guest, Nic
from vmlib.shell import received_bits
from vmlib.stream import Echoes

GUEST, HOST = "10.0.0.1", "10.0.0.9"
LACP = {"bond_mode": "balance-tcp", "lacp": "active"}
MEMBERS = ("m0", "m1")


class Taps:
    """Cards whose monitor has taps. A link that the monitor takes away is
    down in the guest alone, one of the tap in the switch alone."""

    def __init__(self, lab):
        self.lab = lab
        for name in MEMBERS:
            lab.sw_ns.ip("tuntap", "add", "dev", name, "mode", "tap",
                         "vnet_hdr")
            lab.sw_ns.ip("link", "set", name, "up")
            lab.kept_devices.add(name)
        self.nics = [Nic(i + 1, tap=name) for i, name in enumerate(MEMBERS)]

    def add(self, **columns):
        add_bond(self.lab.switch, "br0", "bond0", MEMBERS, **columns)

    def link(self, name, up):
        ip_batch([f"link set {name} {'up' if up else 'down'}"],
                 self.lab.sw_ns.name)


class VhostUser:
    """Cards by vhost-user. A link that the monitor takes away is down at both
    ends."""

    def __init__(self, lab):
        self.lab = lab
        self.nics = [Nic(i + 1, lab.switch.vhost_path(name, True))
                     for i, name in enumerate(MEMBERS)]

    def add(self, **columns):
        switch = self.lab.switch
        add_bond(switch, "br0", "bond0", MEMBERS, **columns, interfaces={
            name: {"type": switch.vhost_types[0],
                   "options": switch.vhost_options(
                       switch.vhost_path(name, True), True)}
            for name in MEMBERS})

    def link(self, name, up):
        number = MEMBERS.index(name)
        self.guest.qmp("set_link", name=f"net{number}", up=up)


def guest_with(lab, kind, **columns):
    lab.start(monitor=False)
    cards = kind(lab)
    cards.add(**columns)
    guest = Guest(lab, "one", *cards.nics).start().wait()
    cards.guest = guest
    host = lab.host("h1", HOST + "/24")
    if lab.options.switch != "vsw":  # Open vSwitch finishes no checksums
        host.run("ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso",
                 "off")
        guest.run("for i in 0 1; do ethtool -K eth$i tx off; done")
    return cards, guest, host


def check_traffic(bonding, guest, host):
    """Both ways, by both cards."""
    guest.must_ping(HOST)
    host.must_ping(GUEST)
    before = bonding.sent(), bonding.received()
    # both ways at once: a server that has just ended one test takes none
    out = host.run("iperf3", "-c", GUEST, "-t", "1", "-J", "-P", "8", "-b",
                   "4M", "--bidir", timeout=60).stdout
    received_bits(json.loads(out), "iperf3")
    for was, now, what in zip(before, (bonding.sent(), bonding.received()),
                              ("sent", "received")):
        for card in bonding.cards:
            assert now[card] - was[card] > 20, \
                f"{card} has {what} {now[card] - was[card]} packets of " \
                f"{sum(now.values()) - sum(was.values())}"


def negotiated(lab, bonding):
    """Both ends say so, of each other."""
    shown = wait_lacp(lab.switch, "bond0", is_negotiated, "negotiated", 30)
    bond, cards = bonding.wait_aggregated(shown[None]["sys_id"])
    equal({shown[m]["partner sys_id"] for m in MEMBERS},
          {bond["System MAC address"]}, "the partner's address")
    for i, card in enumerate(bonding.cards):
        equal(shown[MEMBERS[i]]["partner port_id"],
              cards[card]["actor.port number"], f"number of {card}")
        equal(shown[MEMBERS[i]]["actor port_id"],
              cards[card]["partner.oper port number"]
              if "partner.oper port number" in cards[card]
              else cards[card]["partner.port number"],
              f"what {card} knows of our port")
    wait_enabled(lab.switch, "bond0", MEMBERS)


def check_lacp(lab, kind):
    cards, guest, host = guest_with(lab, kind, **LACP,
                                    other_config={"lacp-time": "fast"})
    bonding = Bonding(guest)
    guest.serve_iperf()
    for rate in ("slow", "fast"):
        lab.switch.set("Port", "bond0", other_config={"lacp-time": rate})
        bonding.make("802.3ad", GUEST + "/24", lacp_rate=rate,
                     xmit_hash_policy="layer3+4")
        negotiated(lab, bonding)
        check_traffic(bonding, guest, host)
    with Echoes(host, guest, GUEST) as echoes:
        echoes.more()
        # the guest's end of the first cable
        guest.qmp("set_link", name="net0", up=False)
        wait_enabled(lab.switch, "bond0", {"m1"})
        bonding.wait(lambda _, c: c["eth0"]["MII Status"] == "down",
                     "eth0 is down")
        echoes.more()
        guest.qmp("set_link", name="net0", up=True)
        negotiated(lab, bonding)
        echoes.more()
        # and ours of the second
        cards.link("m1", False)
        wait_enabled(lab.switch, "bond0", {"m0"})
        echoes.more()
        cards.link("m1", True)
        negotiated(lab, bonding)
        echoes.more()


@test("802.3ad in a guest with taps: fast and slow, and cards that lose their "
      "link", timeout=150)
def _(lab):
    check_lacp(lab, Taps)


@test("802.3ad in a guest with vhost-user cards: fast and slow, and cards that "
      "lose their link", only="vsw", timeout=150)
def _(lab):
    check_lacp(lab, VhostUser)


def check_active_backup(lab, kind):
    cards, guest, host = guest_with(
        lab, kind, bond_mode="active-backup",
        other_config={"bond-primary": "m0"})
    wait_active(lab.switch, "bond0", "m0")
    bonding = Bonding(guest).make("active-backup", GUEST + "/24",
                                  primary="eth0")
    bonding.wait_active("eth0")
    host.must_ping(GUEST)
    guest.must_ping(HOST)
    with Echoes(host, guest, GUEST) as echoes:
        echoes.more()
        before = bonding.received()
        cards.link("m0", False)
        guest.qmp("set_link", name="net0", up=False)
        wait_active(lab.switch, "bond0", "m1")
        bonding.wait_active("eth1")
        echoes.more()
        after = bonding.received()
        assert after["eth1"] - before["eth1"] > 5, f"{before}, {after}"
        guest.qmp("set_link", name="net0", up=True)
        cards.link("m0", True)
        wait_active(lab.switch, "bond0", "m0")
        bonding.wait_active("eth0")
        echoes.more()
    equal(active(lab.switch, "bond0"), "m0", "active member")
    equal(bond_show(lab.switch, "bond0")[None]["bond_mode"], "active-backup",
          "mode")


@test("active-backup at both ends, in a guest with taps", timeout=120)
def _(lab):
    check_active_backup(lab, Taps)


@test("active-backup at both ends, in a guest with vhost-user cards",
      only="vsw", timeout=120)
def _(lab):
    check_active_backup(lab, VhostUser)
