"""Debian's kernel under vsw-vmm, in a machine that has hardware
virtualisation: QEMU's software CPU (vmlib/nested.py). A guest there takes half a
minute to boot, so each does as much as it can."""
from lib.netns import wait_until
from lib.testing import contains, equal, test
from vmlib.dhcp import configure
from vmlib.nested import Linux, Machine
from vmlib.transfer import make_data

GATEWAY = "10.20.0.1"
IPERF = "iperf3 -c 10.0.0.2 -n 4M >/tmp/iperf 2>&1"


def start(lab):
    """A machine with vswd in it, and two guests on br0."""
    machine = Machine(lab).start().wait()
    start_switch(machine)
    machine.run("vsw-ctl add-br br0 && "
                "vsw-ctl add-segment lab nat 10.20.0.0/24 && "
                "qemu-img create -q -f qcow2 /root/disk 64M")
    one = Linux(machine, "one", "--net br0,tag=10 --net lab --rng --balloon",
                "--disk /root/disk,format=qcow2", cpus=2).start()
    two = Linux(machine, "two", "--net br0,tag=10,packed,queues=2",
                panic=0).start()
    for i, guest in enumerate((one, two), 1):
        guest.wait()
        guest.run(f"ip link set eth0 up; ip addr add 10.0.0.{i}/24 dev eth0")
    return machine, one, two


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


def try_dhcp(one):
    one.run("ip link set eth1 up")
    contains(configure(one, "eth1"), "10.20.0.", "the address from DHCP")
    one.must_ping(GATEWAY)


def try_traffic(one, two):
    two.serve_iperf()
    # Kicks and interrupts leave vsw-vmm alone: its exits belong to the shell
    # on the serial port, and a few to what a kernel does at times.
    shell = exits_of(one, two, "true; : " + IPERF)
    exits = exits_of(one, two, IPERF)
    assert exits < shell + 60, f"{exits} exits, {shell} without traffic"
    bits = one.iperf("10.0.0.2", seconds=2)
    assert bits > 1e6, f"{bits} bit/s"


def exits_of(one, two, command):
    before = one.exits() + two.exits()
    one.run(command)
    return one.exits() + two.exits() - before


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
    one.run("iperf3 -c 10.0.0.2 -t 1000 >/dev/null 2>&1 &")
    for _ in range(2):
        kill_switch(machine)
        start_switch(machine)
        one.must_ping("10.0.0.2", timeout=30)
    one.run("pidof iperf3 && killall iperf3")
    two.run("true")


def try_saved(one, digest):
    """Saved and restored: its memory, its disk, its cards."""
    one.ctl("save")
    one.wait_gone()
    one.restore()
    one.must_ping("10.0.0.2", timeout=30)
    equal(one.run("sha256sum </tmp/data").split()[0], digest,
          "what was in memory")
    equal(digest_of_disk(one), digest, "what is on the disk, after a restore")
    one.must_ping(GATEWAY)


def try_panic(machine, two):
    two.run("modprobe pvpanic_mmio")
    two.channel.sendall(b"0 echo c >/proc/sysrq-trigger\n")
    wait_until(lambda: two.state() == "panicked", "it panicked",
               interval=0.2)
    contains(two.explain(), "panicked", "what vsw-vmm says")
    two.ctl("kill")
    two.wait_gone()


@test("Debian's kernel: VLANs, DHCP, iperf3, disk, cards that come and go, "
      "pause, vswd killed, save and restore, panic", only="vsw", timeout=400)
def _(lab):
    machine, one, two = start(lab)
    equal(one.run("nproc").strip(), "2", "CPUs")
    try_vlans(machine, one, two)
    try_dhcp(one)
    digest = try_disk(one)
    try_small(one)
    try_cards(machine, one)
    try_pause(one, two)
    try_traffic(one, two)
    try_killed_switch(machine, one, two)
    try_saved(one, digest)
    try_panic(machine, two)
    one.channel.sendall(b"0 poweroff -f\n")
    one.wait_gone()
    equal([p for p in ports(machine) if "net" in p], [], "ports left")
