"""A machine with hardware virtualisation: QEMU's software CPU has AMD-V, and
Debian's kernel on it /dev/kvm. In it run vswd, vsw-vmm and its guests.

The machine is a guest as the others are, told what to do by its init.sh; each
guest inside has a channel of its own to us, too: a serial port of the machine,
and there a relay between that and the guest's console socket.
"""
import functools
import json
import os
import socket
import subprocess

from lib import netns

from . import image, nested_image
from .shell import GuestFailed, Shell

# A guest that has a software CPU to share with others, on a host that may be
# busy itself, is slower at times by more than ten times.
PATIENCE = 150
wait_until = functools.partial(netns.wait_until, timeout=PATIENCE)
CHANNELS = 5  # the machine's own, and guests'
HOME = "/var/lib/vsw/vms"
COMMAND_LINE = image.COMMAND_LINE + " vsw.shell=/dev/ttyS0"


class Machine(Shell):
    """Of a lab; ended with the test at the latest."""

    patience = PATIENCE

    def __init__(self, lab, name="machine", memory=2048, cpus=2):
        super().__init__(name)
        self.lab = lab
        self.memory = memory
        self.cpus = cpus
        self.process = None
        self.used = 1
        self.guests = []
        self.console = lab.switch.log_file(f"{name}.console")

    def path(self, name):
        return os.path.join(self.lab.directory, f"{self.name}.{name}")

    def argv(self):
        argv = ["qemu-system-x86_64", "-machine", "q35,accel=tcg", "-cpu",
                "max", "-smp", self.cpus, "-m", self.memory, "-nodefaults",
                "-display", "none", "-no-reboot", "-kernel", image.KERNEL,
                "-initrd", nested_image.BOOT, "-append",
                image.COMMAND_LINE + " vsw.root=/dev/vda",
                "-drive", f"if=virtio,format=raw,file={nested_image.DISK},"
                "snapshot=on,cache=unsafe",
                "-serial", f"file:{self.console}",
                "-device", "virtio-serial-pci,id=serial"]
        for i in range(CHANNELS):
            argv += ["-chardev", f"socket,id=c{i},path={self.path(i)},"
                     "server=on,wait=off", "-device",
                     f"virtserialport,bus=serial.0,nr={i + 1},chardev=c{i}"]
        return argv

    def start(self):
        nested_image.prepare()
        with open(self.lab.switch.log_file(f"{self.name}.qemu"), "ab") as log:
            self.process = self.lab.spawn(self.lab.sw_ns, *self.argv(),
                                          stdout=log, stderr=log)
        self.channel = self.connect(0)
        return self

    def connect(self, number):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

        def connected():
            if self.process.poll() is not None:
                raise GuestFailed(f"{self.name}: QEMU ended with status "
                                  f"{self.process.returncode}")
            try:
                sock.connect(self.path(number))
            except OSError:
                return False
            return True
        wait_until(connected, f"{self.name}: QEMU listens")
        return sock

    def wait(self):
        """It is up and has /dev/kvm."""
        self.read_until(rb"READY\r?\n", PATIENCE, "boots")
        self.run("mount -t tmpfs run /run; mkdir -p /run/vsw; "
                 "modprobe kvm_amd && modprobe tun && modprobe veth && "
                 "mkdir -p /dev/net /dev/pts /dev/shm; "
                 "mount -t devpts devpts /dev/pts; chmod 666 /dev/kvm")
        return self

    def why_ended(self):
        return f", QEMU with status {self.process.wait(10)}"

    def has_reset(self):
        """Its processor has, which ends QEMU with status 0: now and then QEMU's
        AMD-V does in the middle of a guest, and no word of the kernel."""
        try:
            return self.process is not None and self.process.wait(10) == 0
        except subprocess.TimeoutExpired:
            return False

    def spawn(self, name, command):
        """Goes on behind; its output is in /tmp/NAME."""
        self.run(f"({command}) >/tmp/{name} 2>&1 </dev/null &")

    def output(self, name):
        return self.run(f"cat /tmp/{name}")

    def until(self, command, what):
        """Returns the command's output once it succeeds."""
        def succeeds():
            status, out = self.run(command, check=False)
            return (out or True) if status == 0 else None
        return wait_until(succeeds, what, interval=0.1)

    def look_at_all(self):
        """The machine, the switch in it, and its guests from outside."""
        commands = ["vsw-ctl bridge/show", "vsw-ctl fdb/show br0",
                    "vsw-ctl vhost/show", "vsw-ctl port/stats",
                    "vsw-ctl worker/show", "cat /tmp/vswd", "ps", "free",
                    "dmesg | tail -n 20"]
        for guest in self.guests:
            commands += [f"vsw-vmm info {guest.name}",
                         f"cat /tmp/{guest.name}",
                         f"cat {guest.directory}/machine.log",
                         f"tail -n 30 {guest.directory}/serial.log"]
        return "\n".join(map(self.look, commands))

    def channel_number(self):
        self.used += 1
        assert self.used <= CHANNELS, "CHANNELS is too small"
        return self.used


class Linux(Shell):
    """A Debian kernel under vsw-vmm in the machine, with busybox: told what
    to do on its serial port."""

    patience = PATIENCE

    def __init__(self, machine, name, *options, memory="192M", cpus=1,
                 panic=-1):
        super().__init__(name)
        self.machine = machine
        self.directory = f"{HOME}/{name}"
        self.options = ["--kernel /vm/vmlinuz --initrd /vm/initrd",
                        f"--append '{COMMAND_LINE} panic={panic}'", f"--memory {memory}",
                        f"--cpus {cpus}", "--serial=log", *options]
        machine.guests.append(self)
        number = machine.channel_number()
        self.channel = machine.connect(number - 1)
        machine.run(f"relay /dev/vport*p{number} {self.directory}/console.sock"
                    " >/dev/null 2>&1 &")

    def start(self):
        self.machine.spawn(self.name, f"vsw-vmm run --name {self.name} " +
                           " ".join(self.options))
        return self

    def restore(self):
        """As saved; the shell goes on where it was."""
        self.machine.spawn(self.name, f"vsw-vmm restore {self.name}")
        return self

    def wait(self):
        self.read_until(rb"READY\r?\n", PATIENCE, "boots")
        return self

    def ctl(self, command, *words):
        return self.machine.run(f"vsw-vmm {command} {self.name} " +
                                " ".join(words))

    def state(self):
        return json.loads(self.ctl("info"))["state"]

    def exits(self):
        """Of the CPUs, to vsw-vmm."""
        return json.loads(self.ctl("info"))["machine"]["exits"]

    def wait_gone(self):
        """Its vsw-vmm has ended."""
        self.machine.until(f"! test -e {self.directory}/api.sock",
                           lambda: f"{self.name} ends: {self.explain()}")

    def look_at_network(self):
        """Of all guests: who does not answer may be the other."""
        return "\n".join(
            [super(Linux, guest).look_at_network()
             for guest in self.machine.guests] + [self.machine.look_at_all()])

    def explain(self):
        return self.machine.run(
            f"cat /tmp/{self.name} {self.directory}/machine.log; "
            f"tail -n 30 {self.directory}/serial.log", check=False)[1]

    def tail(self):
        return "\n".join([self.machine.look(f"vsw-vmm info {self.name}"),
                          self.machine.look("top -b -n 1 | head -n 20"),
                          self.explain(), super().tail()])
