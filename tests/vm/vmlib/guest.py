"""A guest in QEMU: how it is started, and how it is told what to do.

Nics are what is plugged in; each is a kind of network back end with the
features that the guest's card is to have. Cards sit in slots of their own, so
that the first is eth0 in the guest, the next eth1.
"""
import json
import os
import re
import select
import socket
import time

from lib.frame import station
from lib.netns import wait_until
from lib.switch import column_arguments

from . import image

FIRST_SLOT = 0x10
BOOT_TIMEOUT = 60
DIMM_SLOTS = "slots=4,maxmem=2G"


class Nic:
    """
    path: of a vhost-user socket; server: the guest's monitor listens there.
    tap: name of a tap device in the switch's namespace instead (tap()).
    features: what the card is told, such as packed="on".
    """

    def __init__(self, mac_number, path=None, server=False, tap=None, queues=1,
                 **features):
        self.mac = station(mac_number)
        self.path = path
        self.server = server
        self.tap = tap
        self.queues = queues
        self.features = features

    def backend(self, i):
        if self.tap:
            return ["-netdev", f"tap,id=n{i},ifname={self.tap},script=no,"
                               "downscript=no,vhost=off"]
        # `wait=off`: the guest boots before the switch has come.
        role = "server=on,wait=off" if self.server else "reconnect=1"
        netdev = f"vhost-user,id=n{i},chardev=c{i}"
        if self.queues > 1:
            netdev += f",queues={self.queues}"
        return ["-chardev", f"socket,id=c{i},path={self.path},{role}",
                "-netdev", netdev]

    def argv(self, i):
        features = dict(self.features)
        if self.queues > 1:
            features.update(mq="on")
        # QEMU 7.2 without KVM crashes on a vhost-user device with MSI-X.
        if not self.tap:
            features.update(vectors=0)
        device = (f"virtio-net-pci,netdev=n{i},id=net{i},mac={self.mac},"
                  f"addr={FIRST_SLOT + i:#x},romfile=")
        return self.backend(i) + ["-device", device + "".join(
            f",{key}={value}" for key, value in features.items())]


class GuestFailed(AssertionError):
    pass


