"""Address translation between two namespaces: the packet-level NAT of a segment
beside the kernel's (nftables masquerade), on the same kind of veth pairs; and a
segment by the host's sockets beside QEMU's user network and passt, between a
client's namespace and a server that the host reaches. In turn, several rounds;
medians and ratios."""

import json
import os
import statistics
import subprocess
import time

from lab import BUILD, Lab, Switch, Vsw, run, wait_until

FAR = "203.0.113.9"  # routed to the server, which has it not: nothing answers
FLOWS = (1, 10000, 1000000)


class Nat(Switch):
    """A client's network 10.90+N.0.0/16 and a server's 10.190+N.0.0/24."""

    def gateway(self):
        return "10.%d.0.1" % (90 + self.index)

    def client(self):
        return "10.%d.0.2" % (90 + self.index)

    def server(self):
        return "10.%d.0.2" % (190 + self.index)

    def outside(self):
        return "10.%d.0.1" % (190 + self.index)

    def connect(self, host):
        inner, lab = "%s%d" % (self.name, host), self.lab
        device, ns = self.device(host), "h%d" % host
        run("ip", "link", "add", inner, "netns", lab.ns("sw"), "type", "veth",
            "peer", "name", device, "netns", lab.ns(ns))
        lab.ip("sw", "link", "set", inner, "up")
        lab.ip(ns, "link", "set", device, "up")
        if host == 0:
            lab.ip(ns, "addr", "add", self.client() + "/16", "dev", device)
            lab.ip(ns, "route", "add", "10.%d.0.0/24" % (190 + self.index),
                   "via", self.gateway())
        else:
            lab.ip(ns, "addr", "add", self.server() + "/24", "dev", device)
        self.add_nat_port(host, inner)

    def client_mac(self):
        """Of the gateway, as the client knows it."""
        run(*self.lab.inside("h0", "ping", "-c", "3", "-i", "0.1", "-W", "2",
                             self.server()))
        neighbors = json.loads(self.lab.ip("h0", "-j", "neigh", "show",
                                           self.gateway()))
        return neighbors[0]["lladdr"]


class VswNat(Nat, Vsw):
    name = "vsw"

    def start(self):
        Vsw.start(self)
        self.ctl("add-br", "up")

    def add_nat_port(self, host, inner):
        if host == 1:
            self.ctl("add-port", "up", inner)
            self.ctl("add-segment", "lab", "nat",
                     "10.%d.0.0/16" % (90 + self.index), "outside=up",
                     "outside-address=" + self.outside() + "/24",
                     "outside-gateway=" + self.server(),
                     "nat-sessions=2097152", "dns=false", "dhcp=false")
            self.ctl("add-port", "lab", "vsw0")
            wait_until("the segment to route", lambda: subprocess.call(
                self.lab.inside("h0", "ping", "-c1", "-W1", self.server()),
                stdout=subprocess.DEVNULL) == 0)

    def sessions(self):
        out = run("ovs-appctl", "-t", os.path.join(self.dir, "vswd.ctl"),
                  "nat/stats", "lab")
        return out


class Nftables(Nat):
    name = "nft"

    def start(self):
        lab = self.lab
        run(*lab.inside("sw", "sysctl", "-qw", "net.ipv4.ip_forward=1"))
        rules = ("table ip vsw { chain post { type nat hook postrouting "
                 "priority srcnat; oifname nft1 masquerade; }; }")
        run(*lab.inside("sw", "nft", rules))
        # as many as are measured; both are the whole machine's
        for path, value in (("/proc/sys/net/netfilter/nf_conntrack_max",
                             "4194304"),
                            ("/sys/module/nf_conntrack/parameters/hashsize",
                             "1048576")):
            if os.access(path, os.W_OK):
                with open(path, "w") as file:
                    file.write(value)

    def add_nat_port(self, host, inner):
        address = self.gateway() + "/16" if host == 0 else \
            self.outside() + "/24"
        self.lab.ip("sw", "addr", "add", address, "dev", inner)
        if host == 1:
            # one way out at a time: see far()
            self.lab.ip("sw", "route", "add", FAR, "via", self.server())


