"""Real stacks: TCP with offloads, UDP, jumbo frames, VLANs between hosts."""
from lib.frame import frame, station
from lib.netns import ip_batch, wait_until
from lib.testing import test
from lib.traffic import iperf, tcp_transfer, udp_exchange


def two_hosts(lab, mtu=None, **columns):
    lab.start(monitor=False)
    a = lab.host("h1", "10.0.0.1/24", "fd00::1/64", mtu=mtu, **columns)
    b = lab.host("h2", "10.0.0.2/24", "fd00::2/64", mtu=mtu, **columns)
    a.must_ping("10.0.0.2")
    a.must_ping("fd00::2")
    return a, b


@test("TCP arrives unchanged with segmentation offload, over IPv4 and IPv6",
      only="vsw")
def _(lab):
    a, b = two_hosts(lab)
    tcp_transfer(a, b, "10.0.0.2")
    tcp_transfer(a, b, "fd00::2")
    tcp_transfer(b, a, "10.0.0.1")


@test("TCP arrives unchanged without any offload")
def _(lab):
    lab.start(monitor=False)
    a = lab.host("h1", "10.0.0.1/24", "fd00::1/64")
    b = lab.host("h2", "10.0.0.2/24", "fd00::2/64")
    for host in (a, b):
        host.run("ethtool", "-K", "eth0", "tx", "off", "rx", "off", "tso",
                 "off", "gso", "off", "gro", "off")
    a.must_ping("10.0.0.2")
    a.must_ping("fd00::2")
    tcp_transfer(a, b, "10.0.0.2", size=2 << 20)
    tcp_transfer(a, b, "fd00::2", size=2 << 20)


@test("large segments pass whole", only="vsw")
def _(lab):
    a, b = two_hosts(lab)
    lab.switch.set("Open_vSwitch", ".",
                   other_config={"stats-update-interval": 1000})
    before = statistics(lab, "h2")
    tcp_transfer(a, b, "10.0.0.2")
    after = statistics(lab, "h2", until=before["tx_bytes"] + (8 << 20))
    packets = after["tx_packets"] - before["tx_packets"]
    octets = after["tx_bytes"] - before["tx_bytes"]
    assert octets / packets > 4000, \
        f"{octets} octets in {packets} packets: segmented on the way"


def statistics(lab, interface, until=0):
    def enough():
        counts = lab.switch.get("Interface", interface, "statistics")
        return counts if counts.get("tx_bytes", 0) >= until else None
    return wait_until(enough, f"statistics of {interface} reach {until}", 20)


@test("checksums and segments are finished for a port that cannot",
      only="vsw")
def _(lab):
    a, b = two_hosts(lab)
    # the switch's end of b's wire refuses offloads; so does the receiver
    lab.sw_ns.run("ethtool", "-K", "h2", "tx", "off", "tso", "off", "gso",
                  "off")
    b.run("ethtool", "-K", "eth0", "rx", "off", "gro", "off")
    tcp_transfer(a, b, "10.0.0.2")
    tcp_transfer(a, b, "fd00::2")
    udp_exchange(a, b, "10.0.0.2", [1, 100, 1472])
    tcp_transfer(b, a, "10.0.0.1")


@test("jumbo frames pass where the MTU is 9000")
def _(lab):
    lab.start(monitor=False)
    a = lab.host("h1", "10.0.0.1/24", mtu=9000)
    lab.host("h2", "10.0.0.2/24", mtu=9000)
    a.must_ping("10.0.0.2", size=8972, extra=("-M", "do"))


@test("TCP arrives unchanged between jumbo hosts", only="vsw")
def _(lab):
    a, b = two_hosts(lab, mtu=9000)
    tcp_transfer(a, b, "10.0.0.2")
    tcp_transfer(a, b, "fd00::2")


@test("datagrams of all sizes arrive unchanged, also in fragments",
      only="vsw")
