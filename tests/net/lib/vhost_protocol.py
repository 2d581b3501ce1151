"""vhost-user messages from the front end's side, with descriptors beside them.

What QEMU's docs/interop/vhost-user.rst defines: numbers, layouts, and a
connection that sends what it is told to, right or wrong.
"""
import array
import contextlib
import os
import select
import socket
import struct
import time

REQUESTS = {
    "GET_FEATURES": 1, "SET_FEATURES": 2, "SET_OWNER": 3, "RESET_OWNER": 4,
    "SET_MEM_TABLE": 5, "SET_LOG_BASE": 6, "SET_LOG_FD": 7,
    "SET_VRING_NUM": 8, "SET_VRING_ADDR": 9, "SET_VRING_BASE": 10,
    "GET_VRING_BASE": 11, "SET_VRING_KICK": 12, "SET_VRING_CALL": 13,
    "SET_VRING_ERR": 14, "GET_PROTOCOL_FEATURES": 15,
    "SET_PROTOCOL_FEATURES": 16, "GET_QUEUE_NUM": 17, "SET_VRING_ENABLE": 18,
    "SEND_RARP": 19, "NET_SET_MTU": 20, "SET_BACKEND_REQ_FD": 21,
    "IOTLB_MSG": 22, "SET_VRING_ENDIAN": 23, "GET_CONFIG": 24,
    "SET_CONFIG": 25, "GET_INFLIGHT_FD": 31, "SET_INFLIGHT_FD": 32,
    "RESET_DEVICE": 34, "VRING_KICK": 35, "GET_MAX_MEM_SLOTS": 36,
    "ADD_MEM_REG": 37, "REM_MEM_REG": 38, "SET_STATUS": 39, "GET_STATUS": 40,
}
NAMES = {number: name for name, number in REQUESTS.items()}
# Those with an answer of their own, whatever REPLY_ACK says.
ANSWERED = {"GET_FEATURES", "GET_VRING_BASE", "GET_PROTOCOL_FEATURES",
            "GET_QUEUE_NUM", "GET_CONFIG", "GET_INFLIGHT_FD",
            "GET_MAX_MEM_SLOTS", "GET_STATUS", "SET_LOG_BASE"}

VERSION, REPLY, NEED_REPLY = 1, 1 << 2, 1 << 3
NO_FD = 1 << 8  # in the index of SET_VRING_KICK, CALL and ERR
HEADER = struct.Struct("<III")

FEATURES = {
    "CSUM": 0, "GUEST_CSUM": 1, "MTU": 3, "MAC": 5, "GUEST_TSO4": 7,
    "GUEST_TSO6": 8, "GUEST_ECN": 9, "GUEST_UFO": 10, "HOST_TSO4": 11,
    "HOST_TSO6": 12, "HOST_ECN": 13, "HOST_UFO": 14, "MRG_RXBUF": 15,
    "STATUS": 16, "CTRL_VQ": 17, "GUEST_ANNOUNCE": 21, "MQ": 22,
    "LOG_ALL": 26, "ANY_LAYOUT": 27, "INDIRECT_DESC": 28, "EVENT_IDX": 29,
    "PROTOCOL_FEATURES": 30, "VERSION_1": 32, "RING_PACKED": 34,
    "IN_ORDER": 35, "GUEST_USO4": 54, "GUEST_USO6": 55, "HOST_USO": 56,
}
PROTOCOL_FEATURES = {
    "MQ": 0, "LOG_SHMFD": 1, "RARP": 2, "REPLY_ACK": 3, "NET_MTU": 4,
    "BACKEND_REQ": 5, "CONFIG": 9, "BACKEND_SEND_FD": 10,
    "INFLIGHT_SHMFD": 12, "RESET_DEVICE": 13, "CONFIGURE_MEM_SLOTS": 15,
    "STATUS": 16,
}


def bits(names, table=None):
    """The word of a set of feature names."""
    table = FEATURES if table is None else table
    return sum(1 << table[name] for name in set(names))


def names(word, table=None):
    """The names of a word's bits; numbers for those without a name."""
    table = FEATURES if table is None else table
    known = {bit: name for name, bit in table.items()}
    return {known.get(bit, bit) for bit in range(64) if word >> bit & 1}


def u64(value):
    return struct.pack("<Q", value)


def vring_state(index, number):
    return struct.pack("<II", index, number)


def vring_addr(index, desc, used, avail, flags=0, log=0):
    return struct.pack("<IIQQQQ", index, flags, desc, used, avail, log)


