#!/usr/bin/python3
"""Drives ovsdb-lite with Debian's unmodified OVSDB clients; needs no root.

    tests/net/ovsdb_clients.py [--server PROGRAM] [WORD...]

Only tests whose name has a WORD in it are run. With `--server ovsdb-server` the
same tests hold for Debian's server, which shows that they ask for nothing that
is ours alone (the few that do are skipped then). Each test has a server of its
own in a temporary directory, and all of it goes away at the end, also when the
tests are killed. Ends with `N passed, N failed`.
"""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
TIMEOUT = 20  # seconds: a limit for what should take much less
TESTS = []


class Failure(Exception):
    """What a test expected did not happen."""


def check(condition, message):
    if not condition:
        raise Failure(message)


def equal(got, wanted, what="value"):
    check(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


def contains(text, part):
    check(part in text, f"{part!r} is not in {text!r}")


def test(function):
    TESTS.append(function)
    return function


def ours_only(function):
    function.ours_only = True
    return function


def until(condition, what):
    """Waits for what is to come true soon."""
    end = time.monotonic() + TIMEOUT
    while not condition():
        check(time.monotonic() < end, f"in vain: waited for {what}")
        time.sleep(0.01)


def run(*argv, env=None, status=0, stdin=None):
    """Runs a program; its output, which is checked to end with `status`."""
    done = subprocess.run(argv, env=env, stdin=stdin or subprocess.DEVNULL,
                          text=True, capture_output=True, timeout=TIMEOUT,
                          check=False)
    check(status is None or done.returncode == status,
          f"{' '.join(argv)}: status {done.returncode}: "
          f"{done.stdout}{done.stderr}")
    return done.stdout if status == 0 else done.stdout + done.stderr


class Lab:
    """A directory, the servers in it, and what was started beside them."""

    def __init__(self, program):
        self.program = program
        self.dir = tempfile.mkdtemp(prefix="vsw-ovsdb-")
        self.env = dict(os.environ, OVS_RUNDIR=self.dir, OVS_DBDIR=self.dir,
                        OVS_LOGDIR=self.dir, OVS_SYSCONFDIR=self.dir)
        self.children = []
        self.servers = []
        self.db = self.path("conf.db")
        self.sock = self.path("db.sock")
        self.remote = f"unix:{self.sock}"
        self.ctl = self.path("ctl")
        self.log = self.path("log")

    def path(self, name):
        return os.path.join(self.dir, name)

    def create_db(self, name="conf.db", schema=SCHEMA):
        run("ovsdb-tool", "create", self.path(name), schema)
        return self.path(name)

    def popen(self, *argv, **kwargs):
        kwargs.setdefault("env", self.env)
        kwargs.setdefault("stderr", subprocess.DEVNULL)
        child = subprocess.Popen(argv, text=True, **kwargs)
        self.children.append(child)
        return child

    def start(self, *args, dbs=None, wait=True):
        """A server in the foreground, as our child; waits until it listens."""
        if dbs is None:
            if not os.path.exists(self.db):
                self.create_db()
            dbs = [self.db]
        server = self.popen(self.program, f"--remote=punix:{self.sock}",
                            f"--unixctl={self.ctl}", f"--log-file={self.log}",
                            "-vconsole:off", *args, *dbs)
        self.servers.append(server)
        if wait:
            until(lambda: self.listens(server), "the server to listen")
        return server

    def listens(self, server):
        check(server.poll() is None, "the server ended: " + self.read_log())
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(self.sock)
            return True
        except OSError:
            return False

    def read_log(self):
        try:
            with open(self.log, encoding="utf-8") as log:
                return log.read()
        except OSError:
            return ""

    def stop(self, child, sig=signal.SIGTERM):
        if child.poll() is None:
            child.send_signal(sig)
        child.wait(TIMEOUT)
        self.children.remove(child)
        if child in self.servers and sig == signal.SIGTERM:
            self.check_status(child)

    @staticmethod
    def check_status(server):
        """A server ends well; the other one has no handler of SIGTERM."""
        check(server.returncode in (0, -signal.SIGTERM),
              f"the server ended with status {server.returncode}")

    def client(self, *args, **kwargs):
        return run("ovsdb-client", "--timeout=15", *args, env=self.env,
                   **kwargs)

    def vsctl(self, *args, **kwargs):
        return run("ovs-vsctl", "--timeout=15", f"--db={self.remote}", *args,
                   env=self.env, **kwargs)

    def appctl(self, *args, **kwargs):
        return run("ovs-appctl", "-t", self.ctl, *args, env=self.env,
                   **kwargs)

    def transact(self, *ops, db="Open_vSwitch"):
        out = self.client("transact", self.remote, json.dumps([db, *ops]))
        return json.loads(out)

    def stop_servers(self):
        for server in self.servers:
            if server in self.children:
                self.stop(server)

    def close(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.wait()
        for name in os.listdir(self.dir):
            if name.endswith(".pid"):
                self.kill_pidfile(self.path(name))
        shutil.rmtree(self.dir, ignore_errors=True)

    @staticmethod
    def kill_pidfile(path):
        try:
            with open(path, encoding="ascii") as f:
                os.kill(int(f.read()), signal.SIGKILL)
        except (OSError, ValueError):
            pass


class Rpc:
    """A JSON-RPC connection by hand."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.sock.settimeout(TIMEOUT)
        self.buffer = ""
        self.decoder = json.JSONDecoder()
        self.next_id = 0

    def send(self, method, *params, ident=0):
        self.next_id += 1
        ident = self.next_id if ident == 0 else ident
        self.sock.sendall(json.dumps({"id": ident, "method": method,
                                      "params": list(params)}).encode())
        return ident

    def receive(self):
        """The next message; None at the end."""
        while True:
            self.buffer = self.buffer.lstrip()
            try:
                message, end = self.decoder.raw_decode(self.buffer)
                self.buffer = self.buffer[end:]
                return message
            except ValueError:
                data = self.sock.recv(1 << 16)
                if not data:
                    return None
                self.buffer += data.decode()

    def call(self, method, *params):
        """The reply, with the notifications that came before it."""
        ident = self.send(method, *params)
        before = []
        while True:
            message = self.receive()
            check(message is not None, f"{method}: connection closed")
            if message.get("method") == "echo":
                self.sock.sendall(json.dumps(
                    {"id": message["id"], "result": message["params"],
                     "error": None}).encode())
            elif message.get("id") == ident:
                return message, before
            else:
                before.append(message)

    def result(self, method, *params):
        reply, _ = self.call(method, *params)
        check(not reply.get("error"), f"{method}: {reply}")
        return reply["result"]

    def error(self, method, *params):
        reply, _ = self.call(method, *params)
        check(reply.get("error"), f"{method} should have failed: {reply}")
        return reply["error"]

    def close(self):
        self.sock.close()


def insert_root(**row):
    return {"op": "insert", "table": "Open_vSwitch", "row": row}


# --- Debian's clients -------------------------------------------------------


@test
def client_lists(lab):
    lab.start()
    equal(lab.client("list-dbs", lab.remote).split(),
          ["Open_vSwitch", "_Server"])
    tables = lab.client("list-tables", lab.remote)
    contains(tables, "Open_vSwitch")
    contains(tables, "IPFIX")
    contains(lab.client("list-columns", lab.remote, "Bridge"), "flood_vlans")
    with open(SCHEMA, encoding="utf-8") as f:
        wanted = json.load(f)
    schema = json.loads(lab.client("get-schema", lab.remote))
    # Its texts may differ (an enumeration's order), not what there is.
    equal({t: sorted(c["columns"]) for t, c in schema["tables"].items()},
          {t: sorted(c["columns"]) for t, c in wanted["tables"].items()},
          "tables and columns")
    equal(lab.client("get-schema-version", lab.remote).strip(),
          wanted["version"])
    lab.client("needs-conversion", lab.remote, SCHEMA)
    equal(json.loads(lab.client("get-schema", lab.remote, "_Server"))["name"],
          "_Server")


@test
def client_server_database(lab):
    lab.start()
    out = lab.client("--format=json", "dump", lab.remote, "_Server",
                     "Database", "name", "model", "connected", "leader")
    rows = json.loads(out)["data"]
    equal(sorted(rows), sorted([[True, True, "standalone", "Open_vSwitch"],
                                [True, True, "standalone", "_Server"]]))


@test
def client_transact_dump_query(lab):
    lab.start()
    reply = lab.transact(insert_root(next_cfg=7))
    uuid = reply[0]["uuid"][1]
    contains(lab.client("dump", lab.remote), uuid)
    out = lab.client("query", lab.remote, json.dumps(
        ["Open_vSwitch", {"op": "select", "table": "Open_vSwitch",
                          "where": [], "columns": ["next_cfg"]}]))
    equal(json.loads(out), [{"rows": [{"next_cfg": 7}]}])


@test
def client_backup(lab):
    lab.start()
    lab.vsctl("--no-wait", "add-br", "br0", "--", "set", "Bridge", "br0",
              "other_config:a=b")
    backup = lab.path("backup.db")
    with open(backup, "w", encoding="utf-8") as f:
        f.write(lab.client("backup", lab.remote))
    out = run("ovsdb-tool", "query", backup, json.dumps(
        ["Open_vSwitch", {"op": "select", "table": "Bridge", "where": [],
                          "columns": ["name", "other_config"]}]))
    equal(json.loads(out), [{"rows": [
        {"name": "br0", "other_config": ["map", [["a", "b"]]]}]}])
    # And back into an empty database of the same schema.
    lab.vsctl("--no-wait", "emer-reset")
    lab.vsctl("--no-wait", "del-br", "br0")
    with open(backup, encoding="utf-8") as f:
        lab.client("restore", lab.remote, stdin=f)
    equal(lab.vsctl("--no-wait", "list-br").split(), ["br0"])


def line_with(child, part):
    """The next line of a child's output that has `part`."""
    while part not in (line := child.stdout.readline()):
        check(line, f"the output ended without {part!r}")
    return line


@test
def client_monitor(lab):
    lab.start()
    monitor = lab.popen("ovsdb-client", "--format=csv", "monitor", lab.remote,
                        "Open_vSwitch", "Bridge", "name,other_config",
                        stdout=subprocess.PIPE)
    until(lambda: "monitors:1" in lab.appctl("memory/show"), "the monitor")
    lab.vsctl("--no-wait", "add-br", "br0")
    line_with(monitor, "insert,br0,{}")
    lab.vsctl("--no-wait", "set", "Bridge", "br0", "other_config:a=b")
    line_with(monitor, "old,,{}")
    line_with(monitor, "new,br0,{a=b}")
    lab.vsctl("--no-wait", "del-br", "br0")
    line_with(monitor, "delete,br0")


@test
def client_monitor_cond(lab):
    lab.start()
    lab.vsctl("--no-wait", "add-br", "br0")
    lab.vsctl("--no-wait", "add-br", "br1")
    monitor = lab.popen("ovsdb-client", "--format=csv", "monitor-cond",
                        lab.remote, "Open_vSwitch",
                        '[["name","==","br1"],["name","==","br2"]]',
                        "Bridge", "name,other_config",
                        stdout=subprocess.PIPE)
    line_with(monitor, "initial,br1")
    lab.vsctl("--no-wait", "set", "Bridge", "br0", "other_config:x=y")
    lab.vsctl("--no-wait", "add-br", "br2")
    while "insert,br2" not in (line := monitor.stdout.readline()):
        check(line and "br0" not in line, f"not asked for: {line!r}")


@test
def client_monitor_cond_since(lab):
    lab.start()
    lab.vsctl("--no-wait", "add-br", "br0")
    monitor = lab.popen("ovsdb-client", "monitor-cond-since", lab.remote,
                        "Open_vSwitch", "[true]", "Bridge", "name",
                        stdout=subprocess.PIPE)
    contains(monitor.stdout.readline(), "found: false")
    line_with(monitor, "br0")


@test
def client_wait(lab):
    lab.start(dbs=[small_db(lab)])
    waiter = lab.popen("ovsdb-client", "--timeout=15", "wait", lab.remote,
                       "Open_vSwitch", "connected")
    lab.appctl("ovsdb-server/add-db", lab.create_db())
    equal(waiter.wait(TIMEOUT), 0, "status of ovsdb-client wait")
    waiter = lab.popen("ovsdb-client", "--timeout=15", "wait", lab.remote,
                       "Open_vSwitch", "removed")
    lab.appctl("ovsdb-server/remove-db", "Open_vSwitch")
    equal(waiter.wait(TIMEOUT), 0, "status of ovsdb-client wait removed")


def small_db(lab):
    """A database with one table, T, of one column, n."""
    schema = {"name": "Small", "version": "1.0.0", "tables": {
        "T": {"columns": {"n": {"type": "integer"}}, "isRoot": True}}}
    path = lab.path("small.ovsschema")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(schema, f)
    return lab.create_db("small.db", path)


@test
def client_lock(lab):
    lab.start()

    def locker(command):
        return lab.popen("ovsdb-client", command, lab.remote, "l1",
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    first = locker("lock")
    contains(first.stdout.readline(), '"locked":true')
    second = locker("lock")
    contains(second.stdout.readline(), '"locked":false')
    third = locker("steal")
    contains(third.stdout.readline(), '"locked":true')
    line_with(first, "stolen")
    lab.stop(third, signal.SIGKILL)
    line_with(first, "locked")
    lab.stop(first, signal.SIGKILL)
    line_with(second, "locked")


@test
def vsctl(lab):
    lab.start()
    lab.vsctl("--no-wait", "init")
    lab.vsctl("--no-wait", "--", "add-br", "br0", "--", "add-port", "br0",
              "p1", "tag=9", "--", "set", "Interface", "p1", "type=internal",
              "external_ids:iface-id=x y")
    lab.vsctl("--no-wait", "add-bond", "br0", "bond0", "e0", "e1",
              "lacp=active")
    equal(lab.vsctl("list-ports", "br0").split(), ["bond0", "p1"])
    equal(lab.vsctl("get", "Port", "p1", "tag").strip(), "9")
    equal(lab.vsctl("get", "Interface", "p1", "external_ids").strip(),
          '{iface-id="x y"}')
    contains(lab.vsctl("show"), "type: internal")
    equal(lab.vsctl("--bare", "--columns=name", "find", "Port",
                    "lacp=active").strip(), "bond0")
    lab.vsctl("--no-wait", "remove", "Interface", "p1", "external_ids",
              "iface-id")
    lab.vsctl("--no-wait", "clear", "Port", "p1", "tag")
    equal(lab.vsctl("get", "Port", "p1", "tag").strip(), "[]")
    lab.vsctl("--no-wait", "--", "set", "Port", "p1", "qos=@q", "--",
              "--id=@q", "create", "QoS", "type=linux-htb",
              "queues:0=@q0", "--", "--id=@q0", "create", "Queue",
              "other_config:max-rate=1000")
    contains(lab.vsctl("list", "QoS"), "linux-htb")
    contains(lab.vsctl("--no-wait", "set", "Port", "p1", "tag=5000",
                       status=1), "5000")
    lab.vsctl("--no-wait", "del-port", "p1")
    lab.vsctl("--no-wait", "del-br", "br0")
    equal(lab.vsctl("--bare", "--columns=name", "list", "Interface"), "",
          "interfaces that nothing refers to")


@test
def python_idl(lab):
    sys.path.append("/usr/lib/python3/dist-packages")
    import ovs.db.idl
    import ovs.poller

    lab.start()

    def turn(idl, condition, what):
        end = time.monotonic() + TIMEOUT
        while True:
            idl.run()
            if condition():
                return
            check(time.monotonic() < end, f"in vain: waited for {what}")
            poller = ovs.poller.Poller()
            idl.wait(poller)
            poller.timer_wait(100)
            poller.block()

    def commit(txn):
        status = txn.commit_block()
        check(status in (txn.SUCCESS, txn.UNCHANGED),
              f"commit: {status} {txn.get_error()}")

    helper = ovs.db.idl.SchemaHelper(location=SCHEMA)
    helper.register_table("Open_vSwitch")
    helper.register_table("Bridge")
    idl = ovs.db.idl.Idl(lab.remote, helper)
    idl.set_lock("test_lock")
    turn(idl, lambda: idl.has_ever_connected() and idl.has_lock,
         "the first content and the lock")
    txn = ovs.db.idl.Transaction(idl)
    root = txn.insert(idl.tables["Open_vSwitch"])
    bridge = txn.insert(idl.tables["Bridge"])
    bridge.name = "br0"
    root.bridges = [bridge]
    commit(txn)
    root = next(iter(idl.tables["Open_vSwitch"].rows.values()))
    equal([b.name for b in root.bridges], ["br0"])
    txn = ovs.db.idl.Transaction(idl)
    bridge = root.bridges[0]
    bridge.verify("name")
    bridge.setkey("other_config", "a", "b")
    bridge.addvalue("flood_vlans", 5)
    commit(txn)
    txn = ovs.db.idl.Transaction(idl)
    bridge.delkey("other_config", "a")
    root.increment("next_cfg")
    commit(txn)
    lab.vsctl("--no-wait", "set", "Bridge", "br0", "other_config:x=y")
    turn(idl, lambda: bridge.other_config == {"x": "y"}, "the update")
    idl.cond_change("Bridge", [["name", "==", "other"]])
    turn(idl, lambda: not idl.tables["Bridge"].rows, "the condition")
    idl.cond_change("Bridge", [True])
    turn(idl, lambda: len(idl.tables["Bridge"].rows) == 1, "the condition")
    idl.close()


def start_vswitchd(lab):
    """Debian's daemon, from the database at lab.remote."""
    pidfile = lab.path("vswitchd.pid")
    argv = ["ovs-vswitchd", lab.remote, f"--pidfile={pidfile}",
            f"--unixctl={lab.path('vswitchd.ctl')}", "-vconsole:off",
            f"--log-file={lab.path('vswitchd.log')}"]
    if os.geteuid() == 0:
        return lab.popen("unshare", "--net", *argv), "netdev"
    return lab.popen(*argv, "--enable-dummy"), "dummy"


@test
def vswitchd(lab):
    server = lab.start()
    lab.vsctl("--no-wait", "init")
    _, kind = start_vswitchd(lab)
    lab.vsctl("add-br", "br0", "--", "set", "Bridge", "br0",
              f"datapath_type={kind}")
    port = ["type=internal"] if kind == "netdev" else ["type=dummy"]
    lab.vsctl("add-port", "br0", "p1", "--", "set", "Interface", "p1", *port)
    check(int(lab.vsctl("get", "Interface", "p1", "ofport")) > 0,
          "p1 has no ofport")
    # It lives through a restart of the server.
    lab.stop(server)
    lab.start()
    lab.vsctl("add-port", "br0", "p2", "--", "set", "Interface", "p2", *port)
    check(int(lab.vsctl("get", "Interface", "p2", "ofport")) > 0,
          "p2 has no ofport")
    lab.vsctl("del-port", "p1")
    equal(lab.vsctl("list-ports", "br0").split(), ["p2"])


# --- remotes ----------------------------------------------------------------


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@test
def remote_tcp(lab):
    port = free_port()
    lab.start(f"--remote=ptcp:{port}:127.0.0.1")
    contains(lab.client("list-dbs", f"tcp:127.0.0.1:{port}"), "Open_vSwitch")


@test
def remote_active(lab):
    """The server connects to a client that listens."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(lab.path("manager.sock"))
    listener.listen(1)
    listener.settimeout(TIMEOUT)
    lab.start(f"--remote=unix:{lab.path('manager.sock')}")
    for _ in range(2):  # it comes back when it is dropped
        peer, _ = listener.accept()
        peer.settimeout(TIMEOUT)
        peer.sendall(b'{"id":1,"method":"list_dbs","params":[]}')
        contains(peer.recv(1000).decode(), "Open_vSwitch")
        peer.close()
    listener.close()


@test
def remote_of_database(lab):
    port = free_port()
    lab.start("--remote=db:Open_vSwitch,Open_vSwitch,manager_options")
    lab.vsctl("--no-wait", "set-manager", f"ptcp:{port}:127.0.0.1")
    remote = f"tcp:127.0.0.1:{port}"

    def reachable():
        return run("ovsdb-client", "list-dbs", remote, status=None
                   ).startswith("Open_vSwitch")
    until(reachable, "the manager's port")
    with socket.create_connection(("127.0.0.1", port)):
        until(lambda: lab.vsctl("get", "Manager", ".", "is_connected"
                                ).strip() == "true", "is_connected")
    lab.vsctl("--no-wait", "del-manager")
    until(lambda: not reachable(), "the manager's port to close")


def make_certificates(lab):
    """A CA and a key and certificate by it."""
    def openssl(*args):
        run("openssl", *args)
    ca, cakey = lab.path("ca.pem"), lab.path("ca.key")
    key, req, cert = (lab.path(f"server.{x}") for x in ("key", "req", "pem"))
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", cakey,
            "-out", ca, "-subj", "/CN=test-ca", "-days", "2")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out",
            req, "-subj", "/CN=server")
    openssl("x509", "-req", "-in", req, "-CA", ca, "-CAkey", cakey,
            "-CAcreateserial", "-out", cert, "-days", "2")
    return key, cert, ca


@test
def remote_tls(lab):
    key, cert, ca = make_certificates(lab)
    port = free_port()
    files = [f"--private-key={key}", f"--certificate={cert}",
             f"--ca-cert={ca}"]
    lab.start(f"--remote=pssl:{port}:127.0.0.1", *files)
    remote = f"ssl:127.0.0.1:{port}"
    contains(lab.client(*files, "list-dbs", remote), "Open_vSwitch")
    # Without a certificate, or in plain text, there is no way in.
    with socket.create_connection(("127.0.0.1", port)) as plain:
        plain.settimeout(TIMEOUT)
        plain.sendall(b'{"id":1,"method":"list_dbs","params":[]}')
        try:
            while data := plain.recv(1000):
                check(b"Open_vSwitch" not in data, "served without TLS")
        except ConnectionResetError:
            pass
    contains(lab.client(*files, "list-dbs", remote), "Open_vSwitch")


# --- command line and control socket ----------------------------------------


@test
def detach_and_exit(lab):
    lab.create_db()
    pidfile = lab.path("server.pid")
    run(lab.program, f"--remote=punix:{lab.sock}", f"--unixctl={lab.ctl}",
        f"--pidfile={pidfile}", f"--log-file={lab.log}", "--detach",
        "--no-chdir", "-vconsole:off", lab.db, env=lab.env)
    # No waiting here: it returned, so it listens.
    contains(lab.client("list-dbs", lab.remote), "Open_vSwitch")
    with open(pidfile, encoding="ascii") as f:
        pid = int(f.read())
    os.kill(pid, 0)
    out = run(lab.program, "--remote=punix:x.sock", f"--pidfile={pidfile}",
              "--unixctl=x.ctl", "--detach", "--no-chdir", "-vconsole:off",
              lab.create_db("other.db"), env=lab.env, status=1)
    contains(out, f"already running as pid {pid}")
    contains(lab.appctl("list-commands"), "exit")
    lab.appctl("exit")
    until(lambda: not os.path.exists(pidfile), "the pid file to go")
    check(not os.path.exists(lab.sock), "the socket is left behind")
    until(lambda: not os.path.exists(f"/proc/{pid}"), "the process to end")


@test
def sigterm(lab):
    server = lab.start()
    lab.stop(server)
    check(not os.path.exists(lab.sock), "the socket is left behind")
    check(not os.path.exists(lab.ctl), "the control socket is left behind")


@test
@ours_only
def run_option(lab):
    lab.create_db()
    for command, status in (("exit 7", 7), ("true", 0),
                            (f"ovsdb-client list-dbs {lab.remote} "
                             f"> {lab.path('dbs')}", 0)):
        run(lab.program, f"--remote=punix:{lab.sock}",
            f"--unixctl={lab.ctl}", "-vconsole:off", f"--run={command}",
            lab.db, env=lab.env, status=status)
    with open(lab.path("dbs"), encoding="utf-8") as f:
        contains(f.read(), "Open_vSwitch")


@test
@ours_only
def wrong_command_lines(lab):
    lab.create_db()
    for args, part in ((["--nonsense", lab.db], "nonsense"),
                       ([lab.path("missing.db")], "missing.db"),
                       (["--remote=foo:bar", lab.db], "foo:bar"),
                       (["--remote=db:A,B,C", lab.db], "A"),
                       ([lab.db, lab.db], "conf.db")):
        out = run(lab.program, "--unixctl=" + lab.ctl, *args, env=lab.env,
                  status=1)
        contains(out, part)
    contains(run(lab.program, "--help"), "--remote")
    run(lab.program, "--version")


@test
def control_commands(lab):
    lab.start()
    equal(lab.appctl("ovsdb-server/list-remotes").strip(),
          f"punix:{lab.sock}")
    second = f"punix:{lab.path('second.sock')}"
    lab.appctl("ovsdb-server/add-remote", second)
    contains(lab.client("list-dbs", second[1:]), "Open_vSwitch")
    contains(lab.appctl("ovsdb-server/list-remotes"), second)
    lab.appctl("ovsdb-server/remove-remote", second)
    lab.appctl("ovsdb-server/remove-remote", second, status=2)
    check(not os.path.exists(lab.path("second.sock")), "socket left behind")
    lab.appctl("ovsdb-server/add-remote", "db:A,B,C", status=2)
    contains(lab.appctl("ovsdb-server/get-db-storage-status",
                        "Open_vSwitch"), "status: ok")
    lab.appctl("ovsdb-server/compact")
    lab.appctl("ovsdb-server/compact", "Open_vSwitch")
    lab.appctl("ovsdb-server/compact", "nope", status=2)
    lab.appctl("ovsdb-server/reconnect")
    contains(lab.appctl("ovsdb-server/list-dbs"), "Open_vSwitch")
    contains(lab.appctl("vlog/list"), "console")
    lab.appctl("vlog/set", "ANY:file:dbg")
    lab.appctl("vlog/reopen")
    lab.appctl("memory/show")
    lab.appctl("coverage/show")
    lab.appctl("version")
    contains(lab.appctl("fdb/show", status=2), "not a valid command")
    lab.appctl("ovsdb-server/remove-db", "Open_vSwitch")
    equal(lab.client("list-dbs", lab.remote).split(), ["_Server"])
    lab.appctl("ovsdb-server/remove-db", "Open_vSwitch", status=2)
    lab.appctl("ovsdb-server/add-db", lab.db)
    equal(lab.client("list-dbs", lab.remote).split(),
          ["Open_vSwitch", "_Server"])


@test
def socket_mode(lab):
    lab.start()
    check(os.stat(lab.sock).st_mode & 0o007 == 0, "anybody may connect")


# --- the protocol by hand ---------------------------------------------------


@test
@ours_only
def errors(lab):
    lab.start()
    rpc = Rpc(lab.sock)
    equal(rpc.error("nosuch"), "unknown method")
    equal(rpc.error("get_schema", "nodb")["error"], "unknown database")
    for method, params in (("get_schema", []), ("get_schema", [3]),
                           ("transact", []), ("monitor", ["Open_vSwitch"]),
                           ("monitor", ["Open_vSwitch", 1, {"No": {}}]),
                           ("monitor", ["Open_vSwitch", 1, {"Bridge": 3}]),
                           ("monitor", ["Open_vSwitch", 1, {"Bridge": {
                               "columns": ["name", "name"]}}]),
                           ("monitor", ["Open_vSwitch", 1, {"Bridge": {
                               "where": []}}]),
                           ("monitor", ["Open_vSwitch", 1, {"Bridge": {
                               "select": {"initial": 3}}}]),
                           ("monitor_cond", ["Open_vSwitch", 1, {"Bridge": {
                               "where": [["no", "==", 1]]}}]),
                           ("monitor_cond_change", [1, 1, {}]),
                           ("lock", []), ("lock", ["no id"]),
                           ("unlock", ["never"]),
                           ("set_db_change_aware", [])):
        error = rpc.error(method, *params)
        check(isinstance(error, dict) and "error" in error,
              f"{method} {params}: {error}")
    equal(rpc.error("monitor_cancel", 99), "unknown monitor")
    equal(rpc.result("echo", 1, {"a": []}), [1, {"a": []}])
    check(len(rpc.result("get_server_id")) == 36, "server id")


@test
@ours_only  # the other sends an empty update of a column not selected
def monitor_version_1(lab):
    lab.start()
    rpc = Rpc(lab.sock)
    equal(rpc.result("monitor", "Open_vSwitch", {"my": "id"}, {
        "Bridge": [{"columns": ["name"]},
                   {"columns": ["other_config"],
                    "select": {"modify": False}}]}), {})
    reply, before = rpc.call(
        "transact", "Open_vSwitch",
        insert_root(bridges=["named-uuid", "b"]),
        {"op": "insert", "table": "Bridge", "uuid-name": "b",
         "row": {"name": "br0"}})
    uuid = reply["result"][1]["uuid"][1]
    equal(before, [{"id": None, "method": "update", "params": [
        {"my": "id"}, {"Bridge": {uuid: {"new": {
            "name": "br0", "other_config": ["map", []]}}}}]}])
    # A column whose changes are not asked for, then one that is not at all.
    for row in ({"other_config": ["map", [["a", "b"]]]},
                {"stp_enable": True}):
        _, before = rpc.call("transact", "Open_vSwitch",
                             {"op": "update", "table": "Bridge", "where": [],
                              "row": row})
        equal(before, [])
    _, before = rpc.call("transact", "Open_vSwitch",
                         {"op": "delete", "table": "Bridge", "where": []},
                         {"op": "update", "table": "Open_vSwitch",
                          "where": [], "row": {"bridges": ["set", []]}})
    equal(before[0]["params"][1]["Bridge"][uuid], {"old": {
        "name": "br0", "other_config": ["map", [["a", "b"]]]}})
    equal(rpc.result("monitor_cancel", {"my": "id"}), {})
    _, before = rpc.call("transact", "Open_vSwitch",
                         {"op": "delete", "table": "Open_vSwitch",
                          "where": []})
    equal(before, [])


@test
def monitor_conditions(lab):
    lab.start()
    rpc = Rpc(lab.sock)

    def update(**row):
        _, before = rpc.call("transact", "Open_vSwitch", {
            "op": "update", "table": "Open_vSwitch", "where": [],
            "row": row})
        return before

    rpc.result("transact", "Open_vSwitch", insert_root(
        next_cfg=1, other_config=["map", [["a", "1"], ["b", "2"]]]))
    since = rpc.result("monitor_cond_since", "Open_vSwitch", "m", {
        "Open_vSwitch": [{"columns": ["next_cfg", "other_config"],
                          "where": [["next_cfg", "==", 2],
                                    ["next_cfg", "==", 3]]}]},
        "00000000-0000-0000-0000-000000000000")
    equal(since, [False, "00000000-0000-0000-0000-000000000000", {}])
    # It comes under the condition, changes there, and leaves it.
    (message,) = update(next_cfg=2)
    equal(message["method"], "update3")
    equal(message["params"][:2],
          ["m", "00000000-0000-0000-0000-000000000000"])
    ((uuid, row),) = message["params"][2]["Open_vSwitch"].items()
    row["insert"]["other_config"][1].sort()
    equal(row, {"insert": {"next_cfg": 2, "other_config": [
        "map", [["a", "1"], ["b", "2"]]]}})
    (message,) = update(next_cfg=3, other_config=[
        "map", [["a", "1"], ["b", "9"], ["c", "3"]]])
    row = message["params"][2]["Open_vSwitch"][uuid]
    row["modify"]["other_config"][1].sort()
    equal(row, {"modify": {"next_cfg": 3, "other_config": [
        "map", [["b", "9"], ["c", "3"]]]}})
    (message,) = update(next_cfg=4)
    equal(message["params"][2]["Open_vSwitch"][uuid], {"delete": None})
    equal(update(next_cfg=5), [])
    # Another condition: what it brings in comes before the reply.
    reply, before = rpc.call("monitor_cond_change", "m", "n", {
        "Open_vSwitch": [{"where": [["next_cfg", "==", 5]]}]})
    equal(reply["result"], {})
    equal(len(before), 1)
    check("insert" in before[0]["params"][2]["Open_vSwitch"][uuid],
          f"no insert: {before}")
    (message,) = update(cur_cfg=1, next_cfg=6)
    equal(message["params"][0], "n")
    reply, before = rpc.call("monitor_cond_change", "n", "n", {
        "Open_vSwitch": [{"where": [False]}]})
    equal((reply["result"], before), ({}, []))
    equal(rpc.error("monitor_cond_change", "m", "m", {})["error"],
          "syntax error")


@test
def one_commit_one_update(lab):
    """Many monitors, one update each, and each before the reply."""
    lab.start()
    rpc = Rpc(lab.sock)
    watchers = [Rpc(lab.sock) for _ in range(20)]
    for method, w in zip(["monitor", "monitor_cond"] * 10, watchers):
        w.result(method, "Open_vSwitch", w.next_id,
                 {"Bridge": {}, "Open_vSwitch": {}})
    rpc.result("transact", "Open_vSwitch",
               insert_root(bridges=["named-uuid", "b"]),
               {"op": "insert", "table": "Bridge", "uuid-name": "b",
                "row": {"name": "br0"}})
    for w in watchers:
        message = w.receive()
        equal(sorted(message["params"][1]), ["Bridge", "Open_vSwitch"])
        equal(w.call("echo")[1], [], "more updates")


@test
def waiting_transactions(lab):
    lab.start()
    rpc, other = Rpc(lab.sock), Rpc(lab.sock)
    wait = {"op": "wait", "table": "Open_vSwitch", "where": [],
            "columns": ["next_cfg"], "until": "==",
            "rows": [{"next_cfg": 5}]}
    first = rpc.send("transact", "Open_vSwitch", wait,
                     {"op": "comment", "comment": "done"})
    other.result("transact", "Open_vSwitch", insert_root(next_cfg=4))
    equal(rpc.call("echo")[1], [], "answered too early")
    other.result("transact", "Open_vSwitch",
                 {"op": "update", "table": "Open_vSwitch", "where": [],
                  "row": {"next_cfg": 5}})
    equal(rpc.receive()["id"], first)
    # One that times out, and one that is cancelled.
    gone = dict(wait, rows=[{"next_cfg": 6}])
    reply, _ = rpc.call("transact", "Open_vSwitch", dict(gone, timeout=50),
                        {"op": "comment", "comment": "x"})
    equal(reply["result"][0]["error"], "timed out")
    equal(reply["result"][1:], [None])
    reply, _ = rpc.call("transact", "Open_vSwitch", dict(gone, timeout=0))
    equal(reply["result"][0]["error"], "timed out")
    ident = rpc.send("transact", "Open_vSwitch", gone)
    rpc.call("echo")
    rpc.send("cancel", ident, ident=None)
    reply = rpc.receive()
    equal((reply["id"], reply["error"]), (ident, "canceled"))
    # And one whose client goes away.
    rpc.send("transact", "Open_vSwitch", gone)
    rpc.close()
    other.result("echo")


@test
def asserts_and_locks(lab):
    lab.start()
    a, b = Rpc(lab.sock), Rpc(lab.sock)
    op = {"op": "assert", "lock": "l"}
    equal(a.result("lock", "l"), {"locked": True})
    equal(b.result("lock", "l"), {"locked": False})
    equal(a.result("transact", "Open_vSwitch", op), [{}])
    equal(b.result("transact", "Open_vSwitch", op)[0]["error"], "not owner")
    equal(a.result("unlock", "l"), {})
    message = b.receive()
    equal((message["method"], message["params"]), ("locked", ["l"]))
    equal(b.result("transact", "Open_vSwitch", op), [{}])
    equal(a.result("steal", "l"), {"locked": True})
    message = b.receive()
    equal((message["method"], message["params"]), ("stolen", ["l"]))
    a.close()
    equal(b.receive()["method"], "locked")


@test
def garbage(lab):
    """What is no JSON-RPC closes that connection; the others live on."""
    server = lab.start()
    witness = Rpc(lab.sock)
    for data in (b"GET / HTTP/1.0\r\n\r\n", b"[]", b"{", b"{}{}", b'"x"',
                 b'{"id":1}', b'{"id":1,"method":"echo"}',
                 b'{"id":1,"method":"echo","params":{}}',
                 b'{"id":1,"method":3,"params":[]}',
                 b'{"id":1,"result":1,"error":2}',
                 b'{"id":1,"method":"echo","params":[\xff]}',
                 b'{"a":' + b"[" * 100000, bytes(range(256)),
                 b'{"id":1,"method":"echo","params":' + b"[" * 600
                 + b"]" * 600 + b"}"):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(TIMEOUT)
            s.connect(lab.sock)
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                while s.recv(1000):
                    pass
            except (ConnectionResetError, BrokenPipeError):
                pass
        equal(witness.result("echo", 1), [1])
    check(server.poll() is None, "the server ended")


@test
def bytewise(lab):
    """A message may come in any pieces."""
    lab.start()
    rpc = Rpc(lab.sock)
    text = json.dumps({"id": "x", "method": "echo",
                       "params": ['"}{\\', {"a": ["[", "\u00e9"]}]},
                      ensure_ascii=False)
    for byte in (text + " " + text).encode():
        rpc.sock.sendall(bytes([byte]))
    for _ in range(2):
        equal(rpc.receive()["result"], ['"}{\\', {"a": ["[", "\u00e9"]}])


@test
@ours_only
def slow_reader(lab):
    """A client that does not read is dropped; the others are served."""
    lab.start()
    rpc, slow = Rpc(lab.sock), Rpc(lab.sock)
    rpc.result("transact", "Open_vSwitch", insert_root())
    slow.result("monitor", "Open_vSwitch", 1, {"Open_vSwitch": {
        "columns": ["other_config"]}})
    text = "x" * (1 << 20)
    for i in range(80):
        rpc.result("transact", "Open_vSwitch",
                   {"op": "update", "table": "Open_vSwitch", "where": [],
                    "row": {"other_config": ["map", [["a", f"{i}{text}"]]]}})
    try:
        while slow.sock.recv(1 << 20):
            pass
    except ConnectionResetError:
        pass
    contains(lab.read_log(), "does not read")
    rpc.result("echo")


@test
def many_sessions(lab):
    lab.start()
    sessions = [Rpc(lab.sock) for _ in range(300)]
    for s in sessions:
        s.send("list_dbs")
    for s in sessions:
        contains(json.dumps(s.receive()), "Open_vSwitch")
        s.close()


@test
def several_databases(lab):
    lab.start(dbs=[lab.create_db(), small_db(lab)])
    equal(lab.client("list-dbs", lab.remote).split(),
          ["Open_vSwitch", "Small", "_Server"])
    rpc = Rpc(lab.sock)
    rpc.result("monitor", "Small", "s", {"T": {"columns": ["n"]}})
    rpc.result("monitor", "Open_vSwitch", "o", {"Open_vSwitch": {}})
    _, before = rpc.call("transact", "Small", {"op": "insert", "table": "T",
                                               "row": {"n": 1}})
    equal([m["params"][0] for m in before], ["s"])


@test
def database_removed(lab):
    lab.start()
    aware, unaware = Rpc(lab.sock), Rpc(lab.sock)
    aware.result("set_db_change_aware", True)
    for rpc in (aware, unaware):
        rpc.result("monitor", "Open_vSwitch", "m", {"Bridge": {}})
    lab.appctl("ovsdb-server/remove-db", "Open_vSwitch")
    message = aware.receive()
    equal((message["method"], message["params"]),
          ("monitor_canceled", ["m"]))
    equal(unaware.receive(), None, "the session of one who is not aware")
    equal(aware.result("list_dbs"), ["_Server"])


# --- the file ---------------------------------------------------------------


@test
def restart_keeps_all(lab):
    server = lab.start()
    lab.vsctl("--no-wait", "add-br", "br0")
    lab.stop(server)
    contains(run("ovsdb-tool", "show-log", lab.db), "ovs-vsctl")
    server = lab.start()
    equal(lab.vsctl("list-br").split(), ["br0"])
    lab.stop(server)
    run("ovsdb-tool", "compact", lab.db)
    lab.start()
    equal(lab.vsctl("list-br").split(), ["br0"])


def commit_loop(lab, answered, stop):
    """Counts up in one row, as fast as replies come."""
    try:
        rpc = Rpc(lab.sock)
        while not stop.is_set():
            n = answered[0] + 1
            rpc.result("transact", "Open_vSwitch", {
                "op": "mutate", "table": "Open_vSwitch", "where": [],
                "mutations": [["next_cfg", "+=", 1]]},
                {"op": "insert", "table": "SSL", "row": {}})
            answered[0] = n
    except (OSError, Failure):
        pass


@test
def kill_9(lab):
    """Nothing that was answered is lost by kill -9."""
    server = lab.start()
    lab.transact(insert_root(next_cfg=0))
    answered = [0]
    for round_ in range(5):
        stop = threading.Event()
        thread = threading.Thread(target=commit_loop,
                                  args=(lab, answered, stop))
        thread.start()
        goal = answered[0] + 20 + 13 * round_
        until(lambda goal=goal: answered[0] >= goal, "commits")
        lab.stop(server, signal.SIGKILL)
        stop.set()
        thread.join(TIMEOUT)
        server = lab.start()
        found = int(lab.vsctl("--no-wait", "get", "Open_vSwitch", ".",
                              "next_cfg"))
        # The last one may be there although its answer was not.
        check(answered[0] <= found <= answered[0] + 1,
              f"{answered[0]} commits answered, {found} found")
        answered[0] = found


@test
def torn_tail(lab):
    server = lab.start()
    lab.transact(insert_root(next_cfg=1))
    lab.transact({"op": "update", "table": "Open_vSwitch", "where": [],
                  "row": {"next_cfg": 2}})
    lab.stop(server)
    size = os.path.getsize(lab.db)
    os.truncate(lab.db, size - 10)
    lab.start()
    equal(lab.vsctl("get", "Open_vSwitch", ".", "next_cfg").strip(), "1")


@test
@ours_only
def damage_refused(lab):
    server = lab.start()
    for n in range(5):
        lab.transact(insert_root(next_cfg=n))
    lab.stop(server)
    with open(lab.db, "rb+") as f:
        data = bytearray(f.read())
        at = data.rindex(b"OVSDB JSON", 0, len(data) - 400)
        data[at + 90] ^= 1
        f.seek(0)
        f.write(data)
    out = run(lab.program, "--unixctl=" + lab.ctl, lab.db, env=lab.env,
              status=1)
    check(re.search(r"\b%d\b" % at, out), f"no offset {at} in: {out}")
    with open(lab.db, "rb") as f:
        equal(f.read(), bytes(data), "the damaged file")


def run_one(function, program):
    lab = Lab(program)
    signal.alarm(2 * TIMEOUT)  # whatever a test waits for
    try:
        function(lab)
        lab.stop_servers()
        print(f"ok      {function.__name__}", flush=True)
        return True
    except Exception as e:  # a test may fail in any way
        print(f"FAILED  {function.__name__}: {str(e)[:1000]}", flush=True)
        if not isinstance(e, Failure):
            traceback.print_exc(file=sys.stdout)
        print("\n".join("        | " + line for line in
                        lab.read_log().splitlines()[-10:]))
        return False
    finally:
        signal.alarm(0)
        lab.close()


def too_long(_signum, _frame):
    raise Failure("it takes too long")


def terminate(signum, _frame):
    sys.exit(128 + signum)  # so that labs are closed


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server",
                        default=os.path.join(TOP, "build", "ovsdb-lite"))
    parser.add_argument("words", nargs="*", metavar="WORD")
    options = parser.parse_args()
    for sig in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, terminate)
    signal.signal(signal.SIGALRM, too_long)
    theirs = os.path.basename(options.server) == "ovsdb-server"
    results = []
    for function in TESTS:
        if options.words and not any(w in function.__name__
                                     for w in options.words):
            continue
        if theirs and getattr(function, "ours_only", False):
            continue
        results.append(run_one(function, options.server))
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
