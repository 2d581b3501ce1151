"""The way to the host's own networks, by its sockets."""
import errno
import hashlib
import os
import resource
import socket

from lib.hostnet import (GATEWAY, HOST, LOOPBACK, MACHINE, WORLD, Echo,
                         Hostnet, connect, make_socket, receive_all)
from lib.netns import wait_until
from lib.testing import contains, equal, test


def send_and_compare(s, size):
    data = os.urandom(size)
    with s:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        got = receive_all(s)
    equal(hashlib.sha256(got).hexdigest(), hashlib.sha256(data).hexdigest(),
          f"what came back of {size} bytes ({len(got)} bytes)")


def ask(s, address, data=b"question"):
    with s:
        s.sendto(data, address)
        answer, peer = s.recvfrom(65536)
    equal(answer, data, "what came back")
    return peer[0]


def is_refused(namespace, version, address, port):
    s = make_socket(namespace, version)
    s.settimeout(2)
    with s:
        try:
            s.connect((address, port))
        except OSError:
            return True
    return False


@test("what machines send by TCP, and what they get, is intact", only="vsw")
def _(lab):
    with Hostnet(lab) as net:
        for version in (4, 6):
            with Echo(net.world, version, WORLD[version], 7) as echo:
                for size in (1, 1461, 65536, 8 << 20):
                    send_and_compare(connect(net.vm, version, WORLD[version],
                                             7), size)
                equal(set(echo.peers), {HOST[version]}, "who asked")
        net.wait_for_no_sessions()
        # But for what a machine says on its link.
        equal(set(net.drops()) - {"bad-source"}, set(), "drops")


@test("UDP goes both ways, in large datagrams, too", only="vsw")
def _(lab):
    with Hostnet(lab) as net:
        for version in (4, 6):
            with Echo(net.world, version, WORLD[version], 7,
                      socket.SOCK_DGRAM):
                for size in (1400, 1473, 4000, 60000):
                    s = make_socket(net.vm, version, socket.SOCK_DGRAM)
                    equal(ask(s, (WORLD[version], 7), os.urandom(size)),
                          WORLD[version], "who answered")
            s = make_socket(net.vm, version, socket.SOCK_DGRAM)
            t = make_socket(net.world, version, socket.SOCK_DGRAM)
            with s, t:
                t.bind((WORLD[version], 9))
                s.sendto(b"hello", (WORLD[version], 9))
                _, peer = t.recvfrom(100)
                for size in (1473, 4000, 60000):
                    data = os.urandom(size)
                    t.sendto(data, peer)
                    equal(s.recv(65536), data, f"{size} bytes")


@test("pings are answered, and fail where nobody is", only="vsw")
def _(lab):
    with Hostnet(lab) as net:
        for version in (4, 6):
            net.vm.run("ping", "-c", "3", "-i", "0.2", "-W", "5",
                       WORLD[version])
            for size in (1400, 1480, 9000):
                net.vm.run("ping", "-c", "1", "-s", size, "-W", "5",
                           WORLD[version])
        net.world.run("ip", "route", "add", "unreachable", "198.51.100.0/24")
        net.world.sysctl("ipv4/ip_forward", 1)
        out = net.vm.run("ping", "-c", "1", "-W", "5", "198.51.100.1",
                         check=False).stdout
        contains(out, "From 192.0.2.2", "the error")
        assert net.stats()["icmp"] >= 2, net.stats()


@test("why pings are not possible is known, and when they are again",
      only="vsw")
def _(lab):
    lab_of_user = Hostnet(lab, wrapper=("setpriv", "--bounding-set=-net_raw"))
    lab_of_user.host.sysctl("ipv4/ping_group_range", "1 0")
    with lab_of_user as net:
        equal(net.stats()["ping_error"], 0, "at first")
        net.vm.run("ping", "-c", "1", "-W", "2", WORLD[4], check=False)
        wait_until(lambda: net.stats()["ping_error"] in (errno.EACCES,
                                                         errno.EPERM),
                   lambda: f"{net.stats()}")
        net.host.sysctl("ipv4/ping_group_range", "0 2147483647")
        net.vm.run("ping", "-c", "3", "-i", "0.2", "-W", "5", WORLD[4])
        equal(net.stats()["ping_error"], 0, "allowed")


