"""The services of a segment's gateway with real clients around them.

programs/segment.c is the gateway; its tap is the client's card. A resolver of
the test stands in for the host's, in the namespace `up`.
"""
import os
import subprocess
import threading

from . import switch
from .netns import Namespace, wait_until
from .segment_vm import HostResolver

PROGRAM = os.path.join(switch.ROOT, "build", "net-tools", "segment")
TCP_PORT = 5353


class Segment:
    """A gateway's services and one client's namespace, as `with` has it."""

    def __init__(self, lab):
        self.up = Namespace(lab.prefix + "up")
        self.client = Namespace(lab.prefix + "vm")
        self.client.sysctl("ipv6/conf/default/disable_ipv6", 0)
        self.client.sysctl("ipv6/conf/all/disable_ipv6", 0)
        self.folder = lab.directory
        self.lines = []

    def __enter__(self):
        self.resolver = HostResolver(self.up, port=5300)
        resolv_conf = os.path.join(self.folder, "resolv.conf")
        with open(resolv_conf, "w", encoding="ascii") as file:
            file.write("# the host's\nnameserver 127.0.0.1\n")
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", self.up.name, PROGRAM,
             f"/run/netns/{self.client.name}", "eth0", str(TCP_PORT),
             resolv_conf], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        wait_until(lambda: "ready" in self.lines, "the segment is ready")
        self.client.ip("link", "set", "eth0", "up", "address",
                       "52:54:00:00:00:07")
        return self

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.strip())

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.thread.join()
        self.process.stdout.close()
        self.resolver.stop()

    def script(self):
        """For DHCP clients: keeps what they tell it, sets the address."""
        path = os.path.join(self.folder, "script")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"""#!/bin/sh
env >{self.folder}/told.${{reason:-$1}}
[ -z "$new_ip_address" ] || ip addr replace $new_ip_address/24 dev eth0
[ "$1" != bound ] || ip addr replace $ip/24 dev eth0
exit 0
""")
        os.chmod(path, 0o755)
        return path

    def told(self, event):
        path = os.path.join(self.folder, f"told.{event}")
        with open(path, encoding="utf-8") as file:
            return dict(line.rstrip("\n").split("=", 1) for line in file
                        if "=" in line)

    def dhclient(self, *options):
        return self.client.run(
            "dhclient", "-v", "-sf", self.script(),
            "-lf", f"{self.folder}/leases", "-pf", f"{self.folder}/pid",
            *options, "eth0", timeout=40)

    def leased(self, address, state, name):
        wait_until(lambda: f"lease {address} {state} {name}" in self.lines,
                   lambda: f"lease {address} {state} {name}; {self.lines}")

    def dig(self, *question, server="10.20.0.1"):
        return self.client.run("dig", f"@{server}", "+tries=1", "+time=5",
                               *question).stdout

    def dig_tcp(self, *question):
        return self.up.run("dig", "@127.0.0.1", "-p", str(TCP_PORT), "+tcp",
                           "+tries=1", "+time=5", *question).stdout
