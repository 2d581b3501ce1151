"""Settings that change while a bond carries traffic: what they do not concern
goes on without the loss of a frame."""
from lib.frame import frame, station
from lib.netns import wait_until
from lib.testing import equal, test
from lib.upstream import (Upstream, add_bond, cables, enabled, stations,
                          wait_negotiated)

MEMBERS = ("m0", "m1")
NEAR, FAR = 10, 20

# What is set, whatever the mode
ALWAYS = [
    "bond_updelay=500", "bond_downdelay=500",
    "other_config:bond-rebalance-interval=1000",
    "other_config:bond-rebalance-interval=0",
    "other_config:bond-hash-basis=7",
    "other_config:bond-miimon-interval=500",
    "other_config:bond-detect-mode=miimon",
    "other_config:bond-detect-mode=carrier",
    "other_config:bond-failback=true",
    "other_config:bond-beacon-interval=300",
    "other_config:lacp-time=slow", "other_config:lacp-time=fast",
    "bond_updelay=0", "bond_downdelay=0", "tag=5", "external_ids:a=b",
]
# ... and with LACP; what a partner knows us by is not among them
LACP = ["lacp=passive", "lacp=active", "other_config:lacp-fallback-ab=true",
        "other_config:lacp-fallback-ab=false", "bond_mode=balance-slb",
        "bond_mode=balance-tcp"]


def set_up(lab, **columns):
    up = Upstream(lab).begin()
    cables(lab, up, *MEMBERS)
    lab.start(monitor=False)
    add_bond(lab.switch, "br0", "bond0", MEMBERS, **columns)
    stations(lab, lab.switch, {"p1": {"tag": 5}})
    stations(lab, up, {"u1": {"tag": 5}})
    return up


class Traffic:
    """Each frame of some stations, counted where it is to arrive."""

    def __init__(self, lab):
        self.lab = lab
        self.sent = {"p1": [], "u1": []}
        for source, mac in (("p1", NEAR), ("u1", FAR)):
            lab.send(source, *(frame(src=station(mac + i)) for i in range(4)))
        lab.pump(lambda: all(len(lab.peers[p].received) >= 4
                             for p in ("p1", "u1")), "stations are known")
        lab.forget()

    def some(self, n=25):
        for _ in range(n):
            for i in range(4):
                self.send("u1", NEAR + i, "p1", FAR + i)
                self.send("p1", FAR + i, "u1", NEAR + i)

    def send(self, sink, src, source, dst):
        one = frame(src=station(src), dst=station(dst),
                    payload=len(self.sent[sink]).to_bytes(46, "big"))
        self.sent[sink].append(one)
        self.lab.send(source, one)

    def check(self, what):
        def lost():
            return {sink: len(set(sent) -
                              set(self.lab.peers[sink].received))
                    for sink, sent in self.sent.items()}

        def arrived():
            for sink in self.sent:
                self.lab.peers[sink].collect()
            return not any(lost().values())
        wait_until(arrived, lambda: f"all arrive in spite of {what}; of "
                   f"{len(self.sent['u1'])} lack {lost()}")
        for sink, sent in self.sent.items():
            got = [f for f in self.lab.peers[sink].received if f in set(sent)]
            equal(len(got), len(sent), f"frames at {sink} with {what}")
            sent.clear()
        self.lab.forget()


def change(lab, settings):
    traffic = Traffic(lab)
    for setting in settings:
        traffic.some()
        lab.switch.ctl("set", "Port", "bond0", *setting.split())
        traffic.some()
        traffic.check(setting)
    traffic.some()
    lab.switch.ctl("set", "Interface", "m0", "lldp:enable=false")
    traffic.some()
    traffic.check("lldp:enable=false")


@test("settings of active-backup change under traffic without a loss",
      only="vsw")
def _(lab):
    up = set_up(lab, bond_mode="active-backup", tag=5)
    up.ctl("add-port", "br0", "m0", "tag=5", "--", "add-port", "br0", "m1",
           "tag=5")
    change(lab, ALWAYS)


@test("settings of a bond with LACP change under traffic without a loss",
      only="vsw")
def _(lab):
    up = set_up(lab, bond_mode="balance-tcp", lacp="active", tag=5,
                other_config={"lacp-time": "fast"})
    add_bond(up, "br0", "bond0", MEMBERS, bond_mode="balance-tcp",
             lacp="active", tag=5, other_config={"lacp-time": "fast"})
    wait_negotiated((lab.switch, "bond0"), (up, "bond0"))
    wait_until(lambda: enabled(up, "bond0") == set(MEMBERS), "both in use")
    change(lab, ALWAYS + LACP)
