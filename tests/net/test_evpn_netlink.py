"""An overlay's mirror (datapath/tunnel/evpn_mirror.h) and the real kernel.

programs/evpn.c drives it; ip and bridge do what FRR would.
"""
import contextlib
import os
import subprocess
import threading

from lib import switch
from lib.netns import Namespace, wait_until
from lib.testing import contains, equal, test

PROGRAM = os.path.join(switch.ROOT, "build", "net-tools", "evpn")
MAC = "02:00:00:00:00:01"
PLAIN = MAC.replace(":", "")


class Mirror:
    """The program in a namespace of its own, and its lines."""

    def __init__(self, lab):
        self.ns = Namespace(lab.prefix + "evpn")
        self.lines = []
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", self.ns.name, PROGRAM],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.strip())

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def wait(self, line, count=1):
        wait_until(lambda: self.lines.count(line) >= count, f"'{line}'")

    def bridge(self, *args):
        return self.ns.run("bridge", "fdb", *args)

    def table(self):
        """The bridge's and the device's entries of the MAC."""
        return [line for line in self.out("bridge", "fdb", "show", "br",
                                          "evpnbr").splitlines()
                if line.startswith(MAC)]

    def neighbors(self):
        return self.out("ip", "neigh", "show", "dev", "evpnbr")

    def out(self, *argv):
        return subprocess.run(
            ["ip", "netns", "exec", self.ns.name, *argv], check=True,
            capture_output=True, text=True, timeout=60).stdout

    def is_at(self, device):
        return any(f"dev {device} " in line and "master" in line
                   for line in self.table())

    def install(self, vtep):
        """As FRR does: in the bridge first, then in the device."""
        self.bridge("replace", MAC, "dev", "evpnvx", "master", "dynamic",
                    "extern_learn")
        self.bridge("replace", MAC, "dev", "evpnvx", "dst", vtep, "self",
                    "extern_learn")

    def stop(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.thread.join()
        self.process.stdout.close()


@contextlib.contextmanager
def mirror(lab):
    m = Mirror(lab)
    try:
        m.wait("ready")
        yield m
    finally:
        m.stop()
    equal(m.lines[-1], "refused 0 bad 0", "what the kernel took and told")


@test("the devices are as zebra wants them", only="vsw")
def _(lab):
    with mirror(lab) as m:
        vxlan = m.out("ip", "-d", "link", "show", "evpnvx")
        for part in ("vxlan id 100 local 10.0.0.1", "dstport 4790",
                     "nolearning", "learning off", "neigh_suppress on",
                     "master evpnbr", "LOWER_UP"):
            contains(vxlan, part, "the vxlan device")
        contains(m.out("ip", "-d", "link", "show", "evpnmember"),
                 "learning off", "the member")


@test("local, then FRR's, then local again, and a resync", only="vsw")
def _(lab):
    with mirror(lab) as m:
        m.tell(f"local {PLAIN}")
        m.tell(f"ip {PLAIN} 192.0.2.1")
        wait_until(lambda: m.is_at("evpnmember"), "announced")
        wait_until(lambda: "192.0.2.1" in m.neighbors(), "the pair, too")
        m.install("10.0.0.2")
        m.wait(f"displaced {PLAIN} -")
        m.wait(f"remote {PLAIN} 10.0.0.2")
        wait_until(lambda: "192.0.2.1" not in m.neighbors(), "the pair goes")
        m.install("10.0.0.3")
        m.wait(f"remote {PLAIN} 10.0.0.3")
        m.tell(f"local {PLAIN}")
        m.wait(f"remote-gone {PLAIN} -")
        wait_until(lambda: m.is_at("evpnmember"), "announced again")
        # What is marked as FRR's own zebra would pass over at its next start.
        wait_until(lambda: any("evpnmember" in line and " static" in line and
                               "extern_learn" not in line
                               for line in m.table()), m.table)
        wait_until(lambda: "192.0.2.1" in m.neighbors(), "and the pair")
        m.tell("overrun")
        m.tell(f"gone {PLAIN}")
        wait_until(lambda: not m.is_at("evpnmember"), "withdrawn")
        wait_until(lambda: "192.0.2.1" not in m.neighbors(), "and the pair")


@test("remote MACs, flood lists and pairs come and go", only="vsw")
def _(lab):
    with mirror(lab) as m:
        m.install("10.0.0.2")
        m.wait(f"remote {PLAIN} 10.0.0.2")
        for vtep in ("10.0.0.2", "10.0.0.3"):
            m.bridge("append", "00:00:00:00:00:00", "dev", "evpnvx", "dst",
                     vtep)
            m.wait(f"flood 000000000000 {vtep}")
        m.ns.ip("neigh", "replace", "192.0.2.9", "lladdr", MAC, "dev",
                "evpnbr", "nud", "noarp", "extern_learn")
        m.wait(f"pair {PLAIN} 192.0.2.9")
        m.tell("overrun")
        m.bridge("del", "00:00:00:00:00:00", "dev", "evpnvx", "dst",
                 "10.0.0.3")
        m.wait("flood-gone 000000000000 10.0.0.3")
        m.ns.ip("neigh", "del", "192.0.2.9", "dev", "evpnbr")
        m.wait(f"pair-gone {PLAIN} 192.0.2.9")
        m.bridge("del", MAC, "dev", "evpnvx", "master")
        m.bridge("del", MAC, "dev", "evpnvx", "dst", "10.0.0.2", "self")
        m.wait(f"remote-gone {PLAIN} -")
        equal(m.lines.count("flood-gone 000000000000 10.0.0.2"), 0,
              "the other VTEP stays")
