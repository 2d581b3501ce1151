"""Debian's kernel under vsw-vmm, in a machine that has hardware
virtualisation: QEMU's software CPU (vmlib/nested.py). A guest there takes half a
minute to boot, so each does as much as it can. That CPU is not to be relied on: it
resets itself, or a guest in it, now and then, so `make soak` runs this."""
import json

from lib.testing import contains, equal, test
from vmlib.dhcp import configure
from vmlib.nested import Linux, Machine, wait_until
from vmlib.transfer import make_data

GATEWAY = "10.20.0.1"
ANY_CID = (1 << 32) - 1


TRIES = 3
WINDOWS = 5


def start(machine):
    """It has vswd, and two guests on br0."""
    machine.start().wait()
    start_switch(machine)
    machine.run("vsw-ctl add-br br0 && "
                "vsw-ctl add-segment lab nat 10.20.0.0/24 && "
                "cd /root && qemu-img create -q -f qcow2 base 64M && "
                "qemu-img create -q -f qcow2 -b base -F qcow2 disk && "
                "truncate -s 64M raw && echo 100 >/proc/sys/vm/nr_hugepages")
    one = Linux(machine, "one", "--net br0,tag=10 --net lab --rng --balloon",
                "--vsock 3 --console --disk /root/disk,format=qcow2",
                cpus=2).start()
    two = Linux(machine, "two", "--net br0,tag=10,packed,queues=2",
                "--net br0,trunks=10,20 --hugepages",
                "--disk /root/raw,format=raw,back_end=own", panic=0).start()
    for i, guest in enumerate((one, two), 1):
        guest.wait()
        address(guest, i)
    return one, two


def address(guest, number):
    guest.run(f"ip link set eth0 up; ip addr add 10.0.0.{number}/24 dev eth0")


def start_switch(machine):
    machine.spawn("vswd", "exec vswd --run-dir /run/vsw")
    machine.until("vsw-ctl show", "vswd answers")


def kill_switch(machine):
    machine.run("kill -9 $(pidof vswd)")
    machine.until("! pidof vswd", "vswd is gone")


def ports(machine):
    return machine.run("vsw-ctl list-ports br0").split()


def try_vlans(machine, one, two):
    one.must_ping("10.0.0.2")
    machine.run("vsw-ctl set Port two-net0 tag=20")
    assert not one.ping("10.0.0.2", count=2), "across VLANs"
    machine.run("vsw-ctl set Port two-net0 tag=10")
    one.must_ping("10.0.0.2")


def try_trunk(one, two):
    """VLAN 10 is tagged in the one and not in the other. Two cards of `two` are
    in it then: a neighbour that took one for the other would try for long to
    reach a card that is down after a reboot."""
    one.run("ip addr add 10.1.0.1/24 dev eth0")
    two.run("ip link set eth1 up; vconfig add eth1 10; "
            "ip addr add 10.1.0.2/24 dev eth1.10; ip link set eth1.10 up")
    one.must_ping("10.1.0.2")
    equal(one.who_has("10.0.0.2"), {two.mac("eth0")}, "who has 10.0.0.2")
    equal(one.who_has("10.1.0.2"), {two.mac("eth1")}, "who has 10.1.0.2")


def try_dhcp(one):
    one.run("ip link set eth1 up")
    contains(configure(one, "eth1"), "10.20.0.", "the address from DHCP")
    one.must_ping(GATEWAY)


def try_traffic(one, two):
    """TCP, in frames larger than the MTU, of which the process of the VM sees
    none. It goes on."""
    two.serve_iperf()
    one.run("iperf3 -c 10.0.0.2 -t 1000 >/dev/null 2>&1 &")
    last = wait_until(lambda: moved(one, 1 << 16), "iperf3 sends")
    for _ in range(WINDOWS):
        first = last
        last = wait_until(lambda: moved(one, first["rx_bytes"] + (2 << 20)),
                          "iperf3 sends 2 MiB")
        size = (last["rx_bytes"] - first["rx_bytes"]) / \
            (last["rx_packets"] - first["rx_packets"])
        assert size > 1600, f"{size} bytes a frame"
        exits = last["exits"] - first["exits"]
        # A few belong to what a kernel does at times, and a line on its
        # serial console takes one a character: not in each of them.
        if exits < 20:
            return
    raise AssertionError(f"{exits} exits in 2 MiB")


