#!/usr/bin/python3
"""Guest to guest over vhost-user, one forwarding core: vsw, Open vSwitch on
DPDK with its NORMAL action, and DPDK's testpmd, which copies and switches
nothing. The three take turns, several rounds; figures are medians of windows
of 50 ms in which no thread waited for its core for more than 3 % of the time.
The cores of a virtual machine may be near each other or far, and change: runs
are told apart by that, and only those of the same kind are compared.

Called by run.py; by itself it can leave things out:

    tests/bench/vhost.py [--rounds N] [--switches A,B] [--rings A,B]
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time

from hugepages import Hugepages
from lab import BUILD
from vhost_lab import WAIT_SHARE, Generator, Lab, Ovs, Testpmd, Vsw, distance

PAGES = 2040  # of 2 MB, for all that stand side by side
KINDS = {"vsw": Vsw, "ovs": Ovs, "testpmd": Testpmd}

# With macs=N there are N sources and as many destinations; a million in all is
# what an FDB may hold.
# ring, key, title, command and words of the generator; testpmd has no FDB.
MEASURES = [
    ("split", "64b", "64 B", "throughput", dict(size=64)),
    ("split", "64b_10k", "64 B, 10,000 MACs", "throughput",
     dict(size=64, macs=10000)),
    ("split", "64b_1m", "64 B, 1,000,000 MACs", "throughput",
     dict(size=64, macs=500000)),
    ("split", "1500b", "1,500 B", "throughput", dict(size=1500)),
    ("split", "latency", "64 B, one at a time", "latency", dict(size=64, count=8000)),
    ("packed", "64b", "64 B", "throughput", dict(size=64)),
    ("packed", "64b_10k", "64 B, 10,000 MACs", "throughput",
     dict(size=64, macs=10000)),
    ("packed", "1500b", "1,500 B", "throughput", dict(size=1500)),
    ("packed", "latency", "64 B, one at a time", "latency",
     dict(size=64, count=8000)),
    ("tso", "tso", "64 KiB, TSO", "throughput", dict(burst=32)),
]
SKIPPED = {("ovs", "64b_1m"),  # it falls over its flow limit
           ("testpmd", "64b_10k"), ("testpmd", "64b_1m")}


def waited_ns(switch):
    with open(switch.schedstat()) as file:
        return int(file.read().split()[1])


def attempt(lab, switch, command, words):
    """One run. Its cycles count only if the worker had its core."""
    switch.resume()
    try:
        waited, began = waited_ns(switch), time.monotonic()
        switch.cycles_begin()
        result = lab.generators[switch.name].do(
            command, windows=8, warm=2, watch=switch.schedstat(), **words)
        cycles = switch.cycles_end()
        share = (waited_ns(switch) - waited) / 1e9 / (time.monotonic() - began)
    finally:
        switch.pause()
    if cycles and command != "latency":
        result["cycles"] = cycles
    result["waited"] = share
    return result


def attempts(lab, switch, command, words):
    """Until the worker had its core, and the cores stayed where they were;
    or else the best of four."""
    tries = []
    before = distance()
    while len(tries) < 4:
        result = attempt(lab, switch, command, words)
        after = distance()
        result["distance"] = before if before == after else "moved"
        tries.append(result)
        if result["waited"] <= WAIT_SHARE and before == after:
            return result
        before = after
    return min(tries, key=lambda result: (result["distance"] == "moved",
                                          result["waited"]))


def learn(lab, switch, words):
    macs = words.get("macs", 1)
    generator = lab.generators[switch.name]
    switch.resume()
    try:
        generator.do("learn", size=words.get("size", 64), macs=macs,
                     pairs=words.get("pairs", 1))
        # The sources, and whatever a switch does at a flow's first frame.
        generator.do("throughput", windows=1, warm=10,
                     pps=min(200000, 20 * macs), **words)
    finally:
        switch.pause()


def wanted(switch, key):
    return (switch.name, key) not in SKIPPED


def alternate(lab, key, command, words, rounds):
    """{switch: [a run's result, ...]}, the switches in turn."""
    runs = {}
    for switch in lab.switches:
        if wanted(switch, key):
            runs[switch.name] = []
            if command == "throughput" and lab.ring != "tso":
                learn(lab, switch, words)
    for _ in range(rounds):
        for switch in lab.switches:
            if switch.name in runs:
                runs[switch.name].append(
                    attempts(lab, switch, command, words))
    return runs


def median(values):
    values = [v for v in values if v]
    return statistics.median(values) if values else None


def summaries(runs):
    """{distance: summary} of one switch's runs."""
    return {d: summary([r for r in runs if r["distance"] == d])
            for d in ("near", "far", "moved")
            if any(r["distance"] == d for r in runs)}


def summary(runs):
    """Medians, and the best window of all."""
    good = [r for r in runs if r.get("windows", 1) and
            r.get("samples", 1)]
    calm = [r for r in runs if r["waited"] <= WAIT_SHARE]
    out = {"runs": len(runs), "good": len(good), "calm": len(calm),
           "cycles": median(r.get("cycles") for r in calm or runs)}
    for key in ("pps", "gbps", "sent_pps", "median_ns", "p90_ns", "p99_ns",
                "blocked"):
        if any(key in r for r in good):
            out[key] = median(r.get(key) for r in good)
    if any("pps" in r for r in good):
        out["pps_best"] = max(r["pps_max"] for r in good)
        out["gbps_best"] = max(r["gbps_max"] for r in good)
        out["loss"] = sum(r["lost"] for r in good) / max(
            1, sum(r["sent"] for r in good))
    return out


def measure_rings(folder, kinds, ring, rounds):
    result = {}
    with Lab(folder, kinds, ring) as lab:
        lab.ring = ring
        for of, key, title, command, words in MEASURES:
            if of != ring:
                continue
            runs = alternate(lab, key, command, words, rounds)
            result[key] = {"title": title, "switches": {
                name: summaries(r) for name, r in runs.items()}}
            report_row(ring, result[key])
    return result


def measure_many_ports(folder, kinds, rounds):
    """256 ports of which 16 carry traffic, against the same 16 alone."""
    result = {}
    words = dict(size=64, pairs=8)
    for kind in kinds:
        if kind is Testpmd:
            continue  # it has 32 ports at most
        result[kind.name] = {}
        for ports in (16, 256):
            with Lab(folder, [kind], "split", ports=ports, active=16,
                     queue_size=256) as lab:
                lab.ring = "split"
                others = connect_others(lab, lab.switches[0], 16, ports)
                runs = alternate(lab, "many", "throughput", words, rounds)
                result[kind.name][str(ports)] = summaries(runs[kind.name])
                del others
    return result


def connect_others(lab, switch, first, ports):
    """Guests that are there and silent, on all further ports."""
    switch.resume()
    try:
        return [Generator(lab, switch, range(p, min(p + 30, ports)), "split",
                          256, 64)
                for p in range(first, ports, 30)]
    finally:
        switch.pause()


def cpu_s(pid):
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure_idle(folder, seconds=10):
    """vsw alone: the others poll without end."""
    with Lab(folder, [Vsw], "split", ports=100, queue_size=256) as lab:
        lab.ring = "split"
        switch = lab.switches[0]
        connect_others(lab, switch, 2, 100)
        learn(lab, switch, dict(size=64))
        switch.resume()
        time.sleep(2)
        before, began = cpu_s(switch.process.pid), time.monotonic()
        time.sleep(seconds)
        share = ((cpu_s(switch.process.pid) - before) /
                 (time.monotonic() - began))
        first = lab.generators["vsw"].do("latency", size=64, count=200,
                                         gap_us=20000)
        switch.pause()
    return {"ports": 100, "cpu_percent": 100 * share,
            "first_packet_ns": first.get("median_ns"),
            "first_packet_p99_ns": first.get("p99_ns")}


def ready():
    if not os.path.exists(BUILD + "/bench/vhost_gen"):
        return "no generator: scripts/install-deps bench, then make " \
            "bench-programs"
    if subprocess.run(["/bin/sh", "-c", "command -v dpdk-testpmd"],
                      stdout=subprocess.DEVNULL).returncode:
        return "no dpdk-testpmd: scripts/install-deps bench"
    return None


def end(signum, frame):
    raise SystemExit(128 + signum)


def measure(rounds, switches=("testpmd", "ovs", "vsw"),
            rings=("split", "packed", "tso"), more=True):
    why = ready()
    if why:
        raise RuntimeError(why)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    kinds = [KINDS[name] for name in switches]
    result = {"rings": {}}
    report_head()
    with Hugepages(PAGES) as folder:
        for ring in rings:
            result["rings"][ring] = measure_rings(folder, kinds, ring, rounds)
        if more:
            result["ports"] = measure_many_ports(folder, kinds, rounds)
            report_ports(result["ports"])
            if Vsw in kinds:
                result["idle"] = measure_idle(folder)
                report_idle(result["idle"])
    return result


def report_head():
    print("\nguest to guest over vhost-user, one forwarding core; medians of "
          "50 ms windows (best window);\n~: cycles with the worker not alone on "
          "its core")
    print("%-28s %-5s %-8s %16s %7s %7s %7s %7s %4s" % (
        "", "cores", "", "M packets/s", "Gbit/s", "cycles", "p50 ns",
        "p99 ns", "runs"))


def number(value, scale=1.0, digits=2):
    return "-" if value is None else "%.*f" % (digits, value / scale)


def report_row(ring, row):
    title = "%s, %s" % (row["title"], ring)
    for where in ("near", "far", "moved"):
        rows = {name: s[where] for name, s in row["switches"].items()
                if where in s}
        for name, s in rows.items():
            print_summary(title, where, name, s)
        ratios(rows)
    sys.stdout.flush()


def print_summary(title, where, name, s):
    rate = "-"
    if s.get("pps"):
        rate = "%s (%s)" % (number(s["pps"], 1e6),
                            number(s["pps_best"], 1e6))
    print("%-28s %-5s %-8s %16s %7s %7s %7s %7s %4d" % (
        title, where, name, rate, number(s.get("gbps"), digits=1),
        ("" if s["calm"] else "~") + number(s.get("cycles"), digits=0),
        number(s.get("median_ns"), digits=0),
        number(s.get("p99_ns"), digits=0), s["good"]))


def ratios(rows):
    vsw = rows.get("vsw")
    if not vsw:
        return
    key = "pps" if "pps" in vsw else "median_ns"
    for name, other in rows.items():
        if name != "vsw" and vsw.get(key) and other.get(key):
            print("%-34s %-12s %12.2f" % ("", "vsw/" + name,
                                          vsw[key] / other[key]))


def report_ports(result):
    for name, by_ports in result.items():
        for ports, by_distance in by_ports.items():
            for where, s in by_distance.items():
                print_summary(ports + " ports, 16 active", where, name, s)


def report_idle(result):
    print("vsw with %d idle guests: %.2f %% CPU; first packet after idle "
          "%s us, 99th percentile %s us" % (
              result["ports"], result["cpu_percent"],
              number(result["first_packet_ns"], 1e3, 1),
              number(result["first_packet_p99_ns"], 1e3, 1)))


def report(result):
    """All was shown as it came."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--switches", default="testpmd,ovs,vsw")
    parser.add_argument("--rings", default="split,packed,tso")
    parser.add_argument("--less", action="store_true",
                        help="neither many ports nor idleness")
    args = parser.parse_args()
    result = measure(args.rounds, args.switches.split(","),
                     args.rings.split(","), not args.less)
    with open(os.path.join(BUILD, "bench-vhost.json"), "w") as file:
        json.dump(result, file, indent=1)


if __name__ == "__main__":
    main()
