"""The kernel's fast path with Debian's kernel 6.1: its verifier takes the
programs, and they hang at clsact filters, as it has no tcx yet."""
import re

from lib.testing import contains, equal, test
from vmlib.switch_guest import IP, TC, SwitchGuest


def fast(guest, port):
    """Frames of the port that took the fast path, in and out."""
    stats = guest.port_stats(port)
    return stats["fast_path_rx_packets"], stats["fast_path_tx_packets"]


def ping_some(guest, count=20):
    out = guest.run(f"{IP} netns exec h1 ping -q -c {count} -i 0.01 -W 5 "
                    "10.0.0.2")
    contains(out, f"{count} packets received", "ping")


def try_fast_path(guest):
    """What is known goes by it, and is counted once."""
    guest.until(f"{IP} netns exec h1 ping -q -c 1 -W 1 10.0.0.2",
                "h1 pings h2")
    before = {port: guest.port_stats(port) for port in ("h1", "h2")}
    ping_some(guest)
    after = {port: guest.port_stats(port) for port in ("h1", "h2")}
    for port in ("h1", "h2"):
        more = {key: after[port][key] - before[port][key]
                for key in after[port]}
        # and ARP, perhaps
        for key in ("fast_path_rx_packets", "fast_path_tx_packets"):
            assert 20 <= more[key] <= 24, f"{port}: {key}: {more}"
        for way in ("rx", "tx"):
            equal(more[f"{way}_packets"], more[f"fast_path_{way}_packets"],
                  f"{port}: all of {way}")


def try_tcp(guest):
    before = fast(guest, "h1")[0]
    guest.run(f"{IP} netns exec h2 iperf3 -s -D >/dev/null 2>&1")
    out = guest.until(f"{IP} netns exec h1 iperf3 -c 10.0.0.2 -n 16M",
                      "iperf3 from h1 to h2")
    contains(out, "receiver", "iperf3")
    assert fast(guest, "h1")[0] > before + (16 << 20) // 65536, \
        "TCP by the fast path"


def filters(guest, device):
    """Of BPF, at the device's ingress."""
    return guest.run(f"{TC} filter show dev {device} ingress").count(
        "direct-action")


def try_killed(guest):
    """Not a frame is lost by a kill and a new start."""
    guest.run(f"{IP} netns exec h1 ping -q -i 0.02 -W 5 10.0.0.2 "
              ">/run/ping 2>&1 & echo $! >/run/ping.pid")
    guest.end_switch("KILL")
    for port in ("h1", "h2"):
        equal(filters(guest, port), 1, f"{port}: filters of a killed vswd")
    ping_some(guest)
    guest.start_switch()
    guest.until("vsw-ctl --format=json port/stats h1 | grep -q "
                "'fast_path_rx_packets\": [1-9]'",
                "the fast path is taken over")
    ping_some(guest)
    guest.run("kill -INT $(pidof ping)")
    out = guest.until("grep loss /run/ping", "ping ends")
    sent, received = map(int, re.findall(r"(\d+) packets", out)[:2])
    assert sent > 20 and received >= sent - 1, f"by a kill: {out}"
    for port in ("h1", "h2"):
        equal(filters(guest, port), 1, f"{port}: filters when taken over")


def try_capabilities(guest):
    """The verifier is stricter with who may not look into the kernel."""
    guest.start_switch(("bpf", "net_admin", "net_raw"))
    guest.wait_fast("h1", "h2")
    try_fast_path(guest)
    guest.end_switch("TERM")


@test("the fast path with kernel 6.1: traffic, kill -9, a clean stop",
      only="vsw", timeout=180)
def _(lab):
    guest = SwitchGuest(lab).start().wait()
    contains(guest.run("uname -r"), "6.1.", "the guest's kernel")
    guest.start_switch()
    guest.run("vsw-ctl add-br br0")
    for number in (1, 2):
        guest.host(f"h{number}", f"10.0.0.{number}")
    guest.wait_fast("h1", "h2")
    for port in ("h1", "h2"):
        equal(filters(guest, port), 1, f"{port}: filters")
    try_fast_path(guest)
    try_tcp(guest)
    try_killed(guest)
    guest.end_switch("TERM")
    for port in ("h1", "h2"):
        equal(filters(guest, port), 0, f"{port}: filters after a clean stop")
        equal(guest.run(f"{TC} qdisc show dev {port}").count("clsact"), 0,
              f"{port}: clsact after a clean stop")
    try_capabilities(guest)
