"""Streams of numbered frames between raw ports, at a fixed rate, and what
became of them: which were lost, for how long, and which came more than once.

Time is that of the stream, not of a clock: what was lost, times the interval
that lay between two frames of the stream, by the stamps of those sent. A
machine that stands still for a while stops the sender as well.
"""
import collections
import statistics
import struct
import threading
import time

from .frame import BROADCAST, Frame, mac_bytes

STREAM = b"\0stream\0"
UDP_HEAD = 14 + 20 + 8
MULTICAST = "01:00:5e:01:02:03"


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Stream:
    """
    UDP from one raw port to another. number makes its addresses and ports:
    stations of their own unless src or dst is given.
    """

    def __init__(self, number, source, sink, src, dst, vid=0):
        self.number = number
        self.source = source  # names of raw ports
        self.sink = sink
        self.src, self.dst, self.vid = src, dst, vid
        self.sent = 0
        self.head = self.make_head()

    def make_head(self):
        udp_length = 8 + len(STREAM) + 8 + 6
        target = bytes([10, 9, self.number >> 8, self.number & 255])
        if self.dst == BROADCAST:
            target = b"\xff" * 4
        elif self.dst == MULTICAST:
            target = bytes([239, 1, 2, 3])
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + udp_length, 0, 0x4000, 64,
                         17, 0)
        ip += bytes([10, 8, self.number >> 8, self.number & 255]) + target
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        udp = struct.pack("!HHHH", 20000 + self.number, 30000 + 7 *
                          self.number % 10007, udp_length, 0)
        tag = struct.pack("!HH", 0x8100, self.vid) if self.vid else b""
        return mac_bytes(self.dst) + mac_bytes(self.src) + tag + \
            b"\x08\x00" + ip + udp + STREAM + struct.pack("!I", self.number)

    def next(self):
        self.sent += 1
        return Frame(self.head + struct.pack("!I", self.sent) + bytes(6))


def parse(data):
    """(stream's number, sequence number), or None for another frame."""
    at = UDP_HEAD + (4 if data[12:14] == b"\x81\x00" else 0)
    if data[at:at + len(STREAM)] != STREAM:
        return None
    return struct.unpack_from("!II", data, at + len(STREAM))


class IperfStream:
    """What iperf3 sends over UDP and IPv4: it numbers its packets, too."""
    number = 5201
    sent = None
    dst = "iperf3"

    def __init__(self, source, sink):
        self.source, self.sink = source, sink  # as recorded

    @staticmethod
    def parse(data):
        """As parse(). Seconds, microseconds, number; the first packet, which
        opens the connection, is shorter."""
        if len(data) < UDP_HEAD + 16 or data[23] != 17 or \
                data[36:38] != struct.pack("!H", IperfStream.number):
            return None
        return IperfStream.number, struct.unpack_from("!I", data,
                                                      UDP_HEAD + 8)[0]


class Sending:
    """Sends all streams in turn, one frame each interval, inside `with`."""

    def __init__(self, lab, streams, interval=0.001):
        self.lab = lab
        self.streams = list(streams)
        self.interval = interval
        self.stopping = False
        self.error = None
        self.rounds = 0
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        due = time.monotonic()
        try:
            while not self.stopping:
                for stream in self.streams:
                    self.lab.peers[stream.source].send(stream.next())
                    # never two at once to catch up: the interval is kept
                    due = max(due + self.interval, time.monotonic())
                    time.sleep(max(0, due - time.monotonic()))
                self.rounds += 1
        except OSError as error:
            self.error = error

    def more(self, seconds):
        """Returns after so many seconds' worth of frames."""
        wanted = self.rounds + max(1, int(
            seconds / self.interval / len(self.streams)))
        deadline = time.monotonic() + 10 * seconds + 20
        while self.rounds < wanted:
            assert not self.error, self.error
            assert time.monotonic() < deadline, "the sender stands still"
            time.sleep(0.005)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.thread.join()
        assert not self.error, self.error


class Account:
    """What a recorder saw of a stream, from the source to the sink."""

    def __init__(self, seen, stream, sink=None, parse=parse):
        """sink: another than the stream's."""
        sink = sink or stream.sink
        self.stream = stream
        self.stamps = {}  # when sent
        self.arrived = collections.Counter()
        self.paths = collections.defaultdict(set)  # sequence: devices
        for one in seen:
            found = parse(one.data)
            if found is None or found[0] != stream.number:
                continue
            if one.device == stream.source and one.outgoing:
                self.stamps.setdefault(found[1], one.stamp)
            elif one.device == sink and not one.outgoing:
                self.arrived[found[1]] += 1
            else:
                self.paths[found[1]].add(one.device)
        assert stream.sent in (None, len(self.stamps)), \
            f"recorded {len(self.stamps)} of {stream.sent} frames sent"

    @property
    def lost(self):
        return [n for n in sorted(self.stamps) if not self.arrived[n]]

    @property
    def duplicates(self):
        return {n: count for n, count in self.arrived.items() if count > 1}

    @property
    def interval(self):
        """Between two frames sent; the median."""
        stamps = [self.stamps[n] for n in sorted(self.stamps)]
        return statistics.median([b - a for a, b in
                                  zip(stamps, stamps[1:])] or [0])

    @property
    def outage(self):
        """Seconds of the stream that were lost, all in all."""
        return len(self.lost) * self.interval

    def devices(self):
        """Where its frames passed on their way."""
        return set().union(*self.paths.values()) if self.paths else set()

    def __str__(self):
        lost = self.lost
        text = f"stream {self.stream.number} ({self.stream.source} > " \
               f"{self.stream.sink}, {self.stream.dst}): " \
               f"{len(lost)} of {len(self.stamps)} lost, one each " \
               f"{self.interval * 1000:.1f} ms"
        if lost:
            text += f", {runs(lost)}"
        if self.duplicates:
            text += f", {len(self.duplicates)} more than once"
        return text


def runs(numbers):
    """7-9, 12: as text, the first ones."""
    parts, start = [], None
    for i, n in enumerate(numbers):
        if start is None:
            start = n
        if i + 1 == len(numbers) or numbers[i + 1] != n + 1:
            parts.append(f"{start}-{n}" if n > start else f"{n}")
            start = None
    return ", ".join(parts[:8]) + (" ..." if len(parts) > 8 else "")
