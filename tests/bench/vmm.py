"""What a virtual machine costs beside its guest: CPU time until the guest runs,
memory, exits on the data path; and how many lines of C it all is.

The guest is that of tests/vm/guests: it runs where /dev/kvm is only emulated,
too. CPU time is that of all threads but the guest's CPUs."""

import glob
import json
import os
import re
import socket
import subprocess
import time

from lab import BUILD, ROOT, Lab, Vsw, run

PROGRAM = BUILD + "/vsw-vmm"
GUEST = BUILD + "/vm-guests/guest.elf"
STARTS = 11
FRAMES = (2000, 32000)
FRAME_SIZE = 1514


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


class Vm:
    number = 0

    def __init__(self, lab, *options):
        Vm.number += 1
        self.name = "bench%d" % Vm.number
        self.home = os.path.join(lab.dir, "vms")
        self.directory = os.path.join(self.home, self.name)
        self.env = dict(os.environ, VSW_VMM_HOME=self.home)
        self.process = subprocess.Popen(
            [PROGRAM, "run", "--name", self.name, "--kernel", GUEST, "--append",
             "shell", "--memory", "64M", "--serial=socket", *options],
            env=self.env, stdin=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run([PROGRAM, "kill", self.name], env=self.env)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def order(self, words):
        path = self.directory + "/console.sock"
        deadline = time.monotonic() + 20
        while not os.path.exists(path):
            if self.process.poll() is not None or \
                    time.monotonic() > deadline:
                raise RuntimeError("vsw-vmm did not start")
            time.sleep(0.005)
        say(path, words)

    def info(self):
        out = subprocess.run([PROGRAM, "info", self.name], env=self.env,
                             check=True, stdout=subprocess.PIPE).stdout
        return json.loads(out)

    def processes(self):
        """The keeper and its children, by name: the largest is the machine."""
        children = run("ps", "-o", "pid=,rss=", "--ppid",
                       str(self.process.pid)).split()
        pids = sorted(zip(map(int, children[1::2]), children[::2]))
        return {"keeper": self.process.pid, "machine": int(pids[-1][1])}


def cpu_ms(pid, but=()):
    total = 0
    for path in glob.glob("/proc/%d/task/*/schedstat" % pid):
        if int(path.split("/")[4]) not in but:
            total += int(open(path).read().split()[0])
    return total / 1e6


def guest_cpus(pid):
    """Threads that run the guest: in KVM_RUN, or not in a system call."""
    found = []
    for path in glob.glob("/proc/%d/task/*" % pid):
        words = open(path + "/syscall").read().split()
        if words[0] == "running" or "0xae80" in words[2:3]:
            found.append(int(path.split("/")[-1]))
    return found


def beyond_guest_mib(pid):
    """(resident, its share of what is shared) but for the guest's memory."""
    rss = pss = 0
    guest = False
    for line in open("/proc/%d/smaps" % pid):
        if re.match("[0-9a-f]+-", line):
            guest = "memfd:" in line
        elif not guest and line.startswith("Rss:"):
            rss += int(line.split()[1])
        elif not guest and line.startswith("Pss:"):
            pss += int(line.split()[1])
    return rss / 1024, pss / 1024


def start_figures(lab, *options):
    with Vm(lab, *options) as vm:
        vm.order("")
        pids = vm.processes()
        cpus = guest_cpus(pids["machine"])
        result = {"cpu_ms": cpu_ms(pids["keeper"]) +
                  cpu_ms(pids["machine"], cpus)}
        for name, pid in pids.items():
            rss, pss = beyond_guest_mib(pid)
            result[name + "_rss_mib"], result[name + "_pss_mib"] = rss, pss
    return result


def exits_per_mib(lab):
    """Of frames that a guest sends by way of vswd, beyond those of starting
    to. A few of many MiB are its clock's, before and after."""
    db = "--db=unix:" + lab.switches[0].dir + "/db.sock"
    exits = []
    with Vm(lab, db, "--net=br-vsw") as vm:
        vm.order("")
        for frames in FRAMES:
            before = vm.info()["machine"]["exits"]
            vm.order("send,poll,count=%d,size=%d" % (frames, FRAME_SIZE))
            exits.append(vm.info()["machine"]["exits"] - before)
    mib = (FRAMES[1] - FRAMES[0]) * FRAME_SIZE / (1 << 20)
    return {"exits": exits, "frames": FRAMES,
            "exits_per_mib": (exits[1] - exits[0]) / mib}


def lines_of_code():
    out = subprocess.run([ROOT + "/scripts/check-vmm-size"], text=True,
                         stdout=subprocess.PIPE).stdout
    return int(re.search(r"(\d+) lines", out).group(1))


def measure():
    with Lab(switches=(Vsw,), hosts=0) as lab:
        starts = [start_figures(lab) for _ in range(STARTS)]
        median = {key: sorted(start[key] for start in starts)[STARTS // 2]
                  for key in starts[0]}
        return {**median, **exits_per_mib(lab), "lines": lines_of_code()}


def report(result):
    print("\n%-52s %10s %10s" % ("vsw-vmm", "here", "at most"))
    for text, key, form, most in (
            ("CPU time from start to the guest's, ms", "cpu_ms", "%.1f", "8"),
            ("memory beyond the guest's: its process, MiB",
             "machine_rss_mib", "%.1f", "5"),
            ("  shared pages by their share", "machine_pss_mib", "%.1f", ""),
            ("  the keeper's process", "keeper_rss_mib", "%.1f", ""),
            ("  shared pages by their share", "keeper_pss_mib", "%.1f", ""),
            ("exits for a MiB sent through vswd", "exits_per_mib", "%.1f",
             "0"),
            ("lines of C", "lines", "%d", "6000")):
        print("%-52s %10s %10s" % (text, form % result[key], most))
