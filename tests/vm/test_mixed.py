"""One bridge with everything on it: guests on vhost-user, a guest on a tap, a
host of this machine's kernel over veth, and another on a tap of the switch's
own. Each talks with each."""
import itertools
import json

from lib.lab import Host
from lib.netns import ip_batch, wait_until
from lib.testing import equal, test
from lib.traffic import serve_iperf
from vmlib.guest import Guest, Nic, start_all, tap
from vmlib.shell import received_bits
from vmlib.transfer import PORT, make_data, offer, take


class OnHost:
    """A namespace's host, with the words of a guest."""

    def __init__(self, lab, host):
        self.lab = lab
        self.host = host
        self.name = host.namespace.name
        self.data = lab.switch.path(f"{self.name}.data")

    def shell(self, command):
        return self.host.run("sh", "-c", command, timeout=90).stdout

    def make_data(self):
        return self.shell(f"head -c 4194304 /dev/urandom >{self.data}; "
                          f"sha256sum <{self.data}").split()[0]

    def offer(self):
        self.lab.spawn(self.host.namespace, "sh", "-c",
                       f"busybox nc -l -p {PORT} <{self.data} >/dev/null")

    def take(self, address):
        return self.shell(
            f"[ -p {self.data}.hold ] || mkfifo {self.data}.hold; "
            f"for i in $(seq 50); do busybox nc {address} {PORT} "
            f"<>{self.data}.hold >{self.data}.got 2>/dev/null && break; "
            f"sleep 0.2; done; sha256sum <{self.data}.got").split()[0]

    def must_ping(self, address, size):
        self.host.must_ping(address, size=size)

    def serve_iperf(self):
        serve_iperf(self.lab, self.host.namespace)

    def iperf(self, address):
        out = self.host.run("iperf3", "-c", address, "-t", "1", "-J").stdout
        return received_bits(json.loads(out), self.name)


class InGuest:
    """The same of a guest."""

    def __init__(self, guest):
        self.guest = guest
        self.name = guest.name
        self.make_data = lambda: make_data(guest)
        self.must_ping = guest.must_ping
        self.serve_iperf = guest.serve_iperf
        self.iperf = guest.iperf
        self.offer = lambda: offer(guest)
        self.take = lambda address: take(guest, address)


def host_on_tap(lab, name, address):
    """The switch's own namespace, by a port of type tap."""
    lab.switch.ctl("add-port", "br0", name, "--", "set", "Interface", name,
                   "type=tap")
    wait_until(lambda: name in lab.sw_ns.devices(), f"the tap {name} is made")
    ip_batch([f"link set {name} up", f"addr add {address} dev {name}"],
             lab.sw_ns.name)
    return Host(lab.sw_ns, [address])


@test("vhost-user, a guest's tap, veth and a tap of the switch's: each with each",
      only="vsw", timeout=240)
def _(lab):
    lab.start(monitor=False)
    tap(lab, "tap1")
    guests = [Guest(lab, "split", Nic(1, lab.switch.add_vhost("br0", "vh1"))),
              Guest(lab, "packed", Nic(2, lab.switch.add_vhost(
                  "br0", "vh2", listens=False), server=True, packed="on")),
              Guest(lab, "tapped", Nic(3, tap="tap1"))]
    hosts = [lab.host("h1", "10.0.0.4/24"),
             host_on_tap(lab, "own", "10.0.0.5/24")]
    start_all(*guests)
    for i, guest in enumerate(guests, 1):
        guest.address("eth0", f"10.0.0.{i}/24")
    all_ = [InGuest(g) for g in guests] + [OnHost(lab, h) for h in hosts]
    address = {one: f"10.0.0.{i}" for i, one in enumerate(all_, 1)}
    digests = {one: one.make_data() for one in all_}
    for one in all_:
        one.serve_iperf()
    for one, two in itertools.permutations(all_, 2):
        what = f"{one.name} to {two.name}"
        one.must_ping(address[two], size=56)
        one.must_ping(address[two], size=4000)
        two.offer()
        equal(one.take(address[two]), digests[two], f"{what}: the digest")
        one.iperf(address[two])
