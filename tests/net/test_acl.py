"""Access lists, limits of storms, and what a full learning limit does."""
import json

from lib.frame import BROADCAST, Frame, frame, mac_bytes, station
from lib.netns import run, wait_until
from lib.raw_ip import ip4, ip6, syn, udp
from lib.testing import contains, equal, test

A, B, C = station(0xa), station(0xb), station(0xc)
ALL = {"p1": {}, "p2": {}, "p3": {}}


def packet(dst, src, what):
    """what: from the type on."""
    return Frame((mac_bytes(dst) + mac_bytes(src) + what).ljust(60, b"\0"))


def vsw_ctl(lab, *words):
    return lab.switch.vsw_ctl(*words).stdout


def acl(lab, name, *rules, default="allow"):
    lab.switch.ctl("create", "ACL", f"name={name}",
                   f"default_action={default}")
    for order, rule in enumerate(rules, 1):
        lab.switch.ctl("add", "ACL", name, "rules", f'{order}="{rule}"')


def on(lab, port, **settings):
    lab.switch.ctl("set", "Port", port,
                   *(f"other_config:{key.replace('_', '-')}={value}"
                     for key, value in settings.items()))


def hits(lab, name):
    shown = json.loads(vsw_ctl(lab, "acl/show", name, "--format=json"))
    counts = {rule["order"]: rule["packets"] for rule in shown[0]["rules"]}
    return counts, shown[0]["default_packets"], shown[0]["unreadable_packets"]


def dropped(lab, port, reason):
    text = lab.switch.app("drops", port)
    return next((int(word) for line in text.splitlines() if reason in line
                 for word in line.split() if word.isdigit()), 0)


def learn(lab, **stations):
    for port, mac in stations.items():
        lab.send(port, frame(src=mac))
    lab.settle(stations)
    lab.forget()


@test("a list on what comes in: addresses, ports, fragments; with counts")
def _(lab):
    lab.start().ports(ALL)
    acl(lab, "web", "count src=10.0.0.0/8",
        "deny src=10.0.9.0/24", "allow proto=tcp dport=80-443",
        "deny proto=tcp", "deny src=2001:db8::/32 proto=udp dport=53",
        "deny dst-mac=01:00:5e:00:00:00/ff:ff:ff:00:00:00")
    on(lab, "p1", acl_in="web")
    learn(lab, p1=A, p2=B)
    http = syn("10.0.1.1", "10.0.1.2", port=80)
    ssh = syn("10.0.1.1", "10.0.1.2", port=22)
    good = [
        packet(B, A, ip4("10.0.1.1", "10.0.1.2", http)),
        packet(B, A, ip4("10.0.1.1", "10.0.1.2",
                         udp("10.0.1.1", "10.0.1.2", b"x"))),
        packet(B, A, ip6("2001:db8::1", "2001:db8::2",
                         udp("2001:db8::1", "2001:db8::2", b"x", port=54))),
        frame(B, A),
        packet(BROADCAST, A, b"\x08\6\0\1\x08\0\6\4\0\1"),
    ]
    bad = [
        packet(B, A, ip4("10.0.1.1", "10.0.1.2", ssh)),
        packet(B, A, ip4("10.0.9.1", "10.0.1.2", http)),
        packet(B, A, ip6("2001:db8::1", "2001:db8::2",
                         udp("2001:db8::1", "2001:db8::2", b"x", port=53))),
        frame("01:00:5e:01:02:03", A),
    ]
    unreadable = packet(B, A, ip4("10.0.1.1", "10.0.1.2", (6, ssh[1][:8]),
                                  fragment=0x2000))
    before = dropped(lab, "p1", "acl-in")
    lab.check([("p1", one) for one in [*bad, unreadable, *good]],
              {"p2": good, "p3": [good[-1]]})
    equal(dropped(lab, "p1", "acl-in") - before, 5, "drops")
    counts, _, unread = hits(lab, "web")
    equal((counts[1], counts[2], counts[3], counts[4], counts[5], counts[6]),
          (4, 1, 1, 1, 1, 1), "hits")
    equal(unread, 1, "unreadable")
    # A change is in force at once; rules that stay keep their counts.
    lab.switch.ctl("remove", "ACL", "web", "rules", "4")
    lab.check([("p1", bad[0]), ("p1", bad[1])], {"p2": [bad[0]]})
    equal(hits(lab, "web")[0][2], 2, "hits of a rule that stayed")


