"""A bond that loses a member and gets it back while numbered streams run both
ways; what was lost meanwhile."""
import time

from .frame import frame, mac_bytes, station
from .netns import ip_batch
from .record import Recorder
from .streams import Account, Sending, Stream
from .upstream import (Upstream, add_bond, cables, plug, pull, stations,
                       wait_enabled)

GRACE = 0.050  # beyond the detection time
UPLINKED = 0x500
TALKING = 5
SILENT = 2
INTERVAL = 0.0005  # between any two frames


class KernelBridge(Upstream):
    """The kernel's bridge in the place of Open vSwitch."""

    def begin(self, *_):
        ip_batch(["link add name br0 type bridge", "link set br0 up"],
                 self.namespace.name)
        return self

    def ctl(self, *args, **_):
        """add-port only."""
        words = iter(args)
        ip_batch([f"link set {next(words) and next(words)} master br0"
                  for word in words if word == "add-port"],
                 self.namespace.name)


class Rig:
    """
    p1 and p2 are ports of the bridge with the bond; u1 one upstream, behind
    learning ports or a bond there. Stations 0 to TALKING-1 behind p1 talk with
    u1 both ways; SILENT more only hear.
    """

    upstream_kind = Upstream

    def __init__(self, lab, members=("m0", "m1"), peer=None, **columns):
        """peer: add_bond's columns at the upstream; None: learning ports."""
        self.lab = lab
        self.members = members
        self.up = self.upstream_kind(lab).begin()
        self.streams = []
        self.marks = {}
        self.times = {}
        cables(lab, self.up, *members)
        self.attach_upstream(peer, members)
        lab.start(monitor=False)
        stations(lab, lab.switch, {"p1": {}, "p2": {}})
        stations(lab, self.up, {"u1": {}})
        add_bond(lab.switch, "br0", "bond0", members, **columns)

    def attach_upstream(self, peer, names):
        """names: of the ports there."""
        if peer is not None:
            add_bond(self.up, "br0", "bond0", names, **peer)
            return
        for name in names:
            self.up.ctl("add-port", "br0", name)

    def make_streams(self, talking=TALKING, silent=SILENT):
        far = station(UPLINKED)
        for i in range(talking + silent):
            near = station(0x400 + i)
            if i < talking:
                self.streams.append(Stream(i, "p1", "u1", near, far))
            self.streams.append(Stream(100 + i, "u1", "p1", far, near))
        self.learn(talking + silent)

    def learn(self, count):
        """All stations are known everywhere."""
        self.lab.send("u1", frame(src=station(UPLINKED), ethertype=0x88b6))
        for i in range(count):
            self.lab.send("p1", frame(station(UPLINKED), station(0x400 + i),
                                      ethertype=0x88b6))
        self.lab.pump(self.last_arrived, "the stations' frames arrive")

    def settled(self, members=None, timeout=20):
        wait_enabled(self.lab.switch, "bond0", members or self.members,
                     timeout)

    def run(self, *steps, interval=INTERVAL):
        """Calls the steps with what is sending while the streams run."""
        for stream in self.streams:
            stream.sent = 0
        self.lab.forget()
        self.recorder = Recorder().add(self.lab.far_ns, "p1", "p2", "u1")
        self.recorder.add(self.up.namespace, *self.members)
        with self.recorder:
            with Sending(self.lab, self.streams, interval) as sending:
                sending.more(0.2)
                for step in steps:
                    step(sending)
                sending.more(0.3)
            self.lab.pump(self.last_arrived, "the last frames arrive")
        self.accounts = [Account(self.recorder.seen, s) for s in self.streams]
        for account in self.accounts:
            print(account)

    def last_arrived(self):
        """Fences the streams' frames: what follows them has come."""
        for source, sink, src, dst in (
                ("p1", "u1", station(0x400), station(UPLINKED)),
                ("u1", "p1", station(UPLINKED), station(0x400))):
            self.lab.send(source, frame(dst, src, ethertype=0x88b6,
                                        payload=b"last" + sink.encode()))
        return all(any(f[14:20] == b"last" + sink.encode()
                       for f in self.lab.peers[sink].received)
                   for sink in ("u1", "p1"))

    def mark(self, name):
        """Of each stream, what was sent by now; and when that was."""
        self.times[name] = time.time()
        self.marks[name] = {s.number: s.sent for s in self.streams}

    # What is asserted afterwards.

    def between(self, account, first=None, last=None):
        """Numbers lost that were sent after one mark and up to another."""
        low = self.marks[first][account.stream.number] if first else 0
        high = self.marks[last][account.stream.number] if last \
            else account.stream.sent
        return [n for n in account.lost if low < n <= high]

    def check_outage(self, limit, since, until, streams=None):
        """No stream lost more than limit's worth; the worst, in seconds."""
        worst = 0
        for account in self.accounts:
            if streams and account.stream not in streams:
                continue
            lost = len(self.between(account, since, until))
            worst = max(worst, lost * account.interval)
            assert lost * account.interval <= limit, \
                f"{lost * account.interval * 1000:.0f} ms lost, at most " \
                f"{limit * 1000:.0f} ms expected: {account}"
        print(f"the worst: {worst * 1000:.1f} ms of {limit * 1000:.0f}")
        return worst

    def check_lossless(self, since, until=None, streams=None):
        for account in self.accounts:
            if streams and account.stream not in streams:
                continue
            lost = self.between(account, since, until)
            assert not lost, f"{len(lost)} lost after {since}, that is " \
                f"{self.marks[since][account.stream.number]}: {account}, " \
                f"seen at {[account.paths[n] for n in lost[:8]]}"

    def check_once(self):
        for account in self.accounts:
            assert not account.duplicates, \
                f"came more than once: {account.duplicates}, {account}"

    def check_delivered(self, since, until, streams):
        """What upstream sent by a member arrived, but for GRACE's worth: what
        was under way. What it sends nowhere, or to a member that is down, is
        its own affair (see Upstream.begin())."""
        for account in self.accounts:
            if account.stream not in streams:
                continue
            lost = [n for n in self.between(account, since, until)
                    if account.paths[n]]
            assert len(lost) * account.interval <= GRACE, \
                f"{len(lost)} frames came to a member and no further: " \
                f"{account}"

    def check_told(self, since, near):
        """Each of our stations was heard upstream by a member within GRACE
        after the first frame of any that was."""
        first = {}
        began = self.times[since]
        for one in self.recorder.at(*self.members, outgoing=False):
            if one.stamp >= began:
                first.setdefault(one.data[6:12], one.stamp)
        late = {}
        for mac in near:
            stamp = first.get(mac_bytes(mac))
            if stamp is None or stamp - min(first.values()) > GRACE:
                late[mac] = stamp and stamp - min(first.values())
        assert not late, f"stations of which nothing was told: {late}"

    def upward(self):
        return [s for s in self.streams if s.source == "p1"]

    def downward(self):
        return [s for s in self.streams if s.source == "u1"]


