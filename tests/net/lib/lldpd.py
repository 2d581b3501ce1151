"""Debian's lldpd in a namespace of its own, as a neighbour of the switch."""
import json
import os
import subprocess
import time

from . import netns
from .netns import wait_until


class Lldpd:
    """Speaks at eth0 of a host; CDP as well if flags say so (-c, -cc, ...)."""

    def __init__(self, lab, host, *flags, name="lldpd"):
        self.host = host
        self.socket = os.path.join(lab.directory, f"{name}.sock")
        self.log = os.path.join(lab.directory, f"{name}.log")
        # Each test's directory is root's; lldpd chroots to its own.
        with open(self.log, "ab") as log:
            self.process = lab.spawn(host.namespace, "lldpd", "-d", "-u",
                                     self.socket, "-I", "eth0", *flags,
                                     stdout=log, stderr=subprocess.STDOUT)
        wait_until(self.answers, "lldpd answers", timeout=20, interval=0.05)

    def answers(self):
        if self.process.poll() is not None:
            with open(self.log, errors="replace") as log:
                raise AssertionError(f"lldpd ended:\n{log.read()[-2000:]}")
        return os.path.exists(self.socket) and \
            self.cli("show", "configuration", check=False).returncode == 0

    def cli(self, *args, check=True):
        return netns.run(["lldpcli", "-u", self.socket, *args], check=check)

    def neighbors(self):
        """What it knows, as a list of what `json0` has for an interface."""
        out = json.loads(self.cli("-f", "json0", "show", "neighbors",
                                  "details").stdout)
        found = []
        for lldp in out["lldp"]:
            found += lldp.get("interface", [])
        return found

    def wait_neighbors(self, n, what=None, timeout=20):
        wait_until(lambda: len(self.neighbors()) == n,
                   what or f"lldpd has {n} neighbours", timeout,
                   interval=0.05)
        return self.neighbors()

    def stop(self):
        """As an administrator does it: it says goodbye."""
        self.process.terminate()
        deadline = time.monotonic() + 20
        while self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert self.process.poll() is not None, "lldpd does not end"
