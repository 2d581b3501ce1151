"""vsw-ctl capture: what Wireshark reads, filtered, with drops marked."""
import os
import re
import signal
import subprocess

from lib import netns
from lib.frame import frame, station
from lib.netns import wait_until
from lib.switch import BUILD
from lib.testing import contains, equal, test

A, B = station(0xa), station(0xb)
FIELDS = ("eth.src", "eth.dst", "vlan.id", "frame.comment", "frame.len")


class Capture:
    """A capture into a file, running when the constructor returns."""

    def __init__(self, lab, *argv):
        self.path = os.path.join(lab.directory, "capture.pcapng")
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.errors = os.path.join(lab.directory, "capture.err")
        with open(self.errors, "wb") as errors:
            self.process = lab.spawn(
                lab.sw_ns, f"{BUILD}/vsw-ctl", "--run-dir",
                lab.switch.directory, "capture", *argv, "-w", self.path,
                stderr=errors)
        wait_until(self.begun, "the capture has begun")

    def begun(self):
        assert self.process.poll() is None, self.message()
        return os.path.exists(self.path) and os.path.getsize(self.path) > 0

    def message(self):
        with open(self.errors, encoding="utf-8") as file:
            return file.read()

    def rows(self):
        """A tuple of FIELDS for each packet, as tshark reads it."""
        argv = ["tshark", "-r", self.path, "-T", "fields"]
        for field in FIELDS:
            argv += ["-e", field]
        out = netns.run(argv).stdout
        return [tuple(line.split("\t")) for line in out.splitlines()]

    def finish(self):
        equal(self.process.wait(20), 0, "capture's status")
        return self.rows()

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)
        return self.rows()


@test("a port's frames are captured in both directions and read by tshark",
      only="vsw")
def _(lab):
    lab.start(monitor=False).ports({"p1": {}, "p2": {}})
    capture = Capture(lab, "p1", "-c", "3")
    lab.send("p1", frame(src=A, length=100), frame(src=A, length=200))
    lab.pump(lambda: len(lab.peers["p2"].received) == 2, "two frames at p2")
    lab.send("p2", frame(A, B, length=300))
    rows = capture.finish()
    equal([(r[0], r[4]) for r in rows],
          [(A, "100"), (A, "200"), (B, "300")], "captured")


@test("a filter keeps other frames out", only="vsw")
def _(lab):
    lab.start(monitor=False).ports({"p1": {}, "p2": {}})
    capture = Capture(lab, "p1", f"ether src {A} and greater 150", "-c", "1")
    lab.send("p1", frame(src=B, length=200), frame(src=A, length=100),
             frame(src=A, length=222))
    equal([(r[0], r[4]) for r in capture.finish()], [(A, "222")], "captured")


@test("VLAN tags are shown as they are on the port", only="vsw")
def _(lab):
    lab.start(monitor=False).ports({"p1": {}, "p2": {"tag": 20}})
    capture = Capture(lab, "p1", "-c", "3")
    lab.send("p1", frame(src=A).tagged(10), frame(src=A).tagged(20))
    lab.pump(lambda: lab.peers["p2"].received, "VLAN 20 at p2")
    lab.send("p2", frame(src=B))
    equal([(r[0], r[2]) for r in capture.finish()],
          [(A, "10"), (A, "20"), (B, "20")], "captured")


@test("dropped frames are marked with their reason", only="vsw")
def _(lab):
    lab.start(monitor=False).ports({"p1": {"tag": 10}, "p2": {"tag": 10}})
    capture = Capture(lab, "p1")
    bad, good = frame(src=A, length=111).tagged(20), frame(src=A, length=99)
    lab.send("p1", bad, good)
    wait_until(lambda: {r[4] for r in capture.rows()} >= {"115", "99"},
               "both are captured")
    rows = {r[4]: r for r in capture.interrupt()}
    contains(rows["115"][3], "tag-not-allowed", "the dropped frame's comment")
    assert "not-allowed" not in rows["99"][3], rows["99"]


@test("what the port of departure drops is marked there", only="vsw")
def _(lab):
    lab.start(monitor=False).ports({"p1": {}}).ports({"p2": {}}, mtu=1000)
    capture = Capture(lab, "p2")
    lab.send("p1", frame(src=A, length=1100), frame(src=A, length=99))
    wait_until(lambda: {r[4] for r in capture.rows()} >= {"1100", "99"},
               "both are captured")
    rows = {r[4]: r for r in capture.interrupt()}
    contains(rows["1100"][3], "tx-too-big", "the dropped frame's comment")
    equal(rows["99"][3], "", "the other frame's comment")


@test("at its end a capture has every frame, or says how many were lost",
      only="vsw")
