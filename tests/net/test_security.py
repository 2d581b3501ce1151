"""Hosts that say they are others: MAC addresses, IPv4 and IPv6."""
from lib import raw_ip
from lib.frame import BROADCAST, Frame, frame, mac_bytes, station
from lib.testing import contains, test

A, B, X = station(0xa), station(0xb), station(0xbad)


def syn(source, target, _):
    return raw_ip.syn(source, target)


def packet(src, source, target="10.0.0.2", dst=B, what=raw_ip.udp):
    """An IP packet between two stations in an Ethernet frame."""
    typed = (raw_ip.ip6 if ":" in source else raw_ip.ip4)(
        source, target, what(source, target, b"data"))
    return frame(dst, src, payload=typed[2:], length=90,
                 ethertype=int.from_bytes(typed[:2], "big"))


def secure(lab, port, *macs, **keys):
    """The port's own marker, which the lab waits for, is among its MACs."""
    settings = {key.replace("_", "-"): f'"{value}"'
                for key, value in keys.items()}
    settings["allowed-macs"] = \
        f'"{",".join([*macs, lab.peers[port].mac])}"'
    lab.switch.set("Port", port, other_config=settings)


@test("a station cannot send from another's MAC address", only="vsw")
def _(lab):
    lab.start().ports({"a": {}, "b": {}})
    secure(lab, "a", A, forged_transmits="reject")
    good = [frame(B, A), packet(A, "10.0.0.1"), frame(BROADCAST, A)]
    bad = [frame(B, X), packet(B, "10.0.0.1"), frame(BROADCAST, X)]
    lab.check([("a", one) for pair in zip(good, bad) for one in pair],
              {"b": good})
    contains(lab.switch.app("drops", "a"), "forged-source", "drops")
    # in full swing, and the liar in the middle of it
    good = [packet(A, "10.0.0.1") for _ in range(20)]
    lab.check([("a", one) for one in [*good[:10], packet(X, "10.0.0.1"),
                                      *good[10:]]], {"b": good})
    # an address of nobody's, which no other port gets to know of either
    known = [line for line in lab.switch.app("fdb/show", "br0").splitlines()
             if X in line]
    assert not known, known
    secure(lab, "a", A, X)
    lab.check([("a", bad[0])], {"b": [bad[0]]})


@test("a station cannot send from another's IP address", only="vsw")
def _(lab):
    lab.start().ports({"a": {}, "b": {}})
    secure(lab, "a", A, allowed_ips="10.0.0.1 10.9.0.0/16 fd00::1")
    good = [packet(A, "10.0.0.1"), packet(A, "10.9.7.1"),
            packet(A, "10.0.0.1", what=syn),
            packet(A, "10.0.0.1").tagged(7),
            packet(A, "fd00::1", "fd00::2"),
            packet(A, "fd00::1", "fd00::2").tagged(7),
            packet(A, "fe80::ff:fe00:a", "fd00::2")]
    bad = [packet(A, "10.0.0.2"), packet(A, "10.0.0.3", what=syn),
           packet(A, "10.0.0.2").tagged(7),
           packet(A, "10.0.0.2").tagged(7).tagged(8),
           packet(A, "0.0.0.0"), packet(A, "fd00::2", "fd00::9"),
           packet(A, "fe80::1", "fd00::2").tagged(7),
           packet(A, "::", "fd00::2")]
    lab.check([("a", one) for pair in zip(good, bad) for one in pair] +
              [("a", bad[-1])], {"b": good})
    lab.check([("b", one) for one in bad[:2]], {"a": bad[:2]})
    contains(lab.switch.app("drops", "a"), "spoofed-ip", "drops")
    # lifted, everybody may be anybody
    lab.switch.ctl("remove", "Port", "a", "other_config", "allowed-ips")
    lab.check([("a", one) for one in bad], {"b": bad})


@test("a changed MAC address is not learned, nor found at the port",
      only="vsw")
