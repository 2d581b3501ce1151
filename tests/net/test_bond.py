"""Bonds over veth pairs: one port of the bridge, whichever member carries it."""
from lib.frame import frame, station
from lib.netns import ip_batch, wait_until
from lib.switch import column_arguments
from lib.testing import contains, equal, test
from lib.upstream import wait_enabled

MEMBERS = ("m1", "m2")


def bond(lab, *members, name="bond0", **columns):
    """A bond of raw ports; their far ends are peers."""
    for member in members:
        lab.wire(member)
    lab.ports_known({member: {} for member in members})
    lab.switch.ctl("add-bond", "br0", name, *members,
                   *column_arguments(columns))


def start(lab, **columns):
    lab.start()
    lab.ports({"p1": {}})
    columns.setdefault("bond_mode", "active-backup")
    bond(lab, *MEMBERS, **columns)


def link(lab, member, up):
    """The cable: pulled at its far end."""
    ip_batch([f"link set dev {member} {'up' if up else 'down'}"],
             lab.far_ns.name)
    if up:
        lab.listen(member)


def mac(lab, device):
    return lab.sw_ns.run("cat", f"/sys/class/net/{device}/address"
                         ).stdout.strip()


def active(lab, name="bond0"):
    """The active member by the database's word, or None."""
    address = lab.switch.get("Port", name, "bond_active_slave")
    for member in lab.peers:
        if address and mac(lab, member) == address:
            return member
    return None


def becomes_active(lab, member):
    wait_until(lambda: active(lab) == member, f"{member} is active")


def idle(lab):
    return [m for m in lab.peers if m.startswith("m") and
            not m.startswith("mon-") and m != active(lab)]


def carries(lab, member):
    """Both ways, each frame once, by this member and by no other."""
    others = [m for m in idle(lab) if m != member]
    near, far = station(10), station(11)
    out = frame(src=near)
    lab.check([("p1", out)], {member: [out]}, but=others)
    back = frame(src=far, dst=near)
    lab.check([(member, back)], {"p1": [back]}, but=others)
    for other in others:
        if other in lab.dead:
            continue
        stray = frame(src=station(12))
        lab.forget()
        lab.send(other, stray)
        one = frame(src=far, dst=near)
        lab.send(member, one)
        lab.pump(lambda: one in lab.peers["p1"].received, "the frame arrives")
        assert stray not in lab.peers["p1"].received, f"{other} was heard"


@test("one member of active-backup carries all; its link decides",
      only="vsw")
def _(lab):
    start(lab)
    lab.dead = set()
    first = active(lab)
    assert first in MEMBERS, f"{first} is active"
    second = next(m for m in MEMBERS if m != first)
    carries(lab, first)
    equal(lab.switch.get("Interface", first, "error"), [], "error")
    known = lab.switch.fdb()
    equal(known[0, station(11)][0],
          str(min(lab.switch.ofport(m) for m in MEMBERS)),
          "the bond in fdb/show")
    link(lab, first, False)
    lab.dead.add(first)
    becomes_active(lab, second)
    assert (0, station(11)) in lab.switch.fdb(), "the FDB was flushed"
    carries(lab, second)
    link(lab, first, True)
    lab.dead.clear()
    wait_until(lambda: lab.switch.get("Interface", first, "link_state") ==
               "up", "the link is back")
    lab.switch.sync()
    equal(active(lab), second, "active without failback")
    carries(lab, second)


@test("a primary member takes over again when it comes back", only="vsw")
def _(lab):
    start(lab, other_config={"bond-primary": "m2"})
    lab.dead = set()
    becomes_active(lab, "m2")
    carries(lab, "m2")
    link(lab, "m2", False)
    lab.dead.add("m2")
    becomes_active(lab, "m1")
    carries(lab, "m1")
    link(lab, "m2", True)
    lab.dead.clear()
    becomes_active(lab, "m2")
    carries(lab, "m2")


@test("updelay holds a member back; downdelay keeps it", only="vsw")
def _(lab):
    start(lab, bond_updelay=300, bond_downdelay=300,
          other_config={"bond-primary": "m1"})
    lab.dead = set()
    becomes_active(lab, "m1")
    link(lab, "m1", False)
    link(lab, "m1", True)
    lab.switch.sync()
    equal(active(lab), "m1", "active after a moment without link")
    link(lab, "m1", False)
    lab.dead.add("m1")
    becomes_active(lab, "m2")
    carries(lab, "m2")


@test("with miimon, devices are asked for their link", only="vsw")
def _(lab):
    start(lab, other_config={"bond-detect-mode": "miimon",
                             "bond-miimon-interval": "100",
                             "bond-primary": "m1"})
    lab.dead = set()
    becomes_active(lab, "m1")
    link(lab, "m1", False)
    lab.dead.add("m1")
    becomes_active(lab, "m2")
    carries(lab, "m2")


@test("a restart goes on with the same active member", only="vsw")
def _(lab):
    start(lab)
    lab.dead = set()
    first = active(lab)
    second = next(m for m in MEMBERS if m != first)
    link(lab, first, False)
    becomes_active(lab, second)
    link(lab, first, True)
    wait_until(lambda: lab.switch.get("Interface", first, "link_state") ==
               "up", "the link is back")
    for _ in range(2):
        lab.switch.kill()
        lab.switch.start()
        lab.switch.sync()
        wait_until(lambda: "active" in lab.switch.log_text(), "it says so")
        carries(lab, second)
        equal(active(lab), second, "active after a restart")


@test("settings that contradict each other are refused, and the bond goes on",
      only="vsw")
