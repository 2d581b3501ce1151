"""Guests of our own under vsw-vmm on this machine: they drive each device
themselves, keep to the rules or break them all."""
import hashlib
import os
import signal
import socket

from lib.netns import run, wait_until
from lib.testing import contains, equal, test
from vmlib.vmm import BZIMAGE, Vm, ports

RINGS = ("", ",event", ",packed,event,indirect", ",packed")


def image(lab, name, mib=4):
    path = os.path.join(lab.directory, name)
    with open(path, "wb") as file:
        file.truncate(mib << 20)
    return path


@test("a kernel starts by PVH and by the boot protocol, and powers off",
      only="vsw")
def _(lab):
    initrd = os.path.join(lab.directory, "initrd")
    with open(initrd, "wb") as file:
        file.write(b"x" * 12345)
    one = Vm(lab, "pvh", "info pci wait", "--initrd", initrd, "--cpus=2",
             memory="100M").start()
    two = Vm(lab, "bz", "info pci wait", "--initrd", initrd,
             kernel=BZIMAGE).start()
    for vm, by, mib in ((one, "PVH", 100), (two, "boot protocol", 64)):
        text = vm.finish().serial()
        contains(text, f"booted by {by}", "the guest")
        contains(text, "command line: info pci wait\n", "the guest")
        contains(text, "initrd 12345 bytes", "the guest")
        usable = sum(
            int(line.split()[1].split("-")[1], 16) -
            int(line.split()[1].split("-")[0], 16)
            for line in text.splitlines()
            if line.startswith("memory ") and line.endswith("type 1"))
        assert 0 <= (mib << 20) - usable < 1 << 20, f"{usable} bytes\n{text}"


@test("entropy, console, balloon and the timer", only="vsw")
def _(lab):
    vm = Vm(lab, "small", "wait rng rng,packed,event,indirect balloon touch,"
            "mib=8 console", "--rng", "--balloon", "--console",
            memory="128M").start()
    vm.expect("waiting for the balloon")
    vm.ctl("balloon", "32")
    vm.expect("inflated by 8192 pages")
    vm.expect("ok touch")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as console:
        console.settimeout(20)
        console.connect(vm.path("hvc0.sock"))
        equal(hear(console, 21), b"hello from the guest\n", "the console")
        console.sendall(b"one")
        equal(hear(console, 3), b"one", "what the console says back")
        console.sendall(b"\n")
    vm.finish()


def hear(sock, length):
    data = b""
    while len(data) < length:
        part = sock.recv(length - len(data))
        assert part, f"the console ended after {data}"
        data += part
    return data


@test("sockets between host and guest", only="vsw")
def _(lab):
    vm = Vm(lab, "sockets", "shell", "--vsock=7").start()
    vm.expect("> ")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(vm.path("vsock/vsock_80"))
        os.chmod(vm.path("vsock/vsock_80"), 0o666)
        server.listen(1)
        server.settimeout(10)
        for rings in RINGS:
            vm.tell(f"vsock,cid=7{rings}")
            with server.accept()[0] as one:
                one.settimeout(10)
                equal(one.recv(100), b"hello from the guest\n", "the guest")
                one.sendall(b"hello from the host")
                equal(one.recv(100), b"", "its end")
            vm.expect("waiting for a call")
            with socket.socket(socket.AF_UNIX) as one:
                one.settimeout(10)
                one.connect(vm.path("vsock.sock"))
                one.sendall(b"CONNECT 1000\n")
                contains(one.recv(100).decode(), "OK ", "the answer")
                one.sendall(b"one, two")
                equal(one.recv(100), b"one, two", "the echo")
                one.shutdown(socket.SHUT_WR)
                equal(one.recv(100), b"", "its end")
            vm.expect("ok vsock")
    vm.end()


