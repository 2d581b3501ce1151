"""Port forwards through a segment's NAT, and what a person sees and ends."""
import errno
import select
import socket
import time

from lib.nat import (Capture, Echo, NatLab, OUTSIDE, SERVER, STATIC,
                     is_refused, says, tcp_socket, udp_socket)
from lib.netns import CommandFailed, wait_until
from lib.testing import contains, equal, test


def is_open(host, port, address=OUTSIDE):
    try:
        with tcp_socket(host, address, port, timeout=1) as sock:
            return says(sock)
    except OSError:
        return False


@test("forwards come and go under live traffic, of ranges, too", only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC)
    c1, c2 = nat.clients
    c1.must_ping(SERVER)
    echo = Echo(c1, 2000)
    for port in range(2001, 2004):
        Echo(c1, port)
    Echo(c2, 7000)
    assert not is_open(nat.server, 2222), "nothing is forwarded"
    nat.ctl("add-forward", "lab", "tcp", "2222", "10.20.0.21:2000")
    live = tcp_socket(nat.server, OUTSIDE, 2222)
    assert says(live), "the first"
    equal(echo.peers[0][0], SERVER, "the client sees who it is")
    nat.ctl("add-forward", "lab", "tcp", "5000-5003", "10.20.0.21:2000")
    nat.ctl("add-forward", "lab", "udp", "5000", "10.20.0.22:7000")
    for port in range(5000, 5004):
        assert is_open(nat.server, port), f"port {port} of the range"
    assert says(udp_socket(nat.server, OUTSIDE, 5000)), "UDP"
    assert says(live), "the first goes on"
    nat.ctl("del-forward", "lab", "tcp", "5000-5003")
    for port in (5000, 5003):
        assert not is_open(nat.server, port), "the range is gone"
    assert says(udp_socket(nat.server, OUTSIDE, 5000)), "UDP is not"
    assert says(live), "the first goes on"
    nat.ctl("del-forward", "lab", "tcp", "2222")
    live.settimeout(1)
    assert not says(live), "with its forward the connection ends"


@test("clients reach each other by a forward, as from outside", only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC)
    c1, c2 = nat.clients
    c2.must_ping(SERVER)
    echo = Echo(c1, 8000)
    nat.ctl("add-forward", "lab", "tcp", "80", "10.20.0.21:8000", "--",
            "add-forward", "lab", "udp", "80", "10.20.0.21:8000")
    with tcp_socket(c2, OUTSIDE, 80) as sock:
        assert says(sock, b"a" * 50000), "TCP"
    assert says(udp_socket(c2, OUTSIDE, 80)), "UDP"
    # RFC 4787 REQ-9: by its outside address
    equal({ip for ip, _ in echo.peers}, {OUTSIDE}, "who c1 saw")
    assert nat.stats()["hairpinned"] > 0, "turned back inside"


@test("a forward onto a port in use is refused in its row, and waits for it",
      only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC)
    c1 = nat.clients[0]
    c1.must_ping(SERVER)
    Echo(nat.server)
    sock = udp_socket(c1, SERVER)
    assert says(sock), "UDP"
    port = nat.sessions("udp")[0]["outside_port"]
    nat.ctl("add-forward", "lab", "udp", str(port), "10.20.0.22:7000",
            check=False)

    def error():
        return nat.segment()["forwards"][0]["error"]
    wait_until(error, "the forward's error")
    contains(error(), str(port), "the error")
    assert says(sock), "the session goes on"
    lab.switch.app("nat/flush", "lab")
    Echo(nat.clients[1], 7000)
    wait_until(lambda: not error(), lambda: error(), 30)


