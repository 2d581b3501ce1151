"""Port groups, protected ports, private VLANs, and ports that leave a bond by
members of their own."""
import json

from lib import netns
from lib.frame import BROADCAST, frame, station
from lib.testing import contains, equal, test


def plug(lab, ports, bridge="br0"):
    """Raw ports, {name: (their VLAN, words of add-port)}, by vsw-ctl."""
    for name, (tag, words) in ports.items():
        lab.wire(name)
        lab.switch.vsw_ctl("add-port", bridge, name, *words)
        lab.ports_known({name: {"tag": tag} if tag else {}}, bridge)


def refused(lab, line, *parts):
    result = lab.switch.vsw_ctl(*line.split(), check=False)
    equal((result.returncode, result.stdout), (1, ""), line)
    equal(result.stderr.count("\n"), 1, f"lines about {line}")
    for part in parts:
        contains(result.stderr, part, "the reason")


@test("a change of a port group reaches its ports, and their own settings win",
      only="vsw")
def _(lab):
    lab.start()
    ctl = lab.switch.vsw_ctl
    ctl("add-group", "web", "tag=10", "mac-table-limit=5")
    group = "other_config:port-group=web"
    plug(lab, {"a": (10, [group]), "b": (10, [group]),
               "c": (20, [group, "tag=20"]), "d": (20, ["tag=20"])})
    sent = frame(BROADCAST, station(1))
    lab.check([("a", sent)], {"b": [sent]})
    shown = json.loads(ctl("--format=json", "group/show", "web").stdout)
    equal([(one["name"], one["own"]) for one in shown[0]["ports"]],
          [("a", []), ("b", []), ("c", ["tag"])], "the ports of the group")
    text = ctl("group/show").stdout
    for part in ("group web", "tag: 10", "mac-table-limit: 5", "ports: 3",
                 "c (its own: tag)"):
        contains(text, part, "group/show")
    ctl("set-group", "web", "tag=20", "mac-table-limit=")
    for name in "ab":
        lab.peers[name].follow({"tag": 20})
    lab.check([("a", sent)], {"b": [sent], "c": [sent], "d": [sent]})
    ctl("set-group", "web", "private-vlan=isolated")
    lab.check([("a", sent)], {"d": [sent]})
    ctl("set", "Port", "b", "other_config:private-vlan=promiscuous")
    lab.check([("a", sent)], {"b": [sent], "d": [sent]})
    equal(ctl("list-groups").stdout, "web\n", "the groups")


@test("what makes no sense of groups and private VLANs is refused in a line",
      only="vsw")
def _(lab):
    lab.start()
    ctl = lab.switch.vsw_ctl
    plug(lab, {"a": (0, [])})
    refused(lab, "set Port a other_config:port-group=web", "port a",
            "add-group web")
    ctl("add-group", "web")
    ctl("--may-exist", "add-group", "web", "tag=3")
    refused(lab, "add-group web", "already")
    refused(lab, "set-group nobody tag=3", "nobody")
    refused(lab, "set-group web tag=9999", "9999")
    refused(lab, "set-group web privat-vlan=isolated",
            'did you mean "private-vlan"')
    refused(lab, "set-group web private-vlan=alone", "alone", "community:NAME")
    refused(lab, "set-group web protected=true private-vlan=promiscuous",
            "protected=true", "private-vlan=promiscuous")
    refused(lab, "set Port a protected=true "
            "other_config:private-vlan=community:x",
            "protected=true", "private-vlan=community:x")
    # what a port and its group say together
    ctl("add-group", "strict", "forged-transmits=reject")
    refused(lab, "set Port a other_config:port-group=strict",
            "forged-transmits=reject of its group", "port a", "allowed-macs")
    ctl("set", "Port", "a", "other_config:port-group=web")
    refused(lab, "set-group web forged-transmits=reject", "port a",
            "allowed-macs")
    refused(lab, "set-group web egress-peak-kbps=50", "egress-average-kbps")
    ctl("set-group", "web", "egress-average-kbps=100")
    refused(lab, "set Port a other_config:egress-peak-kbps=50",
            "egress-peak-kbps=50", "egress-average-kbps=100 of its group")
    ctl("set-group", "web", "egress-average-kbps=")
    ctl("clear", "Port", "a", "other_config")
    # and what does nothing by itself
    refused(lab, "set Port a other_config:storm-burst=5", "storm-burst",
            "storm-broadcast")
    refused(lab, "set Port a other_config:mac-limit-action=drop",
            "mac-limit-action=drop", "mac-table-limit")
    ctl("set", "Port", "a", "other_config:acl-in=none",
        "other_config:set-pcp=none")
    ctl("clear", "Port", "a", "other_config")
    refused(lab, 'set Bridge br0 other_config:private-vlans='
            '"100:isolated=100"', "VLAN 100 is primary and secondary")
    ctl("set", "Port", "a", "other_config:port-group=web")
    refused(lab, "del-group web", "web", "namely a")
    ctl("--", "remove", "Port", "a", "other_config", "port-group",
        "--", "del-group", "web")
    ctl("--if-exists", "del-group", "web")
    refused(lab, "del-group web", "web")


@test("a port whose group is not there says so, and works by its own settings",
      only="vsw")
