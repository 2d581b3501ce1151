"""VXLAN between two machines (namespaces) with a host behind each: vswd by the
host's sockets and by an uplink's bridge, the kernel's vxlan device in a
bridge, and Open vSwitch's userspace datapath, on the same kind of veth
underlay. Both ends are of one kind. In turn, several rounds; medians and ratios.

    h0 -- VTEP in "sw" == underlay == VTEP in "h2" -- h1

Where a sender, two switches and all else that runs have two cores, what comes
out says more of the scheduler than of a switch. So there is also what an end
does in a second of its own CPU time, system calls included; of the kernel's
device nobody can tell that.
"""

import json
import math
import os
import statistics
import subprocess
import time

from lab import BUILD, Lab, Switch, run, wait_until
from side_by_side import ping, small_mpps, tcp_gbps

VNI = "7"
MTU = 1450
SPACES = ("sw", "h2")


class Vxlan(Switch):
    """Subclasses start the end of a namespace, and add ports to it."""

    def underlay(self, end):
        return "10.%d.0.%d" % (200 + self.index, end + 1)

    def bridge(self):
        return "br-" + self.name

    def port(self):
        return "vx-" + self.name

    def uplink(self):
        return "%s-ul" % self.name

    def start(self):
        lab, device = self.lab, self.uplink()
        self.processes = [None, None]  # those that forward
        run("ip", "link", "add", device, "netns", lab.ns("sw"), "type", "veth",
            "peer", "name", device, "netns", lab.ns("h2"))
        for end, space in enumerate(SPACES):
            lab.ip(space, "link", "set", device, "up")
            os.makedirs(self.end_dir(end))
            self.start_end(end, space)

    def end_dir(self, end):
        return os.path.join(self.dir, str(end))

    def give_address(self, end, device):
        self.lab.ip(SPACES[end], "addr", "add", self.underlay(end) + "/24",
                    "dev", device)

    def daemon_in(self, end, *args, **kwargs):
        """As daemon(), at an end."""
        with open(os.path.join(self.end_dir(end), "out.log"), "a") as log:
            self.processes[end] = subprocess.Popen(
                self.lab.inside(SPACES[end], *args), stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, **kwargs)
        self.lab.daemons.append(self.processes[end])

    def cpu_s(self, end):
        """CPU time of all threads of an end's process."""
        tasks = "/proc/%d/task" % self.processes[end].pid
        total = 0
        for task in os.listdir(tasks):
            with open("%s/%s/schedstat" % (tasks, task)) as file:
                total += int(file.read().split()[0])
        return total / 1e9

    def encapsulated(self):
        """Packets that end 0 has sent into the tunnel, as the device saw them
        (so not of those that send trains)."""
        link = json.loads(self.lab.ip("sw", "-j", "-s", "link", "show",
                                      self.uplink()))
        return link[0]["stats64"]["tx"]["packets"]

    def connect(self, host):
        if host == 2:  # that is the other VTEP's machine
            return
        lab, inner, space = self.lab, "%s%d" % (self.name, host), SPACES[host]
        device = self.device(host)
        run("ip", "link", "add", inner, "netns", lab.ns(space), "type", "veth",
            "peer", "name", device, "mtu", str(MTU), "netns",
            lab.ns("h%d" % host))
        lab.ip(space, "link", "set", inner, "up")
        lab.ip("h%d" % host, "addr", "add", self.address(host) + "/24", "dev",
               device)
        lab.ip("h%d" % host, "link", "set", device, "up")
        self.add_port_at(host, inner)


class VswVxlan(Vxlan):
    name = "vsw"

    def start_end(self, end, space):
        directory = self.end_dir(end)
        self.daemon_in(end, BUILD + "/vswd", "--run-dir", directory)
        wait_until("vswd to listen", lambda: all(
            os.path.exists(directory + sock)
            for sock in ("/db.sock", "/vswd.ctl")))
        self.ctl(end, "add-br", self.bridge(), *self.prepare_underlay(end))
        self.ctl(end, "add-port", self.bridge(), self.port(), "--", "set",
                 "Interface", self.port(), "type=vxlan", "options:key=" + VNI,
                 "options:remote_ip=" + self.underlay(1 - end),
                 *self.options(end))

    def prepare_underlay(self, end):
        self.give_address(end, self.uplink())
        return ()

    def options(self, end):
        return ()

    def ctl(self, end, *args):
        return run(BUILD + "/vsw-ctl", "--run-dir", self.end_dir(end), *args)

    def add_port_at(self, end, device):
        self.ctl(end, "add-port", self.bridge(), device)

    def encapsulated(self):
        shown = json.loads(run("ovs-appctl", "-t",
                               self.end_dir(0) + "/vswd.ctl", "vtep/show",
                               "--format=json"))
        return shown[0]["remotes"][0]["tx_packets"]


class VswUplink(VswVxlan):
    name = "vswup"

    def prepare_underlay(self, end):
        outer = self.bridge() + "-ul"
        return ("--", "add-br", outer, "--", "add-port", outer, self.uplink())

    def options(self, end):
        return ("options:underlay=%s-ul" % self.bridge(),
                "options:local_ip=%s/24" % self.underlay(end))


class KernelVxlan(Vxlan):
    name = "kernel"

    def start_end(self, end, space):
        ip = self.lab.ip
        self.give_address(end, self.uplink())
        ip(space, "link", "add", self.port(), "type", "vxlan", "id", VNI,
           "dstport", "4790", "local", self.underlay(end), "remote",
           self.underlay(1 - end))
        ip(space, "link", "add", self.bridge(), "type", "bridge")
        ip(space, "link", "set", self.port(), "master", self.bridge(), "up")
        ip(space, "link", "set", self.bridge(), "up")

    def add_port_at(self, end, device):
        self.lab.ip(SPACES[end], "link", "set", device, "master",
                    self.bridge())


