"""DHCP, DNS, neighbours and advertisements of a segment, with real clients."""
import os

from lib.netns import wait_until
from lib.segment import Segment
from lib.testing import contains, equal, test


def configure(segment, client_id="-h vm1"):
    with open(f"{segment.folder}/conf", "w", encoding="ascii") as file:
        file.write('send host-name "VM1.example.org";\n'
                   "option classless-routes code 121 = array of unsigned "
                   "integer 8;\n"
                   "request subnet-mask, routers, domain-name, "
                   "domain-name-servers, domain-search, interface-mtu, "
                   "ntp-servers, host-name, classless-routes;\n"
                   "timeout 20;\ninitial-interval 1;\n")
    return ["-cf", f"{segment.folder}/conf"]


@test("dhclient gets a lease with all options, renews and gives it back",
      only="vsw")
def _(lab):
    with Segment(lab) as segment:
        conf = configure(segment)
        segment.dhclient("-4", "-1", *conf)
        told = segment.told("BOUND")
        address = told["new_ip_address"]
        segment.leased(address, "bound", "vm1")
        equal(told["new_routers"], "10.20.0.1", "router")
        equal(told["new_domain_name_servers"], "10.20.0.1", "DNS")
        equal(told["new_domain_name"], "lab", "domain")
        equal(told["new_domain_search"], "lab. example.org.", "search list")
        equal(told["new_interface_mtu"], "1400", "MTU")
        equal(told["new_ntp_servers"], "10.20.0.1", "NTP")
        equal(told["new_host_name"], "vm1", "host name")
        equal(told["new_dhcp_lease_time"], "120", "lease time")
        equal(told["new_classless_routes"],
              "16 10 99 10 20 0 1 0 10 20 0 1", "classless routes")
        segment.client.run("ping", "-c", "2", "-W", "5", "10.20.0.1")
        segment.client.run("ping", "-c", "1", "-W", "5", "-s", "1372",
                           "10.20.0.1")
        # INIT-REBOOT: it asks for what it had
        segment.dhclient("-x", "-4", *conf)
        segment.dhclient("-4", "-1", *conf)
        equal(segment.told("REBOOT")["new_ip_address"], address, "again")
        segment.dhclient("-4", "-r", *conf)
        segment.leased(address, "over", "vm1")


@test("busybox udhcpc gets a lease and releases it at its end", only="vsw")
def _(lab):
    with Segment(lab) as segment:
        client = segment.client.popen(
            "busybox", "udhcpc", "-f", "-R", "-i", "eth0", "-x",
            "hostname:box", "-s", segment.script(), "-O", "bootfile",
            "-t", "5", "-T", "1")
        try:
            wait_until(lambda: os.path.exists(f"{segment.folder}/told.bound"),
                       "udhcpc is bound")
        finally:
            client.terminate()
            client.wait(20)
        told = segment.told("bound")
        equal(told["router"], "10.20.0.1", "router")
        equal(told["dns"], "10.20.0.1", "DNS")
        equal(told["boot_file"], "boot.efi", "boot file")
        segment.leased(told["ip"], "bound", "box")
        segment.leased(told["ip"], "over", "box")


@test("dig is answered for names of leases and for others by the resolver",
      only="vsw")
def _(lab):
    with Segment(lab) as segment:
        segment.dhclient("-4", "-1", *configure(segment))
        address = segment.told("BOUND")["new_ip_address"]
        equal(segment.dig("+short", "vm1.lab").strip(), address, "vm1.lab")
        equal(segment.dig("+short", "VM1").strip(), address, "VM1")
        equal(segment.dig("+short", "-x", address).strip(), "vm1.lab.", "PTR")
        equal(segment.dig("+short", "-x", "10.20.0.1").strip(),
              "gateway.lab.", "PTR of the gateway")
        equal(segment.dig("+short", "gateway.lab", "AAAA").strip(),
              "fd20::1", "AAAA")
        contains(segment.dig("nobody.lab"), "status: NXDOMAIN", "unknown")
        contains(segment.dig("vm1.lab", "MX"), "status: NOERROR", "no MX")
        contains(segment.dig_tcp("lab", "AXFR"), "Transfer failed", "AXFR")
        contains(segment.dig("+edns=1", "+noednsneg", "vm1.lab"), "BADVERS",
                 "EDNS 1")
        equal(segment.resolver.asked, [], "what the resolver was asked")
        equal(segment.dig("+short", "www.example.org").strip(), "192.0.2.7",
              "relayed")
        contains(segment.dig("+ignore", "long.example.org"), " tc ",
                 "too long for UDP")
        equal(len(segment.dig_tcp("+short", "long.example.org").split()), 200,
              "records by TCP")
        equal(segment.dig_tcp("+short", "vm1.lab").strip(), address, "by TCP")
        equal(segment.resolver.asked,
              [("www.example.org", False), ("long.example.org", False),
               ("long.example.org", True)], "what the resolver was asked")
        contains(segment.dig("silent.example.org", "+time=8"), "SERVFAIL",
                 "nobody answers")


@test("a host has an IPv6 address, MTU and resolver by advertisements",
      only="vsw")
def _(lab):
    with Segment(lab) as segment:
        wait_until(lambda: "fd20::5054:ff:fe00:7/64" in segment.client.ip(
            "-6", "addr", "show", "dev", "eth0"), "an address by SLAAC")
        contains(segment.client.ip("-6", "route"), "default via fe80::",
                 "routes")
        wait_until(lambda: "tentative" not in segment.client.ip(
            "-6", "addr", "show", "dev", "eth0"), "the address is usable")
        out = segment.client.run("rdisc6", "-1", "eth0").stdout
        contains(out, "fd20::1", "RDNSS")
        contains(out, "1400", "MTU")
        segment.client.run("ping", "-6", "-c", "2", "-W", "5", "fd20::1")
        equal(segment.dig("+short", "www.example.org",
                          server="fd20::1").strip(), "192.0.2.7", "by IPv6")
        segment.dhclient("-6", "-S", "-1")
        told = segment.told("RENEW6") if os.path.exists(
            f"{segment.folder}/told.RENEW6") else segment.told("BOUND6")
        equal(told["new_dhcp6_name_servers"], "fd20::1", "stateless DHCPv6")
        equal(told["new_dhcp6_domain_search"], "lab.", "domain")
