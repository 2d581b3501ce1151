"""A segment of a real switch, machines in it with real DHCP and DNS clients,
and the host's resolvers, in the switch's namespace."""
import json
import os
import select
import socket
import struct
import threading

from .netns import wait_until
from .switch import column_arguments


def add_segment(lab, name="lab", kind="nat", subnet="10.20.0.0/24", **options):
    """By record commands; dns_forward=... is options:dns-forward."""
    lab.switch.ctl(
        "add-br", name, "--", "--id=@s", "create", "Segment", f"name={name}",
        f"type={kind}", *([f"subnet={subnet}"] if subnet else []),
        *column_arguments({"options": {
            key.replace("_", "-"): f'"{value}"'
            for key, value in options.items()}} if options else {}),
        "--", "set", "Bridge", name, "segment=@s")


def leases(lab):
    """Rows of table Lease, as dicts, by address."""
    out = lab.switch.ctl("--format=json", "--data=bare", "list", "Lease")
    table = json.loads(out)
    rows = [dict(zip(table["headings"], row)) for row in table["data"]]
    return {row["address"]: row for row in rows}


class Machine:
    def __init__(self, lab, name, bridge="lab"):
        self.host = lab.host(name, bridge=bridge)
        self.name = name
        self.folder = os.path.join(lab.directory, name)
        os.makedirs(self.folder, exist_ok=True)

    def run(self, *argv, **kwargs):
        return self.host.run(*argv, **kwargs)

    def script(self):
        """For DHCP clients: keeps what they tell it, sets the address."""
        path = os.path.join(self.folder, "script")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"""#!/bin/sh
env >{self.folder}/told.new
mv {self.folder}/told.new {self.folder}/told.${{reason:-$1}}
ip=${{new_ip_address:-$ip}}
router=${{new_routers:-$router}}
[ -z "$ip" ] || ip addr replace $ip/24 dev eth0
[ -z "$router" ] || ip route replace default via $router
exit 0
""")
        os.chmod(path, 0o755)
        return path

    def told(self, event):
        path = os.path.join(self.folder, f"told.{event}")
        wait_until(lambda: os.path.exists(path), f"{self.name}: {event}")
        with open(path, encoding="utf-8") as file:
            return dict(line.rstrip("\n").split("=", 1) for line in file
                        if "=" in line)

    def dhclient(self, *options, hostname=None):
        """Runs until it is bound; its address."""
        conf = os.path.join(self.folder, "conf")
        with open(conf, "w", encoding="ascii") as file:
            file.write(f'send host-name "{hostname or self.name}";\n'
                       "timeout 20;\ninitial-interval 1;\n")
        self.run("dhclient", "-v", "-4", "-1", "-sf", self.script(), "-cf",
                 conf, "-lf", f"{self.folder}/leases", "-pf",
                 f"{self.folder}/pid", *options, "eth0", timeout=40)
        if "-r" in options or "-x" in options:
            return None
        path = "BOUND" if os.path.exists(
            f"{self.folder}/told.BOUND") else "REBOOT"
        return self.told(path)["new_ip_address"]

    def dig(self, *question, server="10.20.0.1"):
        return self.run("dig", f"@{server}", "+tries=1", "+time=5",
                        *question, check=False).stdout

    def short(self, *question, **kwargs):
        return self.dig("+short", *question, **kwargs).strip()


class HostResolver:
    """Answers A with `answer`; by UDP cuts off what is named long.*; big.*
    fills a datagram with as many records as a query's EDNS size takes; does
    not answer silent.*."""

    def __init__(self, namespace, ip="127.0.0.1", answer="192.0.2.7",
                 port=53):
        self.asked = []
        self.data = socket.inet_aton(answer)
        self.lock = threading.Lock()
        with namespace.entered():
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            self.udp.bind((ip, port))
            self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.tcp.bind((ip, port))
            self.tcp.listen(64)
        self.stopping = False
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def answer(self, query, by_tcp):
        name, at = [], 12
        while query[at]:
            name.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        question = query[12:at + 5]
        self.asked.append((".".join(name), by_tcp))
        if name[0] == "silent":
            return None
        many = name[0] in ("long", "big")
        cut = name[0] == "long" and not by_tcp
        count = 0 if cut else 200 if many else 1
        records = b"".join(
            b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) +
            self.data[:3] + bytes([(self.data[3] + i) % 256])
            for i in range(count))
        flags = 0x8180 | (0x0200 if cut else 0)
        return (query[:2] + struct.pack("!HHHHH", flags, 1, count, 0, 0) +
                question + records)

    def serve(self):
        while not self.stopping:
            ready, _, _ = select.select([self.udp, self.tcp], [], [], 0.1)
            if self.udp in ready:
                query, peer = self.udp.recvfrom(4096)
                if (answer := self.answer(query, False)) is not None:
                    self.udp.sendto(answer, peer)
            if self.tcp in ready:
                with self.tcp.accept()[0] as peer:
                    peer.settimeout(5)
                    query = peer.recv(4096)
                    answer = self.answer(query[2:], True)
                    peer.sendall(struct.pack("!H", len(answer)) + answer)

    def stop(self):
        self.stopping = True
        self.thread.join()
        self.udp.close()
        self.tcp.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def write_resolv_conf(lab, *servers, name="resolv.conf"):
    """Replaces it as hosts do; its path."""
    path = os.path.join(lab.directory, name)
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write("# the host's\n" +
                   "".join(f"nameserver {s}\n" for s in servers))
    os.rename(path + ".new", path)
    return path
