"""What a guest boots: Debian's cloud kernel, and an initramfs of busybox, some
modules and programs of this machine. Both are made once, into build/vm/.

Nothing is installed: the kernel's package is fetched and unpacked there.
"""
import fcntl
import os
import re
import shutil
import subprocess
import tempfile

from lib import netns
from lib.switch import ROOT

FOLDER = os.path.join(ROOT, "build", "vm")
KERNEL = os.path.join(FOLDER, "vmlinuz")
INITRAMFS = os.path.join(FOLDER, "initramfs.cpio")
COMMAND_LINE = ("console=ttyS0 panic=-1 quiet tsc=reliable no_timer_check "
                "random.trust_cpu=1")
META_PACKAGE = "linux-image-cloud-amd64"
MODULES = ("virtio_pci", "virtio_net", "virtio_console", "8021q", "bonding",
           "openvswitch", "vhost_net", "vxlan", "tun", "bridge", "veth")
PROGRAMS = ("iperf3", "ethtool", "ip")
INIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "init.sh")


def prepare(_=None):
    """Makes what is missing or older than its sources."""
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(KERNEL):
            fetch_kernel()
        if not os.path.exists(INITRAMFS) or \
                os.path.getmtime(INITRAMFS) < newest_source():
            make_initramfs()


def newest_source():
    return max(os.path.getmtime(path) for path in (KERNEL, INIT, __file__))


def kernel_package():
    out = netns.run(["apt-cache", "depends", META_PACKAGE]).stdout
    found = re.search(r"Depends: (linux-image-\S+-cloud-amd64)", out)
    assert found, f"apt knows no {META_PACKAGE}: run apt-get update\n{out}"
    return found.group(1)


def fetch_kernel():
    package = kernel_package()
    print(f"fetching {package}", flush=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        netns.run(["apt-get", "download", "-q", package], cwd=folder,
                  timeout=300)
        deb = next(n for n in os.listdir(folder) if n.endswith(".deb"))
        netns.run(["dpkg", "-x", deb, "tree"], cwd=folder, timeout=120)
        tree = os.path.join(folder, "tree")
        shutil.rmtree(os.path.join(FOLDER, "lib"), ignore_errors=True)
        shutil.move(os.path.join(tree, "lib"), FOLDER)
        image = next(n for n in os.listdir(os.path.join(tree, "boot"))
                     if n.startswith("vmlinuz-"))
        shutil.move(os.path.join(tree, "boot", image), KERNEL)


def module_files(names):
    """Relative to lib/modules/VERSION, the named ones and what they need."""
    base = os.path.join(FOLDER, "lib", "modules")
    version = os.listdir(base)[0]
    netns.run(["depmod", "-b", FOLDER, version])
    needs = {}
    with open(os.path.join(base, version, "modules.dep"),
              encoding="ascii") as file:
        for line in file:
            path, _, others = line.partition(":")
            name = os.path.basename(path).removesuffix(".ko")
            needs[name.replace("-", "_")] = [path] + others.split()
    wanted = set()
    for name in names:
        wanted.update(needs[name])
    return os.path.join(base, version), version, sorted(wanted)


def copy(source, tree, target=None):
    target = tree + (target or source)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copy(source, target)


def add_program(name, tree):
    path = os.path.realpath(shutil.which(name))
    copy(path, tree, f"/usr/bin/{name}")
    for library in re.findall(r"(/\S+) \(0x", netns.run(["ldd", path]).stdout):
        copy(library, tree)


def make_initramfs():
    with tempfile.TemporaryDirectory(dir=FOLDER) as tree:
        fill(tree, MODULES, PROGRAMS)
        pack(tree, INITRAMFS)


def fill(tree, modules, programs):
    """busybox, init, these modules and programs of this machine."""
    os.chmod(tree, 0o755)
    for folder in ("bin", "proc", "sys", "dev", "tmp", "run"):
        os.makedirs(os.path.join(tree, folder))
    copy(shutil.which("busybox"), tree, "/bin/busybox")
    copy(INIT, tree, "/init")
    os.chmod(tree + "/init", 0o755)
    base, version, files = module_files(modules)
    for path in files + ["modules.dep"]:
        copy(os.path.join(base, path), tree, f"/lib/modules/{version}/{path}")
    for name in programs:
        add_program(name, tree)


def pack(tree, target):
    names = subprocess.check_output(["find", ".", "-print0"], cwd=tree)
    # Not compressed: a guest without hardware's help unpacks slowly.
    with open(target + ".new", "wb") as file:
        subprocess.run(
            ["cpio", "--null", "--quiet", "-o", "-H", "newc", "-R", "0:0"],
            input=names, cwd=tree, check=True, stdout=file)
    os.rename(target + ".new", target)
