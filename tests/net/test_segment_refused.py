"""Segments that cannot be: beside each other, beside the host's routes. What
vsw-ctl would not write is written by another client."""
import json

from lib import netns
from lib.nat import NatLab, SERVER, STATIC
from lib.netns import wait_until
from lib.segment_vm import Machine, add_segment, leases
from lib.testing import contains, equal, test


def transact(lab, *operations):
    text = json.dumps(["Open_vSwitch", *operations])
    out = netns.run(["ovsdb-client", "--timeout=20", "transact",
                     f"unix:{lab.switch.path('db.sock')}", text]).stdout
    assert '"error"' not in out, out


def insert_segment(lab, name, **columns):
    transact(lab,
             {"op": "insert", "table": "Segment", "uuid-name": "s",
              "row": {"name": name, **columns}},
             {"op": "insert", "table": "Bridge", "uuid-name": "b",
              "row": {"name": name, "segment": ["named-uuid", "s"]}},
             {"op": "mutate", "table": "Open_vSwitch", "where": [],
              "mutations": [["bridges", "insert", ["named-uuid", "b"]]]})


def error(lab, name="lab"):
    return lab.switch.ctl("get", "Segment", name, "error").strip()


def error_is(lab, part, name="lab", **kwargs):
    wait_until(lambda: part in error(lab, name),
               lambda: f"{name}: {error(lab, name)}", **kwargs)


def add_route(lab):
    lab.sw_ns.ip("link", "add", "other", "type", "veth", "peer", "end")
    lab.sw_ns.ip("link", "set", "end", "up")
    lab.sw_ns.ip("addr", "add", "10.20.0.9/25", "dev", "other")
    lab.sw_ns.ip("link", "set", "other", "up")


@test("a subnet that the host has a route to is refused until it is gone",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    add_route(lab)
    insert_segment(lab, "lab", type="nat", subnet="10.20.0.0/24")
    error_is(lab, "overlaps the host's route to 10.20.0.0/25 by other")
    lab.sw_ns.ip("link", "del", "other")
    error_is(lab, "[]", timeout=30)
    vm = Machine(lab, "vm1")
    vm.dhclient()
    # a route that comes later does not disturb it
    add_route(lab)
    lab.switch.ctl("set", "Segment", "lab", "options:lease-time=600")
    equal(error(lab), "[]", "its error")
    vm.run("ping", "-c", "1", "-W", "5", "10.20.0.1")
    # nor does it after a restart
    wait_until(lambda: leases(lab), "its lease")
    lab.switch.stop()
    lab.switch.start()
    wait_until(lambda: not vm.run("ping", "-c", "1", "-W", "1", "10.20.0.1",
                                  check=False).returncode, "the gateway")
    equal(error(lab), "[]", "its error")
    lab.sw_ns.ip("link", "del", "other")


@test("of two segments with one subnet the one that worked goes on",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    add_segment(lab, "mid")
    vm = Machine(lab, "vm1", bridge="mid")
    vm.dhclient()
    insert_segment(lab, "abe", type="internal", subnet="10.20.0.0/16")
    error_is(lab, "overlaps that of segment mid", "abe")
    equal(error(lab, "mid"), "[]", "the first's error")
    vm.run("ping", "-c", "1", "-W", "5", "10.20.0.1")
    lab.switch.ctl("del-br", "mid")
    error_is(lab, "[]", "abe")


FORMER = "its former settings are in force"


@test("a setting that makes no sense leaves the segment as it was, and it says "
      "so", only="vsw")
def _(lab):
    lab.start(monitor=False)
    add_segment(lab)
    vm = Machine(lab, "vm1")
    address = vm.dhclient()
    transact(lab, {"op": "update", "table": "Segment", "where": [],
                   "row": {"options": ["map", [["mtu", "12"]]]}})
    error_is(lab, "it must be a number from 576 to 65520")
    contains(error(lab), FORMER, "what it does")
    contains(lab.switch.ctl("segment/show", "lab"), "576", "segment/show")
    vm.run("ping", "-c", "1", "-W", "5", "10.20.0.1")
    contains(vm.short("gateway.lab"), "10.20.0.1", "the name service")
    equal(vm.dhclient(), address, "the same address")
    # Wrong in other ways.
    insert_segment(lab, "abe", type="internal", subnet="10.21.0.0/24")
    transact(lab, {"op": "update", "table": "Segment",
                   "where": [["name", "==", "lab"]],
                   "row": {"options": ["map", []],
                           "subnet": "10.21.0.0/15"}})
    error_is(lab, "bits beyond its length")
    transact(lab, {"op": "update", "table": "Segment",
                   "where": [["name", "==", "lab"]],
                   "row": {"subnet": "10.21.0.0/24"}})
    error_is(lab, "overlaps that of segment abe")
    contains(error(lab), FORMER, "what it does")
    equal(error(lab, "abe"), "[]", "the other's")
    vm.run("ping", "-c", "1", "-W", "5", "10.20.0.1")
    lab.switch.ctl("del-br", "abe")
    error_is(lab, "[]")
    contains(lab.switch.ctl("segment/show", "lab"), "gateway: 10.21.0.1",
             "the new subnet is in force")
    # What has never worked has nothing to go on by.
    insert_segment(lab, "bad", type="nat", subnet="10.22.0.0/24",
                   options=["map", [["mtu", "12"]]])
    error_is(lab, "576", "bad")
    assert FORMER not in error(lab, "bad"), error(lab, "bad")


@test("a segment behind a segment has a way out; a round way has none",
      only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC)
    nat.clients[0].must_ping(SERVER)
    nat.ctl("add-segment", "deep", "nat", "10.21.0.0/24", "outside=lab")
    vm = Machine(lab, "vm1", bridge="deep")
    vm.dhclient()
    wait_until(lambda: vm.host.ping(SERVER), "its way through both")
    lines = nat.ctl("segment/show", "deep")
    contains(lines, "10.20.0.", "its outside address is one of lab")
    # Round: refused by vswd, whoever writes it, and lab goes on.
    transact(lab, {"op": "update", "table": "Segment",
                   "where": [["name", "==", "lab"]],
                   "row": {"outside": "deep"}})
    error_is(lab, "leads back to lab, as the outside of segment deep")
    contains(error(lab), FORMER, "what it does")
    assert vm.host.ping(SERVER), "nothing has changed"
    nat.clients[0].must_ping(SERVER)
    nat.set("outside=wan")
    error_is(lab, "[]")
