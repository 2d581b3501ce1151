"""The vhost-user benchmark's laboratory: switches with one forwarding thread
on core 1, and for each a generator on core 0 (vhost_gen.c) that plays the
guests on both sides. All stand side by side; those that are not being measured
are stopped, as each polls its core."""

import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

from lab import BUILD, run, wait_until

WORKER_CORE, GENERATOR_CORE = 1, 0
WAIT_SHARE = 0.03
QUEUE_SIZE = 1024
# The rings' layouts, as devices of DPDK's virtio-user are told.
RINGS = {
    "split": "",
    "packed": ",packed_vq=1,in_order=1,mrg_rxbuf=0,vectorized=1",
    "tso": "",
}
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def ahead_of_others(pid):
    """Before other sessions' processes, whose nice says nothing to this."""
    try:
        os.setpriority(os.PRIO_PROCESS, pid, -20)
        with open("/proc/%d/autogroup" % pid, "w") as file:
            file.write("-20")
    except OSError:
        pass  # no autogroups, or no right: the windows tell


def thread_called(pid, pattern):
    for tid in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/comm" % (pid, tid)) as file:
            if re.match(pattern, file.read()):
                return int(tid)
    return None


# A virtual machine's cores may be near each other or far, and are moved while
# it runs; that changes everything here by a factor of two or three. Between
# cores that share a cache a line takes about 40 ns, and 180 and more otherwise.
NEAR_NS = 80


def distance():
    """"near" or "far", of the two cores now."""
    out = run("nice", "-n", "-20", BUILD + "/bench/bench_copy", "line")
    return "near" if json.loads(out)["line_transfer_ns"] < NEAR_NS else "far"


class Switch:
    """A switch under measurement with ports in pairs: 0 and 1, 2 and 3..."""
    name = None
    thread = None  # what the forwarding thread is called
    client = False  # whether it is the generator that listens

    def __init__(self, lab, ports, ring):
        self.lab = lab
        self.ports = ports
        self.ring = ring
        self.dir = os.path.join(lab.dir, self.name)
        os.makedirs(self.dir)
        # A device of the host bears this name, too.
        self.bridge = lab.prefix + self.name[0]

    def socket(self, port):
        return os.path.join(self.dir, "p%d" % port)

    def daemon(self, *args, core=GENERATOR_CORE, **kwargs):
        p = subprocess.Popen(
            ("taskset", "-c", str(core)) + args, preexec_fn=die_with_parent,
            start_new_session=True, stderr=subprocess.STDOUT,
            stdout=open(os.path.join(self.dir, "out.log"), "a"), **kwargs)
        ahead_of_others(p.pid)
        self.lab.daemons.append(p)
        return p

    def log(self):
        with open(os.path.join(self.dir, "out.log"), errors="replace") as file:
            return file.read()

    def wait_for_sockets(self):
        wait_until(self.name + " to listen on all ports", lambda: all(
            os.path.exists(self.socket(p)) for p in range(self.ports)), 60)

    def find_worker(self):
        wait_until(self.name + "'s forwarding thread", lambda: thread_called(
            self.process.pid, self.thread))
        self.tid = thread_called(self.process.pid, self.thread)

    def schedstat(self):
        return "/proc/%d/task/%d/schedstat" % (self.process.pid, self.tid)

    def pause(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self):
        os.kill(self.process.pid, signal.SIGCONT)
        time.sleep(0.02)


class Testpmd(Switch):
    """DPDK's loop that copies from port to port: no switch, but a mark."""
    name = "testpmd"
    thread = r"(lcore|rte)-worker"

    def start(self):
        tso = ",tso=1" if self.ring == "tso" else ""
        devices = []
        for p in range(self.ports):
            devices += ["--vdev", "net_vhost%d,iface=%s,queues=1%s"
                        % (p, self.socket(p), tso)]
        self.process = self.daemon(
            "stdbuf", "-oL", "dpdk-testpmd", "--lcores", "0@0,1@%d" % WORKER_CORE,
            "--main-lcore", "0", "--no-pci", "--iova-mode=va", "--huge-dir",
            self.lab.huge, "--file-prefix=" + self.lab.prefix + "dut", "-m",
            "512", *devices, "--", "-i", "--forward-mode=io", "--nb-cores=1",
            "--rxd=1024", "--txd=1024", "--total-num-mbufs=65536",
            "--record-core-cycles", stdin=subprocess.PIPE, text=True)
        self.wait_for_sockets()
        self.say("start")
        self.find_worker()

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def cycles_begin(self):
        self.say("clear fwd stats all")
        time.sleep(0.02)
        self.seen = len(self.log())

    def cycles_end(self):
        pattern = r"CPU cycles/packet=([0-9.]+)"
        self.say("show fwd stats all")
        wait_until("testpmd's figures", lambda: re.search(
            pattern, self.log()[self.seen:]) or "+++\n" in
            self.log()[self.seen:])
        found = re.search(pattern, self.log()[self.seen:])
        return float(found.group(1)) if found else None


