"""The kernel's fast path: what goes by it and what does not, on which ports,
and what is said of it."""
import json
import os

from lib import fastpath
from lib.fastpath import Watch, forwarded, status, switch_to, wait_for_status
from lib.frame import BROADCAST, frame, station
from lib.netns import ip_batch, wait_until
from lib.testing import contains, equal, test
from lib.traffic import tcp_transfer, udp_exchange
from test_ports import HeldTap, SwitchSide, address

A, B, C = station(0xa), station(0xb), station(0xc)


def learn(lab, **stations):
    for port, mac in stations.items():
        lab.send(port, frame(src=mac))
    lab.settle(stations)
    lab.forget()


def none(*ports):
    return dict.fromkeys(ports, 0)


@test("known stations' frames are forwarded in the kernel, and no others",
      only="vsw")
def _(lab):
    fastpath.start(lab).ports({"p1": {}, "p2": {}, "p3": {}})
    learn(lab, p1=A, p2=B)
    there, back = frame(B, A), frame(A, B)
    with Watch(lab, "p1", "p2", "p3") as watch:
        lab.check([("p1", there)] * 5, {"p2": [there] * 5}, with_monitor=True)
        lab.check([("p2", back)] * 3, {"p1": [back] * 3}, with_monitor=True)
    equal((watch.rx, watch.tx), ({"p1": 5, "p2": 3, "p3": 0},
                                 {"p1": 3, "p2": 5, "p3": 0}), "by the kernel")
    # what is not known, or for many, or wrong, is userspace's
    unknown, group = frame(C, A), frame(src=A)
    new, same = frame(A, C), frame(A, station(0xaa))
    with Watch(lab, "p1", "p2", "p3") as watch:
        lab.check([("p1", unknown), ("p1", group)],
                  {"p2": [unknown, group], "p3": [unknown, group]})
        lab.check([("p3", new)], {"p1": [new]})
        lab.check([("p1", same)], {})
        lab.check([("p1", frame(B, BROADCAST))], {})
    equal((watch.rx, watch.tx), (none(*watch.rx), none(*watch.tx)),
          "by the kernel")


@test("the statistics have all frames, and port/stats and fastpath/show those "
      "of the kernel", only="vsw")
def _(lab):
    fastpath.start(lab, monitor=False).ports({"p1": {}, "p2": {}})
    lab.switch.set("Open_vSwitch", ".",
                   other_config={"stats-update-interval": 1000})
    lab.send("p2", frame(src=B))
    lab.pump(lambda: lab.peers["p1"].received, "B is known")
    lab.send("p1", frame(src=A))
    lab.pump(lambda: lab.peers["p2"].received, "A is known")
    sent = [frame(B, A, length=length) for length in (60, 100, 1514)]
    lab.send("p1", *sent)
    lab.pump(lambda: len(lab.peers["p2"].received) == 4, "three frames at p2")
    equal((forwarded(lab, "p1"), forwarded(lab, "p2")), ((3, 0), (0, 3)),
          "by the kernel")
    octets = 60 + 60 + 100 + 1514
    wanted = {"rx_packets": 4, "rx_bytes": octets, "tx_packets": 1,
              "tx_bytes": 60, "rx_broadcast_packets": 1}

    def counted(port):
        counts = lab.switch.get("Interface", port, "statistics")
        return {name: counts.get(name) for name in wanted}
    wait_until(lambda: counted("p1") == wanted, lambda: str(counted("p1")))
    wait_until(lambda: counted("p2")["tx_bytes"] == octets,
               lambda: str(counted("p2")))
    text = lab.switch.vsw_ctl("port/stats", "p1").stdout
    contains(text, "fast_path_rx_packets", "port/stats")
    text = lab.switch.vsw_ctl("fastpath/show", "br0").stdout
    for word in ("p1", "p2", "yes"):
        contains(text, word, "fastpath/show")
    json.loads(lab.switch.vsw_ctl("fastpath/show", "--format=json").stdout)


@test("kernel-fast-path=false takes all ports off, at once, and true back",
      only="vsw")
