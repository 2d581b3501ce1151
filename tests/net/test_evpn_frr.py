"""EVPN by FRR: vswd with FRR on both sides, and the kernel's vxlan device with
FRR on the other; moves, withdrawals, and the end of each of the programs.
"""
import signal

from lib.evpn import VNI, Card, Fabric, vtep
from lib.netns import Namespace, ip_batch, wait_until
from lib.testing import equal, test


def begin(lab, other="switch", zebra=(), **options):
    fabric = Fabric(lab)
    one = fabric.add_switch(**options)
    two = fabric.add_kernel() if other == "kernel" else \
        fabric.add_switch(**options)
    fabric.start(zebra)
    fabric.wait_flood_lists()
    return fabric, one, two


def machines(fabric):
    """One at each site; their MACs are known everywhere."""
    hosts = [site.host(f"h{site.number}", f"10.0.0.{site.number}/24")
             for site in fabric.sites]
    hosts[0].must_ping(hosts[1].ip)
    # Each asks for the other by a broadcast, and so tells its address.
    hosts[1].run("ip", "neigh", "flush", "dev", "eth0")
    hosts[1].must_ping(hosts[0].ip)
    for site, host in zip(fabric.sites, hosts):
        fabric.wait_known(host.mac, site)
    return hosts


def check_withdrawn_and_back(fabric, one, two, hosts):
    """A port's end is a withdrawal; what is there stays."""
    fabric.lab.switch.ctl("del-port", "br0", "h1")
    fabric.wait_unknown(hosts[0].mac, two)
    equal(one.remote_vtep(hosts[1].mac), vtep(2), "the other's MAC")


@test("two switches learn each other's machines by FRR", only="vsw")
def _(lab):
    fabric, one, two = begin(lab)
    hosts = machines(fabric)
    for site, host in ((one, hosts[1]), (two, hosts[0])):
        assert site.is_controlled(host.mac), site.entry(host.mac)
        wait_until(lambda s=site, h=host: h.ip in s.frr.neighbors(VNI),
                   f"the pair of {host.ip}")
        # What it needs to answer ARP in the other's name.
        wait_until(lambda s=site: s.shown()["suppressed_addresses"] >= 1,
                   "the pair, here, too")
        equal(site.frr_state(), "present", "FRR")
        equal(site.switch.get("Interface", "vx0", "error"), [], "the error")
    equal(one.switch.get("Interface", "vx0", "status")["evpn_frr"],
          "present", "Interface:status")
    check_withdrawn_and_back(fabric, one, two, hosts)


@test("a switch and the kernel's VTEP learn each other's machines by FRR",
      only="vsw")
def _(lab):
    fabric, one, two = begin(lab, "kernel")
    hosts = machines(fabric)
    assert one.is_controlled(hosts[1].mac), one.entry(hosts[1].mac)
    # The kernel answers ARP in h1's name from what was announced to it.
    wait_until(lambda: hosts[0].ip in two.space.ip("neigh", "show", "dev",
                                                   "br100"),
               "the pair of h1 at the kernel's side")
    check_withdrawn_and_back(fabric, one, two, hosts)


def sequence(site, mac):
    return site.frr.macs(VNI)[mac]["localSequence"]


def send_to(host, mac, ip):
    """A datagram, without asking who has the address."""
    host.run("ip", "neigh", "replace", ip, "lladdr", mac, "dev", "eth0")
    host.run("bash", "-c", f"echo -n it-is-for-you > /dev/udp/{ip}/9")


def check_moves(lab, other):
    fabric, one, two = begin(lab, other)
    hosts = machines(fabric)
    mac, ip = "02:00:00:00:00:aa", "10.0.0.77"
    space = Namespace(lab.prefix + "vm")
    cards = [Card(site, space, mac, ip) for site in (one, two)]
    cards[0].announce()
    fabric.wait_known(mac, one)
    wait_until(lambda: ip in two.frr.neighbors(VNI), "its address, too")
    for n, card in enumerate((cards[1], cards[0], cards[1]), 1):
        card.announce()
        fabric.wait_known(mac, card.site)
        equal(sequence(card.site, mac), n, "the sequence number")
        for host in hosts:
            def arrives(host=host, card=card):
                send_to(host, mac, ip)
                return card.heard(b"it-is-for-you")
            wait_until(arrives, f"from {host.ip} to site "
                       f"{card.site.number}")
        for away in cards:
            assert away is card or not away.heard(b"it-is-for-you") or \
                n == 1, "it still arrives where it was"
    # One that says nothing of its address, as others tell it.
    cards[0].speak()
    fabric.wait_known(mac, one)
    one.unplug(cards[0].name)
    fabric.wait_unknown(mac, two)