def _(lab):
    lab.start(monitor=False).ports({"p1": {}, "p2": {}})
    capture = Capture(lab, "p1", "ether src", A)
    count = 6000
    capture.process.send_signal(signal.SIGSTOP)
    for i in range(count):
        lab.peers["p1"].send(frame(src=A, length=1400))
        if i % 100 == 99:
            lab.pump(lambda: len(lab.peers["p2"].received) > i, "at p2")
    capture.process.send_signal(signal.SIGINT)
    capture.process.send_signal(signal.SIGCONT)
    rows = capture.finish()
    lost = re.search(r"(\d+) packets lost", capture.message())
    assert lost, capture.message()
    equal(len(rows) + int(lost[1]), count, "captured and lost")


@test("a bridge's capture has the frames of all its ports", only="vsw")
def _(lab):
    lab.start(monitor=False).ports({"p1": {}, "p2": {}, "p3": {}})
    capture = Capture(lab, "br0", "ether proto 0x88b5")
    lab.send("p1", frame(src=A, length=123))
    # in at p1, out at p2, p3 and the bridge's own port
    wait_until(lambda: sum(r[4] == "123" for r in capture.rows()) >= 3,
               "it is captured at every port")
    names = netns.run(["tshark", "-r", capture.path, "-T", "fields", "-e",
                       "frame.interface_name"]).stdout
    for port in ("p1", "p2", "p3"):
        contains(names, port, "the interfaces' names")
    capture.interrupt()


@test("without a file the frames are shown as text", only="vsw")
def _(lab):
    lab.start(monitor=False).ports({"p1": {}, "p2": {}})
    path = os.path.join(lab.directory, "text")
    with open(path, "wb") as out:
        process = lab.spawn(lab.sw_ns, f"{BUILD}/vsw-ctl", "--run-dir",
                            lab.switch.directory, "capture", "p1", "-c", "1",
                            stdout=out, stderr=subprocess.STDOUT)

    def ended():
        lab.send("p1", frame(src=A).tagged(10))
        return process.poll() is not None
    wait_until(ended, "the capture has ended", interval=0.1)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    contains(text, A, "the text")
    contains(text, "10", "the text")


@test("a capture to a pipe is read as it goes", only="vsw")
def _(lab):
    lab.start(monitor=False).ports({"p1": {}, "p2": {}})
    reader = lab.spawn(
        lab.sw_ns, "sh", "-c", f"{BUILD}/vsw-ctl --run-dir "
        f"{lab.switch.directory} capture p1 -c 1 -w - | tshark -r - "
        "-T fields -e eth.src", stdout=subprocess.PIPE)

    def ended():
        lab.send("p1", frame(src=A))
        return reader.poll() is not None
    wait_until(ended, "tshark has ended", interval=0.1, timeout=20)
    contains(reader.stdout.read().decode(), A, "tshark's output")


@test("a bad filter, a wrong port and a client that goes harm nothing",
      only="vsw")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}})
    bad = lab.switch.vsw_ctl("capture", "p1", "no such filter(", "-c", "1",
                             check=False, timeout=20)
    assert bad.returncode != 0 and bad.stderr.strip(), "a bad filter is taken"
    bad = lab.switch.vsw_ctl("capture", "nowhere", "-c", "1", check=False,
                             timeout=20)
    assert bad.returncode != 0
    contains(bad.stderr, "nowhere", "the message")
    for _ in range(5):
        capture = Capture(lab, "p1")
        lab.send("p1", *(frame(src=A) for _ in range(50)))
        capture.process.kill()
        capture.process.wait()
    one = frame(src=A)
    lab.settle(["p1"])
    lab.check([("p1", one)], {"p2": [one]})


@test("a capture at a bond has what its members receive, and drop", only="vsw")
def _(lab):
    lab.start()
    for member in ("e0", "e1"):
        lab.wire(member)
    lab.ports_known({"e0": {}, "e1": {}})
    lab.ports({"p1": {}})
    lab.switch.ctl("add-bond", "br0", "bond0", "e0", "e1")
    lab.switch.app("bond/set-active-member", "bond0", "e0")
    capture = Capture(lab, "bond0", "ether", "proto", "0x88b5")
    lab.send("e1", frame(src=B))
    lab.send("e0", frame(src=A))
    lab.send("p1", frame(dst=A, src=B))
    wait_until(lambda: "bond-standby" in
               lab.switch.vsw_ctl("drops", "bond0").stdout, "e1 drops it")
    wait_until(lambda: len(capture.rows()) >= 3, "three frames")
    rows = capture.interrupt()
    equal(sorted((row[0], "drop: bond-standby" in row[3]) for row in rows),
          sorted([(B, True), (A, False), (B, False)]), "what was captured")
