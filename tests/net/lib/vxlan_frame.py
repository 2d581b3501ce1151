"""Outer packets of VXLAN (RFC 7348), built and taken apart."""
import collections
import ipaddress
import struct

from .frame import Frame, mac_bytes, mac_text

PORT = 4789
VNI = 7

Outer = collections.namedtuple(
    "Outer", "src_mac dst_mac version src dst tos ttl df fragment udp_len "
    "csum src_port dst_port flags vni reserved inner")


def ones_sum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def udp_checksum(src, dst, datagram):
    pseudo = src + dst + struct.pack("!IHH", len(datagram), 0, 17)
    return ~ones_sum(pseudo + datagram) & 0xffff or 0xffff


def ipv4(src, dst, payload, tos=0, ttl=64, flags=0x4000, ident=0, proto=17):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, tos, 20 + len(payload), ident,
                       flags, ttl, proto, 0, packed(src), packed(dst))
    csum = ~ones_sum(head) & 0xffff
    return head[:10] + struct.pack("!H", csum) + head[12:] + payload


def ipv6(src, dst, payload, tos=0, ttl=64, proto=17):
    return struct.pack("!IHBB16s16s", 6 << 28 | tos << 20, len(payload), proto,
                       ttl, packed(src), packed(dst)) + payload


def packed(address):
    return ipaddress.ip_address(address).packed


def ip(src, dst, payload, **fields):
    return (ipv6 if ":" in src else ipv4)(src, dst, payload, **fields)


def ethertype(address):
    return 0x86dd if ":" in address else 0x0800


def udp(src, dst, payload, src_port=50000, dst_port=PORT, csum=False):
    """csum: False for none, True for the right one, or a number."""
    head = struct.pack("!HHHH", src_port, dst_port, 8 + len(payload), 0)
    if csum is True:
        csum = udp_checksum(packed(src), packed(dst), head + payload)
    return head[:6] + struct.pack("!H", csum or 0) + payload


def header(vni=VNI, flags=0x08, reserved=(0, 0)):
    return struct.pack("!II", flags << 24 | reserved[0],
                       vni << 8 | reserved[1])


def ethernet(dst_mac, src_mac, kind, payload):
    return Frame(mac_bytes(dst_mac) + mac_bytes(src_mac) +
                 struct.pack("!H", kind) + payload)


def inner_ip(dst_mac, src_mac, src, dst, tos=0, ttl=64, payload=b"x" * 26,
             ports=(1234, 5678)):
    """A UDP datagram in a frame, its checksum right."""
    data = udp(src, dst, payload, *ports, csum=True)
    return ethernet(dst_mac, src_mac, ethertype(src),
                    ip(src, dst, data, tos=tos, ttl=ttl))


def tos_of(frame):
    """TOS byte and TTL of an untagged IP frame."""
    body = frame[14:]
    if body[0] >> 4 == 4:
        return body[1], body[8]
    return struct.unpack("!H", body[:2])[0] >> 4 & 0xff, body[7]


def parse(frame, port=PORT):
    """The Outer of an untagged frame; None: it is no UDP to that port."""
    kind = struct.unpack_from("!H", frame, 12)[0]
    body = frame[14:]
    if kind == 0x0800 and body[9] == 17:
        fragment = struct.unpack_from("!H", body, 6)[0]
        at, src, dst = (body[0] & 15) * 4, body[12:16], body[16:20]
    elif kind == 0x86dd and body[6] == 17:
        fragment, at, src, dst = 0, 40, body[8:24], body[24:40]
    else:
        return None
    src_port, dst_port, udp_len, csum = struct.unpack_from("!HHHH", body, at)
    if dst_port != port:
        return None
    word, vni = struct.unpack_from("!II", body, at + 8)
    tos, ttl = tos_of(frame)
    return Outer(mac_text(frame[6:12]), mac_text(frame[:6]), body[0] >> 4,
                 str(ipaddress.ip_address(src)),
                 str(ipaddress.ip_address(dst)), tos, ttl,
                 bool(fragment & 0x4000), fragment & 0x3fff, udp_len, csum,
                 src_port, dst_port, word >> 24, vni >> 8,
                 (word & 0xffffff, vni & 0xff),
                 Frame(body[at + 16:at + udp_len]))
