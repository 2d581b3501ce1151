"""Network namespaces of one test: made, entered, and always removed.

Every namespace is named PREFIX<pid of the run>-<number of the test>-<name>, so
that runs do not meet, and a run finds what a killed one left behind: names
whose process is gone.
"""
import contextlib
import ctypes
import errno
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

PREFIX = "vswt-"
NETNS_DIR = "/run/netns"
CLONE_NEWNET = 0x40000000

PR_SET_PDEATHSIG = 1

SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP = 1
PACKET_AUXDATA = 8
PACKET_IGNORE_OUTGOING = 23
PACKET_MR_PROMISC = 1
PACKET_OUTGOING = 4
SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35
ETH_P_ALL = 3
TP_STATUS_VLAN_VALID = 1 << 4
TP_STATUS_VLAN_TPID_VALID = 1 << 6

libc = ctypes.CDLL(None, use_errno=True)


class CommandFailed(Exception):
    pass


def describe_failure(argv, result):
    return (f"{' '.join(map(str, argv))}: status {result.returncode}\n"
            f"{result.stdout}{result.stderr}".rstrip())


def run(argv, check=True, timeout=60, **kwargs):
    """Runs a command to its end; output as text in the result."""
    argv = [str(a) for a in argv]
    try:
        result = subprocess.run(argv, text=True, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, timeout=timeout,
                                **kwargs)
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{' '.join(argv)}: not done within {timeout} s"
                            ) from error
    if check and result.returncode != 0:
        raise CommandFailed(describe_failure(argv, result))
    return result


def ip_batch(lines, namespace=None):
    argv = ["ip"] + (["-n", namespace] if namespace else [])
    argv += ["-batch", "-"]
    result = subprocess.run(argv, input="\n".join(lines) + "\n", text=True,
                            capture_output=True, timeout=60)
    if result.returncode != 0:
        raise CommandFailed("ip -batch: " + result.stderr + "\n".join(lines))


def wait_until(condition, what, timeout=20, interval=0.003):
    """
    Calls condition until it is true and returns what it returned. timeout: a
    limit for what comes much sooner, on a slow machine, too; and less than the
    30 s after which a LACPDU that was lost comes again.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: "
                                 f"{what() if callable(what) else what}")
        time.sleep(interval)
        interval = min(interval * 1.5, 0.05)


class Namespace:
    def __init__(self, name):
        self.name = name
        run(["ip", "netns", "add", name])
        # Frames that the stack makes by itself would be in the way.
        self.sysctl("ipv6/conf/all/disable_ipv6", 1)
        self.sysctl("ipv6/conf/default/disable_ipv6", 1)
        run(["ip", "-n", name, "link", "set", "lo", "up"])

    @contextlib.contextmanager
    def entered(self):
        """The calling thread is in this namespace meanwhile."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"{NETNS_DIR}/{self.name}", os.O_RDONLY)
        try:
            if libc.setns(there, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"setns {self.name}")
            try:
                yield
            finally:
                if libc.setns(home, CLONE_NEWNET):
                    os._exit(70)  # nothing sensible can follow
        finally:
            os.close(home)
            os.close(there)

    def sysctl(self, name, value=None):
        """Reads, or writes, /proc/sys/net/<name>."""
        with self.entered(), open(f"/proc/sys/net/{name}",
                                  "r" if value is None else "w") as file:
            if value is None:
                return file.read().strip()
            return file.write(str(value))

    def argv(self, argv):
        return ["ip", "netns", "exec", self.name] + [str(a) for a in argv]

    def run(self, *argv, **kwargs):
        return run(self.argv(argv), **kwargs)

    def popen(self, *argv, **kwargs):
        return subprocess.Popen(self.argv(argv), stdin=subprocess.DEVNULL,
                                **kwargs)

    def ip(self, *args):
        return run(["ip", "-n", self.name, *args]).stdout

    def devices(self):
        """Names of all devices but lo."""
        with self.entered():
            return sorted(name for _, name in socket.if_nameindex()
                          if name != "lo")

    def packet_socket(self, device, outgoing=False):
        """Receives, with tags restored by receive(), all frames that arrive;
        outgoing: those that leave, too."""
        with self.entered():
            # bound later: no frame of another device may slip in
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            index = socket.if_nametoindex(device)
        sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        if not outgoing:
            sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        sock.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP,
                        struct.pack("iHH8s", index, PACKET_MR_PROMISC, 0, b""))
        with self.entered():
            sock.bind((device, ETH_P_ALL))
        sock.setblocking(False)
        return sock


def receive(sock):
    """One frame as it was on the wire, or None when there is none."""
    message = receive_message(sock)
    return message and restore_tag(message[0], message[1])


def receive_message(sock):
    """recvmsg() of a packet socket, or None when there is no frame."""
    try:
        return sock.recvmsg(70000, 256)
    except BlockingIOError:
        return None
    except OSError as error:
        if error.errno != errno.ENETDOWN:
            raise
        return receive_message(sock)  # said once each time the link goes down


def restore_tag(data, ancillary):
    """The frame with the tag that the kernel keeps beside it."""
    for level, kind, value in ancillary:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, tpid = struct.unpack_from("IIIHHHH",
                                                               value)
            if status & TP_STATUS_VLAN_VALID:
                if not status & TP_STATUS_VLAN_TPID_VALID:
                    tpid = 0x8100
                data = data[:12] + struct.pack("!HH", tpid, tci) + data[12:]
    return data


def die_with_parent(sig):
    """The calling process gets this signal when its parent ends."""
    libc.prctl(PR_SET_PDEATHSIG, int(sig), 0, 0, 0)


def kill_pid(pid, sig=signal.SIGKILL):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sig)


def kill_group(leader, timeout=2):
    """Ends all that is left of a process group, and waits until it is gone."""
    deadline = time.monotonic() + timeout
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(leader, signal.SIGKILL)
            time.sleep(0.005)


def remove_namespaces(prefix):
    """Ends the processes in the namespaces that start so; removes them."""
    names = [name for name in _listdir(NETNS_DIR) if name.startswith(prefix)]
    for name in names:
        for _ in range(50):
            pids = run(["ip", "netns", "pids", name], check=False).stdout
            pids = [int(pid) for pid in pids.split() if int(pid) != os.getpid()]
            if not pids:
                break
            for pid in pids:
                kill_pid(pid)
            time.sleep(0.02)
        run(["ip", "netns", "del", name], check=False)


def remove_directories(prefix):
    base = tempfile.gettempdir()
    for name in _listdir(base):
        if name.startswith(prefix):
            shutil.rmtree(os.path.join(base, name), ignore_errors=True)


def remove_leftovers():
    """What runs left behind that were killed: their process is gone."""
    seen = set(_listdir(NETNS_DIR)) | set(_listdir(tempfile.gettempdir()))
    for name in seen:
        match = re.match(re.escape(PREFIX) + r"(\d+)-", name)
        if match and not os.path.exists(f"/proc/{match.group(1)}"):
            remove_namespaces(match.group(0))
            remove_directories(match.group(0))


def _listdir(path):
    try:
        return sorted(os.listdir(path))
    except FileNotFoundError:
        return []
