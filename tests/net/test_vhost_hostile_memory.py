"""Front ends whose shared memory is none, overlaps, shrinks, or goes."""
import os
import socket
import threading
import time

from lib import vhost_protocol as protocol
from lib.testing import equal, test
from lib.vhost_hostile import Arena, Cases
from lib.vhost_protocol import Disconnected, Refused

HUGE = 0xffffffffffffffff
BASE, USER = 1 << 32, 1 << 40
memory = Cases()


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
    except (Disconnected, Refused):
        pass


@memory("the table is replaced by one without the rings")
def _(arena):
    front = arena.running()
    try:
        front.connection.set("SET_MEM_TABLE", protocol.mem_table(
            [protocol.region(BASE, 4096, USER)]), [arena.memfd(4096)])
        front.pairs[0].tx.publish(kick=True)
        arena.answers(front)
    except (Disconnected, Refused):
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


test("lies survived: shared memory", only="vsw", timeout=120)(
    lambda lab: Arena(lab).run(memory.table))
