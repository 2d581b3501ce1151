"""vsw-vmm's processes, files and ports, whatever happens to them, with small
guests of our own on this machine."""
import contextlib
import json
import os
import pty
import select
import signal
import socket
import subprocess
import termios
import time

from lib.netns import run, wait_until
from lib.testing import contains, equal, test
from test_vmm_metal import image
from vmlib.vmm import Vm, ports

KEPT = {"vm.json", "lock", "machine.log", "serial.log", "vsock", "state.json",
        "memory", "ended.json", "disks.json"}


def processes(vm):
    return run(["pgrep", "-af", f"{vm.home}|{vm.name} "], check=False).stdout


def left(lab, vm):
    """What a VM that has ended leaves and ought not to."""
    files = os.listdir(vm.directory) if os.path.exists(vm.directory) else []
    return [*(set(files) - KEPT), *ports(lab), *processes(vm).splitlines()]


def killed(lab, vm, what, *names):
    """Kills them in this order; nothing is left soon."""
    pids = [vm.process.pid if name == "keeper" else vm.child_pid(name)
            for name in names]
    for pid in filter(None, pids):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not vm.is_running(), lambda: f"{what}: it ends")
    assert vm.process.returncode in (1, -signal.SIGKILL), \
        f"{what}: status {vm.process.returncode}\n{vm.said()}"
    wait_until(lambda: not left(lab, vm),
               lambda: f"{what}: {left(lab, vm)} are left\n{vm.said()}")


def all_devices(lab, name):
    return Vm(lab, name, "shell", "--net", "br0", "--net", "br0,client",
              "--net", "br0,back_end=tap", "--vsock=7", "--disk",
              f"{image(lab, 'disk')},format=raw")


@test("kill -9 of the keeper at any time of a start", only="vsw")
def _(lab):
    lab.start()
    for ms in (0, 5, 10, 15, 20, 30, 40, 60, 90, 150):
        vm = all_devices(lab, "starts").start()
        time.sleep(ms / 1000)
        killed(lab, vm, f"after {ms} ms", "keeper")


@test("kill -9 of each process and of two at once", only="vsw")
def _(lab):
    lab.start()
    daemon = "qemu-storage-daemon"
    for names in (("vsw-vmm",), (daemon,), ("vsw-vmm", daemon),
                  (daemon, "vsw-vmm"), ("vsw-vmm", "keeper"),
                  (daemon, "keeper"), ("vsw-vmm-reaper", "vsw-vmm")):
        vm = all_devices(lab, "runs").start()
        vm.expect("> ")
        killed(lab, vm, f"{names}", *names)


@test("ports of a killed keeper and reaper go with the next start, or rm",
      only="vsw")
def _(lab):
    lab.start()
    for command in ("run", "rm"):
        vm = all_devices(lab, "both").start()
        vm.expect("> ")
        pids = vm.child_pid("vsw-vmm-reaper"), vm.process.pid
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda vm=vm: not vm.is_running(), "it ends")
        equal(len(ports(lab)), 3, "ports that are left")
        if command == "run":
            vm = Vm(lab, "both", "shell").start()
            vm.expect("> ")
            equal(ports(lab), {}, "ports while it runs without cards")
            vm.end()
        else:
            wait_until(lambda vm=vm: vm.ctl("rm", check=False).returncode == 0,
                       "it is removed")
            equal(ports(lab), {}, "ports after rm")
            assert not os.path.exists(vm.directory)


@test("kill -9 while a card is added", only="vsw")
def _(lab):
    lab.start()
    for name in ("vsw-vmm", "keeper"):
        for ms in (5, 12, 15, 18, 22, 40):
            vm = Vm(lab, "adds", "shell").start()
            vm.expect("> ")
            lab.spawn(lab.sw_ns, *vm.argv("add-net", vm.name, "br0"))
            time.sleep(ms / 1000)
            killed(lab, vm, f"{name} after {ms} ms", name)