def _(lab):
    lab.start().ports({"a": {}, "b": {}, "c": {}})
    lab.send("a", frame(B, X))
    lab.settle(["a"])
    lab.check([("b", one := frame(X, B))], {"a": [one]})
    # what was learned before is forgotten
    secure(lab, "a", A, mac_changes="reject",
           forged_transmits="accept", promiscuous="reject")
    lab.check([("b", one := frame(X, B))], {"c": [one]})
    # its frames pass, and nothing comes back
    sent = [frame(B, X), frame(B, A)]
    lab.check([("a", one) for one in sent], {"b": sent})
    lab.check([("b", one := frame(X, B))], {"c": [one]})
    lab.check([("b", one := frame(A, B))], {"a": [one]})
    # who is known elsewhere stays there
    lab.send("c", frame(B, X))
    lab.settle(["c"])
    lab.send("a", frame(B, X))
    lab.settle(["a"])
    lab.check([("b", one := frame(X, B))], {"c": [one]})


@test("a machine's port gets no frames for others; another's may ask for them",
      only="vsw")
def _(lab):
    lab.start().ports({"a": {"interface": {
        "external_ids": {"attached-mac": f'"{A}"'}}}, "b": {}, "c": {}})
    unknown, own, group = frame(X, B), frame(A, B), frame(BROADCAST, B)
    lab.check([("b", one) for one in (unknown, own, group)],
              {"a": [own, group], "c": [unknown, own, group]})
    lab.switch.set("Port", "a", other_config={"promiscuous": "accept"})
    lab.check([("b", unknown)], {"a": [unknown], "c": [unknown]})


@test("what contradicts itself is refused, and said at the port", only="vsw")
def _(lab):
    lab.start().ports({"a": {}})
    ctl = lab.switch.ctl
    for setting, what in (
            ("promiscuous=perhaps", "accept reject"),
            ("allowed-macs=01:00:5e:00:00:01", "01:00:5e:00:00:01"),
            ("allowed-ips=10.0.0.1/24", "10.0.0.1/24"),
            ("allowed-ips=ten", "ten"),
            ("forged-transmits=reject", "allowed-macs"),
            ("mac-changes=reject", "allowed-macs")):
        result = ctl("set", "Port", "a", f"other_config:{setting}",
                     check=False)
        assert result.returncode, f"{setting} is taken"
        contains(result.stderr, what, setting)
    ctl("set", "Port", "a", "other_config:forged-transmits=reject", "--",
        "set", "Interface", "a", f'external_ids:attached-mac="{A}"')


@test("real hosts: who takes another's address is cut off, and nobody else",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    a = lab.host("a", "10.0.0.1/24", "fd00::1/64")
    b = lab.host("b", "10.0.0.2/24", "fd00::2/64")
    lab.switch.ctl("set", "Port", "a", "other_config:forged-transmits=reject",
                   f'other_config:allowed-macs="{a.mac}"',
                   'other_config:allowed-ips="10.0.0.1 fd00::1"',
                   "other_config:mac-changes=reject")
    a.must_ping("10.0.0.2")
    a.must_ping("fd00::2")
    for address, target in (("10.0.0.66/24", "10.0.0.2"),
                            ("fd00::66/64", "fd00::2")):
        a.namespace.ip("addr", "add", address, "dev", "eth0",
                       *(["nodad"] if ":" in address else []))
        mine = address.split("/")[0]
        assert not a.ping(target, extra=("-I", mine)), f"{mine} gets through"
        a.namespace.ip("addr", "del", address, "dev", "eth0")
        a.must_ping(target)
    own = a.mac
    a.namespace.ip("link", "set", "eth0", "address", X)
    assert not a.ping("10.0.0.2"), "a forged MAC gets through"
    a.namespace.ip("link", "set", "eth0", "address", own)
    a.must_ping("10.0.0.2")
    b.must_ping("10.0.0.1")
    text = lab.switch.app("drops", "a")
    for reason in ("forged-source", "spoofed-ip"):
        contains(text, reason, "drops")