def _(lab):
    a, b = two_hosts(lab)
    sizes = [0, 1, 2, 100, 1471, 1472, 1473, 3000, 20000, 60000]
    udp_exchange(a, b, "10.0.0.2", sizes)
    udp_exchange(a, b, "fd00::2", sizes)


@test("iperf3 runs over TCP, IPv4 and IPv6, and over UDP", only="vsw")
def _(lab):
    a, b = two_hosts(lab)
    for address in ("10.0.0.2", "fd00::2"):
        rate = iperf(lab, a, b, address)
        print(f"TCP {address}: {rate / 1e9:.2f} Gbit/s")
    iperf(lab, a, b, "10.0.0.2", "-u", "-b", "50M")
    iperf(lab, a, b, "fd00::2", "-u", "-b", "50M")
    iperf(lab, a, b, "10.0.0.2", "-R")
    iperf(lab, a, b, "10.0.0.2", "-P", "4")


@test("TCP arrives unchanged over a tagged wire between two bridges",
      only="vsw")
def _(lab):
    lab.start("br0", "br1", monitor=False)
    ip_batch(["link add name t0 type veth peer name t1", "link set t0 up",
              "link set t1 up"], lab.sw_ns.name)
    lab.kept_devices |= {"t0", "t1"}
    lab.switch.ctl("add-port", "br0", "t0", "trunks=10", "--",
                   "add-port", "br1", "t1", "trunks=10")
    a = lab.host("h1", "10.0.0.1/24", "fd00::1/64", tag=10)
    b = lab.host("h2", "10.0.0.2/24", "fd00::2/64", bridge="br1", tag=10)
    a.must_ping("10.0.0.2")
    a.must_ping("fd00::2")
    tcp_transfer(a, b, "10.0.0.2")
    tcp_transfer(b, a, "fd00::1")
    udp_exchange(a, b, "10.0.0.2", [1, 1472, 20000])
    iperf(lab, a, b, "10.0.0.2")


@test("hosts of one VLAN ping each other, of two VLANs never")
def _(lab):
    lab.start(monitor=False)
    a = lab.host("h1", "10.0.0.1/24", "fd00::1/64", tag=10)
    lab.host("h2", "10.0.0.2/24", "fd00::2/64", tag=10)
    lab.host("h3", "10.0.0.3/24", "fd00::3/64", tag=20)
    a.must_ping("10.0.0.2")
    a.must_ping("fd00::2")
    assert not a.ping("10.0.0.3", count=3), "the ping crosses VLANs"
    assert not a.ping("fd00::3", count=3), "the ping crosses VLANs"


@test("two workers forward as one does", only="vsw", slow=True)
def _(lab):
    lab.start(monitor=False)
    lab.switch.set("Open_vSwitch", ".", other_config={"n-workers": 2})
    hosts = [lab.host(f"h{i}", f"10.0.0.{i}/24", f"fd00::{i}/64")
             for i in range(1, 5)]
    hosts[0].must_ping("10.0.0.2")
    hosts[2].must_ping("fd00::4")
    tcp_transfer(hosts[0], hosts[1], "10.0.0.2")
    tcp_transfer(hosts[2], hosts[3], "fd00::4")
    iperf(lab, hosts[0], hosts[3], "10.0.0.4", "-P", "4")
    lab.switch.set("Open_vSwitch", ".", other_config={"n-workers": 1})
    tcp_transfer(hosts[1], hosts[2], "10.0.0.3")


@test("a hundred ports on one bridge: each reaches each", slow=True)
def _(lab):
    lab.start().ports({f"p{i}": {} for i in range(100)})
    sent = [(f"p{i}", frame(src=station(i + 1))) for i in (0, 50, 99)]
    lab.check(sent, {f"p{i}": [f for sender, f in sent
                               if sender != f"p{i}"] for i in range(100)})
    back = frame(station(100), station(1))
    lab.check([("p0", back)], {"p99": [back]})
