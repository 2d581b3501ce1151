"""Virtqueues from the driver's side: split and packed (virtio 1.2, 2.7, 2.8).

    ring.add([(guest address, length, device writes), ...], token)
    ring.publish()              makes all that was added available, kicks
    for token, written in ring.used(): ...

The layout functions write what they are told; a test that lies calls them
itself.
"""
import collections
import os
import select
import struct

from .vhost_memory import fence

NEXT, WRITE, INDIRECT, AVAIL, USED = 1, 2, 4, 1 << 7, 1 << 15
DESCRIPTOR = struct.Struct("<QIHH")  # split: flags, next; packed: id, flags
EVENT_ENABLE, EVENT_DISABLE, EVENT_DESC = 0, 1, 2


# A chain that the device has: what it may write, the places it takes (their
# number where the ring is packed), and its indirect table.
Chain = collections.namedtuple("Chain", "ident token length places table")


def need_event(event, new, old):
    """Whether index `event` was passed on the way from old to new."""
    return (new - event - 1) & 0xffff < (new - old) & 0xffff


class Ring:
    """What both kinds have in common; index is the device's."""

    def __init__(self, memory, index, size, features=(), region=None):
        self.memory, self.index, self.size = memory, index, size
        self.event_idx = "EVENT_IDX" in features
        self.in_order = "IN_ORDER" in features
        self.kick_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.call_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.error_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.kicks = self.calls = 0
        self.outstanding = collections.OrderedDict()  # Chain by ident
        self.tables = []  # free indirect tables
        self.region = region

    def close(self):
        for fd in (self.kick_fd, self.call_fd, self.error_fd):
            os.close(fd)

    def kick(self):
        self.kicks += 1
        os.eventfd_write(self.kick_fd, 1)

    def take_calls(self):
        """How many notifications have come since; forgets them."""
        try:
            count = os.eventfd_read(self.call_fd)
        except BlockingIOError:
            return 0
        self.calls += count
        return count

    def wait_call(self, timeout):
        return bool(select.select([self.call_fd], [], [], timeout)[0])

    def is_broken(self):
        """Whether the device has said so by the error descriptor."""
        return bool(select.select([self.error_fd], [], [], 0)[0])

    def indirect_table(self, chain, packed):
        """Address of a table with the chain in it."""
        table = self.tables.pop() if self.tables else \
            self.memory.allocate(16 * 64, 16, self.region)
        data = b""
        for i, (address, length, writes) in enumerate(chain):
            flags = WRITE if writes else 0
            if packed:
                data += DESCRIPTOR.pack(address, length, 0, flags)
            else:
                more = i + 1 < len(chain)
                data += DESCRIPTOR.pack(address, length, flags |
                                        (NEXT if more else 0),
                                        i + 1 if more else 0)
        self.memory.write(table, data)
        return table

    def finish(self, ident):
        """Takes the Chain out of what is outstanding."""
        assert ident in self.outstanding, \
            f"queue {self.index}: buffer {ident} is given back, but was " \
            f"not outstanding"
        chain = self.outstanding.pop(ident)
        if chain.table:
            self.tables.append(chain.table)
        return chain

    def finish_used(self, ident, written):
        """
        [(Chain, written)] of a used entry. In order, it stands for all that
        were made available before it, too, and these were used whole.
        """
        out = []
        while self.in_order and ident in self.outstanding:
            first = next(iter(self.outstanding))
            if first == ident:
                break
            chain = self.finish(first)
            out.append((chain, chain.length))
        out.append((self.finish(ident), written))
        return out


