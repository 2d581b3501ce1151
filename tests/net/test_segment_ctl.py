"""vsw-ctl's commands on segments, against a running vswd and ovs-vsctl."""
import json
import socket

from lib import netns
from lib.netns import ip_batch
from lib.switch import BUILD
from lib.testing import contains, equal, test


def start(lab):
    """vsw-ctl as a person on the host would run it: in its namespace."""
    lab.switch.start()
    lab.kept_devices |= {"up0", "up1", "far0", "far1"}
    ip_batch([
        "link add up0 type veth peer name far0",
        "link add up1 type veth peer name far1",
        "link set up0 up", "link set far0 up",
        "link set up1 up", "link set far1 up",
        "address add 192.0.2.2/24 dev up1"], lab.sw_ns.name)

    def ctl(*args, check=True):
        result = lab.sw_ns.run(f"{BUILD}/vsw-ctl", "--run-dir",
                               lab.switch.directory, *args, check=check)
        return result.stdout if check else result
    return ctl


def configuration(ctl):
    """What commands store: vswd writes columns of its own at any time."""
    return [ctl(f"--columns={columns}", "list", table) for table, columns in (
        ("Bridge", "_uuid,name,ports,segment,other_config"),
        ("Segment", "_uuid,name,type,subnet,subnet6,outside,isolated,"
                    "forwards,static_leases,options,external_ids"),
        ("Forward", "_uuid,protocol,outside_address,outside_port,"
                    "outside_port_last,inside_address,inside_port"))]


def refused(ctl, line, *words):
    """One line that has these words, and nothing has changed."""
    before = configuration(ctl)
    result = ctl(*line.split(), check=False)
    equal((result.returncode, result.stderr.count("\n")), (1, 1),
          f"{line}: {result.stderr}")
    for word in words:
        contains(result.stderr, word, line)
    equal(configuration(ctl), before, "the database")


def vsctl(lab, *args):
    return netns.run(["ovs-vsctl", "--timeout=20",
                      f"--db=unix:{lab.switch.path('db.sock')}",
                      *args]).stdout


def devices(lab):
    return [line.split()[0].split("@")[0] for line in
            lab.sw_ns.ip("-br", "link", "show").splitlines()]


@test("a segment of each type is there in one command, and gone in one",
      only="vsw")
def _(lab):
    ctl = start(lab)
    ctl("add-segment", "lab", "nat", "10.20.0.0/24")
    ctl("add-segment", "quiet", "host-only", "10.30.0.0/24")
    ctl("add-segment", "dark", "internal")
    ctl("add-segment", "lan", "bridged", "up0")
    contains(ctl("segment/show", "lab"), "gateway: 10.20.0.1\n", "lab runs")
    equal(json.loads(ctl("--format=json", "list-segments")), [
        {"name": "dark", "type": "internal"},
        {"name": "lab", "type": "nat", "subnet": "10.20.0.0/24",
         "outside": "host"},
        {"name": "lan", "type": "bridged"},
        {"name": "quiet", "type": "host-only", "subnet": "10.30.0.0/24"}],
        "list-segments")
    contains(lab.sw_ns.ip("address", "show", "dev", "quiet"),
             "inet 10.30.0.1/24", "the host's address")
    there = devices(lab)
    assert "quiet" in there and not {"lab", "dark", "lan"} & set(there), there
    for name in ("lab", "quiet", "dark", "lan"):
        ctl("del-segment", name)
    equal(ctl("list", "Segment"), "", "table Segment")
    equal(ctl("list-br"), "", "list-br")
    assert "quiet" not in devices(lab), devices(lab)
    ctl("--if-exists", "del-segment", "lab")
    refused(ctl, "del-segment lab", "no segment named lab")


@test("what cannot be is refused in one line, and nothing is stored",
      only="vsw")
