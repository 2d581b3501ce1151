"""The kernel's fast path: switched on and off, what it says of ports, and the
same frames through the same switch both ways, compared.

A Step is one frame that a raw port sends. What the switch knows is the same
before each round; within a round the switch is done with a frame that changes
that (`alone`) before the next one is sent. So only the order between a frame
that the kernel forwards and one that it does not may differ, as 802.1Q-2018
8.6.6 lets it: frames of a VLAN, a priority and two stations keep theirs.
"""
import collections
import contextlib
import ctypes
import socket
import struct

from . import vlan_model
from .frame import C_TAG, S_TAG, Frame, frame, mac_bytes
from .lab import Peer, by_flow, show
from .netns import (SOL_PACKET, libc, receive_message, restore_tag,
                    wait_until)
from .vhost_frontend import Header

KEY = "kernel-fast-path"
PACKET_VNET_HDR = 15
SYS_BPF, BPF_PROG_QUERY = 321, 16  # x86-64
TCX_HOOKS = (46, 47)  # ingress, egress
HEADER = 10  # of a packet socket: struct virtio_net_hdr

Step = collections.namedtuple("Step", "port frame alone fast",
                              defaults=(False, None))
"""fast: whether the kernel must forward it; None: it may."""


def switch_to(lab, on):
    lab.switch.set("Open_vSwitch", ".",
                   other_config={KEY: "true" if on else "false"})
    lab.overtakes = lab.overtakes or on


def start(lab, *bridges, **columns):
    """A lab with the fast path on, whatever the run says."""
    lab.start(*bridges, **columns)
    switch_to(lab, True)
    return lab


def status(lab, interface):
    """Interface:status:kernel-fast-path: "yes", or why not."""
    return dict(lab.switch.get("Interface", interface, "status") or {}).get(
        KEY)


def forwarded(lab, port):
    """(packets from the port, packets to it) by the fast path."""
    counts = lab.switch.command("port/stats", port)[port]
    return counts["fast_path_rx_packets"], counts["fast_path_tx_packets"]


def wait_for_status(lab, port, wanted):
    """The port's status begins so; its whole."""
    return wait_until(
        lambda: (text := status(lab, port) or "").startswith(wanted) and text,
        lambda: f"{port} says {wanted!r}, it says {status(lab, port)!r}")


class Watch:
    """with Watch(lab, "p1", "p2") as watch: ...; watch.rx["p1"] frames came in
    by p1 and were forwarded by the fast path meanwhile, .tx[...] left."""

    def __init__(self, lab, *ports):
        self.lab, self.ports = lab, ports
        self.rx, self.tx = {}, {}

    def __enter__(self):
        self.before = {port: forwarded(self.lab, port) for port in self.ports}
        return self

    def __exit__(self, *_):
        for port in self.ports:
            now = forwarded(self.lab, port)
            self.rx[port] = now[0] - self.before[port][0]
            self.tx[port] = now[1] - self.before[port][1]


def programs_at(space, device):
    """How many hang at the device's hooks: of tcx by bpf(2), as bpftool of
    Debian 12 does not know it; of tc."""
    count = 0
    with space.entered():
        for hook in TCX_HOOKS:
            attr = ctypes.create_string_buffer(struct.pack(
                "IIIIQI44x", socket.if_nametoindex(device), hook, 0, 0, 0, 0))
            if libc.syscall(SYS_BPF, BPF_PROG_QUERY, attr,
                            len(attr.raw)) >= 0:
                count += struct.unpack_from("I", attr.raw, 24)[0]
    for hook in ("ingress", "egress"):
        text = space.run("tc", "filter", "show", "dev", device, hook).stdout
        count += " vsw " in text
    return count


def programs(lab):
    """{device: how many} in the switch's namespace."""
    counts = {name: programs_at(lab.sw_ns, name)
              for name in lab.sw_ns.devices()}
    return {name: n for name, n in counts.items() if n}


