"""vsw-ctl's commands on VXLAN ports, against a running vswd and ovs-vsctl."""
import json

from lib import netns
from lib.switch import BUILD
from lib.testing import contains, equal, test


def start(lab):
    lab.switch.start()
    lab.sw_ns.ip("address", "add", "192.0.2.1/24", "dev", "lo")

    def ctl(*args, check=True):
        result = lab.sw_ns.run(f"{BUILD}/vsw-ctl", "--run-dir",
                               lab.switch.directory, *args, check=check)
        return result.stdout if check else result
    return ctl


def vsctl(lab, *args, check=True):
    return netns.run(["ovs-vsctl", "--timeout=20",
                      f"--db=unix:{lab.switch.path('db.sock')}",
                      *args], check=check)


def configuration(ctl):
    """What commands store: vswd writes columns of its own at any time."""
    return [ctl(f"--columns={columns}", "list", table) for table, columns in (
        ("Bridge", "_uuid,name,ports"),
        ("Interface", "_uuid,name,type,options,remote_macs"),
        ("Remote_MAC", "_uuid,mac,vlan,remote_ip,ips,sticky"))]


def refused(ctl, line, *words):
    """One line that has these words, and nothing has changed."""
    before = configuration(ctl)
    result = ctl(*line.split(), check=False)
    equal((result.returncode, result.stderr.count("\n")), (1, 1),
          f"{line}: {result.stderr}")
    for word in words:
        contains(result.stderr, word, line)
    equal(configuration(ctl), before, "the database")


@test("VXLAN ports, remotes and MACs come and go by commands", only="vsw")
def _(lab):
    ctl = start(lab)
    ctl("add-br", "br0", "--", "add-vtep", "br0", "vx0", "vni=5001",
        "remote=192.0.2.7", "remote=192.0.2.8", "local=192.0.2.1")
    ctl("--may-exist", "add-vtep", "br0", "vx0", "vni=5001")
    ctl("add-remote", "vx0", "192.0.2.9")
    ctl("--may-exist", "add-remote", "vx0", "192.0.2.9")
    ctl("del-remote", "vx0", "192.0.2.7")
    ctl("--if-exists", "del-remote", "vx0", "192.0.2.7")
    ctl("add-remote-mac", "br0", "02:00:00:00:00:0A", "192.0.2.8",
        "ip=10.0.0.5", "ip=10.0.0.6", "sticky=true")
    ctl("add-remote-mac", "vx0", "02:00:00:00:00:0b", "192.0.2.8")
    ctl("--may-exist", "add-remote-mac", "vx0", "02:00:00:00:00:0b",
        "192.0.2.9")
    contains(ctl("get", "Interface", "vx0", "options"),
             'remotes="192.0.2.8,192.0.2.9"', "remotes")
    equal(json.loads(ctl("--format=json", "list-remote-macs")), [
        {"port": "vx0", "mac": "02:00:00:00:00:0a", "remote": "192.0.2.8",
         "ips": "10.0.0.5,10.0.0.6", "sticky": True},
        {"port": "vx0", "mac": "02:00:00:00:00:0b", "remote": "192.0.2.9"}],
        "list-remote-macs")
    contains(ctl("show"), "Remote_MAC 02:00:00:00:00:0a at 192.0.2.8", "show")
    contains(ctl("fdb/show", "br0"), "02:00:00:00:00:0a", "fdb/show")
    ctl("del-remote-mac", "br0", "02:00:00:00:00:0a")
    ctl("--if-exists", "del-remote-mac", "br0", "02:00:00:00:00:0a")
    ctl("del-port", "vx0")
    equal(ctl("list", "Remote_MAC"), "", "table Remote_MAC")


@test("what cannot be is refused in one line, and nothing is stored",
      only="vsw")