def _(lab):
    start(lab)
    lab.dead = set()
    first = active(lab)
    set_raw(lab, "bond_mode", "balance-tcp")
    for member in MEMBERS:
        wait_until(lambda m=member: lab.switch.get("Interface", m, "error"),
                   "the refusal is in the database")
        contains(lab.switch.get("Interface", member, "error"), "lacp",
                 "the reason")
    carries(lab, first)
    set_raw(lab, "bond_mode", "active-backup")
    wait_until(lambda: not lab.switch.get("Interface", "m1", "error"),
               "all is well")
    carries(lab, first)


def set_raw(lab, column, value):
    """Past vsw-ctl, which refuses what the switch would."""
    lab.sw_ns.run("ovs-vsctl", f"--db=unix:{lab.switch.path('db.sock')}",
                  "--no-wait", "set", "Port", "bond0", f"{column}={value}")


@test("a bond that never worked is no bond, and its members are no ports",
      only="vsw")
def _(lab):
    lab.start()
    lab.ports({"p1": {}})
    for member in MEMBERS:
        lab.wire(member)
    lab.ports_known({member: {} for member in MEMBERS})
    lab.sw_ns.run("ovs-vsctl", f"--db=unix:{lab.switch.path('db.sock')}",
                  "--no-wait", "add-bond", "br0", "bond0", *MEMBERS,
                  "bond_mode=balance-tcp")
    wait_until(lambda: lab.switch.get("Interface", "m1", "error"),
               "the refusal is in the database")
    equal(lab.switch.ofport("m1"), -1, "ofport")
    one = frame(src=station(1))
    lab.check([("p1", one)], {}, but=MEMBERS)
    set_raw(lab, "lacp", "active")
    wait_until(lambda: not lab.switch.get("Interface", "m1", "error"),
               "all is well")
    assert lab.switch.ofport("m1") > 0, "m1 is open"


@test("members come and go while the others carry traffic", only="vsw")
def _(lab):
    start(lab)
    lab.dead = set()
    first = active(lab)
    carries(lab, first)
    near, far = station(10), station(11)
    sent = []

    def some(n=200):
        for _ in range(n):
            one = frame(src=far, dst=near)
            sent.append(one)
            lab.send(first, one)

    lab.wire("m3")
    lab.ports_known({"m3": {}})
    lab.forget()
    some()
    lab.switch.ctl("add-bond-iface", "bond0", "m3")
    some()
    other = next(m for m in MEMBERS if m != first)
    lab.switch.ctl("del-bond-iface", "bond0", other)
    some()
    lab.switch.ctl("del-bond-iface", "bond0", "m3")
    some()
    lab.pump(lambda: len([f for f in lab.peers["p1"].received
                          if f in set(sent)]) == len(sent),
             "each frame arrives")
    assert (0, far) in lab.switch.fdb(), "the FDB was flushed"
    equal(lab.switch.get("Interface", first, "error"), [], "error")
    # One interface is a port like any other, without having been away.
    lab.switch.ctl("add-bond-iface", "bond0", "m3")
    some()
    lab.pump(lambda: len([f for f in lab.peers["p1"].received
                          if f in set(sent)]) == len(sent),
             "each frame arrives")
    equal(lab.switch.log_text().count(f"interface {first} added"), 1,
          "how often the member was opened")


@test("the bridge's own port and patch ports are no members", only="vsw")
def _(lab):
    start(lab)
    lab.dead = set()
    first = active(lab)
    lab.switch.ctl("--no-wait", "add-bond-iface", "bond0", "pa", "--", "set",
                   "Interface", "pa", "type=patch", "options:peer=pb")
    wait_until(lambda: lab.switch.get("Interface", "pa", "error"),
               "the refusal is in the database")
    contains(lab.switch.get("Interface", "pa", "error"), "patch port",
             "the reason")
    carries(lab, first)


@test("two bonds with LACP find each other and carry traffic", only="vsw")
def _(lab):
    lab.start("br0", "br1")
    lab.ports({"p1": {}})
    lab.ports({"q1": {}}, bridge="br1")
    lab.dead = set()
    for n in (1, 2):
        ip_batch([f"link add name a{n} type veth peer name b{n}",
                  f"link set dev a{n} up", f"link set dev b{n} up"],
                 lab.sw_ns.name)
        lab.kept_devices |= {f"a{n}", f"b{n}"}
    for bridge, end in (("br0", "a"), ("br1", "b")):
        lab.switch.ctl("add-bond", bridge, f"bond-{end}", f"{end}1",
                       f"{end}2", "bond_mode=balance-tcp", "lacp=active",
                       "other_config:lacp-time=fast")
    for member in ("a1", "a2", "b1", "b2"):
        wait_until(lambda m=member: lab.switch.get(
            "Interface", m, "lacp_current") is True, f"{member} is current")
    wait_enabled(lab.switch, "bond-a", {"a1", "a2"})
    wait_enabled(lab.switch, "bond-b", {"b1", "b2"})
    near, far = station(10), station(11)
    passes(lab, "p1", "q1", near, far)
    passes(lab, "q1", "p1", far, near)
    many = [frame(src=near, dst=far, payload=b"x" * 46) for _ in range(3)]
    lab.check([("p1", one) for one in many], {"q1": many})


def passes(lab, source, sink, src, dst):
    one = frame(src=src, dst=dst)
    lab.forget()
    lab.send(source, one)
    lab.pump(lambda: one in lab.peers[sink].received,
             f"a frame from {source} reaches {sink}")
