"""Partners of a bond's LACP that stop, change, or are several; Open vSwitch is
that partner."""
import signal

from lib.frame import frame, station
from lib.lacp import SLOW_PROTOCOLS, check_lacpdus, lacpdus
from lib.netns import wait_until
from lib.record import Recorder, check_decodes
from lib.streams import Account, Sending, Stream, parse
from lib.testing import equal, test
from lib.upstream import (Upstream, active, add_bond, bond_show, cables,
                          enabled, is_negotiated, lacp_show, plug, pull,
                          stations, wait_active, wait_enabled, wait_lacp,
                          wait_negotiated)


def pair(lab, mode="balance-tcp", ours=None, theirs=None, names=("m0", "m1")):
    """A bond at both ends; ours and theirs are more columns."""
    up = Upstream(lab).begin()
    cables(lab, up, *names)
    lab.start(monitor=False)
    add_bond(lab.switch, "br0", "bond0", names, bond_mode=mode,
             **fast(ours or {}))
    add_bond(up, "br0", "bond0", names, bond_mode=mode, **fast(theirs or {}))
    stations(lab, lab.switch, {"p1": {}})
    stations(lab, up, {"u1": {}})
    return up


def fast(columns):
    return {"lacp": "active", **columns, "other_config": {
        "lacp-time": "fast", **columns.get("other_config", {})}}


def both_negotiated(lab, up):
    wait_negotiated((lab.switch, "bond0"), (up, "bond0"))


def passes(lab, source="p1", sink="u1"):
    """A frame, sent until it arrives."""
    one = Stream(1, source, sink, station(3), station(4))

    def arrives():
        lab.send(source, one.next())
        lab.peers[sink].collect()
        return any(parse(f) for f in lab.peers[sink].received)
    lab.peers[sink].received.clear()
    wait_until(arrives, f"a frame from {source} arrives at {sink}")


@test("no partner answers: nothing passes; with lacp-fallback-ab one member "
      "carries all")
def _(lab):
    up = Upstream(lab).begin("br0", "br1")
    cables(lab, up, "m0", "m1", "n0", "n1")
    lab.start("br0", "br1", monitor=False)
    for bridge, bond, members, fallback in (
            ("br0", "strict", ("m0", "m1"), "false"),
            ("br1", "lenient", ("n0", "n1"), "true")):
        for switch in (lab.switch, up):
            settings = {"lacp-fallback-ab": fallback, "lacp-time": "fast"}
            if fallback == "true":
                settings["bond-primary"] = members[0]
            add_bond(switch, bridge, bond, members, bond_mode="balance-tcp",
                     lacp="passive", other_config=settings)
    stations(lab, lab.switch, {"p0": {}, "p1": {"bridge": "br1"}})
    stations(lab, up, {"u0": {}, "u1": {"bridge": "br1"}})
    for switch in (lab.switch, up):
        wait_active(switch, "lenient", "n0")
        shown = bond_show(switch, "lenient")[None]
        equal((shown["lacp_status"], shown["lacp_fallback_ab"]),
              ("configured", "true"), "lenient")
    with Recorder().add(up.namespace, "m0", "m1", "n0", "n1") as recorder:
        lab.send("p0", Stream(1, "p0", "u0", station(1), station(2)).next())
        lab.send("u0", Stream(2, "u0", "p0", station(2), station(1)).next())
        passes(lab)
        passes(lab, "u1", "p1")
    for end in ("p0", "u0"):
        lab.peers[end].collect()
        equal([f for f in lab.peers[end].received if parse(f)], [],
              f"arrived at {end}")
    equal({one.device for one in recorder.seen if parse(one.data)}, {"n0"},
          "members that carried frames")
    equal(lacpdus(recorder.seen), [], "LACPDUs of two passive ends")
    equal((enabled(lab.switch, "strict"), active(lab.switch, "strict")),
          (set(), None), "enabled and active member without a partner")
    # the other end wakes up: what fell back negotiates
    for bond in ("strict", "lenient"):
        up.set("Port", bond, lacp="active")
    wait_negotiated(*((switch, bond) for switch in (lab.switch, up)
                      for bond in ("strict", "lenient")))
    wait_enabled(lab.switch, "lenient", {"n0", "n1"})
    passes(lab, "p0", "u0")
    passes(lab)


