"""Policies of ports: whether 1,000 policed ports keep their rates all at once, a
shaped TCP connection and a ping beside it, and what a guard and an access list
of 1 and of 1,000 rules cost a packet."""

import json
import re
import socket
import statistics
import subprocess
import time

from control import fill
from lab import BUILD, Lab, Vsw, run, wait_until

PORTS = 1000
PORT_KBPS = 100
FRAME = 500  # bytes; 25 frames a second and port
WINDOW_S = 15
SHAPED_MBIT = (10, 100, 400)
CASES = ("solo", "solo-guard", "acl-1", "acl-1000", "acl-1-random",
         "acl-1000-random")
SINK = "02:00:00:00:0f:01"


def app(switch, *args):
    return run(BUILD + "/vsw-ctl", "--run-dir", switch.dir, "--format=json",
               *args)


class Sender:
    """Sends by the devices of all ports in turn, twice what they may."""

    def __init__(self, lab):
        self.lab = lab
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(
            self.lab.inside("sw", "/usr/bin/python3", __file__),
            stdout=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def send_for_ever():
    head = bytes.fromhex(SINK.replace(":", ""))
    socks = []
    for i in range(PORTS):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sock.bind(("p%d" % i, 0))
        source = b"\x02\0\0\1" + i.to_bytes(2, "big")
        socks.append((sock, (head + source + b"\x88\xb5").ljust(FRAME, b"\0")))
    interval = FRAME * 8 / (2 * PORT_KBPS * 1000)
    due = time.monotonic()
    while True:
        for sock, frame in socks:
            try:
                sock.send(frame)
            except OSError:
                pass  # full; the next one
        due = max(due + interval, time.monotonic() - 1)
        time.sleep(max(0, due - time.monotonic()))


def passed(switch):
    """Frames that each port let in, and when; and those it has dropped."""
    at = time.monotonic()
    stats = json.loads(app(switch, "port/stats"))
    at = (at + time.monotonic()) / 2
    ports = [stats["p%d" % i] for i in range(PORTS)]
    dropped = [port.get("drop_policed", 0) for port in ports]
    return ([port["rx_packets"] - d for port, d in zip(ports, dropped)], at,
            dropped)


def policed():
    with Lab(switches=(Vsw,), hosts=0) as lab:
        switch = lab.switches[0]
        fill(switch, switch.bridge, 0, PORTS, "internal")
        args = []
        for i in range(PORTS):
            args += ["--", "set", "Interface", "p%d" % i,
                     "ingress_policing_rate=%d" % PORT_KBPS,
                     "ingress_policing_burst=%d" % (PORT_KBPS // 2)]
            lab.ip("sw", "link", "set", "p%d" % i, "up")
        switch.ctl("add-port", switch.bridge, "sink", "--", "set",
                   "interface", "sink", "type=null", *args)
        app(switch, "fdb/add", switch.bridge, "sink", "0", SINK)
        with Sender(lab):
            # Until each is at its rate: its burst is used up. To ask takes
            # time from the sender, so not again and again.
            while min(passed(switch)[2]) < 20:
                time.sleep(2)
            time.sleep(2)
            first, since, _ = passed(switch)
            time.sleep(WINDOW_S)
            last, at, _ = passed(switch)
    rates = [(b - a) * FRAME * 8 / (at - since) / 1000
             for a, b in zip(first, last)]
    worst = max(rates, key=lambda rate: abs(rate - PORT_KBPS))
    return {"ports": PORTS, "port_kbps": PORT_KBPS, "seconds": at - since,
            "sum_kbps": sum(rates),
            "sum_percent": 100 * sum(rates) / (PORTS * PORT_KBPS) - 100,
            "worst_kbps": worst,
            "worst_percent": 100 * worst / PORT_KBPS - 100}


def sent(switch, port):
    """Bytes that the port's shaper has let go, and when."""
    shaper = json.loads(app(switch, "qos/show", port))[0]
    return (sum(queue["tx_bytes"] for queue in shaper["queues"]),
            time.monotonic())


def shaped_at(lab, mbit, seconds=5):
    switch = lab.switches[0]
    port, target = "%s1" % switch.name, switch.address(1)
    switch.ctl("set", "Port", port,
               "other_config:egress-average-kbps=%d" % (mbit * 1000))
    server = subprocess.Popen(
        lab.inside("h1", "iperf3", "-s", "-1", "-B", target),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    client = None
    try:
        wait_until("iperf3 to listen", lambda: ":5201" in run(
            *lab.inside("h1", "ss", "-Hltn", "src", target)))
        client = subprocess.Popen(
            lab.inside("h0", "iperf3", "-t", "60", "-c", target),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        start = sent(switch, port)[0]
        wait_until("TCP at its rate", lambda: sent(switch, port)[0] >
                   start + mbit * 125000, 30)
        before, since = sent(switch, port)
        times = re.findall(r"time=([\d.]+) ms", run(*lab.inside(
            "h0", "ping", "-n", "-i", "0.05", "-w", str(seconds), target)))
        after, at = sent(switch, port)
    finally:
        for process in (client, server):
            if process:
                process.terminate()
                process.wait()
    times = sorted(map(float, times))
    rate = 8 * (after - before) / (at - since) / 1e6
    return {"mbit": mbit, "rate_mbit": rate, "percent": 100 * rate / mbit - 100,
            "ping_ms": statistics.median(times),
            "ping_99_ms": times[len(times) * 99 // 100]}


def shaped():
    with Lab(switches=(Vsw,)) as lab:
        return [shaped_at(lab, mbit) for mbit in SHAPED_MBIT]


def packet_ns(rounds):
    """Nanoseconds of a 64-byte packet, in turn, the median of each."""
    values = {name: [] for name in CASES}
    for _ in range(rounds):
        for name in CASES:
            out = run(BUILD + "/bench/bench_pipeline", name, "20000")
            values[name].append(float(out.split()[-3]))
    return {name: statistics.median(v) for name, v in values.items()}


def measure(rounds):
    return {"policed": policed(), "shaped": shaped(), "ns": packet_ns(rounds)}


def report(result):
    one = result["policed"]
    print("\n%(ports)d ports policed at %(port_kbps)d kbit/s, each sent twice "
          "that, over %(seconds).1f s" % one)
    print("%-32s %12.0f kbit/s  %+.2f %%" % ("sum of what passed",
                                            one["sum_kbps"],
                                            one["sum_percent"]))
    print("%-32s %12.1f kbit/s  %+.2f %%" % ("port that is farthest off",
                                            one["worst_kbps"],
                                            one["worst_percent"]))
    print("\n%-20s %12s %10s %12s %12s" % ("shaped TCP, Mbit/s", "over 5 s",
                                          "", "ping, ms", "99 %, ms"))
    for row in result["shaped"]:
        print("%-20d %12.3f %+9.2f%% %12.2f %12.2f"
              % (row["mbit"], row["rate_mbit"], row["percent"],
                 row["ping_ms"], row["ping_99_ms"]))
    ns = result["ns"]
    print("\n%-32s %9s %9s %9s" % ("ns per 64-byte packet", "off / 1",
                                  "on / 1000", "more"))
    for title, few, many in (
            ("guard of MAC and IP", "solo", "solo-guard"),
            ("access list of 1, 1,000 rules", "acl-1", "acl-1000"),
            ("the same, flows at random", "acl-1-random",
             "acl-1000-random")):
        print("%-32s %9.1f %9.1f %+9.1f" % (title, ns[few], ns[many],
                                          ns[many] - ns[few]))


if __name__ == "__main__":
    send_for_ever()