def tcp_gbps(lab, switch, seconds):
    server = subprocess.Popen(
        lab.inside("h1", "iperf3", "-s", "-1", "-B", switch.server()),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until("iperf3 to listen", lambda: ":5201" in run(
            *lab.inside("h1", "ss", "-Hltn", "src", switch.server())))
        result = json.loads(run(*lab.inside(
            "h0", "iperf3", "-J", "-t", str(seconds), "-c", switch.server())))
        if "error" in result:
            raise RuntimeError("%s: iperf3: %s" % (switch.name,
                                                   result["error"]))
        return result["end"]["sum_received"]["bits_per_second"] / 1e9
    finally:
        server.terminate()
        server.wait()


def flows(lab, switch, mac, n, *how):
    """Frames of n flows a second that arrive, in millions."""
    source = "10.%d.1.0" % (90 + switch.index)
    blast = subprocess.Popen(
        lab.inside("h0", BUILD + "/bench/bench_flows", "-n", str(n), *how,
                   switch.device(0), mac, source, FAR),
        stdout=subprocess.DEVNULL)
    return blast


def steady_mpps(lab, switch, mac, n, seconds=2):
    """When all flows are established."""
    blast = flows(lab, switch, mac, n, "-t", str(seconds + 2 + n / 500000))
    time.sleep(1 + n / 500000)
    t0, n0 = time.monotonic(), lab.rx_packets(1, switch)
    time.sleep(seconds)
    t1, n1 = time.monotonic(), lab.rx_packets(1, switch)
    blast.wait()
    return (n1 - n0) / (t1 - t0) / 1e6


def new_mpps(lab, switch, mac, n=1000000):
    """Each frame begins a session; what got through, by the time it took."""
    n0, t0 = lab.rx_packets(1, switch), time.monotonic()
    flows(lab, switch, mac, n, "-p", "1").wait()
    t1, n1 = time.monotonic(), lab.rx_packets(1, switch)
    return (n1 - n0) / (t1 - t0) / 1e6


def flush(lab, switch):
    if isinstance(switch, VswNat):
        run("ovs-appctl", "-t", os.path.join(switch.dir, "vswd.ctl"),
            "nat/flush", "lab")
    else:
        run(*lab.inside("sw", "conntrack", "-F"), check=False)


def packet_level(rounds):
    result = {}
    with Lab(switches=(VswNat, Nftables)) as lab:
        macs = {s.name: s.client_mac() for s in lab.switches}
        measures = {"tcp_gbps": lambda s: tcp_gbps(lab, s, 2)}
        for n in FLOWS:
            measures["flows_%d_mpps" % n] = \
                lambda s, n=n: steady_mpps(lab, s, macs[s.name], n)
        measures["new_mpps"] = lambda s: new_mpps(lab, s, macs[s.name])
        for key, function in measures.items():
            values = {s.name: [] for s in lab.switches}
            for _ in range(rounds):
                for switch in lab.switches:
                    if key == "new_mpps":
                        flush(lab, switch)
                    values[switch.name].append(function(switch))
            result[key] = {name: {"median": statistics.median(v),
                                  "min": min(v), "max": max(v)}
                           for name, v in values.items()}
    return result


# --- through the host's sockets ---------------------------------------------

SERVER = "198.51.100.2"  # behind 192.0.2.2


class HostPath:
    """A client's namespace, and how it reaches SERVER."""
    name = None

    def __init__(self, lab, host):
        self.lab = lab
        self.ns = "h%d" % host
        self.dir = os.path.join(lab.dir, self.name)
        os.makedirs(self.dir, exist_ok=True)

    def daemon(self, *args):
        process = subprocess.Popen(
            self.lab.inside("sw", *args), stdin=subprocess.DEVNULL,
            stdout=open(os.path.join(self.dir, "out.log"), "a"),
            stderr=subprocess.STDOUT)
        self.lab.daemons.append(process)

    def configure(self, device, address, gateway):
        ip = self.lab.ip
        ip(self.ns, "link", "set", device, "up")
        ip(self.ns, "addr", "add", address, "dev", device)
        ip(self.ns, "route", "add", "default", "via", gateway)


class VswHost(HostPath):
    name = "vsw-host"

    def start(self):
        self.daemon(BUILD + "/vswd", "--run-dir", self.dir)
        wait_until("vswd to listen", lambda: all(
            os.path.exists(self.dir + sock)
            for sock in ("/db.sock", "/vswd.ctl")))
        ctl = (BUILD + "/vsw-ctl", "--run-dir", self.dir)
        run("ip", "link", "add", "vswhost", "netns", self.lab.ns("sw"), "type",
            "veth", "peer", "name", "eth0", "netns", self.lab.ns(self.ns))
        self.lab.ip("sw", "link", "set", "vswhost", "up")
        run(*self.lab.inside("sw", *ctl, "add-segment", "lab", "nat",
                             "10.20.0.0/24"))
        run(*self.lab.inside("sw", *ctl, "add-port", "lab", "vswhost"))
        self.configure("eth0", "10.20.0.15/24", "10.20.0.1")


class Qemu(HostPath):
    """QEMU's user network, joined to a tap without any guest."""
    name = "qemu"

    def start(self):
        self.daemon("qemu-system-x86_64", "-M", "none", "-display", "none",
                    "-nodefaults", "-netdev", "user,id=u", "-netdev",
                    "hubport,id=h0,hubid=0,netdev=u", "-netdev",
                    "tap,id=t,ifname=qemutap,script=no,downscript=no",
                    "-netdev", "hubport,id=h1,hubid=0,netdev=t")
        wait_until("QEMU's tap", lambda: "qemutap" in run(
            "ip", "-n", self.lab.ns("sw"), "link"))
        self.lab.ip("sw", "link", "set", "qemutap", "netns",
                    self.lab.ns(self.ns))
        self.configure("qemutap", "10.0.2.15/24", "10.0.2.2")


class Passt(HostPath):
    """passt as pasta, which makes the namespace's device itself."""
    name = "passt"

    def start(self):
        self.daemon("pasta", "--foreground", "--config-net", "-4",
                    "--runas", "0", "--netns-only", "--netns",
                    "/run/netns/" + self.lab.ns(self.ns))
        wait_until("pasta's device", lambda: "default" in self.lab.ip(
            self.ns, "route"))


def host_gbps(lab, path, seconds, *way):
    server = subprocess.Popen(
        lab.inside("h1", "iperf3", "-s", "-1", "-B", SERVER),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until("iperf3 to listen", lambda: ":5201" in run(
            *lab.inside("h1", "ss", "-Hltn", "src", SERVER)))
        result = json.loads(run(*lab.inside(
            path.ns, "iperf3", "-J", "-t", str(seconds), "-c", SERVER, *way)))
        if "error" in result:
            raise RuntimeError("%s: iperf3: %s" % (path.name, result["error"]))
        return result["end"]["sum_received"]["bits_per_second"] / 1e9
    finally:
        server.terminate()
        server.wait()


def host_sockets(rounds):
    result = {}
    with Lab(switches=(), hosts=5) as lab:
        run("ip", "link", "add", "up0", "netns", lab.ns("sw"), "type", "veth",
            "peer", "name", "eth0", "netns", lab.ns("h1"))
        lab.ip("sw", "addr", "add", "192.0.2.1/24", "dev", "up0")
        lab.ip("h1", "addr", "add", "192.0.2.2/24", "dev", "eth0")
        lab.ip("h1", "addr", "add", SERVER + "/32", "dev", "lo")
        lab.ip("sw", "link", "set", "up0", "up")
        lab.ip("h1", "link", "set", "eth0", "up")
        lab.ip("sw", "route", "add", "default", "via", "192.0.2.2")
        paths = [VswHost(lab, 0), Qemu(lab, 2), Passt(lab, 3)]
        for path in paths:
            path.start()
        for key, way in (("up_gbps", ()), ("down_gbps", ("-R",))):
            values = {path.name: [] for path in paths}
            for _ in range(rounds):
                for path in paths:
                    values[path.name].append(host_gbps(lab, path, 2, *way))
            result[key] = {name: {"median": statistics.median(v),
                                  "min": min(v), "max": max(v)}
                           for name, v in values.items()}
    return result


def measure(rounds=3):
    return {"packet": packet_level(rounds), "host": host_sockets(rounds)}


def table(title, rows, peers):
    names = ["vsw" if name.startswith("vsw") else name
             for name in next(iter(rows.values()))]
    print(("\n%-28s" + " %9s" * len(names) + " %12s" * len(peers))
          % (title, *names, *("vsw/" + peer for peer in peers)))
    for key, row in rows.items():
        medians = [value["median"] for value in row.values()]
        print(("%-28s" + " %9.2f" * len(medians) + " %12.2f" * len(peers))
              % (key, *medians, *(medians[0] / row[peer]["median"]
                                  for peer in peers)))


def report(result):
    table("NAT, packet level", result["packet"], ["nft"])
    table("NAT, the host's sockets", result["host"], ["qemu", "passt"])