class Large(Frame):
    """A frame with an offload header: of GSO, or with a checksum to make."""
    header = Header()

    @classmethod
    def of(cls, header, data):
        one = cls(data)
        one.header = header
        return one

    def __eq__(self, other):
        return bytes.__eq__(self, other) and \
            getattr(other, "header", Header()) == self.header

    __hash__ = Frame.__hash__

    def __str__(self):
        return f"{Frame.__str__(self)} {self.header}"

    __repr__ = __str__


class OffloadPeer(Peer):
    """Takes over a raw port's far end; sends and gets Large frames. What the
    kernel there refuses to send is not sent."""

    def __init__(self, peer):
        # what a Peer has, with the socket; not another one
        self.__dict__.update(peer.__dict__)
        self.sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)

    def send(self, data):
        header = getattr(data, "header", Header())
        data = header.pack(HEADER) + data
        if not any(header):
            super().send(data)
            return
        with contextlib.suppress(OSError):
            self.sock.send(data)

    def take(self):
        message = receive_message(self.sock)
        if message is None:
            return None
        header = Header.unpack(message[0][:HEADER])
        data = restore_tag(message[0][HEADER:], message[1])
        # a checksum that was found right may be called so, or not; how long
        # the headers are is a hint (virtio 1.2, 5.1.6.2)
        header = header._replace(flags=header.flags & 1, hdr_len=0)
        return Large.of(header, data) if any(header) else Frame(data)


def take_offloads(lab, *ports):
    for name in ports:
        lab.peers[name] = OffloadPeer(lab.peers[name])


def whole(flow, payload, mss, **other):
    """A vhost_offload.Flow's frame as Large."""
    return Large.of(flow.header(mss, **other)._replace(hdr_len=0),
                    flow.frame(payload))


# What is sent both ways.

class Round:
    """What became of the frames: arrived {port: [frames]}, counts {port:
    {statistic: growth}}, fdb {(bridge, VLAN, MAC): port number}."""

    def __init__(self, lab, learn, steps, bridges):
        for bridge in bridges:
            lab.switch.app("fdb/flush", bridge)
        for step in learn:
            lab.send(step.port, step.frame)
        lab.settle(dict.fromkeys(step.port for step in learn))
        lab.forget()
        before = statistics(lab)
        for step in steps:
            if step.alone:
                lab.fence(step.port)
            lab.send(step.port, step.frame)
            if step.alone:
                lab.fence(step.port)
        lab.settle(dict.fromkeys(step.port for step in steps))
        self.arrived = {name: list(peer.received)
                        for name, peer in lab.peers.items()}
        self.counts = growth(before, statistics(lab))
        self.fdb = {(bridge, *key): value[0] for bridge in bridges
                    for key, value in lab.switch.fdb(bridge).items()}


def statistics(lab):
    """Of all ports; a burst's counters may follow its frames."""
    def twice_the_same():
        nonlocal last
        last, before = lab.switch.command("port/stats"), last
        return last == before
    last = None
    wait_until(twice_the_same, "no more packets are counted")
    return last


def growth(before, after):
    return {port: {name: value - before[port].get(name, 0)
                   for name, value in counts.items()
                   if isinstance(value, int)}
            for port, counts in after.items()}


FAST = ("fast_path_rx_packets", "fast_path_tx_packets")


def both_ways(lab, learn, steps, bridges=("br0",)):
    """
    The steps with the fast path off, then on; all that a user sees must be the
    same, and the kernel must have forwarded what each step says. Returns what
    it forwarded, {port: (from it, to it)}. learn: steps that come before.
    """
    switch_to(lab, False)
    off = Round(lab, learn, steps, bridges)
    switch_to(lab, True)
    on = Round(lab, learn, steps, bridges)
    problems, by_kernel = [], {body(step.frame) for step in steps
                               if step.fast is True}
    for name in lab.peers:
        problems += compare(name, off.arrived[name], on.arrived[name],
                            by_kernel)
    problems += compare_tables("the FDB", off.fdb, on.fdb)
    for port, counts in on.counts.items():
        before = dict(off.counts[port])
        if any(before.pop(name, 0) for name in FAST):
            problems.append(f"{port}: the fast path forwards, which is off")
        problems += compare_tables(
            f"statistics of {port}", before,
            {name: n for name, n in counts.items() if name not in FAST})
    fast = {port: tuple(counts.get(name, 0) for name in FAST)
            for port, counts in on.counts.items()}
    problems += check_fast(steps, fast)
    assert not problems, "\n".join(problems[:20] + [
        f"... {len(problems) - 20} more"] * (len(problems) > 20))
    return fast


