"""Front ends whose messages lie: nobody else is hurt, and nothing is kept."""
import os
import socket
import struct
import threading
import time

from lib import vhost_protocol as protocol
from lib.netns import wait_until
from lib.testing import equal, test
from lib.vhost_guest import Footprint
from lib.vhost_hostile import Arena, Cases
from lib.vhost_protocol import (NEED_REPLY, NO_FD, REPLY, VERSION, Connection,
                                Disconnected, u64, vring_addr, vring_state)

SIZES = {"GET_FEATURES": 0, "SET_FEATURES": 8, "SET_OWNER": 0,
         "SET_LOG_BASE": 16, "SET_VRING_NUM": 8, "SET_VRING_ADDR": 40,
         "SET_VRING_BASE": 8, "GET_VRING_BASE": 8, "SET_VRING_KICK": 8,
         "SET_VRING_CALL": 8, "SET_VRING_ERR": 8, "GET_PROTOCOL_FEATURES": 0,
         "SET_PROTOCOL_FEATURES": 8, "GET_QUEUE_NUM": 0,
         "SET_VRING_ENABLE": 8, "SEND_RARP": 8, "NET_SET_MTU": 8,
         "GET_INFLIGHT_FD": 24, "SET_INFLIGHT_FD": 24, "ADD_MEM_REG": 40,
         "REM_MEM_REG": 40, "SET_STATUS": 8, "GET_STATUS": 0,
         "GET_MAX_MEM_SLOTS": 0, "RESET_DEVICE": 0}
WITH_FD = {"SET_LOG_BASE", "SET_VRING_KICK", "SET_VRING_CALL",
           "SET_VRING_ERR", "SET_INFLIGHT_FD", "ADD_MEM_REG"}
MAY_HAVE_FD = WITH_FD | {"REM_MEM_REG"}
HUGE = 0xffffffffffffffff
messages, memory, queues, storms = Cases(), Cases(), Cases(), Cases()


# Each message: its size, its descriptors.

def refused(arena, *args, **kwargs):
    """Sent to a device that is set up; the connection must end."""
    front = arena.shared()
    try:
        front.connection.send(*args, **kwargs)
    except Disconnected:
        return
    arena.closes(front)


for _request, _size in SIZES.items():
    def _sizes(arena, request, size):
        fds = [arena.memfd(4096)] if request in WITH_FD else []
        for wrong in {max(size - 1, 1), size + 1, size + 8, 1000} - {size}:
            # both lengths of the in-flight description are in use
            if "INFLIGHT" in request and wrong in (20, 24):
                continue
            refused(arena, request, bytes(wrong), fds)
            arena.reset()
            fds = [arena.memfd(4096)] if request in WITH_FD else []
    messages(f"{_request} of a wrong size", _request, _size)(_sizes)

    def _descriptors(arena, request, size):
        for count in (2 if request in MAY_HAVE_FD else 1, 8, 9, 40, 253):
            fds = [arena.memfd(4096) for _ in range(count)]
            refused(arena, request, bytes(size), fds)
            arena.reset()
    messages(f"{_request} with too many descriptors, control data cut",
             _request, _size)(_descriptors)

for _request in sorted(WITH_FD):
    messages(f"{_request} without its descriptor", _request,
             bytes(SIZES[_request]))(refused)


@messages("SET_MEM_TABLE with fewer and more descriptors than regions")
def _(arena):
    one = protocol.region(1 << 32, 4096, 1 << 40)
    for n, n_fds in ((1, 0), (2, 1), (1, 2), (8, 7), (0, 1)):
        table = [protocol.region((1 << 32) + i * 4096, 4096, (1 << 40) +
                                 i * 4096) for i in range(n)]
        refused(arena, "SET_MEM_TABLE", protocol.mem_table(table),
                [arena.memfd(4096) for _ in range(n_fds)])
        arena.reset()
    for n in (9, 1000, 0x7ffffff, 0xffffffff):
        refused(arena, "SET_MEM_TABLE", struct.pack("<II", n, 0) + one,
                [arena.memfd(4096)])
        arena.reset()


