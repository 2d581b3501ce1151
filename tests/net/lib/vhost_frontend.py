"""A guest's network card with no guest: a vhost-user front end.

    vm = FrontEnd(path)             server=True: the front end listens
    vm.start()                      as QEMU does when the guest's driver is up
    vm.send(frame)                  content, and header fields by name
    header, frame = vm.receive()
    vm.stop(), vm.close()

Every step is a method of its own, so that a test can leave it out, repeat it,
or lie in it.
"""
import collections
import os
import select
import socket
import struct
import time

from . import vhost_protocol as protocol
from .vhost_memory import GuestMemory
from .vhost_protocol import (PROTOCOL_FEATURES, Connection, bits, u64,
                             vring_addr, vring_state)
from .vhost_ring import PackedRing, SplitRing

BASIC = {"VERSION_1", "PROTOCOL_FEATURES", "MRG_RXBUF", "MQ", "INDIRECT_DESC",
         "EVENT_IDX", "MTU", "STATUS", "GUEST_ANNOUNCE"}
OFFLOADS_OUT = {"CSUM", "HOST_TSO4", "HOST_TSO6", "HOST_ECN", "HOST_USO"}
OFFLOADS_IN = {"GUEST_CSUM", "GUEST_TSO4", "GUEST_TSO6", "GUEST_ECN",
               "GUEST_USO4", "GUEST_USO6"}
OFFLOADS = OFFLOADS_OUT | OFFLOADS_IN
PROTOCOL = {"MQ", "REPLY_ACK", "RARP", "NET_MTU", "STATUS",
            "CONFIGURE_MEM_SLOTS", "INFLIGHT_SHMFD", "LOG_SHMFD",
            "RESET_DEVICE"}

GSO_NONE, GSO_TCPV4, GSO_UDP, GSO_TCPV6, GSO_UDP_L4 = 0, 1, 3, 4, 5
GSO_ECN = 0x80
NEEDS_CSUM, DATA_VALID = 1, 2


class Header(collections.namedtuple(
        "Header", "flags gso_type hdr_len gso_size csum_start csum_offset "
        "num_buffers", defaults=(0,) * 7)):
    """struct virtio_net_hdr (virtio 1.2, 5.1.6)."""

    def pack(self, length=12):
        return struct.pack("<BBHHHHH", *self)[:length]

    @classmethod
    def unpack(cls, data):
        return cls(*struct.unpack("<BBHHHHH", data.ljust(12, b"\0")))


class QueuePair:
    """rx and tx, and the buffers that the guest's driver gives them."""

    def __init__(self, front, number):
        memory, size = front.memory, front.size
        kind = PackedRing if "RING_PACKED" in front.features else SplitRing
        self.front = front
        self.rx = kind(memory, 2 * number, size, front.features)
        self.tx = kind(memory, 2 * number + 1, size, front.features)
        self.tx_space = []
        self.parts = []  # of a frame that merges buffers: not whole yet

    def fill(self, limit=None):
        """Gives the device all receive buffers there is room for."""
        n = 0
        while limit is None or n < limit:
            chain = self.front.rx_chain(self.rx)
            if self.rx.add(chain, chain, self.front.indirect_rx) is None:
                self.front.spare_rx.append(chain)
                break
            n += 1
        self.rx.publish()
        return n

    def harvest(self, refill=True):
        """Frames that have come: [(Header, bytes)]."""
        self.rx.take_calls()
        frames = []
        for chain, written in self.rx.used():
            self.parts.append(self.front.gather(chain, written))
            self.front.spare_rx.append(chain)
            header = Header.unpack(self.parts[0][:self.front.header_length])
            if len(self.parts) < header.num_buffers:
                continue
            data = b"".join(self.parts)[self.front.header_length:]
            self.parts = []
            frames.append((header, data))
        if frames and refill:
            self.fill()
        return frames

    def reap(self):
        """Takes back transmit buffers that the device is done with."""
        self.tx.take_calls()
        done = self.tx.used()
        self.tx_space += [token for token, _ in done]
        return len(done)


