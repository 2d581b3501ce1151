"""Front ends whose rings lie: the queue stops, or the frame ends there."""
import random
import threading

from lib.frame import frame
from lib.testing import test
from lib.vhost_hostile import EVIL, GOOD, Arena, Cases
from lib.vhost_liar import SIZE, Liar
from lib.vhost_ring import DESCRIPTOR, INDIRECT, NEXT, WRITE

HUGE = 0xffffffffffffffff
rings = Cases()
BOTH = ((), ("RING_PACKED",))


def each_ring(name, *args):
    """A case of a Liar at the split and at the packed transmit ring."""
    def register(function):
        for packed in BOTH:
            rings(f"{'packed' if packed else 'split'}: {name}", packed)(
                lambda arena, packed: function(Liar(arena, packed), *args))
        return function
    return register


def other_liar(liar, *args, **kwargs):
    """Instead of this one, at the same kind of ring."""
    packed = BOTH[liar.ring.packed]
    liar.arena.reset()
    return Liar(liar.arena, packed, *args, **kwargs)


def split_ring(name):
    def register(function):
        rings(f"split: {name}")(lambda arena: function(Liar(arena, ())))
        return function
    return register


# Chains.

@split_ring("a chain that leads back to itself")
def _(liar):
    liar.write((liar.buffer, 112, NEXT, 0))
    liar.breaks()


@split_ring("a chain of two that lead to each other")
def _(liar):
    liar.write((liar.buffer, 12, NEXT, 1), (liar.buffer, 100, NEXT, 0))
    liar.breaks()


@split_ring("a next that is past the ring")
def _(liar):
    liar.write((liar.buffer, 112, NEXT, SIZE))
    liar.breaks()


@split_ring("a next of 65535")
def _(liar):
    liar.write((liar.buffer, 112, NEXT, 0xffff))
    liar.breaks()


@split_ring("a head that is past the ring")
def _(liar):
    liar.write((liar.buffer, 112, 0, 0), head=SIZE)
    liar.breaks()


@split_ring("a head of 65535")
def _(liar):
    liar.write((liar.buffer, 112, 0, 0), head=0xffff)
    liar.breaks()


@split_ring("more available than the ring has")
def _(liar):
    liar.write((liar.buffer, 112, 0, 0), publish=False)
    liar.memory.u16(liar.ring.driver + 2, SIZE + 1)
    liar.ring.kick()
    liar.breaks()


@split_ring("an available index that goes back")
def _(liar):
    liar.write((liar.buffer, 112, 0, 0))
    liar.arena.good.front.take(1)
    liar.memory.u16(liar.ring.driver + 2, 0)
    liar.ring.kick()
    liar.breaks()


@split_ring("the longest chain that may be")
def _(liar):
    liar.write(*[(liar.buffer + 2 * i, 2, NEXT if i < 55 else 0, None)
                 for i in range(56)])
    assert len(liar.arena.good.front.take(1)[0]) == 100
    liar.arena.reaches(liar.front)


@rings("packed: a chain without an end")
def _(arena):
    liar = Liar(arena, ("RING_PACKED",))
    liar.write(*[(liar.buffer, 12, NEXT, None)] * SIZE)
    liar.breaks()


@each_ring("an indirect table in an indirect table")
def _(liar):
    inner = liar.table((liar.buffer, 112, 0, 0))
    outer = liar.table((inner, 16, INDIRECT, 0))
    liar.write((outer, 16, INDIRECT, 0))
    liar.breaks()


@each_ring("an indirect descriptor with a next one")
def _(liar):
    table = liar.table((liar.buffer, 112, 0, 0))
    liar.write((table, 16, INDIRECT | NEXT, None), (liar.buffer, 100, 0, 0))
    liar.breaks()


@each_ring("an indirect table that was not negotiated")
def _(liar):
    liar = other_liar(liar, remove={"INDIRECT_DESC"})
    liar.write((liar.table((liar.buffer, 112, 0, 0)), 16, INDIRECT, 0))
    liar.breaks()


@split_ring("an indirect table whose chain loops")
def _(liar):
    liar.write((liar.table((liar.buffer, 12, NEXT, 0)), 16, INDIRECT, 0))
    liar.breaks()


@split_ring("an indirect table whose chain leaves it")
def _(liar):
    table = liar.table((liar.buffer, 12, NEXT, 2), (liar.buffer, 100, 0, 0),
                       (liar.buffer, 100, 0, 0))
    liar.write((table, 32, INDIRECT, 0))
    liar.breaks()


def table_of_length(liar, length):
    liar.write((liar.table((liar.buffer, 112, 0, 0)), length, INDIRECT, 0))
    liar.breaks()


for _length in (0, 8, 17, 0xffffffff):
    each_ring(f"an indirect table of {_length} bytes", _length)(
        table_of_length)


@each_ring("an indirect table that is not mapped")
def _(liar):
    liar.write((0x1000, 16, INDIRECT, 0))
    liar.breaks()


@each_ring("an indirect table past the end of memory")
def _(liar):
    liar.write((liar.end() - 16, 32, INDIRECT, 0))
    liar.breaks()


@each_ring("a buffer that the device may write, to transmit from")
def _(liar):
    liar.write((liar.buffer, 112, WRITE, 0))
    liar.breaks()


# Addresses.

WRONG = {"that is not mapped": lambda liar: (0x1000, 112),
         "that wraps": lambda liar: (HUGE - 50, 112),
         "that ends past its memory": lambda liar: (liar.end() - 50, 112),
         "that begins at the end": lambda liar: (liar.end(), 112),
         "of 4 GiB": lambda liar: (liar.buffer, 0xffffffff),
         "of no length, not mapped": lambda liar: (0x1000, 0)}


