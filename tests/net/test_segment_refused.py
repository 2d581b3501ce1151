"""Segments that cannot be: beside each other, beside the host's routes. What
vsw-ctl would not write is written by another client."""
import json

from lib import netns
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


@test("a setting that makes no sense stops the segment, and says why",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    add_segment(lab)
    vm = Machine(lab, "vm1")
    address = vm.dhclient()
    transact(lab, {"op": "update", "table": "Segment", "where": [],
                   "row": {"options": ["map", [["mtu", "12"]]]}})
    error_is(lab, "it must be a number from 576 to 65520")
    contains(lab.switch.ctl("segment/show", "lab"), "576", "segment/show")
    lab.switch.ctl("remove", "Segment", "lab", "options", "mtu")
    error_is(lab, "[]")
    vm.run("ping", "-c", "1", "-W", "5", "10.20.0.1")
    equal(vm.dhclient(), address, "the same address")
