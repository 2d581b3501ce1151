"""The kernel's fast path between device ports, beside the same switch without
it, the kernel's bridge and Open vSwitch's userspace datapath: TCP, 64-byte
frames and pings between namespaces, TCP between two guests on taps, a large
switch beside a small one, and what restarts under load lose.

What is compared runs in turn, and ratios are the medians of each turn's: the
machine may be another a minute later. CPU time a frame is what other work on the
machine disturbs the least: the sender's, in which the kernel forwards, too, and
that of the switch's process."""

import json
import os
import statistics
import subprocess
import time

import fastpath_guests
import fastpath_restarts
import fastpath_scale
import side_by_side
from lab import BUILD, Bridge, Lab, Ovs, Vsw


class Userspace(Vsw):
    """The same without the fast path."""
    name = "user"
    bridge = "br-user"

    def start(self):
        super().start()
        self.ctl("set", "open_vswitch", ".",
                 "other_config:kernel-fast-path=false")


def process_ns(switch):
    """CPU time of all threads of the switch's process."""
    if not hasattr(switch, "process"):
        return 0
    return time.clock_gettime_ns((~switch.process.pid << 3) | 2)


def small_cpu_ns(lab, switch, seconds=0.7):
    """CPU time for each 64-byte frame that arrives, under a full blast."""
    before, frames = process_ns(switch), lab.rx_packets(1, switch)
    blast = subprocess.Popen(
        lab.inside("h0", BUILD + "/bench/bench_blast", "-t", str(seconds),
                   switch.device(0), lab.mac(1, switch)),
        stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(blast.pid, 0)
    blast.returncode = os.waitstatus_to_exitcode(status)
    # What is under way: a ring's worth
    time.sleep(0.05)
    frames = lab.rx_packets(1, switch) - frames
    cpu_ns = (usage.ru_utime + usage.ru_stime) * 1e9 + \
        process_ns(switch) - before
    return cpu_ns / frames


SWITCHES = (Vsw, Userspace, Bridge, Ovs)
TITLES = {"vsw": "fast path", "user": "userspace", "bridge": "bridge",
          "ovs": "ovs"}
MEASURES = [
    ("tcp_gbps", "TCP, one flow, Gbit/s",
     lambda lab, switch: side_by_side.tcp_gbps(lab, switch, 2)),
    ("small_mpps", "64-byte frames, M/s",
     lambda lab, switch: side_by_side.small_mpps(lab, switch, 0.5)),
    ("small_cpu_ns", "  CPU time of one, ns", small_cpu_ns),
    ("ping_us", "ping round trip, us", side_by_side.round_trip_us),
]


def alternate(switches, function, rounds):
    """{name: [a value of each round]}"""
    values = {switch.name: [] for switch in switches}
    for _ in range(rounds):
        for switch in switches:
            values[switch.name].append(function(switch))
    return values


def summary(values, to="bridge"):
    """{name: median, range, median of the turns' ratios to one of them}"""
    return {name: {"median": statistics.median(some), "min": min(some),
                   "max": max(some),
                   "ratio": statistics.median(
                       a / b for a, b in zip(some, values[to]))}
            for name, some in values.items()}


def between_namespaces(rounds):
    with Lab(SWITCHES) as lab:
        for switch in lab.switches:
            side_by_side.ping(lab, switch)
        result = {key: summary(alternate(
            lab.switches, lambda s, f=function: f(lab, s), rounds))
            for key, _, function in MEASURES}
        result["paths"] = [paths(switch, "%s0" % switch.name)
                           for switch in lab.switches[:2]]
    return result


def paths(switch, port):
    """Frames from a port, by both paths and by the fast one."""
    stats = json.loads(switch.ctl("--format=json", "port/stats", port))[port]
    return {"rx": stats["rx_packets"],
            "fast": stats.get("fast_path_rx_packets", 0)}


def between_guests(rounds):
    with Lab(SWITCHES, hosts=0) as lab, \
            fastpath_guests.Guests(lab) as guests:
        values = alternate(lab.switches, guests.tcp_gbps, rounds)
        return summary(values)


def measure(rounds):
    subprocess.run(["modprobe", "tun"], check=False,
                   stderr=subprocess.DEVNULL)
    return {"namespaces": between_namespaces(rounds),
            "guests": between_guests(rounds),
            "scale": fastpath_scale.measure(rounds),
            "restarts": fastpath_restarts.measure(Vsw, Userspace)}


def report_row(title, row):
    print("%-24s" % title + "".join(
        " %9.2f" % row[name]["median"] for name in TITLES) + "".join(
        " %12.2f" % row[name]["ratio"] for name in ("vsw", "user")))


def report(result):
    print("\n%-24s" % "kernel fast path" +
          "".join(" %9s" % title for title in TITLES.values()) +
          " %12s %12s" % ("fast/bridge", "user/bridge"))
    for key, title, _ in MEASURES:
        report_row(title, result["namespaces"][key])
    report_row("TCP of two guests", result["guests"])
    for row, title in zip(result["namespaces"]["paths"], TITLES.values()):
        print("%-24s %9d frames, %d of them by the fast path"
              % (title, row["rx"], row["fast"]))
    fastpath_scale.report(result["scale"])
    fastpath_restarts.report(result["restarts"])
