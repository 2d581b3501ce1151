"""A segment's gateway in a running switch: real clients on its bridge."""
import os

import socket


from lib.netns import wait_until
from lib.testing import contains, equal, test

GATEWAY, GATEWAY6 = "10.20.0.1", "fd20::1"


def start(lab, *settings):
    lab.start()
    lab.switch.vsw_ctl("add-segment", "lab", "internal", "10.20.0.0/24",
                       "fd20::/64", *settings)
    return lab


def show(lab):
    return lab.switch.command("segment/show", "lab")[0]


def fixed(lab, name, last):
    """A machine with addresses of its own."""
    host = lab.host(name, f"10.20.0.{last}/24", f"fd20::{last}/64",
                    bridge="lab")
    host.run("ip", "route", "add", "default", "via", GATEWAY)
    host.run("ip", "-6", "route", "add", "default", "via", GATEWAY6)
    return host


def script(lab):
    """For DHCP clients: sets the address and keeps what they were told."""
    path = os.path.join(lab.directory, "script")
    with open(path, "w", encoding="ascii") as file:
        file.write(f"""#!/bin/sh
env >{lab.directory}/told.${{reason:-$1}}
[ -z "$new_ip_address" ] || ip addr replace $new_ip_address/24 dev eth0
[ "$1" != bound ] || ip addr replace $ip/24 dev eth0
exit 0
""")
    os.chmod(path, 0o755)
    return path


def dhclient(lab, host, *options):
    host.run("dhclient", "-sf", script(lab), "-lf",
             f"{lab.directory}/leases", "-pf", f"{lab.directory}/pid",
             *options, "eth0", timeout=40)
    with open(f"{lab.directory}/told.BOUND", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split("=", 1) for line in file
                    if "=" in line)


@test("the gateway answers pings by IPv4 and IPv6, and machines reach others",
      only="vsw")
def _(lab):
    start(lab)
    a, b = fixed(lab, "a", 21), fixed(lab, "b", 22)
    for address in (GATEWAY, GATEWAY6, b.ip, b.ip6):
        a.must_ping(address)
    a.must_ping(GATEWAY, size=1472)
    b.must_ping(GATEWAY)
    shown = show(lab)
    equal(shown["error"], None, "error")
    equal(shown["gateway"], GATEWAY, "gateway")
    mac = bytearray(bytes.fromhex(shown["mac"].replace(":", "")))
    mac[0] ^= 2
    a.must_ping(f"fe80::{mac[0]:02x}{mac[1]:02x}:{mac[2]:02x}ff:"
                f"fe{mac[3]:02x}:{mac[4]:02x}{mac[5]:02x}%eth0")
    contains(lab.switch.app("segment/neighbors", "lab"), a.mac, "neighbors")
    contains(lab.switch.app("segment/show"), "subnet: 10.20.0.0/24", "text")
    # Its own port is shown by name, wherever ports are.
    entries = lab.switch.command("fdb/show", "lab")
    equal([e["port"] for e in entries if e["mac"] == shown["mac"]],
          ["lab.gw"], "port of the gateway's MAC")
    contains(lab.switch.app("port/stats", "lab.gw"), "lab.gw", "port/stats")
    # And in no row.
    assert "lab.gw" not in lab.switch.ctl("list-ports", "lab")


@test("dhclient, udhcpc and advertisements configure machines", only="vsw")
def _(lab):
    start(lab)
    vm1, vm2 = lab.host("vm1", bridge="lab"), lab.host("vm2", bridge="lab")
    told = dhclient(lab, vm1, "-4", "-1")
    equal(told["new_domain_name_servers"], GATEWAY, "DNS")
    vm1.must_ping(GATEWAY)
    client = lab.spawn(vm2.namespace, "busybox", "udhcpc", "-f", "-i", "eth0",
                       "-s", script(lab), "-t", "10", "-T", "1")
    wait_until(lambda: os.path.exists(f"{lab.directory}/told.bound"),
               "udhcpc is bound")
    vm2.must_ping(GATEWAY)
    leases = {lease["mac"]: lease for lease in show(lab)["leases"]}
    equal(leases[vm1.mac]["address"], told["new_ip_address"], "lease")
    equal(leases[vm1.mac]["port"], "vm1", "port of the lease")
    equal(len(leases), 2, "leases")
    wait_until(lambda: "RDNSS" in vm1.run(
        "rdisc6", "-1", "eth0", check=False).stdout or
        "fd20::" in vm1.run("rdisc6", "-1", "eth0", check=False).stdout,
        "an advertisement")
    wait_until(lambda: "fd20::" in vm1.namespace.ip(
        "-6", "addr", "show", "dev", "eth0"), "an address by SLAAC")
    vm1.must_ping(GATEWAY6)
    client.terminate()


def icmp_errors(host, send, count=1):
    """[(type, code, sender)] of what comes back for what send() sends."""
    with host.namespace.entered():
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW,
                             socket.IPPROTO_ICMP)
    seen = []
    with sock:
        sock.settimeout(20)
        send()
        while len(seen) < count:
            data, peer = sock.recvfrom(2048)
            if data[20] not in (0, 8):
                seen.append((data[20], data[21], peer[0]))
    return seen