def moved(one, least):
    """What counters are once eth0 has sent so many bytes."""
    info = json.loads(one.ctl("info"))
    figures = info["ports"]["net0"]["statistics"]
    figures["exits"] = info["machine"]["exits"]
    return figures if figures["rx_bytes"] >= least else None


def try_disk(one):
    """Of /tmp/data, the digest, and it is on the disk."""
    one.run("modprobe virtio_blk; test -b /dev/vda")
    digest = make_data(one)
    one.run("dd if=/tmp/data of=/dev/vda bs=64k conv=fsync; "
            "echo 3 >/proc/sys/vm/drop_caches")
    equal(digest_of_disk(one), digest, "what is on the disk")
    return digest


def digest_of_disk(one):
    return one.run("head -c 4194304 /dev/vda | sha256sum").split()[0]


def try_own_disk(machine, two):
    """A file system, of which what is not in use is not in the file."""
    two.run("modprobe virtio_blk; mke2fs /dev/vda >/dev/null; mkdir -p /mnt; "
            "mount -t ext4 /dev/vda /mnt && "
            "head -c 4194304 /dev/urandom >/mnt/data; sync")
    used = kib_of_file(machine)
    assert used >= 4 << 10, f"{used} KiB"
    two.run("rm /mnt/data; sync; fstrim /mnt && umount /mnt")
    left = kib_of_file(machine)
    assert left <= used - (3 << 10), f"{left} of {used} KiB are left"


def kib_of_file(machine):
    return int(machine.run("du -k /root/raw").split()[0])


def try_sockets(machine, one, digest):
    """A vsock's streams, begun by either side; /tmp/data and its digest."""
    one.run("modprobe vmw_vsock_virtio_transport; "
            f"(sock -l {ANY_CID}:7 </tmp/data >/tmp/in) >/dev/null 2>&1 &")
    data = "head -c 2000000 /vm/vmlinuz"
    wait_until(lambda: machine.run(
        f"(echo CONNECT 7; {data}) | sock {one.directory}/vsock.sock | "
        "tail -n +2 | sha256sum", check=False)[1].split()[0] == digest,
        "what the guest sends comes")
    equal(one.run("while pidof sock >/dev/null; do sleep 0.1; done; "
                  "sha256sum </tmp/in"),
          machine.run(f"{data} | sha256sum"), "what the host sent")

    path = f"{one.directory}/vsock/vsock_8"
    machine.spawn("arrived", f"exec sock -l {path}")
    machine.until(f"chmod 777 {path}", "sock listens")
    one.run("sock 2:8 </tmp/data")
    wait_until(lambda: machine.run("sha256sum </tmp/arrived").split()[0] ==
               digest, "it is with the host")


def try_console(machine, one):
    one.run("(exec sh </dev/hvc0 >/dev/hvc0) 2>/dev/null &")
    machine.until("(echo 'echo is $((6 * 7))'; sleep 1) | timeout 2 sock "
                  f"{one.directory}/hvc0.sock | grep 'is 42'",
                  "a shell on hvc0")


def try_pages(machine, one):
    """What the guest frees goes back to the host, unasked."""
    one.run("mkdir /big; mount -t tmpfs big /big; "
            "dd if=/dev/zero of=/big/file bs=1M count=64 2>/dev/null")
    full = kib_of_guest(machine)
    one.run("umount /big")
    wait_until(lambda: kib_of_guest(machine) <= full - (24 << 10),
               "its memory goes back")


def kib_of_guest(machine):
    """The other guest's is in huge pages, which do not count here."""
    return int(machine.run("sed -n 's/^Shmem: *\\([0-9]*\\).*/\\1/p' "
                           "/proc/meminfo"))


def try_small(one):
    """Entropy and balloon."""
    one.run("modprobe virtio_rng; modprobe virtio_balloon")
    one.run("test $(head -c 16 /dev/hwrng | wc -c) = 16")
    before = memory_kib(one)
    one.ctl("balloon", "32")
    wait_until(lambda: memory_kib(one) <= before - (24 << 10), "it inflates")
    one.ctl("balloon", "0")
    wait_until(lambda: memory_kib(one) >= before - (8 << 10),
               "it deflates")


def memory_kib(guest):
    return int(guest.run("sed -n 's/^MemFree: *\\([0-9]*\\).*/\\1/p' "
                         "/proc/meminfo"))


