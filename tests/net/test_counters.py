"""Each frame is accounted for: sent on, or dropped with its reason."""
import json
import re

from lib.frame import C_TAG, S_TAG, frame, station
from lib.netns import wait_until
from lib.testing import contains, equal, test

A, B, NOBODY = station(0xa), station(0xb), station(0xdead)


def statistics(lab, interface):
    return lab.switch.get("Interface", interface, "statistics")


def reasons(counts):
    """{"bad-source": 3} of the drop_* keys."""
    return {key.removeprefix("drop_").replace("_", "-"): value
            for key, value in counts.items()
            if key.startswith("drop_") and value}


def wait_for_counts(lab, interface, wanted):
    """All keys of `wanted` have these values; 'drops' is all drop_* keys."""
    def state():
        counts = statistics(lab, interface)
        got = {key: counts.get(key, 0) for key in wanted if key != "drops"}
        if "drops" in wanted:
            got["drops"] = reasons(counts)
        return got
    wait_until(lambda: state() == wanted,
               lambda: f"{interface} has counted {wanted}; it has {state()}",
               timeout=20)


def octets(frames):
    return sum(len(f) for f in frames)


def start(lab, ports):
    """Without a monitor: nothing but the test's own frames is counted."""
    lab.start(monitor=False)
    lab.switch.set("Open_vSwitch", ".", other_config={
        "stats-update-interval": 1000 if lab.options.switch == "vsw"
        else 5000})
    lab.ports(ports)


@test("packets and octets are counted on both sides, the FCS left out")
def _(lab):
    start(lab, {"p1": {}, "p2": {}, "p3": {}})
    sent = [frame(src=A, length=length) for length in (60, 100, 1514)]
    groups = [frame("01:00:5e:00:00:01", A, length=80) for _ in range(4)]
    back = [frame(A, B, length=200) for _ in range(5)]
    lab.send("p1", *sent, *groups)
    lab.pump(lambda: len(lab.peers["p2"].received) == 7, "7 frames at p2")
    lab.send("p2", *back)
    lab.pump(lambda: len(lab.peers["p1"].received) == 5, "5 frames at p1")
    wait_for_counts(lab, "p1", {
        "rx_packets": 7, "rx_bytes": octets(sent + groups),
        "tx_packets": 5, "tx_bytes": octets(back),
        "rx_dropped": 0, "tx_dropped": 0, "rx_errors": 0, "tx_errors": 0})
    wait_for_counts(lab, "p2", {
        "rx_packets": 5, "rx_bytes": octets(back),
        "tx_packets": 7, "tx_bytes": octets(sent + groups)})
    wait_for_counts(lab, "p3", {
        "rx_packets": 0, "tx_packets": 7, "tx_bytes": octets(sent + groups)})


@test("multicast and broadcast are counted apart", only="vsw")
def _(lab):
    start(lab, {"p1": {}, "p2": {}})
    lab.send("p1", *(frame(src=A) for _ in range(3)))
    lab.send("p1", *(frame("01:00:5e:00:00:01", A) for _ in range(4)))
    lab.send("p1", *(frame(NOBODY, A) for _ in range(5)))
    wait_for_counts(lab, "p1", {"rx_packets": 12, "rx_multicast_packets": 4,
                                "rx_broadcast_packets": 3})
    wait_for_counts(lab, "p2", {"tx_packets": 12, "tx_multicast_packets": 4,
                                "tx_broadcast_packets": 3})


@test("tags that are pushed and popped count as octets", only="vsw")
def _(lab):
    start(lab, {"p1": {"tag": 10}, "p2": {"trunks": [10]}})
    sent = [frame(src=A) for _ in range(4)]
    lab.send("p1", *sent)
    wait_for_counts(lab, "p1", {"rx_bytes": octets(sent)})
    wait_for_counts(lab, "p2", {"tx_bytes": octets(sent) + 4 * 4})


ACCESS = {
    "giant": [frame(B, A, length=1518)],
    "bad-source": [frame(B, "01:00:00:00:00:01"),
                   frame(B, "00:00:00:00:00:00"),
                   frame(B, "ff:ff:ff:ff:ff:ff")],
    "bad-vlan": [frame(B, A).tagged(4095), frame(B, A).tagged(4095, pcp=7),
                 frame(B, A).tagged(4095, tpid=S_TAG)],
    "link-local": [frame(f"01:80:c2:00:00:{i:02x}", A) for i in range(16)],
    "tag-not-allowed": [frame(B, A).tagged(10), frame(B, A).tagged(20),
                        frame(B, A).tagged(10, tpid=S_TAG),
                        frame(B, A).tagged(20, tpid=C_TAG).tagged(10)],
    "same-port": [frame(A, station(0xaa))],
}


@test("each frame at an access port is sent on or counted with its reason",
      only="vsw")
def _(lab):
    start(lab, {"p1": {"tag": 10}, "p2": {"tag": 10}})
    lab.far_ns.ip("link", "set", "p1", "mtu", "1600")  # to send giants
    lab.send("p1", frame(src=A))
    lab.send("p2", frame(src=B))
    good = [frame(B, A) for _ in range(9)]
    bad = [one for kind in ACCESS.values() for one in kind] * 3
    for i, one in enumerate(bad):
        lab.send("p1", one)
        if i < len(good):
            lab.send("p1", good[i])
    wait_for_counts(lab, "p1", {
        "drops": {reason: 3 * len(kind) for reason, kind in ACCESS.items()}})
    wait_for_counts(lab, "p2", {"tx_packets": 1 + len(good), "drops": {}})
    errors = sum(3 * len(ACCESS[r]) for r in
                 ("giant", "bad-source", "bad-vlan"))
    wait_for_counts(lab, "p1", {"rx_errors": errors,
                                "rx_dropped": len(bad) - errors})


