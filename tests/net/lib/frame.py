"""Ethernet frames, built and shown; a Frame is its bytes on the wire."""
import itertools
import struct

BROADCAST = "ff:ff:ff:ff:ff:ff"
ETH_TYPE_TEST = 0x88b5  # IEEE local experimental
C_TAG = 0x8100
S_TAG = 0x88a8
MARK = b"\0marker\0"

_serial = itertools.count(1)


def mac_bytes(text):
    return bytes(int(part, 16) for part in text.split(":"))


def mac_text(data):
    return ":".join(f"{byte:02x}" for byte in data)


def station(number):
    """The MAC address of station number, 1 and up."""
    return mac_text(b"\x02" + number.to_bytes(5, "big"))


class Frame(bytes):
    """Immutable; tagged() and untagged() make others."""

    @property
    def dst(self):
        return mac_text(self[:6])

    @property
    def src(self):
        return mac_text(self[6:12])

    def tagged(self, vid, pcp=0, tpid=C_TAG, dei=0):
        """With one more tag, outside of those that are there."""
        tci = pcp << 13 | dei << 12 | vid
        return Frame(self[:12] + struct.pack("!HH", tpid, tci) + self[12:])

    def untagged(self):
        """Without its outermost tag."""
        return Frame(self[:12] + self[16:])

    def tags(self):
        """[(tpid, tci)] from the outside in."""
        found, at = [], 12
        while len(self) >= at + 4:
            tpid, tci = struct.unpack_from("!HH", self, at)
            if tpid not in (C_TAG, S_TAG):
                break
            found.append((tpid, tci))
            at += 4
        return found

    def __str__(self):
        tags = "".join(f" {tpid:04x}:{tci & 0xfff}" +
                       (f"p{tci >> 13}" if tci >> 13 else "")
                       for tpid, tci in self.tags())
        body = self[12 + 4 * len(self.tags()):]
        text = f"{self.src} > {self.dst}{tags} {body[:2].hex()}"
        if body[:2] == struct.pack("!H", ETH_TYPE_TEST) and len(body) >= 6:
            text += f" #{struct.unpack_from('!I', body, 2)[0]}"
        return f"[{text}, {len(self)} B]"

    __repr__ = __str__


def frame(dst=BROADCAST, src=None, length=60, payload=None,
          ethertype=ETH_TYPE_TEST):
    """An untagged frame that no other is equal to, unless payload is given."""
    head = mac_bytes(dst) + mac_bytes(src or station(1))
    head += struct.pack("!H", ethertype)
    if payload is None:
        payload = struct.pack("!I", next(_serial) & 0xffffffff)
    body = payload + bytes(i & 0xff for i in
                           range(max(0, length - len(head) - len(payload))))
    return Frame(head + body)


def marker(src):
    return frame(BROADCAST, src, payload=MARK + struct.pack("!I",
                                                            next(_serial)))