class SplitRing(Ring):
    packed = False

    def __init__(self, memory, index, size, features=(), region=None):
        super().__init__(memory, index, size, features, region)
        self.desc = memory.allocate(16 * size, 4096, region)
        self.driver = memory.allocate(6 + 2 * size, 4096, region)
        self.device = memory.allocate(6 + 8 * size, 4096, region)
        self.reset()

    def reset(self, base=0):
        """The driver's state at the beginning, or at an available index."""
        self.free = collections.deque(range(self.size))
        self.outstanding.clear()
        self.next_avail = self.published = self.next_used = base & 0xffff
        self.memory.u16(self.driver + 2, self.next_avail)
        self.memory.u16(self.device + 2, self.next_used)

    def base(self):
        """What SET_VRING_BASE is told where all was used."""
        return self.next_used

    def space(self):
        return len(self.free)

    def set_descriptor(self, i, address, length, flags, following=0):
        self.memory.write(self.desc + 16 * i,
                          DESCRIPTOR.pack(address, length, flags, following))

    def add(self, chain, token=None, indirect=False):
        """Returns the head, or None where there is no room."""
        count = 1 if indirect else len(chain)
        if len(self.free) < count:
            return None
        length = sum(part[1] for part in chain if part[2])
        table = None
        if indirect:
            table = self.indirect_table(chain, False)
            head = self.free.popleft()
            self.set_descriptor(head, table, 16 * len(chain), INDIRECT)
            places = [head]
        else:
            places = [self.free.popleft() for _ in chain]
            for i, (address, size, writes) in enumerate(chain):
                last = i + 1 == len(chain)
                self.set_descriptor(places[i], address, size,
                                    (WRITE if writes else 0) |
                                    (0 if last else NEXT),
                                    0 if last else places[i + 1])
        self.outstanding[places[0]] = Chain(places[0], token, length, places,
                                            table)
        self.put_avail(places[0])
        return places[0]

    def put_avail(self, head):
        """The next entry of the available ring, not published yet."""
        slot = self.next_avail % self.size
        self.memory.u16(self.driver + 4 + 2 * slot, head)
        self.next_avail = (self.next_avail + 1) & 0xffff

    def publish(self, kick=None):
        """Kicks if the device wants it, or as told."""
        old, self.published = self.published, self.next_avail
        self.memory.u16(self.driver + 2, self.next_avail)
        fence()
        if kick is None:
            kick = old != self.next_avail and self.wants_kick(old)
        if kick:
            self.kick()

    def wants_kick(self, old):
        if self.event_idx:
            event = self.memory.u16(self.device + 4 + 8 * self.size)
            return need_event(event, self.next_avail, old)
        return not self.memory.u16(self.device) & 1

    def suppress_calls(self, suppress=True):
        if self.event_idx:  # an index that is long past
            self.memory.u16(self.driver + 4 + 2 * self.size,
                            (self.next_used - (1 if suppress else 0)) & 0xffff)
        else:
            self.memory.u16(self.driver, 1 if suppress else 0)
        fence()

    def has_used(self):
        return self.memory.u16(self.device + 2) != self.next_used

    def used(self):
        """Takes what the device has given back: [(token, written)]."""
        out = []
        while True:
            index = self.memory.u16(self.device + 2)
            assert (index - self.next_used) & 0xffff <= \
                len(self.outstanding), \
                f"queue {self.index}: used index {index} after " \
                f"{self.next_used} with {len(self.outstanding)} outstanding"
            if index == self.next_used:
                if not self.event_idx:
                    return out
                self.memory.u16(self.driver + 4 + 2 * self.size,
                                self.next_used)
                fence()
                if self.memory.u16(self.device + 2) == self.next_used:
                    return out
                continue
            while self.next_used != index:
                out += self.take_one()

    def take_one(self):
        at = self.device + 4 + 8 * (self.next_used % self.size)
        ident, written = self.memory.u32(at), self.memory.u32(at + 4)
        out = []
        for chain, length in self.finish_used(ident, written):
            self.free.extend(chain.places)
            self.next_used = (self.next_used + 1) & 0xffff
            out.append((chain.token, length))
        return out


