"""A switch of 1,000 ports that knows 100,000 addresses beside a small one: two
hosts' traffic, to one address or to all of them, and a change of a port."""

import json
import statistics
import subprocess
import time

import side_by_side
from lab import BUILD, Bridge, Lab, Vsw, run, wait_until

PORTS = 1000
ADDRESSES = 100000
FIRST = "02:00:00:00:00:02"  # of the addresses behind the second host
CHANGES = 15


class Large:
    """More ports, on veth pairs that nobody uses."""

    def fill(self):
        lab = self.lab
        lines = []
        for i in range(PORTS - lab.hosts):
            lines += ["link add %s type veth peer name %s-h netns %s"
                      % (self.extra(i), self.extra(i), lab.ns("h0")),
                      "link set %s up" % self.extra(i)]
        batch(lab, "sw", lines)
        batch(lab, "h0", ["link set %s-h up" % self.extra(i)
                          for i in range(PORTS - lab.hosts)])
        self.add_ports([self.extra(i) for i in range(PORTS - lab.hosts)])

    def extra(self, i):
        return "%s-%d" % (self.name[0], i)


def batch(lab, ns, lines):
    subprocess.run(["ip", "-n", lab.ns(ns), "-batch", "-"], check=True,
                   input="\n".join(lines) + "\n", text=True)


class LargeVsw(Vsw, Large):
    name = "large"
    bridge = "br-large"

    def start(self):
        super().start()
        self.ctl("set", "bridge", self.bridge,
                 "other_config:mac-table-size=%d" % (2 * ADDRESSES))
        self.fill()

    def add_ports(self, names):
        for i in range(0, len(names), 100):
            args = []
            for name in names[i:i + 100]:
                args += ["--", "add-port", self.bridge, name]
            self.ctl(*args[1:])

    def known(self):
        return len(json.loads(self.ctl("--format=json", "fdb/show",
                                       self.bridge)))


class LargeBridge(Bridge, Large):
    name = "klarge"

    def start(self):
        self.lab.ip("sw", "link", "add", self.device_name, "type", "bridge")
        self.lab.ip("sw", "link", "set", self.device_name, "up")
        self.fill()

    device_name = "br-klarge"

    def add_port(self, device):
        self.lab.ip("sw", "link", "set", device, "master", self.device_name)

    def add_ports(self, names):
        batch(self.lab, "sw", ["link set %s master %s"
                               % (name, self.device_name) for name in names])

    def known(self):
        return run(*self.lab.inside("sw", "bridge", "fdb", "show", "br",
                                    self.device_name)).count("02:00:")


def learn(lab, switch):
    """All addresses are behind the second host."""
    def all_known():
        run(*lab.inside("h1", BUILD + "/bench/bench_blast", "-t", "2", "-s",
                        str(ADDRESSES), switch.device(1),
                        lab.mac(0, switch)))
        return switch.known() >= ADDRESSES
    wait_until("%s knows all addresses" % switch.name, all_known, 60)


def to_all_mpps(lab, switch, seconds=0.5):
    return side_by_side.small_mpps(lab, switch, seconds, FIRST,
                                   "-d", str(ADDRESSES - 1))


CASES = [
    ("vsw, 2 ports, 1 address", "vsw", side_by_side.small_mpps),
    ("vsw, large, 1 address", "large", side_by_side.small_mpps),
    ("vsw, large, all addresses", "large", to_all_mpps),
    ("bridge, 2 ports, 1 address", "bridge", side_by_side.small_mpps),
    ("bridge, large, 1 address", "klarge", side_by_side.small_mpps),
    ("bridge, large, all addresses", "klarge", to_all_mpps),
]


def change_ms(switch):
    """From the start to the end of the command that changes one port."""
    values = []
    for i in range(CHANGES):
        start = time.monotonic()
        switch.ctl("set", "port", switch.extra(0), "tag=%d" % (10 + i))
        values.append((time.monotonic() - start) * 1000)
    return statistics.median(values)


def measure(rounds):
    with Lab((Vsw, LargeVsw, Bridge, LargeBridge)) as lab:
        by_name = {switch.name: switch for switch in lab.switches}
        for switch in lab.switches:
            side_by_side.ping(lab, switch)
        for name in ("large", "klarge"):
            learn(lab, by_name[name])
        values = {title: [] for title, _, _ in CASES}
        for _ in range(rounds):
            for title, name, function in CASES:
                values[title].append(function(lab, by_name[name], 0.5))
        large = by_name["large"]
        changes = {"on": change_ms(large)}
        large.ctl("set", "open_vswitch", ".",
                  "other_config:kernel-fast-path=false")
        changes["off"] = change_ms(large)
    base = values[CASES[0][0]]
    return {"ports": PORTS, "addresses": ADDRESSES, "change_ms": changes,
            "mpps": {title: {
                "median": statistics.median(some),
                "ratio": statistics.median(a / b for a, b in zip(some, base))}
                for title, some in values.items()}}


def report(result):
    print("\n%-32s %9s %24s" % ("64-byte frames, large: %d ports, %d addresses"
                                % (result["ports"], result["addresses"]),
                                "M/s", "to the small vsw's"))
    for title, row in result["mpps"].items():
        print("%-48s %9.2f %15.2f" % (title, row["median"], row["ratio"]))
    print("a change of one of %d ports, ms: %.1f, without the fast path %.1f"
          % (result["ports"], result["change_ms"]["on"],
             result["change_ms"]["off"]))