class Ovs(Switch):
    """Open vSwitch on DPDK with its NORMAL action, Debian's package."""
    name = "ovs"
    thread = r"pmd-c"

    def start(self):
        self.env = dict(os.environ, OVS_RUNDIR=self.dir, OVS_DBDIR=self.dir,
                        OVS_LOGDIR=self.dir)
        self.sock = "unix:%s/db.sock" % self.dir
        run("ovsdb-tool", "create", self.dir + "/conf.db",
            "/usr/share/openvswitch/vswitch.ovsschema")
        self.daemon("ovsdb-server", self.dir + "/conf.db",
                    "--remote=p" + self.sock, env=self.env)
        wait_until("ovsdb-server to listen",
                   lambda: os.path.exists(self.dir + "/db.sock"))
        self.configure()
        self.process = self.daemon(
            "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk", self.sock,
            "--unixctl=" + self.dir + "/ctl", env=self.env)
        self.ctl("add-br", self.bridge, "--", "set", "bridge", self.bridge,
                 "datapath_type=netdev", "other_config:mac-aging-time=3600",
                 "other_config:mac-table-size=1048575")
        for p in range(self.ports):
            self.ctl("add-port", self.bridge, "p%d" % p, "--", "set", "interface",
                     "p%d" % p, *self.interface(p))
        if not self.client:
            self.wait_for_sockets()
        self.find_worker()

    def interface(self, port):
        # It lets TSO through such ports alone.
        self.client = self.ring == "tso"
        if self.client:
            return ["type=dpdkvhostuserclient",
                    "options:vhost-server-path=" + self.socket(port)]
        return ["type=dpdkvhostuser"]

    def configure(self):
        # Flows that went unused while another was measured have to stay.
        run("ovs-vsctl", "--db=" + self.sock, "--no-wait", "init", "--", "set",
            "open_vswitch", ".", "other_config:dpdk-init=true",
            "other_config:dpdk-lcore-mask=0x%x" % (1 << GENERATOR_CORE),
            "other_config:pmd-cpu-mask=0x%x" % (1 << WORKER_CORE),
            "other_config:dpdk-socket-mem=1024",
            "other_config:max-idle=3600000",
            "other_config:flow-limit=1200000",
            "other_config:userspace-tso-enable=%s"
            % ("true" if self.ring == "tso" else "false"),
            'other_config:dpdk-extra="--no-pci --huge-dir=%s --file-prefix=%s '
            '--iova-mode=va"' % (self.lab.huge, self.lab.prefix + "ovs"))

    def ctl(self, *args):
        return run("ovs-vsctl", "--db=" + self.sock, "--timeout=60", *args)

    def app(self, *args):
        return run("ovs-appctl", "-t", self.dir + "/ctl", *args, env=self.env)

    def cycles_begin(self):
        self.app("dpif-netdev/pmd-stats-clear")

    def cycles_end(self):
        found = re.search(r"avg processing cycles per packet: ([0-9.]+)",
                          self.app("dpif-netdev/pmd-stats-show"))
        return float(found.group(1)) if found else None