def _(lab):
    ctl = start(lab)
    ctl("add-segment", "lab", "nat", "10.20.0.0/24", "--",
        "add-forward", "lab", "tcp", "2222", "10.20.0.15:22", "--",
        "add-static-lease", "lab", "52:54:00:00:00:01", "10.20.0.15", "vm1")
    ctl("add-br", "br0", "--", "add-port", "br0", "up0")
    for line, *words in (
            ("add-segment x nat 10.20.0.128/25", "segment lab has"),
            ("add-segment x nat 10.21.0.1/24", "write 10.21.0.0/24"),
            ("add-segment x nat 10.21.0.0/31", "too small"),
            ("add-segment x nat", "needs a subnet"),
            ("add-segment x natt 10.21.0.0/24", 'did you mean "nat"'),
            ("add-segment x nat 10.21.0.0/24 10.22.0.0/24", "one IPv4"),
            ("add-segment x nat 10.21.0.0/24 isolatd=true",
             'did you mean "isolated"'),
            ("add-segment x nat 10.21.0.0/24 mtu=5", "576"),
            ("add-segment x nat 10.21.0.0/24 dhcp-range=10.22.0.1-10.22.0.9",
             "10.22.0.1"),
            ("add-segment x nat 10.21.0.0/24 outside=br1",
             'did you mean "br0"'),
            ("add-segment x nat 192.0.2.128/25",
             "route to 192.0.2.0/24 by up1"),
            ("add-segment lab nat 10.21.0.0/24", "already exists"),
            ("add-segment x bridged", "IFACE"),
            ("add-segment x bridged up0", "on bridge br0", "one bridge only"),
            ("add-segment x bridged up1", "192.0.2.2", "--force"),
            ("add-segment x nat 10.21.0.0/24 outside=up1", "192.0.2.2"),
            ("--may-exist add-segment lab host-only 10.20.0.0/24",
             "lab is nat"),
            ("add-forward lab tcp 2222 10.20.0.16", "already",
             "del-forward lab tcp 2222"),
            ("add-forward lab tcp 2000-3000 10.20.0.16", "already"),
            ("add-forward lab tcp 80 10.21.0.1", "not in 10.20.0.0/24"),
            ("add-forward lab sctp 80 10.20.0.16", "sctp"),
            ("add-forward lab tcp 80-79 10.20.0.16", "80-79"),
            ("add-forward br0 tcp 80 10.20.0.16", "without a segment"),
            ("del-forward lab udp 2222", "does not forward"),
            ("add-static-lease lab 52:54:00:00:00:01 10.20.0.16",
             "del-static-lease"),
            ("add-static-lease lab 52:54:00:00:00:02 10.20.0.15",
             "cannot have 52:54:00:00:00:02=", "52:54:00:00:00:01 has"),
            ("add-static-lease lab 52:54:00:00:00:00 10.20.0.15",
             "cannot have 52:54:00:00:00:00=", "52:54:00:00:00:01 has"),
            ("add-segment x host-only 10.78.0.0/30", "29 at most"),
            ("add-segment lo host-only 10.78.0.0/24", "device lo already"),
            ("add-segment up1 host-only 10.78.0.0/24", "another name"),
            ("add-segment x internal 10.78.0.0/24 outside=host",
             "x is internal: outside=host is for"),
            ("add-static-lease lab 52:54:00:00:00:02 10.21.0.15",
             "not in 10.20.0.0/24"),
            ("add-static-lease lab vm2 10.20.0.16", "MAC address"),
            ("set-segment lab type=internal", "cannot be changed"),
            ("set-segment lab subnet=10.21.0.0/24", "10.20.0.15"),
            ("set Segment lab options:dhpc=false", 'did you mean "dhcp"'),
            ("set Segment lab options:lease-time=1", "60"),
            ("set Segment lab subnet=10.20.0.0/33", "NETWORK/LENGTH"),
            ("set Segment lab name=other", "name=lab")):
        refused(ctl, line, *words)
    ctl("add-segment", "deep", "nat", "10.25.0.0/24", "outside=lab")
    refused(ctl, "set-segment lab outside=deep", "leads back to lab")
    refused(ctl, "set-segment lab outside=lab", "outside of itself")
    contains(ctl("add-segment", "x", "nat", "10.21.0.0/24", "outside-tag=5",
                 check=False).stderr, "warning: segment x: outside-tag",
             "what has no effect")


