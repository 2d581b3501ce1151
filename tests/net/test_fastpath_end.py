"""The kernel's fast path when vswd ends: what goes on, who takes it over, and
what is removed; and taps that someone moves."""
import contextlib
import json
import os
import re
import signal
import socket
import sys

from lib import fastpath, netns
from lib.fastpath import Watch, programs_at, wait_for_status
from lib.netns import Namespace, ip_batch, wait_until
from lib.testing import contains, equal, test
from test_ports import address

def start(lab, *extra):
    """Two hosts at br0, and the switch's own; they know each other."""
    fastpath.start(lab, monitor=False, *extra)
    lab.host("h1", "10.0.0.1/24")
    lab.host("h2", "10.0.0.2/24")
    address(lab, "br0", "10.0.0.254/24")
    for port in ("h1", "h2", "br0"):
        wait_for_status(lab, port, "yes")
    lab.hosts["h1"].must_ping("10.0.0.2")
    lab.hosts["h1"].must_ping("10.0.0.254")


def described(lab, device="br0"):
    """What of a device must stay: its number and its addresses."""
    text = lab.sw_ns.ip("-o", "addr", "show", device)
    return sorted(re.findall(r"(\d+): (\S+) +inet6? (\S+)", text))


def number_of(lab, device="br0"):
    with lab.sw_ns.entered():
        return socket.if_nametoindex(device)


@contextlib.contextmanager
def loses_nothing(space, target):
    """Pings all the time; at most the last echo is still on its way."""
    process = space.popen("ping", "-n", "-q", "-i", "0.01", "-w", "60", target,
                          stdout=-1, text=True)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        text = process.communicate(timeout=20)[0]
    sent, received = map(int, re.search(
        r"(\d+) packets transmitted, (\d+) received", text).groups())
    assert sent > 5 and sent - received <= 1, text


def by_signal(lab, number=signal.SIGUSR1):
    equal(lab.switch.end(lab.switch.process, "vswd", number), 0,
          "vswd's status")
    lab.switch.process = None


def by_command(lab, option="--keep"):
    lab.switch.vsw_ctl("exit", option)
    equal(lab.switch.process.wait(20), 0, "vswd's status")
    lab.switch.process = None


def by_kill(lab):
    lab.switch.kill()


def check_kernel_alone(lab):
    for source, target in (("h1", "10.0.0.2"), ("h2", "10.0.0.1"),
                           ("h1", "10.0.0.254")):
        assert lab.hosts[source].ping(target, count=3), \
            f"no answers from {target} to {source} without vswd"


@test("known stations reach each other while vswd is replaced or killed, and "
      "lose nothing", only="vsw")
def _(lab):
    start(lab)
    h1 = lab.hosts["h1"].namespace
    before = described(lab)
    for end in (by_signal, by_command, by_kill):
        with loses_nothing(h1, "10.0.0.2"), \
                loses_nothing(lab.sw_ns, "10.0.0.1"):
            end(lab)
            check_kernel_alone(lab)
            lab.switch.start()
            for port in ("h1", "h2", "br0"):
                wait_for_status(lab, port, "yes")
        equal(described(lab), before, "br0")
        for port in ("h1", "h2", "br0"):
            equal(programs_at(lab.sw_ns, port), 1, f"programs at {port}")
        with Watch(lab, "h1", "br0") as watch:
            assert lab.hosts["h1"].ping("10.0.0.254", count=3)
        assert watch.rx["h1"] >= 3 and watch.tx["br0"] >= 3, \
            f"{watch.rx} {watch.tx} by the kernel"


@test("SIGTERM and exit leave no program, no tap and no blocked device",
      only="vsw")
def _(lab):
    start(lab)
    for end, how in ((by_signal, signal.SIGTERM), (by_command, "--cleanup")):
        end(lab, how)
        equal(lab.sw_ns.devices(), ["h1", "h2"], "devices")
        for port in ("h1", "h2"):
            equal(programs_at(lab.sw_ns, port), 0, f"programs at {port}")
        ip_batch(["addr add 10.0.0.253/24 dev h1"], lab.sw_ns.name)
        assert lab.hosts["h1"].ping("10.0.0.253"), "the host is kept away"
        ip_batch(["addr del 10.0.0.253/24 dev h1"], lab.sw_ns.name)
        lab.switch.start()
        wait_for_status(lab, "br0", "yes")
    result = lab.switch.vsw_ctl("exit", "--kept", check=False)
    assert result.returncode and "--kept" in result.stderr, result.stderr


