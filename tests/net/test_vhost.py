"""vhost-user ports with DPDK's virtio-user as the guest's card.

testpmd needs neither hugepages nor privilege here: its memory is one memfd.
"""
import json
import os
import shutil
import signal

from lib.netns import kill_pid, wait_until
from lib.testing import contains, equal, test

TESTPMD = shutil.which("dpdk-testpmd")


class Testpmd:
    """Two cards that forward to each other, each on a port of the switch."""

    def __init__(self, lab, cards, forward="io", queues=1):
        argv = [TESTPMD, "--lcores", "0@0,1@1", "--no-pci", "--no-huge", "-m",
                "192", "--single-file-segments", "--no-telemetry",
                "--file-prefix", f"vsw-net-{os.getpid()}",
                *(word for i, card in enumerate(cards)
                  for word in ("--vdev", f"net_virtio_user{i},{card}")),
                "--", f"--forward-mode={forward}", f"--rxq={queues}",
                f"--txq={queues}", "--total-num-mbufs=8192", "--stats-period=1",
                "--auto-start",
                *(["--tx-first"] if forward == "io" else [])]
        self.log = lab.switch.log_file("testpmd.out")
        self.process = lab.switch.spawn("testpmd.out", *argv)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        finally:
            kill_pid(self.process.pid)


def needs_testpmd(function):
    """The test passes without a word where DPDK is not installed."""
    def run(lab):
        if TESTPMD is None:
            print("skipped: dpdk-testpmd is not installed")
            return
        function(lab)
    run.__module__ = function.__module__
    run.__wrapped__ = function
    return run


def add_port(lab, name, kind="vhostuser", *options):
    lab.switch.ctl("add-port", "br0", name, "--", "set", "Interface", name,
                   f"type={kind}", *options)


def rx_packets(lab, port):
    stats = json.loads(lab.switch.app("port/stats", port, "--format=json"))
    return stats[port]["rx_packets"]


def wait_traffic(lab, *ports, more=2000):
    before = {port: rx_packets(lab, port) for port in ports}
    wait_until(lambda: all(rx_packets(lab, port) > before[port] + more
                           for port in ports),
               lambda: f"{more} frames more from each of {ports}: before "
               f"{before}, now { {p: rx_packets(lab, p) for p in ports} }",
               timeout=30)


def link_state(lab, port):
    return lab.switch.get("Interface", port, "link_state")


@test("frames go between two cards of DPDK, and the database says so",
      only="vsw")
@needs_testpmd
def _(lab):
    lab.start(monitor=False)
    add_port(lab, "vm0")
    add_port(lab, "vm1", "dpdkvhostuser")
    equal(link_state(lab, "vm0"), "down", "link_state without a front end")
    guest = Testpmd(lab, [f"path={lab.switch.path(n)}"
                          for n in ("vm0", "vm1")])
    try:
        wait_traffic(lab, "vm0", "vm1")
        wait_until(lambda: link_state(lab, "vm0") == "up", "the link is up")
        status = lab.switch.get("Interface", "vm0", "status")
        equal(status["status"], "connected", "status:status")
        equal(status["mode"], "server", "status:mode")
        equal(status["num_of_vrings"], "2", "status:num_of_vrings")
        text = lab.switch.app("vhost/show", "vm0")
        contains(text, "version_1", "vhost/show")
        contains(text, "ring 1 (from-guest): split", "vhost/show")
    finally:
        guest.stop()
    wait_until(lambda: link_state(lab, "vm0") == "down", "the link is down")
    lab.switch.ctl("del-port", "vm0")
    assert not os.path.exists(lab.switch.path("vm0")), "the socket is left"


@test("vswd is killed and started anew, and the cards go on", only="vsw")
@needs_testpmd
def _(lab):
    lab.start(monitor=False)
    sockets = [lab.switch.path(f"guest{i}") for i in (0, 1)]
    for i, path in enumerate(sockets):
        add_port(lab, f"vm{i}", "dpdkvhostuserclient",
                 f"options:vhost-server-path={path}")
    # with "io" testpmd would not notice that its back end comes back
    guest = Testpmd(lab, [f"path={path},server=1,packed_vq=1"
                          for path in sockets], forward="txonly")
    try:
        wait_traffic(lab, "vm0", "vm1")
        lab.switch.kill()
        lab.switch.start()
        wait_until(lambda: link_state(lab, "vm0") == "up" and
                   link_state(lab, "vm1") == "up", "the links are up again")
        contains(lab.switch.app("vhost/show", "vm0"), "packed", "vhost/show")
        wait_traffic(lab, "vm0", "vm1")
    finally:
        guest.stop()


@test("a wrong option of a vhost-user port is the interface's error",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    result = lab.switch.ctl(
        "add-port", "br0", "vm0", "--", "set", "Interface", "vm0",
        "type=vhostuser", "options:queus=2", check=False)
    if lab.options.config == "vsw-ctl":
        assert result.returncode != 0, "vsw-ctl did not report it"
    contains(lab.switch.get("Interface", "vm0", "error"),
             "there is no option 'queus'", "error")