class PackedRing(Ring):
    packed = True

    def __init__(self, memory, index, size, features=(), region=None):
        super().__init__(memory, index, size, features, region)
        self.desc = memory.allocate(16 * size, 4096, region)
        self.driver = memory.allocate(4, 4096, region)
        self.device = memory.allocate(4, 4096, region)
        self.reset()

    def reset(self, base=0x80008000):
        """The driver's state, at a base as SET_VRING_BASE has it."""
        self.outstanding.clear()
        self.free_ids = collections.deque(range(self.size))
        self.free_slots = self.size
        self.next_avail, self.avail_wrap = base & 0x7fff, base >> 15 & 1
        self.next_used, self.used_wrap = base >> 16 & 0x7fff, base >> 31
        self.heads = []  # to be published: (slot, flags)

    def base(self):
        position = self.next_used | self.used_wrap << 15
        return position | position << 16

    def space(self):
        return self.free_slots

    def flags_of(self, wrap):
        return AVAIL if wrap else USED

    def set_descriptor(self, slot, address, length, ident, flags):
        at = self.desc + 16 * slot
        self.memory.write(at, struct.pack("<QIH", address, length, ident))
        fence()
        self.memory.u16(at + 14, flags)

    def add(self, chain, token=None, indirect=False):
        count = 1 if indirect else len(chain)
        if self.free_slots < count:
            return None
        length = sum(part[1] for part in chain if part[2])
        ident, table = self.free_ids.popleft(), None
        parts = [(a, s, WRITE if w else 0) for a, s, w in chain]
        if indirect:
            table = self.indirect_table(chain, True)
            parts = [(table, 16 * len(chain), INDIRECT)]
        for i, (address, size, flags) in enumerate(parts):
            flags |= self.flags_of(self.avail_wrap)
            flags |= NEXT if i + 1 < len(parts) else 0
            if i == 0:
                at = self.desc + 16 * self.next_avail
                self.memory.write(at, struct.pack("<QIH", address, size,
                                                  ident))
                self.heads.append((self.next_avail, flags))
            else:
                self.set_descriptor(self.next_avail, address, size, ident,
                                    flags)
            self.advance()
        self.free_slots -= count
        self.outstanding[ident] = Chain(ident, token, length, count, table)
        return ident

    def advance(self):
        self.next_avail += 1
        if self.next_avail == self.size:
            self.next_avail, self.avail_wrap = 0, self.avail_wrap ^ 1

    def publish(self, kick=None):
        """The first head last: the device sees all of them or none."""
        heads, self.heads = self.heads, []
        for slot, flags in reversed(heads):
            fence()
            self.memory.u16(self.desc + 16 * slot + 14, flags)
        fence()
        if kick is None:
            kick = bool(heads) and self.wants_kick(heads[0][0])
        if kick:
            self.kick()

    def wants_kick(self, first):
        word = self.memory.u32(self.device)
        flags, off_wrap = word >> 16 & 3, word & 0xffff
        if flags != EVENT_DESC:
            return flags == EVENT_ENABLE
        event, wrap = off_wrap & 0x7fff, off_wrap >> 15
        new = self.next_avail
        old = first if first <= new else first - self.size
        if wrap != self.avail_wrap:
            event -= self.size
        return need_event(event, new, old)

    def suppress_calls(self, suppress=True):
        self.memory.u16(self.driver + 2,
                        EVENT_DISABLE if suppress else EVENT_ENABLE)
        fence()

    def has_used(self):
        flags = self.memory.u16(self.desc + 16 * self.next_used + 14)
        return bool(flags & AVAIL) == bool(flags & USED) == \
            bool(self.used_wrap)

    def used(self):
        out = []
        while True:
            while self.has_used():
                out += self.take_one()
            if not self.event_idx:
                return out
            self.memory.u16(self.driver,
                            self.next_used | self.used_wrap << 15)
            self.memory.u16(self.driver + 2, EVENT_DESC)
            fence()
            if not self.has_used():
                return out

    def take_one(self):
        fence()
        at = self.desc + 16 * self.next_used
        written, ident = self.memory.u32(at + 8), self.memory.u16(at + 12)
        out = []
        for chain, length in self.finish_used(ident, written):
            self.free_ids.append(chain.ident)
            self.free_slots += chain.places
            self.next_used += chain.places
            if self.next_used >= self.size:
                self.next_used -= self.size
                self.used_wrap ^= 1
            out.append((chain.token, length))
        return out
