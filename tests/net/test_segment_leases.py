"""Leases of a segment: with real clients, in the database, over a restart."""
import json

from lib.netns import wait_until
from lib.segment_vm import Machine, add_segment, leases
from lib.testing import contains, equal, test


def start(lab, **options):
    lab.start(monitor=False)
    add_segment(lab, **options)


def leased(lab, address, state="bound", **columns):
    def fits():
        row = leases(lab).get(address)
        return row if row and row["state"] == state else None
    row = wait_until(fits, lambda: f"{address} {state}: {leases(lab)}")
    for column, value in columns.items():
        equal(row[column], value, f"{address}: {column}")
    return row


@test("dhclient's lease is a row, that is over when it is given back",
      only="vsw")
def _(lab):
    start(lab)
    vm = Machine(lab, "vm1")
    address = vm.dhclient()
    leased(lab, address, hostname="vm1", interface="vm1", mac=vm.host.mac)
    told = vm.told("BOUND")
    equal(told["new_routers"], "10.20.0.1", "router")
    equal(told["new_domain_name_servers"], "10.20.0.1", "DNS")
    equal(told["new_dhcp_lease_time"], "3600", "lease time")
    vm.run("ping", "-c", "1", "-W", "5", "10.20.0.1")
    vm.dhclient("-r")
    leased(lab, address, "over", hostname="vm1")
    equal(vm.dhclient(), address, "the same again")
    leased(lab, address)


@test("leases outlive SIGTERM and kill -9, and are their clients' again",
      only="vsw")
def _(lab):
    start(lab, dhcp_range="10.20.0.100-10.20.0.109")
    first, second = Machine(lab, "vm1"), Machine(lab, "vm2")
    addresses = [first.dhclient(), second.dhclient()]
    before = [leased(lab, a) for a in addresses]
    lab.switch.stop()
    lab.switch.start()
    wait_until(lambda: set(leases(lab)) >= set(addresses), "the rows")
    equal(first.short("vm2.lab"), addresses[1], "vm2's name at once")
    for address, row in zip(addresses, before):
        now = leased(lab, address)
        equal({**now, "_uuid": 0}, {**row, "_uuid": 0}, "the row")
    lab.switch.kill()
    lab.switch.start()
    wait_until(lambda: first.short("vm2.lab") == addresses[1],
               "vm2's name after kill -9")
    # a third does not get what another has
    third = Machine(lab, "vm3")
    assert third.dhclient() not in addresses, "another's address"
    first.dhclient("-x")
    equal(first.dhclient(), addresses[0], "what vm1 had")
    equal(len(leases(lab)), 3, "rows")


@test("a segment that is deleted takes its leases with it", only="vsw")
def _(lab):
    start(lab)
    add_segment(lab, "other", subnet="10.30.0.0/24")
    leased(lab, Machine(lab, "vm1").dhclient())
    kept = Machine(lab, "vm2", bridge="other").dhclient()
    leased(lab, kept)
    lab.switch.ctl("del-br", "lab")
    wait_until(lambda: set(leases(lab)) == {kept}, "the other's row only")


@test("a static lease is given, its name known before and after", only="vsw")
def _(lab):
    start(lab)
    vm = Machine(lab, "vm1")
    uuid = lab.switch.ctl("get", "Bridge", "lab", "segment")
    lab.switch.ctl("set", "Segment", uuid,
                   f'static_leases:"{vm.host.mac}"="10.20.0.77,printer"')
    other = Machine(lab, "vm2")
    other.dhclient()
    equal(other.short("printer.lab"), "10.20.0.77", "before it is leased")
    equal(other.short("-x", "10.20.0.77"), "printer.lab.", "reverse")
    equal(vm.dhclient(), "10.20.0.77", "the static lease")
    leased(lab, "10.20.0.77", interface="vm1")
    equal(other.short("printer.lab"), "10.20.0.77", "while it is leased")