def region(guest, size, user, offset=0):
    return struct.pack("<QQQQ", guest, size, user, offset)


def mem_table(regions):
    """A payload of SET_MEM_TABLE from packed regions."""
    return struct.pack("<II", len(regions), 0) + b"".join(regions)


def single_region(packed):
    """A payload of ADD_MEM_REG and REM_MEM_REG."""
    return bytes(8) + packed


def log_base(size, offset=0):
    return struct.pack("<QQ", size, offset)


def inflight(size, offset, n_queues, queue_size):
    """As QEMU sends it: padded as its compiler pads the structure."""
    return struct.pack("<QQHHI", size, offset, n_queues, queue_size, 0)


class Disconnected(Exception):
    """The back end gave the connection up."""


class Refused(Exception):
    """The back end acknowledged a request with an error."""


class Connection:
    """A connected stream socket that speaks in messages."""

    def __init__(self, sock, timeout=20):
        self.sock = sock
        self.timeout = timeout
        self.need_reply = False  # REPLY_ACK is negotiated

    @classmethod
    def connect(cls, path, timeout=20):
        """As QEMU does when the back end listens; waits for the socket."""
        deadline = time.monotonic() + timeout
        while True:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.connect(path)
                return cls(sock)
            except OSError as error:
                sock.close()
                if time.monotonic() > deadline:
                    raise AssertionError(f"{path}: {error}") from error
                time.sleep(0.01)

    def close(self):
        self.sock.close()

    @staticmethod
    def pack(request, payload=b"", flags=VERSION, size=None):
        number = REQUESTS.get(request, request)
        return HEADER.pack(number, flags,
                           len(payload) if size is None else size) + payload

    def send_raw(self, data, fds=()):
        """Bytes and descriptors in one sendmsg()."""
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                      array.array("i", fds))] if fds else []
        self.sock.settimeout(self.timeout)
        try:
            sent = self.sock.sendmsg([data], ancillary, socket.MSG_NOSIGNAL)
            if sent < len(data):
                self.sock.sendall(data[sent:])
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Disconnected(str(error)) from error

    def send(self, request, payload=b"", fds=(), flags=VERSION, size=None):
        self.send_raw(self.pack(request, payload, flags, size), fds)

    def _receive(self, count, fds):
        data = b""
        while len(data) < count:
            self.sock.settimeout(self.timeout)
            try:
                part, ancillary, _, _ = self.sock.recvmsg(
                    count - len(data), socket.CMSG_SPACE(8 * 4),
                    socket.MSG_CMSG_CLOEXEC)
            except ConnectionResetError as error:
                raise Disconnected(str(error)) from error
            for level, kind, value in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    got = array.array("i")
                    got.frombytes(value[:len(value) // 4 * 4])
                    fds.extend(got)
            if not part:
                raise Disconnected("end of the connection")
            data += part
        return data

    def receive(self, request):
        """(payload, descriptors) of the answer to this request."""
        fds = []
        number, flags, size = HEADER.unpack(self._receive(HEADER.size, fds))
        assert number == REQUESTS.get(request, request), \
            f"{NAMES.get(number, number)} is answered instead of {request}"
        assert flags == VERSION | REPLY, f"flags {flags:#x} in {request}"
        return self._receive(size, fds), fds

    def call(self, request, payload=b"", fds=()):
        """A request that has an answer: (payload, descriptors)."""
        self.send(request, payload, fds)
        return self.receive(request)

    def get(self, request, payload=b""):
        """The answer as a number."""
        answer, fds = self.call(request, payload)
        close_all(fds)
        assert len(answer) == 8, f"{request}: an answer of {len(answer)} B"
        return struct.unpack("<Q", answer)[0]

    def set(self, request, payload=b"", fds=()):
        """A request without an answer; acknowledged where negotiated."""
        if not self.need_reply:
            self.send(request, payload, fds)
            return
        self.send(request, payload, fds, VERSION | NEED_REPLY)
        answer, _ = self.receive(request)
        status = struct.unpack("<Q", answer)[0]
        if status:
            raise Refused(f"{request}: status {status}")

    def is_closed(self):
        """Whether the other end has closed; reads nothing away."""
        try:
            return self.sock.recv(1, socket.MSG_PEEK |
                                  socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def wait_closed(self, timeout=20):
        """Reads on until the other end closes."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            ready, _, _ = select.select([self.sock], [], [], 0.5)
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                if not ready or self.sock.recv(4096):
                    continue
            return
        raise AssertionError(f"not closed within {timeout} s")


def close_all(fds):
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)