def _(lab):
    ctl = start(lab)
    ctl("add-br", "br0", "--", "add-br", "br-ex", "--", "add-vtep", "br0",
        "vx0", "vni=5001", "remote=192.0.2.7", "local=192.0.2.1", "--",
        "add-port", "br0", "p2p", "--", "set", "interface", "p2p",
        "type=vxlan", "options:remote_ip=192.0.2.9",
        "options:local_ip=192.0.2.1")
    for line, *words in (
            ("add-vtep br0 vx1 remote=192.0.2.7", "needs vni=N"),
            ("add-vtep br0 vx1 vni=5001 local=192.0.2.1",
             "cannot have VNI 5001, which is VXLAN port vx0's"),
            ("add-vtep br0 vx1 vni=1", "with the same dst_port (4789)"),
            ("add-vtep br0 vx1 vni=1 local=192.0.2.1 csum=true",
             "another csum than VXLAN port"),
            ("add-vtep br0 vx1 vni=1 local=192.0.2.1 evpn=true "
             "dst_port=24789", "cannot have dst_port=24789"),
            ("add-vtep br0 vx1 vni-map=5=5 local=192.0.2.1 tag=5",
             "give it no tag"),
            ("add-vtep br0 vx1 vni-map=5=5 local=192.0.2.1 -- set port vx1 "
             "tag=5", "give it no tag"),
            ("add-vtep br0 vx1 vni=1 local=2001:db8::1 evpn=true",
             "IPv4 only"),
            ("add-vtep br0 vx1 vnl=5", 'did you mean "vni"'),
            ("add-vtep br0 vx1 5", "is no setting"),
            ("add-vtep br0 vx1 vni=5 remote_ip=192.0.2.7",
             "remote=192.0.2.7"),
            ("add-vtep br0 vx1 vni=5 remote=239.1.1.1",
             "multicast address", "group=ADDRESS"),
            ("add-vtep br0 vx1 vni=1 vni=2", "vni=1 and vni=2"),
            ("add-vtep br0 vx1 vni=1 key=2", "vni=1 and key=2"),
            ("add-vtep br0 vx1 vni=1 local_ip=192.0.2.1 local=192.0.2.2",
             "local_ip=192.0.2.1 and local=192.0.2.2"),
            ("add-vtep br0 vx1 vni=-1", 'vni cannot be "-1"'),
            ("add-vtep br0 vx1 vni=1 psk=x", "not encrypted"),
            ("add-vtep br0 vx1 vni=1 exts=gbp", "extensions (gbp, gpe)"),
            ("add-vtep br0 vx1 vni=1 egress_pkt_mark=1", "bear no mark"),
            ("add-vtep br0 vx1 vni=5 tag=4095", "1 to 4094"),
            ("add-vtep br0 vx1 vni=5 underlay=br-no local=192.0.2.5/24",
             "no such bridge"),
            ("add-vtep br0 vx1 vni=5 underlay=br0 local=192.0.2.5/24",
             "the bridge that it is in"),
            ("add-vtep br0 vx1 vni=5 underlay=br-ex", "local_ip"),
            ("add-vtep br0 vx0 vni=5", "vx0"),
            ("add-vtep br1 vx1 vni=5", "no bridge named br1"),
            ("--may-exist add-vtep br-ex vx0 vni=5", "attached to bridge"),
            ("--may-exist add-vtep br0 br0 vni=5", "is no VXLAN port"),
            ("add-remote vx0 192.0.2.7", "already"),
            ("add-remote vx0 192.0.2.1", "itself"),
            ("add-remote vx0 host", 'have remote "host": that is no IP'),
            ("add-remote p2p 192.0.2.8", "options:remote_ip=flow"),
            ("add-remote br0 192.0.2.8", "no VXLAN port"),
            ("del-remote vx0 192.0.2.8", "no remote 192.0.2.8"),
            ("set interface vx0 options:dst_port=0", "1 to 65535"),
            ("set interface vx0 options:remote_ip=192.0.2.7",
             "only remote"),
            ("remove interface vx0 options remote_ip", "no remote_ip"),
            ("add-remote-mac vx0 x 192.0.2.7", "MAC address of one device"),
            ("add-remote-mac vx0 01:00:00:00:00:01 192.0.2.7", "one device"),
            ("add-remote-mac vx0 02:00:00:00:00:01 192.0.2.1", "local_ip"),
            ("add-remote-mac vx0 02:00:00:00:00:01 host", "no IP address"),
            ("add-remote-mac p2p 02:00:00:00:00:01 192.0.2.7",
             "one remote only"),
            ("add-remote-mac vx0 02:00:00:00:00:01 192.0.2.7 vlan=4095",
             "0 (untagged) to 4094"),
            ("add-remote-mac vx0 02:00:00:00:00:01 192.0.2.7 sticky=yes",
             "sticky=true"),
            ("add-remote-mac vx0 02:00:00:00:00:01 192.0.2.7 ip=10.0.0",
             "cannot have ip"),
            ("add-remote-mac br0 02:00:00:00:00:01 192.0.2.7",
             "several VXLAN ports"),
            ("add-remote-mac br-ex 02:00:00:00:00:01 192.0.2.7",
             "has no VXLAN port"),
            ("del-remote-mac vx0 02:00:00:00:00:01", "no remote MAC"),
            ("list-remote-macs br-ex", "has no VXLAN port")):
        refused(ctl, line, *words)