@messages("a length in the header that no message has")
def _(arena):
    for size in (1025, 4096, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff4):
        refused(arena, "SET_FEATURES", bytes(8), size=size)
        arena.reset()


@messages("flags of another version, or of a reply")
def _(arena):
    for flags in (0, 2, 3, VERSION | REPLY):
        refused(arena, "SET_OWNER", flags=flags)
        arena.reset()


@messages("requests that do not exist")
def _(arena):
    for request in (0, 44, 77, 255, 1 << 16, 0x80000001, 0xffffffff):
        front = arena.shared()
        try:
            front.connection.send(request, bytes(8), [arena.memfd(4096)],
                                  flags=VERSION | NEED_REPLY)
            front.connection.receive(request)
        except Disconnected:
            pass
        arena.reset()


@messages("each request as the first one, and before the memory is known")
def _(arena):
    for request, size in SIZES.items():
        c = arena.connect()
        fds = [arena.memfd(4096)] if request in WITH_FD else []
        c.send(request, bytes(size), fds)
        try:
            c.send("GET_FEATURES")
            c.receive(request if request in protocol.ANSWERED
                      else "GET_FEATURES")
        except Disconnected:
            pass
        arena.reset()


@messages("the same message again and again keeps one of its descriptors")
def _(arena):
    front = arena.running()
    ring = front.pairs[0].tx
    for _ in range(300):
        front.connection.set("SET_VRING_CALL", u64(1), [ring.call_fd])
        front.connection.set("SET_VRING_ERR", u64(1), [ring.error_fd])
        front.connection.set("SET_VRING_KICK", u64(1), [ring.kick_fd])
        front.connection.set("SET_LOG_BASE", protocol.log_base(4096),
                             [front.memory.region.fd])
    wait_until(lambda: Footprint(arena.pid).fds < arena.before.fds + 15,
               lambda: f"{Footprint(arena.pid).fds} descriptors are held, "
               f"{arena.before.fds} were before")
    arena.passes(front)


@messages("messages cut in half, and then silence")
def _(arena):
    whole = Connection.pack("SET_MEM_TABLE", protocol.mem_table(
        [protocol.region(1 << 32, 4096, 1 << 40)]))
    for at in (1, 4, 11, 12, 13, 20, len(whole) - 1):
        c = arena.connect()
        c.send_raw(whole[:at], [arena.memfd(4096)])
        arena.others_forward()
        c.close()
        arena.connections.remove(c)


@messages("messages byte by byte, and many in one piece")
def _(arena):
    c = arena.connect()
    for byte in Connection.pack("GET_FEATURES"):
        c.send_raw(bytes([byte]))
    c.receive("GET_FEATURES")
    c.send_raw(Connection.pack("GET_FEATURES") * 200)
    for _ in range(200):
        c.receive("GET_FEATURES")


@messages("a front end that asks and reads no answers")
def _(arena):
    c = arena.connect()
    c.timeout = 1
    try:
        for _ in range(2000):
            c.send_raw(Connection.pack("GET_FEATURES") * 100)
    except (Disconnected, TimeoutError):
        pass
    arena.others_forward()


# Memory.

BASE, USER = 1 << 32, 1 << 40


def region_case(name, *args, size=1 << 20):
    """ADD_MEM_REG and SET_MEM_TABLE of one region in a file of that size."""
    def add(arena):
        front = arena.shared()
        packed = protocol.region(*args)
        arena.rejects(front, front.connection.set, "ADD_MEM_REG",
                      protocol.single_region(packed), [arena.memfd(size)])
        arena.reset()
        front = arena.shared()
        arena.rejects(front, front.connection.set, "SET_MEM_TABLE",
                      protocol.mem_table([packed]), [arena.memfd(size)])
    memory(f"a region {name}")(add)


