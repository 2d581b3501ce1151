"""Two guests with a card for each kind of ring, on vhost-user ports."""
from lib.testing import equal, test
from lib.traffic import serve_iperf
from vmlib.guest import Guest, Nic, start_all
from vmlib.transfer import fetch, make_data

OFFLOAD_BITS = {0, 1, 7, 8, 9, 10, 11, 12, 13, 14, 15}
F_MRG_RXBUF, F_MQ, F_RING_PACKED = 15, 22, 34
NO_OFFLOADS = dict.fromkeys(
    ("csum", "gso", "guest_csum", "guest_tso4", "guest_tso6", "guest_ecn",
     "guest_ufo", "host_tso4", "host_tso6", "host_ecn", "host_ufo"), "off")
KINDS = [(packed, mergeable, queues) for packed in (False, True)
         for mergeable in (True, False) for queues in (1, 2)]


def on(value):
    return "on" if value else "off"


def describe(kind):
    packed, mergeable, queues = kind
    return (f"{'packed' if packed else 'split'}, mrg_rxbuf {on(mergeable)}, "
            f"{queues} queue pairs")


def cards(lab, name, number):
    """A card of each kind; every other one's socket is its monitor's own."""
    nics = []
    for i, (packed, mergeable, queues) in enumerate(KINDS):
        path = lab.switch.add_vhost("br0", f"{name}{i}", listens=i % 2 == 0,
                                    tag=10 + i)
        nics.append(Nic(number + i, path, server=i % 2 == 1, queues=queues,
                        packed=on(packed), mrg_rxbuf=on(mergeable)))
    return nics


def check_negotiated(guest):
    for i, (packed, mergeable, queues) in enumerate(KINDS):
        bits = guest.negotiated(i)
        equal((F_RING_PACKED in bits, F_MRG_RXBUF in bits, F_MQ in bits),
              (packed, mergeable, queues > 1),
              f"{guest.name}, eth{i}: packed, mrg_rxbuf, mq")
        if queues > 1:
            guest.run(f"ethtool -L eth{i} combined {queues}")


def try_pair(one, two, net, what, digests):
    """Small, large and fragmented echoes, bytes in both directions."""
    for size in (0, 56, 1472, 4000):
        one.must_ping(f"10.0.{net}.2", size=size)
    fetch(one, two, f"10.0.{net}.2", digests[two], what)
    fetch(two, one, f"10.0.{net}.1", digests[one], what)


@test("split and packed, mergeable or not, one and two queue pairs",
      timeout=240)
def _(lab):
    lab.start(monitor=False)
    # A ring that is not mergeable takes 16 MiB for its buffers.
    one = Guest(lab, "one", *cards(lab, "a", 0x10), cpus=2, memory=640)
    two = Guest(lab, "two", *cards(lab, "b", 0x20), cpus=2, memory=640)
    host = lab.host("h1", "10.0.0.9/24", tag=10)
    start_all(one, two)
    for guest in (one, two):
        check_negotiated(guest)
    digests = {guest: make_data(guest) for guest in (one, two)}
    for i, kind in enumerate(KINDS):
        one.address(f"eth{i}", f"10.0.{i}.1/24")
        two.address(f"eth{i}", f"10.0.{i}.2/24")
        try_pair(one, two, i, describe(kind), digests)
    host.must_ping("10.0.0.1")
    host.must_ping("10.0.0.2", size=4000)
    # Each with the kind that is most unlike it.
    last = len(KINDS) - 1
    for i, kind in enumerate(KINDS):
        two.run(f"ip addr flush dev eth{i}")
        lab.switch.set("Port", f"b{i}", tag=10 + last - i)
        two.address(f"eth{i}", f"10.0.{last - i}.2/24")
    for i, kind in enumerate(KINDS):
        one.run(f"ip neigh flush dev eth{i}")
        two.run(f"ip neigh flush dev eth{last - i}")
        try_pair(one, two, i,
                 f"{describe(kind)} with {describe(KINDS[last - i])}", digests)


def offload_guests(lab, **features):
    """One card each: all offloads in `one`, as told in `two`."""
    lab.start(monitor=False)
    guests = []
    for name, number, told in (("one", 1, {}), ("two", 2, features)):
        path = lab.switch.add_vhost("br0", name + "p")
        guests.append(Guest(lab, name, Nic(number, path, **told)))
    start_all(*guests)
    for i, guest in enumerate(guests, 1):
        guest.address("eth0", f"10.0.0.{i}/24", f"fd00::{i}/64")
    return guests


# Open vSwitch's DPDK build has no segmentation unless told to.
@test("iperf3 with segmentation offload and without", only="vsw", timeout=120)
def _(lab):
    one, two = offload_guests(lab)
    host = lab.host("h1", "10.0.0.9/24", "fd00::9/64")
    two.serve_iperf()
    server = serve_iperf(lab, host.namespace)
    for state in ("on", "off"):
        for guest in (one, two):
            guest.run(f"ethtool -K eth0 tso {state} gso {state}")
        for address in ("10.0.0.2", "fd00::2"):
            one.must_ping(address)
            one.iperf(address)
            one.iperf(address, options="-R")
            one.iperf(address, options="-u -b 50M -l 1400")
        one.must_ping("10.0.0.9")
        one.iperf("10.0.0.9")
        one.iperf("10.0.0.9", options="-R")
    server.kill()


@test("a guest without any offload gets finished frames", timeout=120)
def _(lab):
    one, two = offload_guests(lab, mrg_rxbuf="off", **NO_OFFLOADS)
    equal(two.negotiated(0) & OFFLOAD_BITS, set(), "offloads of two")
    digests = {guest: make_data(guest) for guest in (one, two)}
    for net, size in (("10.0.0.", 4000), ("fd00::", 4000)):
        one.must_ping(net + "2", size=size)
        fetch(one, two, net + "2", digests[two], "from none to all")
        fetch(two, one, net + "1", digests[one], "from all to none")


@test("VLANs of the guest itself, with offloads, to an access port",
      timeout=120)
def _(lab):
    one, two = offload_guests(lab)
    host = lab.host("h1", "10.50.0.9/24", tag=50)
    digests = {guest: make_data(guest) for guest in (one, two)}
    for net, vid in ((50, 50), (94, 4094)):
        for i, guest in enumerate((one, two), 1):
            guest.run(f"ip link add link eth0 name eth0.{vid} type vlan id "
                      f"{vid} && ip link set eth0.{vid} up")
            guest.address(f"eth0.{vid}", f"10.{net}.0.{i}/24")
        one.must_ping(f"10.{net}.0.2", size=4000)
        for sink, source, last in ((one, two, 2), (two, one, 1)):
            fetch(sink, source, f"10.{net}.0.{last}", digests[source],
                  f"VLAN {vid}")
    host.must_ping("10.50.0.1")
    lab.switch.set("Port", "twop", trunks=[0, 50])
    one.must_ping("10.50.0.2")
    assert not one.ping("10.94.0.2"), "VLAN 4094 is not filtered"
