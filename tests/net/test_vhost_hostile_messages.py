"""Front ends whose messages lie: nobody else is hurt, and nothing is kept."""
import struct

from lib import vhost_protocol as protocol
from lib.netns import wait_until
from lib.testing import test
from lib.vhost_guest import Footprint
from lib.vhost_hostile import Arena, Cases
from lib.vhost_protocol import (NEED_REPLY, REPLY, VERSION, Connection,
                                Disconnected, u64)

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
messages = Cases()


def wrong_sizes(arena, request, size):
    wrong = {max(size - 1, 1), size + 1, size + 8, 1000} - {size}
    if "INFLIGHT" in request:  # both lengths of this one are in use
        wrong -= {20, 24}
    for one in wrong:
        arena.ends(request, bytes(one),
                   [arena.memfd(4096)] if request in WITH_FD else [])
        arena.reset()


def too_many_descriptors(arena, request, size):
    for count in (2 if request in MAY_HAVE_FD else 1, 8, 9, 40, 253):
        arena.ends(request, bytes(size),
                   [arena.memfd(4096) for _ in range(count)])
        arena.reset()


for _request, _size in SIZES.items():
    messages(f"{_request} of a wrong size", _request, _size)(wrong_sizes)
    messages(f"{_request} with too many descriptors, control data cut",
             _request, _size)(too_many_descriptors)
for _request in sorted(WITH_FD):
    messages(f"{_request} without its descriptor", _request,
             bytes(SIZES[_request]))(Arena.ends)


@messages("SET_MEM_TABLE with fewer and more descriptors than regions")
def _(arena):
    one = protocol.region(1 << 32, 4096, 1 << 40)
    for n, n_fds in ((1, 0), (2, 1), (1, 2), (8, 7), (0, 1)):
        table = [protocol.region((1 << 32) + i * 4096, 4096, (1 << 40) +
                                 i * 4096) for i in range(n)]
        arena.ends("SET_MEM_TABLE", protocol.mem_table(table),
                   [arena.memfd(4096) for _ in range(n_fds)])
        arena.reset()
    for n in (9, 1000, 0x7ffffff, 0xffffffff):
        arena.ends("SET_MEM_TABLE", struct.pack("<II", n, 0) + one,
                   [arena.memfd(4096)])
        arena.reset()


@messages("a length in the header that no message has")
def _(arena):
    for size in (1025, 4096, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff4):
        arena.ends("SET_FEATURES", bytes(8), size=size)
        arena.reset()


@messages("flags of another version, or of a reply")
def _(arena):
    for flags in (0, 2, 3, VERSION | REPLY):
        arena.ends("SET_OWNER", flags=flags)
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


test("lies survived: messages of wrong sizes, descriptors, order",
     only="vsw", timeout=120)(
    lambda lab: Arena(lab).run(messages.table))