def many_tags(count):
    one = frame(src=A)
    for _ in range(count):
        one = one.tagged(10)
    return one


@test("each frame at a trunk is sent on or counted with its reason",
      only="vsw")
def _(lab):
    start(lab, {"p1": {"trunks": [10, 20], "vlan_mode": "trunk"},
                "p2": {"tag": 10}})
    lab.switch.set("Port", "br0", tag=10)  # so that VLAN 20 ends at p1
    lab.send("p1", *(frame(src=A).tagged(10) for _ in range(2)),
             *(frame(src=A).tagged(30) for _ in range(3)),
             *(frame(src=A) for _ in range(4)),
             frame(src=A).tagged(0), frame(src=A).tagged(0, pcp=3),
             many_tags(5), many_tags(8),
             *(frame(src=A).tagged(20) for _ in range(5)))
    wait_for_counts(lab, "p1", {
        "rx_packets": 18,
        "drops": {"too-many-tags": 2, "vlan-not-allowed": 3,
                  "untagged-not-allowed": 6,
                  "no-destination": 5}})
    wait_for_counts(lab, "p2", {"tx_packets": 2})


@test("malformed frames from the host's own port are dropped and counted",
      only="vsw")
def _(lab):
    start(lab, {"p1": {}})
    lab.sw_ns.ip("link", "set", "br0", "up")
    sock = lab.sw_ns.packet_socket("br0")
    good = frame(src=A)
    cut = [frame(src=A).tagged(10)[:length] for length in range(14, 18)]
    for one in (*cut, frame(src="01:00:00:00:00:01"), many_tags(6), good):
        sock.send(one)
    lab.pump(lambda: lab.peers["p1"].received, "the good frame reaches p1")
    equal(lab.peers["p1"].received, [good], "at p1")
    wait_for_counts(lab, "br0", {"rx_packets": 7, "drops": {
        "bad-vlan": len(cut), "bad-source": 1, "too-many-tags": 1}})
    sock.close()


@test("what a port of departure cannot take is counted there", only="vsw")
def _(lab):
    start(lab, {"p1": {}, "p2": {}, "p3": {}})
    lab.sw_ns.ip("link", "set", "p2", "mtu", "1000")
    wait_until(lambda: lab.switch.get("Interface", "p2", "mtu") == 1000,
               "p2's MTU is 1000")
    lab.send("p1", *(frame(src=A, length=1014) for _ in range(2)),
             *(frame(src=A, length=1015) for _ in range(3)))
    wait_for_counts(lab, "p2", {"tx_packets": 2,
                                "drops": {"tx-too-big": 3},
                                "tx_dropped": 3})
    wait_for_counts(lab, "p3", {"tx_packets": 5, "drops": {}})
    lab.far_ns.ip("link", "set", "p2", "down")
    wait_until(lambda: lab.switch.get("Interface", "p2", "link_state") ==
               "down", "p2's link is down")
    lab.send("p1", *(frame(src=A) for _ in range(4)))
    wait_for_counts(lab, "p3", {"tx_packets": 9, "drops": {}})
    wait_for_counts(lab, "p2", {"tx_packets": 2, "tx_dropped": 7,
                                "drops": {"tx-too-big": 3, "tx-down": 4}})


@test("vsw-ctl drops and port/stats tell what the statistics column does",
      only="vsw")
def _(lab):
    start(lab, {"p1": {"tag": 10}, "p2": {"tag": 10}})
    lab.send("p1", *(frame(src=A).tagged(20) for _ in range(7)),
             frame(src=A))
    wait_for_counts(lab, "p1", {"drops": {"tag-not-allowed": 7}})
    for argv in (["drops", "br0"], ["drops", "p1"], ["drops"]):
        out = lab.switch.vsw_ctl(*argv).stdout
        line = next((line for line in out.splitlines()
                     if "tag-not-allowed" in line), "")
        assert re.search(r"\b7\b", line), f"{argv} says:\n{out}"
        text = lab.switch.vsw_ctl(*argv, "--format=json").stdout
        json.loads(text)
        contains(text, "tag-not-allowed", str(argv))
    out = lab.switch.vsw_ctl("port/stats", "p1").stdout
    contains(out, "p1", "port/stats")
    json.loads(lab.switch.vsw_ctl("port/stats", "p1",
                                  "--format=json").stdout)
    result = lab.switch.vsw_ctl("port/stats", "nowhere", check=False)
    assert result.returncode != 0
    contains(result.stderr, "nowhere", "the message")


@test("counters stay right under load from two senders", only="vsw",
      slow=True)
def _(lab):
    start(lab, {"p1": {}, "p2": {}, "p3": {}})
    lab.send("p3", frame(src=B))
    for _ in range(30):
        for port, source in (("p1", 1), ("p2", 2)):
            lab.send(port, *(frame(B, station(source)) for _ in range(50)))

    def settled():
        p1, p2, p3 = (statistics(lab, p) for p in ("p1", "p2", "p3"))
        arrived = p1["rx_packets"] + p2["rx_packets"] + \
            p1.get("drop_rx_overflow", 0) + p2.get("drop_rx_overflow", 0)
        left = p3["tx_packets"] + sum(reasons(p3).values())
        return (arrived, left) == (3000, 3000)
    wait_until(settled, lambda: str([statistics(lab, p)
                                     for p in ("p1", "p2", "p3")]), 20)
    equal(reasons(statistics(lab, "p1")), {}, "drops at p1")