@test("what only vswd can find out is told when the command returns",
      only="vsw")
def _(lab):
    ctl = start(lab)
    result = ctl("--force", "add-segment", "x", "nat", "192.0.2.128/25",
                 check=False)
    equal((result.returncode, result.stderr.count("\n")), (1, 1),
          result.stderr)
    contains(result.stderr, "segment x: ", "which")
    contains(result.stderr, "192.0.2.0/24", "why")
    contains(result.stderr, '"vsw-ctl del-segment x" removes it', "the way out")
    contains(ctl("show"), "            error: ", "show")
    result = ctl("set-segment", "x", "subnet=10.20.0.0/24", check=False)
    equal((result.returncode, result.stderr), (0, ""), "set right again")
    with lab.sw_ns.entered():
        taken = socket.create_server(("0.0.0.0", 0))
    port = taken.getsockname()[1]
    result = ctl("add-forward", "x", "tcp", str(port), "10.20.0.15",
                 check=False)
    equal((result.returncode, result.stderr.count("\n")), (1, 1),
          result.stderr)
    contains(result.stderr, f"forward tcp {port}: ", "which")
    contains(result.stderr, f'"vsw-ctl del-forward x tcp {port}"',
             "the way out")
    contains(ctl("list-forwards", "x"), f"10.20.0.15:{port}", "it is there")
    ctl("del-forward", "x", "tcp", str(port))
    taken.close()
    result = ctl("add-segment", "y", "nat", "10.21.0.0/24", "outside=x",
                 "--", "--force", "add-segment", "z", "bridged", "gone0",
                 check=False)
    equal(result.returncode, 1, "a device that is not there")
    contains(result.stderr, "could not add port gone0 to z", "which")


@test("a segment's bridge is a bridge like others, for ovs-vsctl, too",
      only="vsw")
def _(lab):
    ctl = start(lab)
    ctl("add-segment", "lab", "nat", "10.20.0.0/24")
    equal(ctl("list-ports", "lab"), "", "ports")
    ctl("add-port", "lab", "up0", "tag=5")
    equal(ctl("list-ports", "lab"), "up0\n", "ports")
    equal(ctl("iface-to-br", "up0"), "lab\n", "iface-to-br")
    equal(vsctl(lab, "list-br"), "lab\n", "ovs-vsctl list-br")
    equal(vsctl(lab, "list-ports", "lab"), "up0\n", "ovs-vsctl list-ports")
    contains(vsctl(lab, "show"), "    Bridge lab\n        Port up0\n",
             "ovs-vsctl show")
    vsctl(lab, "del-port", "lab", "up0")
    vsctl(lab, "add-port", "lab", "up0", "--", "set", "Bridge", "lab",
          "other_config:mac-aging-time=30")
    contains(ctl("bridge/show", "lab"), "up0", "bridge/show")
    ctl("--may-exist", "add-segment", "lab", "nat", "10.20.0.0/24")
    vsctl(lab, "del-br", "lab")
    equal((ctl("list-br"), ctl("list", "Segment")), ("", ""), "all of it")
    ctl("add-segment", "lab", "nat", "10.20.0.0/24", "--", "del-br", "lab")
    equal((ctl("list-br"), ctl("list", "Segment")), ("", ""), "in one line")


@test("forwards and static leases change live, alone or in one transaction",
      only="vsw")