@test("renewals that change little are not written", only="vsw")
def _(lab):
    start(lab, lease_time=3600)
    vm = Machine(lab, "vm1")
    address = vm.dhclient()
    expires = leased(lab, address)["expires"]
    for _ in range(3):
        vm.dhclient("-x")
        equal(vm.dhclient(), address, "the address")
    equal(leased(lab, address)["expires"], expires, "the end, as it was told")


@test("a row that somebody removes comes back while the lease lives",
      only="vsw")
def _(lab):
    start(lab)
    vm = Machine(lab, "vm1")
    address = vm.dhclient()
    leased(lab, address)
    uuid = lab.switch.ctl("get", "Bridge", "lab", "segment")
    lab.switch.ctl("clear", "Segment", uuid, "leases")
    equal(leases(lab), {}, "no rows")
    vm.dhclient("-r")
    leased(lab, address, "over")


@test("busybox udhcpc and dhcpcd get leases with their names", only="vsw")
def _(lab):
    start(lab)
    box, cpcd = Machine(lab, "vm1"), Machine(lab, "vm2")
    client = lab.spawn(box.host.namespace, "busybox", "udhcpc", "-f", "-R",
                       "-i", "eth0", "-x", "hostname:box", "-s", box.script(),
                       "-t", "5", "-T", "1")
    address = box.told("bound")["ip"]
    leased(lab, address, hostname="box")
    cpcd.run("dhcpcd", "-4", "-1", "-t", "20", "--noipv4ll", "-A",
             "--hostname=cpcd", "-c", cpcd.script(), "-f", "/dev/null",
             "eth0", timeout=40)
    row = wait_until(lambda: next((r for r in leases(lab).values()
                                   if r["hostname"] == "cpcd"), None),
                     lambda: f"dhcpcd's lease: {leases(lab)}")
    equal(row["interface"], "vm2", "interface")
    equal(box.short("cpcd.lab"), row["address"], "its name")
    client.terminate()
    client.wait(10)
    leased(lab, address, "over")


# What it writes goes to a folder that only it sees; where /sys cannot be
# written it does not wait for udev, as in a container.
NETWORKD = """
mount -o remount,ro /sys
mkdir -p /run/systemd
mount -t tmpfs none /run/systemd
mkdir -p /run/systemd/network /run/systemd/netif
chown systemd-network: /run/systemd/netif
printf '[Match]\nName=eth0\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no
[DHCPv4]\nHostname=netd\n' >/run/systemd/network/10-eth0.network
exec /lib/systemd/systemd-networkd
"""


@test("systemd-networkd gets a lease and a way out", only="vsw")
def _(lab):
    start(lab)
    vm = Machine(lab, "vm1")
    lab.spawn(vm.host.namespace, "unshare", "-m", "sh", "-c", NETWORKD)
    row = wait_until(lambda: next((r for r in leases(lab).values()
                                   if r["hostname"] == "netd"), None),
                     lambda: f"networkd's lease: {leases(lab)}")
    wait_until(lambda: f"{row['address']}/24" in vm.host.namespace.ip(
        "addr", "show", "dev", "eth0"), "the address")
    wait_until(lambda: "default via 10.20.0.1" in vm.host.namespace.ip(
        "route"), "the route")
    # RFC 4361: told by its identifier
    assert row["client_id"].startswith("ff:"), row


@test("status and statistics of a segment are told", only="vsw")
def _(lab):
    start(lab, dns_forward="192.0.2.53")
    vm = Machine(lab, "vm1")
    vm.dhclient()
    uuid = lab.switch.ctl("get", "Bridge", "lab", "segment")
    status = lab.switch.get("Segment", uuid, "status")
    equal(status["address"], "10.20.0.1/24", "address")
    equal(status["resolvers"], "192.0.2.53", "resolvers")
    contains(status["dhcp-range"], "10.20.0.", "range")
    equal(lab.switch.get("Segment", uuid, "error"), [], "error")
    wait_until(lambda: lab.switch.get("Segment", uuid, "statistics").get(
        "dhcp_acks"), "statistics")
    statistics = lab.switch.get("Segment", uuid, "statistics")
    equal(statistics["dhcp_leases"], 1, "leases")
    assert statistics["packets_out"] > 0, json.dumps(statistics)
