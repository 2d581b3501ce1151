"""Names of a segment's machines, and the host's resolvers through its gateway.
"""
import errno
import os
import socket
import struct

from lib.netns import wait_until
from lib.segment_vm import (HostResolver, Machine, add_segment,
                            write_resolv_conf)
from lib.testing import contains, equal, test


def start(lab, *servers, **options):
    lab.start(monitor=False)
    add_segment(lab, resolv_conf=write_resolv_conf(lab, *servers), **options)


def question(name, number=1):
    labels = b"".join(bytes([len(part)]) + part.encode()
                      for part in name.split("."))
    return (struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels +
            b"\0\0\1\0\1")


def counter(lab, name, segment="lab"):
    uuid = lab.switch.ctl("get", "Bridge", segment, "segment")
    return lab.switch.get("Segment", uuid, "statistics").get(name, 0)


@test("names and addresses of machines are answered, both ways", only="vsw")
def _(lab):
    start(lab)
    one, two = Machine(lab, "vm1"), Machine(lab, "vm2")
    addresses = [one.dhclient(), two.dhclient()]
    for vm in (one, two):
        for name, address in zip(("vm1", "vm2"), addresses):
            equal(vm.short(f"{name}.lab"), address, name)
            equal(vm.short(name), address, f"{name} alone")
            equal(vm.short("-x", address), f"{name}.lab.", "reverse")
    equal(one.short("gateway.lab"), "10.20.0.1", "the gateway")
    contains(one.dig("nobody.lab"), "NXDOMAIN", "unknown")
    contains(one.dig("www.example.org"), "SERVFAIL", "no resolvers at all")


@test("other questions go to the host's resolvers, which may change",
      only="vsw")
def _(lab):
    start(lab, "127.0.0.1")
    vm = Machine(lab, "vm1")
    vm.dhclient()
    with HostResolver(lab.sw_ns) as first, \
            HostResolver(lab.sw_ns, "127.0.0.2", "192.0.2.99") as second:
        equal(vm.short("www.example.org"), "192.0.2.7", "relayed")
        equal(vm.dig("www.example.org").count("192.0.2.7"), 1, "one answer")
        write_resolv_conf(lab, "127.0.0.2")
        wait_until(lambda: vm.short("a.example.org") == "192.0.2.99",
                   "the other resolver is asked")
        n = len(first.asked)
        vm.short("b.example.org")
        equal(len(first.asked), n, "the first is asked no more")
        # a link to another file, as systemd-resolved has it
        os.mkdir(os.path.join(lab.directory, "resolve"))
        path = write_resolv_conf(lab, "127.0.0.1", name="resolve/stub")
        os.symlink(path, os.path.join(lab.directory, "link"))
        os.rename(os.path.join(lab.directory, "link"),
                  os.path.join(lab.directory, "resolv.conf"))
        wait_until(lambda: vm.short("c.example.org") == "192.0.2.7",
                   "the link is followed")
        write_resolv_conf(lab, "127.0.0.2", name="resolve/stub")
        wait_until(lambda: vm.short("d.example.org") == "192.0.2.99",
                   "the file behind the link has changed")
        assert second.asked, "nobody was asked"


@test("a resolver that is dead costs one question a wait, not each",
      only="vsw")
def _(lab):
    # nobody is there; nobody answers; somebody answers
    start(lab, "127.0.0.3", "127.0.0.4", "127.0.0.1")
    vm = Machine(lab, "vm1")
    vm.dhclient()
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with HostResolver(lab.sw_ns), silent:
        with lab.sw_ns.entered():
            mute = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            mute.bind(("127.0.0.4", 53))
        with mute:
            equal(vm.short("a.example.org"), "192.0.2.7", "after a while")
            for i in range(5):
                out = vm.dig(f"b{i}.example.org")
                contains(out, "192.0.2.7", "at once")
                took = int(out.split("Query time: ")[1].split()[0])
                assert took < 1500, f"took {took} ms"


@test("the gateway is not asked by itself", only="vsw")
def _(lab):
    start(lab, "10.20.0.1", "127.0.0.1")
    vm = Machine(lab, "vm1")
    vm.dhclient()
    with HostResolver(lab.sw_ns) as resolver:
        equal(vm.short("www.example.org"), "192.0.2.7", "the other one")
        equal(len(resolver.asked), 1, "questions")
        write_resolv_conf(lab, "10.20.0.1")
        wait_until(lambda: "SERVFAIL" in vm.dig("x.example.org"),
                   "no resolver is left")


