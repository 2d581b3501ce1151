"""LACP on a port of one interface: a bond of one."""
from lib.frame import frame, station
from lib.netns import wait_until
from lib.testing import contains, equal, test
from lib.upstream import (Upstream, add_bond, cables, enabled, stations,
                          wait_enabled, wait_negotiated)

GONE = "member m0: disabled"
LACP = ("lacp=active", "other_config:lacp-time=fast")


def passes(lab, source="p1", sink="u1"):
    one = frame(src=station(20))
    lab.forget()

    def arrives():
        lab.send(source, one)
        lab.peers[sink].collect()
        return one in lab.peers[sink].received
    wait_until(arrives, f"a frame from {source} arrives at {sink}",
               interval=0.05)


def set_up(lab):
    up = Upstream(lab).begin()
    cables(lab, up, "m0", "m1")
    lab.start(monitor=False)
    stations(lab, lab.switch, {"p1": {}})
    stations(lab, up, {"u1": {}})
    return up


@test("a port of one link speaks LACP, and works without a partner",
      only="vsw")
def _(lab):
    up = set_up(lab)
    lab.switch.ctl("add-port", "br0", "m0", *LACP)
    up.ctl("add-port", "br0", "m0")
    passes(lab)
    contains(lab.switch.app("bond/list"), "m0", "bond/list")
    up.ctl("set", "Port", "m0", *LACP)
    wait_until(lambda: "current" in up.app("lacp/show", "m0"),
               "the upstream hears LACP")
    wait_until(lambda: lab.switch.get("Interface", "m0", "lacp_current")
               is True, "lacp_current")
    wait_enabled(lab.switch, "m0", {"m0"})
    passes(lab)
    # nothing of this is for the bridge's own port
    lab.switch.ctl("set", "Port", "br0", "lacp=active")
    equal(lab.switch.get("Interface", "br0", "error"), [], "br0's error")
    assert "br0" not in lab.switch.app("lacp/show"), "br0 has LACP"
    lab.switch.ctl("set", "Port", "m0", "lacp=off")
    equal(lab.switch.app("lacp/show"), "", "lacp/show")
    passes(lab)


@test("a second interface joins a port with LACP, and leaves, without a break",
      only="vsw")
def _(lab):
    up = set_up(lab)
    lab.switch.ctl("add-port", "br0", "m0", "bond_mode=balance-tcp", *LACP)
    add_bond(up, "br0", "bond0", ("m0", "m1"), bond_mode="balance-tcp",
             lacp="active", other_config={"lacp-time": "fast"})
    wait_until(lambda: enabled(up, "bond0") == {"m0"}, "one link works", 20)
    near, far = station(10), station(11)
    sent = []

    def some(n=100):
        for _ in range(n):
            one = frame(src=near, dst=far, payload=len(sent).to_bytes(46,
                                                                      "big"))
            sent.append(one)
            lab.send("p1", one)
    lab.send("u1", frame(src=far))
    passes(lab, "u1", "p1")
    lab.forget()
    disabled = lab.switch.log_text().count(GONE)
    some()
    lab.switch.ctl("add-bond-iface", "m0", "m1")
    some()
    wait_negotiated((lab.switch, "m0"), (up, "bond0"))
    wait_until(lambda: enabled(lab.switch, "m0") == {"m0", "m1"},
               "both are used", 20)
    some()
    wait_until(lambda: enabled(up, "bond0") == {"m0", "m1"},
               "both are used upstream", 20)
    lab.switch.ctl("del-bond-iface", "m0", "m1")
    some()
    wait_until(lambda: enabled(up, "bond0") == {"m0"}, "one link again")
    some()

    def arrived():
        lab.peers["u1"].collect()
        return len(set(sent) & set(lab.peers["u1"].received)) == len(sent)
    wait_until(arrived, "each frame arrives")
    equal(lab.switch.log_text().count(GONE), disabled,
          "how often the first member was disabled")