@test("a peer that stops is expired, then defaulted; when it goes on, the bond "
      "does")
def _(lab):
    check_stop(lab, "fast", 3)


@test("a peer that stops is expired after three slow periods", soak=True,
      timeout=240)
def _(lab):
    check_stop(lab, "slow", 90)


def check_stop(lab, time, seconds):
    up = pair(lab, ours={"other_config": {"lacp-time": time}})
    both_negotiated(lab, up)
    passes(lab)
    up.process.send_signal(signal.SIGSTOP)
    try:
        expired = wait_lacp(
            lab.switch, "bond0", lambda shown: all(
                shown[m]["state"].startswith("expired") for m in
                ("m0", "m1")), "expired", 2 * seconds + 20)
        for member in ("m0", "m1"):
            state = expired[member]
            assert "expired" in state["actor state"], state
            if lab.options.switch == "vsw":
                # 6.4.15: not synchronized, so neither is left
                for word in ("distributing", "collecting"):
                    assert word not in state["actor state"], state
            assert "synchronized" not in state["partner state"], state
        shown = wait_lacp(
            lab.switch, "bond0", lambda shown: all(
                shown[m]["state"].startswith("defaulted") for m in
                ("m0", "m1")), "defaulted", 20)
        for member in ("m0", "m1"):
            assert "defaulted" in shown[member]["actor state"], shown
        wait_enabled(lab.switch, "bond0", set())
        equal(bond_show(lab.switch, "bond0")[None]["lacp_status"],
              "configured", "lacp_status")
    finally:
        up.process.send_signal(signal.SIGCONT)
    both_negotiated(lab, up)
    wait_enabled(lab.switch, "bond0", {"m0", "m1"})
    passes(lab)
    passes(lab, "u1", "p1")


@test("a partner that becomes another is followed; priorities and keys are "
      "told")
def _(lab):
    members = {"m0": {"other_config": {"lacp-port-id": 7,
                                       "lacp-port-priority": 77,
                                       "lacp-aggregation-key": 777}},
               "m1": {"other_config": {"lacp-port-id": 8,
                                       "lacp-aggregation-key": 777}}}
    up = pair(lab, ours={"interfaces": members, "other_config": {
        "lacp-system-id": "02:00:00:00:00:77", "lacp-system-priority": 1234}})
    both_negotiated(lab, up)
    theirs = lacp_show(up, "bond0")
    for member, port, priority in (("m0", "7", "77"), ("m1", "8", None)):
        got = theirs[member]
        equal((got["partner sys_id"], got["partner sys_priority"],
               got["partner port_id"], got["partner key"]),
              ("02:00:00:00:00:77", "1234", port, "777"),
              f"what the peer knows of {member}")
        if priority:
            equal(got["partner port_priority"], priority, "port priority")
    passes(lab)
    for number in ("02:00:00:00:00:88", "00:00:00:00:00:99"):
        up.set("Port", "bond0", other_config={
            "lacp-system-id": f'"{number}"', "lacp-system-priority": 99})
        wait_lacp(lab.switch, "bond0", lambda shown: is_negotiated(shown) and
                  all(shown[m]["partner sys_id"] == number and
                      shown[m]["partner sys_priority"] == "99"
                      for m in ("m0", "m1")), f"{number} is the partner")
        both_negotiated(lab, up)
        passes(lab)
        passes(lab, "u1", "p1")


def attached(shown):
    return {name for name, member in shown.items()
            if name and member["state"].startswith("current attached")}


def check_one_link(lab, up, *bonds):
    """Both ends carry all by one member, the same; returns it. bonds: of the
    upstream."""
    def same():
        one = enabled(lab.switch, "bond0")
        other = set().union(*(enabled(up, bond) if bond == "bond0" else
                              up_alone(up, bond) for bond in bonds))
        return one if len(one) == 1 and one <= other else None
    one = wait_until(same, lambda: "both ends use one link:\n" + "\n".join(
        switch.app(f"{what}/show") for switch in (lab.switch, up)
        for what in ("bond", "lacp")), 20, interval=0.05)
    equal(attached(lacp_show(lab.switch, "bond0")), one, "attached members")
    return one.pop()


