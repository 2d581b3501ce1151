"""What a virtual machine costs beside its guest: CPU time until the guest runs,
memory, exits on the data path; and how many lines of C it all is. Beside it
QEMU's smallest machine.

The guests run where /dev/kvm is only emulated, too: one that halts with its
first instruction, and that of tests/vm/guests."""

import json
import os
import re
import shutil
import socket
import struct
import subprocess
import time

from lab import BUILD, ROOT, Lab, Vsw, run, wait_until

PROGRAM = BUILD + "/vsw-vmm"
QEMU = "qemu-system-x86_64"
GUEST = BUILD + "/vm-guests/guest.elf"
STARTS = 11
FRAMES = (12000, 42000)  # as many digits, which the guest reads
FRAME_SIZE = 1514
MEMORY_MIB = 64


def write_halting_kernel(path):
    """An ELF of one instruction, with a PVH note."""
    code, address = b"\xf4\xeb\xfd", 1 << 20  # hlt; and again
    note = struct.pack("<III4sI", 4, 4, 18, b"Xen", address)
    at = 64 + 2 * 56
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, address, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, at + len(note), address, address,
                       len(code), len(code), 1)
    notes = struct.pack("<IIQQQQQQ", 4, 4, at, 0, 0, len(note), len(note), 4)
    with open(path, "wb") as file:
        file.write(header + load + notes + note + code)


def say(path, words):
    """Orders to the guest's shell, if any; returns when it is done."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(60)
        sock.connect(path)
        heard = b""
        while not heard.endswith(b"> "):
            heard += sock.recv(65536)
        if not words:
            return
        sock.sendall(words.encode() + b"\n")
        heard = b""
        while b"\n> " not in heard:
            heard += sock.recv(65536)
    if b"FAIL" in heard:
        raise RuntimeError(heard.decode())


def tree(pid):
    """A process and all that it has begun."""
    found = [pid]
    for child in run("ps", "-o", "pid=", "--ppid", str(pid),
                     check=False).split():
        if os.path.exists("/proc/%s/task" % child):  # not ps itself
            found += tree(int(child))
    return found


def cpu_ms(pid):
    """Of all its threads, those that have ended, too."""
    return time.clock_gettime((~pid << 3) | 2) * 1e3


class Process:
    """What has been started, to measure."""

    def __init__(self, argv, env=None):
        self.env = env
        self.process = subprocess.Popen(argv, env=env,
                                        stdin=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def end(self):
        self.process.kill()

    def settled_cpu_ms(self):
        """CPU time of its processes when they have come to rest."""
        last, same = None, 0
        while same < 5:
            time.sleep(0.02)
            if self.process.poll() is not None:
                raise RuntimeError("it did not start")
            now = {pid: cpu_ms(pid) for pid in tree(self.process.pid)}
            same = same + 1 if now == last else 0
            last = now
        return sum(last.values())

    def memory_mib(self):
        """Of its processes, but for the guest's memory: by their share of
        pages (proportional set size), and alone."""
        pss = private = 0
        for pid in tree(self.process.pid):
            guest = False
            for line in open("/proc/%d/smaps" % pid):
                if re.match("[0-9a-f]+-", line):
                    guest = "memfd:" in line
                elif not guest and line.startswith("Pss:"):
                    pss += int(line.split()[1])
                elif not guest and line.startswith("Private_"):
                    private += int(line.split()[1])
        return {"pss_mib": pss / 1024, "private_mib": private / 1024}


class Vm(Process):
    number = 0

    def __init__(self, lab, *options, kernel=GUEST):
        Vm.number += 1
        self.name = "bench%d" % Vm.number
        home = os.path.join(lab.dir, "vms")
        self.directory = os.path.join(home, self.name)
        super().__init__(
            [PROGRAM, "run", "--name", self.name, "--kernel", kernel,
             "--append", "shell", "--memory", "%dM" % MEMORY_MIB,
             "--serial=socket", *options],
            env=dict(os.environ, VSW_VMM_HOME=home))

    def end(self):
        subprocess.run([PROGRAM, "kill", self.name], env=self.env)

    def order(self, words):
        path = self.directory + "/console.sock"
        wait_until("vsw-vmm to start", lambda: os.path.exists(path) or
                   self.process.poll() is not None)
        say(path, words)

    def exits(self):
        out = subprocess.run([PROGRAM, "info", self.name], env=self.env,
                             check=True, stdout=subprocess.PIPE).stdout
        info = json.loads(out)
        if info["state"] != "running":
            raise RuntimeError("the guest is " + info["state"])
        return info["machine"]["exits"]


def net(lab):
    return ("--db=unix:" + lab.switches[0].dir + "/db.sock", "--net=br-vsw")


def start_of_vm(lab, *options):
    """CPU time with the guest that halts, memory with one that ran a while."""
    kernel = os.path.join(lab.dir, "halt.elf")
    write_halting_kernel(kernel)
    with Vm(lab, *options, kernel=kernel) as vm:
        result = {"cpu_ms": vm.settled_cpu_ms()}
        vm.exits()  # it runs
    with Vm(lab, *options) as vm:
        vm.order("pci")
        return {**result, **vm.memory_mib()}


def start_of_qemu():
    """Stopped before its first instruction, which costs it less than ours."""
    with Process([QEMU, "-M", "microvm,accel=kvm,memory-backend=m", "-m",
                  str(MEMORY_MIB), "-object", "memory-backend-memfd,id=m,"
                  "share=on,size=%dM" % MEMORY_MIB, "-display", "none",
                  "-nodefaults", "-no-user-config", "-kernel", GUEST,
                  "-cpu", "qemu64,check=off", "-S"]) as qemu:
        return {"cpu_ms": qemu.settled_cpu_ms(), **qemu.memory_mib()}


def starts(start):
    rows = [start() for _ in range(STARTS)]
    return {key: sorted(row[key] for row in rows)[STARTS // 2]
            for key in rows[0]}


def exits_per_mib(lab):
    """Of frames that a guest sends by way of vswd, beyond those of starting
    to. A few of many MiB are its clock's, before and after."""
    exits = []
    with Vm(lab, *net(lab)) as vm:
        vm.order("")
        for frames in FRAMES:
            before = vm.exits()
            vm.order("send,poll,count=%d,size=%d" % (frames, FRAME_SIZE))
            exits.append(vm.exits() - before)
    mib = (FRAMES[1] - FRAMES[0]) * FRAME_SIZE / (1 << 20)
    return {"exits": exits, "frames": FRAMES,
            "exits_per_mib": (exits[1] - exits[0]) / mib}


