"""A segment's NAT over the end of the daemon: clean, and by kill -9."""
import os
import time

from lib.nat import (DhcpServer, Echo, NatLab, OUTSIDE, SERVER, STATIC, says,
                     tcp_socket, udp_socket)
from lib.testing import equal, test


def restart(lab):
    server = lab.switch.server
    lab.switch.server = None  # only the switch itself is stopped
    lab.switch.stop()
    lab.switch.server = server
    lab.switch.start()


@test("a connection survives a clean stop and start", only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC)
    c1 = nat.clients[0]
    c1.must_ping(SERVER)
    Echo(nat.server)
    sock, datagrams = tcp_socket(c1, SERVER, timeout=30), udp_socket(c1, SERVER)
    assert says(sock) and says(datagrams), "before"
    before = {(s["protocol"], s["outside_port"]) for s in nat.sessions("tcp") +
              nat.sessions("udp")}
    restart(lab)
    c1.must_ping(SERVER)
    after = {(s["protocol"], s["outside_port"]) for s in nat.sessions("tcp") +
             nat.sessions("udp")}
    equal(after, before, "sessions, by their outside ports")
    assert says(sock, b"q" * 20000), "the connection goes on"
    assert says(datagrams), "datagrams as well"
    # what is ended by hand does not come back with what was saved
    lab.switch.app("nat/flush", "lab", "tcp")
    equal(nat.sessions("tcp"), [], "flushed")
    time.sleep(2.5)
    equal(nat.sessions("tcp"), [], "flushed for good")
    assert not os.path.exists(lab.switch.path("nat/lab.sessions")), \
        "what was read is gone"


@test("with DHCP the address is the same after a restart, and so are sessions",
      only="vsw")
def _(lab):
    nat = NatLab(lab)
    DhcpServer(nat, "192.0.2.100", "192.0.2.120", "192.0.2.1", lease=600)
    nat.wait_address("192.0.2.1")
    c1 = nat.clients[0]
    c1.must_ping(SERVER)
    Echo(nat.server)
    sock = tcp_socket(c1, SERVER, timeout=30)
    assert says(sock), "before"
    address = nat.addresses()
    restart(lab)
    nat.wait_address("192.0.2.1")
    equal(nat.addresses(), address, "the address")
    assert says(sock, b"q" * 20000), "the connection goes on"


@test("kill -9 loses sessions, and keeps forwards", only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC)
    c1 = nat.clients[0]
    c1.must_ping(SERVER)
    Echo(nat.server)
    Echo(c1, 2000)
    nat.ctl("add-forward", "lab", "tcp", "2222", "10.20.0.21:2000")
    assert says(tcp_socket(c1, SERVER)), "before"
    lab.switch.kill()
    lab.switch.start()
    nat.wait_ready()
    equal(nat.sessions("tcp"), [], "sessions")
    c1.must_ping(SERVER)
    with tcp_socket(nat.server, OUTSIDE, 2222) as sock:
        assert says(sock), "the forward"


@test("a damaged state is said once, and nothing else is lost", only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC)
    c1 = nat.clients[0]
    c1.must_ping(SERVER)
    server = lab.switch.server
    lab.switch.server = None
    lab.switch.stop()
    lab.switch.server = server
    path = lab.switch.path("nat/lab.sessions")
    with open(path, "r+b") as file:
        file.seek(60)
        file.write(b"\xff\xff\xff")
    lab.switch.start()
    c1.must_ping(SERVER)
    with open(lab.switch.path("vswd.log"), encoding="utf-8") as log:
        equal(log.read().count("it is damaged"), 1, "warnings")
    assert not os.path.exists(path), "the file is gone"
