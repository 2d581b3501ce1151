"""Policing of what comes in, and marks: rates by counters, frames by captures.
The scenarios are those that tc's police action is tested with."""
import struct
import time

from lib import raw_ip
from lib.frame import BROADCAST, Frame, frame, mac_bytes, station
from lib.netns import ip_batch, wait_until
from lib.testing import contains, equal, test
from lib.traffic import serve_iperf

A, B, C = station(0xa), station(0xb), station(0xc)


def police(lab, port, **columns):
    lab.switch.set("Interface", port, **{
        f"ingress_policing_{name}": value for name, value in columns.items()})


def arrived(lab, port):
    """Frames and bytes that the switch has sent to the port, and when."""
    stats = lab.switch.command("port/stats", port)[port]
    return stats["tx_packets"], stats["tx_bytes"], time.monotonic()


def policed(lab, port):
    return {row["reason"]: row["packets"] for row in
            lab.switch.command("drops", port)}.get("policed", 0)


def window(lab, port, seconds):
    """Frames and bits a second that reach a port, in a window of time."""
    frames, octets, since = arrived(lab, port)
    # a window of a real clock: what is measured is a rate
    wait_until(lambda: time.monotonic() - since >= seconds, "the window ends",
               seconds + 20, 0.05)
    frames_2, octets_2, at = arrived(lab, port)
    return ((frames_2 - frames) / (at - since),
            8 * (octets_2 - octets) / (at - since))


def stream(lab, source, sink, *options, port=5201):
    lab.spawn(sink.namespace, "iperf3", "-s", "-1", "-p", port)
    wait_until(lambda: sink.run("ss", "-Hltn", f"sport = :{port}")
               .stdout.strip(), "iperf3 -s listens")
    return lab.spawn(source.namespace, "iperf3", "-c", sink.ip, "-t", 60, "-p",
                     port, *options)


def settled(lab, port):
    """Returns when the burst is used up: the policer drops."""
    wait_until(lambda: policed(lab, port) > 100, f"{port} is policed", 30,
               0.05)


def near(got, wanted, percent, what):
    print(f"{what}: {got:.0f} of {wanted}")
    assert abs(got - wanted) <= wanted * percent / 100, \
        f"{what}: {got:.0f} is not within {percent} % of {wanted}"