@test("a list on what leaves, of VLANs, tagged and not")
def _(lab):
    lab.start().ports({"p1": {}, "a10": {"tag": 10}, "a20": {"tag": 20},
                       "t": {"trunks": [10, 20]}})
    acl(lab, "out", "deny vlan=10 ethertype=0x88b5 src-mac=" + A)
    for port in ("a10", "a20", "t"):
        on(lab, port, acl_out="out")
    lab.forget()
    one, two = frame(src=A), frame(src=A)
    lab.check([("p1", one.tagged(10)), ("p1", two.tagged(20))],
              {"a20": [two], "t": [two.tagged(20)]})
    equal(dropped(lab, "a10", "acl-out"), 1, "drops of the access port")
    equal(dropped(lab, "t", "acl-out"), 1, "drops of the trunk")


@test("what makes no sense is refused, and what got in lets nothing pass")
def _(lab):
    lab.start().ports(ALL)
    switch = lab.switch

    def refused(*argv):
        result = switch.vsw_ctl(*argv, check=False)
        assert result.returncode == 1, f"{argv} is not refused"
        return result.stderr

    switch.vsw_ctl("add-acl", "a", "allow")
    contains(refused("set-acl", "a", "10", "deny", "dport=80"), "proto=tcp",
             "the message")
    contains(refused("set-acl", "a", "0", "deny"), "1 to 65535", "the message")
    contains(refused("set", "ACL", "a", 'rules:5="deny src=1"'),
             "src cannot be", "the message")
    contains(refused("set", "Port", "p1", "other_config:acl-in=b"),
             "does not exist", "the message")
    contains(refused("set", "ACL", "a", "rules={" + ",".join(
        f"{i}=deny" for i in range(1, 2050)) + "}"), "at most 2048",
        "the message")
    contains(refused("add-acl", "none", "allow"), "none", "the message")
    switch.vsw_ctl("set-acl", "a", "10", "deny", "proto=tcp", "dport=80")
    switch.vsw_ctl("set", "Port", "p1", "other_config:acl-in=a")
    contains(refused("del-acl", "a"), "of port p1", "the message")
    contains(vsw_ctl(lab, "acl/show"), "p1 (in)", "acl/show")
    contains(vsw_ctl(lab, "list-acls"), "allow", "list-acls")
    switch.vsw_ctl("del-acl", "a", "10")
    switch.vsw_ctl("clear", "Port", "p1", "other_config", "--", "del-acl", "a")
    # Others write what they like.
    learn(lab, p1=A, p2=B)
    run(["ovs-vsctl", "--timeout=20", f"--db=unix:{switch.path('db.sock')}",
         "set", "Port", "p1", "other_config:acl-in=b"])
    contains(str(switch.get("Interface", "p1", "error")), "does not exist",
             "the error")
    lab.send("p1", frame(B, A))
    lab.pump(lambda: dropped(lab, "p1", "acl-in") == 1, "a drop at p1")
    switch.vsw_ctl("add-acl", "b", "allow")
    contains("[]", str(switch.get("Interface", "p1", "error")), "no error")
    one = frame(B, A)
    lab.check([("p1", one)], {"p2": [one]})


@test("limits of storms: a burst passes, the rest is dropped and counted")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}})
    learn(lab, p2=B)
    on(lab, "p1", storm_broadcast=1, storm_multicast=1, storm_unknown=1,
       storm_burst=10)
    kinds = {"storm-broadcast": BROADCAST,
             "storm-multicast": "01:00:5e:01:02:03",
             "storm-unknown": C}
    for reason, dst in kinds.items():
        lab.forget()
        peer = lab.peers["p2"]
        lab.send("p1", *(frame(dst, A) for _ in range(60)))
        lab.pump(lambda r=reason, p=peer:
                 len(p.received) + dropped(lab, "p1", r) == 60,
                 f"60 frames counted at p1 ({reason})")
        passed = len(peer.received)
        assert 10 <= passed <= 30, f"{passed} frames passed {reason}"
    # What is known is no storm.
    lab.forget()
    many = [frame(B, A) for _ in range(60)]
    lab.send("p1", *many)
    lab.pump(lambda: len(lab.peers["p2"].received) >= 60, "60 frames at p2")


@test("a learning limit: drop, and evict")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}})
    on(lab, "p1", mac_table_limit=2, mac_limit_action="drop")
    peer = lab.peers["p2"]
    frames = [frame(src=mac) for mac in (A, B, C, A)]
    lab.forget()
    lab.send("p1", *frames)
    lab.pump(lambda: len(peer.received) == 3, "three frames")
    equal(peer.received, [frames[0], frames[1], frames[3]], "frames")
    equal(dropped(lab, "p1", "mac-limit"), 1, "drops")
    on(lab, "p1", mac_limit_action="evict")

    def is_known(mac):
        lab.send("p1", frame(src=mac))
        return mac in lab.switch.app("fdb/show", "br0")

    wait_until(lambda: is_known(C), "C is known")
    wait_until(lambda: is_known(B), "B is known")
    table = lab.switch.app("fdb/show", "br0")
    equal(sum(mac in table for mac in (A, B, C)), 2, "stations known")
