"""IP packets with a type in front, as no well-behaved machine would send."""
import socket
import struct


def mac_bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


def csum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def address(ip):
    return socket.inet_pton(socket.AF_INET6 if ":" in ip else socket.AF_INET,
                            ip)


def put_csum(segment, at, proto, src, dst):
    pseudo = address(src) + address(dst) + struct.pack("!II", len(segment),
                                                       proto)
    return segment[:at] + struct.pack("!H", csum(pseudo + segment)) + \
        segment[at + 2:]


def udp(src, dst, payload, port=7777):
    datagram = struct.pack("!HHHH", 999, port, 8 + len(payload), 0) + payload
    return 17, put_csum(datagram, 6, 17, src, dst)


def syn(src, dst, port=7777, source_port=998):
    segment = struct.pack("!HHIIBBHHH", source_port, port, 1, 0, 0x50, 2,
                          65535, 0, 0)
    return 6, put_csum(segment, 16, 6, src, dst)


def ip4(src, dst, what, fragment=0, options=b"", ttl=64):
    proto, payload = what
    words = 5 + len(options) // 4
    header = struct.pack("!BBHHHBBH", 0x40 | words, 0,
                         words * 4 + len(payload), 7, fragment, ttl, proto,
                         0) + address(src) + address(dst) + options
    return b"\x08\0" + header[:10] + struct.pack("!H", csum(header)) + \
        header[12:] + payload


def ip6(src, dst, what, extension=None):
    """extension: the type of a header of 8 bytes, and what follows its first
    byte."""
    proto, payload = what
    if extension:
        payload = bytes([proto]) + extension[1] + payload
        proto = extension[0]
    return b"\x86\xdd" + struct.pack("!IHBB", 0x60000000, len(payload), proto,
                                     64) + address(src) + address(dst) + \
        payload
