"""A server in a directory of its own, and what drives it."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

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

    def start(self, *args, dbs=None, wait=True, program=None):
        """A server in the foreground, as our child; waits until it listens."""
        if dbs is None:
            if not os.path.exists(self.db):
                self.create_db()
            dbs = [self.db]
        program = program or [self.program]
        server = self.popen(*program, f"--remote=punix:{self.sock}",
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


def small_db(lab):
    """A database with one table, T, of one column, n."""
    schema = {"name": "Small", "version": "1.0.0", "tables": {
        "T": {"columns": {"n": {"type": "integer"}}, "isRoot": True}}}
    path = lab.path("small.ovsschema")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(schema, f)
    return lab.create_db("small.db", path)
