"""Guests on a NAT network: all that they know of it they have from DHCP."""
import json

from lib.netns import ip_batch, wait_until
from lib.testing import contains, equal, test
from lib.traffic import serve_iperf
from vmlib.dhcp import configure
from vmlib.guest import Guest, Nic, start_all, tap
from vmlib.shell import received_bits
from vmlib.transfer import fetch, make_data, offer, take

GATEWAY = "10.20.0.1"
BEYOND = "198.51.100.9"
UPLINK = ("outside=wan", "outside-address=192.0.2.5/24",
          "outside-gateway=192.0.2.1")


class Beyond:
    """A namespace's address that a guest reaches, with the words of one."""

    def __init__(self, lab, namespace):
        self.lab = lab
        self.namespace = namespace
        self.data = lab.switch.path("beyond.data")

    def run(self, command, timeout=60):
        command = command.replace("/tmp/", self.data + ".")
        return self.namespace.run("sh", "-c", command.replace(
            "nc ", "busybox nc "), timeout=timeout).stdout


def both_ways(guest, beyond, address):
    """Large transfers through the gateway, compared at their ends."""
    digest = make_data(beyond)
    offer(beyond)
    equal(take(guest, address), digest, "what the guest got")
    server = serve_iperf(beyond.lab, beyond.namespace, "-1", "-B", address)
    guest.iperf(address)
    server.wait(20)


@test("guests on a NAT network: DHCP, names, both outsides, a forward",
      only="vsw", timeout=240)
def _(lab):
    lab.start("wan", monitor=False)
    lab.switch.ctl("add-segment", "lab", "nat", "10.20.0.0/24")
    tap(lab, "tap2", bridge="lab")
    one = Guest(lab, "vm1", Nic(1, lab.switch.add_vhost("lab", "vm1")))
    two = Guest(lab, "vm2", Nic(2, tap="tap2"))
    # beyond the host for its own sockets, beyond the uplink otherwise
    ip_batch([f"addr add {BEYOND}/32 dev lo"], lab.sw_ns.name)
    provider = lab.host("wan0", "192.0.2.1/24", bridge="wan")
    ip_batch([f"addr add {BEYOND}/32 dev lo"], provider.namespace.name)
    start_all(one, two)
    addresses = [configure(guest) for guest in (one, two)]

    one.must_ping(GATEWAY)
    one.must_ping("vm2.lab")
    contains(two.run(f"nslookup vm1.lab {GATEWAY}"), addresses[0],
             "the name of the other")
    fetch(one, two, addresses[1], make_data(two), "from guest to guest")

    for guest in (one, two):
        guest.must_ping(BEYOND)
        both_ways(guest, Beyond(lab, lab.sw_ns), BEYOND)
    lab.switch.ctl("set-segment", "lab", *UPLINK)
    for guest in (one, two):
        guest.must_ping(BEYOND)
        both_ways(guest, Beyond(lab, provider.namespace), BEYOND)

    lab.switch.ctl("add-forward", "lab", "tcp", "5001",
                   f"{addresses[0]}:5201")
    one.serve_iperf()
    out = provider.run("iperf3", "-c", "192.0.2.5", "-p", "5001", "-t", "1",
                       "-J").stdout
    received_bits(json.loads(out), "through the forward")
    wait_until(lambda: "5001" in lab.switch.app("nat/show", "lab"),
               "the forward's session is shown")