def check_fast(steps, fast):
    must, may = collections.Counter(), collections.Counter()
    for step in steps:
        must[step.port] += step.fast is True
        may[step.port] += step.fast is not False
    for port, (came, _) in fast.items():
        if not must[port] <= came <= may[port]:
            yield f"{port}: {came} frames came and were forwarded in the " \
                f"kernel, of {must[port]} that must and {may[port]} that may be"
    came, left = (sum(n[i] for n in fast.values()) for i in (0, 1))
    if came != left:
        yield f"{came} frames came into the fast path, {left} left"


def body(one):
    """What no tag changes."""
    return one[12 + 4 * len(one.tags()):]


def compare(name, off, on, fast):
    """What differs at a port; those that go by the kernel, whose bodies are in
    fast, have kept their order."""
    missing, extra = list(off), []
    for one in on:
        if one in missing:
            missing.remove(one)
        else:
            extra.append(one)
    if missing:
        yield f"{name} got only with the fast path off: {show(missing)}"
    if extra:
        yield f"{name} got only with the fast path on: {show(extra)}"
    if missing or extra:
        return
    left, right = (by_flow([one for one in frames if body(one) in fast])
                   for frames in (off, on))
    for key in left:
        if left[key] != right[key]:
            yield f"{name} got in another order {show(right[key])}"


def compare_tables(what, off, on):
    keys = [key for key in sorted(set(off) | set(on), key=str)
            if off.get(key) != on.get(key)]
    if keys:
        yield f"{what}: " + "; ".join(
            f"{key}: {off.get(key)} with the fast path off, {on.get(key)} on"
            for key in keys[:6])


# Which frames the kernel must forward.

def plain_tags(one):
    """The kernel knows no tag, and one C-tag with a VLAN id."""
    tags = one.tags()
    if not tags:
        return True
    return len(tags) == 1 and tags[0][0] == C_TAG and \
        0 < tags[0][1] & 0xfff < 4095


def is_fast(source, sink, one):
    """
    Of a frame between known stations behind two raw ports with these columns,
    if nothing else is set at them.
    """
    modes = {vlan_model.mode_of(source), vlan_model.mode_of(sink)}
    if vlan_model.TUNNEL in modes or not plain_tags(one):
        return False
    classified = vlan_model.ingress(source, one)
    if classified is None or not vlan_model.member(sink, classified[0]):
        return False
    return sink.get("other_config", {}).get("priority-tags",
                                            "never") == "never"


def tagged_kinds(dst, src, vids=(0, 10, 20, 30, 4094), length=60):
    """One frame of each kind of tagging between two stations."""
    def plain():
        return frame(dst, src, length=length)
    yield plain()
    for vid in vids:
        yield plain().tagged(vid)
        yield plain().tagged(vid, pcp=5, dei=1)
    yield plain().tagged(10, tpid=S_TAG)
    yield plain().tagged(20).tagged(10, tpid=S_TAG)
    yield plain().tagged(10).tagged(20)
    yield plain().tagged(20, tpid=S_TAG).tagged(10)
    yield plain().tagged(0).tagged(10)
    yield plain().tagged(10, tpid=0x9100)


def raw(dst, src, rest):
    """A frame that may be as short as 14 bytes; rest: from the type on."""
    return Frame(mac_bytes(dst) + mac_bytes(src) + rest)


def length_field(dst, src, length=46):
    """An 802.3 frame: a length where Ethernet II has a type."""
    return raw(dst, src, struct.pack("!H", length) + b"\xaa\xaa\3" +
               bytes(length - 3))
