"""Guests that libvirt starts, with `<interface type='vhostuser'>`."""
import os

from lib.testing import equal, test
from vmlib.guest import Guest, Nic, start_all
from vmlib.libvirt import RUN, USER, LibvirtGuest
from vmlib.transfer import fetch, make_data


def owned_by_qemu(lab):
    """A directory in which libvirt's QEMU can make its sockets."""
    path = lab.switch.path("sockets")
    os.mkdir(path)
    os.chown(path, USER, 0)
    return path


@test("libvirt's vhostuser interfaces, as client and as server", only="vsw",
      timeout=240)
def _(lab):
    if RUN is None:
        print("skipped: libvirt-daemon-driver-qemu is not installed")
        return
    lab.start(monitor=False)
    client = lab.switch.add_vhost(
        "br0", "vh1", interface={"options": {"socket-owner": USER}})
    server = os.path.join(owned_by_qemu(lab), "vh2")
    lab.switch.add_vhost("br0", "vh2", listens=False, interface={
        "options": {"vhost-server-path": server}})
    other = lab.switch.add_vhost("br0", "vh3")
    host = lab.host("h1", "10.0.0.9/24", "10.0.1.9/24")
    one = LibvirtGuest(lab, "one", Nic(1, client, queues=2),
                       Nic(2, server, server=True), cpus=2)
    two = Guest(lab, "two", Nic(3, other))
    start_all(one, two)
    equal(one.user(), USER, "the user whose QEMU is")
    for i in (0, 1):
        one.address(f"eth{i}", f"10.0.{i}.1/24")
        two.address("eth0", f"10.0.{i}.2/24")
        host.must_ping(f"10.0.{i}.1", count=5)
        one.must_ping(f"10.0.{i}.2", size=4000)
    digests = {guest: make_data(guest) for guest in (one, two)}
    for i in (0, 1):
        fetch(one, two, f"10.0.{i}.2", digests[two], f"to card {i}")
        fetch(two, one, f"10.0.{i}.1", digests[one], f"from card {i}")
    lab.switch.kill()
    lab.switch.start()
    for i in (0, 1):
        host.must_ping(f"10.0.{i}.1", timeout=30, count=5)
