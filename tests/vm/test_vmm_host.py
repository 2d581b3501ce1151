"""vsw-vmm's processes, files and ports, whatever happens to them, with small
guests of our own on this machine."""
import contextlib
import os
import signal
import time

from lib.netns import run, wait_until
from lib.testing import contains, equal, test
from test_vmm_metal import image
from vmlib.vmm import Vm, ports

KEPT = {"vm.json", "lock", "machine.log", "serial.log", "vsock", "state.json",
        "memory"}


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