@test("ports of the host lead to machines, and change live", only="vsw")
def _(lab):
    with Hostnet(lab) as net:
        with (Echo(net.vm, 4, MACHINE[4], 22) as four,
              Echo(net.vm, 6, MACHINE[6], 22) as six,
              Echo(net.vm, 4, MACHINE[4], 8002),
              Echo(net.vm, 4, MACHINE[4], 53, socket.SOCK_DGRAM) as dns):
            first = "tcp 0.0.0.0 2222 2222 10.20.0.15 22"
            equal(net.forward(first, "tcp :: 2222 2222 fd20::15 22",
                              "tcp 127.0.0.1 8000 8004 10.20.0.15 8000",
                              "udp 0.0.0.0 5300 5300 10.20.0.15 53"), [],
                  "what is wrong")
            send_and_compare(connect(net.world, 4, HOST[4], 2222), 1 << 20)
            send_and_compare(connect(net.world, 6, HOST[6], 2222), 1 << 20)
            send_and_compare(connect(net.host, 4, LOOPBACK[4], 2222), 1 << 20)
            send_and_compare(connect(net.host, 4, LOOPBACK[4], 8002), 100)
            equal(four.peers, [WORLD[4], GATEWAY[4]], "who called, by IPv4")
            equal(six.peers, [WORLD[6]], "who called, by IPv6")
            for where, address in ((net.world, HOST), (net.host, LOOPBACK)):
                s = make_socket(where, 4, socket.SOCK_DGRAM)
                ask(s, (address[4], 5300))
            equal(dns.peers, [WORLD[4], GATEWAY[4]], "who asked")
            assert is_refused(net.world, 4, HOST[4], 8002)
            # One that stays does not lose its connections.
            with connect(net.world, 4, HOST[4], 2222) as s:
                equal(net.forward(first), [], "what is wrong")
                assert is_refused(net.world, 6, HOST[6], 2222)
                assert is_refused(net.host, 4, LOOPBACK[4], 8002)
                send_and_compare(s, 100)
            equal(net.forward(), [], "what is wrong")
            assert is_refused(net.world, 4, HOST[4], 2222)


@test("a forward that cannot be says why, and the others are", only="vsw")
def _(lab):
    with Hostnet(lab) as net, Echo(net.host, 4, "0.0.0.0", 2222):
        lines = net.forward("tcp 0.0.0.0 2221 2223 10.20.0.15 22",
                            "tcp 203.0.113.9 80 80 10.20.0.15 80",
                            "tcp 0.0.0.0 3000 3000 10.20.0.15 80")
        equal(len(lines), 2, lines)
        contains(lines[0], "forward 0: TCP port 2222 of the host is used by "
                 "another program", "the first")
        contains(lines[1], "forward 1: the host has no address 203.0.113.9",
                 "the second")
        connect(net.world, 4, HOST[4], 2221).close()
        connect(net.world, 4, HOST[4], 3000).close()


def try_loopback(lab, allowed):
    option = f"host-loopback={str(allowed).lower()}"
    with Hostnet(lab, option) as net:
        for version in (4, 6):
            with (Echo(net.host, version, LOOPBACK[version], 7),
                  Echo(net.host, version, LOOPBACK[version], 7,
                       socket.SOCK_DGRAM)):
                equal(is_refused(net.vm, version, GATEWAY[version], 7),
                      not allowed, f"IPv{version} is refused")
                s = make_socket(net.vm, version, socket.SOCK_DGRAM)
                s.settimeout(20 if allowed else 0.5)
                try:
                    ask(s, (GATEWAY[version], 7))
                    assert allowed, "a datagram came through"
                except OSError:
                    assert not allowed, "no datagram came through"


@test("the host's loopback is not reached", only="vsw")
def _(lab):
    try_loopback(lab, False)


@test("the host's loopback is reached where that is allowed", only="vsw")
def _(lab):
    try_loopback(lab, True)


