"""What guarded ports' machines may not say: ARP and neighbor discovery of
others' addresses, DHCP servers' messages, routers'; and what DHCP leases them.
"""
import os
import signal
import socket
import struct

from lib.frame import BROADCAST, Frame, mac_bytes
from lib.netns import wait_until
from lib.segment_vm import Machine, add_segment
from lib.testing import contains, equal, test

ARP, IPV4, IPV6, VLAN = 0x0806, 0x0800, 0x86dd, 0x8100
ALL_NODES = "33:33:00:00:00:01"


def ethernet(dst, src, ethertype, payload):
    data = mac_bytes(dst) + mac_bytes(src) + struct.pack("!H", ethertype)
    return Frame((data + payload).ljust(60, b"\0"))


def ip4(text):
    return socket.inet_pton(socket.AF_INET, text)


def ip6(text):
    return socket.inet_pton(socket.AF_INET6, text)


def arp(src, sender, sender_ip, target_ip, operation=2, dst=BROADCAST):
    return ethernet(dst, src, ARP, struct.pack(
        "!HHBBH", 1, IPV4, 6, 4, operation) + mac_bytes(sender) +
        ip4(sender_ip) + bytes(6) + ip4(target_ip))


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def icmp6(dst_mac, src_mac, src, dst, message, extension=b""):
    """A message without its checksum, behind an extension header or none."""
    pseudo = ip6(src) + ip6(dst) + struct.pack("!IxxxB", len(message), 58)
    message = message[:2] + struct.pack(
        "!H", checksum(pseudo + message[:2] + b"\0\0" + message[4:])) + \
        message[4:]
    head = struct.pack("!IHBB", 6 << 28, len(extension) + len(message),
                       60 if extension else 58, 255)
    return ethernet(dst_mac, src_mac, IPV6,
                    head + ip6(src) + ip6(dst) + extension + message)


def advertisement(src_mac, src, target, mac, dst_mac=ALL_NODES,
                  dst="ff02::1"):
    """A neighbor advertisement with the override flag."""
    return icmp6(dst_mac, src_mac, src, dst,
                 struct.pack("!BBHI", 136, 0, 0, 0x20000000) + ip6(target) +
                 b"\2\1" + mac_bytes(mac))


def router_advertisement(src_mac, src, prefix, extension=b""):
    return icmp6(ALL_NODES, src_mac, src, "ff02::1", struct.pack(
        "!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + b"\1\1" +
        mac_bytes(src_mac) + struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 3600,
                                         3600, 0) + ip6(prefix), extension)


def link_local(mac):
    parts = bytearray(mac_bytes(mac))
    parts[0] ^= 2
    parts[3:3] = b"\xff\xfe"
    return socket.inet_ntop(socket.AF_INET6, ip6("fe80::")[:8] + bytes(parts))


def drops(lab, port):
    return {row["reason"]: row["packets"]
            for row in lab.switch.command("drops", port)}


def guard(lab, port, **keys):
    lab.switch.ctl("set", "Port", port, *(
        f'other_config:{key.replace("_", "-")}="{value}"'
        for key, value in keys.items()))


def dropped(lab, port, reason, n):
    wait_until(lambda: drops(lab, port).get(reason, 0) >= n,
               lambda: f"{n} {reason} at {port}: {drops(lab, port)}")
    equal(drops(lab, port)[reason], n, reason)


def neighbors(host, address):
    out = host.run("ip", "neigh", "show", address).stdout
    return out.split("lladdr ")[1].split()[0] if "lladdr" in out else None


@test("a machine that claims another's IPv4 address by ARP is not heard",
      only="vsw")
def _(lab):
    lab.start()
    a = lab.host("a", "10.0.0.1/24")
    b = lab.host("b", "10.0.0.2/24")
    lab.ports({"evil": {}})
    evil = lab.peers["evil"].mac
    guard(lab, "evil", allowed_macs=evil, forged_transmits="reject",
          allowed_ips="10.0.0.66", promiscuous="accept")
    a.must_ping(b.ip)
    b_mac = b.mac
    equal(neighbors(a, b.ip), b_mac, "b's MAC at a")
    lab.send("evil",
             arp(evil, evil, b.ip, a.ip, dst=a.mac),
             arp(evil, evil, b.ip, b.ip, operation=1),
             arp(evil, b_mac, "10.0.0.66", a.ip),
             arp(b_mac, b_mac, b.ip, a.ip),
             arp(evil, evil, "0.0.0.0", b.ip, operation=1))
    dropped(lab, "evil", "spoofed-arp", 4)
    dropped(lab, "evil", "forged-source", 1)
    equal(neighbors(a, b.ip), b_mac, "b's MAC at a")
    # Its own it may say, also as a probe.
    lab.send("evil", arp(evil, evil, "0.0.0.0", "10.0.0.66", operation=1),
             arp(evil, evil, "10.0.0.66", a.ip, operation=1))
    wait_until(lambda: neighbors(a, "10.0.0.66") == evil,
               "the address that is its own is heard of")
    equal(drops(lab, "evil")["spoofed-arp"], 4, "spoofed-arp")
    shown = lab.switch.command("guard/show", "evil")[0]
    equal(shown["violations"], {"spoofed-arp": 4, "forged-source": 1},
          "violations")
    contains(lab.switch.vsw_ctl("guard/show").stdout, "IPs 10.0.0.66",
             "guard/show")


