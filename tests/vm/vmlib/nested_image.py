"""What the nested machine boots (nested.py): a small initramfs that goes on in
a disk image, and in that our programs, their libraries, and the kernel and
initramfs of the guests inside.

The image is made anew when a program is newer.
"""
import fcntl
import os
import re
import shutil
import tempfile

from lib import netns
from lib.switch import BUILD, ROOT

from . import image

BOOT = os.path.join(image.FOLDER, "nested-boot.cpio")
INNER = os.path.join(image.FOLDER, "nested-inner.cpio")
DISK = os.path.join(image.FOLDER, "nested-root.img")
DISK_SIZE = "600M"
BOOT_MODULES = ("virtio_pci", "virtio_blk", "virtio_console", "virtio_net",
                "8021q")
OUTER_MODULES = BOOT_MODULES + ("kvm_amd", "tun",
                                "veth", "virtio_rng")
INNER_MODULES = ("virtio_pci", "virtio_blk", "virtio_console", "virtio_net",
                 "virtio_rng", "virtio_balloon", "pvpanic_mmio", "8021q",
                 "vmw_vsock_virtio_transport", "button", "evdev")
OURS = ("vswd", "vsw-ctl", "vsw-vmm", "net-tools/relay", "net-tools/sock",
        "vm-guests/guest.elf", "vm-guests/guest.bzimage")
OUTER_PROGRAMS = ("qemu-storage-daemon", "qemu-img", "iperf3", "ethtool", "ip")
INNER_PROGRAMS = ("iperf3", "ethtool")
SOCK = os.path.join(BUILD, "net-tools", "sock")
PASSWD = "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n" \
    "user:x:1000:1000::/tmp:/bin/sh\n"
GROUP = "root:x:0:\nkvm:x:106:user\nnogroup:x:65534:\nuser:x:1000:\n"


def prepare():
    """Makes what is missing or older than its sources."""
    with open(os.path.join(image.FOLDER, "lock"), "w",
              encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for target, modules, programs in (
                (BOOT, BOOT_MODULES, ()),
                (INNER, INNER_MODULES, INNER_PROGRAMS)):
            if is_older(target, image.KERNEL, image.INIT, SOCK, __file__):
                with tempfile.TemporaryDirectory(dir=image.FOLDER) as tree:
                    image.fill(tree, modules, programs)
                    if target == INNER:
                        image.copy(SOCK, tree, "/usr/bin/sock")
                    image.pack(tree, target)
        if is_older(DISK, INNER, *(built(name) for name in OURS)):
            make_disk()


def built(name):
    return os.path.join(BUILD, name)


def is_older(target, *sources):
    return not os.path.exists(target) or \
        os.path.getmtime(target) < max(map(os.path.getmtime, sources))


def libraries(path):
    """Of a program, as ldd says; none of a static one."""
    out = netns.run(["ldd", path], check=False).stdout
    return re.findall(r"(/\S+) \(0x", out)


def add_ours(tree, names=OURS):
    for name in names:
        path = built(name)
        target = f"/usr/bin/{os.path.basename(name)}"
        image.copy(path, tree, target)
        if not name.startswith("vm-guests/"):
            netns.run(["strip", tree + target])
        for library in libraries(path):
            image.copy(library, tree)


def write(tree, path, text):
    os.makedirs(os.path.dirname(tree + path), exist_ok=True)
    with open(tree + path, "w", encoding="ascii") as file:
        file.write(text)


def make_disk():
    with tempfile.TemporaryDirectory(dir=image.FOLDER) as tree:
        image.fill(tree, OUTER_MODULES, OUTER_PROGRAMS)
        add_ours(tree)
        for folder in ("/var/tmp", "/var/lib/vsw", "/root", "/vm"):
            os.makedirs(tree + folder)
        os.symlink("usr/bin/guest.elf", tree + "/guest.elf")
        write(tree, "/is-root", "")
        write(tree, "/etc/passwd", PASSWD)
        write(tree, "/etc/group", GROUP)
        shutil.copy(image.KERNEL, tree + "/vm/vmlinuz")
        shutil.copy(INNER, tree + "/vm/initrd")
        netns.run(["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal",
                   "-E", "lazy_itable_init=1,root_owner=0:0", "-d", tree,
                   DISK + ".new", DISK_SIZE], timeout=120)
    os.rename(DISK + ".new", DISK)
