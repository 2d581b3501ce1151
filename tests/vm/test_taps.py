"""Guests on tap ports: QEMU has the tap, its device is a port."""
from lib.testing import test
from vmlib.guest import Guest, Nic, start_all, tap


@test("two guests on taps and a host reach each other", timeout=120)
def _(lab):
    lab.start()
    tap(lab, "tap1")
    tap(lab, "tap2")
    host = lab.host("h1", "10.0.0.9/24")
    one = Guest(lab, "one", Nic(1, tap="tap1"))
    two = Guest(lab, "two", Nic(2, tap="tap2"))
    start_all(one, two)
    one.address("eth0", "10.0.0.1/24")
    two.address("eth0", "10.0.0.2/24")
    one.must_ping("10.0.0.2")
    host.must_ping("10.0.0.1")
    # Only pings pass Open vSwitch from one device with offloads to another.
    if lab.options.switch == "vsw":
        two.serve_iperf()
        one.iperf("10.0.0.2")