ATTACH = """
import errno, fcntl, struct, sys
for flags in (0x5002, 0x5102):  # a tap with a header, of one queue or of more
    with open("/dev/net/tun", "r+b", buffering=0) as tun:
        try:
            fcntl.ioctl(tun, 0x400454ca,  # TUNSETIFF
                        struct.pack("16sH22x", sys.argv[1].encode(), flags))
            sys.exit("attached")
        except OSError as error:
            print(errno.errorcode[error.errno])
"""


@test("another user may not attach to a tap that a killed vswd has left",
      only="vsw")
def _(lab):
    fastpath.start(lab, monitor=False)
    wait_for_status(lab, "br0", "yes")
    lab.switch.kill()
    said = lab.sw_ns.run("setpriv", "--reuid=65534", "--regid=65534",
                         "--clear-groups", sys.executable, "-c", ATTACH, "br0",
                         check=False)
    equal((said.returncode, sorted(said.stdout.split())),
          (0, ["EINVAL", "EPERM"]), f"attaching: {said.stderr}")
    lab.switch.start()
    wait_for_status(lab, "br0", "yes")


@test("what a killed vswd has left is removed by --clean-up, and by the next "
      "one that does not want it", only="vsw")
def _(lab):
    start(lab)
    lab.switch.ctl("add-port", "br0", "tap1", "--", "set", "Interface",
                   "tap1", "type=tap")
    wait_for_status(lab, "tap1", "yes")
    clean_up = lab.switch.argv() + ["--clean-up"]
    result = lab.sw_ns.run(*clean_up, check=False)
    assert result.returncode, "--clean-up although vswd lives"
    contains(result.stderr, "already running", "--clean-up")
    equal(programs_at(lab.sw_ns, "h1"), 1, "programs at h1")
    lab.switch.kill()
    equal(lab.sw_ns.devices(), ["br0", "h1", "h2", "tap1"], "devices left")
    contains(lab.sw_ns.run(*clean_up).stdout, "4 devices", "--clean-up")
    equal(lab.sw_ns.devices(), ["h1", "h2"], "devices")
    equal((programs_at(lab.sw_ns, "h1"), programs_at(lab.sw_ns, "h2")), (0, 0),
          "programs")
    contains(lab.sw_ns.run(*clean_up).stdout, "0 devices", "a second time")
    assert not os.path.exists(lab.switch.path("vswd.pid")), "the pid file"
    # another configuration: of the ports that were, only h1 is there
    if lab.options.db:
        return
    lab.switch.start()
    wait_for_status(lab, "tap1", "yes")
    lab.switch.kill()
    lab.switch.start(f"--database={lab.switch.path('other.db')}")
    lab.switch.add_bridge("br1")
    wait_until(lambda: lab.sw_ns.devices() == ["br1", "h1", "h2"],
               lambda: f"taps are gone: {lab.sw_ns.devices()}")
    wait_until(lambda: programs_at(lab.sw_ns, "h1") == 0, "programs are gone")


@test("turning the fast path off and on keeps internal ports as they are",
      only="vsw")
