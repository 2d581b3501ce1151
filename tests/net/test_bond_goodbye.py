"""A bond that ends, or loses a member, says so: a partner that is not told goes
on sending to it until its timeout, 90 seconds later."""
import struct

from lib.lacp import check_lacpdus, lacpdus
from lib.netns import wait_until
from lib.record import Recorder
from lib.testing import equal, test
from lib.upstream import (Upstream, add_bond, cables, enabled,
                          wait_negotiated)

MEMBERS = ("m0", "m1")
# aggregation, synchronization, collecting, distributing
IN_USE = 0x3c
ACTOR_STATE = 32
LLDP = b"\x88\xcc"


def pair(lab):
    """Slow: nobody finds out by the timeout."""
    up = Upstream(lab).begin()
    cables(lab, up, *MEMBERS)
    lab.start(monitor=False)
    for switch in (lab.switch, up):
        add_bond(switch, "br0", "bond0", MEMBERS, bond_mode="balance-tcp",
                 lacp="active")
    wait_negotiated((lab.switch, "bond0"), (up, "bond0"))
    wait_until(lambda: enabled(up, "bond0") == set(MEMBERS), "both in use")
    return up


def last_pdu(recorder, member):
    seen = [one for one in lacpdus(list(recorder.seen))
            if one.device == member and not one.outgoing]
    return seen[-1] if seen else None


def says_goodbye(lab, up, members, act):
    """act() makes these members' last word one that ends it; the upstream
    sends to the others at once."""
    with Recorder().add(up.namespace, *MEMBERS) as recorder:
        act()
        wait_until(lambda: enabled(up, "bond0") == set(MEMBERS) - set(members),
                   lambda: "upstream left them: " + up.app("lacp/show"))
    for member in members:
        last = last_pdu(recorder, member)
        assert last, f"a last word by {member}"
        equal(last.data[ACTOR_STATE] & IN_USE, 0,
              f"bits of the actor's state that {member} still claims")
        check_lacpdus(lab, [last])
    return recorder


def lldp_ttl(data):
    """Of an LLDPDU: its third TLV."""
    at = 14
    for _ in range(2):
        at += 2 + (struct.unpack_from("!H", data, at)[0] & 0x1ff)
    kind = struct.unpack_from("!H", data, at)[0] >> 9
    equal(kind, 3, "the third TLV of an LLDPDU")
    return struct.unpack_from("!H", data, at + 2)[0]


def check_lldp(recorder, members):
    """LLDP's last word, too: forget me."""
    for member in members:
        seen = [one for one in recorder.seen if one.device == member and
                not one.outgoing and one.data[12:14] == LLDP]
        assert seen, f"an LLDPDU by {member}"
        equal(lldp_ttl(seen[-1].data), 0, f"the last TTL by {member}")


@test("vswd that ends tells its partners", only="vsw")
def _(lab):
    up = pair(lab)
    check_lldp(says_goodbye(lab, up, MEMBERS, lab.switch.stop), MEMBERS)


@test("vswd that is told to exit tells its partners", only="vsw")
def _(lab):
    up = pair(lab)
    check_lldp(says_goodbye(lab, up, MEMBERS,
                            lambda: lab.switch.vsw_ctl("exit")), MEMBERS)
    lab.switch.process.wait(timeout=20)
    lab.switch.process = None


@test("a bond that is removed, or its bridge, tells its partners", only="vsw")
def _(lab):
    up = pair(lab)
    check_lldp(says_goodbye(lab, up, MEMBERS, lambda: lab.switch.ctl(
        "del-port", "bond0")), MEMBERS)
    add_bond(lab.switch, "br0", "bond0", MEMBERS, bond_mode="balance-tcp",
             lacp="active")
    wait_until(lambda: enabled(up, "bond0") == set(MEMBERS), "both in use")
    check_lldp(says_goodbye(lab, up, MEMBERS, lambda: lab.switch.ctl(
        "del-br", "br0")), MEMBERS)


@test("a member that leaves, is disabled, or LACP that is turned off, is told",
      only="vsw")
def _(lab):
    up = pair(lab)
    check_lldp(says_goodbye(lab, up, ["m1"], lambda: lab.switch.ctl(
        "del-bond-iface", "bond0", "m1")), ["m1"])
    lab.switch.ctl("add-bond-iface", "bond0", "m1")
    wait_until(lambda: enabled(up, "bond0") == set(MEMBERS), "both in use")
    says_goodbye(lab, up, ["m0"], lambda: lab.switch.app(
        "bond/disable-member", "bond0", "m0"))
    lab.switch.app("bond/enable-member", "bond0", "m0")
    wait_until(lambda: enabled(up, "bond0") == set(MEMBERS), "both in use")
    # by a type that no port has, it is closed
    says_goodbye(lab, up, ["m0"], lambda: lab.switch.ctl(
        "--no-wait", "set", "Interface", "m0", "type=nonsense"))
    lab.switch.ctl("set", "Interface", "m0", 'type=""')
    wait_until(lambda: enabled(up, "bond0") == set(MEMBERS), "both in use")
    says_goodbye(lab, up, MEMBERS, lambda: lab.switch.ctl(
        "set", "Port", "bond0", "lacp=off", "bond_mode=balance-slb"))
