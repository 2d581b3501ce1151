"""Two guests in QEMU whose taps are plugged into one switch after the other."""

import os
import subprocess
import sys
from types import SimpleNamespace

from lab import ROOT

sys.path[:0] = [os.path.join(ROOT, "tests", "vm"),
                os.path.join(ROOT, "tests", "net")]

from vmlib import image  # noqa: E402
from vmlib.guest import Guest, Nic, start_all  # noqa: E402

SECONDS = 2


class Space:
    """The switches' namespace as the guests' library wants it."""

    def __init__(self, lab):
        self.lab = lab

    def argv(self, argv):
        return self.lab.inside("sw", *map(str, argv))


class Guests:
    """Inside `with` they run; their addresses are 10.80.0.1 and 2."""

    def __init__(self, lab):
        self.lab = lab
        self.processes = []
        self.plugged = None
        self.guests = [Guest(self.library_lab(), "guest%d" % i,
                             Nic(i, tap=self.tap(i))) for i in (1, 2)]

    @staticmethod
    def tap(number):
        return "tap%d" % number

    def library_lab(self):
        folder = self.lab.dir
        return SimpleNamespace(
            directory=folder, sw_ns=Space(self.lab), spawn=self.spawn,
            switch=SimpleNamespace(
                log_file=lambda name: os.path.join(folder, name)))

    def spawn(self, space, *argv, **kwargs):
        process = subprocess.Popen(space.argv(argv),
                                   stdin=subprocess.DEVNULL, **kwargs)
        self.processes.append(process)
        return process

    def __enter__(self):
        try:
            image.prepare()
            for i in (1, 2):
                self.lab.ip("sw", "tuntap", "add", "dev", self.tap(i), "mode",
                            "tap", "vnet_hdr")
                self.lab.ip("sw", "link", "set", self.tap(i), "up")
            start_all(*self.guests)
            for i, guest in enumerate(self.guests, 1):
                guest.address("eth0", "10.80.0.%d/24" % i)
            self.guests[1].serve_iperf()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()

    def plug(self, switch):
        if self.plugged is not None:
            for i in (1, 2):
                self.plugged.remove_port(self.tap(i))
        for i in (1, 2):
            switch.add_port(self.tap(i))
        self.plugged = switch

    def tcp_gbps(self, switch):
        self.plug(switch)
        self.guests[0].must_ping("10.80.0.2")
        return self.guests[0].iperf("10.80.0.2", SECONDS) / 1e9
