"""vsw-vmm on this machine, with the test guest of tests/vm/guests in it.

/dev/kvm here may be slow, without hardware's help: the guest is small, and
says line by line on its serial port what it found.
"""
import contextlib
import json
import os
import re
import socket

from lib import netns
from lib.netns import wait_until
from lib.switch import BUILD

PROGRAM = os.path.join(BUILD, "vsw-vmm")
ELF = os.path.join(BUILD, "vm-guests", "guest.elf")
BZIMAGE = os.path.join(BUILD, "vm-guests", "guest.bzimage")


class Vm:
    """A VM of a lab; ended with the test at the latest."""

    def __init__(self, lab, name, orders, *options, memory="64M", kernel=ELF):
        self.lab = lab
        self.name = name
        self.options = ["--kernel", kernel, "--append", orders,
                        "--memory", memory, "--serial=log",
                        f"--db=unix:{lab.switch.path('db.sock')}", *options]
        self.home = os.path.join(lab.directory, "vms")
        self.directory = os.path.join(self.home, name)
        self.process = None
        self.read = 0  # of serial.log
        self.shell = None

    def path(self, name):
        return os.path.join(self.directory, name)

    def argv(self, *words):
        return ["env", f"VSW_VMM_HOME={self.home}", PROGRAM, *words]

    def start(self, *words):
        """run, or what else starts it; returns at once."""
        words = words or ("run", "--name", self.name, *self.options)
        self.read = 0
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path("serial.log"))
        with open(self.lab.switch.log_file(f"{self.name}.vmm"), "ab") as log:
            self.process = self.lab.spawn(self.lab.sw_ns, *self.argv(*words),
                                          stdout=log, stderr=log)
        return self

    def said(self):
        """What vsw-vmm itself printed."""
        with open(self.lab.switch.log_file(f"{self.name}.vmm"),
                  encoding="utf-8") as file:
            return file.read()

    def serial(self):
        try:
            with open(self.path("serial.log"), encoding="utf-8",
                      errors="replace") as file:
                return file.read().replace("\r", "")
        except FileNotFoundError:
            return ""

    def is_running(self):
        return self.process.poll() is None

    def expect(self, pattern, timeout=30):
        """Waits for a line of the guest, behind the one found last."""
        def found():
            text = self.serial()
            match = re.compile(pattern).search(text, self.read)
            if match:
                self.read = match.end()
                return match
            failed = re.search("^FAIL .*", text[self.read:], re.M)
            assert not failed, f"{self.name}: {failed.group(0)}\n{text}"
            assert self.is_running() and "crashed" not in self.said(), \
                f"{self.name} ended, no {pattern!r}:\n{text}{self.said()}"
            return None
        return wait_until(
            found, lambda: f"{self.name}: {pattern!r}:\n{self.serial()}"
            f"{self.said()}", timeout)

    def finish(self, status=0, timeout=30):
        """The guest did all it was told to, and powered off."""
        if status == 0:
            self.expect(r"\ndone\n", timeout)
        self.wait_end(status)
        return self

    def wait_end(self, status=0, timeout=20):
        wait_until(lambda: not self.is_running(),
                   lambda: f"{self.name} ends:\n{self.serial()}{self.said()}",
                   timeout)
        assert self.process.returncode == status, \
            f"{self.name} ended with status {self.process.returncode}, " \
            f"expected {status}:\n{self.serial()}{self.said()}"

    def do(self, orders):
        """Of a guest whose order `shell` runs: more of them; waits."""
        self.tell(orders)
        return self.expect(r"(?s).*?\n> ")

    def tell(self, orders):
        if self.shell is None:
            self.shell = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.shell.connect(self.path("console.sock"))
        self.shell.sendall(orders.encode() + b"\n")

    def ctl(self, command, *words, check=True):
        return netns.run(self.argv(command, self.name, *words), check=check)

    def info(self):
        return json.loads(self.ctl("info").stdout)

    def child_pid(self, name):
        """The keeper's process of that name: vsw-vmm (the machine),
        vsw-vmm-reaper, qemu-storage-daemon. 0: there is none."""
        out = netns.run(["ps", "-o", "pid=,comm=", "--ppid",
                         str(self.process.pid)], check=False)
        return next((int(pid) for pid, comm in
                     map(str.split, out.stdout.splitlines())
                     if comm == name[:15]), 0)

    def machine_pid(self):
        """The process that the guest runs in."""
        return self.child_pid("vsw-vmm")

    def keeper_pid(self):
        return self.info()["pid"]

    def end(self):
        self.ctl("kill")
        self.wait_end()


def ports(lab):
    """Of vsw-vmm's VMs, by their names in vswd."""
    rows = json.loads(lab.switch.ctl("--format=json", "--data=json",
                                     "--columns=name,external_ids", "list",
                                     "Port"))["data"]
    return {name: dict(ids[1]) for name, ids in rows
            if "vm-name" in dict(ids[1])}