@test("a machine moves between two switches, with sequence numbers",
      only="vsw")
def _(lab):
    check_moves(lab, "switch")


@test("a machine moves between a switch and the kernel", only="vsw")
def _(lab):
    check_moves(lab, "kernel")


@test("vswd is killed: its devices are taken over, and no MAC is stale",
      only="vsw")
def _(lab):
    fabric, one, two = begin(lab)
    hosts = machines(fabric)
    devices = one.space.ip("-o", "link", "show", f"vsw{VNI}-br")
    one.switch.kill()
    # One that it cannot hear of.
    two.switch.ctl("del-port", "br0", "h2")
    h3 = two.host("h3", "10.0.0.3/24")
    h3.run("ping", "-c", "1", "-W", "1", "10.0.0.9", check=False)
    wait_until(lambda: two.frr.is_local(VNI, h3.mac), "h3 is announced")
    one.switch.start()
    one.switch.sync()  # its bridge is there
    fabric.wait_unknown(hosts[1].mac, one)
    wait_until(lambda: one.remote_vtep(h3.mac) == vtep(2), "h3")
    equal(one.space.ip("-o", "link", "show", f"vsw{VNI}-br").split()[0],
          devices.split()[0], "the device's number")
    h3.must_ping(hosts[0].ip)
    fabric.wait_known(hosts[0].mac, one)


@test("a clean end removes the devices, and withdraws the MACs", only="vsw")
def _(lab):
    fabric, one, two = begin(lab)
    hosts = machines(fabric)
    one.switch.stop()
    equal([d for d in one.space.devices() if d.startswith("vsw")], [],
          "devices")
    fabric.wait_unknown(hosts[0].mac, two)
    wait_until(lambda: two.vteps() == set(), "the VTEP goes, too")
    one.switch.start()
    hosts[1].must_ping(hosts[0].ip)
    for site, host in zip(fabric.sites, hosts):
        fabric.wait_known(host.mac, site)


def check_restart(lab, programs, sig, hold, zebra=()):
    """FRR's programs end at site 1; meanwhile the last state is kept."""
    fabric, one, two = begin(lab, zebra=zebra, **{"evpn-hold": hold})
    hosts = machines(fabric)
    for program in programs:
        one.frr.end_one(program, sig)
    wait_until(lambda: one.frr_state() == "gone", "it is noticed")
    wait_until(lambda: "s more (until" in one.evpn()["state"], "and is said")
    equal(one.switch.get("Interface", "vx0", "error"), [],
          "no fault of the configuration")
    equal(one.switch.get("Interface", "vx0", "status")["evpn_frr"], "gone",
          "Interface:status")
    # zebra's leftovers are not there, what they said is
    wait_until(lambda: "extern_learn" not in
               (one.device_fdb() or "extern_learn"), "zebra's are gone")
    equal(one.remote_vtep(hosts[1].mac), vtep(2), "held")
    equal(one.vteps(), {vtep(2)}, "held flood list")
    return fabric, one, two, hosts


def check_return(fabric, one, two, hosts, programs):
    # One that is new, one that is gone since.
    two.switch.ctl("del-port", "br0", "h2")
    h3 = two.host("h3", "10.0.0.3/24")
    h3.run("ping", "-c", "1", "-W", "1", "10.0.0.9", check=False)
    wait_until(lambda: two.frr.is_local(VNI, h3.mac), "h3 is announced")
    for program in programs:
        one.frr.start_one(program)
    one.frr.wait_established()
    fabric.wait_known(h3.mac, two)
    wait_until(lambda: one.frr_state() == "present", "FRR is back")
    wait_until(lambda: one.switch.get("Interface", "vx0", "error") == [],
               "no error any more")
    h3.must_ping(hosts[0].ip)
    fabric.wait_known(hosts[0].mac, one)
    fabric.wait_unknown(hosts[1].mac, one)


@test("FRR is restarted in order: what it had said is held until it is back",
      only="vsw")
