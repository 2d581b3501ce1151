"""The kernel's fast path and the end of vswd, of devices, and of others: what
goes on without it, who takes it over, and what is left when it has ended."""
import json
import os
import re
import signal

from lib import fastpath, netns
from lib.fastpath import Watch, forwarded, programs, wait_for_status
from lib.frame import frame, station
from lib.netns import Namespace, wait_until
from lib.record import Recorder
from lib.streams import Account, Sending, Stream
from lib.switch import BUILD
from lib.testing import contains, equal, test
from lib.traffic import BackgroundPing
from test_fastpath_end import number_of
from test_ports import address

A, B, C = station(0xa), station(0xb), station(0xc)
PORTS = {"p1": {"tag": 10}, "p2": {"trunks": [10]}, "p3": {"tag": 10}}


def learn(lab):
    """A at p1, B at p2, and the kernel forwards between them."""
    lab.send("p1", frame(src=A))
    lab.send("p2", frame(src=B).tagged(10))
    wait_until(lambda: {A, B} <= {mac for _, mac in lab.switch.fdb()},
               "A and B are known")


def check(lab, fast=True):
    """A frame each way arrives where it must, once, by the kernel or not."""
    lab.forget()
    there, back = frame(B, A), frame(A, B)
    with Watch(lab, "p1") as watch:
        lab.send("p1", there)
        lab.pump(lambda: lab.peers["p2"].received, "A to B")
        lab.send("p2", back.tagged(10))
        lab.pump(lambda: lab.peers["p1"].received, "B to A")
    equal([lab.peers[port].received for port in ("p1", "p2", "p3")],
          [[back], [there.tagged(10)], []], "what arrived")
    equal((watch.rx["p1"], watch.tx["p1"]), (int(fast), int(fast)),
          "by the kernel")


def start(lab):
    fastpath.start(lab, monitor=False,
                   other_config={"mac-aging-time": 3600}).ports(PORTS)
    learn(lab)
    lab.pump(lambda: lab.peers["p3"].received, "they are flooded")
    check(lab)
    return lab


class Streams:
    """Both ways between A and B, recorded; with Streams(lab) as sending."""

    def __init__(self, lab):
        self.lab = lab
        self.streams = [Stream(1, "p1", "p2", A, B),
                        Stream(2, "p2", "p1", B, A, vid=10)]
        self.recorder = Recorder().add(lab.far_ns, "p1", "p2", "p3")
        self.sending = Sending(lab, self.streams, 0.0005)

    def __enter__(self):
        self.recorder.start()
        return self.sending.__enter__()

    def __exit__(self, *_):
        self.sending.__exit__()
        self.lab.pump(lambda: all(
            any(one.endswith(stream.sent.to_bytes(4, "big") + bytes(6))
                for one in self.lab.peers[stream.sink].received)
            for stream in self.streams), "the last of the streams")
        self.recorder.stop()

    def check(self):
        for stream in self.streams:
            account = Account(self.recorder.seen, stream)
            equal((account.lost, account.duplicates), ([], {}), str(account))
        equal(self.recorder.at("p3", outgoing=False), [], "at p3")


def nothing_left(lab, what):
    equal(programs(lab), {}, f"programs left at devices by {what}")
    out = lab.sw_ns.run("tc", "qdisc", "show").stdout
    assert "clsact" not in out, f"left by {what}:\n{out}"
    for name in PORTS:
        out = lab.sw_ns.ip("-d", "link", "show", "dev", name)
        contains(out, "promiscuity 0 ", f"{name} after {what}")
    equal(set(lab.sw_ns.devices()) - lab.kept_devices, set(),
          f"devices left by {what}")


def stop(lab):
    server, lab.switch.server = lab.switch.server, None
    lab.switch.stop()
    lab.switch.server = server


@test("kill -9 and a restart lose no frame between known stations, and double "
      "none", only="vsw")