def _(lab):
    ctl = start(lab)
    lab.sw_ns.sysctl("ipv6/conf/lo/disable_ipv6", 0)  # gives it ::1
    ctl("add-segment", "lab", "nat", "10.20.0.0/24", "fd20::/64", "--",
        "add-forward", "lab", "tcp", "2222", "10.20.0.15:22", "--",
        "add-forward", "lab", "udp", "127.0.0.1:5000-5003", "10.20.0.16",
        "--", "add-forward", "lab", "tcp", "[::1]:8080", "[fd20::15]:80")
    ctl("--may-exist", "add-forward", "lab", "tcp", "2222", "10.20.0.15:22")
    equal(json.loads(ctl("--format=json", "list-forwards", "lab")), [
        {"protocol": "tcp", "outside": "2222", "inside": "10.20.0.15:22"},
        {"protocol": "tcp", "outside": "[::1]:8080",
         "inside": "[fd20::15]:80"},
        {"protocol": "udp", "outside": "127.0.0.1:5000-5003",
         "inside": "10.20.0.16:5000-5003"}], "list-forwards")
    contains(ctl("segment/show", "lab"),
             "forward: tcp 2222 to 10.20.0.15:22\n", "in force")
    contains(ctl("show"), "            Forward tcp 2222 to 10.20.0.15:22\n",
             "show")
    ctl("add-static-lease", "lab", "52:54:00:AA:00:01", "10.20.0.15", "vm1")
    equal(json.loads(ctl("--format=json", "list-leases", "lab")), [
        {"segment": "lab", "address": "10.20.0.15", "name": "vm1",
         "mac": "52:54:00:aa:00:01", "state": "unused", "static": True}],
        "list-leases")
    ctl("del-forward", "lab", "tcp", "2222", "--", "del-forward", "lab",
        "udp", "5000-5003", "--", "del-forward", "lab", "tcp", "8080",
        "fd20::15", "--", "del-static-lease", "lab", "52:54:00:aa:00:01")
    equal(ctl("list", "Forward"), "", "table Forward")
    equal(ctl("--no-headings", "list-leases"), "", "list-leases")
    assert "forward" not in ctl("segment/show", "lab"), "still in force"
    ctl("--if-exists", "del-forward", "lab", "tcp", "2222", "--",
        "--if-exists", "del-static-lease", "lab", "52:54:00:aa:00:01")


@test("outside=NAME may be a bridge, a port of one, or a device", only="vsw")
def _(lab):
    ctl = start(lab)
    ip_batch(["address del 192.0.2.2/24 dev up1"], lab.sw_ns.name)
    said = ctl("add-segment", "a", "nat", "10.20.0.0/24", "outside=up1")
    contains(said, "bridge br-up1 was added with port up1", "what it did")
    equal(ctl("list-ports", "br-up1"), "up1\n", "the new bridge")
    ctl("add-segment", "b", "nat", "10.21.0.0/24", "outside=up1")
    ctl("add-br", "br0", "--", "add-port", "br0", "up0", "tag=7")
    ctl("add-br", "v9", "br0", "9")
    ctl("add-segment", "c", "nat", "10.22.0.0/24", "outside=up0")
    ctl("add-segment", "d", "nat", "10.23.0.0/24", "outside=v9")
    ctl("add-segment", "e", "nat", "10.24.0.0/24", "outside=up0",
        "outside-tag=8")
    equal([(s["name"], s["outside"]) for s in
           json.loads(ctl("--format=json", "list-segments"))],
          [("a", "br-up1"), ("b", "br-up1"), ("c", "br0"), ("d", "br0"),
           ("e", "br0")], "outside")
    equal([ctl("get", "Segment", name, "options:outside-tag")
           for name in "cde"], ['"7"\n', '"9"\n', '"8"\n'], "VLANs")
    ctl("set-segment", "a", "outside=host")
    equal(ctl("get", "Segment", "a", "outside"), "[]\n", "by the host")