@test("gateways that the host asks do not ask each other", only="vsw")
def _(lab):
    lab.start(monitor=False)
    path = write_resolv_conf(lab, "10.20.0.254", "10.30.0.254")
    for name, net in ("lab", "10.20.0.0/24"), ("other", "10.30.0.0/24"):
        add_segment(lab, name, "host-only", net, resolv_conf=path)
    vm = Machine(lab, "vm1")
    vm.dhclient()
    wait_until(lambda: "10.30.0.1/24" in lab.sw_ns.ip("addr"),
               "the host's own addresses")
    contains(lab.sw_ns.run("dig", "@10.30.0.254", "+tries=1", "+time=5",
                           "www.example.org").stdout, "SERVFAIL", "for it")
    contains(vm.dig("www.example.org", server="10.20.0.254"), "SERVFAIL",
             "for its machines")
    write_resolv_conf(lab, "10.20.0.254", "127.0.0.1")
    with HostResolver(lab.sw_ns) as resolver:
        wait_until(lambda: lab.sw_ns.run(
            "dig", "+short", "@10.30.0.254", "www.example.org",
            check=False).stdout.strip() == "192.0.2.7", "the other one")
        equal(vm.short("www.example.org", server="10.20.0.254"), "192.0.2.7",
              "for its machines")
        equal(len(resolver.asked), 2, "questions")


@test("options:dns-forward goes before the host's resolvers", only="vsw")
def _(lab):
    lab.start(monitor=False)
    add_segment(lab, dns_forward="127.0.0.2")
    vm = Machine(lab, "vm1")
    vm.dhclient()
    with HostResolver(lab.sw_ns, "127.0.0.2", "192.0.2.99"):
        equal(vm.short("www.example.org"), "192.0.2.99", "relayed")


@test("an answer too large for a frame is cut", only="vsw")
def _(lab):
    start(lab, "127.0.0.1")
    vm = Machine(lab, "vm1")
    vm.dhclient()
    with HostResolver(lab.sw_ns):
        contains(vm.dig("+ignore", "+bufsize=4096", "big.example.org"),
                 " tc ", "no frame holds it")
        contains(vm.dig("+ignore", "long.example.org"), " tc ", "cut there")


@test("what is cut comes whole by TCP", only="vsw")
def _(lab):
    start(lab, "127.0.0.1")
    vm = Machine(lab, "vm1")
    address = vm.dhclient()
    with HostResolver(lab.sw_ns) as resolver:
        # dig asks again by TCP when it is told so
        equal(len(vm.short("long.example.org").split()), 200, "by TCP")
        assert ("long.example.org", True) in resolver.asked, resolver.asked
        equal(vm.short("+tcp", "vm1.lab"), address, "own names, too")


def ask_stream(path, *questions):
    """Answers of the gateway's unix socket, where TCP connections end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(20)
        sock.connect(path)
        for one in questions:
            sock.sendall(struct.pack("!H", len(one)) + one)
        with sock.makefile("rb") as file:
            for _ in questions:
                yield file.read(struct.unpack("!H", file.read(2))[0])


@test("questions by connections are asked and answered by connections",
      only="vsw")
def _(lab):
    start(lab, "127.0.0.1")
    with HostResolver(lab.sw_ns) as resolver:
        answers = {a[:2]: a for a in ask_stream(
            lab.switch.path("lab.dns"), question("long.example.org", 1),
            question("gateway.lab", 2), question("www.example.org", 3))}
        equal(sorted(answers), [b"\0\1", b"\0\2", b"\0\3"], "answers")
        equal(struct.unpack("!H", answers[b"\0\1"][6:8])[0], 200, "records")
        assert ("long.example.org", True) in resolver.asked, resolver.asked


@test("200 questions at once are all answered", only="vsw")
def _(lab):
    start(lab, "127.0.0.1")
    machines = [Machine(lab, f"vm{i}") for i in range(1, 5)]
    for vm in machines:
        vm.dhclient()
    with HostResolver(lab.sw_ns):
        socks = []
        for vm in machines:
            with vm.host.namespace.entered():
                socks.append(socket.socket(socket.AF_INET,
                                           socket.SOCK_DGRAM))
        for i in range(50):
            for sock in socks:
                sock.sendto(question(f"n{i}.example.org", i),
                            ("10.20.0.1", 53))
        for sock in socks:
            got = set()
            sock.settimeout(20)
            while len(got) < 50:
                answer = sock.recv(4096)
                equal(answer[3] & 15, 0, "the code of an answer")
                got.add(answer[:2])
            sock.close()


FLOOD = """
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
tail = b"\\6silent\\7example\\3org\\0\\0\\1\\0\\1"
i = 0
while True:
    i += 1
    try:
        s.sendto(struct.pack("!HHHHHH", i & 65535, 256, 1, 0, 0, 0) + tail,
                 ("10.20.0.1", 53))
    except OSError:
        pass