def datagram(host, to, port, ttl=64, size=8):
    def send():
        with host.namespace.entered():
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sock:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
            sock.sendto(bytes(size), (to, port))
    return send


@test("what the gateway cannot forward or does not serve is answered by ICMP "
      "errors and resets", only="vsw")
def _(lab):
    start(lab)
    a = fixed(lab, "a", 21)
    a.must_ping(GATEWAY)
    equal(icmp_errors(a, datagram(a, GATEWAY, 4444)), [(3, 3, GATEWAY)],
          "port unreachable")
    error = icmp_errors(a, datagram(a, "192.0.2.1", 4444))[0]
    equal((error[0], error[2]), (3, GATEWAY), "no way out")
    with a.namespace.entered():
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock6 = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    with sock, sock6:
        sock.settimeout(20)
        sock6.settimeout(20)
        equal(sock.connect_ex((GATEWAY, 4444)), 111, "refused")
        equal(sock6.connect_ex((GATEWAY6, 4444)), 111, "refused by IPv6")
    # Not more than so many at once, however many ask.
    for _ in range(300):
        datagram(a, GATEWAY, 4444)()
    a.must_ping(GATEWAY)


@test("the way through a gateway with an uplink: TTL, path MTU, next hops",
      only="vsw")
def _(lab):
    lab.start()
    outside = lab.host("ext", "198.51.100.2/24")
    lab.switch.vsw_ctl("add-segment", "lab", "nat", "10.20.0.0/24",
                       "outside=br0", "outside-address=198.51.100.1/24",
                       "outside-gateway=198.51.100.2", "outside-mtu=1400")
    a = lab.host("a", "10.20.0.21/24", bridge="lab")
    a.run("ip", "route", "add", "default", "via", GATEWAY)
    # The first packet waits for the next hop's MAC, and is not lost.
    assert a.ping(outside.ip, wait=10), "the first ping"
    equal(icmp_errors(a, datagram(a, outside.ip, 4444, ttl=1)),
          [(11, 0, GATEWAY)], "time exceeded")
    equal(icmp_errors(a, datagram(a, outside.ip, 4444, ttl=2)),
          [(3, 3, outside.ip)], "behind the gateway")
    out = a.run("ping", "-n", "-c", "1", "-M", "do", "-s", "1372", "-W", "5",
                outside.ip)
    out = a.run("ping", "-n", "-c", "1", "-M", "do", "-s", "1373", "-W", "5",
                outside.ip, check=False).stdout
    contains(out, "mtu = 1400", "ping")
    a.run("ping", "-n", "-c", "1", "-M", "dont", "-s", "4000", "-W", "5",
          outside.ip)
    # Nobody has that address: the machine hears of it, through the NAT.
    equal(icmp_errors(a, datagram(a, "198.51.100.77", 4444)),
          [(3, 1, GATEWAY)], "host unreachable")
    shown = show(lab)
    equal(shown["uplink"]["addresses"], ["198.51.100.1/24"], "outside")
    equal([n["mac"] for n in lab.switch.command("segment/neighbors", "lab")
           if n["side"] == "outside" and n["state"] != "failed"],
          [outside.mac], "neighbors outside")
    contains(lab.switch.app("segment/show"), "outside: br0", "text")
    # Other threads, another table of MACs: all goes on.
    lab.switch.ctl("set", "Open_vSwitch", ".", "other_config:n-workers=3",
                   "--", "set", "Bridge", "lab",
                   "other_config:mac-table-size=512")
    assert a.ping(outside.ip, wait=10), "with other workers"
    lab.switch.ctl("set", "Open_vSwitch", ".", "other_config:n-workers=1")
    assert a.ping(outside.ip, wait=10), "with one worker again"


@test("a segment's outside changes live, and its uplink's bridge comes and "
      "goes", only="vsw")
def _(lab):
    lab.start()
    outside = lab.host("ext", "198.51.100.2/24")
    lab.switch.vsw_ctl("add-segment", "lab", "nat", "10.20.0.0/24")
    a = lab.host("a", "10.20.0.21/24", bridge="lab")
    a.run("ip", "route", "add", "default", "via", GATEWAY)
    a.must_ping(GATEWAY)
    for _ in range(3):
        lab.switch.vsw_ctl("set-segment", "lab", "outside=br0",
                           "outside-address=198.51.100.1/24")
        assert a.ping(outside.ip, wait=10), "by the uplink"
        # What was the way out is none any more, and a lease stays one.
        lab.switch.vsw_ctl("set-segment", "lab", "outside=host",
                           "outside-address=")
        assert not a.ping(outside.ip), "by the host, which has no such net"
        assert a.ping(GATEWAY, wait=10), "the gateway"
    lab.switch.vsw_ctl("set-segment", "lab", "outside=br0",
                       "outside-address=198.51.100.1/24")
    lab.switch.ctl("del-br", "br0")
    contains(show(lab)["error"], "no such bridge", "error")
    lab.switch.ctl("add-br", "br0", "--", "add-port", "br0", "ext")
    assert a.ping(outside.ip, wait=10), "by the uplink's new bridge"
    equal(show(lab)["error"], None, "error")


