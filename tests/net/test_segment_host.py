"""What a segment has of the host, in a running switch."""
import socket

from lib.hostnet import Echo, connect, receive_all
from lib.netns import wait_until
from lib.switch import BUILD
from lib.testing import contains, equal, test


def addresses(lab, device):
    out = lab.sw_ns.run("ip", "-br", "addr", "show", "dev", device,
                        check=False).stdout
    return [word for word in out.split() if word.startswith(("10.", "fd30::"))
            and not word.endswith("::/64")]


def exchange(s, data=b"question"):
    with s:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        equal(receive_all(s), data, "what came back")


@test("on a host-only segment the host has its address, come what may",
      only="vsw")
def _(lab):
    lab.start()
    lab.switch.vsw_ctl("add-segment", "quiet", "host-only", "10.30.0.0/24")
    lab.kept_devices |= {"quiet"}

    def has(*wanted):
        wait_until(lambda: set(wanted) <= set(addresses(lab, "quiet")),
                   lambda: f"{wanted} in {addresses(lab, 'quiet')}")

    has("10.30.0.1/24")
    machine = lab.host("a", "10.30.0.21/24", bridge="quiet")
    machine.must_ping("10.30.0.1")
    lab.sw_ns.run("ip", "link", "del", "quiet")
    has("10.30.0.1/24")
    wait_until(lambda: machine.run("ping", "-c", "1", "-W", "1", "10.30.0.1",
                                   check=False).returncode == 0,
               "the new device answers")
    lab.switch.vsw_ctl("set-segment", "quiet", "host-address=10.30.0.7")
    has("10.30.0.7/24")
    assert "10.30.0.1/24" not in addresses(lab, "quiet")
    lab.switch.vsw_ctl("del-segment", "quiet")
    wait_until(lambda: not addresses(lab, "quiet"), "it is gone")


@test("a port of the host leads to a machine, also for the host's programs",
      only="vsw")
def _(lab):
    lab.start()
    lab.switch.vsw_ctl("add-segment", "lab", "nat", "10.20.0.0/24")
    machine = lab.host("a", "10.20.0.21/24", bridge="lab")
    machine.run("ip", "route", "add", "default", "via", "10.20.0.1")
    machine.must_ping("10.20.0.1")
    with (Echo(machine.namespace, 4, "10.20.0.21", 22) as echo,
          Echo(lab.sw_ns, 4, "127.0.0.1", 2223)):
        lab.switch.vsw_ctl("add-forward", "lab", "tcp", "2222",
                           "10.20.0.21:22")
        exchange(connect(lab.sw_ns, 4, "127.0.0.1", 2222))
        equal(echo.peers, ["10.20.0.1"], "who called")
        lab.sw_ns.run(f"{BUILD}/vsw-ctl", "--run-dir",
                      lab.switch.directory, "add-forward", "lab", "tcp",
                      "127.0.0.1:2223", "10.20.0.21:22", check=False)
        contains(lab.switch.vsw_ctl("list-forwards", "lab").stdout,
                 "TCP port 2223 of the host is used by another program",
                 "the list")
        # The host's loopback is not reached, and that is said at once.
        try:
            connect(machine.namespace, 4, "10.20.0.1", 2223).close()
        except ConnectionRefusedError:
            return
        raise AssertionError("port 2223 of the gateway is not refused")