@test("without a way out only what was forwarded works", only="vsw")
def _(lab):
    with Hostnet(lab, "way-out=false") as net:
        for version in (4, 6):
            with Echo(net.world, version, WORLD[version], 7) as echo:
                assert is_refused(net.vm, version, WORLD[version], 7)
                equal(echo.peers, [], "who asked")
        assert net.drops()["no-destination"] > 0


@test("an ordinary user's port does all but the lower ports", only="vsw")
def _(lab):
    with Hostnet(lab, "user=65534") as net:
        for version in (4, 6):
            with Echo(net.world, version, WORLD[version], 7):
                send_and_compare(connect(net.vm, version, WORLD[version], 7),
                                 100000)
            net.vm.run("ping", "-c", "1", "-W", "5", WORLD[version])
        lines = net.forward("tcp 0.0.0.0 80 80 10.20.0.15 80",
                            "tcp 0.0.0.0 8080 8080 10.20.0.15 80")
        equal(len(lines), 1, lines)
        contains(lines[0], "TCP port 80 of the host is for privileged",
                 "the error")


@test("a thousand connections at once are as good as one", only="vsw")
def _(lab):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    try:
        with (Hostnet(lab, "sessions-max=4000", "client-sessions-max=2000")
              as net, Echo(net.world, 4, WORLD[4], 7)):
            sockets = [connect(net.vm, 4, WORLD[4], 7) for _ in range(1000)]
            equal(net.stats()["tcp"], 1000, "connections")
            for i, s in enumerate(sockets):
                s.sendall(b"%d" % i * 100)
                s.shutdown(socket.SHUT_WR)
            for i, s in enumerate(sockets):
                with s:
                    equal(receive_all(s), b"%d" % i * 100, f"answer {i}")
            net.wait_for_no_sessions()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@test("a machine at its limit gets no more, others do", only="vsw")
def _(lab):
    with (Hostnet(lab, "sessions-max=100", "client-sessions-max=10") as net,
          Echo(net.world, 4, WORLD[4], 7),
          Echo(net.world, 4, WORLD[4], 7, socket.SOCK_DGRAM)):
        net.vm.ip("addr", "add", "10.20.0.16/24", "dev", "eth0")
        udp = make_socket(net.vm, 4, socket.SOCK_DGRAM)
        udp.sendto(b"first", (WORLD[4], 7))
        equal(udp.recv(100), b"first", "before the limit")
        sockets = [connect(net.vm, 4, WORLD[4], 7) for _ in range(9)]
        equal(net.stats()["tcp"], 9, "connections")
        assert is_refused(net.vm, 4, WORLD[4], 7)
        assert net.stats()["refused"] > 0, net.stats()
        assert net.drops()["nat-limit"] > 0
        udp.sendto(b"still there", (WORLD[4], 7))
        equal(udp.recv(100), b"still there", "at the limit")
        other = make_socket(net.vm, 4)
        other.bind((MACHINE[4][:-1] + "6", 0))
        other.connect((WORLD[4], 7))
        send_and_compare(other, 1000)
        for s in sockets:
            send_and_compare(s, 10)
        wait_until(lambda: net.stats()["tcp"] == 0, "all have ended")
        send_and_compare(connect(net.vm, 4, WORLD[4], 7), 1000)


@test("TCP port 53 of the gateway is the name service's", only="vsw")
def _(lab):
    path = os.path.join(lab.directory, "dns")
    service = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    service.bind(path)
    service.listen(4)
    service.settimeout(20)
    with service, Hostnet(lab, f"dns-socket={path}", "way-out=false") as net:
        with connect(net.vm, 4, GATEWAY[4], 53) as s:
            asked, _ = service.accept()
            with asked:
                s.sendall(b"question")
                equal(asked.recv(100), b"question", "what was asked")
                asked.sendall(b"answer")
                equal(s.recv(100), b"answer", "what was answered")


@test("the port ends while connections are open", only="vsw")
def _(lab):
    with (Hostnet(lab) as net, Echo(net.world, 4, WORLD[4], 7),
          connect(net.vm, 4, WORLD[4], 7) as s):
        s.sendall(b"x" * 10000)
        make_socket(net.vm, 4, socket.SOCK_DGRAM).sendto(b"x", (WORLD[4], 9))
        net.forward("tcp 0.0.0.0 2222 2222 10.20.0.15 22")