def up_alone(up, port):
    """A port with LACP that is no bond: {its name} when it is attached."""
    return attached(lacp_show(up, port))


@test("links whose partner has different keys do not aggregate", slow=True)
def _(lab):
    up = Upstream(lab).begin("br0", "br1")
    cables(lab, up, "m0", "m1")
    lab.start(monitor=False)
    # one system, two of its keys
    for i in (0, 1):
        up.ctl("add-port", f"br{i}", f"m{i}", "--", "set", "Port", f"m{i}",
               "lacp=active", "other_config:lacp-time=fast",
               'other_config:lacp-system-id="02:00:00:00:00:01"', "--", "set",
               "Interface", f"m{i}",
               f"other_config:lacp-aggregation-key={i + 10}",
               f"other_config:lacp-port-id={i + 1}")
    add_bond(lab.switch, "br0", "bond0", ("m0", "m1"),
             bond_mode="balance-tcp", **fast({}))
    stations(lab, lab.switch, {"p1": {}})
    stations(lab, up, {"u0": {}, "u1": {"bridge": "br1"}})
    one = check_one_link(lab, up, "m0", "m1")
    passes(lab, "p1", "u" + one[1])
    # the other key's turn
    pull(up, one)
    other = {"m0", "m1"} - {one}
    wait_enabled(lab.switch, "bond0", other)
    passes(lab, "p1", "u" + other.pop()[1])
    plug(up, one)
    check_one_link(lab, up, "m0", "m1")


@test("links that are given different keys do not aggregate", only="vsw")
def _(lab):
    up = pair(lab)
    both_negotiated(lab, up)
    lab.switch.set("Interface", "m1",
                   other_config={"lacp-aggregation-key": 4711})
    check_one_link(lab, up, "bond0")
    passes(lab)
    passes(lab, "u1", "p1")
    lab.switch.ctl("remove", "Interface", "m1", "other_config",
                   "lacp-aggregation-key")
    both_negotiated(lab, up)
    wait_enabled(lab.switch, "bond0", {"m0", "m1"})


@test("of four members one is given another key, and the partner prefers that "
      "one: so do we", only="vsw", slow=True)
def _(lab):
    names = ("m0", "m1", "m2", "m3")
    # the partner decides, and takes the odd one
    up = pair(lab, names=names, theirs={
        "interfaces": {"m0": {"other_config": {"lacp-port-priority": 1}}},
        "other_config": {"lacp-system-priority": 1}})
    wait_enabled(lab.switch, "bond0", set(names))
    wait_enabled(up, "bond0", set(names))
    lab.switch.set("Interface", "m0",
                   other_config={"lacp-aggregation-key": 4711})

    def agreed():
        return enabled(lab.switch, "bond0") == enabled(up, "bond0") == {"m0"}
    wait_until(agreed, lambda: "both ends agree:\n" + lab.switch.app(
        "lacp/show") + up.app("lacp/show"), 30)
    passes(lab)
    passes(lab, "u1", "p1")


