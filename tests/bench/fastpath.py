"""The kernel's fast path between device ports, beside the same switch without
it, the kernel's bridge and Open vSwitch's userspace datapath: TCP, 64-byte
frames and pings between namespaces, TCP between two guests on taps, a large
switch beside a small one, and what restarts under load lose.

What is compared runs in turn, and ratios are the medians of each turn's: the
machine may be another a minute later."""

import json
import statistics
import subprocess

import fastpath_guests
import fastpath_restarts
import fastpath_scale
import side_by_side
from lab import Bridge, Lab, Ovs, Vsw


class Userspace(Vsw):
    """The same without the fast path."""
    name = "user"
    bridge = "br-user"

    def start(self):
        super().start()
        self.ctl("set", "open_vswitch", ".",
                 "other_config:kernel-fast-path=false")


SWITCHES = (Vsw, Userspace, Bridge, Ovs)
TITLES = {"vsw": "fast path", "user": "userspace", "bridge": "bridge",
          "ovs": "ovs"}
MEASURES = [
    ("tcp_gbps", "TCP, one flow, Gbit/s",
     lambda lab, switch: side_by_side.tcp_gbps(lab, switch, 2)),
    ("small_mpps", "64-byte frames, M/s",
     lambda lab, switch: side_by_side.small_mpps(lab, switch, 0.5)),
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