@test("kill -9 at saving and restoring: what was saved stays whole",
      only="vsw")
def _(lab):
    lab.start()
    vm = Vm(lab, "saved", "touch,mib=150 shell", "--net", "br0",
            memory="256M").start()
    vm.expect("> ")
    vm.ctl("save")
    vm.wait_end()
    for name in ("vsw-vmm", "keeper"):
        for ms in (10, 60, 150, 300):
            vm.start("restore", vm.name)
            if name != "keeper":
                wait_until(lambda: vm.child_pid("vsw-vmm"), "it begins")
            time.sleep(ms / 1000)
            killed(lab, vm, f"restoring, {name} after {ms} ms", name)
        for ms in (10, 60, 150):
            vm.start("restore", vm.name)
            wait_until(lambda: vm.ctl("set-link", "net0", "up",
                                      check=False).returncode == 0, "it runs")
            for _ in range(2):
                lab.spawn(lab.sw_ns, *vm.argv("save", vm.name))
            time.sleep(ms / 1000)
            killed(lab, vm, f"saving, {name} after {ms} ms", name)
    vm.start("restore", vm.name)
    wait_until(lambda: vm.ctl("pause", check=False).returncode == 0, "it runs")
    vm.ctl("resume")
    vm.tell("")
    vm.finish()


@test("a disk is one VM's, or only read, by whatever serves it", only="vsw")
def _(lab):
    path = image(lab, "disk")
    kinds = [(f"{path},format=raw{end}{mode}", mode)
             for end in ("", ",back_end=own") for mode in ("", ",read_only")]
    for mine, my_mode in kinds:
        one = Vm(lab, "one", "shell", "--disk", mine).start()
        one.expect("> ")
        for its, its_mode in kinds:
            two = Vm(lab, "two", "shell", "--disk", its).start()
            if my_mode and its_mode:
                two.expect("> ")
                two.end()
            else:
                two.wait_end(1)
                contains(two.said(), "in use", f"{its} beside {mine}")
        one.process.kill()
        again = Vm(lab, "one", "shell", "--disk", kinds[0][0]).start()
        again.expect("> ")
        again.end()


@test("a start without a database fails at once, an end waits for it",
      only="vsw")
def _(lab):
    vm = Vm(lab, "away", "shell", "--net", "br0").start()
    vm.wait_end(1, timeout=4)
    contains(vm.said(), "vswd is not running?", "the message")
    assert not os.path.exists(vm.directory)
    plain = Vm(lab, "plain", "shell").start()
    plain.expect("> ")
    plain.process.kill()
    plain.start().expect("> ")  # though the reaper finds no database
    plain.end()
    lab.start()
    vm.start().expect("> ")
    lab.switch.kill()
    assert vm.ctl("add-net", "br0", check=False).returncode
    vm.ctl("kill")
    vm.wait_end()
    contains(vm.said(), "its ports are still on vswd", "the message")
    lab.switch.start()
    wait_until(lambda: not left(lab, vm), lambda: f"{left(lab, vm)} are left")


@test("a card that could not be added leaves no trace", only="vsw")
def _(lab):
    lab.start()
    vm = Vm(lab, "refused", "shell", "--net", "br0").start()
    vm.expect("> ")
    for net in ("br9", "br0,tag=5000", "br0,id=net0", "br0,id=api",
                f"br0,mac={vm.info()['config']['nets'][0]['mac']}"):
        done = vm.ctl("add-net", net, check=False)
        equal(len(done.stderr.splitlines()), 1, f"{net}: lines")
        assert done.returncode, f"{net} was added"
        equal(list(ports(lab)), ["refused-net0"], f"ports after {net}")
        assert os.path.exists(vm.path("net0.sock"))
    vm.ctl("kill")
    vm.wait_end()
    equal(vm.said(), "", "what it says")
    equal(left(lab, vm), [], "left")


