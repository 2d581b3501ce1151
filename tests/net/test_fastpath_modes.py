"""Known stations behind ports of every vlan_mode, with the fast path on and
off: the same frames everywhere, the same statistics, the same FDB."""
from lib.fastpath import Step, both_ways, is_fast, tagged_kinds
from lib.frame import BROADCAST, station
from lib.testing import test
from test_vlan_modes import PORTS


def homes(ports, base=0x1000):
    """A station for each port."""
    return {name: station(base + i) for i, name in enumerate(ports)}


def learning(home):
    """Each station in each VLAN that it can speak in."""
    return [Step(name, one) for name, mac in home.items()
            for one in tagged_kinds(BROADCAST, mac)]


def every_pair(ports, home):
    for source in ports:
        for sink in ports:
            for one in tagged_kinds(home[sink], home[source]):
                yield Step(source, one, fast=source != sink and
                           is_fast(ports[source], ports[sink], one))


@test("between ports of every vlan_mode the kernel forwards as userspace does",
      only="vsw")
def _(lab):
    lab.start().ports(PORTS)
    home = homes(PORTS)
    steps = list(every_pair(PORTS, home))
    assert sum(step.fast is True for step in steps) > 300
    both_ways(lab, learning(home), steps)


@test("no known frame crosses between bridges or VLANs in the kernel",
      only="vsw")
def _(lab):
    here = {"a10": {"tag": 10}, "b10": {"tag": 10}, "c20": {"tag": 20},
            "t": {"trunks": [10, 30]}}
    there = {"x10": {"tag": 10}, "y10": {"tag": 10}, "z": {}}
    lab.start("br0", "br1").ports(here)
    lab.ports(there, bridge="br1")
    home = homes({**here, **there})
    steps = [*every_pair(here, home), *every_pair(there, home)]
    for source, ports, others in (("a10", here, there), ("x10", there, here)):
        for sink in others:
            steps += [Step(source, one, fast=False) for one in
                      tagged_kinds(home[sink], home[source])]
    # the same address lives in both bridges, and in two VLANs of one
    twin = station(0x77)
    learn = learning(home) + [
        Step(port, one) for port in ("b10", "c20", "y10")
        for one in list(tagged_kinds(BROADCAST, twin))[:1]]
    for source, ports in (("a10", here), ("t", here), ("x10", there)):
        for one in tagged_kinds(twin, home[source]):
            tags = one.tags()
            known = source != "t" or tags and tags[0][1] & 0xfff == 10
            sink = "b10" if ports is here else "y10"
            steps.append(Step(source, one, fast=known and is_fast(
                ports[source], ports[sink], one)))
    both_ways(lab, learn, steps, bridges=("br0", "br1"))


@test("the fast path follows VLAN settings that change", only="vsw")
def _(lab):
    ports = {"p1": {"tag": 10}, "p2": {"tag": 10}, "p3": {}}
    lab.start().ports(ports)
    home = homes(ports)
    for name, columns in (
            ("p2", {"tag": 20}), ("p2", {"tag": 10}),
            ("p3", {"trunks": [20]}), ("p3", {"trunks": [10]}),
            ("p3", {"vlan_mode": "native-untagged", "tag": 10})):
        lab.switch.set("Port", name, **columns)
        ports[name].update(columns)
        lab.peers[name].follow(ports[name])
        both_ways(lab, learning(home), list(every_pair(ports, home)))
