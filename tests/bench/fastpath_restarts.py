"""Frames between two known stations that ten restarts of vswd under load lose."""

import json
import socket
import subprocess

import side_by_side
from lab import BUILD, Lab, wait_until

RESTARTS = 10
RATE = 20000  # frames a second


def counter(lab, host, switch, way):
    link = json.loads(lab.ip("h%d" % host, "-j", "-s", "link", "show",
                             switch.device(host)))
    return link[0]["stats64"][way]["packets"]


def difference(lab, switch):
    """Frames that the first host has sent and the second has not got."""
    return counter(lab, 0, switch, "tx") - counter(lab, 1, switch, "rx")


def answers(path):
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(path)
        except OSError:
            return False
    return True


def restart(switch, end):
    """Returns when the new one has had both ports' traffic for a while."""
    end(switch.process)
    switch.process.wait(20)
    switch.launch()
    ports = ["%s%d" % (switch.name, i) for i in (0, 1)]

    def serves():
        if not answers(switch.dir + "/vswd.ctl"):
            return False
        stats = json.loads(switch.ctl("--format=json", "port/stats"))
        return all(port in stats for port in ports) and \
            min(stats[ports[0]]["rx_packets"],
                stats[ports[1]]["tx_packets"]) > RATE / 5
    wait_until("%s has its ports back" % switch.name, serves)


def lost(lab, switch, end):
    side_by_side.ping(lab, switch)
    before = difference(lab, switch)
    sent = counter(lab, 0, switch, "tx")
    with subprocess.Popen(
            lab.inside("h0", BUILD + "/bench/bench_blast", "-t", "600", "-r",
                       str(RATE), switch.device(0), lab.mac(1, switch)),
            stdout=subprocess.DEVNULL) as blast:
        try:
            wait_until("frames arrive", lambda: lab.rx_packets(
                1, switch) > sent + RATE / 10)
            for _ in range(RESTARTS):
                restart(switch, end)
        finally:
            blast.terminate()
    seen = [-1]

    def at_rest():
        seen.append(lab.rx_packets(1, switch))
        return seen[-1] == seen[-2]
    wait_until("the last frames arrive", at_rest)
    return {"sent": counter(lab, 0, switch, "tx") - sent,
            "lost": difference(lab, switch) - before}


def measure(*kinds):
    with Lab(kinds) as lab:
        return {switch.name: lost(lab, switch, lambda p: p.kill())
                for switch in lab.switches}


def report(result):
    for name, title in (("vsw", "fast path"), ("user", "userspace")):
        print("%-24s %9d frames of %d lost by %d restarts (kill -9)"
              % (title, result[name]["lost"], result[name]["sent"], RESTARTS))
