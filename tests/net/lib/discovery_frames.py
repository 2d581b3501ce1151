"""LLDP and CDP frames, put together by hand."""
import struct

LLDP_NEAREST = bytes.fromhex("0180c200000e")
CDP_MAC = bytes.fromhex("01000ccccccc")


def tlv(kind, value):
    return struct.pack("!H", kind << 9 | len(value)) + value


def lldp(src, *more, chassis=b"\x07neighbour", port=b"\x05port1", ttl=120,
         dst=LLDP_NEAREST):
    """src: 6 bytes; more: TLVs behind the mandatory ones."""
    return (dst + src + b"\x88\xcc" + tlv(1, chassis) + tlv(2, port) +
            tlv(3, struct.pack("!H", ttl)) + b"".join(more) + b"\0\0")


def org(oui, subtype, value):
    return tlv(127, bytes.fromhex(oui) + bytes([subtype]) + value)


def everything():
    """A TLV of each kind that a switch may send."""
    return [
        tlv(4, b"uplink 1"), tlv(5, b"rack-switch"), tlv(6, b"Switch\r\nv1"),
        tlv(7, b"\x00\x14\x00\x04"),
        tlv(8, b"\x05\x01\x0a\x00\x00\x02\x02\x00\x00\x00\x05\x00"),
        tlv(8, b"\x11\x02\xfd" + bytes(14) + b"\x02\x02\x00\x00\x00\x05\x00"),
        org("0080c2", 1, b"\x00\x0a"), org("0080c2", 2, b"\x06\x00\x0b"),
        org("0080c2", 3, b"\x00\x0a\x03lab"),
        org("0080c2", 3, b"\x00\x14\x05guest"),
        org("0080c2", 7, b"\x03\x00\x00\x00\x07"),
        org("00120f", 1, b"\x03\x80\x36\x00\x1e"),
        org("00120f", 4, b"\x23\xfa"),
        org("00120f", 2, b"\x07\x01\x00"), org("0012bb", 1, b"\x00\x0f\x04"),
    ]


def cdp_checksum(pdu):
    if len(pdu) % 2:
        pdu = pdu[:-1] + b"\0" + pdu[-1:]
        assert pdu[-1] < 0x80
    total = sum(struct.unpack(f"!{len(pdu) // 2}H", pdu))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def cdp(src, *more, device=b"ios", port=b"Gi1/0/1", ttl=180, version=2):
    """more: pairs of a type and a value."""
    pdu = b""
    for kind, value in [(1, device), (3, port), *more]:
        pdu += struct.pack("!HH", kind, len(value) + 4) + value
    head = bytes([version, ttl])
    pdu = head + struct.pack("!H", cdp_checksum(head + b"\0\0" + pdu)) + pdu
    pdu = b"\xaa\xaa\x03\x00\x00\x0c\x20\x00" + pdu
    return CDP_MAC + src + struct.pack("!H", len(pdu)) + pdu