def _(lab):
    start(lab)
    streams = Streams(lab)
    with streams as sending:
        sending.more(0.05)
        for _ in range(3):
            lab.switch.kill()
            sending.more(0.1)
            lab.switch.start()
            wait_for_status(lab, "p2", "yes")
            sending.more(0.1)
            assert forwarded(lab, "p1")[0] > 0, "the new one counts nothing"
    streams.check()
    check(lab)
    stop(lab)
    nothing_left(lab, "a clean stop")


@test("an end that keeps the fast path, and a restart, lose no frame",
      only="vsw")
def _(lab):
    start(lab)
    streams = Streams(lab)
    with streams as sending:
        for _ in range(2):
            lab.switch.end(lab.switch.process, "vswd", signal.SIGUSR1)
            sending.more(0.1)
            lab.switch.start()
            wait_for_status(lab, "p2", "yes")
            sending.more(0.1)
    streams.check()
    check(lab)


@test("while vswd is dead the kernel forwards what was known, and nothing else",
      only="vsw")
def _(lab):
    start(lab)
    address(lab, "p1", "10.0.0.99/24")
    lab.switch.kill()
    lab.forget()
    known, back = frame(B, A), frame(A, B)
    lab.send("p1", frame(src=A), frame(C, A), frame(B, C),
             frame(B, A).tagged(10), frame(B, A).tagged(20), known)
    lab.send("p2", frame(A, B).tagged(20), frame(A, B).tagged(0),
             frame(A, B), frame(A, C).tagged(10), back.tagged(10))
    lab.pump(lambda: known.tagged(10) in lab.peers["p2"].received and
             back in lab.peers["p1"].received, "what is known arrives")
    equal([lab.peers[port].received for port in ("p1", "p2", "p3")],
          [[back], [known.tagged(10)], []], "what arrived")
    lab.switch.start()
    wait_for_status(lab, "p2", "yes")
    equal({mac for _, mac in lab.switch.fdb()} >= {A, B}, True,
          "A and B are known to the new one")
    check(lab)


@test("an internal port keeps its address and its connections over a kill",
      only="vsw")
def _(lab):
    fastpath.start(lab, monitor=False)
    address(lab, "br0", "10.0.0.254/24")
    a = lab.host("h1", "10.0.0.1/24")
    a.must_ping("10.0.0.254")
    ping = BackgroundPing(lab, a, "10.0.0.254")
    before = lab.sw_ns.ip("-o", "link", "show", "dev", "br0").split(":")[0]
    for sig in (signal.SIGKILL, signal.SIGUSR1):
        lab.switch.process.send_signal(sig)
        lab.switch.process.wait(20)
        ping.more(10)
        lab.switch.start()
        wait_for_status(lab, "h1", "yes")
        ping.more(10)
    equal(lab.sw_ns.ip("-o", "link", "show", "dev", "br0").split(":")[0],
          before, "br0's index")
    ping.stop()


@test("what a killed vswd has left is removed by --clean-up", only="vsw")
def _(lab):
    start(lab)
    lab.switch.kill()
    lab.sw_ns.run(f"{BUILD}/vswd", "--run-dir", lab.switch.directory,
                  "--clean-up")
    nothing_left(lab, "--clean-up")
    lab.sw_ns.run(f"{BUILD}/vswd", "--run-dir", lab.switch.directory,
                  "--clean-up")
    lab.switch.start()
    wait_for_status(lab, "p3", "yes")
    learn(lab)
    check(lab)


def owners(lab):
    """Maps by which a daemon finds what is its own, of this run directory."""
    mine = lab.switch.directory.encode()
    found = []
    for one in json.loads(netns.run(["bpftool", "-j", "map", "show"]).stdout):
        if one.get("name") != "fp_owner":
            continue
        result = netns.run(["bpftool", "-j", "map", "lookup", "id", one["id"],
                            "key", "0", "0", "0", "0"], check=False)
        if result.returncode:
            continue
        value = bytes(int(byte, 16) for byte in
                      json.loads(result.stdout)["value"])
        if mine in value:
            found.append((one["id"], value))
    return found


@test("a program that an older version's crash has left is replaced",
      only="vsw")
