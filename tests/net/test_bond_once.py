"""Two cables to one network: every frame arrives once, and none comes back."""
from lib.failover import Learning, Rig, pull_and_plug
from lib.frame import BROADCAST, frame, station
from lib.netns import wait_until
from lib.streams import MULTICAST, Account, Stream
from lib.testing import equal, test
from lib.upstream import active


BONDS = {"active-backup": {"bond_mode": "active-backup"},
         "balance-slb": {"bond_mode": "balance-slb"},
         "port-id": {"other_config": {"bond-policy": "port-id"}}}


def groups(rig):
    """Broadcast, multicast and unicast each way, from many stations."""
    far = station(0x500)
    rig.make_streams(talking=4, silent=0)
    for i in range(4):
        near = station(0x400 + i)
        for j, dst in enumerate((BROADCAST, MULTICAST)):
            rig.streams.append(Stream(200 + 10 * i + j, "p1", "u1", near, dst))
    for j, dst in enumerate((BROADCAST, MULTICAST)):
        rig.streams.append(Stream(300 + j, "u1", "p1", far, dst))


def check_once(rig, lossless):
    """At each port that must hear a stream each frame came once (or never,
    when some were lost); nowhere else any came."""
    for stream in rig.streams:
        group = stream.dst in (BROADCAST, MULTICAST)
        sinks = {stream.sink}
        if group:
            sinks |= {"p2"}
        for sink in ("p1", "p2", "u1"):
            if sink == stream.source:
                back = [one for one in rig.recorder.at(sink, outgoing=False)
                        if one.data[6:12] == bytes.fromhex(
                            stream.src.replace(":", ""))]
                equal(len(back), 0, f"frames of {stream.src} that came back "
                      f"to {sink}")
                continue
            account = Account(rig.recorder.seen, stream, sink)
            if sink not in sinks:
                equal(len(account.arrived), 0, f"at {sink}, {account}")
                continue
            equal(account.duplicates, {}, f"more than once at {sink}, "
                  f"{account}")
            # what stays inside passes no member
            if lossless or stream.source == "p1" and sink == "p2":
                equal(account.lost, [], f"lost at {sink}, {account}")


def check(lab, kind, mode):
    rig = kind(lab, **BONDS[mode])
    rig.settled()
    groups(rig)
    rig.run(lambda sending: sending.more(0.2))
    check_once(rig, lossless=True)
    victim = active(lab.switch, "bond0") or "m0"
    rest = set(rig.members) - {victim}
    rig.run(*pull_and_plug(rig, victim, rest))
    check_once(rig, lossless=False)
    # nor has the bridge learned its own stations at the bond
    ours = lab.switch.ofport("p1")
    for (_, mac), (port, _) in lab.switch.fdb().items():
        if mac in {station(0x400 + i) for i in range(4)}:
            equal(port, str(ours), f"port of {mac}")


def declare(kind, mode, upstream, only):
    @test(f"{mode} on {upstream}: each frame arrives once, none comes back",
          only=only, slow=kind is Learning)
    def _(lab):
        check(lab, kind, mode)


for mode_ in BONDS:
    for kind_, name_ in ((Rig, "Open vSwitch"), (Learning, "a kernel bridge")):
        declare(kind_, mode_, name_, "vsw" if mode_ == "port-id" else None)


@test("a station that really moves behind the bond is followed")
def _(lab):
    rig = Rig(lab, bond_mode="balance-slb")
    rig.settled()
    mover = station(0x77)
    lab.send("p1", frame(src=mover, ethertype=0x88b6))
    ours = str(lab.switch.ofport("p1"))
    wait_until(lambda: lab.switch.fdb().get((0, mover), ("",))[0] == ours,
               "learned at p1")
    # RFC 5944 4.6: a gratuitous ARP tells of it
    mac = bytes.fromhex(mover.replace(":", ""))
    arp = frame(BROADCAST, mover, ethertype=0x0806, payload=bytes.fromhex(
        "0001080006040001") + mac + bytes([10, 0, 0, 7]) + bytes(6) +
        bytes([10, 0, 0, 7]))

    def followed():
        lab.send("u1", arp)
        return lab.switch.fdb().get((0, mover), (ours,))[0] != ours
    wait_until(followed, "learned at the bond")
    equal(lab.switch.fdb()[0, mover][0] in (ours, "LOCAL"), False,
          "still at p1")