def try_disk(lab, options, rings):
    path = image(lab, "disk")
    vm = Vm(lab, "disk", " ".join(
        f"blk{flags},seed={i},at={100 * i}" for i, flags in enumerate(rings)) +
        f" blkload{rings[-1]} blk,keep,seed=77,at=1000",
        "--disk", f"{path},format=raw{options}").start().finish()
    with open(path, "rb") as file:
        file.seek(1000 * 512)
        data = file.read(32 * 512)
    again = Vm(lab, "disk", "blk,check,seed=77,at=1000 blk,ro", "--disk",
               f"{path},format=raw,read_only{options}").start()
    again.finish()
    contains(vm.serial(), "disk of 8192 sectors", "the guest")
    return hashlib.sha256(data).digest()


@test("a raw disk of our own back end, all kinds of rings", only="vsw")
def _(lab):
    one = try_disk(lab, ",back_end=own", RINGS)
    two = try_disk(lab, ",back_end=own,direct", RINGS[:1])
    equal(one, two, "what is in the file")


@test("disks that qemu-storage-daemon serves: raw and qcow2", only="vsw")
def _(lab):
    try_disk(lab, "", ("", ",event", ",event,indirect"))
    path = os.path.join(lab.directory, "qcow2")
    run(["qemu-img", "create", "-q", "-f", "qcow2", path, "64M"])
    vm = Vm(lab, "qcow", "blk,keep,seed=5,at=70000", "--disk",
            f"{path},format=qcow2").start().finish()
    contains(vm.serial(), "disk of 131072 sectors", "the guest")
    out = run(["qemu-img", "check", path]).stdout
    contains(out, "No errors", "qemu-img")


def start_answer(lab, name, ip, options, rings=""):
    vm = Vm(lab, name, f"answer,ip={ip}{rings} shell", "--net",
            options).start()
    vm.expect("answering")
    return vm


@test("guests reach each other on one VLAN, and not across VLANs",
      only="vsw")
def _(lab):
    lab.start()
    host = lab.host("h1", "10.0.0.9/24", tag=10)
    vms = [start_answer(lab, "one", "10.0.0.1", "br0,tag=10"),
           start_answer(lab, "two", "10.0.0.2", "br0,tag=10,packed,client",
                        ",packed"),
           start_answer(lab, "far", "10.0.0.3", "br0,tag=20,back_end=tap")]
    host.must_ping("10.0.0.1", count=5)
    host.must_ping("10.0.0.2", count=5, size=1400)
    asks = Vm(lab, "asks", "ping,ip=10.0.0.4,to=10.0.0.1 "
              "ping,ip=10.0.0.4,to=10.0.0.2,size=1400,packed "
              "ping,ip=10.0.0.4,to=10.0.0.3,silent",
              "--net", "br0,tag=10,packed").start()
    asks.finish()
    equal(len(ports(lab)), 3, "ports of VMs")
    one = next(p for p in ports(lab) if "one" in p)
    ids = lab.switch.get("Interface", one, "external_ids")
    assert ids["attached-mac"].startswith("08:00:27:"), ids
    equal(ids["vm-name"], "one", "vm-name")
    for vm in vms:
        vm.ctl("kill")
        wait_until(lambda vm=vm: vm.process.poll() is not None, "it ends")
    wait_until(lambda: not ports(lab), "the ports are gone")


@test("vswd is killed and started again: the guests' cards go on",
      only="vsw")
def _(lab):
    lab.start()
    host = lab.host("h1", "10.0.0.9/24")
    start_answer(lab, "one", "10.0.0.1", "br0")
    start_answer(lab, "two", "10.0.0.2", "br0,packed,client", ",packed")
    for _ in range(2):
        host.must_ping("10.0.0.1", count=5)
        host.must_ping("10.0.0.2", count=5)
        lab.switch.kill()
        lab.switch.start()
    host.must_ping("10.0.0.1", count=5)
    host.must_ping("10.0.0.2", count=5)


@test("cards come and go, cables too; reset and the power button",
      only="vsw")
