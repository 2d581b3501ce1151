"""Debian's kernel under vsw-vmm, in a machine that has hardware
virtualisation: QEMU's software CPU (vmlib/nested.py)."""
from lib.testing import test
from vmlib.nested import Linux, Machine


@test("frame", only="vsw", timeout=200)
def _(lab):
    machine = Machine(lab).start().wait()
    one = Linux(machine, "one", cpus=2).start()
    one.wait()
    import time
    t = time.time()
    out = one.run("cat /proc/cpuinfo; dmesg; cat /proc/interrupts; ls /sys/bus/pci/devices /sys/bus/acpi/devices; cat /proc/uptime")
    open("/tmp/guests_linux_out", "w").write(out)
    one.ctl("shutdown")