@test("a machine that claims another's IPv6 address by ND is not heard",
      only="vsw")
def _(lab):
    lab.start()
    a = lab.host("a", "fd00::1/64")
    b = lab.host("b", "fd00::2/64")
    lab.ports({"evil": {}})
    evil = lab.peers["evil"].mac
    own = link_local(evil)
    guard(lab, "evil", allowed_macs=evil, forged_transmits="reject",
          allowed_ips="fd00::66", promiscuous="accept")
    a.must_ping(b.ip6)
    b_mac = b.mac
    equal(neighbors(a, b.ip6), b_mac, "b's MAC at a")
    to_a = {"dst_mac": a.mac, "dst": a.ip6}
    lab.send("evil",
             advertisement(evil, own, b.ip6, evil, **to_a),
             advertisement(evil, b.ip6, b.ip6, evil),
             advertisement(evil, "fd00::66", "fd00::66", b_mac),
             advertisement(evil, link_local(b_mac), "fd00::66", evil))
    dropped(lab, "evil", "spoofed-nd", 4)
    equal(neighbors(a, b.ip6), b_mac, "b's MAC at a")
    lab.send("evil", icmp6(
        a.mac, evil, "fd00::66", a.ip6,
        struct.pack("!BBHI", 135, 0, 0, 0) + ip6(a.ip6) + b"\1\1" +
        mac_bytes(evil)))
    wait_until(lambda: neighbors(a, "fd00::66") == evil,
               "the address that is its own is heard of")
    equal(drops(lab, "evil")["spoofed-nd"], 4, "spoofed-nd")


def addresses(host):
    out = host.run("ip", "-6", "-o", "addr", "show", "dev", "eth0", "scope",
                   "global").stdout
    return [line.split()[3] for line in out.splitlines()]


@test("a rogue router is not heard, hidden as it may be", only="vsw")
def _(lab):
    lab.start()
    lab.ports({"evil": {}, "router": {}})
    host = lab.host("a", "fd00::1/64")
    host.namespace.sysctl("ipv6/conf/eth0/accept_ra", 2)
    host.namespace.sysctl("ipv6/conf/eth0/autoconf", 1)
    evil, router = lab.peers["evil"].mac, lab.peers["router"].mac
    guard(lab, "evil", router_guard="true")
    plain = router_advertisement(evil, link_local(evil), "fd66::")
    behind = router_advertisement(evil, link_local(evil), "fd67::",
                                  b"\x3a\0\1\4" + bytes(4))
    far = router_advertisement(evil, link_local(evil), "fd68::",
                               b"\x3a\7\1\x3c" + bytes(60))
    tagged = Frame(plain[:12] + struct.pack("!HH", VLAN, 0) * 2 + plain[12:])
    snap = Frame(plain[:12] + struct.pack("!H", len(plain) - 14 + 8) +
                 b"\xaa\xaa\3\0\0\0" + plain[12:])
    lab.send("evil", plain, behind, tagged, snap, far)
    dropped(lab, "evil", "router", 4)
    dropped(lab, "evil", "uninspected", 1)
    # The real one is.
    lab.send("router", router_advertisement(router, link_local(router),
                                            "fd99::"))
    wait_until(lambda: any(ip.startswith("fd99:") for ip in addresses(host)),
               lambda: f"an address of the router's prefix: {addresses(host)}")
    assert not [ip for ip in addresses(host) if ip[:4] in
                ("fd66", "fd67", "fd68")], addresses(host)
    # Whoever is not guarded is believed: it was the guard that kept it away.
    lab.switch.ctl("remove", "Port", "evil", "other_config", "router-guard")
    lab.send("evil", plain)
    wait_until(lambda: any(ip.startswith("fd66:") for ip in addresses(host)),
               "an address of the other's prefix")


def dhcp_server(lab, name, first, last, lease=3600):
    """busybox's, at the host of that name; the network is 10.9.0.0/24."""
    host = lab.hosts[name]
    base = os.path.join(lab.directory, f"udhcpd.{name}")
    with open(base, "w", encoding="ascii") as file:
        file.write(f"start {first}\nend {last}\ninterface eth0\n"
                   f"lease_file {base}.leases\npidfile {base}.pid\n"
                   f"min_lease 1\noption subnet 255.255.255.0\n"
                   f"option lease {lease}\n")
    with open(base + ".leases", "w", encoding="ascii"):
        pass
    lab.spawn(host.namespace, "busybox", "udhcpd", "-f", base)


