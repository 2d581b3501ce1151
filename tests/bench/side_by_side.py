"""Traffic between two namespaces through vswd, the kernel's bridge and Open
vSwitch's userspace datapath, in turn, several rounds; medians and ratios."""

import json
import statistics
import subprocess
import time

from lab import BUILD, Lab, run, wait_until


def ping(lab, switch):
    run(*lab.inside("h0", "ping", "-c", "3", "-i", "0.05", "-W", "2",
                    switch.address(1)))


def tcp_gbps(lab, switch, seconds):
    server = subprocess.Popen(
        lab.inside("h1", "iperf3", "-s", "-1", "-B", switch.address(1)),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until("iperf3 to listen", lambda: ":5201" in run(
            *lab.inside("h1", "ss", "-Hltn", "src", switch.address(1))))
        out = run(*lab.inside("h0", "iperf3", "-J", "-t", str(seconds), "-c",
                              switch.address(1)))
        result = json.loads(out)
        if "error" in result:
            raise RuntimeError("%s: iperf3: %s" % (switch.name,
                                                   result["error"]))
        return result["end"]["sum_received"]["bits_per_second"] / 1e9
    finally:
        server.terminate()
        server.wait()


def small_mpps(lab, switch, seconds, mac=None, *options):
    """64-byte frames received, in millions a second, under a full blast: to
    the other host's address or another."""
    blast = subprocess.Popen(
        lab.inside("h0", BUILD + "/bench/bench_blast", "-t",
                   str(seconds + 1), *options, switch.device(0),
                   mac or lab.mac(1, switch)), stdout=subprocess.DEVNULL)
    time.sleep(0.5)  # past the start: the window is inside the blast
    t0, n0 = time.monotonic(), lab.rx_packets(1, switch)
    time.sleep(seconds)
    t1, n1 = time.monotonic(), lab.rx_packets(1, switch)
    blast.wait()
    return (n1 - n0) / (t1 - t0) / 1e6


def round_trip_us(lab, switch):
    out = run(*lab.inside("h0", "ping", "-q", "-c", "300", "-i", "0.002",
                          switch.address(1)))
    return float(out.rsplit("=", 1)[1].split("/")[1]) * 1000


MEASURES = [
    ("tcp_gbps", "TCP, one flow, Gbit/s", lambda l, s: tcp_gbps(l, s, 2)),
    ("small_mpps", "64-byte frames, M/s", lambda l, s: small_mpps(l, s, 1)),
    ("ping_us", "ping round trip, us", round_trip_us),
]


def measure(rounds):
    """{measure: {switch: median}}"""
    with Lab() as lab:
        for switch in lab.switches:
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
    print("%-24s %9s %9s %9s %12s %12s" % ("", "vsw", "bridge", "ovs",
                                           "vsw/bridge", "vsw/ovs"))
    for key, title, _ in MEASURES:
        m = {k: v["median"] for k, v in result[key].items()}
        print("%-24s %9.2f %9.2f %9.2f %12.2f %12.2f"
              % (title, m["vsw"], m["bridge"], m["ovs"],
                 m["vsw"] / m["bridge"], m["vsw"] / m["ovs"]))