@test("UDP faster than a rate of bytes keeps it, and another port has its own",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    a, b, c, d = (lab.host(f"h{n}", f"10.0.0.{n}/24") for n in range(1, 5))
    police(lab, "h1", rate=10000, burst=500)
    a.must_ping(b.ip)
    c.must_ping(d.ip)
    stream(lab, a, b, "-u", "-b", "25M")
    stream(lab, c, d, "-u", "-b", "30M")
    settled(lab, "h1")
    other = arrived(lab, "h4")
    _, rate = window(lab, "h2", 2)
    near(rate, 10000000, 3, "bit/s")
    frames, octets, at = arrived(lab, "h4")
    near(8 * (octets - other[1]) / (at - other[2]), 30000000 * 1514 / 1448, 8,
         "bit/s of the port beside it")
    equal(policed(lab, "h3"), 0, "drops of the port beside it")
    # a change is in force at once, and none is none
    police(lab, "h1", rate=15000)
    near(window(lab, "h2", 2)[1], 15000000, 3, "bit/s after a change")
    police(lab, "h1", rate=0)
    before = policed(lab, "h1")
    near(window(lab, "h2", 1)[1], 25000000 * 1514 / 1448, 8, "bit/s, no limit")
    equal(policed(lab, "h1"), before, "drops without a limit")


@test("a rate of packets, whatever their size", only="vsw")
def _(lab):
    lab.start(monitor=False)
    a = lab.host("h1", "10.0.0.1/24")
    b = lab.host("h2", "10.0.0.2/24")
    police(lab, "h1", kpkts_rate=2, kpkts_burst=1)
    a.must_ping(b.ip)
    small = stream(lab, a, b, "-u", "-b", "4M", "-l", 64)
    settled(lab, "h1")
    near(window(lab, "h2", 2)[0], 2000, 3, "small frames/s")
    small.kill()
    small.wait()
    before = policed(lab, "h1")
    stream(lab, a, b, "-u", "-b", "60M", "-l", 1400, port=5202)
    wait_until(lambda: policed(lab, "h1") > before + 3000, "it is policed", 30,
               0.05)
    near(window(lab, "h2", 2)[0], 2000, 3, "large frames/s")


@test("TCP's large packets count as the frames that they stand for",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    a = lab.host("h1", "10.0.0.1/24")
    b = lab.host("h2", "10.0.0.2/24")
    police(lab, "h1", rate=50000, burst=4000)
    a.must_ping(b.ip)
    stream(lab, a, b)
    settled(lab, "h1")
    # Its packets come as up to 64 KB; TCP does not use up all of a policer.
    _, rate = window(lab, "h2", 3)
    print(f"TCP: {rate / 1e6:.1f} Mbit/s of 50")
    assert 5000000 < rate < 51500000, f"{rate:.0f} bit/s"
    # By packets: 2,000 frames of 1,514 bytes a second, not 2,000 of 64 KB; and
    # the burst of 1,000 that TCP may have saved up while it waited.
    police(lab, "h1", rate=0, kpkts_rate=2, kpkts_burst=1)
    window(lab, "h2", 0.5)
    _, rate = window(lab, "h2", 3)
    print(f"TCP: {rate / 1e6:.1f} Mbit/s of 24.2, and a burst")
    assert rate < 28500000, f"{rate:.0f} bit/s"


@test("a burst passes, and nothing more until it has been saved up again",
      only="vsw")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}})
    for port, mac in (("p1", A), ("p2", B)):
        lab.send(port, frame(src=mac))
    lab.settle(["p1", "p2"])
    # 8 kbit are 10 frames of 100 bytes; the rate, one in 0.8 s, is not waited
    # for: frames leave in the order in which they came, from the first on.
    police(lab, "p1", rate=1, burst=8)
    sent = [frame(B, A, length=100) for _ in range(40)]
    lab.forget()
    lab.send("p1", *sent)
    wait_until(lambda: policed(lab, "p1") >= 25, "the rest is dropped")
    lab.probe(but=("p1",))
    got = list(lab.peers["p2"].received)
    assert 10 <= len(got) <= 15, f"{len(got)} passed"
    equal(got[:10], sent[:10], "the first")
    equal(policed(lab, "p1"), 40 - len(got), "drops")
    # what goes the other way has no limit
    back = [frame(A, B) for _ in range(40)]
    lab.forget()
    lab.send("p2", *back)
    lab.pump(lambda: len(lab.peers["p1"].received) >= 40, "all come back")


@test("each member of a bond has its own rate", only="vsw")
def _(lab):
    lab.start()
    lab.ports({"p1": {}})
    for name in ("m0", "m1"):
        lab.wire(name)
    lab.switch.ctl("add-bond", "br0", "bond0", "m0", "m1",
                   "other_config:bond-policy=ip-hash")
    police(lab, "m0", rate=1, burst=8)
    socks = {name: lab.far_ns.packet_socket(name) for name in ("m0", "m1")}
    wait_until(lambda: lab.switch.app("bond/show", "bond0").count(
        ": enabled") == 2, "both members are enabled")
    lab.send("p1", frame(src=B))
    lab.settle(["p1"])
    lab.forget()
    for name, mac in (("m0", A), ("m1", C)):
        for _ in range(40):
            socks[name].send(frame(B, mac, length=100))
    lab.pump(lambda: sum(one.src == C for one in lab.peers["p1"].received) ==
             40, "what came in by m1")
    wait_until(lambda: policed(lab, "m0") >= 25, "m0 is policed")
    equal(policed(lab, "m1"), 0, "drops of m1")
    for sock in socks.values():
        sock.close()


@test("numbers that make no sense are refused", only="vsw")
def _(lab):
    lab.start(monitor=False).ports({"p1": {}})
    for key, value in (("set-pcp", 8), ("set-dscp", 64), ("set-pcp", "x")):
        result = lab.switch.vsw_ctl("set", "Port", "p1",
                                    f"other_config:{key}={value}",
                                    check=False)
        equal(result.returncode, 1, f"status of {key}={value}")
        contains(result.stderr, key, "the message")
    result = lab.switch.vsw_ctl("set", "Interface", "p1",
                                "ingress_policing_rate=-1", check=False)
    equal(result.returncode, 1, "status of a negative rate")
    contains(result.stderr, "ingress_policing_rate", "the message")


