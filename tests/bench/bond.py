"""Two members of a bond beside one, at a limited rate each: how much of it many
TCP connections get through two switches that LACP joins."""

import json
import os
import statistics
import subprocess

from lab import Lab, Vsw, run, wait_until

MEMBERS = ("m0", "m1")
RATE_MBIT = 100  # of each member
FLOWS = 16


class One(Vsw):
    """A switch for one host, with the near or the far ends of the members."""
    name = "one"
    bridge = "br-one"

    def start(self):
        super().start()
        devices = [member + self.name for member in MEMBERS]
        for device in devices:
            if self.index == 0:
                run("ip", "link", "add", device, "netns", self.lab.ns("sw"),
                    "type", "veth", "peer", "name", device[:2] + "two",
                    "netns", self.lab.ns("sw"))
        for device in devices:
            run(*self.lab.inside("sw", "tc", "qdisc", "add", "dev", device,
                                 "root", "tbf", "rate", f"{RATE_MBIT}mbit",
                                 "burst", "128kb", "latency", "20ms"))
            self.lab.ip("sw", "link", "set", device, "up")
        self.ctl("add-bond", self.bridge, "bond0", *devices,
                 "bond_mode=balance-tcp", "lacp=active",
                 "other_config:lacp-time=fast")

    def connect(self, host):
        if host == self.index:
            super().connect(host)

    def address(self, host):
        return f"10.90.0.{host + 1}"

    def enabled(self):
        out = run("ovs-appctl", "-t", os.path.join(self.dir, "vswd.ctl"),
                  "bond/show", "bond0")
        return sum(line.startswith("member ") and line.endswith(": enabled")
                   for line in out.splitlines())


class Two(One):
    name = "two"
    bridge = "br-two"


def mbps(lab, seconds):
    """What arrives; 16 connections at once."""
    target = lab.switches[1].address(1)
    server = subprocess.Popen(
        lab.inside("h1", "iperf3", "-s", "-1", "-B", target),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until("iperf3 to listen", lambda: ":5201" in run(
            *lab.inside("h1", "ss", "-Hltn", "src", target)))
        result = json.loads(run(*lab.inside(
            "h0", "iperf3", "-J", "-t", str(seconds), "-O", "1", "-P",
            str(FLOWS), "-c", target)))
        if "error" in result:
            raise RuntimeError("iperf3: " + result["error"])
        return result["end"]["sum_received"]["bits_per_second"] / 1e6
    finally:
        server.terminate()
        server.wait()


def measure(rounds=3, seconds=3):
    rows = {1: [], 2: []}
    with Lab(switches=(One, Two)) as lab:
        for _ in range(rounds):
            for members in rows:
                lab.ip("sw", "link", "set", "m1one", "up" if members == 2
                       else "down")
                for switch in lab.switches:
                    wait_until(f"{members} members to be enabled",
                               lambda: switch.enabled() == members)
                rows[members].append(mbps(lab, seconds))
    one, two = (statistics.median(rows[members]) for members in rows)
    return {"member_mbit": RATE_MBIT, "flows": FLOWS, "one_mbps": one,
            "two_mbps": two, "ratio": two / one}


def report(result):
    print("\nbond of members limited to %(member_mbit)d Mbit/s each, "
          "%(flows)d connections" % result)
    print("%-24s %9.1f Mbit/s" % ("one member", result["one_mbps"]))
    print("%-24s %9.1f Mbit/s" % ("two members", result["two_mbps"]))
    print("%-24s %9.2f" % ("ratio", result["ratio"]))