region_case("of no size", BASE, 0, USER)
region_case("longer than its file", BASE, 2 << 20, USER)
region_case("past its file", BASE, 1 << 20, USER, 1 << 20)
region_case("that wraps in guest addresses", HUGE - 4095, 8192, USER)
region_case("that wraps in user addresses", BASE, 8192, HUGE - 4095)
region_case("whose offset wraps", BASE, 1 << 20, USER, HUGE - 4095)
region_case("whose offset and size wrap to little", BASE, 1 << 63, USER,
            (1 << 63) + 4096)
region_case("of all there is", 0, HUGE, 0)
region_case("of an empty file", BASE, 4096, USER, size=0)


@memory("regions that overlap, in guest or user addresses")
def _(arena):
    for guest, user in ((BASE + 4096, 2 * USER), (2 * BASE, USER + 4096),
                        (BASE, USER), (BASE - 4096, 2 * USER)):
        a = protocol.region(BASE, 1 << 20, USER)
        b = protocol.region(guest, 1 << 20, user)
        front = arena.negotiated()
        arena.rejects(front, front.connection.set, "SET_MEM_TABLE",
                      protocol.mem_table([a, b]),
                      [arena.memfd(1 << 20), arena.memfd(1 << 20)])
        arena.reset()


@memory("descriptors that are no memory")
def _(arena):
    read, write = os.pipe()
    one, two = socket.socketpair()
    for fd in (read, write, one.detach(), two.detach(), os.eventfd(0),
               os.open("/", os.O_RDONLY), os.open("/dev/null", os.O_RDWR),
               os.open("/etc/passwd", os.O_RDONLY)):
        front = arena.negotiated()
        packed = protocol.region(BASE, 4096, USER)
        arena.rejects(front, front.connection.set, "ADD_MEM_REG",
                      protocol.single_region(packed), [arena.keep(fd)])
        arena.fds.remove(fd)
        arena.reset()
        os.close(fd)


@memory("a region is told of, and removed, for each queue pair, as QEMU does")
def _(arena):
    front = arena.running()
    packed = protocol.single_region(protocol.region(BASE, 4096, USER))
    fd = arena.memfd(4096)
    for request, fds, count in (("ADD_MEM_REG", [fd], 2),
                                ("REM_MEM_REG", [], 1)):
        for _ in range(3):
            front.connection.set(request, packed, fds)
            equal(arena.evil.info()["regions"], count, request)
    arena.passes(front)


@memory("more regions than there are slots")
def _(arena):
    front = arena.negotiated()
    fd = arena.memfd(4096)

    def add():
        for i in range(600):
            packed = protocol.region(BASE + i * 4096, 4096, USER + i * 4096)
            front.connection.set("ADD_MEM_REG",
                                 protocol.single_region(packed), [fd])
    arena.rejects(front, add)


@memory("the region in which the rings lie is removed while they run")
def _(arena):
    front = arena.running()
    try:
        front.remove_region(front.memory.region)
        front.put(b"\xff" * 60)
        front.pairs[0].tx.publish(kick=True)
        arena.answers(front)
    except (Disconnected, protocol.Refused):
        pass


@memory("the table is replaced by one without the rings")
def _(arena):
    front = arena.running()
    try:
        front.connection.set("SET_MEM_TABLE", protocol.mem_table(
            [protocol.region(BASE, 4096, USER)]), [arena.memfd(4096)])
        front.pairs[0].tx.publish(kick=True)
        arena.answers(front)
    except (Disconnected, protocol.Refused):
        pass