class Vsw(Switch):
    name = "vsw"
    thread = r"vswd-worker"
    bridge = "vb%d" % os.getpid()  # its own port is a device of the host

    def start(self):
        self.process = self.daemon(BUILD + "/vswd", "--run-dir", self.dir)
        wait_until("vswd to listen", lambda: all(
            os.path.exists(self.dir + sock)
            for sock in ("/db.sock", "/vswd.ctl")))
        self.ctl("set", "open_vswitch", ".", "other_config:n-workers=1",
                 "other_config:worker-affinity=0:%d" % WORKER_CORE)
        self.ctl("add-br", self.bridge, "--", "set", "bridge", self.bridge,
                 "other_config:mac-aging-time=3600",
                 # Twice a million: senders are learned, too.
                 "other_config:mac-table-size=2097152")
        for p in range(self.ports):
            self.ctl("add-port", self.bridge, "p%d" % p, "--", "set", "interface",
                     "p%d" % p, "type=vhostuser",
                     "options:vhost-server-path=" + self.socket(p))
        self.wait_for_sockets()
        self.find_worker()

    def ctl(self, *args):
        return run(BUILD + "/vsw-ctl", "--run-dir", self.dir, *args)

    def figures(self):
        workers = json.loads(self.ctl("--format=json", "worker/show"))
        return workers[0]

    def cycles_begin(self):
        self.before = self.figures()

    def cycles_end(self):
        now = self.figures()
        packets = now["packets"] - self.before["packets"]
        if not packets:
            return None
        if "busy_cycles" in now:
            return (now["busy_cycles"] - self.before["busy_cycles"]) / packets
        busy_s = (now["busy_ns"] - self.before["busy_ns"]) / 1e9
        return busy_s * self.lab.tsc_hz / packets


class Generator:
    """vhost_gen on a switch's ports."""

    def __init__(self, lab, switch, ports, ring, queue_size=QUEUE_SIZE,
                 memory_mb=192):
        self.name = switch.name
        devices = []
        for i, p in enumerate(ports):
            devices += ["--vdev", "net_virtio_user%d,path=%s,queue_size=%d%s"
                        % (i, switch.socket(p), queue_size, RINGS[ring] +
                           (",server=1" if switch.client else ""))]
        if ring == "tso":
            memory_mb = 640
        self.errors = open(os.path.join(
            switch.dir, "generator%d.log" % len(lab.daemons)), "w+")
        self.process = subprocess.Popen(
            [BUILD + "/bench/vhost_gen", "--lcores", "0@%d" % GENERATOR_CORE,
             "--no-pci", "--iova-mode=va", "--single-file-segments",
             "--huge-dir", lab.huge, "--file-prefix=%sgen%d"
             % (lab.prefix, len(lab.daemons)), "-m", str(memory_mb), *devices,
             "--", "queue_size=%d" % queue_size,
             "tso=%d" % (ring == "tso"),
             "rx_buffer=%d" % (65280 if ring == "tso" else 2048)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            text=True, preexec_fn=die_with_parent, start_new_session=True)
        ahead_of_others(self.process.pid)
        lab.daemons.append(self.process)
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise RuntimeError("%s: the generator ended: %s" % (
                self.name, self.errors.read().strip()[-2000:]))
        return json.loads(line)

    def do(self, command, **words):
        self.process.stdin.write(" ".join(
            [command] + ["%s=%s" % (k.rstrip("_"), v)
                         for k, v in words.items()]) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Lab:
    """Started switches, each paused, and generators on their first ports."""

    def __init__(self, folder, kinds, ring, ports=2, active=2,
                 queue_size=QUEUE_SIZE):
        self.huge = folder + "/huge"
        self.prefix = "vswb%d" % os.getpid()
        self.daemons = []
        self.dir = tempfile.mkdtemp(dir=folder)
        self.tsc_hz = tsc_hz()
        self.switches = []
        self.generators = {}
        try:
            for kind in kinds:
                switch = kind(self, ports, ring)
                switch.start()
                self.switches.append(switch)
                self.generators[switch.name] = Generator(
                    self, switch, range(active), ring,
                    queue_size, 192 + 24 * (active - 2))
                switch.pause()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        for p in reversed(self.daemons):
            p.kill()  # a paused one does not hear anything else
            p.wait()
        for switch in self.switches:  # Open vSwitch, killed, leaves it
            run("ip", "link", "del", switch.bridge, check=False)
        if not os.environ.get("VSW_BENCH_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)


def tsc_hz():
    """As the kernel said when it started, or else measured."""
    with open("/proc/cpuinfo") as file:
        found = re.search(r"cpu MHz\s*: ([0-9.]+)", file.read())
    return float(found.group(1)) * 1e6