def lines_of_code():
    out = subprocess.run([ROOT + "/scripts/check-vmm-size"], text=True,
                         stdout=subprocess.PIPE).stdout
    return int(re.search(r"(\d+) lines", out).group(1))


def measure():
    result = {"lines": lines_of_code()}
    with Lab(switches=(Vsw,), hosts=0) as lab:
        result["plain"] = starts(lambda: start_of_vm(lab))
        result["net"] = starts(lambda: start_of_vm(lab, *net(lab)))
        if shutil.which(QEMU):
            result["qemu"] = starts(start_of_qemu)
        result.update(exits_per_mib(lab))
    return result


def report(result):
    def row(text, form, most, *figures):
        print(("%-46s" + " %10s" * 4) % (
            text, *("" if figure is None else form % figure
                    for figure in figures), most))

    print("\n%-46s %10s %10s %10s %10s" % (
        "a virtual machine, all its processes", "vsw-vmm", "with --net",
        "QEMU", "at most"))
    for text, key, most in (
            ("CPU time to the guest's first instruction, ms", "cpu_ms", 8),
            ("memory beyond the guest's: share of pages, MiB", "pss_mib", 5),
            ("  pages of no other process, MiB", "private_mib", "")):
        row(text, "%.1f", most, *(result.get(who, {}).get(key)
                                  for who in ("plain", "net", "qemu")))
    row("exits of the guest for a MiB sent through vswd", "%.2f", 0, None,
        result["exits_per_mib"], None)
    row("lines of C", "%d", "6000", result["lines"], None, None)