@test("sessions are shown by filters, flushed and counted", only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC)
    c1, c2 = nat.clients
    Echo(nat.server)
    c1.must_ping(SERVER)
    c2.must_ping(SERVER)
    socks = [udp_socket(c1, SERVER) for _ in range(5)]
    assert all(says(s) for s in socks), "UDP of c1"
    one = udp_socket(c2, SERVER)
    assert says(one), "UDP of c2"
    tcp = tcp_socket(c2, SERVER)
    assert says(tcp), "TCP of c2"
    equal(len(nat.sessions("udp", "inside=10.20.0.21")), 5, "c1's UDP")
    equal(len(nat.sessions("inside=10.20.0.22", "tcp")), 1, "c2's TCP")
    mine = one.getsockname()[1]
    found = nat.sessions(f"inside=10.20.0.22:{mine}")
    equal(len(found), 1, "one endpoint")
    equal(found[0]["remote_port"], 7000, "its remote port")
    equal(len(nat.sessions(f"outside=:{found[0]['outside_port']}", "udp")), 1,
          "by outside port")
    equal(len(nat.sessions("remote=:7000")), 7, "by remote port")
    shown = lab.switch.command("nat/show", "lab", "limit=3")
    equal((len(shown["sessions"]), shown["more"]), (3, True), "a limit")
    contains(lab.switch.app("nat/show", "lab", "limit=3"),
             "more than these 3", "the note")
    text = lab.switch.vsw_ctl("nat/show", "lab", "tcp").stdout
    contains(text, f"10.20.0.22:{tcp.getsockname()[1]}", "vsw-ctl nat/show")
    equal(lab.switch.command("nat/flush", "lab", "udp",
                             "inside=10.20.0.21"), {"ended": 5}, "flushed")
    equal(nat.sessions("udp", "inside=10.20.0.21"), [], "they are gone")
    assert says(tcp), "others go on"
    assert nat.stats()["created"] >= 9, "created"
    contains(lab.switch.app("nat/stats"), "packets translated outwards",
             "nat/stats")
    for words in (["nat/show", "none"], ["nat/show", "lab", "sctp"],
                  ["nat/show", "lab", "inside=10.20.0"],
                  ["nat/show", "lab", "outside=1.2.3.4:99999"],
                  ["nat/flush", "lab", "limit=5"]):
        try:
            lab.switch.command(*words)
            raise AssertionError(f"{words} was taken")
        except CommandFailed:
            pass


@test("what nobody asked for is refused, or not answered", only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC)
    nat.clients[0].must_ping(SERVER)
    sock = udp_socket(nat.server, OUTSIDE, 1234)
    assert is_refused(sock), "no port unreachable"
    # RFC 5382 REQ-4: a SYN is answered after 6 s, not at once
    with nat.server.namespace.entered():
        sock = socket.socket()
    sock.setblocking(False)
    started = time.monotonic()
    equal(sock.connect_ex((OUTSIDE, 1234)), errno.EINPROGRESS, "connect")
    assert select.select([], [sock], [], 30)[1], "never answered"
    assert time.monotonic() - started > 5, "answered at once"
    equal(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
          errno.ECONNREFUSED, "the answer")


def refused_by(host, port):
    """What a connection to a forward of the gateway ends with: errno."""
    try:
        with tcp_socket(host, OUTSIDE, port, timeout=30):
            return 0
    except OSError as e:
        return e.errno


@test("who asks for a machine that is down is told so, and not each time",
      only="vsw")
def _(lab):
    nat = NatLab(lab, *STATIC)
    nat.clients[0].must_ping(SERVER)
    nat.ctl("add-forward", "lab", "tcp", "2222", "10.20.0.99:22", "--",
            "add-forward", "lab", "udp", "53", "10.20.0.99:53")
    capture = Capture(lab, nat.server)
    equal(refused_by(nat.server, 2222), errno.EHOSTUNREACH, "TCP")
    with udp_socket(nat.server, OUTSIDE, 53, timeout=30) as sock:
        for _ in range(400):
            try:
                sock.send(b"hello")
            except OSError as e:
                equal(e.errno, errno.EHOSTUNREACH, "UDP")
    capture.stop()
    # The error, as the outside knows the connection.
    errors = capture.tshark("icmp.type == 3 and icmp.code == 1", "ip.src",
                            "ip.dst", "tcp.dstport", "udp.dstport")
    assert 1 <= len(errors) <= 200, errors
    for error in errors:
        words = error.split("\t")
        contains(words[0], OUTSIDE, "who says so, and quoted")
        contains(words[1], OUTSIDE, "quoted")
        assert "10.20.0." not in error, error
    equal(capture.tshark("icmp.checksum.status == 0"), [], "bad checksums")