def packet(dst, src, what):
    """what: from the type on."""
    return Frame((mac_bytes(dst) + mac_bytes(src) + what).ljust(60, b"\0"))


def marked(one, dscp):
    """The same packet with a DSCP, and a right checksum."""
    at = 14 + 4 * len(one.tags())
    data = bytearray(one)
    if one[at - 2:at] == b"\x08\x00":
        data[at + 1] = dscp << 2 | data[at + 1] & 3
        head = data[at:at + 4 * (data[at] & 15)]
        head[10:12] = b"\0\0"
        data[at + 10:at + 12] = struct.pack("!H", raw_ip.csum(bytes(head)))
    else:
        data[at] = data[at] & 0xf0 | dscp >> 2
        data[at + 1] = (dscp & 3) << 6 | data[at + 1] & 0x3f
    return Frame(data)


@test("set-dscp marks IPv4 and IPv6, tagged and not, and nothing else",
      only="vsw")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}})
    datagram = raw_ip.udp("10.0.0.1", "10.0.0.2", b"x" * 20)
    plain = packet(B, A, raw_ip.ip4("10.0.0.1", "10.0.0.2", datagram))
    # ECN: congestion experienced, stays
    ecn = bytearray(plain)
    ecn[15] |= 3
    ecn[24:26] = b"\0\0"
    ecn[24:26] = struct.pack("!H", raw_ip.csum(bytes(ecn[14:34])))
    ips = [plain, Frame(ecn), marked(plain, 63), marked(plain, 46),
           packet(B, A, raw_ip.ip4("10.0.0.1", "10.0.0.2", datagram,
                                   options=b"\1" * 8)),
           packet(B, A, raw_ip.ip6("fd00::1", "fd00::2", raw_ip.udp(
               "fd00::1", "fd00::2", b"y" * 20)))]
    ips += [one.tagged(7) for one in ips]
    others = [frame(B, A), frame(BROADCAST, A).tagged(7)]
    for dscp in (46, 1, 0):
        lab.switch.set("Port", "p1", other_config={"set-dscp": dscp})
        lab.check([("p1", one) for one in [*ips, *others]],
                  {"p2": [*(marked(one, dscp) for one in ips), *others]})
    lab.check([("p2", plain)], {"p1": [plain]})
    lab.switch.ctl("remove", "Port", "p1", "other_config", "set-dscp")
    # a queue that marks and has no rate
    lab.switch.ctl("set", "Port", "p2", "qos=@qos", "--", "--id=@qos",
                   "create", "QoS", "type=linux-htb", "queues=0=@q", "--",
                   "--id=@q", "create", "Queue", "dscp=46")
    lab.check([("p1", one) for one in ips[:4]],  # one flow, in its order
              {"p2": [marked(one, 46) for one in ips[:4]]})
    lab.switch.ctl("clear", "Port", "p2", "qos")
    lab.check([("p1", ips[3])], {"p2": [ips[3]]})


@test("set-pcp is in the tag that a frame leaves with", only="vsw")
def _(lab):
    lab.start().ports({"a10": {"tag": 10}, "t": {"trunks": [10, 20]},
                       "u": {"trunks": [10, 20]}, "b10": {"tag": 10}})
    for port in ("a10", "t"):
        lab.switch.set("Port", port, other_config={"set-pcp": 5})
    one = frame(src=A)
    lab.check([("a10", one)],
              {"t": [one.tagged(10, pcp=5)], "u": [one.tagged(10, pcp=5)],
               "b10": [one]})
    two, three = frame(src=B), frame(src=B)
    lab.check([("t", two.tagged(20, pcp=3)),
               ("t", three.tagged(10, pcp=0, dei=1))],
              {"u": [two.tagged(20, pcp=5), three.tagged(10, pcp=5, dei=1)],
               "a10": [three], "b10": [three]})
    # another port's are as they came
    four = frame(src=C)
    lab.check([("u", four.tagged(20, pcp=3))], {"t": [four.tagged(20, pcp=3)]})
