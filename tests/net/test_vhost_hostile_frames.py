"""Front ends whose offload headers lie, and those that do too much of it."""
import contextlib
import fcntl
import os
import random
import struct
import time

from lib import vhost_protocol as protocol
from lib.frame import Frame, frame
from lib.testing import test
from lib.vhost_frontend import (GSO_ECN, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4,
                                NEEDS_CSUM, OFFLOADS, Header)
from lib.vhost_hostile import EVIL, GOOD, Arena, Cases
from lib.vhost_offload import TCP, UDP, Flow
from lib.vhost_protocol import Connection, Disconnected, Refused, u64

SIZE = 64
offloads, storms = Cases(), Cases()
BOTH = ((), ("RING_PACKED",))


# Offload headers.

def bad_header(name, header, flow=None, payload=5000, remove=()):
    def case(arena):
        front = arena.running(remove=remove, add=OFFLOADS - set(remove))
        before = arena.evil.drops()
        data = flow.frame(bytes(payload)) if flow else frame(GOOD, EVIL, 200)
        front.send(data, header=header)
        arena.dropped("bad-offload", 1, before)
        arena.passes(front)
    offloads(name)(case)


T4, T6 = Flow(EVIL, GOOD), Flow(EVIL, GOOD, TCP, 6)
U4 = Flow(EVIL, GOOD, UDP, 4)
CSUM = Header(flags=NEEDS_CSUM, csum_start=34, csum_offset=16)
for _start, _offset in ((200, 0), (198, 1), (0xffff, 0), (0xffff, 0xffff),
                        (34, 165), (34, 0xffff), (0, 0), (13, 0)):
    bad_header(f"a checksum at {_start} + {_offset} of 200 bytes",
               CSUM._replace(csum_start=_start, csum_offset=_offset))
bad_header("hdr_len longer than the frame", CSUM._replace(hdr_len=201))
bad_header("GSO of no size", T4.header(1448, gso_size=0), T4)
bad_header("GSO of an unknown type", T4.header(1448, gso_type=0x7f), T4)
bad_header("GSO of type 2", T4.header(1448, gso_type=2), T4)
bad_header("TCPv6 GSO on IPv4", T4.header(1448, gso_type=GSO_TCPV6), T4)
bad_header("TCPv4 GSO on IPv6", T6.header(1448, gso_type=GSO_TCPV4), T6)
bad_header("UDP GSO on TCP", T4.header(1448, gso_type=GSO_UDP_L4), T4)
bad_header("TCP GSO on UDP", U4.header(1448, gso_type=GSO_TCPV4), U4)
bad_header("TCP GSO on no IP at all", Header(NEEDS_CSUM, GSO_TCPV4, 54, 100,
                                             34, 16))
bad_header("UDP GSO with ECN", U4.header(1448, ecn=GSO_ECN), U4)
bad_header("GSO with its checksum elsewhere", T4.header(1448, csum_start=38),
           T4)
bad_header("GSO into more segments than there may be", T4.header(1), T4)
for _feature, _header, _flow in (
        ("CSUM", CSUM, None), ("HOST_TSO4", T4.header(1448), T4),
        ("HOST_TSO6", T6.header(1448), T6), ("HOST_USO", U4.header(1448), U4),
        ("HOST_ECN", T4.header(1448, ecn=GSO_ECN), T4)):
    bad_header(f"an offload that was not negotiated: {_feature}", _header,
               _flow, remove={_feature})


@offloads("every header of random bytes, on frames of all kinds")
def _(arena):
    front, rng = arena.running(), random.Random(3)
    for i in range(1500):
        flow = rng.choice((T4, T6, U4))
        fields = [rng.choice((0, 1, 2, 3, 0xff)),
                  rng.choice((0, 1, 3, 4, 5, 0x81, rng.randrange(256)))]
        fields += [rng.choice((0, 1, 14, 34, 54, 1448, rng.randrange(1 << 16)))
                   for _ in range(5)]
        data = bytearray(flow.frame(bytes(rng.choice((0, 1, 100, 3000)))))
        if i % 3 == 0:
            data[rng.randrange(12, 60) % len(data)] = rng.randrange(256)
        data = data[:rng.choice((len(data), len(data), 13, 34, 50))]
        front.send(Frame(data), header=Header(*fields))
        if i % 100 == 0:
            arena.good.front.collect()
            arena.good.front.frames.clear()
    front.wait_sent()
    arena.others_forward()


# Storms.

@storms("two thousand connections that come and go")
def _(arena):
    for i in range(2000):
        try:
            c = Connection.connect(arena.evil.path)
            if i % 3:
                c.send("GET_FEATURES")
        except Disconnected:
            pass
        c.close()


@storms("a hundred front ends that set all up and go")
def _(arena):
    for i in range(100):
        try:
            front = arena.front(size=16, add=BOTH[i % 2])
            front.start()
            front.put(frame(GOOD, EVIL))
            front.pairs[0].tx.publish(kick=True)
        except (Disconnected, Refused):
            pass
        front.close()
        arena.fronts.remove(front)
    arena.good.front.collect()
    arena.good.front.frames.clear()