def wrong_buffer(liar, where):
    liar.write((liar.buffer, 12, NEXT, None), (*where(liar), NEXT, None),
               (liar.buffer + 12, 100, 0, 0))
    liar.breaks()


def wrong_receive_buffer(liar, where):
    liar = other_liar(liar, "rx", fill=False)
    address, length = where(liar)
    liar.write((address, length, WRITE | NEXT, None),
               (liar.buffer + 4096, 4096, WRITE, 0))
    liar.arena.good.front.send(*[frame(src=GOOD) for _ in range(3)])
    liar.breaks()


for _name, _where in WRONG.items():
    each_ring(f"a buffer {_name}", _where)(wrong_buffer)
    each_ring(f"a receive buffer {_name}", _where)(wrong_receive_buffer)


@each_ring("a receive buffer that is for reading; then one shorter than a "
           "header")
def _(liar):
    good = liar.arena.good.front
    liar = other_liar(liar, "rx", fill=False)
    liar.write((liar.buffer, 2048, 0, 0))
    good.send(frame(src=GOOD))
    liar.breaks()
    liar = other_liar(liar, "rx", fill=False)
    for _ in range(4):
        liar.write((liar.buffer, 5, WRITE, 0))
    good.send(*[frame(src=GOOD) for _ in range(3)])
    liar.arena.passes(liar.front)


# Frames: legal oddities, and those that end here.

@each_ring("descriptors of no length are legal")
def _(liar):
    liar.write((liar.buffer, 0, NEXT, None), (liar.buffer, 12, NEXT, None),
               (liar.buffer + 50, 0, NEXT, None),
               (liar.buffer + 12, 100, NEXT, None),
               (liar.buffer + 12, 0, 0, 0))
    got = liar.arena.good.front.take(1)
    assert got == [liar.memory.read(liar.buffer + 12, 100)], got
    assert not liar.ring.is_broken()


@each_ring("a header in twelve descriptors is legal")
def _(liar):
    liar.write(*[(liar.buffer + i, 1, NEXT, None) for i in range(12)],
               (liar.buffer + 12, 100, 0, 0))
    got = liar.arena.good.front.take(1)
    assert got == [liar.memory.read(liar.buffer + 12, 100)], got


@each_ring("chains no longer than a header, or than an Ethernet header, end "
           "there")
def _(liar):
    before = liar.arena.evil.drops()
    lengths = (0, 1, 11, 12, 13, 12 + 13)
    for length in lengths:
        liar.write((liar.buffer, length, 0, 0))
    liar.arena.dropped("runt", len(lengths), before)
    liar.still_works()


@each_ring("a chain longer than any frame ends there")
def _(liar):
    before = liar.arena.evil.drops()
    liar.write((liar.buffer, 12 + 2000, 0, 0))
    liar.arena.dropped("giant", 1, before)
    liar.write(*[(liar.buffer, 1 << 16, NEXT if i < 39 else 0, None)
                 for i in range(40)])
    liar.arena.dropped("giant", 2, before)
    liar.still_works()


def scribble(liar, seed=1):
    """Random bytes over rings and tables while they are in use."""
    rng, memory, ring = random.Random(seed), liar.memory, liar.ring
    places = [liar.buffer, ring.desc, 0, liar.end() - 8]
    for _ in range(60):
        ring.reset()
        for i in range(SIZE):
            memory.write(ring.desc + 16 * i, DESCRIPTOR.pack(
                rng.choice(places) + rng.randrange(4096),
                rng.choice((0, 12, 60, 2000, rng.randrange(1 << 32))),
                *rng.choice(((rng.randrange(8), rng.randrange(SIZE + 2)),
                             (rng.randrange(1 << 16),) * 2))))
            memory.u16(ring.driver + 4 + 2 * i if not ring.packed
                       else ring.driver, rng.randrange(SIZE + 1))
        if not ring.packed:
            memory.u16(ring.driver + 2, rng.randrange(SIZE + 2))
        ring.kick()
        liar.arena.good.front.send(frame(src=GOOD))
        front = liar.front
        front.stop_ring(ring)
        front.start_ring(ring)
        front.enable(ring)
    liar.arena.good.front.collect()


@each_ring("random descriptors, started anew again and again")
def _(liar):
    scribble(liar)


@rings("random receive descriptors, started anew again and again")
def _(arena):
    for packed in BOTH:
        scribble(Liar(arena, packed, "rx"))
        arena.reset()


@each_ring("bytes that change while they are read")
def _(liar):
    ring, over = liar.ring, threading.Event()
    rng = random.Random(2)

    def change():
        while not over.is_set():
            at = ring.desc + 16 * rng.randrange(SIZE)
            liar.memory.u64(at, rng.choice((liar.buffer, 0, liar.end())))
            liar.memory.u32(at + 8, rng.choice((112, 0, HUGE & 0xffffffff)))
    thread = threading.Thread(target=change)
    thread.start()
    try:
        for i in range(300):
            liar.front.put(frame(GOOD, EVIL))
            ring.publish(kick=True)
            if i % 20 == 0:
                liar.front.stop_ring(ring)
                ring.reset()
                liar.front.start_ring(ring)
                liar.front.enable(ring)
    finally:
        over.set()
        thread.join()
    liar.arena.good.front.collect()


test("lies survived: rings", only="vsw", timeout=120)(
    lambda lab: Arena(lab).run(rings.table))
