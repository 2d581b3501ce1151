"""A guest that is a switch's host: vswd runs in it, on Debian's kernel, which
is older than most that this project is built on; hosts are namespaces in the
guest. What it boots is made anew when a program is newer.
"""
import fcntl
import json
import os
import tempfile

from lib import netns

from . import image, nested_image
from .guest import Guest

INITRAMFS = os.path.join(image.FOLDER, "switch.cpio")
MODULES = ("virtio_pci", "virtio_net", "virtio_console", "8021q", "veth",
           "tun", "bridge", "sch_ingress", "cls_bpf")
PROGRAMS = ("iperf3", "ip", "tc", "setpriv")
OURS = ("vswd", "vsw-ctl")
PATIENCE = 60
# busybox's shell prefers those of its own, which know less
IP = "/usr/bin/ip"
TC = "/usr/bin/tc"


def prepare():
    with open(os.path.join(image.FOLDER, "lock"), "w",
              encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not nested_image.is_older(INITRAMFS, image.KERNEL, image.INIT,
                                     __file__,
                                     *map(nested_image.built, OURS)):
            return
        with tempfile.TemporaryDirectory(dir=image.FOLDER) as tree:
            image.fill(tree, MODULES, PROGRAMS)
            nested_image.add_ours(tree, OURS)
            os.makedirs(tree + "/run/vsw")
            os.makedirs(tree + "/var")
            os.symlink("../run", tree + "/var/run")
            image.pack(tree, INITRAMFS)


class SwitchGuest(Guest):
    """Of a lab whose own switch need not be started."""

    def __init__(self, lab, name="switch", memory=384):
        super().__init__(lab, name, memory=memory, initrd=INITRAMFS)

    def start(self):
        prepare()
        return super().start()

    def wait(self):
        super().wait()
        # Frames that the stack makes by itself would be in the way.
        self.run("for m in veth tun sch_ingress cls_bpf; do modprobe $m; done;"
                 " echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6;"
                 " echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6")
        return self

    def until(self, command, what, timeout=PATIENCE):
        """Returns the command's output once it succeeds."""
        def succeeds():
            status, out = self.run(command, check=False)
            return (out or True) if status == 0 else None
        return netns.wait_until(succeeds, lambda: f"{what}: {self.explain()}",
                                timeout, interval=0.1)

    def start_switch(self, capabilities=None):
        """With all capabilities, or those named and no other."""
        limit = "" if capabilities is None else \
            "/usr/bin/setpriv --bounding-set -all" + "".join(
                f",+{name}" for name in capabilities)
        self.run(f"exec {limit} vswd --run-dir /run/vsw "
                 ">>/run/vswd.out 2>&1 &")
        self.until("vsw-ctl show", "vswd answers")

    def end_switch(self, signal):
        self.run(f"kill -{signal} $(pidof vswd)")
        self.until("! pidof vswd", "vswd ends")

    def host(self, name, address, bridge="br0"):
        """A namespace with eth0, whose other end is a port of that name."""
        self.run(f"{IP} netns add {name} && {IP} netns exec {name} sh -c "
                 "'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6' && "
                 f"{IP} link add {name} type veth peer eth0 netns {name} && "
                 f"{IP} link set {name} up && "
                 f"{IP} -n {name} addr add {address}/24 dev eth0 && "
                 f"{IP} -n {name} link set eth0 up && "
                 f"vsw-ctl add-port {bridge} {name}")

    def port_stats(self, port):
        """{counter: number} of a port."""
        return json.loads(self.run(
            f"vsw-ctl --format=json port/stats {port}"))[port]

    def status(self, interface):
        """Of the fast path: "yes", or "no: why"; None when nothing is said."""
        out = self.run("vsw-ctl --format=json --data=json --columns=status "
                       f"list Interface {interface}")
        return dict(json.loads(out)["data"][0][0][1]).get("kernel-fast-path")

    def wait_fast(self, *interfaces):
        """Each says that it is on the fast path."""
        for name in interfaces:
            netns.wait_until(lambda n=name: self.status(n), lambda n=name:
                             f"{n} has a status: {self.explain()}", PATIENCE)
            assert self.status(name) == "yes", \
                f"{name}: {self.status(name)}\n{self.explain()}"

    def explain(self):
        return "\n".join(map(self.look, (
            "uname -r", "tail -n 40 /run/vswd.out", "vsw-ctl port/stats",
            "vsw-ctl fdb/show br0", "vsw-ctl fastpath/show",
            f"{IP} -s link", "dmesg | tail -n 20")))
