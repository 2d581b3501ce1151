"""Several workers take over a change of a bond one after the other: meanwhile
nothing is lost, comes twice, or is learned where it is not."""
from lib.failover import Learning, Rig
from lib.frame import station
from lib.streams import MULTICAST, Stream, parse
from lib.testing import equal, test
from lib.upstream import add_bond, cables, wait_negotiated

FLIPS = 12


def with_workers(rig, count):
    rig.lab.switch.set("Open_vSwitch", ".", other_config={"n-workers": count})


def check_fdb(rig, count):
    """Our stations are at p1, the other is behind the bond."""
    ours = str(rig.lab.switch.ofport("p1"))
    fdb = rig.lab.switch.fdb()
    for i in range(count):
        equal(fdb[0, station(0x400 + i)][0], ours, f"port of station {i}")


def check_unicast(rig, lossless=True):
    for account in rig.accounts:
        equal(account.duplicates, {}, f"more than once: {account}")
        # of a group's copies, one by each member, none may be the right one
        if lossless and account.stream.dst != MULTICAST and account.lost:
            equal(account.lost, [], f"lost: {account}\n"
                  f"{rig.lab.switch.app('drops')}")


def overtakings(rig, stream):
    """How often a frame arrived behind a later one of its stream."""
    numbers = [found[1] for one in rig.recorder.at(stream.sink, outgoing=False)
               if (found := parse(one.data)) and found[0] == stream.number]
    return sum(a > b for a, b in zip(numbers, numbers[1:]))


def flip(rig, seconds):
    """Makes each member the active one in turn, both being up."""
    def step(sending):
        for i in range(FLIPS):
            rig.lab.switch.app("bond/set-active-member", "bond0",
                               rig.members[i % 2])
            sending.more(seconds)
    return step


@test("active-backup, changed by hand with three workers: nothing is lost",
      only="vsw")
def _(lab):
    rig = Learning(lab, bond_mode="active-backup")
    with_workers(rig, 3)
    rig.settled()
    rig.make_streams(talking=5, silent=2)
    rig.streams.append(Stream(300, "p1", "u1", station(0x400), MULTICAST))
    for seconds in 0.35, 0.04:
        rig.run(flip(rig, seconds))
        check_unicast(rig)
        check_fdb(rig, 7)


@test("buckets migrate between workers' members: nothing is lost, and a flow "
      "is reordered once at most for each", only="vsw")
def _(lab):
    rig = Learning(lab, bond_mode="balance-slb")
    with_workers(rig, 3)
    rig.settled()
    rig.make_streams(talking=5, silent=0)

    def migrate(sending):
        for i in range(FLIPS):
            for stream in range(5):
                bucket = lab.switch.app("bond/hash", station(0x400 + stream))
                lab.switch.app("bond/migrate", "bond0", bucket.strip(),
                               rig.members[i % 2])
            sending.more(0.1)
    rig.run(migrate)
    check_unicast(rig)
    for stream in rig.streams:
        assert overtakings(rig, stream) <= FLIPS, \
            f"stream {stream.number}: {overtakings(rig, stream)} overtakings"
    check_fdb(rig, 5)


@test("the number of workers changes under bonds with LACP and without",
      only="vsw")
def _(lab):
    columns = {"bond_mode": "balance-tcp", "lacp": "active",
               "other_config": {"lacp-time": "fast"}}
    rig = Rig(lab, peer=columns, **columns)
    cables(lab, rig.up, "x0", "x1")
    add_bond(lab.switch, "br0", "bond1", ("x0", "x1"),
             bond_mode="active-backup")
    wait_negotiated((lab.switch, "bond0"), (rig.up, "bond0"))
    rig.make_streams()

    def change(sending):
        for count in (3, 1, 2, 8, 1):
            with_workers(rig, count)
            sending.more(0.3)
        rig.mark("changed")
        sending.more(0.3)
    rig.run(change)
    rig.check_lossless("changed")
    rig.check_once()
    wait_negotiated((lab.switch, "bond0"), (rig.up, "bond0"))