def _(lab):
    lab.start()
    host = lab.host("h1", "10.0.0.9/24")
    vm = Vm(lab, "plug", "shell").start()
    vm.expect("> ")
    vm.tell("plug")
    vm.expect("waiting for a card")
    vm.ctl("add-net", "br0")
    vm.expect(r"slot \d+ has a device of type 1")
    vm.expect("> ")
    vm.tell("answer,ip=10.0.0.1,count=3")
    vm.expect("answering")
    host.must_ping("10.0.0.1", count=3)
    vm.expect("> ")
    for state in ("down", "up"):
        if state == "up":
            vm.tell("link,up")
            vm.expect("waiting for the link")
        vm.ctl("set-link", "net0", state)
        if state == "down":
            vm.do("link,down")
    vm.expect("> ")
    vm.tell("unplug")
    vm.expect("waiting for a card to go")
    vm.ctl("del-net", "net0")
    vm.expect("ok unplug")
    wait_until(lambda: not ports(lab), "the port is gone")
    vm.tell("reset")
    vm.expect("guest started")
    vm.expect("> ")
    vm.ctl("reset")
    vm.expect("guest started")
    vm.expect("> ")
    vm.tell("button")
    vm.expect("waiting for the button")
    vm.ctl("shutdown")
    vm.expect("ok button")
    vm.tell("")
    vm.finish()


@test("paused, saved and restored, again and again", only="vsw")
def _(lab):
    lab.start()
    host = lab.host("h1", "10.0.0.9/24")
    vm = Vm(lab, "saved", "touch,mib=8 answer,ip=10.0.0.1,count=40 shell",
            "--rng", "--net", "br0").start()
    vm.expect("answering")
    host.must_ping("10.0.0.1", count=3)
    vm.ctl("pause")
    assert not host.ping("10.0.0.1"), "it answers, paused"
    vm.ctl("resume")
    host.must_ping("10.0.0.1", count=3)
    mac = host.namespace.ip("neigh", "show", "10.0.0.1").split("lladdr ")[1]
    vm.ctl("save")
    vm.wait_end()
    equal(ports(lab), {}, "ports that are left")
    for _ in range(2):
        vm.start("restore", vm.name)
        host.must_ping("10.0.0.1", count=3)
        equal(host.namespace.ip("neigh", "show", "10.0.0.1").split(
            "lladdr ")[1].split()[0], mac.split()[0], "its address")
        vm.end()
        equal(ports(lab), {}, "ports that are left")
    vm.start("restore", vm.name)
    while "> " not in vm.serial():
        host.ping("10.0.0.1", count=5)
    vm.expect("> ")
    vm.do("rng")
    vm.tell("")
    vm.finish()


@test("kill -9 of either process leaves nothing behind", only="vsw")
def _(lab):
    lab.start()
    path = image(lab, "disk")
    for which in ("keeper", "machine"):
        vm = Vm(lab, "dies", "answer,ip=10.0.0.1 shell", "--net", "br0",
                "--disk", f"{path},format=raw").start()
        vm.expect("answering")
        pids = {"keeper": vm.keeper_pid(), "machine": vm.machine_pid()}
        os.kill(pids[which], signal.SIGKILL)
        wait_until(lambda vm=vm, pids=pids: not vm.is_running() and
                   not os.path.exists(f"/proc/{pids['machine']}"),
                   f"{which} killed: both end")
        wait_until(lambda: not ports(lab), f"{which} killed: no port is left")
        left = run(["pgrep", "-f", f"qemu-storage-daemon.*{vm.directory}"],
                   check=False).stdout
        equal(left, "", f"{which} killed: storage daemons")
        equal(sorted(set(os.listdir(vm.directory)) -
                     {"vm.json", "lock", "machine.log", "serial.log",
                      "ended.json"}), [],
              f"{which} killed: files that are left")


HOSTILE = ("hostile-config hostile-bars hostile-ports hostile-rings"
           " hostile-rings,seed=2,packed,event,indirect,if-offered rng blk "
           "ping,ip=10.0.0.7,to=10.0.0.9 wait")


# The disk that qemu-storage-daemon serves is not tried: that gives a connection
# up whose guest broke the ring.
@test("a guest that breaks every rule harms nobody but itself", only="vsw",
      timeout=180)