@test("a VXLAN port that carries nothing is told of, and stays configured",
      only="vsw")
def _(lab):
    ctl = start(lab)
    ctl("add-br", "br0")
    lab.sw_ns.ip("link", "add", "kernel", "type", "vxlan", "id", "9",
                 "dstport", "4791")
    lab.sw_ns.ip("link", "set", "kernel", "up")
    for line, *words in (
            ("add-vtep br0 vx0 vni=1 dst_port=4791 remote=192.0.2.7", "vx0",
             "in use"),
            ("add-vtep br0 vx1 vni=1 local=198.51.100.77", "vx1",
             "198.51.100.77"),
            ("add-vtep br0 vx2 vni=2 group=239.1.1.1 group-dev=nosuch "
             "dst_port=4790", "vx2", "nosuch"),
            ("add-port br0 vx3 -- set interface vx3 type=vxlan "
             "options:key=3 options:remote_ip=192.0.2.7 "
             "options:local_ip=198.51.100.78", "vx3", "198.51.100.78")):
        result = ctl(*line.split(), check=False)
        equal((result.returncode, result.stderr.count("\n")), (1, 1),
              f"{line}: {result.stderr}")
        for word in words + ["it stays configured"]:
            contains(result.stderr, word, line)
        contains(ctl("list-ports", "br0"), words[0], "ports")
    ctl("add-vtep", "br0", "vx4", "vni=4", "local=192.0.2.1")
    lab.sw_ns.ip("link", "delete", "kernel")


@test("a remote MAC at an address of the host has an error", only="vsw")
def _(lab):
    ctl = start(lab)
    ctl("add-br", "br0", "--", "add-vtep", "br0", "vx0", "vni=5001")
    result = ctl("add-remote-mac", "vx0", "02:00:00:00:00:01", "192.0.2.1",
                 check=False)
    equal(result.returncode, 1, result.stderr)
    contains(result.stderr, "192.0.2.1, an address of this host", "stderr")
    contains(ctl("list-remote-macs"), "an address of this host", "list")


@test("ovs-vsctl adds VXLAN ports, and hears why one cannot be", only="vsw")
def _(lab):
    ctl = start(lab)
    vsctl(lab, "add-br", "br0")

    def add(name, *options, check=True):
        return vsctl(lab, "add-port", "br0", name, "--", "set", "interface",
                     name, "type=vxlan", *(f"options:{o}" for o in options),
                     check=check)
    add("vx0", "remote_ip=192.0.2.7", "key=5001")
    add("vx1", "remote_ip=192.0.2.7", "key=flow")
    add("vx2", "remote_ip=192.0.2.8", "key=5001")
    for name in ("vx0", "vx2"):
        equal(ctl("get", "Interface", name, "error").strip(), "[]", name)
    contains(ctl("vtep/show", "vx0"), "192.0.2.7", "vtep/show")
    for name, options, words in (
            ("vx3", ["remote_ip=192.0.2.7", "key=5001"], "is that of"),
            ("vx4", ["remote_ip=192.0.2.1"], "is an address of this host"),
            ("vx5", ["remote_ip=192.0.2.9", "egress_pkt_mark=1"],
             "egress_pkt_mark"),
            ("vx6", ["remot_ip=192.0.2.9"], 'did you mean \\"remote_ip\\"')):
        add(name, *options, check=False)
        contains(ctl("get", "Interface", name, "error"), words, name)
        equal(ctl("get", "Interface", name, "ofport").strip(), "-1", name)
    # The one in the way goes, and the other one comes.
    vsctl(lab, "del-port", "vx0")
    equal(ctl("get", "Interface", "vx3", "error").strip(), "[]", "vx3")