def _(lab):
    fastpath.start(lab).ports({"p1": {}, "p2": {}})
    for on in (True, False, True, False):
        switch_to(lab, on)
        learn(lab, p1=A, p2=B)
        one = frame(B, A)
        with Watch(lab, "p1") as watch:
            lab.check([("p1", one)], {"p2": [one]})
        equal(watch.rx, {"p1": int(on)}, "by the kernel")
        if on:
            wait_for_status(lab, "p1", "yes")
        else:
            contains(wait_for_status(lab, "p1", "no"), "kernel-fast-path",
                     "Interface:status")
    lab.switch.ctl("remove", "Open_vSwitch", ".", "other_config",
                   "kernel-fast-path")
    wait_for_status(lab, "p1", "yes")
    result = lab.switch.vsw_ctl("set", "Open_vSwitch", ".",
                                "other_config:kernel-fast-path=perhaps",
                                check=False)
    equal(result.returncode, 1, "status of a refused setting")
    contains(result.stderr, "kernel-fast-path", "the refusal")


def check_large(watch, port, size):
    """Some bytes went by the kernel in large packets, not segment by
    segment."""
    packets = watch.rx[port]
    assert 0 < packets < size / 1448 / 2, \
        f"{packets} packets for {size} bytes"


@test("TCP and UDP between hosts go by the kernel, in large packets",
      only="vsw")
def _(lab):
    fastpath.start(lab, monitor=False)
    a = lab.host("h1", "10.0.0.1/24", "fd00::1/64", tag=10)
    b = lab.host("h2", "10.0.0.2/24", "fd00::2/64", tag=10)
    c = lab.host("h3", "10.0.0.3/24", vlan_mode="native-untagged", tag=10)
    size = 8 << 20
    for source, sink, address_ in ((a, b, "10.0.0.2"), (b, a, "fd00::1"),
                                   (a, c, "10.0.0.3"), (c, b, "10.0.0.2")):
        source.must_ping(address_)
        port = next(name for name, host in lab.hosts.items()
                    if host is source)
        with Watch(lab, port) as watch:
            tcp_transfer(source, sink, address_, size=size)
        check_large(watch, port, size)
    with Watch(lab, "h1") as watch:
        udp_exchange(a, b, "10.0.0.2", [1, 1472, 20000])
    assert watch.rx["h1"] >= 3, f"{watch.rx} datagrams by the kernel"


@test("internal ports and taps take part, as sources and as destinations",
      only="vsw")
def _(lab):
    fastpath.start(lab, monitor=False)
    lab.switch.ctl("add-port", "br0", "tap20", "tag=20", "--", "set",
                   "Interface", "tap20", "type=tap")
    address(lab, "br0", "10.0.0.254/24", "fd00::fe/64")
    address(lab, "tap20", "10.2.0.254/24")
    a = lab.host("h1", "10.0.0.1/24", "fd00::1/64")
    b = lab.host("h2", "10.2.0.1/24", tag=20)
    host, size = SwitchSide(lab), 4 << 20
    a.must_ping("10.0.0.254")
    a.must_ping("fd00::fe")
    b.must_ping("10.2.0.254")
    for port, source, sink, to in (
            ("h1", a, host, "10.0.0.254"), ("br0", host, a, "10.0.0.1"),
            ("br0", host, a, "fd00::1"), ("h2", b, host, "10.2.0.254"),
            ("tap20", host, b, "10.2.0.1")):
        wait_for_status(lab, port, "yes")
        with Watch(lab, port) as watch:
            tcp_transfer(source, sink, to, size=size)
        check_large(watch, port, size)


@test("an internal port that a container has taken goes on, by userspace or "
      "not", only="vsw")
def _(lab):
    fastpath.start(lab, monitor=False)
    away = lab.host("h9", "10.9.0.9/24").namespace
    a = lab.host("h1", "10.0.0.1/24")
    lab.switch.ctl("add-port", "br0", "int1", "--", "set", "Interface",
                   "int1", "type=internal")
    lab.sw_ns.ip("link", "set", "int1", "netns", away.name)
    ip_batch(["addr add 10.0.0.2/24 dev int1", "link set int1 up"],
             away.name)
    a.must_ping("10.0.0.2", count=5)
    tcp_transfer(a, lab.hosts["h9"], "10.0.0.2", size=1 << 20)