"""


@test("a flood of one machine's questions leaves another its answers",
      only="vsw")
def _(lab):
    start(lab, "127.0.0.1")
    bad, good = Machine(lab, "vm1"), Machine(lab, "vm2")
    bad.dhclient()
    good.dhclient()
    with HostResolver(lab.sw_ns) as resolver:
        flood = lab.spawn(bad.host.namespace, "python3", "-c", FLOOD)
        wait_until(lambda: ("silent.example.org", False) in resolver.asked,
                   "the flood has begun")
        for i in range(20):
            equal(good.short(f"n{i}.example.org"), "192.0.2.7",
                  f"answer {i} in the flood")
        equal(good.short("vm2.lab"), good.host.run(
            "hostname", "-I").stdout.split()[0], "own names")
        assert flood.poll() is None, "the flood has ended"
        flood.kill()
        flood.wait()
        wait_until(lambda: counter(lab, "dns_limited") > 0, "it was limited")
        equal(good.short("after.example.org"), "192.0.2.7", "after it")


@test("a question in another's name is not answered to anybody", only="vsw")
def _(lab):
    start(lab, "127.0.0.1")
    bad, good = Machine(lab, "vm1"), Machine(lab, "vm2")
    bad.dhclient()
    address = good.dhclient()
    good.run("ping", "-c", "1", "-W", "5", "10.20.0.1")
    with HostResolver(lab.sw_ns) as resolver:
        bad.host.namespace.ip("addr", "add", f"{address}/32", "dev", "eth0")
        bad.run("dig", "-b", address, "@10.20.0.1", "+tries=1", "+time=1",
                "stolen.example.org", check=False)
        equal(good.short("own.example.org"), "192.0.2.7", "its owner's")
        assert ("stolen.example.org", False) not in resolver.asked, \
            resolver.asked


@test("a segment that goes leaves no socket behind", only="vsw")
def _(lab):
    start(lab, "127.0.0.1")
    path = lab.switch.path("lab.dns")
    wait_until(lambda: os.path.exists(path), "the socket of TCP clients")
    lab.switch.ctl("del-br", "lab")
    assert not os.path.exists(path), "the socket is left"
    add_segment(lab)
    wait_until(lambda: os.path.exists(path), "it is there again")


@test("IPv6: machines ask the gateway's address and are answered by it",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    lab.switch.ctl(
        "add-br", "lab", "--", "--id=@s", "create", "Segment", "name=lab",
        "type=nat", "subnet=10.20.0.0/24", 'subnet6="fd20::/64"',
        f'options:resolv-conf="{write_resolv_conf(lab, "127.0.0.1")}"', "--",
        "set", "Bridge", "lab", "segment=@s")
    vm = Machine(lab, "vm1")
    with HostResolver(lab.sw_ns):
        wait_until(lambda: "fd20::" in vm.host.namespace.ip(
            "-6", "addr", "show", "dev", "eth0"), "an address by SLAAC")
        equal(vm.short("www.example.org", server="fd20::1"), "192.0.2.7",
              "relayed")
        equal(vm.short("gateway.lab", "AAAA", server="fd20::1"), "fd20::1",
              "the gateway")
        equal(vm.short("-x", "fd20::1", server="fd20::1"), "gateway.lab.",
              "reverse")
        # By TCP it is refused at once, and not left to time out.
        with vm.host.namespace.entered():
            sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        with sock:
            sock.settimeout(60)
            equal(sock.connect_ex(("fd20::1", 53)), errno.ECONNREFUSED, "TCP")