@test("the record commands make a segment, too", only="vsw")
def _(lab):
    ctl = start(lab)
    ctl("add-br", "br0", "--", "--id=@s", "create", "Segment", "name=br0",
        "type=nat", "subnet=10.20.0.0/24", "forwards=@f", "--", "--id=@f",
        "create", "Forward", "protocol=tcp", "outside_port=80",
        "inside_address=10.20.0.15", "--", "set", "Bridge", "br0",
        "segment=@s")
    contains(ctl("segment/show", "br0"), "forward: tcp 80 to 10.20.0.15:80\n",
             "it runs")
    ctl("set", "Segment", "br0", "options:mtu=1400", "isolated=true")
    equal(ctl("get", "Segment", "br0", "options:mtu"), '"1400"\n', "by name")
    refused(ctl, "set Forward br0 inside_address=10.21.0.15",
            "not in 10.20.0.0/24")
    ctl("clear", "Bridge", "br0", "segment")
    equal((ctl("list", "Segment"), ctl("list-br")), ("", "br0\n"),
          "a bridge without a segment")


@test("what a command makes wrong is refused, what was wrong before is not "
      "its business", only="vsw")
def _(lab):
    ctl = start(lab)
    ctl("add-br", "uplink", "--", "add-port", "uplink", "up0", "--",
        "add-segment", "fast", "nat", "10.20.0.0/24", "outside=uplink",
        "outside-address=198.51.100.5/24", "outside-gateway=198.51.100.1")
    refused(ctl, "set-segment fast outside-address=", "outside-gateway",
            "outside-address=ADDRESS/LENGTH")
    refused(ctl, "remove Segment fast options outside-address",
            "outside-gateway")
    # Another client stores it all the same.
    netns.run(["ovsdb-client", "--timeout=20", "transact",
               f"unix:{lab.switch.path('db.sock')}",
               json.dumps(["Open_vSwitch", {
                   "op": "mutate", "table": "Segment", "where": [],
                   "mutations": [["options", "delete",
                                  ["set", ["outside-address"]]]]}])])
    ctl("add-forward", "fast", "tcp", "80", "10.20.0.15", check=False)
    contains(ctl("list-forwards", "fast"), "10.20.0.15:80", "it was stored")
    ctl("set-segment", "fast", "mtu=1400", check=False)
    equal(ctl("get", "Segment", "fast", "options:mtu"), '"1400"\n',
          "it was stored")
    result = ctl("set-segment", "fast", "outside-gateway=", check=False)
    equal((result.returncode, result.stderr), (0, ""), "set right")


@test("set-segment takes away a key that it does not know", only="vsw")
def _(lab):
    ctl = start(lab)
    ctl("add-segment", "lab", "nat", "10.20.0.0/24")
    netns.run(["ovsdb-client", "--timeout=20", "transact",
               f"unix:{lab.switch.path('db.sock')}",
               json.dumps(["Open_vSwitch", {
                   "op": "mutate", "table": "Segment", "where": [],
                   "mutations": [["options", "insert",
                                  ["map", [["foo", "1"]]]]]}])])
    refused(ctl, "set-segment lab foo=2", 'no setting "foo"')
    ctl("set-segment", "lab", "foo=")
    equal(ctl("get", "Segment", "lab", "options"), "{}\n", "options")
    refused(ctl, "set-segment lab foo=", 'no setting "foo"')


@test("from another network namespace, what is there is not taken for the "
      "host's", only="vsw")
def _(lab):
    ctl = start(lab)
    ip_batch(["link add here0 type veth peer name here1", "link set here0 up",
              "address add 10.20.0.9/24 dev here0"], lab.far_ns.name)

    def elsewhere(*args):
        return lab.far_ns.run(f"{BUILD}/vsw-ctl", "--run-dir",
                              lab.switch.directory, *args, check=False)
    refused(ctl, "add-segment x nat 192.0.2.0/24", "192.0.2.0/24 by up1")
    result = elsewhere("add-segment", "lab", "nat", "10.20.0.0/24")
    equal((result.returncode, result.stderr), (0, ""), "no route of vswd's")
    result = elsewhere("add-segment", "x", "nat", "192.0.2.0/24")
    contains(result.stderr, 'del-segment x" removes it', "vswd finds out")
    result = elsewhere("add-segment", "y", "nat", "10.21.0.0/24",
                       "outside=here0")
    contains(result.stderr, "cannot be seen from here", "whose device is it")