class Learning(Rig):
    """A switch upstream that learns from each frame. Open vSwitch does not: it
    learns from new flows at once, and when it next looks at its cached ones
    from those again, in any order. So for a tenth of a second, or for good if
    the station is silent, it may know a station where it was before."""
    upstream_kind = KernelBridge


class OnEdges(Rig):
    """Each member mN leads to a bridge eN of its own, and that to br0: behind
    it may be a break that no carrier tells of."""

    def attach_upstream(self, peer, names):
        for name in names:
            edge = "e" + name[1:]
            self.up.ctl(
                "add-br", edge, "--", "set", "Bridge", edge,
                "datapath_type=netdev", "--", "add-port", edge, name,
                "--", "add-port", edge, f"{edge}-c", "--", "set", "Interface",
                f"{edge}-c", "type=patch", f"options:peer=c-{edge}", "--",
                "add-port", "br0", f"c-{edge}", "--", "set", "Interface",
                f"c-{edge}", "type=patch", f"options:peer={edge}-c")

    def cut(self, edge):
        self.up.flows(edge)

    def mend(self, edge):
        self.up.flows(edge, "actions=NORMAL")


class OnWire(Rig):
    """m0 leads to the member n0 by a wire that can be cut."""

    def attach_upstream(self, peer, names):
        ip_batch(["link add name n0 type veth peer name n0-i",
                  "link set n0 up", "link set n0-i up"],
                 self.up.namespace.name)
        self.up.join("wire", "m0", "n0-i")
        super().attach_upstream(peer, ("n0", *names[1:]))

    def cut(self):
        self.up.cut_wire("wire")

    def mend(self):
        self.up.mend_wire("wire", "m0", "n0-i")


def cut_and_mend(rig, edge, rest):
    """Steps for Rig.run() of OnEdges: with marks `cut`, `mended`, `back`."""
    def cut(sending):
        rig.mark("cut")
        rig.cut(edge)
        wait_enabled(rig.lab.switch, "bond0", rest)
        sending.more(0.3)

    def mend(sending):
        rig.mark("mended")
        rig.mend(edge)
        wait_enabled(rig.lab.switch, "bond0", rig.members)
        rig.mark("back")
        sending.more(0.3)
    return cut, mend


def pull_and_plug(rig, victim, rest, seconds=0.3, back=None, timeout=20):
    """Steps for Rig.run(): with marks `pulled`, `plugged`, `back`."""
    def pulled(sending):
        rig.mark("pulled")
        pull(rig.up, victim)
        wait_enabled(rig.lab.switch, "bond0", rest, timeout)
        sending.more(seconds)

    def plugged(sending):
        rig.mark("plugged")
        plug(rig.up, victim)
        wait_enabled(rig.lab.switch, "bond0", back or rig.members, timeout)
        rig.mark("back")
        sending.more(seconds)
    return pulled, plugged