def _(lab):
    lab.start()
    plug(lab, {"a": (10, ["tag=10"]), "b": (10, ["tag=10"])})
    # as any client of the database may write it
    netns.run(["ovs-vsctl", f"--db=unix:{lab.switch.path('db.sock')}", "set",
               "Port", "a", "other_config:port-group=gone"])
    contains(lab.switch.get("Interface", "a", "error"),
             "there is no port group gone", "the interface's error")
    sent = frame(BROADCAST, station(1))
    lab.check([("a", sent)], {"b": [sent]})
    lab.switch.vsw_ctl("add-group", "gone", "private-vlan=isolated")
    equal(lab.switch.get("Interface", "a", "error"), [], "the error then")


@test("protected ports exchange nothing with each other, all with the others")
def _(lab):
    lab.start()
    lab.ports({"p1": {"protected": "true"}, "p2": {"protected": "true"},
               "u": {}})

    def check(sender, receivers, dst, src):
        sent = frame(dst, src)
        lab.check([(sender, sent)], {name: [sent] for name in receivers})

    one, two = station(1), station(2)
    check("p1", ["u"], BROADCAST, one)
    check("p2", ["u"], BROADCAST, two)
    check("p1", [], two, one)
    check("u", ["p1"], one, station(3))
    lab.switch.ctl("set", "Port", "p2", "protected=false")
    check("p2", ["p1", "u"], BROADCAST, two)
    check("p1", ["p2"], two, one)


PRIVATE = '"100:isolated=101,community:web=102"'


@test("private VLANs span switches: isolated hosts reach the promiscuous port "
      "alone, a community itself too", only="vsw")
def _(lab):
    lab.start("br0", "br1")
    ctl = lab.switch.vsw_ctl
    for bridge in ("br0", "br1"):
        ctl("set", "Bridge", bridge, f"other_config:private-vlans={PRIVATE}")
    # A cable between the two, as between two switches.
    for here, there in (("t0", "t1"), ("t1", "t0")):
        ctl("add-port", "br" + here[1], here, "--", "set", "Interface", here,
            "type=patch", f"options:peer={there}")
    hosts = {}
    for number, (name, bridge, kind) in enumerate((
            ("r", "br0", "promiscuous"), ("i0", "br0", "isolated"),
            ("i1", "br1", "isolated"), ("w0", "br0", "community:web"),
            ("w1", "br1", "community:web"))):
        hosts[name] = lab.host(
            name, f"10.9.0.{number + 1}/24", bridge=bridge, tag=100,
            other_config={"private-vlan": kind})
    for one, other in (("r", "i0"), ("r", "i1"), ("i1", "r"), ("r", "w1"),
                       ("w0", "w1"), ("w1", "w0"), ("w1", "r")):
        hosts[one].must_ping(hosts[other].ip)
    for one, other in (("i0", "i1"), ("i1", "w1"), ("w0", "i0")):
        # with no help from ARP, which does not pass either
        hosts[one].run("ip", "neigh", "replace", hosts[other].ip, "lladdr",
                       hosts[other].mac, "dev", "eth0")
        assert not hosts[one].ping(hosts[other].ip, wait=0.3), \
            f"{one} reaches {other}"
    # What crosses a trunk has its secondary VLAN's tag.
    plug(lab, {"p": (100, ["tag=100", "other_config:private-vlan=isolated"])})
    sent = frame(BROADCAST, station(7))
    lab.forget()
    lab.send("p", sent)
    for monitor in ("mon-br0", "mon-br1"):
        lab.pump(lambda m=monitor: sent.tagged(101) in lab.peers[m].received,
                 f"{monitor} has the frame in VLAN 101")


@test("a port with a teaming order leaves a bond by its first member that is "
      "up, whatever the others do", only="vsw")
def _(lab):
    lab.start()
    ctl = lab.switch.vsw_ctl
    for member in ("m0", "m1"):
        lab.wire(member)
    ctl("add-group", "blue", "teaming-order=m1,m0")
    ctl("add-group", "green", "teaming-order=m0,m1")
    ctl("add-bond", "br0", "bond0", "m0", "m1",
        "other_config:bond-policy=port-id")
    plug(lab, {name: (0, [f"other_config:port-group={group}"])
               for name, group in (("a", "blue"), ("b", "green"),
                                   ("c", "blue"), ("d", "green"))})
    lab.ports_known({"m0": {}, "m1": {}})

    def leaves_by(port, member):
        other = "m0" if member == "m1" else "m1"
        sent = frame(station(0xff), station(ord(port)))
        lab.forget()
        lab.send(port, sent)
        lab.pump(lambda: sent in lab.peers[member].received,
                 f"{member} has what {port} sent")
        assert sent not in lab.peers[other].received, f"{port}: {other}, too"

    def up(member, wanted):
        return netns.wait_until(lambda: wanted in next(
            line for line in ctl("bond/show", "bond0").stdout.splitlines()
            if line.strip().startswith(f"member {member}")),
            f"{member} is {wanted}", timeout=20)

    up("m0", "enabled")
    up("m1", "enabled")
    for port in "ac":
        leaves_by(port, "m1")
    for port in "bd":
        leaves_by(port, "m0")
    lab.far_ns.run("ip", "link", "set", "m1", "down")
    up("m1", "disabled")
    lab.listen("m0")
    for port in "abcd":
        leaves_by(port, "m0")
    lab.far_ns.run("ip", "link", "set", "m1", "up")
    up("m1", "enabled")
    lab.listen("m1")
    leaves_by("a", "m1")
    ctl("set", "Port", "bond0", "lacp=active", "--",
        "remove", "Port", "bond0", "other_config", "bond-policy")
    netns.wait_until(lambda: "teaming-order" in str(
        lab.switch.get("Interface", "a", "error")), "port a says why not")
