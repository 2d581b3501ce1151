"""Uplinks of segments: addresses by DHCP and by advertisements, IPv6, VLANs,
bonds, links that come and go."""
from lib.nat import (Advertiser, Capture, DhcpServer, Echo, GATEWAY, GATEWAY6,
                     NatLab, OUTSIDE, OUTSIDE6, PROVIDER, SERVER, SERVER6,
                     STATIC, STATIC6, no_offload, says, tcp_socket,
                     udp_socket)
from lib.netns import ip_batch, receive, wait_until
from lib.segment_vm import Machine
from lib.switch import column_arguments
from lib.testing import contains, equal, test
from lib.traffic import tcp_transfer


def lease(nat):
    return nat.segment()["uplink"]["dhcp"]


@test("the uplink's address by DHCP: got, renewed, another after renumbering",
      only="vsw")
def _(lab):
    nat = NatLab(lab, attach=False)
    # the server is first, or it would be asked in vain, and 4 s later again
    server = DhcpServer(nat, "192.0.2.100", "192.0.2.110", PROVIDER, lease=10)
    nat.ctl("add-port", "wan", "wan0")
    nat.wait_address("192.0.2.1", 40)
    c1 = nat.clients[0]
    c1.must_ping(SERVER)
    equal(nat.segment()["uplink"]["gateway"], PROVIDER, "the router")
    equal(lease(nat)["server"], PROVIDER, "the server")
    first = lease(nat)["expires_s"]
    assert first <= 10, first
    address = nat.addresses()
    # the half of 10 s: it is renewed before it would be over
    wait_until(lambda: lease(nat)["expires_s"] < first - 2, "time passes", 30)
    wait_until(lambda: lease(nat)["expires_s"] > first - 2, "renewed", 30)
    equal(nat.addresses(), address, "the same")
    server.stop()
    ip_batch(["addr flush dev eth0", "addr add 203.0.113.1/24 dev eth0",
              "link set eth0 down"], nat.provider.namespace.name)
    DhcpServer(nat, "203.0.113.50", "203.0.113.60", "203.0.113.1", lease=10)
    nat.provider.namespace.ip("link", "set", "eth0", "up")
    nat.wait_address("203.0.113.", 60)
    c1.must_ping(SERVER)
    equal(nat.segment()["uplink"]["gateway"], "203.0.113.1", "the router")


@test("an address that somebody has already is declined", only="vsw")
def _(lab):
    nat = NatLab(lab, attach=False)
    # udhcpd looks, too, before it offers: whoever has it comes later
    other = lab.host("other", "192.0.2.200/24", bridge="wan")
    nat.ctl("add-port", "wan", "wan0")
    DhcpServer(nat, "192.0.2.100", "192.0.2.101", PROVIDER)
    wait_until(lambda: lease(nat)["state"] in ("requesting", "probing",
                                               "bound"), "an offer", 40)
    other.namespace.ip("addr", "add", "192.0.2.100/24", "dev", "eth0")
    other.namespace.ip("addr", "add", "192.0.2.101/24", "dev", "eth0")
    wait_until(lambda: "declined" in lab.switch.log_text() or
               lease(nat)["state"] == "bound" and nat.segment()["error"],
               "declined, or reported", 40)


