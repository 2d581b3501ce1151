"""Frames that a sender left for the device to finish, and what comes of them.

A Flow builds TCP or UDP frames as a guest's stack hands them to its card (the
checksum field seeded with the pseudo header's sum), and checks what a receiver
got instead: one large frame, or segments with everything that RFC 791, 9293,
768 and the sender's own header say they must have.
"""
import os
import struct

from .frame import C_TAG, Frame, mac_bytes
from .vhost_frontend import (GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4,
                             NEEDS_CSUM, Header)

TCP, UDP = 6, 17
FIN, PSH, ACK, CWR = 0x01, 0x08, 0x10, 0x80


def ones_sum(data, start=0):
    """The Internet checksum's sum, folded, not complemented."""
    if len(data) % 2:
        data += b"\0"
    total = start + sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


class Flow:
    """One direction of a connection between two stations."""

    def __init__(self, src, dst, proto=TCP, version=4, tags=()):
        self.src, self.dst = src, dst
        self.proto, self.version, self.tags = proto, version, tuple(tags)
        if version == 4:
            self.addresses = bytes((10, 1, 0, 1)), bytes((10, 1, 0, 2))
        else:
            self.addresses = bytes.fromhex("fd" + "00" * 14 + "01"), \
                bytes.fromhex("fd" + "00" * 14 + "02")
        self.seq, self.ident = 0xfffff000, 0xfff8  # they wrap on the way

    # Building.

    @property
    def l3(self):
        return 14 + 4 * len(self.tags)

    @property
    def l4(self):
        return self.l3 + (20 if self.version == 4 else 40)

    @property
    def l4_length(self):
        return 32 if self.proto == TCP else 8

    @property
    def headers(self):
        return self.l4 + self.l4_length

    @property
    def csum_offset(self):
        return 16 if self.proto == TCP else 6

    @property
    def gso_type(self):
        if self.proto == UDP:
            return GSO_UDP_L4
        return GSO_TCPV4 if self.version == 4 else GSO_TCPV6

    def pseudo(self, length):
        """The pseudo header's sum for length bytes from the transport on."""
        return ones_sum(self.addresses[0] + self.addresses[1] +
                        struct.pack("!II", length, self.proto))

    def ethernet(self):
        head = mac_bytes(self.dst) + mac_bytes(self.src)
        for vid in self.tags:
            head += struct.pack("!HH", C_TAG, vid)
        return head + struct.pack("!H",
                                  0x0800 if self.version == 4 else 0x86dd)

    def ip(self, length):
        if self.version == 6:
            return struct.pack("!IHBB", 0x60012345, length, self.proto,
                               64) + self.addresses[0] + self.addresses[1]
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, self.ident,
                           0x4000, 64, self.proto, 0)
        head += self.addresses[0] + self.addresses[1]
        return head[:10] + struct.pack("!H", 0xffff ^ ones_sum(head)) + \
            head[12:]

    def transport(self, length, flags, csum):
        if self.proto == UDP:
            return struct.pack("!HHHH", 1000, 2000, length, csum)
        return struct.pack("!HHIIBBHHH", 1000, 2000, self.seq, 77, 0x80,
                           flags, 500, csum, 0) + \
            bytes.fromhex("0101080a") + b"tsvltsec"

    def frame(self, payload, flags=ACK | PSH | FIN | CWR):
        """With its checksum left to the device."""
        length = self.l4_length + len(payload)
        return Frame(self.ethernet() + self.ip(length) +
                     self.transport(length, flags, self.pseudo(length)) +
                     payload)

    def finished(self, frame):
        """The same with its checksum made."""
        csum = 0xffff ^ ones_sum(frame[self.l4:])
        at = self.l4 + self.csum_offset
        return Frame(frame[:at] + struct.pack("!H", csum or 0xffff) +
                     frame[at + 2:])

    def header(self, mss=0, ecn=0, **other):
        """The header for frame(): of a GSO frame if mss is given."""
        fields = {"flags": NEEDS_CSUM, "hdr_len": self.headers if mss else 0,
                  "gso_type": self.gso_type | ecn if mss else GSO_NONE,
                  "gso_size": mss, "csum_start": self.l4,
                  "csum_offset": self.csum_offset}
        return Header(**{**fields, **other})

    def large(self, mss=1448, size=None):
        """(payload, frame): as large as IP allows, of random bytes."""
        limit = 65535 - (self.headers - self.l3 if self.version == 4 else
                         self.l4_length)
        payload = os.urandom(limit if size is None else size)
        if self.proto == UDP:  # no more segments than a kernel would make
            payload = payload[:mss * 64]
        return payload, self.frame(payload)

    # Checking.

    def check_whole(self, received, frame, mss):
        """(Header, frame) is what was sent, its header made anew."""
        header, data = received
        assert data == frame, f"{len(data)} bytes instead of {len(frame)}, " \
            f"or others: {data[:80].hex()}, sent {frame[:80].hex()}"
        wanted = self.header(mss)
        header = header._replace(num_buffers=0)
        assert header == wanted, f"{header}, expected {wanted}"

    def check_segments(self, received, payload, mss, finished=True,
                       flags=ACK | PSH | FIN | CWR):
        """
        [(Header, frame)] carries payload in the right segments. finished:
        with checksums; else each asks its receiver for its own.
        """
        count = -(-len(payload) // mss)
        assert len(received) == count, f"{len(received)} of {count} segments"
        for i, (header, data) in enumerate(received):
            part = payload[i * mss:(i + 1) * mss]
            try:
                self.check_segment(data, i, part, i + 1 == count, mss, flags,
                                   finished)
                self.check_segment_header(header, finished)
            except AssertionError as error:
                raise AssertionError(f"segment {i} of {count}: {error}\n"
                                     f"{data[:100].hex()}") from error

    def check_segment_header(self, header, finished):
        if header is None:
            return
        wanted = Header() if finished else self.header()
        # a checksum that was made here may be called valid
        got = header._replace(num_buffers=0)
        if finished:
            got = got._replace(flags=got.flags & ~2)
        assert got == wanted, f"{got}, expected {wanted}"

    def check_segment(self, data, i, part, last, mss, flags, finished):
        length = self.l4_length + len(part)
        wanted = Flow.frame(self.of_segment(i, mss), part,
                            self.segment_flags(flags, i == 0, last))
        if finished:
            wanted = self.finished(wanted)
        assert len(data) == len(wanted), f"{len(data)} bytes, not " \
            f"{len(wanted)} with {length} from the transport header on"
        for name, begin, end in (("Ethernet", 0, self.l3),
                                 ("IP", self.l3, self.l4),
                                 ("transport", self.l4, self.headers),
                                 ("payload", self.headers, len(data))):
            assert data[begin:end] == wanted[begin:end], \
                f"{name}: {data[begin:end][:60].hex()}, expected " \
                f"{wanted[begin:end][:60].hex()}"

    def of_segment(self, i, mss):
        other = Flow(self.src, self.dst, self.proto, self.version, self.tags)
        other.seq = (self.seq + i * mss) & 0xffffffff
        other.ident = (self.ident + i) & 0xffff
        return other

    @staticmethod
    def segment_flags(flags, first, last):
        if not first:
            flags &= ~CWR
        return flags if last else flags & ~(FIN | PSH)