def for_a_while(function, seconds=0.4):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        function()


@storms("kicks with nothing to do")
def _(arena):
    front = arena.running(pairs=4)
    fds = [pair.tx.kick_fd for pair in front.pairs]
    for_a_while(lambda: [os.eventfd_write(fd, 1) for fd in fds])
    arena.others_forward()
    arena.passes(front)


@storms("queues that are started, stopped, enabled without an end")
def _(arena):
    front = arena.running()
    rx, tx = front.pairs[0].rx, front.pairs[0].tx

    def turn():
        for ring in (rx, tx):
            front.enable(ring, False)
            front.enable(ring)
            base = front.stop_ring(ring)
            front.start_ring(ring, base)
    for_a_while(turn)
    arena.passes(front)
    arena.reaches(front)


def filled_eventfd():
    """A write to it blocks whoever writes."""
    fd = os.eventfd(0, os.EFD_CLOEXEC)
    os.eventfd_write(fd, 0xfffffffffffffffe)
    return fd


def full_pipe():
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETFL, os.O_NONBLOCK)
    try:
        while True:
            os.write(write, bytes(65536))
    except BlockingIOError:
        pass
    fcntl.fcntl(write, fcntl.F_SETFL, 0)
    return read, write


@storms("a call descriptor that a write to blocks")
def _(arena):
    read, write = full_pipe()
    arena.keep(read)
    for fd in (filled_eventfd(), write):
        arena.keep(fd)
        front = arena.running()
        try:
            for ring in front.rings():
                front.connection.set("SET_VRING_CALL", u64(ring.index), [fd])
                front.connection.set("SET_VRING_ERR", u64(ring.index), [fd])
            arena.good.front.send(*[frame(src=GOOD) for _ in range(20)])
            front.put(frame(GOOD, EVIL))
            front.pairs[0].tx.publish(kick=True)
        except (Disconnected, Refused):
            pass
        arena.others_forward()
        arena.lab.switch.sync()
        arena.fronts.remove(front)
        front.close()


@storms("kick descriptors that are none")
def _(arena):
    read, write = full_pipe()
    for fd in (read, write, os.open("/etc/passwd", os.O_RDONLY),
               os.open("/", os.O_RDONLY), filled_eventfd(),
               os.eventfd(0, os.EFD_SEMAPHORE | os.EFD_CLOEXEC)):
        arena.keep(fd)
        front = arena.running()
        try:
            front.connection.set("SET_VRING_KICK", u64(1), [fd])
            front.put(frame(GOOD, EVIL))
            front.pairs[0].tx.publish(kick=False)
        except (Disconnected, Refused):
            pass
        arena.others_forward()
        arena.lab.switch.sync()
        arena.fronts.remove(front)
        front.close()


def region_of_lies(arena, fill, packed):
    """An in-flight region with anything in it."""
    front = arena.shared(add=OFFLOADS | set(packed), size=SIZE)
    payload, fds = front.connection.call(
        "GET_INFLIGHT_FD", protocol.inflight(0, 0, 2, SIZE))
    fd = arena.keep(fds[0])
    size = struct.unpack_from("<Q", payload)[0]
    os.pwrite(fd, fill(size), 0)
    try:
        front.connection.set("SET_INFLIGHT_FD", payload, [fd])
        for ring in front.rings():
            front.start_ring(ring)
            front.enable(ring)
        front.pairs[0].fill()
        front.put(frame(GOOD, EVIL))
        front.pairs[0].tx.publish(kick=True)
        arena.good.front.send(frame(src=GOOD))
        arena.others_forward()
        with contextlib.suppress(PermissionError):  # it is sealed: better
            os.ftruncate(fd, 0)
        front.put(frame(GOOD, EVIL))
        front.pairs[0].tx.publish(kick=True)
        arena.good.front.send(frame(src=GOOD))
        front.connection.get("GET_FEATURES")
    except (Disconnected, Refused):
        pass
    arena.others_forward()
    arena.reset()
    arena.good.front.collect()
    arena.good.front.frames.clear()


@storms("an in-flight region of lies, which then shrinks")
def _(arena):
    rng = random.Random(4)
    for packed in BOTH:
        for fill in (lambda n: b"\xff" * n, lambda n: b"\x01" * n,
                     rng.randbytes, rng.randbytes, rng.randbytes):
            region_of_lies(arena, fill, packed)


@storms("a dirty log that is too small, and then shrinks")
def _(arena):
    front = arena.running()
    fd = arena.memfd(4096)
    front.connection.call("SET_LOG_BASE", protocol.log_base(4096), [fd])
    front.set_features("LOG_ALL")
    arena.reaches(front)
    os.ftruncate(fd, 0)
    arena.good.front.send(*[frame(src=GOOD) for _ in range(5)])
    front.put(frame(GOOD, EVIL))
    front.pairs[0].tx.publish(kick=True)
    arena.others_forward()


for _name, _table in (("offload headers", offloads),
                      ("storms, and descriptors that block", storms)):
    test(f"lies survived: {_name}", only="vsw", timeout=120)(
        lambda lab, table=_table: Arena(lab).run(table.table))