def shrink(arena, to):
    """
    The file shrinks while frames go to and from it. The next frame that the
    liar sends lies in the lost part.
    """
    front = arena.running()
    arena.reaches(front)
    tx, fd = front.pairs[0].tx, front.memory.region.fd
    lost = front.memory.allocate(16 << 20) + (15 << 20)
    over = threading.Event()

    def traffic():
        while not over.is_set():
            arena.good.front.send(*[b"\xff" * 6 + b"\x02\0\0\0\0\x0a" +
                                    bytes(100)] * 20)
            arena.good.front.wait_sent()
    thread = threading.Thread(target=traffic)
    thread.start()
    try:
        time.sleep(0.02)
        tx.add([(lost, 1000, False)])
        os.ftruncate(fd, to)
        if to >= 1 << 20:  # else the ring is lost, too
            tx.publish(kick=False)
        # nothing here may touch what is gone
        front.memory.regions, keep = [], front.memory.regions
        os.eventfd_write(tx.kick_fd, 1)
        arena.closes(front)
        front.memory.regions = keep
    finally:
        over.set()
        thread.join()
    assert "memory" in str(arena.evil.info()["last_error"]), \
        f"the reason is not told: {arena.evil.show()}"


for _to in (0, 4096, 1 << 20):
    memory(f"the memory shrinks to {_to} bytes under traffic (SIGBUS)")(
        lambda arena, to=_to: shrink(arena, to))


# Queues, log, in-flight region.

def queue_case(name, request, *payloads):
    def case(arena):
        for payload in payloads:
            front = arena.shared()
            arena.rejects(front, front.connection.set, request, payload)
            arena.reset()
    queues(f"{request}: {name}")(case)


NO_INDEX = (32, 256, 65536, 65537, 0x80000000, 0xffffffff)
for _request in ("SET_VRING_NUM", "SET_VRING_BASE", "SET_VRING_ENABLE"):
    queue_case("a queue that is not there", _request,
               *(vring_state(i, 1) for i in NO_INDEX))
queue_case("a queue that is not there", "SET_VRING_ADDR",
           *(vring_addr(i, USER, USER, USER) for i in NO_INDEX))
queue_case("a size that cannot be", "SET_VRING_NUM",
           *(vring_state(0, n) for n in (0, 32769, 65536, 65536 + 256,
                                         0x80000000, 0xffffffff)))


@queues("GET_VRING_BASE: a queue that is not there")
def _(arena):
    for index in NO_INDEX:
        refused(arena, "GET_VRING_BASE", vring_state(index, 0))
        arena.reset()


@queues("kick, call and error of a queue that is not there")
def _(arena):
    for request in ("SET_VRING_KICK", "SET_VRING_CALL", "SET_VRING_ERR"):
        for number in (32, 255):
            refused(arena, request, u64(number), [arena.eventfd()])
            arena.reset()
        refused(arena, request, u64(NO_FD), [arena.eventfd()])
        arena.reset()


@queues("kick, call and error with bits that mean nothing yet: they do not")
def _(arena):
    front = arena.running()
    ring = front.pairs[0].tx
    for bit in (9, 32, 63):
        for request, fd in (("SET_VRING_CALL", ring.call_fd),
                            ("SET_VRING_ERR", ring.error_fd),
                            ("SET_VRING_KICK", ring.kick_fd)):
            front.connection.set(request, u64(1 << bit | 1), [fd])
        arena.passes(front)


def started_with(arena, change, packed=False, **kwargs):
    """A transmit ring with a set-up that lies does not start."""
    add = {"RING_PACKED"} if packed else set()
    front = arena.shared(add=add, **kwargs)
    ring, c = front.pairs[0].tx, front.connection
    parts = {"size": ring.size, "base": ring.base(), "desc": ring.desc,
             "used": ring.device, "avail": ring.driver}
    parts = {key: front.memory.user(value) if key in ("desc", "used", "avail")
             else value for key, value in parts.items()}
    parts.update(change(parts, front))

    def start():
        c.set("SET_VRING_NUM", vring_state(1, parts["size"]))
        c.set("SET_VRING_BASE", vring_state(1, parts["base"]))
        c.set("SET_VRING_ADDR", vring_addr(1, parts["desc"], parts["used"],
                                           parts["avail"]))
        c.set("SET_VRING_CALL", u64(1), [ring.call_fd])
        c.set("SET_VRING_KICK", u64(1), [ring.kick_fd])
        c.set("SET_VRING_ENABLE", vring_state(1, 1))
        front.put(bytes(60))
        ring.publish(kick=True)
        wait_until(lambda: (arena.ring_info(1) or
                            {"broken": "not started"}).get("broken"),
                   lambda: f"it runs:\n{arena.evil.show()}", timeout=1)
        raise Disconnected("did not start")
    arena.rejects(front, start)
    arena.reset()