def heed_signals():
    """What a shell makes its jobs ignore, or nohup: that would be kept to."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def on_terminal(lab, *argv):
    """A process, and both ends of the terminal that it has."""
    user, its = pty.openpty()
    process = subprocess.Popen(lab.sw_ns.argv(argv), stdin=its, stdout=its,
                               stderr=its, preexec_fn=heed_signals)
    lab.processes.append(process)
    return process, user, its


def await_prompt(terminal):
    text = b""
    while b"> " not in text:
        assert select.select([terminal], [], [], 10)[0], f"no prompt: {text}"
        text += os.read(terminal, 4096)


def is_raw(terminal):
    return not termios.tcgetattr(terminal)[3] & termios.ICANON


@test("the terminal is as it was, however a VM or its console ends",
      only="vsw")
def _(lab):
    for end in ("escape", "power", signal.SIGTERM, signal.SIGQUIT, "machine"):
        vm = Vm(lab, "shown", "shell")
        vm.options.remove("--serial=log")
        vm.process, user, its = on_terminal(
            lab, *vm.argv("run", "--name", vm.name, *vm.options))
        await_prompt(user)
        assert is_raw(its)
        if end in ("escape", "power"):
            os.write(user, b"\x1dq" if end == "escape" else b"\n")
        elif end == "machine":
            os.kill(vm.machine_pid(), signal.SIGKILL)
        else:
            vm.process.send_signal(end)
            vm.ctl("kill", check=False)
        vm.process.wait(10)
        assert not is_raw(its), f"raw after {end}"
    vm = Vm(lab, "shown", "shell").start()
    vm.expect("> ")
    for end in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, "escape"):
        console, user, its = on_terminal(lab, *vm.argv("console", vm.name))
        await_prompt(user)
        assert is_raw(its)
        if end == "escape":
            os.write(user, b"\x1dq")
        else:
            console.send_signal(end)
        console.wait(10)
        assert not is_raw(its), f"raw after {end}"
    vm.end()


def ask(vm, text):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(10)
    sock.connect(vm.path("api.sock"))
    sock.sendall(text)
    return sock


@test("requests whose members are missing or wrong are refused", only="vsw")
def _(lab):
    lab.start()
    vm = Vm(lab, "asked", "shell", "--net", "br0", "--balloon").start()
    vm.expect("> ")
    for text, error in ((b'"set-link", "net": "net0"', '"up", true or false'),
                        (b'"set-link", "net": "net0", "up": 1', "true or"),
                        (b'"set-link", "net": 0, "up": true', '"net", a card'),
                        (b'"del-net"', '"net", a card'),
                        (b'"add-net", "net": 7', "not an object"),
                        (b'"balloon", "mib": "4"', '"mib", a number')):
        with ask(vm, b'{"cmd": %s}\n' % text) as sock:
            contains(json.loads(sock.makefile().readline())["error"], error,
                     text)
    vm.end()


@test("hundreds of requests, and clients that read nothing", only="vsw")
def _(lab):
    vm = Vm(lab, "asked", "shell", "--net", "br0")
    lab.start()
    vm.start().expect("> ")
    with ask(vm, b"".join(b'{"id": %d, "cmd": "%s"}\n' %
                          (i, (b"info", b"pause", b"resume", b"?")[i % 4])
                          for i in range(300))) as sock:
        sock.shutdown(socket.SHUT_WR)
        ids = {json.loads(line)["id"] for line in sock.makefile()}
    equal(ids, set(range(300)), "answers")
    deaf = []
    for _ in range(40):
        with contextlib.suppress(ConnectionError):
            deaf.append(ask(vm, b'{"cmd": "info"}\n' * 1000))
    done = vm.ctl("info", check=False)
    equal((done.returncode, len(done.stderr.splitlines())), (1, 1),
          "one more client")
    for sock in deaf:
        sock.close()
    wait_until(lambda: vm.ctl("pause", check=False).returncode == 0, "pause")
    vm.end()


@test("cards that come and go twenty times leave nothing", only="vsw")
def _(lab):
    lab.start()
    vm = Vm(lab, "plugs", "shell", "--net", "br0").start()
    vm.expect("> ")
    files = []
    for _ in range(20):
        vm.tell("plug")
        vm.expect("waiting for a card")
        vm.ctl("add-net", "br0,id=hot")
        vm.expect("> ")
        vm.tell("unplug")
        vm.expect("waiting for a card to go")
        vm.ctl("del-net", "hot")
        vm.expect("> ")
        wait_until(lambda: len(ports(lab)) == 1, "its port is gone")
        files.append([len(os.listdir(f"/proc/{pid}/fd")) for pid in
                      (vm.process.pid, vm.machine_pid())])
    equal(files[-1], files[0], "open files")
    vm.end()
    equal(left(lab, vm), [], "left")


@test("an ordinary user's VM, with cards and a disk, is saved and restored",
      only="vsw")
def _(lab):
    lab.start()
    host = lab.host("h1", "10.0.0.9/24")
    vm = Vm(lab, "users", "answer,ip=10.0.0.1", "--net", "br0",
            "--net", "br0,client", "--vsock=9", "--disk",
            f"{image(lab, 'disk')},format=raw")
    os.makedirs(vm.home)
    for path in (lab.directory, vm.home, os.path.join(lab.directory, "disk"),
                 lab.switch.path("db.sock")):
        os.chmod(path, 0o777)
    os.chmod(os.path.dirname(lab.switch.path("db.sock")), 0o755)
    as_user, argv = ["setpriv", "--reuid=23456", "--regid=23456"], vm.argv

    def start(groups, *words):
        vm.argv = lambda *w: [*as_user, groups, *argv(*w)]
        vm.start(*words)

    start("--clear-groups")
    vm.wait_end(1)
    contains(vm.said(), "/dev/kvm: Permission denied", "without its group")
    assert not os.path.exists(vm.directory)
    start("--groups=kvm")
    vm.expect("answering")
    host.must_ping("10.0.0.1", count=2)
    with open(f"/proc/{vm.machine_pid()}/status", encoding="ascii") as file:
        status = file.read()
    for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000",
                 "NoNewPrivs:\t1", "Seccomp:\t2", "Uid:\t23456"):
        contains(status, line, "its process")
    done = vm.ctl("add-net", "br0,back_end=tap", check=False)
    contains(done.stderr, "CAP_NET_ADMIN", "a tap")
    vm.ctl("save")
    vm.wait_end()
    equal(left(lab, vm), [], "left")
    start("--groups=kvm", "restore", vm.name)
    host.must_ping("10.0.0.1", count=2)
    vm.end()
    equal(left(lab, vm), [], "left")


@test("a saved VM that is damaged, or of another make, is told of",
      only="vsw")
def _(lab):
    vm = Vm(lab, "whole", "shell").start()
    vm.expect("> ")
    vm.ctl("save")
    vm.wait_end()
    for name, changes in (
            ("vm.json", (lambda d: d.replace(b": 64", b": 128"),
                         lambda d: d.replace(b'"nets"', b'"cpus":2,"nets"'),
                         lambda d: d.replace(b'"nets"', b'"rng":true,"nets"'),
                         lambda d: d[:len(d) // 2])),
            ("state.json", (lambda d: b"", lambda d: d[:len(d) // 2])),
            ("memory", (lambda d: b"", lambda d: d[:len(d) // 2]))):
        with open(vm.path(name), "rb") as file:
            good = file.read()
        for change in changes:
            assert change(good) != good, name
            with open(vm.path(name), "wb") as file:
                file.write(change(good))
            done = run(vm.argv("restore", vm.name), check=False)
            equal((done.returncode, len(done.stderr.splitlines())), (1, 1),
                  f"{name}: status and lines of {done.stderr}")
        with open(vm.path(name), "wb") as file:
            file.write(good)
    vm.start("restore", vm.name)
    wait_until(lambda: vm.ctl("pause", check=False).returncode == 0, "it runs")
    vm.end()
