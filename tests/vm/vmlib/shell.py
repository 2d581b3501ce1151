"""The shell of a guest's init.sh, and what is said to it."""
import json
import re
import select
import time

from lib.netns import wait_until


class GuestFailed(AssertionError):
    pass


class Shell:
    """channel: a socket that the guest's init reads commands from."""

    patience = 60  # seconds, for what comes much sooner

    def __init__(self, name):
        self.name = name
        self.number = 0
        self.channel = None
        self.buffer = b""

    def tail(self):
        return self.buffer[-2000:].decode(errors="replace")

    def why_ended(self):
        return ""

    def read_until(self, pattern, timeout, what):
        deadline = time.monotonic() + timeout
        while True:
            match = re.search(pattern, self.buffer, re.S)
            if match:
                self.buffer = self.buffer[match.end():]
                return match
            left = deadline - time.monotonic()
            if left <= 0:
                raise GuestFailed(f"{self.name}: not within {timeout} s: "
                                  f"{what}\n{self.tail()}")
            if select.select([self.channel], [], [], min(left, 1))[0]:
                data = self.channel.recv(65536)
                if not data:
                    raise GuestFailed(f"{self.name} ended{self.why_ended()}: "
                                      f"{what}\n{self.tail()}")
                self.buffer += data

    def run(self, command, check=True, timeout=None):
        """A command of the guest's shell: (status, output)."""
        self.number += 1
        self.channel.sendall(f"{self.number} {command}\n".encode())
        match = self.read_until(
            rb"\nBEGIN %d\n(.*)\nEND %d (\d+)\n" % (self.number, self.number),
            timeout or self.patience, command)
        output, status = match.group(1).decode(errors="replace"), \
            int(match.group(2))
        if check and status:
            raise GuestFailed(f"{self.name}: {command}: status {status}\n"
                              f"{output}")
        return (status, output) if not check else output

    def look(self, command):
        """What a failure tells: its output, or why there is none."""
        try:
            return f"--- {self.name}: {command}\n" + \
                self.run(command, check=False, timeout=15)[1]
        except (GuestFailed, OSError) as error:
            return str(error)

    # The network, from inside.

    def look_at_network(self):
        return "\n".join(map(self.look, (
            "ifconfig", "ip neigh", "ethtool -S eth0", "cat /proc/interrupts")))

    def address(self, device, *addresses):
        for one in addresses:
            self.run(f"ip addr add {one} dev {device}")

    def ping(self, address, count=3, size=56):
        # busybox's waits a second between two, and so has its own deadline
        status, _ = self.run(f"ping -q -c {count} -i 0.05 -W 2 -s {size} "
                             f"{address}", check=False)
        return status == 0

    def who_has(self, address, device="eth0"):
        """The MACs of all that answer for the address."""
        out = self.run(f"arping -b -c 2 -w 3 -I {device} {address}")
        return set(re.findall(r"reply from \S+ \[([0-9a-f:]+)\]", out))

    def mac(self, device="eth0"):
        return self.run(f"cat /sys/class/net/{device}/address").strip()

    def must_ping(self, address, timeout=None, **kwargs):
        wait_until(lambda: self.ping(address, **kwargs),
                   lambda: f"{self.name} reaches {address}\n"
                   f"{self.look_at_network()}", timeout or self.patience)

    def serve_iperf(self):
        self.run("iperf3 -s -D >/dev/null 2>&1")
        wait_until(lambda: self.run("netstat -ltn | grep -q :5201",
                                    check=False)[0] == 0, "iperf3 listens")

    def iperf(self, address, seconds=1, options=""):
        """The receiver's figure in bits a second."""
        def report():
            out = json.loads(self.run(
                f"iperf3 -c {address} -t {seconds} -J {options}",
                timeout=self.patience + 3 * seconds, check=False)[1])
            return None if is_busy(out) or is_over_early(out) else out
        return received_bits(
            wait_until(report, f"iperf3 to {address} has bytes through",
                       self.patience), self.name)


def is_busy(report):
    """A server of iperf3 may not be done yet with the client before."""
    return "busy" in report.get("error", "")


def is_over_early(report):
    """On a busy machine the time can be over before the first byte came."""
    return "error" not in report and not \
        report["end"]["sum_received"]["bits_per_second"]


def received_bits(report, what):
    assert "error" not in report, f"{what}: iperf3: {report['error']}"
    bits = report["end"]["sum_received"]["bits_per_second"]
    assert bits > 0, f"{what}: iperf3 had nothing through: {report['end']}"
    return bits