@test("IPv6 is translated, to addresses of the uplink", only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC, *STATIC6, ip6=True)
    c1, c2 = nat.clients
    no_offload(c1, c2, nat.server, nat.provider)
    capture = Capture(lab, nat.provider)
    c1.must_ping(GATEWAY6)
    c1.must_ping(SERVER6)
    nat.provider.must_ping(OUTSIDE6)
    echo = Echo(nat.server, address=SERVER6)
    assert says(udp_socket(c1, SERVER6)), "UDP"
    with tcp_socket(c2, SERVER6) as sock:
        assert says(sock, b"x" * 20000), "TCP"
    equal({ip for ip, _ in echo.peers}, {OUTSIDE6}, "who the server saw")
    tcp_transfer(c1, nat.server, SERVER6, size=1 << 20)
    wait_until(lambda: len(capture.tshark("tcp.flags.fin == 1")) >= 4,
               "the end is captured")
    capture.stop()
    equal(capture.tshark("ipv6.addr == fd20::/64"), [], "inside addresses")
    equal(capture.tshark("tcp.checksum.status == 0 or "
                         "udp.checksum.status == 0 or "
                         "icmpv6.checksum.status == 0"), [],
          "wrong checksums")
    nat.ctl("add-forward", "lab", "tcp", "80", "[fd20::21]:8000")
    Echo(c1, 8000, "fd20::21")
    assert says(tcp_socket(nat.server, OUTSIDE6, 80)), "a forward"


@test("IPv6 is routed, with the machines' own addresses", only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC, *STATIC6, "ipv6=routed", ip6=True)
    c1 = nat.clients[0]
    c1.must_ping(SERVER6)
    c1.must_ping(SERVER)
    echo = Echo(nat.server, address=SERVER6)
    assert says(udp_socket(c1, SERVER6)), "UDP"
    equal({ip for ip, _ in echo.peers}, {"fd20::21"}, "who the server saw")
    nat.server.must_ping("fd20::21")
    tcp_transfer(c1, nat.server, SERVER6, size=4 << 20)


@test("IPv6 of the uplink by advertisements, and by others later", only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC, "outside-address6=auto", ip6=True)
    advertiser = Advertiser(nat.provider, mtu=1400)
    nat.wait_address("2001:db8:1:")
    nat.clients[0].must_ping(SERVER6)
    contains(nat.segment()["uplink"]["gateway6"], "fe80::", "the router")
    equal(nat.segment()["uplink"]["mtu"], 1400, "MTU")
    advertiser.stop()
    nat.provider.namespace.ip("addr", "add", "2001:db8:7::1/64", "dev",
                              "eth0", "nodad")
    Advertiser(nat.provider, prefix="2001:db8:7::")
    nat.wait_address("2001:db8:7:")
    nat.clients[0].must_ping(SERVER6)


def second_bridge(lab, nat, n, **columns):
    """Bridge wan2 with the provider, behind n cables from wan, c0 and on."""
    nat.ctl("add-br", "wan2", "--", "add-port", "wan2", "wan0",
            *column_arguments(columns))
    for i in range(n):
        ip_batch([f"link add name c{i}a type veth peer name c{i}b",
                  f"link set c{i}a up", f"link set c{i}b up"],
                 lab.sw_ns.name)
        lab.kept_devices |= {f"c{i}a", f"c{i}b"}
        nat.ctl("add-port", "wan2", f"c{i}b")


@test("the uplink in a VLAN", only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC, "outside-tag=30", attach=False)
    second_bridge(lab, nat, 1, tag=30)
    nat.ctl("add-port", "wan", "c0a")
    sock = lab.sw_ns.packet_socket("c0b")
    c1 = nat.clients[0]
    c1.must_ping(SERVER)
    tagged = wait_until(lambda: receive(sock), "a frame on the cable")
    equal(tagged[12:16], b"\x81\x00\x00\x1e", "its tag")
    sock.close()
    Echo(nat.server)
    with tcp_socket(c1, SERVER) as sock:
        assert says(sock, b"x" * 100000), "TCP"
    assert says(udp_socket(c1, SERVER)), "UDP"
    tcp_transfer(c1, nat.server, SERVER)


@test("a bond as the uplink: a member goes, connections stay", only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC, attach=False)
    second_bridge(lab, nat, 2)
    nat.ctl("add-bond", "wan", "bond0", "c0a", "c1a",
            "bond_mode=active-backup")
    c1 = nat.clients[0]
    c1.must_ping(SERVER)
    Echo(nat.server)
    sock = tcp_socket(c1, SERVER, timeout=30)
    assert says(sock, b"x" * 50000), "before"
    for device in ("c0b", "c1b"):
        lab.sw_ns.ip("link", "set", device, "down")
        assert says(sock, b"x" * 50000), f"without {device}"
        lab.sw_ns.ip("link", "set", device, "up")
        c1.must_ping(SERVER)
    assert says(sock, b"x" * 50000), "after"


