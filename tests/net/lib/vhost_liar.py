"""A front end that writes the descriptors of one ring by hand."""
from .frame import frame
from .vhost_frontend import OFFLOADS
from .vhost_hostile import EVIL, GOOD
from .vhost_ring import AVAIL, DESCRIPTOR

SIZE = 64


class Liar:
    """A transmit ring whose descriptors are written by hand."""

    def __init__(self, arena, packed, queue="tx", fill=True, **kwargs):
        self.arena = arena
        self.front = arena.front(add=OFFLOADS | set(packed), size=SIZE,
                                 **kwargs)
        self.front.start(fill=fill)
        arena.evil.wait_info(link_up=True)
        self.memory = self.front.memory
        self.ring = getattr(self.front.pairs[0], queue)
        self.buffer = self.memory.allocate(1 << 16, 4096)
        self.memory.write(self.buffer, bytes(12) + frame(GOOD, EVIL, 100))
        self.slot = 0

    def write(self, *descriptors, head=None, publish=True):
        """
        One chain as [(address, length, flags, next)]; each at the place after
        the one before. `next` None: the following place, as is right.
        """
        first = self.slot
        for i, (address, length, flags, following) in enumerate(descriptors):
            if not self.ring.packed:
                self.ring.set_descriptor(
                    self.slot, address, length, flags,
                    self.slot + 1 if following is None else following)
            elif i:
                self.ring.set_descriptor(self.slot, address, length, 0,
                                         flags | AVAIL)
            self.slot += 1
        if self.ring.packed:
            address, length, flags, _ = descriptors[0]
            self.ring.set_descriptor(first, address, length, 0, flags | AVAIL)
        else:
            self.ring.put_avail(first if head is None else head)
        if publish:
            self.ring.publish(kick=True)

    def table(self, *descriptors):
        """An indirect table of (address, length, flags, next); its address."""
        if self.ring.packed:
            descriptors = [(*d[:2], 0, d[2]) for d in descriptors]
        data = b"".join(DESCRIPTOR.pack(*d) for d in descriptors)
        at = self.memory.allocate(max(16, len(data)), 16)
        self.memory.write(at, data)
        return at

    def end(self):
        region = self.memory.regions[-1]
        return region.guest + region.size

    def still_works(self):
        """Another chain is as good as ever."""
        self.arena.good.front.frames.clear()
        self.write((self.buffer, 112, 0, 0))
        got = self.arena.good.front.take(1)
        assert got == [self.memory.read(self.buffer + 12, 100)], got

    def breaks(self, others=True):
        """That queue stops; the other of the pair goes on."""
        why = self.arena.broken(self.ring)
        if others and self.ring.index == 1:
            self.arena.reaches(self.front)
        elif others:
            self.arena.passes(self.front)
        return why
