"""Frames recorded with the kernel's time stamps at many devices at once, kept
for tshark and for what a test counts."""
import collections
import os
import select
import socket
import struct
import threading

from . import netns

Seen = collections.namedtuple("Seen", "stamp device outgoing data")
FAULTS = ("_ws.malformed || _ws.short || _ws.unreassembled || "
          "_ws.expert.severity >= ")
NOTES, ERRORS = "0x00400000", "0x00800000"
BUFFER = 32 << 20


class Recorder:
    """
    add() devices, then use it as a context, or start() and stop(). `seen` has
    the frames as they were on the wire, sorted by time when it is stopped.
    """

    def __init__(self):
        self.by_fd = {}
        self.seen = []
        self.thread = None
        self.wake_read, self.wake_write = os.pipe()

    def add(self, space, *devices, outgoing=True, called=None):
        """What arrives at the devices of a namespace, and what leaves; called:
        another name for it than the device's."""
        for device in devices:
            sock = space.packet_socket(device, outgoing=outgoing)
            sock.setsockopt(socket.SOL_SOCKET, netns.SO_RCVBUFFORCE, BUFFER)
            sock.setsockopt(socket.SOL_SOCKET, netns.SO_TIMESTAMPNS, 1)
            self.by_fd[sock.fileno()] = (sock, called or device)
        return self

    def start(self):
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def run(self):
        poll = select.epoll()
        poll.register(self.wake_read, select.EPOLLIN)
        for fd in self.by_fd:
            poll.register(fd, select.EPOLLIN)
        ending = False
        while not ending:
            for fd, _ in poll.poll():
                if fd == self.wake_read:
                    ending = True
                else:
                    self.drain(*self.by_fd[fd])
        for sock, device in self.by_fd.values():
            self.drain(sock, device)
        poll.close()

    def drain(self, sock, device):
        while (message := netns.receive_message(sock)) is not None:
            data, ancillary, _, address = message
            stamp = 0.0
            for level, kind, value in ancillary:
                if level == socket.SOL_SOCKET and \
                        kind == netns.SO_TIMESTAMPNS:
                    seconds, nanoseconds = struct.unpack("qq", value)
                    stamp = seconds + nanoseconds / 1e9
            self.seen.append(Seen(stamp, device,
                                  address[2] == netns.PACKET_OUTGOING,
                                  netns.restore_tag(data, ancillary)))

    def stop(self):
        if self.thread is None:
            return self
        os.write(self.wake_write, b"x")
        self.thread.join()
        self.thread = None
        for sock, _ in self.by_fd.values():
            sock.close()
        os.close(self.wake_read)
        os.close(self.wake_write)
        self.seen.sort(key=lambda one: one.stamp)
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def at(self, *devices, outgoing=None):
        """The frames of these devices; outgoing: only those that left."""
        return [one for one in self.seen if one.device in devices and
                outgoing in (None, one.outgoing)]


def write_pcap(path, seen):
    with open(path, "wb") as file:
        file.write(struct.pack("=IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 262144, 1))
        for one in seen:
            seconds = int(one.stamp)
            file.write(struct.pack("=IIII", seconds,
                                   int((one.stamp - seconds) * 1e9),
                                   len(one.data), len(one.data)) + one.data)


def tshark(path, *argv):
    return netns.run(["tshark", "-n", "-r", path, *argv],
                     timeout=120).stdout


def decode(lab, seen, display_filter, *fields):
    """[{field: [values]}] of the frames that the filter lets through."""
    path = os.path.join(lab.directory, f"decode-{id(seen):x}.pcap")
    write_pcap(path, seen)
    argv = ["-Y", display_filter, "-T", "fields", "-E", "separator=/t",
            "-E", "aggregator=;"]
    for field in fields:
        argv += ["-e", field]
    return [dict(zip(fields, ([v for v in column.split(";") if v]
                              for column in line.split("\t"))))
            for line in tshark(path, *argv).splitlines()]


def check_decodes(lab, seen, protocol, *options, faults=NOTES):
    """
    tshark takes every one of the frames for this protocol and complains of
    none of these faults, or worse; options: its own. Returns how many there
    are.
    """
    path = os.path.join(lab.directory, f"decode-{id(seen):x}.pcap")
    write_pcap(path, seen)
    count = len(tshark(path, "-Y", protocol).splitlines())
    assert count == len(seen), \
        f"tshark takes {count} of {len(seen)} frames for {protocol}:\n" + \
        tshark(path, "-Y", f"!({protocol})")[:2000]
    said = tshark(path, *options, "-Y", FAULTS + faults, "-V")
    assert not said, f"tshark complains:\n{said[:4000]}"
    return count
