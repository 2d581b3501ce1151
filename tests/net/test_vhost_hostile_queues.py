"""Front ends that set up queues, dirty log or in-flight region wrongly."""
from lib import vhost_protocol as protocol
from lib.netns import wait_until
from lib.testing import test
from lib.vhost_hostile import Arena, Cases
from lib.vhost_protocol import (NO_FD, Disconnected, u64, vring_addr,
                                vring_state)

HUGE = 0xffffffffffffffff
USER = 1 << 40
queues = Cases()


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
        arena.ends("GET_VRING_BASE", vring_state(index, 0))
        arena.reset()


@queues("kick, call and error of a queue that is not there")
def _(arena):
    for request in ("SET_VRING_KICK", "SET_VRING_CALL", "SET_VRING_ERR"):
        for number in (32, 255):
            arena.ends(request, u64(number), [arena.eventfd()])
            arena.reset()
        arena.ends(request, u64(NO_FD), [arena.eventfd()])
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
                   lambda: f"it runs:\n{arena.evil.show()}")
        raise Disconnected("did not start")
    arena.rejects(front, start)
    arena.reset()


def end_of(front):
    return front.memory.region.user + front.memory.region.size


def wrong_addresses(arena, part, packed):
    for wrong in (lambda f: 0, lambda f: 0xdead0000, lambda f: HUGE & -4096,
                  lambda f: HUGE - 15, end_of, lambda f: 1 << 63):
        started_with(arena, lambda _, f, w=wrong: {part: w(f)}, packed)
    if part == "desc" or not packed:
        started_with(arena, lambda _, f: {part: end_of(f) - 64}, packed)


for _kind, _packed in (("split", False), ("packed", True)):
    for _part in ("desc", "used", "avail"):
        queues(f"{_kind} ring: {_part} is not mapped, wraps, or crosses the "
               f"end", _part, _packed)(wrong_addresses)


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
        arena.ends("GET_INFLIGHT_FD", protocol.inflight(0, 0, n, size))
        arena.reset()


test("lies survived: queue set-up, dirty log and in-flight region",
     only="vsw", timeout=120)(
    lambda lab: Arena(lab).run(queues.table))
