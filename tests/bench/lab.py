"""The benchmarks' laboratory: two hosts and a switch's machine as network
namespaces, and in the latter the switches to compare, all at once, each on
veth pairs and a subnet of its own. What is made here has a name of this run
and is removed at its end."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.path.join(ROOT, os.environ.get("VSW_BUILD", "build"))


def run(*args, check=True, **kwargs):
    """Runs a command; its output, or an error that shows what it said."""
    p = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       text=True, **kwargs)
    if check and p.returncode:
        raise RuntimeError("%s: status %d: %s"
                           % (" ".join(args), p.returncode, p.stdout.strip()))
    return p.stdout


def wait_until(what, condition, timeout_s=20):
    """Polls a condition; an error names it when it does not come true."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("timed out: " + what)
        time.sleep(0.02)


class Switch:
    """One switch under measurement. Subclasses start it and add ports."""
    name = None

    def __init__(self, lab, index):
        self.lab = lab
        self.index = index
        self.dir = os.path.join(lab.dir, self.name)
        os.makedirs(self.dir)

    def address(self, host):
        return "10.%d.0.%d" % (90 + self.index, host + 1)

    def device(self, host):
        """The host's end of its cable to this switch."""
        return "%s-h" % self.name

    def connect(self, host):
        """Cables a host to the switch and adds the port."""
        inner = "%s%d" % (self.name, host)
        lab = self.lab
        run("ip", "link", "add", inner, "netns", lab.ns("sw"), "type", "veth",
            "peer", "name", self.device(host), "netns", lab.ns("h%d" % host))
        lab.ip("sw", "link", "set", inner, "up")
        lab.ip("h%d" % host, "addr", "add", self.address(host) + "/24", "dev",
               self.device(host))
        lab.ip("h%d" % host, "link", "set", self.device(host), "up")
        self.add_port(inner)

    def daemon(self, *args, **kwargs):
        self.lab.daemons.append(subprocess.Popen(
            self.lab.inside("sw", *args), stdin=subprocess.DEVNULL,
            stdout=open(os.path.join(self.dir, "out.log"), "a"),
            stderr=subprocess.STDOUT, **kwargs))
        return self.lab.daemons[-1]


class Vsw(Switch):
    name = "vsw"
    bridge = "br-vsw"

    def launch(self):
        self.process = self.daemon(BUILD + "/vswd", "--run-dir", self.dir)

    def start(self):
        self.launch()
        wait_until("vswd to listen", lambda: all(
            os.path.exists(self.dir + sock)
            for sock in ("/db.sock", "/vswd.ctl")))
        self.ctl("add-br", self.bridge)

    def ctl(self, *args):
        return run(BUILD + "/vsw-ctl", "--run-dir", self.dir, *args)

    def add_port(self, device):
        self.ctl("add-port", self.bridge, device)

    def remove_port(self, device):
        self.ctl("del-port", self.bridge, device)


class Bridge(Switch):
    """The kernel's own bridge."""
    name = "bridge"

    def start(self):
        self.lab.ip("sw", "link", "add", "br-kernel", "type", "bridge")
        self.lab.ip("sw", "link", "set", "br-kernel", "up")

    def add_port(self, device):
        self.lab.ip("sw", "link", "set", device, "master", "br-kernel")

    def remove_port(self, device):
        self.lab.ip("sw", "link", "set", device, "nomaster")


class Ovs(Switch):
    """Open vSwitch's userspace datapath, Debian's package."""
    name = "ovs"

    def start(self):
        env = dict(os.environ, OVS_RUNDIR=self.dir, OVS_DBDIR=self.dir,
                   OVS_LOGDIR=self.dir)
        self.sock = "unix:%s/db.sock" % self.dir
        run("ovsdb-tool", "create", self.dir + "/conf.db",
            "/usr/share/openvswitch/vswitch.ovsschema")
        self.daemon("ovsdb-server", self.dir + "/conf.db",
                    "--remote=p" + self.sock, env=env)
        wait_until("ovsdb-server to listen",
                   lambda: os.path.exists(self.dir + "/db.sock"))
        # Without it, large TCP frames lose their checksums on the way.
        run("ovs-vsctl", "--db=" + self.sock, "--no-wait", "init", "--", "set",
            "open_vswitch", ".", "other_config:userspace-tso-enable=true")
        self.process = self.daemon("ovs-vswitchd", self.sock, env=env)
        self.ctl("add-br", "br-ovs", "--", "set", "bridge", "br-ovs",
                 "datapath_type=netdev")

    def ctl(self, *args):
        return run("ovs-vsctl", "--db=" + self.sock, "--timeout=60", *args)

    def add_port(self, device):
        self.ctl("add-port", "br-ovs", device)

    def remove_port(self, device):
        self.ctl("del-port", "br-ovs", device)


class Lab:
    def __init__(self, switches=(Vsw, Bridge, Ovs), hosts=2):
        self.prefix = "vswb%d" % os.getpid()
        self.daemons = []
        self.dir = tempfile.mkdtemp(prefix="vsw-bench-")
        self.hosts = hosts
        for end in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(end, self._end)
        try:
            for ns in ["sw"] + ["h%d" % h for h in range(hosts)]:
                run("ip", "netns", "add", self.ns(ns))
                self.ip(ns, "link", "set", "lo", "up")
                run(*self.inside(ns, "sysctl", "-qw",
                                 "net.ipv6.conf.default.disable_ipv6=1"))
            self.switches = []
            for index, kind in enumerate(switches):
                switch = kind(self, index)
                switch.start()
                for host in range(hosts):
                    switch.connect(host)
                self.switches.append(switch)
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _end(signum, frame):
        raise SystemExit(128 + signum)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        for p in reversed(self.daemons):
            p.terminate()
        for p in self.daemons:
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        for ns in ["sw"] + ["h%d" % h for h in range(self.hosts)]:
            run("ip", "netns", "del", self.ns(ns), check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def ns(self, name):
        return self.prefix + name

    def inside(self, ns, *args):
        return ("ip", "netns", "exec", self.ns(ns)) + args

    def ip(self, ns, *args):
        return run("ip", "-n", self.ns(ns), *args)

    def mac(self, host, switch):
        link = json.loads(self.ip("h%d" % host, "-j", "link", "show",
                                  switch.device(host)))
        return link[0]["address"]

    def rx_packets(self, host, switch):
        link = json.loads(self.ip("h%d" % host, "-j", "-s", "link", "show",
                                  switch.device(host)))
        return link[0]["stats64"]["rx"]["packets"]