def _(lab):
    fabric, one, two, hosts = check_restart(lab, ("bgpd", "zebra"),
                                            signal.SIGTERM, 6)
    check_return(fabric, one, two, hosts, ("zebra", "bgpd"))


@test("zebra keeps what it had installed, as it is told to, and ends",
      only="vsw")
def _(lab):
    fabric, one, two, hosts = check_restart(lab, ("zebra", "bgpd"),
                                            signal.SIGTERM, 6, ("-r",))
    check_return(fabric, one, two, hosts, ("zebra", "bgpd"))


@test("FRR is killed, and leaves entries: none of them is stale later",
      only="vsw")
def _(lab):
    fabric, one, two, hosts = check_restart(lab, ("zebra", "bgpd"),
                                            signal.SIGKILL, 6)
    check_return(fabric, one, two, hosts, ("zebra", "bgpd"))


@test("bgpd alone is killed and started", only="vsw")
def _(lab):
    fabric, one, two, hosts = check_restart(lab, ("bgpd",), signal.SIGKILL, 6)
    check_return(fabric, one, two, hosts, ("bgpd",))


@test("FRR does not come back: what it had said goes after evpn-hold",
      only="vsw")
def _(lab):
    fabric, one, _, hosts = check_restart(lab, ("zebra", "bgpd"),
                                          signal.SIGKILL, 4)
    fabric.wait_unknown(hosts[1].mac, one)
    wait_until(lambda: one.vteps() == set(), "the flood list goes, too")
    wait_until(lambda: "forgotten" in one.evpn()["state"], "and it is said")


@test("evpn-hold is changed while FRR is gone: what is held stays",
      only="vsw")
def _(lab):
    _, one, _, hosts = check_restart(lab, ("zebra", "bgpd"), signal.SIGKILL,
                                     60)
    one.switch.ctl("set", "interface", "vx0", "options:evpn-hold=3600")
    equal(one.evpn()["hold_s"], 3600, "the new time")
    equal(one.remote_vtep(hosts[1].mac), vtep(2), "held")
    equal(one.vteps(), {vtep(2)}, "held flood list")
    equal(one.shown()["networks"][0]["floods_to"], 1, "floods to")
    one.switch.ctl("set", "interface", "vx0", "options:evpn-hold=1")
    wait_until(lambda: one.vteps() == set(), "a time that is over ends it")


@test("zebra alone is killed: the switch holds until FRR is whole again",
      only="vsw")
def _(lab):
    fabric, one, two, hosts = check_restart(lab, ("zebra",), signal.SIGKILL,
                                            60)
    # bgpd does not tell a new zebra what it told the former.
    one.frr.end_one("bgpd")
    check_return_soon(fabric, one, two, hosts)


def check_return_soon(fabric, one, two, hosts):
    for program in ("zebra", "bgpd"):
        one.frr.start_one(program)
    one.frr.wait_established()
    fabric.wait_known(hosts[1].mac, two)
    hosts[1].must_ping(hosts[0].ip)


@test("the devices are removed by somebody: they are made anew", only="vsw")
def _(lab):
    fabric, one, two = begin(lab)
    hosts = machines(fabric)
    one.space.ip("link", "del", f"vsw{VNI}-vx")
    wait_until(lambda: "extern_learn" in (one.device_fdb() or ""),
               "a new one that FRR has filled")
    for site, host in zip(fabric.sites, hosts):
        fabric.wait_known(host.mac, site)
    hosts[0].must_ping(hosts[1].ip)
    assert two.frr.is_remote(VNI, hosts[0].mac)


@test("a device of that name that is not vswd's is left alone", only="vsw")
def _(lab):
    fabric = Fabric(lab)
    one = fabric.add_switch()
    one.space.ip("link", "add", f"vsw{VNI}-br", "type", "bridge")
    one.add_overlay(check=False)
    wait_until(lambda: "not vswd's" in
               str(one.switch.get("Interface", "vx0", "error")),
               "it is said")
    one.space.ip("link", "del", f"vsw{VNI}-br")
    wait_until(lambda: f"vsw{VNI}-vx" in one.space.devices(),
               "its own ones")
    wait_until(lambda: one.switch.get("Interface", "vx0", "error") == [] or
               "vswd's" not in
               one.switch.get("Interface", "vx0", "error"), "the error goes")