def end_of(front):
    return front.memory.region.user + front.memory.region.size


for _packed in (False, True):
    for _part in ("desc", "used", "avail"):
        def _addresses(arena, part, packed):
            for wrong in (lambda f: 0, lambda f: 0xdead0000,
                          lambda f: HUGE & -4096, lambda f: HUGE - 15,
                          lambda f: end_of(f), lambda f: 1 << 63):
                started_with(arena, lambda _, f, w=wrong: {part: w(f)},
                             packed)
            if part == "desc" or not packed:
                started_with(arena, lambda _, f: {part: end_of(f) - 64},
                             packed)
        queues(f"{'packed' if _packed else 'split'} ring: {_part} is not "
               f"mapped, wraps, or crosses the end", _part, _packed)(
                   _addresses)


@queues("a split ring whose size is no power of two; parts not aligned")
def _(arena):
    started_with(arena, lambda *_: {"size": 3})
    started_with(arena, lambda *_: {"size": 255})
    for part, by in (("desc", 8), ("used", 2), ("avail", 1)):
        started_with(arena, lambda p, _, x=part, n=by: {x: p[x] + n})


@queues("a base that no ring has")
def _(arena):
    for packed, base in ((False, 0x10000), (False, 0xffffffff),
                         (True, 0x7fff7fff), (True, 256 << 16 | 256)):
        try:
            started_with(arena, lambda *_, b=base: {"base": b}, packed)
        except AssertionError:
            if packed:
                raise  # of a split ring, the low half may count
            arena.reset()


def log_case(name, size, offset, file):
    def case(arena):
        front = arena.shared()
        arena.rejects(front, front.connection.call, "SET_LOG_BASE",
                      protocol.log_base(size, offset), [arena.memfd(file)])
    queues(f"dirty log {name}")(case)


log_case("of no size", 0, 0, 4096)
log_case("longer than its file", 8192, 0, 4096)
log_case("past its file", 4096, 4096, 4096)
log_case("that wraps", 1 << 63, (1 << 63) + 4096, 4096)
log_case("of all there is", HUGE, 0, 4096)
log_case("of an impossible length", 1 << 62, 0, 4096)


def inflight_case(name, size, offset, n_queues, queue_size, file=1 << 20):
    def case(arena):
        front = arena.shared()
        arena.rejects(front, front.connection.set, "SET_INFLIGHT_FD",
                      protocol.inflight(size, offset, n_queues, queue_size),
                      [arena.memfd(file)])
    queues(f"in-flight region {name}")(case)


inflight_case("of no size", 0, 0, 2, 256)
inflight_case("past its file", 1 << 20, 1 << 20, 2, 256)
inflight_case("longer than its file", (1 << 20) + 4096, 0, 2, 256)
inflight_case("too small for its queues", 4096, 0, 2, 256)
inflight_case("for more queues than can be", 1 << 20, 0, 0xffff, 256)
inflight_case("for rings larger than can be", 1 << 20, 0, 2, 0xffff)
inflight_case("that wraps", 1 << 63, (1 << 63) + 4096, 2, 256)


@queues("GET_INFLIGHT_FD for more than can be")
def _(arena):
    for n, size in ((0, 256), (2, 0), (0xffff, 0xffff), (257, 256),
                    (2, 0xffff)):
        refused(arena, "GET_INFLIGHT_FD", protocol.inflight(0, 0, n, size))
        arena.reset()


for _name, _table in (("messages of wrong sizes, descriptors, order",
                       messages), ("shared memory", memory),
                      ("queue set-up, dirty log and in-flight region",
                       queues)):
    test(f"lies survived: {_name}", only="vsw", timeout=120)(
        lambda lab, table=_table: Arena(lab).run(table.table))