def arp(mac, sender, target, operation=1):
    mac = bytes.fromhex(mac.replace(":", ""))
    return (b"\xff" * 6 + mac + bytes.fromhex("08060001080006040001")[:-1] +
            bytes([operation]) + mac + socket.inet_aton(sender) + bytes(6) +
            socket.inet_aton(target)).ljust(60, b"\0")


@test("a machine that sends with the gateway's MAC gets nothing of others' "
      "packets, and who claims its address is reported", only="vsw")
def _(lab):
    start(lab)
    a, b = fixed(lab, "a", 21), fixed(lab, "b", 22)
    a.must_ping(GATEWAY)
    mac = show(lab)["mac"]
    with b.namespace.packet_socket("eth0") as sock:
        for _ in range(50):
            sock.send(arp(mac, "10.20.0.22", "10.20.0.23"))
            assert a.ping(GATEWAY, wait=5), "the gateway is still there"
        sock.send(arp(b.mac, GATEWAY, GATEWAY))
    port = [e["port"] for e in lab.switch.command("fdb/show", "lab")
            if e["mac"] == mac]
    equal(port, ["lab.gw"], "where the gateway's MAC is")
    wait_until(lambda: show(lab)["conflict"], "the claim is reported")
    contains(show(lab)["conflict"], "the gateway itself", "conflict")


@test("two machines with one address are told apart and reported",
      only="vsw")
def _(lab):
    start(lab)
    a, b = fixed(lab, "a", 21), fixed(lab, "b", 22)
    a.must_ping(GATEWAY)
    with b.namespace.packet_socket("eth0") as sock:
        sock.send(arp(b.mac, a.ip, GATEWAY))
        wait_until(lambda: show(lab)["conflict"], "the claim is reported")
        for _ in range(10):
            sock.send(arp(b.mac, a.ip, GATEWAY))
    conflict = show(lab)["conflict"]
    for part in (f"{a.mac} at port a", f"{b.mac} at port b", a.ip):
        contains(conflict, part, "conflict")
    assert a.ping(GATEWAY, wait=5)
    lines = {line for line in lab.switch.log_text().splitlines()
             if "two machines claim" in line}
    equal(len(lines), 1, "lines of log")


@test("a segment's settings change live: leases and neighbors stay",
      only="vsw")
def _(lab):
    start(lab)
    vm1 = lab.host("vm1", bridge="lab")
    told = dhclient(lab, vm1, "-4", "-1")
    vm1.must_ping(GATEWAY)
    before = show(lab)
    # Another MTU and domain: not one ping is lost.
    pings = lab.spawn(vm1.namespace, "ping", "-n", "-i", "0.02", "-c", "200",
                      GATEWAY, stdout=-1, text=True)
    for domain in ("one", "two", "three"):
        lab.switch.vsw_ctl("set-segment", "lab", f"domain={domain}",
                           f"lease-time={600 + len(domain)}")
    out = pings.communicate(timeout=40)[0]
    contains(out, " 0% packet loss", "pings")
    equal(show(lab)["leases"][0]["address"], told["new_ip_address"], "lease")
    # Another address of the gateway; the old one is nobody's.
    lab.switch.vsw_ctl("set-segment", "lab", "address=10.20.0.254")
    vm1.must_ping("10.20.0.254")
    assert not vm1.ping(GATEWAY)
    equal([lease["mac"] for lease in show(lab)["leases"]],
          [lease["mac"] for lease in before["leases"]], "leases")
    # Isolated: the gateway only.
    vm2 = fixed(lab, "b", 22)
    vm2.must_ping(told["new_ip_address"])
    lab.switch.vsw_ctl("set-segment", "lab", "isolated=true")
    vm2.must_ping("10.20.0.254")
    assert not vm2.ping(told["new_ip_address"])
    # And gone: the bridge goes with it.
    lab.switch.vsw_ctl("del-segment", "lab")
    equal(lab.switch.app("segment/show"), "", "segments")
    assert "lab.gw" not in lab.switch.app("port/stats")


@test("interfaces of the gateway's types in rows are refused", only="vsw")
def _(lab):
    lab.start()
    for kind in ("gateway", "hostnet"):
        lab.switch.ctl("add-port", "br0", f"p-{kind}", "--", "set",
                       "Interface", f"p-{kind}", f"type={kind}", check=False)
        contains(lab.switch.get("Interface", f"p-{kind}", "error"),
                 "made by segments only", "error")


@test("an idle segment costs no time", only="vsw")
def _(lab):
    start(lab, "ra=false")
    a = fixed(lab, "a", 21)
    a.must_ping(GATEWAY)

    def ticks():
        with open(f"/proc/{lab.switch.process.pid}/stat",
                  encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    # Machines that the test runs on are busy with others: the least of some.
    least = 100
    for _ in range(5):
        before = ticks()
        a.namespace.run("sleep", "1")
        least = min(least, ticks() - before)
    assert least <= 1, f"{least} ticks in a second without packets"