def _(lab):
    start(lab)
    before = described(lab)
    for on in (False, True):
        fastpath.switch_to(lab, on)
        wait_for_status(lab, "br0", "yes" if on else "no")
        equal(described(lab), before, "br0")
        equal(programs_at(lab.sw_ns, "br0"), int(on), "programs at br0")
        with Watch(lab, "br0") as watch:
            assert lab.hosts["h1"].ping("10.0.0.254", count=3)
        equal(watch.tx["br0"] >= 3, on, "by the kernel")
        if not on:
            lab.switch.kill()
            wait_until(lambda: "br0" not in lab.sw_ns.devices(), "br0 is gone")
            lab.switch.start()
            wait_until(lambda: "br0" in lab.sw_ns.devices(), "br0 is back")
            address(lab, "br0", "10.0.0.254/24")
            before = described(lab)
    if lab.options.db:
        return
    # turned off while nobody sees it
    lab.switch.kill()
    netns.run(["ovsdb-tool", "transact", lab.switch.path("conf.db"),
               json.dumps(["Open_vSwitch"] + [
                   {"op": "mutate", "table": "Open_vSwitch", "where": [],
                    "mutations": [["other_config", *change]]} for change in (
                        ["delete", ["set", [fastpath.KEY]]],
                        ["insert", ["map", [[fastpath.KEY, "false"]]]])])])
    number = number_of(lab)
    lab.switch.start()
    wait_for_status(lab, "h1", "no")
    wait_for_status(lab, "br0", "no")
    assert number_of(lab) != number, "br0 is the one that was left"
    equal((programs_at(lab.sw_ns, "br0"), programs_at(lab.sw_ns, "h1")), (0, 1),
          "programs")
    with open(lab.switch.path("vswd.log"), encoding="utf-8") as log:
        assert "File exists" not in log.read(), "br0 was in the way"


def add_internal(lab, port="in1"):
    lab.switch.ctl("add-port", "br0", port, "--", "set", "Interface", port,
                   "type=internal")
    address(lab, port, "10.0.0.9/24")
    wait_for_status(lab, port, "yes")


def mac_of(lab, device="in1"):
    return json.loads(lab.sw_ns.ip("-j", "link", "show",
                                   device))[0]["address"]


@test("an internal port that is taken over keeps the MAC address that it was "
      "given on the host, unless its interface says another", only="vsw")
def _(lab):
    start(lab)
    add_internal(lab)
    given, wanted = "02:00:00:00:00:44", "02:00:00:00:00:55"
    ip_batch([f"link set in1 address {given}"], lab.sw_ns.name)
    lab.hosts["h1"].must_ping("10.0.0.9")
    for end in (by_kill, by_signal):
        end(lab)
        lab.switch.start()
        wait_for_status(lab, "in1", "yes")
        equal(mac_of(lab), given, "in1's address")
        lab.hosts["h1"].must_ping("10.0.0.9")
    # nor does another change of its interface set it
    lab.switch.set("Interface", "in1", mtu_request=1400)
    wait_until(lambda: "mtu 1400 " in lab.sw_ns.ip("link", "show", "in1"),
               "in1's MTU")
    equal(mac_of(lab), given, "in1's address with another MTU")
    lab.switch.ctl("set", "Interface", "in1", f'mac="{wanted}"')
    wait_until(lambda: mac_of(lab) == wanted, "in1 has the address wanted")
    ip_batch([f"link set in1 address {given}"], lab.sw_ns.name)
    by_kill(lab)
    lab.switch.start()
    wait_until(lambda: mac_of(lab) == wanted, "in1 has the address wanted")


@test("another switch may have an internal port as its device only when the "
      "first has ended, and takes it then", only="vsw")
def _(lab):
    fastpath.start(lab, monitor=False)
    add_internal(lab)
    other = type(lab.switch)(lab.sw_ns, os.path.join(lab.directory, "two"),
                             lab.options)
    lab.others.append(other)
    other.start()
    other.add_bridge("br9")
    result = other.ctl("add-port", "br9", "in1", check=False)
    contains(result.stderr, "it is a port of another bridge or switch (process "
             f"{lab.switch.process.pid})", "the message")
    lab.switch.kill()
    wait_until(lambda: other.get("Interface", "in1", "error") == [],
               "the second has in1")
    other.stop()
    lab.others.clear()
    lab.switch.start()
    wait_for_status(lab, "in1", "yes")
    equal(lab.switch.get("Interface", "in1", "error"), [], "the error")


@test("internal ports are taken over by more workers, and by fewer",
      only="vsw")
def _(lab):
    fastpath.start(lab, monitor=False)
    for port, workers in (("in1", 1), ("in2", 2)):
        lab.switch.set("Open_vSwitch", ".",
                       other_config={"n-workers": workers})
        lab.switch.ctl("add-port", "br0", port, "--", "set", "Interface", port,
                       "type=internal")
        address(lab, port, f"10.0.{workers}.1/24")
        wait_for_status(lab, port, "yes")
    before = [described(lab, port) for port in ("in1", "in2")]
    for workers in (2, 1):
        lab.switch.set("Open_vSwitch", ".",
                       other_config={"n-workers": workers})
        lab.switch.kill()
        lab.switch.start()
        lab.switch.sync()
        equal([described(lab, port) for port in ("in1", "in2")], before,
              f"the ports with {workers} workers")
        for port in ("in1", "in2"):
            equal(lab.switch.get("Interface", port, "error"), [], "error")
            equal(programs_at(lab.sw_ns, port), 1, f"programs at {port}")


