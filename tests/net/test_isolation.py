"""No frame of any kind crosses from one bridge or VLAN into another."""
from lib.frame import BROADCAST, S_TAG, frame, station
from lib.testing import test

A, B = station(0xa), station(0xb)

DESTINATIONS = [
    BROADCAST,
    station(0xdead),        # nobody's
    B,                      # somebody's, but over there
    "01:00:5e:00:00:01",    # IPv4 all hosts
    "01:00:5e:01:02:03",    # an IPv4 group
    "33:33:00:00:00:01",    # IPv6 all nodes
    "33:33:ff:00:00:0b",    # a solicited-node group
    "01:80:c2:00:00:00",    # spanning tree
    "01:80:c2:00:00:0e",    # LLDP
    "01:80:c2:00:00:21",    # outside of the reserved range
    "03:00:00:00:00:01",    # another group
]


def all_kinds(*vids):
    """Every destination, untagged and with the given VLAN ids."""
    for dst in DESTINATIONS:
        yield frame(dst, A)
        yield frame(dst, A).tagged(0, pcp=3)
        for vid in vids:
            yield frame(dst, A).tagged(vid)
            yield frame(dst, A).tagged(vid, tpid=S_TAG)
            yield frame(dst, A).tagged(20).tagged(vid)
            yield frame(dst, A).tagged(vid).tagged(vid)


def check_nothing_at(lab, sender, *others, vids=(1, 10, 20, 4094)):
    """B is known at others[0]; then all that A sends stays away."""
    lab.send(others[0], frame(src=B))
    lab.settle([others[0]])
    lab.forget()
    lab.send(sender, *all_kinds(*vids))
    lab.settle([sender])
    for port in others:
        got = lab.peers[port].received
        assert not got, f"{sender} leaks to {port}: {got}"


@test("two bridges without VLANs do not leak to each other")
def _(lab):
    lab.start("br0", "br1")
    lab.ports({"a": {}})
    lab.ports({"b": {}, "b2": {}}, bridge="br1")
    check_nothing_at(lab, "a", "b", "b2", "mon-br1")


@test("two bridges with the same VLAN do not leak to each other")
def _(lab):
    lab.start("br0", "br1")
    lab.ports({"a": {"tag": 10}})
    lab.ports({"b": {"tag": 10}, "b2": {"trunks": [10]}}, bridge="br1")
    check_nothing_at(lab, "a", "b", "b2", "mon-br1")


@test("two access VLANs of one bridge do not leak to each other")
def _(lab):
    lab.start().ports({"a": {"tag": 10}, "b": {"tag": 20}, "b2": {"tag": 20}})
    check_nothing_at(lab, "a", "b", "b2")


@test("a trunk does not leak VLANs that it does not carry")
def _(lab):
    lab.start().ports({"a": {"trunks": [10]}, "b": {"tag": 20},
                       "b2": {"trunks": [20, 30]},
                       "b3": {"vlan_mode": "native-untagged", "tag": 30,
                              "trunks": [20]}})
    check_nothing_at(lab, "a", "b", "b2", "b3")


@test("two native VLANs of one bridge do not leak to each other")
def _(lab):
    lab.start().ports({
        "a": {"vlan_mode": "native-untagged", "tag": 10, "trunks": [10]},
        "b": {"vlan_mode": "native-untagged", "tag": 20, "trunks": [20]},
        "b2": {"vlan_mode": "native-tagged", "tag": 20, "trunks": [20]}})
    check_nothing_at(lab, "a", "b", "b2")


@test("two service VLANs of tunnels do not leak to each other")
def _(lab):
    lab.start().ports({
        "a": {"vlan_mode": "dot1q-tunnel", "tag": 10},
        "b": {"vlan_mode": "dot1q-tunnel", "tag": 20}, "b2": {"tag": 20}})
    check_nothing_at(lab, "a", "b", "b2")


# vsw only: Open vSwitch brings its flows up to date some time later
@test("a changed tag moves the port to its new VLAN and out of the old",
      only="vsw")
def _(lab):
    lab.start().ports({"a": {"tag": 10}, "b": {"tag": 10}, "c": {"tag": 20}})
    one = frame(src=A)
    lab.check([("a", one)], {"b": [one]})
    lab.switch.set("Port", "a", tag=20)
    lab.peers["a"].follow({"tag": 20})
    two = frame(src=A)
    lab.check([("a", two)], {"c": [two]})
    # also what was learned of it: B's frames to A no more reach a
    to_a = frame(A, B)
    lab.check([("b", to_a)], {})


@test("the same address lives in two VLANs at once")
def _(lab):
    lab.start().ports({"a10": {"tag": 10}, "b10": {"tag": 10},
                       "c10": {"tag": 10}, "a20": {"tag": 20},
                       "b20": {"tag": 20}, "c20": {"tag": 20}})
    lab.send("a10", frame(src=A))
    lab.send("b20", frame(src=A))
    lab.settle(["a10", "b20"])
    to_10, to_20 = frame(A, B), frame(A, B)
    lab.check([("c10", to_10), ("c20", to_20)],
              {"a10": [to_10], "b20": [to_20]})


@test("flood_vlans floods known addresses and learns none")
def _(lab):
    lab.start(flood_vlans=[10]).ports(
        {"a": {"tag": 10}, "b": {"tag": 10}, "c": {"tag": 10},
         "d": {"tag": 20}, "e": {"tag": 20}, "f": {"tag": 20}})
    lab.send("a", frame(src=A))
    lab.send("d", frame(src=A))
    lab.settle(["a", "d"])
    flooded, known = frame(A, B), frame(A, B)
    lab.check([("b", flooded), ("e", known)],
              {"a": [flooded], "c": [flooded], "d": [known]})
    learned = {vid for vid, mac in lab.switch.fdb() if mac == A}
    assert learned == {20}, f"VLANs with the address learned: {learned}"