def _(lab):
    lab.start()
    host = lab.host("h1", "10.0.0.9/24")
    other = start_answer(lab, "other", "10.0.0.1", "br0")
    host.must_ping("10.0.0.1")
    own, served = image(lab, "own"), image(lab, "served")
    vm = Vm(lab, "bad", HOSTILE,
            "--net", "br0", "--net", "br0,packed", "--rng", "--balloon",
            "--console", "--vsock=7", "--disk",
            f"{own},format=raw,back_end=own", "--disk",
            f"{served},format=raw", memory="64M").start()
    vm.finish(timeout=80)
    host.must_ping("10.0.0.1")
    other.end()


@test("two CPUs break every rule at once, while the VM is told what to do",
      only="vsw", timeout=180)
def _(lab):
    lab.start()
    for seed in (1, 2):
        own, served = image(lab, "own"), image(lab, "served")
        vm = Vm(lab, "storm", f"hostile-cpus,seed={seed},ms=4000", "--cpus=2",
                "--net", "br0", "--net", "br0,packed,queues=2,client",
                "--net", "br0,back_end=tap", "--rng", "--balloon",
                "--console", "--vsock=7", "--disk",
                f"{own},format=raw,back_end=own", "--disk",
                f"{served},format=raw", memory="64M").start()
        vm.expect("two CPUs run")
        for i in range(12):
            for words in (("pause",), ("resume",), ("balloon", str(i)),
                          ("set-link", "net0", "down"), ("add-net", "br0"),
                          ("set-link", "net0", "up"),
                          ("del-net", f"net{i % 4}"),
                          ("reset",) if i % 4 == 3 else ("info",)):
                if vm.is_running():
                    vm.ctl(*words, check=False)
        vm.expect("ok hostile-cpus", 60)
        vm.finish()
    wait_until(lambda: not ports(lab), "the ports are gone")


@test("a guest that panics is told of", only="vsw")
def _(lab):
    vm = Vm(lab, "panics", "shell").start()
    vm.expect("> ")
    vm.tell("panic")
    wait_until(lambda: "panicked" in vm.said(), "vsw-vmm says so")
    equal(vm.info()["state"], "panicked", "its state")
    vm.end()


@test("what cannot be started is told in one line", only="vsw")
def _(lab):
    lab.start()
    disk = image(lab, "disk")
    text = os.path.join(lab.directory, "text")
    with open(text, "w", encoding="ascii") as file:
        file.write("no kernel\n" * 1000)
    holder = Vm(lab, "holder", "shell", "--disk", f"{disk},format=raw").start()
    holder.expect("> ")
    for i, (options, words) in enumerate((
            (["--kernel", text], "kernel"),
            (["--kernel", "/nowhere"], "No such file"),
            (["--initrd", "/nowhere"], "No such file"),
            (["--initrd", image(lab, "large", 100)], "initrd"),
            (["--net", "br9"], "br9"),
            (["--net", "br0,tag=9999"], "tag"),
            (["--disk", f"{disk},format=raw"], "use"),
            (["--disk", f"{disk},format=raw,back_end=own"], "use"),
            (["--disk", disk], "format"),
            (["--disk", f"{text}.qcow2,format=qcow2"], "qcow2"),
            (["--memory", "1000G"], "memory"),
            (["--cpus", "1000"], "cpus"),
            (["--append", "x" * 70000], "command line"))):
        vm = Vm(lab, f"not{i}", "wait", *options).start()
        vm.process.wait(20)
        lines = vm.said().splitlines()
        assert vm.process.returncode not in (0, None) and \
            vm.process.returncode > 0, f"{options}: status 0\n{vm.said()}"
        equal(len(lines), 1, f"{options}: lines of {lines}")
        contains(lines[0], words, f"{options}: the message")
        assert not os.path.exists(vm.directory), f"{options}: a directory"
    equal(ports(lab), {}, "ports that are left")
    holder.end()