def client(lab, *options):
    """busybox's, which sets the address that it is given."""
    script = os.path.join(lab.directory, "udhcpc.script")
    with open(script, "w", encoding="ascii") as file:
        file.write(f"#!/bin/sh\n[ \"$1\" != bound ] || {{\n"
                   f"ip addr flush dev eth0 scope global\n"
                   f"ip addr add $ip/24 dev eth0\n"
                   f"echo >{script}.bound; }}\nexit 0\n")
    os.chmod(script, 0o755)
    return ["busybox", "udhcpc", "-i", "eth0", "-f", "-T", "1", "-A", "1",
            "-s", script, *options], script + ".bound"


def udhcpc(lab, name, tries=20):
    """The address that a client at that host is given, or None."""
    argv, _ = client(lab, "-n", "-q", "-t", str(tries))
    lab.hosts[name].run(*argv, check=False, timeout=40)
    out = lab.hosts[name].run("ip", "-4", "-o", "addr", "show", "dev", "eth0",
                              "scope", "global").stdout
    return out.split("inet ")[1].split("/")[0] if "inet " in out else None


def bind_and_release(lab, name):
    argv, bound = client(lab)
    if os.path.exists(bound):
        os.unlink(bound)
    process = lab.spawn(lab.hosts[name].namespace, *argv)
    wait_until(lambda: os.path.exists(bound), "the client is bound")
    process.send_signal(signal.SIGUSR2)


@test("a rogue DHCP server gets no client", only="vsw")
def _(lab):
    lab.start()
    lab.host("evil", "10.9.0.66/24")
    lab.host("vm")
    guard(lab, "evil", dhcp_guard="true")
    dhcp_server(lab, "evil", "10.9.0.200", "10.9.0.210")
    equal(udhcpc(lab, "vm", tries=4), None, "the rogue's lease")
    assert drops(lab, "evil").get("dhcp-server", 0) >= 1, drops(lab, "evil")
    lab.host("server", "10.9.0.1/24")
    dhcp_server(lab, "server", "10.9.0.100", "10.9.0.110")
    contains(udhcpc(lab, "vm"), "10.9.0.1", "the server's lease")


@test("a machine may use what DHCP leases it, and keeps that over a restart",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    server = lab.host("server", "10.9.0.1/24")
    dhcp_server(lab, "server", "10.9.0.100", "10.9.0.110")
    vm = lab.host("vm")
    guard(lab, "vm", allowed_macs=vm.mac, forged_transmits="reject",
          allowed_ips="dhcp")
    # One that it takes for itself gets it nowhere.
    vm.namespace.ip("addr", "add", "10.9.0.66/24", "dev", "eth0")
    assert not vm.ping(server.ip), "an address that was not leased"
    vm.namespace.ip("addr", "flush", "dev", "eth0", "scope", "global")
    address = udhcpc(lab, "vm")
    contains(address, "10.9.0.1", "the lease")
    vm.must_ping(server.ip)
    shown = lab.switch.command("guard/show", "vm")[0]
    equal([lease["ip"] for lease in shown["leases"]], [address], "leases")
    assert 3000000 < shown["leases"][0]["left-ms"] <= 3600000, shown
    assert shown["violations"]["spoofed-arp"] >= 1, shown
    contains(lab.switch.vsw_ctl("guard/show", "vm").stdout,
             f"leased {address} to", "guard/show")
    lab.switch.stop()
    lab.switch.start()
    vm.must_ping(server.ip)
    # A change of the configuration takes nothing away, its end does.
    lab.switch.ctl("set", "Port", "vm", "other_config:dhcp-guard=true")
    vm.must_ping(server.ip)
    bind_and_release(lab, "vm")
    wait_until(lambda: not lab.switch.command("guard/show", "vm")[0]["leases"],
               "the lease is given back")
    assert not vm.ping(server.ip), "an address that was given back"


@test("a segment's machine may use what its gateway leases it", only="vsw")
def _(lab):
    lab.start(monitor=False)
    add_segment(lab)
    vm = Machine(lab, "vm1")
    guard(lab, "vm1", allowed_macs=vm.host.mac, forged_transmits="reject",
          allowed_ips="dhcp", dhcp_guard="true", router_guard="true")
    address = vm.dhclient()
    vm.run("ping", "-c", "1", "-W", "5", "10.20.0.1")
    shown = lab.switch.command("guard/show", "vm1")[0]
    equal([lease["ip"] for lease in shown["leases"]], [address], "leases")
    vm.dhclient("-r")
    wait_until(lambda: not lab.switch.command("guard/show",
                                              "vm1")[0]["leases"],
               "the lease is given back")