def try_cards(machine, one):
    one.ctl("add-net", "br0,tag=30")
    wait_until(lambda: one.run("ls -d /sys/class/net/eth2",
                               check=False)[0] == 0, "eth2 is there")
    contains(ports(machine), "one-net2", "br0's ports")
    one.run("ip link set eth2 up")
    for state, carrier in (("down", "0"), ("up", "1")):
        one.ctl("set-link", "net2", state)
        wait_until(lambda c=carrier: one.run(
            "cat /sys/class/net/eth2/carrier").strip() == c,
            f"eth2's link is {state}")
    one.ctl("del-net", "net2")
    wait_until(lambda: one.run("ls -d /sys/class/net/eth2",
                               check=False)[0] != 0, "eth2 is gone")
    wait_until(lambda: "one-net2" not in ports(machine), "its port is gone")


def try_pause(one, two):
    two.ctl("pause")
    equal(two.state(), "paused", "the state")
    assert not one.ping("10.0.0.2", count=2), "it answers, paused"
    two.ctl("resume")
    one.must_ping("10.0.0.2")


def try_killed_switch(machine, one, two):
    """The connection goes on."""
    for _ in range(3):
        kill_switch(machine)
        start_switch(machine)
        one.must_ping("10.0.0.2")
    one.run("pidof iperf3 && killall iperf3")
    two.run("true")


def try_saved(one, digest):
    """Saved and restored: its memory, its disk, its cards."""
    one.ctl("save")
    one.wait_gone()
    one.restore()
    one.must_ping("10.0.0.2")
    equal(one.run("sha256sum </tmp/data").split()[0], digest,
          "what was in memory")
    equal(digest_of_disk(one), digest, "what is on the disk, after a restore")
    one.must_ping(GATEWAY)


def begin_reboot(two):
    two.channel.sendall(b"0 reboot -f\n")


def end_reboot(one, two):
    two.wait()
    address(two, 2)
    one.must_ping("10.0.0.2")


def try_power_button(one):
    """busybox's acpid runs a program."""
    path = "/etc/acpi/PWRF/00000080"
    one.run("modprobe button; modprobe evdev; "
            f"mkdir -p /var/log /var/run {path.rpartition('/')[0]}; "
            f"printf '#!/bin/sh\\npoweroff -f\\n' >{path}; chmod +x {path}; "
            "test -c /dev/input/event0 && (acpid -d >/dev/null 2>&1 &)")

    def pressed():
        """Again, while acpid does not listen yet."""
        one.machine.run(f"vsw-vmm shutdown {one.name}", check=False)
        return one.machine.run(f"test -e {one.directory}/api.sock",
                               check=False)[0] != 0
    wait_until(pressed, "it shuts down", interval=0.5)


def try_panic(machine, two):
    two.run("modprobe pvpanic_mmio")
    two.channel.sendall(b"0 echo c >/proc/sysrq-trigger\n")
    wait_until(lambda: two.state() == "panicked", "it panicked",
               interval=0.2)
    contains(two.explain(), "panicked", "what vsw-vmm says")
    two.ctl("kill")
    two.wait_gone()


@test("Debian's kernel: VLANs, trunk, DHCP, TCP, disks, sockets, consoles, "
      "cards that come and go, pause, vswd killed, reboot, save and restore, "
      "panic", only="vsw", timeout=900, soak=True)
def _(lab):
    for i in range(1, TRIES + 1):
        machine = Machine(lab, f"machine{i}")
        try:
            return try_all(machine)
        except (AssertionError, OSError):
            if i == TRIES or not machine.has_reset():
                raise
            print("    QEMU's processor has reset itself; again")


def try_all(machine):
    one, two = start(machine)
    equal(one.run("nproc").strip(), "2", "CPUs")
    try_vlans(machine, one, two)
    try_trunk(one, two)
    try_own_disk(machine, two)
    try_traffic(one, two)
    try_killed_switch(machine, one, two)
    begin_reboot(two)
    try_dhcp(one)
    digest = try_disk(one)
    try_small(one)
    try_pages(machine, one)
    try_sockets(machine, one, digest)
    try_console(machine, one)
    try_cards(machine, one)
    end_reboot(one, two)
    try_pause(one, two)
    try_saved(one, digest)
    try_panic(machine, two)
    try_power_button(one)
    one.wait_gone()
    equal([p for p in ports(machine) if "net" in p], [], "ports left")