@test("members that lead to two systems: one of these is chosen", slow=True)
def _(lab):
    up = Upstream(lab).begin("br0", "br1")
    cables(lab, up, "m0", "m1", "m2")
    lab.start(monitor=False)
    add_bond(lab.switch, "br0", "bond0", ("m0", "m1", "m2"),
             bond_mode="balance-tcp", **fast({}))
    # two cables to one system, one to another
    add_bond(up, "br0", "two", ("m0", "m2"), bond_mode="balance-tcp",
             **fast({"other_config": {"lacp-system-id":
                                      '"02:00:00:00:00:02"'}}))
    up.ctl("add-port", "br1", "m1", "--", "set", "Port", "m1", "lacp=active",
           "other_config:lacp-time=fast",
           'other_config:lacp-system-id="02:00:00:00:00:01"')
    stations(lab, lab.switch, {"p1": {}})
    stations(lab, up, {"u1": {}, "u2": {"bridge": "br1"}})
    wait_until(lambda: enabled(lab.switch, "bond0") in ({"m0", "m2"}, {"m1"}),
               lambda: "those of one system are enabled:\n" +
               lab.switch.app("lacp/show", "bond0"), 20, interval=0.05)
    one = enabled(lab.switch, "bond0")
    equal(attached(lacp_show(lab.switch, "bond0")), one, "attached members")
    passes(lab, "p1", "u1" if "m0" in one else "u2")
    # that system is gone: the other one's turn
    pull(up, *one)
    other = {"m0", "m1", "m2"} - one
    wait_enabled(lab.switch, "bond0", other)
    passes(lab, "p1", "u1" if "m0" in other else "u2")


MARKER = bytes.fromhex("0180c2000002 020000000077 8809 02 01 0110 0042"
                       "020000000077 00c0ffee 0000 0000") + bytes(90)


@test("a marker gets its response", only="vsw")
def _(lab):
    up = pair(lab)
    both_negotiated(lab, up)
    sock = up.namespace.packet_socket("m0")
    with Recorder().add(up.namespace, "m0", "m1") as recorder:
        for last in range(3):
            sock.send(MARKER[:29] + bytes([last]) + MARKER[30:])

        def answers():
            return [one for one in list(recorder.seen) if not one.outgoing
                    and one.data[12:15] == b"\x88\x09\x02"]
        wait_until(lambda: len(answers()) >= 3, "three responses")
    got = answers()
    equal([one.device for one in got], ["m0"] * 3, "where responses leave")
    equal([one.data[29] for one in got], [0, 1, 2], "transactions")
    for one in got:
        wanted = bytearray(MARKER)
        wanted[16] = 2
        equal(one.data[14:29], bytes(wanted[14:29]), "the response's fields")
        equal(one.data[30:], bytes(wanted[30:]), "the rest of the response")
        equal(one.data[:6], SLOW_PROTOCOLS, "its destination")
        assert one.data[6:12] != MARKER[6:12], "sent with another's address"
    check_decodes(lab, got, "slow.subtype == 2")
    lab.peers["p1"].collect()
    equal([f for f in lab.peers["p1"].received if f[12:14] == b"\x88\x09"],
          [], "slow protocols at the other port")
    # what is no marker gets none, and harms nobody
    for length in (14, 15, 17, 30, 60):
        sock.send(MARKER[:length])
    sock.send(MARKER[:16] + b"\x02" + MARKER[17:])
    sock.send(MARKER[:17] + b"\x0f" + MARKER[18:])
    passes(lab)
    both_negotiated(lab, up)
    sock.close()


@test("a member is pulled and put back, several times, under load")
def _(lab):
    up = pair(lab)
    both_negotiated(lab, up)
    lab.send("u1", frame(src=station(0x300)))
    streams = [Stream(i, "p1", "u1", station(0x200 + i), station(0x300))
               for i in range(8)]
    recorder = Recorder().add(lab.far_ns, "p1", "u1")
    recorder.add(up.namespace, "m0", "m1")

    def last_arrived():
        came = {parse(one.data) for one in recorder.seen[-1000:]
                if one.device == "u1" and not one.outgoing}
        return all((s.number, s.sent) in came for s in streams)

    with recorder:
        with Sending(lab, streams) as sending:
            for member, other in (("m0", "m1"), ("m1", "m0")) * 2:
                pull(up, member)
                for switch in (lab.switch, up):
                    wait_enabled(switch, "bond0", {other})
                sending.more(0.1)
                plug(up, member)
                both_negotiated(lab, up)
                sending.more(0.1)
        wait_until(last_arrived, "the last frame of each stream")
    check_lacpdus(lab, [one for one in lacpdus(recorder.at("m0", "m1"))
                        if not one.outgoing])
    for account in (Account(recorder.seen, s) for s in streams):
        equal(account.duplicates, {}, f"duplicates, {account}")
