"""A guest's memory: regions of guest-physical addresses, shared by memfds.

Numbers that the other side may look at any time are written and read as one
access (native struct formats do); fence() is a full barrier.
"""
import mmap
import os
import struct
import threading

from . import vhost_protocol as protocol

PAGE = 4096
U16, U32, U64 = struct.Struct("H"), struct.Struct("I"), struct.Struct("Q")
_lock = threading.Lock()


def fence():
    """Taking a lock is a locked instruction: nothing passes it."""
    with _lock:
        pass


class Region:
    """size bytes at guest-physical `guest`, at offset of a file."""

    def __init__(self, guest, size, user=None, offset=0, fd=None):
        self.guest, self.size, self.offset = guest, size, offset
        self.user = 0x7e0000000000 + 2 * guest if user is None else user
        self.fd = fd
        if fd is None:
            self.fd = os.memfd_create("guest", os.MFD_CLOEXEC)
            os.ftruncate(self.fd, offset + size)
        self.map = mmap.mmap(self.fd, size, offset=offset)

    def packed(self):
        return protocol.region(self.guest, self.size, self.user, self.offset)

    def close(self):
        self.map.close()
        os.close(self.fd)


class GuestMemory:
    """Regions, and a simple allocator in the first of them."""

    def __init__(self, *sizes, base=0x10000000, gap=0x100000):
        self.regions = []
        guest = base
        for size in sizes or (16 << 20,):
            self.regions.append(Region(guest, size))
            guest += size + gap
        self.region = self.regions[0]  # where allocate() looks
        self.next = {}

    def close(self):
        for region in self.regions:
            region.close()
        self.regions = []

    def find(self, guest, length=0):
        for region in self.regions:
            if region.guest <= guest and \
                    guest + length <= region.guest + region.size:
                return region
        raise IndexError(f"{guest:#x} + {length} is not in guest memory")

    def user(self, guest):
        region = self.find(guest)
        return region.user + guest - region.guest

    def allocate(self, size, align=64, region=None):
        """Guest-physical address of size bytes, zero; never given back."""
        region = region or self.region
        at = (self.next.get(region, 0) + align - 1) & -align
        if at + size > region.size:
            raise MemoryError(f"{size} bytes of guest memory")
        self.next[region] = at + size
        return region.guest + at

    def read(self, guest, length):
        region = self.find(guest, length)
        at = guest - region.guest
        return region.map[at:at + length]

    def write(self, guest, data):
        region = self.find(guest, len(data))
        at = guest - region.guest
        region.map[at:at + len(data)] = data

    def _number(self, kind, guest, value):
        region = self.find(guest, kind.size)
        at = guest - region.guest
        if value is None:
            return kind.unpack_from(region.map, at)[0]
        return kind.pack_into(region.map, at, value)

    def u16(self, guest, value=None):
        return self._number(U16, guest, value)

    def u32(self, guest, value=None):
        return self._number(U32, guest, value)

    def u64(self, guest, value=None):
        return self._number(U64, guest, value)
