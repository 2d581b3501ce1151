"""A segment's NAT on an uplink: what goes through it, and what comes back."""
import os
import socket
import threading

from lib.nat import (Capture, Echo, GATEWAY, NatLab, OUTSIDE, PROVIDER, SERVER,
                     STATIC, is_refused, no_offload, says, tcp_socket,
                     udp_socket)
from lib.netns import wait_until
from lib.testing import contains, equal, test
from lib.traffic import tcp_transfer


@test("pings, datagrams and connections leave and return; nothing inside leaks",
      only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC)
    c1, c2 = nat.clients
    no_offload(c1, c2, nat.server, nat.provider)
    no_offload(nat.provider, device="lan")
    capture = Capture(lab, nat.provider)
    echo = Echo(nat.server)
    for client in nat.clients:
        client.must_ping(GATEWAY)
        client.must_ping(SERVER)
        assert client.ping(SERVER, size=4000, wait=3), "fragments"
        assert says(udp_socket(client, SERVER)), "UDP"
        assert says(udp_socket(client, SERVER), b"x" * 5000), \
            "UDP in fragments"
        with tcp_socket(client, SERVER) as sock:
            assert says(sock, b"y" * 20000), "TCP"
    nat.provider.must_ping(OUTSIDE)
    equal({ip for ip, _ in echo.peers}, {OUTSIDE}, "who the server saw")
    wait_until(lambda: len(capture.tshark("tcp.flags.fin == 1")) >= 4,
               "the end is captured")
    capture.stop()
    equal(capture.tshark("ip.addr == 10.20.0.0/24 or "
                         "arp.src.proto_ipv4 == 10.20.0.0/24 or "
                         "arp.dst.proto_ipv4 == 10.20.0.0/24"), [],
          "inside addresses on the uplink")
    bad = "ip.checksum.status == 0 or tcp.checksum.status == 0 or " \
          "udp.checksum.status == 0 or icmp.checksum.status == 0"
    equal(capture.tshark(bad), [], "wrong checksums")
    assert len(capture.tshark("tcp.checksum.status == 1")) > 8, "TCP frames"


@test("large sends pass in both directions unchanged", only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC)
    c1 = nat.clients[0]
    c1.must_ping(SERVER)
    tcp_transfer(c1, nat.server, SERVER, size=64 << 20)
    with nat.server.namespace.entered():
        listener = socket.create_server((SERVER, 5001))
    with tcp_socket(c1, SERVER, 5001) as sock:
        peer, _ = listener.accept()
        data = os.urandom(1 << 20) * 32
        thread = threading.Thread(target=peer.sendall, args=(data,),
                                  daemon=True)
        thread.start()
        got = bytearray()
        while len(got) < len(data):
            part = sock.recv(1 << 20)
            assert part, "the connection ended"
            got += part
        assert got == data, "the bytes were changed"
        peer.close()
    listener.close()


@test("traceroute sees the gateway, the provider and the server", only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC)
    nat.clients[0].must_ping(SERVER)
    for kind in ((), ("-I",)):
        out = nat.clients[0].run("busybox", "traceroute", "-n", "-q", "1",
                                 "-w", "3", *kind, SERVER).stdout
        hops = [line.split()[1] for line in out.splitlines()[1:]]
        equal(hops, [GATEWAY, PROVIDER, SERVER], f"hops {kind}")


@test("a narrow link beyond is told to the client, and found by TCP",
      only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC)
    nat.provider.namespace.ip("link", "set", "lan", "mtu", "1400")
    nat.server.namespace.ip("link", "set", "eth0", "mtu", "1400")
    c1 = nat.clients[0]
    c1.must_ping(SERVER)
    out = c1.run("ping", "-c", "2", "-W", "2", "-M", "do", "-s", "1450",
                 SERVER, check=False).stdout
    contains(out, f"From {PROVIDER}", "who says so")
    contains(out, "mtu = 1400", "what it says")
    c1.run("ip", "route", "flush", "cache")
    tcp_transfer(c1, nat.server, SERVER, size=4 << 20)
    assert nat.stats()["icmp_errors"] >= 1, "errors translated"


@test("the segment's own wider MTU is told by the gateway", only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC, "outside-mtu=1300")
    c1 = nat.clients[0]
    c1.must_ping(SERVER)
    out = c1.run("ping", "-c", "2", "-W", "2", "-M", "do", "-s", "1400",
                 SERVER, check=False).stdout
    contains(out, f"From {GATEWAY}", "who says so")
    contains(out, "mtu = 1300", "what it says")
    c1.run("ip", "route", "flush", "cache")
    tcp_transfer(c1, nat.server, SERVER, size=4 << 20)


@test("errors of the far end reach the sender", only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC)
    nat.clients[0].must_ping(SERVER)
    sock = udp_socket(nat.clients[0], SERVER, 9)
    assert is_refused(sock), "the port is closed, which nobody says"
    try:
        tcp_socket(nat.clients[0], SERVER, 9)
        raise AssertionError("a closed port was open")
    except ConnectionRefusedError:
        pass


@test("a full table refuses what is new and keeps what is there", only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC, "nat-sessions=16")
    Echo(nat.server)
    socks = [udp_socket(nat.clients[0], SERVER, timeout=1) for _ in range(16)]
    assert all(says(sock) for sock in socks), "16 sessions"
    one_more = udp_socket(nat.clients[1], SERVER, timeout=0.3)
    try:
        assert not says(one_more), "a 17th"
    except OSError:
        pass  # told by ICMP
    assert all(says(sock) for sock in socks), "the 16 go on"
    equal(nat.stats()["sessions"], 16, "sessions")
    assert nat.stats()["dropped"]["nat-full"] >= 1, "counted"
    # another size, live: those that are there go on
    nat.set("nat-sessions=64")
    wait_until(lambda: nat.stats()["max_sessions"] == 64, "a larger table")
    assert all(says(sock) for sock in socks), "the 16 go on"
    assert says(udp_socket(nat.clients[1], SERVER)), "a 17th now"


@test("each client has one address of the pool", only="vsw")
def _(lab):
    nat = NatLab(lab, "outside-address=192.0.2.5/24,192.0.2.6-192.0.2.7",
                 "outside-gateway=192.0.2.1", clients=6)
    echo = Echo(nat.server)
    for address in (OUTSIDE, "192.0.2.6", "192.0.2.7"):
        nat.provider.must_ping(address)
    used = set()
    for client in nat.clients:
        echo.peers.clear()
        for _ in range(5):
            assert says(udp_socket(client, SERVER)), "UDP"
            with tcp_socket(client, SERVER) as sock:
                assert says(sock), "TCP"
        mine = {ip for ip, _ in echo.peers}
        equal(len(mine), 1, f"addresses of one client, {mine}")
        used |= mine
    assert len(used) > 1 and used <= {OUTSIDE, "192.0.2.6", "192.0.2.7"}, used
