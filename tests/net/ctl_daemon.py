#!/usr/bin/env python3
"""vsw-ctl and the daemon: waiting until a change is carried out, what is said
when nobody carries it out, questions to the control socket, captures.

The daemon is a stand-in written here, so that each of its answers, the wrong
ones too, can be had at will; the database is Debian's ovsdb-server. Needs no
root. Everything ends with this program, however it ends.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
VSW_CTL = os.environ.get("VSW_CTL") or os.path.join(
    HERE, "..", "..", "build", "vsw-ctl")
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
DB = "Open_vSwitch"
PR_SET_PDEATHSIG = 1


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class JsonStream:
    """Concatenated JSON values on a socket."""

    def __init__(self, sock):
        self.sock, self.text = sock, ""
        self.decoder = json.JSONDecoder()

    def send(self, value):
        self.sock.sendall(json.dumps(value).encode())

    def receive(self):
        while True:
            text = self.text.lstrip()
            try:
                value, end = self.decoder.raw_decode(text)
                self.text = text[end:]
                return value
            except ValueError:
                data = self.sock.recv(65536)
                if not data:
                    return None
                self.text = text + data.decode()


def connect(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    return sock


class Reconciler(threading.Thread):
    """What vswd does with the database: gives each Interface an ofport, or an
    error when its name begins with "bad", then raises cur_cfg."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.sock = connect(path)
        self.start()

    def stop(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.join()
        self.sock.close()

    def run(self):
        stream = JsonStream(self.sock)
        stream.send({"id": 1, "method": "monitor", "params": [DB, None, {
            DB: {"columns": ["next_cfg"]},
            "Interface": {"columns": ["name"]}}]})
        while True:
            message = stream.receive()
            if message is None:
                return
            if message.get("id") == 1:
                self.react(stream, message["result"])
            elif message.get("method") == "update":
                self.react(stream, message["params"][1])
            elif message.get("method") == "echo":
                stream.send({"id": message["id"], "error": None,
                             "result": message["params"]})

    def react(self, stream, tables):
        ops = []
        for uuid, row in tables.get("Interface", {}).items():
            if "new" not in row:
                continue
            bad = row["new"]["name"].startswith("bad")
            values = {"ofport": -1 if bad else 7}
            if bad:
                values["error"] = "no such device"
            ops.append({"op": "update", "table": "Interface", "row": values,
                        "where": [["_uuid", "==", ["uuid", uuid]]]})
        for row in tables.get(DB, {}).values():
            if "new" in row:
                ops.append({"op": "update", "table": DB, "where": [],
                            "row": {"cur_cfg": row["new"]["next_cfg"]}})
        if ops:
            stream.send({"id": 2, "method": "transact",
                         "params": [DB] + ops})


class Control(threading.Thread):
    """The control socket: answers as told in `answers`, and notes requests."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.answers, self.requests = {}, []
        self.start()

    def run(self):
        while True:
            sock, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(sock,),
                             daemon=True).start()

    def serve(self, sock):
        request = JsonStream(sock).receive()
        if request is None:
            return
        words = [request["method"]] + request["params"]
        self.requests.append(words)
        answer = self.answers.get(words[0])
        reply = {"id": request["id"], "result": None, "error": None}
        if answer is None:
            reply["error"] = '"%s" is not a valid command\n' % words[0]
        elif isinstance(answer, bytes):
            reply["result"] = "capturing\n"
        else:
            reply["result"] = answer
        sock.sendall(json.dumps(reply).encode())
        if isinstance(answer, bytes):
            # In pieces that fit no boundary.
            try:
                for i in range(0, len(answer), 7):
                    sock.sendall(answer[i:i + 7])
            except OSError:
                pass  # it has seen enough
            sock.close()


# --- pcapng ------------------------------------------------------------------

def block(kind, body):
    length = 12 + len(body)
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


def option(code, value):
    return struct.pack("<HH", code, len(value)) + value + \
        b"\0" * (-len(value) % 4)


def section():
    return block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(name):
    return block(1, struct.pack("<HHI", 1, 0, 0) + option(2, name) +
                 option(9, b"\x09") + option(0, b""))


def packet(iface, time_ns, frame, direction, comment=None):
    body = struct.pack("<IIIII", iface, time_ns >> 32, time_ns & 0xFFFFFFFF,
                       len(frame), len(frame)) + frame + \
        b"\0" * (-len(frame) % 4)
    if comment:
        body += option(1, comment)
    return block(6, body + option(2, struct.pack("<I", direction)) +
                 option(0, b""))


MACS = bytes.fromhex("525400000002" "525400000001")
ARP = MACS + bytes.fromhex(
    "0806" "0001080006040001" "525400000001" "0a000001" "000000000000"
    "0a000002")
PING = MACS + bytes.fromhex(
    "8100000a" "0800" "4500001c00004000400100000a0000010a000002"
    "0800000000070003")
TIME_NS = 1700000000123456789
STREAM = (section() + interface(b"eth0") +
          packet(0, TIME_NS, ARP, 1) +
          interface(b"tap1") +
          packet(1, TIME_NS + 1000000, PING, 2) +
          packet(0, TIME_NS + 2000000, ARP, 1, b"drop: vlan_filter"))


class Test:
    def __init__(self, top):
        self.top = top
        self.passed = self.failed = 0
        self.db_sock = os.path.join(top, "db.sock")
        self.server = None

    def start_server(self):
        conf = os.path.join(self.top, "conf.db")
        subprocess.run(["ovsdb-tool", "create", conf, SCHEMA], check=True)
        self.server = subprocess.Popen(
            ["ovsdb-server", conf, "--remote=punix:" + self.db_sock,
             "--unixctl=" + os.path.join(self.top, "ctl"), "--no-chdir"],
            env=dict(os.environ, OVS_RUNDIR=self.top, OVS_DBDIR=self.top,
                     OVS_LOGDIR=self.top),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent)
        while not os.path.exists(self.db_sock):
            if self.server.poll() is not None:
                sys.exit("ovsdb-server did not start")
            time.sleep(0.01)

    def ctl(self, *words, text=True):
        return subprocess.run([VSW_CTL, "--run-dir=" + self.top] +
                              list(words), capture_output=True, text=text,
                              timeout=60, env=dict(os.environ, TZ="UTC"))

    def check(self, name, result, status=0, stdout=None, stderr=None):
        """stdout must be equal, stderr contain the words given."""
        problems = []
        if result.returncode != status:
            problems.append("status %d, not %d" % (result.returncode, status))
        if stdout is not None and result.stdout != stdout:
            problems.append("output is not %r" % (stdout,))
        for words in stderr or []:
            if words not in result.stderr:
                problems.append("no %r in the message" % words)
        if problems:
            self.failed += 1
            print("FAIL %s: %s\n  %r\n  %r" % (name, "; ".join(problems),
                                             result.stdout, result.stderr))
        else:
            self.passed += 1

    def no_database(self):
        self.check("no database", self.ctl("list-br"), 1, "",
                   ["vswd is not running", self.db_sock,
                    "No such file or directory", "--run-dir"])
        self.check("no control socket", self.ctl("fdb/show", "br0"), 1, "",
                   ["vswd is not running", "vswd.ctl"])
        self.check("no remote", self.ctl("--db=nonsense", "list-br"), 1, "",
                   ["nonsense (not a remote; use unix:FILE"])

    def no_daemon(self):
        self.check("reading needs no daemon", self.ctl("list-br"), 0, "")
        self.check("a stored change without a daemon",
                   self.ctl("add-br", "br0"), 1, "",
                   ["the change is stored", "vswd.ctl", "--no-wait"])
        self.check("it is stored", self.ctl("list-br"), 0, "br0\n")
        self.check("no change, no waiting",
                   self.ctl("--may-exist", "add-br", "br0"), 0, "")
        self.check("--timeout",
                   self.ctl("--timeout=1", "add-br", "br1"),
                   -signal.SIGALRM, "", ["timed out"])
        self.check("--no-wait", self.ctl("--no-wait", "add-br", "br2"), 0, "")

    def waiting(self):
        reconciler = Reconciler(self.db_sock)
        self.check("waits", self.ctl("add-port", "br0", "good"), 0, "")
        self.check("it was carried out",
                   self.ctl("get", "Interface", "good", "ofport"), 0, "7\n")
        self.check("a port that cannot be",
                   self.ctl("add-port", "br0", "bad0"), 1, "",
                   ["could not add port bad0 to br0: no such device",
                    "stays configured"])
        self.check("it stays", self.ctl("port-to-br", "bad0"), 0, "br0\n")
        self.check("of a bond",
                   self.ctl("add-bond", "br0", "b", "e0", "bad1"), 1, "",
                   ["could not add interface bad1 of port b to br0"])
        self.check("no complaint about older ones",
                   self.ctl("--may-exist", "add-port", "br0", "bad0", "--",
                            "add-port", "br0", "good2"), 0, "")
        self.check("a bridge whose own port cannot be",
                   self.ctl("add-br", "bad9"), 1, "",
                   ["bridge bad9 is there, but without its own port: no such "
                    "device", "vsw-ctl del-br bad9"])
        self.check("no bridge of it", self.ctl("del-br", "bad9"), 0, "")
        for name in ("a b", "sixteen-letters-", "a%d", "a:b"):
            self.check("no device's name", self.ctl("add-br", name), 1, "",
                       [name, "1 to 15 characters"])
        self.check("a wrong value says where",
                   self.ctl("add-port", "br0", "p", "tag=5000"), 1, "",
                   ["column tag", "0 to 4095"])
        self.check("no value says where",
                   self.ctl("add-port", "br0", "p", "tag=x"), 1, "",
                   ["column tag", "not an integer"])
        self.check("nothing of these is stored", self.ctl("list-br"), 0,
                   "br0\nbr1\nbr2\n")
        self.check("output first", self.ctl("add-port", "br0", "bad2", "--",
                                            "list-ifaces", "br0"), 1,
                   "bad0\nbad1\nbad2\ne0\ngood\ngood2\n")
        self.check("create prints the real UUID", self.ctl(
            "create", "queue", "dscp=5"), 0)
        uuid = self.ctl("create", "queue", "dscp=6").stdout.strip()
        self.check("the UUID is in the database",
                   self.ctl("get", "queue", uuid, "dscp"), 0, "6\n")
        waiter = subprocess.Popen(
            [VSW_CTL, "--run-dir=" + self.top, "--timeout=30", "wait-until",
             "Bridge", "br9", "--", "get", "Bridge", "br9", "name"],
            stdout=subprocess.PIPE, text=True)
        self.ctl("add-br", "br9")
        out, _ = waiter.communicate(timeout=60)
        self.check("wait-until", subprocess.CompletedProcess(
            [], waiter.returncode, out, ""), 0, "br9\n")
        reconciler.stop()

    def suggestions(self):
        for words, hint in (
                (["lst-br"], 'did you mean "list-br"'),
                (["list-ports", "bro0"], 'did you mean "br0"'),
                (["list", "Brigde"], 'did you mean "Bridge"'),
                (["set", "Port", "good", "tga=1"], 'did you mean "tag"'),
                (["set", "Port", "goood", "tag=1"], 'did you mean "good"'),
                (["--tiemout=5", "list-br"], 'did you mean "timeout"'),
                (["list-br", "--format=json"], "before the command")):
            self.check(" ".join(words), self.ctl(*words), 1, "", [hint])

    def json_output(self):
        self.check("list-br", self.ctl("-f", "json", "--no-wait", "list-br"),
                   0, '["br0","br1","br2","br9"]\n')
        self.check("port-to-br", self.ctl("-f", "json", "port-to-br", "good"),
                   0, '"br0"\n')
        self.check("get", self.ctl("-f", "json", "get", "Port", "good",
                                   "name", "tag"), 0,
                   '{"name":"good","tag":["set",[]]}\n')
        shown = json.loads(self.ctl("-f", "json", "show").stdout)
        ports = {p["name"]: p for b in shown["bridges"]
                 if b["name"] == "br0" for p in b["ports"]}
        self.check("show", subprocess.CompletedProcess(
            [], 0, ports["bad0"]["interfaces"][0]["error"], ""), 0,
            "no such device")

    def control(self):
        server = Control(os.path.join(self.top, "vswd.ctl"))
        server.answers = {"fdb/show": " port  VLAN\n", "drops": "none",
                          "exotic/one": ""}
        self.check("passed on", self.ctl("fdb/show", "br0"), 0,
                   " port  VLAN\n")
        self.check("a newline at the end", self.ctl("drops"), 0, "none\n")
        self.check("any command with a slash",
                   self.ctl("exotic/one", "a", "b"), 0)
        self.check("--format=json", self.ctl("-f", "json", "drops", "p"), 0)
        self.check("an error", self.ctl("what/ever"), 1, "",
                   ['vsw-ctl: what/ever: "what/ever" is not a valid command'])
        self.check("of what", self.ctl("what/ever", "br9"), 1, "",
                   ["vsw-ctl: what/ever br9: "])
        self.check("requests", subprocess.CompletedProcess(
            [], 0, server.requests, ""), 0, [
                ["fdb/show", "br0"], ["drops"], ["exotic/one", "a", "b"],
                ["drops", "p", "--format=json"], ["what/ever"],
                ["list-commands"], ["what/ever", "br9"],
                ["list-commands"]])
        return server

    def capture(self, server):
        server.answers["capture"] = STREAM
        lines = [
            "22:13:20.123456 eth0 in 52:54:00:00:00:01 > 52:54:00:00:00:02 "
            "ARP who has 10.0.0.2 tell 10.0.0.1, length 42\n",
            "22:13:20.124456 tap1 out 52:54:00:00:00:01 > 52:54:00:00:00:02 "
            "vlan 10 IPv4 ICMP 10.0.0.1 > 10.0.0.2 echo request id 7 seq 3, "
            "length 46\n",
            "22:13:20.125456 eth0 in [drop: vlan_filter] 52:54:00:00:00:01 > "
            "52:54:00:00:00:02 ARP who has 10.0.0.2 tell 10.0.0.1, length "
            "42\n"]
        self.check("printed", self.ctl("capture", "br0"), 0, "".join(lines),
                   ["3 packets captured"])
        self.check("-c", self.ctl("capture", "br0", "-c", "2"), 0,
                   "".join(lines[:2]), ["2 packets captured"])
        path = os.path.join(self.top, "x.pcapng")
        self.check("-w", self.ctl("capture", "br0", "tcp", "port", "80",
                                  "-w", path, "-s", "64"), 0, "")
        with open(path, "rb") as stored:
            self.check("the file", subprocess.CompletedProcess(
                [], 0, stored.read(), ""), 0, STREAM)
        self.check("the filter is one argument", subprocess.CompletedProcess(
            [], 0, server.requests[-1], ""), 0,
            ["capture", "br0", "tcp port 80", "snaplen=64"])
        self.check("-w -", self.ctl("capture", "br0", "-w", "-", "-c", "1",
                                    text=False), 0,
                   section() + interface(b"eth0") +
                   packet(0, TIME_NS, ARP, 1))
        out = self.ctl("-f", "json", "capture", "tap1", "-c", "3").stdout
        last = json.loads(out.splitlines()[-1])
        self.check("as JSON", subprocess.CompletedProcess(
            [], 0, [last["port"], last["comment"], last["time_ns"]], ""), 0,
            ["eth0", "drop: vlan_filter", TIME_NS + 2000000])
        server.answers["capture"] = STREAM[:60] + b"\xff" * 200
        self.check("no pcapng", self.ctl("capture", "br0"), 1, None,
                   ["pcapng: a block of"])
        server.answers["capture"] = STREAM[:-5]
        self.check("an end in the middle", self.ctl("capture", "br0"), 0,
                   "".join(lines[:2]), ["vswd has ended it"])
        for words in (["capture"], ["capture", "br0", "-c", "0"],
                      ["capture", "br0", "-w"],
                      ["capture", "br0", "-w", "/nonexistent/x"]):
            self.check(" ".join(words), self.ctl(*words), 1, "",
                       ["vsw-ctl: capture: "])

    def run(self):
        self.no_database()
        self.start_server()
        self.no_daemon()
        self.waiting()
        self.suggestions()
        self.json_output()
        self.capture(self.control())


def main():
    signal.signal(signal.SIGTERM, lambda *args: sys.exit(1))
    top = tempfile.mkdtemp(prefix="vsw-ctl-daemon-")
    test = Test(top)
    try:
        test.run()
    finally:
        if test.server:
            test.server.kill()
            test.server.wait()
        shutil.rmtree(top, ignore_errors=True)
    print("%d passed, %d failed" % (test.passed, test.failed))
    return 1 if test.failed or not test.passed else 0


if __name__ == "__main__":
    sys.exit(main())