@test("an internal port that was left is made anew by who may not use BPF",
      only="vsw")
def _(lab):
    fastpath.start(lab, monitor=False)
    wait_for_status(lab, "br0", "yes")
    contains(lab.sw_ns.ip("link", "show", "br0"),
             f"alias vsw {lab.switch.directory}", "br0's alias")
    number = number_of(lab)
    lab.switch.kill()
    argv = lab.switch.argv()
    lab.switch.argv = lambda: [
        "capsh", "--drop=cap_bpf,cap_sys_admin", "--", "-c", 'exec "$0" "$@"',
        *argv]
    lab.switch.start()
    wait_for_status(lab, "br0", "no")
    equal(lab.switch.get("Interface", "br0", "error"), [], "error")
    assert number_of(lab) != number, "br0 is the one that was left"
    equal(programs_at(lab.sw_ns, "br0"), 0, "programs at br0")
    assert "alias" not in lab.sw_ns.ip("link", "show", "br0"), "an alias"
    lab.switch.kill()
    equal(lab.sw_ns.devices(), [], "devices")
    lab.switch.start()


@test("a tap that goes to another network namespace leaves the fast path, and "
      "is on it again when it is back", only="vsw")
def _(lab):
    start(lab)
    lab.switch.ctl("add-port", "br0", "in1", "--", "set", "Interface", "in1",
                   "type=internal")
    wait_for_status(lab, "in1", "yes")
    away = Namespace(lab.prefix + "away")
    for _ in range(2):
        ip_batch([f"link set in1 netns {away.name}"], lab.sw_ns.name)
        ip_batch(["addr add 10.0.0.9/24 dev in1", "link set in1 up"],
                 away.name)
        wait_for_status(lab, "in1", "no")
        lab.hosts["h1"].must_ping("10.0.0.9")
        with Watch(lab, "in1") as watch:
            assert lab.hosts["h1"].ping("10.0.0.9", count=3)
        equal((watch.rx, watch.tx), ({"in1": 0}, {"in1": 0}), "by the kernel")
        ip_batch([f"link set in1 netns {lab.sw_ns.name}"], away.name)
        wait_for_status(lab, "in1", "yes")
    # away, it ends with its daemon
    ip_batch([f"link set in1 netns {away.name}"], lab.sw_ns.name)
    wait_for_status(lab, "in1", "no")
    lab.switch.kill()
    wait_until(lambda: not away.devices(), "in1 is gone")
    lab.switch.start()
    wait_until(lambda: "in1" in lab.sw_ns.devices(), "in1 is made anew")
    wait_for_status(lab, "in1", "yes")


@test("a daemon in the background is replaced by SIGUSR1 and another start",
      only="vsw")
def _(lab):
    if lab.options.db:
        lab.switch.start_server()
    argv = lab.switch.argv() + [
        "--detach", f"--log-file={lab.switch.log_file('detached.log')}"]
    pidfile = lab.switch.path("vswd.pid")

    def pid():
        with open(pidfile, encoding="ascii") as file:
            return int(file.read())
    lab.sw_ns.run(*argv)
    try:
        lab.switch.add_bridge("br0")
        wait_for_status(lab, "br0", "yes")
        before = number_of(lab)
        for _ in range(3):
            old = pid()
            os.kill(old, signal.SIGUSR1)
            wait_until(lambda: not os.path.exists(pidfile), "the end")
            lab.sw_ns.run(*argv)
            assert pid() != old, "the same process"
            wait_for_status(lab, "br0", "yes")
            equal(number_of(lab), before, "the number of br0")
    finally:
        old = pid()
        os.kill(old, signal.SIGTERM)
        wait_until(lambda: not os.path.exists(f"/proc/{old}"), "the end")
    equal(lab.sw_ns.devices(), [], "devices")