@test("a tap that an emulator holds takes part", only="vsw")
def _(lab):
    tap = HeldTap(lab, "vm0")
    fastpath.start(lab).ports({"p1": {}})
    lab.switch.ctl("add-port", "br0", "vm0")
    learn(lab, p1=A)
    tap.write(frame(src=B))
    lab.pump(lambda: lab.peers["p1"].received, "B is known")
    lab.forget()
    tap.forget()
    there, back = frame(A, B), frame(B, A)
    with Watch(lab, "p1", "vm0") as watch:
        tap.write(there)
        lab.pump(lambda: there in lab.peers["p1"].received, "at p1")
        lab.send("p1", back)
        equal(tap.read(), back, "at the tap")
    equal((watch.rx, watch.tx), ({"p1": 1, "vm0": 1}, {"p1": 1, "vm0": 1}),
          "by the kernel")
    os.close(tap.fd)
    wait_until(lambda: "vm0" not in lab.sw_ns.devices(), "vm0 is gone")


@test("ports that are no devices of the kernel say why they are not on it",
      only="vsw")
def _(lab):
    fastpath.start(lab).ports({"p1": {}})
    lab.switch.ctl("add-port", "br0", "n1", "--", "set", "Interface", "n1",
                   "type=null")
    lab.switch.add_vhost("br0", "g1")
    lab.ports({"x1": {"interface": {"options:xdp-mode": "generic"}}})
    wait_for_status(lab, "x1", "no: ")
    shown = lab.switch.vsw_ctl("fastpath/show").stdout
    for port in ("n1", "g1", "x1"):
        line = next(line for line in shown.splitlines() if port in line)
        contains(line, " no: ", f"{port} in fastpath/show")
    learn(lab, p1=A, x1=B)
    there, back = frame(B, A), frame(A, B)
    with Watch(lab, "p1") as watch:
        lab.check([("p1", there)], {"x1": [there]})
        lab.check([("x1", back)], {"p1": [back]})
    equal((watch.rx, watch.tx), (none("p1"), none("p1")), "by the kernel")


@test("a kernel that does not permit it: said once, and userspace serves",
      only="vsw")
def _(lab):
    argv = lab.switch.argv
    lab.switch.argv = lambda: ["capsh", "--drop=cap_bpf,cap_sys_admin", "--",
                               "-c", 'exec "$0" "$@"', *argv()]
    fastpath.start(lab).ports({"p1": {}, "p2": {}})
    learn(lab, p1=A, p2=B)
    one = frame(B, A)
    lab.check([("p1", one)], {"p2": [one]})
    contains(wait_for_status(lab, "p1", "no: "), "CAP_BPF",
             "Interface:status")
    equal(status(lab, "p2"), status(lab, "p1"), "p2's status")
    said = [line for line in lab.switch.log_text().splitlines()
            if "CAP_BPF" in line and "fast path" in line]
    equal(len(said), 1, f"times that the log says so: {said}")


@test("the host's stack sees no frame of a bridge's devices", only="vsw")
def _(lab):
    fastpath.start(lab, monitor=False)
    a = lab.host("h1", "10.0.0.1/24")
    b = lab.host("h2", "10.0.0.2/24")
    a.must_ping("10.0.0.2")
    address(lab, "h1", "10.0.0.99/24")
    assert not a.ping("10.0.0.99", count=2), "the host answered"
    lab.sw_ns.run("nft", "add", "table", "inet", "t")
    lab.sw_ns.run("nft", "add", "chain", "inet", "t", "c",
                  "{ type filter hook prerouting priority -300; }")
    lab.sw_ns.run("nft", "add", "rule", "inet", "t", "c", "iifname",
                  "{ h1, h2 }", "counter")
    with Watch(lab, "h1") as watch:
        tcp_transfer(a, b, "10.0.0.2", size=1 << 20)
    assert watch.rx["h1"], "nothing went by the kernel"
    out = lab.sw_ns.run("nft", "list", "table", "inet", "t").stdout
    contains(out, "counter packets 0 bytes 0", "what the stack saw")
