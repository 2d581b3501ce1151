"""Policies come, change and go while packets flow: nothing breaks, and what is
left in the end is what was there in the beginning."""
import random

from lib.testing import test
from lib.traffic import serve_iperf

RULES = 2000


def long_list(seed):
    """Rules that none of the packets here fits, and one that all do."""
    chance = random.Random(seed)
    rules = [f'{i}="deny src=192.168.{i % 256}.{chance.randrange(256)} '
             f'proto=tcp dport={1 + i}"' for i in range(1, RULES)]
    return "rules={" + ",".join(rules) + f',{RULES}="allow"}}'


def qos(port, average, *queues):
    """Arguments that make a QoS for the port, with rows of queues."""
    names = [f"@q{i}" for i in range(len(queues))]
    command = ["--", "--id=@qos", "create", "QoS", "type=linux-htb",
               f"other_config:max-rate={average}"]
    if names:
        command += ["other_config:select=dscp", "queues=" + ",".join(
            f"{i}={name}" for i, name in enumerate(names))]
    for name, queue in zip(names, queues):
        command += ["--", f"--id={name}", "create", "Queue", *queue]
    return ["set", "Port", port, "qos=@qos", *command]


def steps(seed):
    """One round of changes, as arguments of ctl."""
    yield qos("h2", 1 << 30, ["other_config:max-rate=1"],
              ["other_config:match=46", "other_config:min-rate=1000000"])
    yield ["set", "Interface", "h1", "ingress_policing_rate=1",
           "ingress_policing_burst=1"]
    yield ["set", "ACL", "big", long_list(seed)]
    yield ["set", "Port", "h2", "other_config:acl-out=big",
           "other_config:storm-broadcast=1", "other_config:storm-burst=1"]
    yield ["set", "Port", "h1", "other_config:acl-in=big",
           "other_config:forged-transmits=reject",
           "other_config:allowed-macs=02:00:00:00:00:01",
           "other_config:allowed-ips=dhcp,10.0.0.1"]
    yield ["--", "--id=@h1", "get", "Port", "h1", "--", "--id=@h3", "get",
           "Port", "h3", "--", "--id=@m", "create", "Mirror", "name=m",
           "select_src_port=@h1", "output_port=@h3", "snaplen=14", "--", "set",
           "Bridge", "br0", "mirrors=@m"]
    yield ["set", "Open_vSwitch", ".",
           f"other_config:n-workers={1 + seed % 3}"]
    yield ["set", "Port", "h3", "other_config:egress-average-kbps=1"]
    yield qos("h2", 1000000000000)
    yield ["set", "Interface", "h1", "ingress_policing_rate=1000000000"]
    yield ["set", "ACL", "big", long_list(seed + 1)]
    # its ports come anew, as members of a bond, and alone
    yield ["del-port", "br0", "h3", "--", "add-bond", "br0", "bond0", "h3",
           "spare", "--", "set", "Interface", "h3",
           "ingress_policing_rate=1000", "--", "set", "Port", "bond0",
           "other_config:egress-average-kbps=1000",
           "other_config:acl-out=big", "other_config:set-dscp=46",
           "other_config:storm-unknown=100000000"]
    yield ["clear", "Bridge", "br0", "mirrors"]
    yield ["--", "--id=@b", "get", "Port", "bond0", "--", "--id=@m", "create",
           "Mirror", "name=m", "select_all=true", "output_port=@b", "--",
           "set", "Bridge", "br0", "mirrors=@m"]
    yield ["del-port", "br0", "bond0", "--", "add-port", "br0", "h3"]
    yield ["clear", "Bridge", "br0", "mirrors", "--", "clear", "Port", "h1",
           "other_config", "--", "clear", "Port", "h2", "other_config", "--",
           "clear", "Port", "h2", "qos", "--", "set", "Interface", "h1",
           "ingress_policing_rate=0", "ingress_policing_burst=0"]


@test("policies change while packets flow", only="vsw")
def _(lab):
    lab.start(monitor=False)
    one, two, three = (lab.host(f"h{i}", f"10.0.0.{i}/24")
                       for i in (1, 2, 3))
    lab.wire("spare")
    one.must_ping(two.ip)
    serve_iperf(lab, two.namespace)
    lab.spawn(one.namespace, "iperf3", "-c", two.ip, "-u", "-b", "50M", "-t",
              300, "-l", 1000)
    lab.spawn(three.namespace, "ping", "-q", "-f", "-b", "10.0.0.255")
    lab.switch.ctl("--id=@a", "create", "ACL", "name=big")
    for seed in range(2):
        for step in steps(seed):
            lab.switch.ctl(*step)
    lab.switch.sync()
    one.must_ping(two.ip)
    three.must_ping(two.ip)
