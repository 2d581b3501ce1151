"""A segment whose machines, or whose configuration, leave it no peace."""
import random
import socket
import struct

from lib.netns import wait_until
from lib.segment_vm import Machine, add_segment
from lib.testing import equal, test

GATEWAY = "10.20.0.1"


def csum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def syn(macs, source, port):
    """To the name service; nobody will answer what it answers."""
    src, dst = socket.inet_aton(source), socket.inet_aton(GATEWAY)
    tcp = struct.pack("!HHIIBBHHH", port, 53, 1, 0, 0x50, 2, 65535, 0, 0)
    right = csum(src + dst + struct.pack("!HH", 6, len(tcp)) + tcp)
    tcp = tcp[:16] + struct.pack("!H", right) + tcp[18:]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0x4000, 64, 6, 0, src,
                     dst)
    ip = ip[:10] + struct.pack("!H", csum(ip)) + ip[12:]
    return macs + b"\x08\0" + ip + tcp


def macs_to_gateway(machine):
    """Destination and source of what it sends there."""
    machine.host.must_ping(GATEWAY)
    line = machine.run("ip", "neigh", "show", GATEWAY).stdout
    return b"".join(bytes.fromhex(mac.replace(":", ""))
                    for mac in (line.split()[4], machine.host.mac))


def megabytes_of(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file
                    if line.startswith("VmRSS")) >> 10


@test("connections to the name service that nobody completes give way",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    add_segment(lab)
    bad, good = Machine(lab, "vm1"), Machine(lab, "vm2")
    bad.dhclient()
    address = good.dhclient()
    macs = macs_to_gateway(bad)
    equal(good.short("+tcp", "vm2.lab"), address, "before")
    with bad.host.namespace.packet_socket("eth0") as sock:
        sock.setblocking(True)
        for i in range(20000):
            sock.send(syn(macs, f"10.20.0.{200 + i % 50}", 1024 + i // 50))
    wait_until(lambda: good.short("+tcp", "vm2.lab") == address,
               "the other machine's question is answered")
    used = megabytes_of(lab.switch.process)
    assert used < 1000, f"{used} MB for connections that are half open"


# One of these at a time, while machines send.
CHANGES = (
    ("set-segment", "lab", "outside=host"),
    ("set-segment", "lab", "outside=wan", "outside-address=192.0.2.5/24",
     "outside-gateway=192.0.2.1"),
    ("set-segment", "lab", "nat-sessions=1024"),
    ("set-segment", "lab", "nat-sessions=4096"),
    ("set-segment", "lab", "isolated=true"),
    ("set-segment", "lab", "isolated=false"),
    ("set-segment", "lab", "mtu=1400"),
    ("set-segment", "lab", "mtu="),
    ("set-segment", "lab", "dns=false"),
    ("set-segment", "lab", "dns=true"),
    ("--may-exist", "add-forward", "lab", "tcp", "2222", "10.20.0.21:22"),
    ("--if-exists", "del-forward", "lab", "tcp", "2222"),
    ("--may-exist", "add-segment", "other", "nat", "10.21.0.0/24",
     "outside=wan", "outside-address=192.0.2.6/24"),
    ("--if-exists", "del-segment", "other"),
    ("--may-exist", "add-segment", "third", "internal", "10.22.0.0/24"),
    ("--if-exists", "del-segment", "third"),
    ("--if-exists", "del-port", "lab", "vm3"),
    ("set", "Open_vSwitch", ".", "other_config:n-workers=1"),
    ("set", "Open_vSwitch", ".", "other_config:n-workers=2"),
)
SENDING = """
import itertools, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in itertools.count():
    to = (sys.argv[1 + i % (len(sys.argv) - 1)], 1 + i % 99)
    try:
        s.sendto(b"x" * (i * 37 % 3000), to)
    except OSError:
        pass
"""


@test("anything may change while machines send", only="vsw")
def _(lab):
    lab.start("wan", monitor=False)
    lab.host("wan0", "192.0.2.1/24", bridge="wan")
    add_segment(lab)
    machines = [lab.host(f"vm{i}", f"10.20.0.{20 + i}/24", bridge="lab")
                for i in (1, 2)]
    for m in machines:
        m.run("ip", "route", "add", "default", "via", GATEWAY)
        m.must_ping(GATEWAY)
    senders = [lab.spawn(m.namespace, "python3", "-c", SENDING, GATEWAY,
                         "192.0.2.1", "192.0.2.77", "10.20.0.99",
                         "10.20.0.22", "10.20.0.21") for m in machines]
    order = random.Random(5)
    for _ in range(3):
        for change in order.sample(CHANGES, len(CHANGES)):
            lab.switch.vsw_ctl(*change, check=False)
            lab.switch.app("segment/show", check=False)
    for sender in senders:
        sender.kill()
        sender.wait()
    lab.switch.vsw_ctl("set-segment", "lab", "outside=host",
                       "isolated=false", "dns=true")
    wait_until(lambda: machines[0].ping(machines[1].ip), "they are joined")
    for m in machines:
        m.must_ping(GATEWAY)
    lab.switch.vsw_ctl("del-segment", "lab")
    wait_until(lambda: "segment lab" not in lab.switch.app("segment/show"),
               "it is gone")