class Guest:
    """Of a lab; ended with the test at the latest."""

    def __init__(self, lab, name, *nics, memory=256, cpus=1, incoming=False):
        self.lab = lab
        self.name = name
        self.nics = nics
        self.memory = memory
        self.cpus = cpus
        self.incoming = incoming
        self.number = 0
        self.process = None
        self.channel = None
        self.monitor = None
        self.buffer = b""
        self.console = lab.switch.log_file(f"{name}.console")

    def path(self, name):
        return os.path.join(self.lab.directory, f"{self.name}.{name}")

    def argv(self):
        argv = ["qemu-system-x86_64", "-machine", "q35,accel=tcg", "-cpu",
                "max", "-smp", self.cpus, "-m", f"{self.memory},{DIMM_SLOTS}",
                "-object", f"memory-backend-memfd,id=m,size={self.memory}M,"
                "share=on", "-numa", "node,memdev=m", "-nodefaults",
                "-display", "none", "-no-reboot", "-kernel", image.KERNEL,
                "-initrd", image.INITRAMFS, "-append",
                image.COMMAND_LINE,
                "-serial", f"file:{self.console}",
                # Unlike a serial port's, its bytes are not lost under load.
                "-chardev", f"socket,id=channel,path={self.path('channel')},"
                "server=on,wait=off", "-device",
                "virtio-serial-pci,addr=0x8,id=serial", "-device",
                "virtserialport,bus=serial.0,nr=1,chardev=channel",
                "-qmp", f"unix:{self.path('qmp')},server=on,wait=off"]
        for i, nic in enumerate(self.nics):
            argv += nic.argv(i)
        if self.incoming:
            argv += ["-incoming", "defer"]
        return argv

    def start(self):
        """Starts QEMU; wait() returns when the guest listens."""
        for name in ("channel", "qmp"):
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))
        with open(self.lab.switch.log_file(f"{self.name}.qemu"), "ab") as log:
            self.process = self.lab.spawn(self.lab.sw_ns, *self.argv(),
                                          stdout=log, stderr=log)
        self.channel = self.connect("channel")
        self.buffer = b""
        return self

    def connect(self, name, timeout=20):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

        def connected():
            if self.process.poll() is not None:
                raise GuestFailed(f"{self.name}: QEMU ended with status "
                                  f"{self.process.returncode}")
            try:
                sock.connect(self.path(name))
            except OSError:
                return False
            return True
        wait_until(connected, f"{self.name}: QEMU listens", timeout)
        return sock

    def wait(self):
        """The guest is up, its cards have addresses of their own."""
        self.read_until(rb"READY\r?\n", BOOT_TIMEOUT, "boots")
        for i in range(len(self.nics)):
            self.run(f"ip link set eth{i} up")
        return self

    def read_until(self, pattern, timeout, what):
        deadline = time.monotonic() + timeout
        while True:
            match = re.search(pattern, self.buffer, re.S)
            if match:
                self.buffer = self.buffer[match.end():]
                return match
            left = deadline - time.monotonic()
            if left <= 0:
                raise GuestFailed(f"{self.name}: not within {timeout} s: "
                                  f"{what}\n{self.buffer[-2000:].decode()}")
            if select.select([self.channel], [], [], min(left, 1))[0]:
                data = self.channel.recv(65536)
                if not data:
                    raise GuestFailed(f"{self.name}: QEMU ended with status "
                                      f"{self.process.wait(10)}: {what}")
                self.buffer += data

    def run(self, command, check=True, timeout=60):
        """A command of the guest's shell: (status, output)."""
        self.number += 1
        self.channel.sendall(f"{self.number} {command}\n".encode())
        match = self.read_until(
            rb"\nBEGIN %d\n(.*)\nEND %d (\d+)\n" % (self.number, self.number),
            timeout, command)
        output, status = match.group(1).decode(errors="replace"), \
            int(match.group(2))
        if check and status:
            raise GuestFailed(f"{self.name}: {command}: status {status}\n"
                              f"{output}")
        return (status, output) if not check else output

    # The network, from inside.

    def address(self, device, *addresses):
        for one in addresses:
            self.run(f"ip addr add {one} dev {device}")

    def ping(self, address, count=3, size=56):
        # busybox's waits a second between two, and so has its own deadline
        status, _ = self.run(f"ping -q -c {count} -i 0.05 -W 2 -s {size} "
                             f"{address}", check=False)
        return status == 0

    def must_ping(self, address, timeout=15, **kwargs):
        wait_until(lambda: self.ping(address, **kwargs),
                   f"{self.name} reaches {address}", timeout)

    def serve_iperf(self):
        self.run("iperf3 -s -D >/dev/null 2>&1")
        wait_until(lambda: self.run("netstat -ltn | grep -q :5201",
                                    check=False)[0] == 0, "iperf3 listens")

    def iperf(self, address, seconds=1, options=""):
        """The receiver's figure in bits a second."""
        def report():
            out = json.loads(self.run(
                f"iperf3 -c {address} -t {seconds} -J {options}",
                timeout=30 + 3 * seconds, check=False)[1])
            return None if is_busy(out) else out
        return received_bits(wait_until(report, f"{address} is not busy", 30),
                             self.name)

    # What the card and the switch agreed on.

    def negotiated(self, i):
        """Feature bits of card i."""
        bits = self.run(f"cat /sys/class/net/eth{i}/device/features").strip()
        return {bit for bit, on in enumerate(bits) if on == "1"}

    # The monitor's other socket.

    def qmp(self, command, **arguments):
        if self.monitor is None:
            sock = self.connect("qmp")
            sock.settimeout(30)
            self.monitor = sock.makefile("rw", encoding="utf-8")
            json.loads(self.monitor.readline())
            self.qmp("qmp_capabilities")
        self.monitor.write(json.dumps({"execute": command,
                                       "arguments": arguments}) + "\n")
        self.monitor.flush()
        while True:
            answer = json.loads(self.monitor.readline())
            if "error" in answer:
                raise GuestFailed(f"{self.name}: {command}: "
                                  f"{answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def kill(self):
        """QEMU is gone at once, as after kill -9."""
        self.process.kill()
        self.process.wait()
        for file in (self.channel, self.monitor):
            if file is not None:
                file.close()
        self.channel = self.monitor = None

    def is_running(self):
        return self.process.poll() is None


def is_busy(report):
    """A server of iperf3 may not be done yet with the client before."""
    return "busy" in report.get("error", "")


def received_bits(report, what):
    assert "error" not in report, f"{what}: iperf3: {report['error']}"
    bits = report["end"]["sum_received"]["bits_per_second"]
    assert bits > 0, f"{what}: iperf3 had nothing through: {report['end']}"
    return bits


def start_all(*guests):
    """They boot side by side."""
    for guest in guests:
        guest.start()
    for guest in guests:
        guest.wait()



def tap(lab, name, bridge="br0", **columns):
    """A port whose device is a tap that a guest's monitor will have."""
    lab.sw_ns.ip("tuntap", "add", "dev", name, "mode", "tap", "vnet_hdr")
    lab.sw_ns.ip("link", "set", name, "up")
    lab.kept_devices.add(name)
    lab.switch.ctl("add-port", bridge, name, *column_arguments(columns))
