"""A guest in QEMU: how it is started, and how it is told what to do.

Nics are what is plugged in; each is a kind of network back end with the
features that the guest's card is to have. Cards sit in slots of their own, so
that the first is eth0 in the guest, the next eth1.
"""
import json
import os
import socket
import time

from lib.frame import station
from lib.netns import wait_until
from lib.switch import column_arguments

from . import image
from .shell import GuestFailed, Shell

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


class Guest(Shell):
    """Of a lab; ended with the test at the latest."""

    def __init__(self, lab, name, *nics, memory=256, cpus=1, incoming=False,
                 initrd=image.INITRAMFS):
        super().__init__(name)
        self.lab = lab
        self.nics = nics
        self.memory = memory
        self.cpus = cpus
        self.incoming = incoming
        self.initrd = initrd
        self.process = None
        self.monitor = None
        self.console = lab.switch.log_file(f"{name}.console")

    def path(self, name):
        return os.path.join(self.lab.directory, f"{self.name}.{name}")

    def argv(self):
        argv = ["qemu-system-x86_64", "-machine", "q35,accel=tcg", "-cpu",
                "max", "-smp", self.cpus, "-m", f"{self.memory},{DIMM_SLOTS}",
                "-object", f"memory-backend-memfd,id=m,size={self.memory}M,"
                "share=on", "-numa", "node,memdev=m", "-nodefaults",
                "-display", "none", "-no-reboot", "-kernel", image.KERNEL,
                "-initrd", self.initrd, "-append",
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

    def why_ended(self):
        return f", QEMU with status {self.process.wait(10)}"

    def is_running(self):
        return self.process.poll() is None


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