class FrontEnd:
    def __init__(self, path, server=False, pairs=1, size=256, add=(),
                 remove=(), protocol_features=PROTOCOL, memory=None,
                 rx_layout=(2048,), indirect_rx=False, connect=True):
        """
        add, remove: names of features wanted besides, or without those, of
        BASIC. rx_layout: lengths of a receive buffer's parts.
        """
        self.path, self.pairs_wanted, self.size = path, pairs, size
        self.wanted = (BASIC | set(add)) - set(remove)
        self.protocol_wanted = set(protocol_features)
        self.memory = memory or GuestMemory(32 << 20)
        self.rx_layout, self.indirect_rx = rx_layout, indirect_rx
        self.features = self.protocol_features = frozenset()
        self.pairs, self.spare_rx, self.frames = [], [], []
        self.connection = self.listener = None
        self.mtu = 0
        if server:
            self.listen()
        elif connect:
            self.connect()

    # The connection.

    def connect(self, timeout=20):
        self.connection = Connection.connect(self.path, timeout)

    def listen(self):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen(8)

    def accept(self, timeout=20):
        self.listener.settimeout(timeout)
        self.connection = Connection(self.listener.accept()[0])

    def disconnect(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def close(self):
        self.disconnect()
        if self.listener:
            self.listener.close()
            os.unlink(self.path)
        for pair in self.pairs:
            pair.rx.close()
            pair.tx.close()
        self.pairs = []
        self.memory.close()

    # The steps, in the order in which QEMU takes them.

    def negotiate(self):
        c = self.connection
        c.need_reply = False
        self.offered = protocol.names(c.get("GET_FEATURES"))
        self.features = frozenset(self.wanted & self.offered)
        if "PROTOCOL_FEATURES" in self.features:
            offered = protocol.names(c.get("GET_PROTOCOL_FEATURES"),
                                     PROTOCOL_FEATURES)
            self.protocol_offered = offered
            self.protocol_features = frozenset(self.protocol_wanted & offered)
            c.set("SET_PROTOCOL_FEATURES",
                  u64(bits(self.protocol_features, PROTOCOL_FEATURES)))
            c.need_reply = "REPLY_ACK" in self.protocol_features
            if "MQ" in self.protocol_features:
                self.queue_number = c.get("GET_QUEUE_NUM")
        c.set("SET_OWNER")

    def set_features(self, *more):
        self.connection.set("SET_FEATURES",
                            u64(bits(self.features | set(more))))

    def set_status(self, status):
        if "STATUS" in self.protocol_features:
            self.connection.set("SET_STATUS", u64(status))

    def set_mtu(self, mtu):
        self.mtu = mtu
        self.connection.set("NET_SET_MTU", u64(mtu))

    def share_memory(self):
        """Slot by slot where that was negotiated, else as one table."""
        regions = self.memory.regions
        if "CONFIGURE_MEM_SLOTS" in self.protocol_features:
            for region in regions:
                self.add_region(region)
        else:
            self.set_mem_table(regions)

    def set_mem_table(self, regions):
        self.connection.set("SET_MEM_TABLE",
                            protocol.mem_table([r.packed() for r in regions]),
                            [r.fd for r in regions])

    def add_region(self, region):
        self.connection.set("ADD_MEM_REG",
                            protocol.single_region(region.packed()),
                            [region.fd])

    def remove_region(self, region):
        self.connection.set("REM_MEM_REG",
                            protocol.single_region(region.packed()))

    def make_queues(self):
        for number in range(len(self.pairs), self.pairs_wanted):
            self.pairs.append(QueuePair(self, number))

    def rings(self):
        return [ring for pair in self.pairs for ring in (pair.rx, pair.tx)]

    def ring_address(self, ring, flags=0, log=0):
        user = self.memory.user
        return vring_addr(ring.index, user(ring.desc), user(ring.device),
                          user(ring.driver), flags, log)

    def start_ring(self, ring, base=None):
        """From size to kick; without PROTOCOL_FEATURES it runs then."""
        c, index = self.connection, ring.index
        c.set("SET_VRING_NUM", vring_state(index, ring.size))
        c.set("SET_VRING_BASE",
              vring_state(index, ring.base() if base is None else base))
        c.set("SET_VRING_ADDR", self.ring_address(ring))
        c.set("SET_VRING_ERR", u64(index), [ring.error_fd])
        c.set("SET_VRING_CALL", u64(index), [ring.call_fd])
        c.set("SET_VRING_KICK", u64(index), [ring.kick_fd])

    def enable(self, ring, on=True):
        if "PROTOCOL_FEATURES" in self.features:
            self.connection.set("SET_VRING_ENABLE",
                                vring_state(ring.index, int(on)))

    def stop_ring(self, ring):
        """The base at which the device stopped."""
        answer, _ = self.connection.call("GET_VRING_BASE",
                                         vring_state(ring.index, 0))
        index, base = struct.unpack("<II", answer)
        assert index == ring.index, f"base of queue {index}"
        return base

    def start(self, fill=True):
        """All of it, from the first message on."""
        if self.connection is None and self.listener:
            self.accept()
        self.negotiate()
        self.set_features()
        self.share_memory()
        self.make_queues()
        for ring in self.rings():
            self.start_ring(ring)
        for ring in self.rings():
            self.enable(ring)
        self.set_status(0xf)
        if fill:
            for pair in self.pairs:
                pair.fill()
        self.connection.get("GET_FEATURES")  # all before is done with
        return self

    def stop(self):
        """As QEMU stops the device; returns the bases by queue index."""
        for ring in self.rings():
            self.enable(ring, False)
        return {ring.index: self.stop_ring(ring) for ring in self.rings()}

    # Frames.

    @property
    def header_length(self):
        return 12 if {"VERSION_1", "MRG_RXBUF"} & self.features else 10

    def rx_chain(self, ring):
        """A receive buffer: one that came back, or a new one."""
        if self.spare_rx:
            return self.spare_rx.pop(0)
        return [(self.memory.allocate(n, 16, ring.region), n, True)
                for n in self.rx_layout]

    def gather(self, chain, written):
        data = b""
        for address, length, _ in chain:
            take = min(length, written - len(data))
            data += self.memory.read(address, take)
        assert len(data) == written, \
            f"{written} bytes are said to be written to {len(data)}"
        return data

    def tx_chain(self, data, cuts, pair):
        """Writes data to memory that the guest has; cut at these offsets."""
        at = None
        for i, (address, room) in enumerate(pair.tx_space):
            if room >= len(data):
                at, size = pair.tx_space.pop(i)
                break
        if at is None:
            size = max(2048, len(data) + 511 & -512)
            at = self.memory.allocate(size, 16, pair.tx.region)
        self.memory.write(at, data)
        ends = [c for c in cuts if 0 < c < len(data)] + [len(data)]
        chain, begin = [], 0
        for end in ends:
            chain.append((at + begin, end - begin, False))
            begin = end
        return chain, (at, size)

    def put(self, frame, header=Header(), cuts=(), indirect=False, pair=0):
        """Adds a frame without making it available yet; False: ring full."""
        pair = self.pairs[pair]
        data = header.pack(self.header_length) + frame
        if pair.tx.space() < len(cuts) + 1:
            pair.reap()
        chain, token = self.tx_chain(data, cuts, pair)
        if pair.tx.add(chain, token, indirect) is None:
            pair.tx_space.append(token)
            return False
        return True

    def send(self, *frames, header=Header(), cuts=(), indirect=False, pair=0,
             timeout=20):
        """Sends all of them; waits where the ring is full."""
        deadline = time.monotonic() + timeout
        tx = self.pairs[pair].tx
        for frame in frames:
            while not self.put(frame, header, cuts, indirect, pair):
                tx.publish()
                assert time.monotonic() < deadline, \
                    f"the device does not take more within {timeout} s"
                time.sleep(0.001)
        tx.publish()

    def collect(self):
        """Puts what has come into self.frames, [(Header, bytes)]."""
        for pair in self.pairs:
            self.frames += pair.harvest()

    def wait(self, until, what, timeout=20):
        """
        Collects until until() is true, woken by notifications only: if the
        frame is there and the notification is not, that is an error.
        """
        deadline = time.monotonic() + timeout
        self.collect()
        while not until():
            ready, _, _ = select.select([p.rx.call_fd for p in self.pairs],
                                        [], [], deadline - time.monotonic())
            if not ready:
                self.collect()
                assert not until(), f"{what}: done, but not notified of"
                raise AssertionError(
                    f"not within {timeout} s: {what}; {len(self.frames)} "
                    f"frames are here")
            self.collect()

    def receive(self, timeout=20):
        """The next frame: (Header, bytes)."""
        self.wait(lambda: self.frames, "a frame", timeout)
        return self.frames.pop(0)

    def take(self, count, timeout=20):
        """The next frames without their headers."""
        self.wait(lambda: len(self.frames) >= count, f"{count} frames",
                  timeout)
        out, self.frames = self.frames[:count], self.frames[count:]
        return [data for _, data in out]

    def wait_sent(self, timeout=20):
        """Until the device has given back all transmit buffers."""
        deadline = time.monotonic() + timeout
        for pair in self.pairs:
            while pair.tx.outstanding:
                pair.reap()
                assert time.monotonic() < deadline, \
                    f"{len(pair.tx.outstanding)} frames are not sent"
                time.sleep(0.001)