def _(lab):
    start(lab)
    lab.switch.kill()
    left = owners(lab)
    assert left, "nothing is left that has an owner"
    for number, value in left:
        older = value[:4] + b"\xfe\xff\xff\xff" + value[8:]
        netns.run(["bpftool", "map", "update", "id", number, "key", "0", "0",
                   "0", "0", "value", *(str(byte) for byte in older)])
    lab.switch.start()
    wait_for_status(lab, "p2", "yes")
    learn(lab)
    lab.pump(lambda: lab.peers["p3"].received, "they are flooded")
    check(lab)
    equal({name: n for name, n in programs(lab).items() if name in PORTS},
          dict.fromkeys(PORTS, 1), "programs at devices")
    stop(lab)
    nothing_left(lab, "a clean stop")
    wait_until(lambda: not owners(lab), "the older version's maps are gone")


def drop(lab, capabilities):
    """vswd is started without these from now on."""
    argv = type(lab.switch).argv
    lab.switch.argv = lambda: [
        "capsh", f"--drop={capabilities}", "--", "-c", 'exec "$0" "$@"',
        *argv(lab.switch)]


@test("a restart that may not look for what the last one has left forwards "
      "past it", only="vsw")
def _(lab):
    start(lab)
    number = number_of(lab, "br0")
    lab.switch.kill()
    drop(lab, "cap_sys_admin")
    lab.switch.start()
    wait_for_status(lab, "p3", "yes")
    learn(lab)
    lab.pump(lambda: lab.peers["p3"].received, "they are flooded")
    check(lab)
    # nor what is at br0, which by its alias is its own: it is made anew
    wait_for_status(lab, "br0", "yes")
    assert number_of(lab, "br0") != number, "br0 is the one that was left"


@test("a restart that must not use BPF says what the last one may have left",
      only="vsw")
def _(lab):
    start(lab)
    lab.switch.kill()
    drop(lab, "cap_bpf,cap_sys_admin")
    lab.switch.start()
    wait_for_status(lab, "p3", "no: ")
    for port in PORTS:
        assert re.search(f"{port}: BPF program .*--clean-up",
                         lab.switch.log_text()), f"nothing is said of {port}"
    lab.switch.stop()
    lab.sw_ns.run(f"{BUILD}/vswd", "--run-dir", lab.switch.directory,
                  "--clean-up")
    nothing_left(lab, "--clean-up")


@test("two daemons on one device: the second is told, the first goes on; and "
      "takes over when the first is dead", only="vsw")
def _(lab):
    start(lab)
    other = type(lab.switch)(lab.sw_ns, os.path.join(lab.directory, "two"),
                             lab.options)
    lab.others.append(other)
    other.start()
    other.set("Open_vSwitch", ".", other_config={fastpath.KEY: "true"})
    other.add_bridge("br9")
    lab.wire("q1")
    other.ctl("add-port", "br9", "q1", "tag=10")
    result = other.ctl("add-port", "br9", "p1", "tag=10", check=False)
    contains(result.stderr, "p1", "the message")
    assert other.get("Interface", "p1", "error") != [], "no error"
    check(lab)
    lab.switch.kill()
    other.ctl("del-port", "br9", "p1", "--", "add-port", "br9", "p1",
              "tag=10")
    equal(other.get("Interface", "p1", "error"), [], "the error")
    lab.ports_known({"q1": {"tag": 10}})
    lab.forget()
    one = frame(B, A)
    lab.send("p1", one)
    lab.pump(lambda: lab.peers["q1"].received, "A's frame in br9")
    equal([lab.peers[port].received for port in ("p2", "p3", "q1")],
          [[], [], [one]], "what arrived")
    lab.send("q1", frame(src=B))
    lab.pump(lambda: lab.peers["p1"].received, "B is in br9 now")
    before = other.command("port/stats", "p1")["p1"]["fast_path_rx_packets"]
    lab.send("p1", frame(B, A))
    lab.pump(lambda: len(lab.peers["q1"].received) == 2, "A to B in br9")
    equal(other.command("port/stats", "p1")["p1"]["fast_path_rx_packets"],
          before + 1, "by the kernel")
    # the first comes back without p1
    lab.switch.start()
    wait_until(lambda: lab.switch.get("Interface", "p1", "error") != [],
               "the first has no p1 any more")
    other.stop()
    lab.others.clear()