@test("without CAP_NET_ADMIN it is said in one line", only="vsw")
def _(lab):
    one = Fabric(lab).add_switch()
    # a killed one would leave what only CAP_NET_ADMIN can remove
    one.switch.stop()
    argv = one.switch.argv
    one.switch.argv = lambda: ["setpriv", "--bounding-set=-net_admin",
                               "--inh-caps=-net_admin", *argv()]
    one.switch.start()
    one.switch.ctl("add-port", "br0", "vx0", "--", "set", "Interface", "vx0",
                   "type=vxlan", "options:remote_ip=flow",
                   f"options:local_ip={vtep(1)}", f"options:key={VNI}",
                   "options:evpn=true", "options:evpn-frr-dir=/nowhere",
                   check=False)
    wait_until(lambda: "it needs CAP_NET_ADMIN" in
               one.switch.get("Interface", "vx0", "error"), "Interface:error")
    equal(one.switch.get("Interface", "vx0", "status")["evpn_frr"],
          "unknown", "FRR")


@test("each VLAN has a VNI of its own; one that leaves the map is forgotten",
      only="vsw")
def _(lab):
    fabric, one, two = begin(lab, key="flow", **{"vni-map": "10=1010,20=1020"})
    hosts = {}
    for site in (one, two):
        for vlan in (10, 20):
            name = f"h{site.number}v{vlan}"
            # the same addresses in both VLANs
            hosts[site, vlan] = site.host(
                name, f"10.0.0.{site.number}/24", tag=vlan)
    for vlan in (10, 20):
        hosts[one, vlan].must_ping("10.0.0.2")
        hosts[two, vlan].must_ping("10.0.0.1")
        mac = hosts[two, vlan].mac
        wait_until(lambda v=vlan, m=mac:
                   one.frr.is_remote(1000 + v, m, vtep(2)) and
                   one.is_controlled(m) and one.entry(m)["vlan"] == v,
                   f"VLAN {vlan}")
    equal({n["vni"]: n["vlan"] for n in one.evpn()["networks"]},
          {1010: 10, 1020: 20}, "networks")
    gone, stays = hosts[two, 20].mac, hosts[two, 10].mac
    resyncs = {n["vni"]: n["resyncs"] for n in one.evpn()["networks"]}
    one.switch.set("Interface", "vx0", options={"vni-map": "10=1010"})
    fabric.wait_unknown(gone, one)
    wait_until(lambda: "vsw1020-br" not in one.space.devices(),
               "and its devices")
    equal(one.remote_vtep(stays), vtep(2), "the other one")
    equal(one.network()["resyncs"], resyncs[1010], "was left alone")
    wait_until(lambda: not two.frr.is_remote(1020, hosts[one, 20].mac),
               "withdrawn there")
    one.switch.set("Interface", "vx0",
                   options={"vni-map": "10=1010,20=1020"})
    wait_until(lambda: one.remote_vtep(gone) == vtep(2), "known again")
    equal(one.remote_vtep(stays), vtep(2), "the other one")
    hosts[one, 20].must_ping("10.0.0.2")
    wait_until(lambda: two.frr.is_remote(1020, hosts[one, 20].mac),
               "announced again")


@test("a receive buffer that is too small: all is found by a resync",
      only="vsw")
def _(lab):
    fabric = Fabric(lab)
    one, two = fabric.add_switch(), fabric.add_kernel()
    one.switch.set("Open_vSwitch", ".",
                   other_config={"evpn-receive-buffer": 1})
    fabric.start()
    fabric.wait_flood_lists()
    macs = [f"02:00:00:00:{i >> 8:02x}:{i & 255:02x}" for i in range(500)]
    ip_batch(["link add vm type veth peer name vmp",
              "link set vm master br100 up", "link set vmp up"],
             two.space.name)

    bridge(two, "add", macs)
    wait_until(lambda: remotes(one) >= set(macs), "all of them", 60)
    bridge(two, "del", macs[::2])
    wait_until(lambda: remotes(one) == set(macs[1::2]), "the half", 60)
    assert one.network()["overruns"] > 0, one.network()


def bridge(site, verb, macs):
    path = site.fabric.lab.directory + "/batch"
    with open(path, "w", encoding="ascii") as file:
        for mac in macs:
            file.write(f"fdb {verb} {mac} dev vm master static\n")
    site.space.run("bridge", "-batch", path)


def remotes(site):
    return {row["mac"] for row in site.switch.command("fdb/show", "br0")
            if "vtep" in row and row["mac"].startswith("02:00:00:00")}