@test("a link that returns: neighbors learn anew where the addresses are",
      only="vsw")
def _(lab):
    nat = NatLab(lab, "outside-address=192.0.2.5/24,192.0.2.6",
                 "outside-gateway=192.0.2.1")
    nat.clients[0].must_ping(SERVER)
    there = nat.provider.namespace
    capture = Capture(lab, nat.provider)
    lab.sw_ns.ip("link", "set", "wan0", "down")
    wait_until(lambda: not nat.segment()["uplink"]["link"], "the link is gone")
    lab.sw_ns.ip("link", "set", "wan0", "up")
    wait_until(lambda: nat.segment()["uplink"]["link"], "the link is back")
    there.ip("neigh", "flush", "all")
    nat.clients[0].must_ping(SERVER)
    wait_until(lambda: len(set(capture.tshark(
        "arp.isgratuitous == 1", "arp.src.proto_ipv4"))) == 2,
        "gratuitous ARP of both addresses")


@test("two stations with one address of the uplink are told apart", only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC)
    nat.clients[0].must_ping(SERVER)
    other = lab.host("other", f"{OUTSIDE}/24", bridge="wan")
    other.run("ping", "-c", "1", "-W", "1", PROVIDER, check=False)
    wait_until(lambda: nat.segment()["error"], "the conflict is reported")
    contains(nat.segment()["error"], OUTSIDE, "the report")
    contains(nat.segment()["error"], other.mac, "who claims it")


@test("addresses change live, from rows to DHCP and back", only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC)
    c1 = nat.clients[0]
    echo = Echo(nat.server)
    c1.must_ping(SERVER)
    kept = udp_socket(c1, SERVER)
    assert says(kept), "before"
    nat.set("outside-address=192.0.2.5/24,192.0.2.6")
    assert says(kept), "one more address: sessions stay"
    nat.set("outside-address=192.0.2.8/24")
    c1.must_ping(SERVER)
    echo.peers.clear()
    assert says(udp_socket(c1, SERVER)), "UDP"
    equal({ip for ip, _ in echo.peers}, {"192.0.2.8"}, "who the server saw")
    assert not nat.provider.ping(OUTSIDE), "the former is nobody's"
    DhcpServer(nat, "192.0.2.100", "192.0.2.110", PROVIDER)
    nat.set("outside-address=dhcp", "outside-gateway=")
    nat.wait_address("192.0.2.1", 40)
    c1.must_ping(SERVER)
    nat.set("outside-address=192.0.2.5/24", "outside-gateway=192.0.2.1")
    c1.must_ping(SERVER)
    equal([a for a in nat.addresses() if ":" not in a], ["192.0.2.5/24"],
          "addresses")


@test("an uplink's bridge goes and comes again", only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC)
    c1 = nat.clients[0]
    c1.must_ping(SERVER)
    nat.ctl("del-br", "wan")
    contains(nat.segment()["error"], "no such bridge", "the error")
    assert not c1.ping(SERVER), "there is no way"
    # All else is as it was.
    for address in (GATEWAY, nat.clients[1].ip):
        c1.must_ping(address)
    vm = Machine(lab, "vm1")
    contains(vm.dhclient(), "10.20.0.", "a lease")
    equal(vm.short("gateway.lab"), GATEWAY, "the name service")
    nat.ctl("set-segment", "lab", "mtu=1400", check=False)
    contains(nat.segment()["error"], "no such bridge", "the error")
    nat.ctl("add-br", "wan", "--", "add-port", "wan", "wan0")
    c1.must_ping(SERVER)