@test("a device that vanishes under its program, or leaves for another "
      "namespace, harms nobody", only="vsw")
def _(lab):
    start(lab)
    lab.send("p3", frame(src=C))
    wait_until(lambda: C in {mac for _, mac in lab.switch.fdb()}, "C is known")
    streams = Stream(3, "p1", "p3", A, C), Stream(4, "p1", "p2", A, B)
    recorder = Recorder().add(lab.far_ns, "p1", "p3")
    away = Namespace(lab.prefix + "away")
    with recorder, Sending(lab, streams, 0.0005) as sending:
        for vanish in (
                lambda: lab.far_ns.ip("link", "del", "p2"),
                lambda: lab.sw_ns.ip("link", "set", "p2", "netns", away.name),
                lambda: lab.sw_ns.ip("link", "del", "p2")):
            sending.more(0.02)
            lab.peers["p2"].sock.close()
            lab.peers["p2"].sock = None
            vanish()
            wait_until(lambda: lab.switch.get("Interface", "p2", "error") !=
                       [], "p2 is gone")
            sending.more(0.02)
            if "p2" in away.devices():
                away.ip("link", "del", "p2")
            lab.wire("p2")
            lab.listen("p2")
            wait_for_status(lab, "p2", "yes")
            learn(lab)
            with Watch(lab, "p1") as watch:
                sending.more(0.02)
            assert watch.rx["p1"], "nothing goes by the kernel"
    lab.pump(lambda: any(one.endswith(streams[0].sent.to_bytes(4, "big") +
                                      bytes(6))
                         for one in lab.peers["p3"].received), "the last")
    account = Account(recorder.seen, streams[0])
    equal((account.lost, account.duplicates), ([], {}), str(account))
    check(lab)


@test("a port that was deleted, and a bridge, leave no program behind",
      only="vsw")
def _(lab):
    start(lab)
    assert set(PORTS) <= set(programs(lab)), programs(lab)
    lab.switch.ctl("del-port", "br0", "p1")
    wait_until(lambda: "p1" not in programs(lab), "p1 has no program")
    lab.switch.ctl("del-br", "br0")
    wait_until(lambda: not programs(lab), "no device has a program")
    stop(lab)
    nothing_left(lab, "a clean stop")


def switch_under_traffic(lab):
    """Off and on some times; what is sent arrives, once."""
    streams = Streams(lab)
    with streams as sending:
        sending.more(0.02)
        for on in (True, False, True, False, True, False):
            fastpath.switch_to(lab, on)
            wait_for_status(lab, "p2", "yes" if on else "no")
            with Watch(lab, "p1") as watch:
                sending.more(0.05)
            assert (watch.rx["p1"] > 0) == on, f"{watch.rx}, it is {on}"
    streams.check()
    check(lab, fast=False)


@test("turning the fast path off and on loses no frame between known stations, "
      "and doubles none", only="vsw")
def _(lab):
    start(lab)
    switch_under_traffic(lab)
    # what it leaves then, the next one removes, which does not want it either
    lab.switch.kill()
    lab.switch.start()
    lab.switch.sync()
    learn(lab)
    lab.pump(lambda: lab.peers["p3"].received, "they are flooded")
    check(lab, fast=False)
    stop(lab)
    nothing_left(lab, "a clean stop")


@test("turning it on for ports that were opened without loses no frame, and "
      "doubles none", only="vsw")
def _(lab):
    fastpath.start(lab, monitor=False, other_config={"mac-aging-time": 3600})
    fastpath.switch_to(lab, False)
    lab.ports(PORTS)
    learn(lab)
    lab.pump(lambda: lab.peers["p3"].received, "they are flooded")
    check(lab, fast=False)
    switch_under_traffic(lab)
    stop(lab)
    nothing_left(lab, "a clean stop")