class OvsVxlan(Vxlan):
    """Its tunnels take no large frames and finish no checksums: the hosts
    segment and finish themselves."""
    name = "ovs"

    def start_end(self, end, space):
        directory = self.end_dir(end)
        env = dict(os.environ, OVS_RUNDIR=directory, OVS_DBDIR=directory,
                   OVS_LOGDIR=directory)
        sock = self.sock(end)
        run("ovsdb-tool", "create", directory + "/conf.db",
            "/usr/share/openvswitch/vswitch.ovsschema")
        self.daemon_in(end, "ovsdb-server", directory + "/conf.db",
                       "--remote=p" + sock, env=env)
        wait_until("ovsdb-server to listen",
                   lambda: os.path.exists(directory + "/db.sock"))
        run("ovs-vsctl", "--db=" + sock, "--no-wait", "init")
        self.daemon_in(end, "ovs-vswitchd", sock, env=env)
        outer, inner = self.bridge() + "-ul", self.bridge()
        for bridge, port in ((outer, self.uplink()), (inner, None)):
            self.ctl(end, "add-br", bridge, "--", "set", "Bridge", bridge,
                     "datapath_type=netdev",
                     *(("--", "add-port", bridge, port) if port else ()))
        self.ctl(end, "add-port", inner, self.port(), "--", "set", "Interface",
                 self.port(), "type=vxlan",
                 "options:key=" + VNI, "options:dst_port=4791",
                 "options:remote_ip=" + self.underlay(1 - end))
        self.give_address(end, outer)
        self.lab.ip(space, "link", "set", outer, "up")

    def sock(self, end):
        return "unix:%s/db.sock" % self.end_dir(end)

    def ctl(self, end, *args):
        return run("ovs-vsctl", "--db=" + self.sock(end), "--timeout=60",
                   *args)

    def add_port_at(self, end, device):
        self.ctl(end, "add-port", self.bridge(), device)
        run(*self.lab.inside("h%d" % end, "ethtool", "-K", self.device(end),
                             "tx", "off", "tso", "off", "gso", "off"))


def a_core(end):
    """Millions of 64-byte frames in a second of an end's CPU time."""
    def measure_end(lab, switch):
        if not switch.processes[end]:
            return float("nan")
        blast = subprocess.Popen(
            lab.inside("h0", BUILD + "/bench/bench_blast", "-t", "2",
                       switch.device(0), lab.mac(1, switch)),
            stdout=subprocess.DEVNULL)
        time.sleep(0.5)  # past the start

        def counted():
            return lab.rx_packets(1, switch) if end else switch.encapsulated()
        n0, t0 = counted(), switch.cpu_s(end)
        time.sleep(1)
        n1, t1 = counted(), switch.cpu_s(end)
        blast.wait()
        return (n1 - n0) / (t1 - t0) / 1e6
    return measure_end


def least_round_trip_us(lab, switch):
    """Of many: the others waited for a core, too."""
    out = run(*lab.inside("h0", "ping", "-q", "-c", "300", "-i", "0.002",
                          switch.address(1)))
    return float(out.rsplit("=", 1)[1].split("/")[0]) * 1000


KINDS = (VswVxlan, VswUplink, KernelVxlan, OvsVxlan)
MEASURES = [
    ("tcp_gbps", "TCP, one flow, Gbit/s", lambda l, s: tcp_gbps(l, s, 2)),
    ("small_mpps", "64-byte frames, M/s", lambda l, s: small_mpps(l, s, 1)),
    ("encap_mpps", "in, of a core, M/s", a_core(0)),
    ("decap_mpps", "out, of a core, M/s", a_core(1)),
    ("ping_us", "least round trip, us", least_round_trip_us),
]


def measure(rounds):
    """{measure: {switch: {"median": ...}}}"""
    with Lab(KINDS, hosts=3) as lab:
        for switch in lab.switches:
            wait_until(switch.name + " to forward", lambda: "bytes from" in
                       run(*lab.inside("h0", "ping", "-c", "1", "-W", "1",
                                       switch.address(1)), check=False))
            ping(lab, switch)
        result = {}
        for key, _, function in MEASURES:
            values = {s.name: [] for s in lab.switches}
            for _ in range(rounds):
                for switch in lab.switches:
                    values[switch.name].append(function(lab, switch))
            result[key] = {name: {"median": statistics.median(v),
                                  "min": min(v), "max": max(v)}
                           for name, v in values.items()}
        return result


def report(result):
    print("\n%-24s %8s %8s %8s %8s %11s %8s %11s %8s"
          % ("VXLAN", "sockets", "uplink", "kernel", "ovs",
             "sock/kernel", "sock/ovs", "upl/kernel", "upl/ovs"))
    for key, title, _ in MEASURES:
        m = {k: v["median"] for k, v in result[key].items()}
        figures = [m["vsw"], m["vswup"], m["kernel"], m["ovs"],
                   m["vsw"] / m["kernel"], m["vsw"] / m["ovs"],
                   m["vswup"] / m["kernel"], m["vswup"] / m["ovs"]]
        print("%-24s %8s %8s %8s %8s %11s %8s %11s %8s"
              % (title, *("-" if math.isnan(f) else "%.2f" % f
                          for f in figures)))
