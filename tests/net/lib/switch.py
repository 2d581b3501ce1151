"""The switch under test behind one interface: vswd, or Open vSwitch.

Open vSwitch (its userspace datapath) is here to try the scenarios against an
implementation that is known to be right; vswd is what is tested.
"""
import contextlib
import json
import os
import signal
import socket
import subprocess
import time

from . import netns

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.path.join(ROOT, os.environ.get("VSW_BUILD", "build"))
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
SANITIZER_MARKS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer",
                   "runtime error:", "WARNING: ThreadSanitizer")


def connectable(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.connect(path)
        except OSError:
            return False
        return True


def read_json(sock):
    """One object from a stream that has nothing after it yet."""
    data = b""
    while True:
        part = sock.recv(1 << 16)
        data += part
        with contextlib.suppress(ValueError):
            return json.loads(data)
        if not part:
            raise netns.CommandFailed(f"cut short: {data[-80:]}")


def parse_fdb(text):
    """fdb/show as [(port number or LOCAL, VLAN, MAC, age or 'static')]."""
    entries = []
    for line in text.splitlines()[1:]:
        port, vlan, mac, age = line.split()[:4]
        entries.append((port, int(vlan), mac,
                        age if age == "static" else int(age)))
    return entries


class Switch:
    """One instance with all its files in a directory of its own."""
    kind = None

    def __init__(self, namespace, directory, options):
        self.namespace = namespace
        self.directory = directory
        self.options = options
        self.process = None
        self.logs = []
        self.expect_status = 0
        os.makedirs(directory, exist_ok=True)

    def path(self, name):
        return os.path.join(self.directory, name)

    def log_file(self, name):
        path = self.path(name)
        if path not in self.logs:
            self.logs.append(path)
        return path

    def spawn(self, name, *argv, env=None):
        """A daemon in the foreground of its own, in the switch's namespace."""
        with open(self.log_file(name), "ab") as log:
            return self.namespace.popen(*argv, stdout=log, stderr=log,
                                        env={**os.environ, **(env or {})})

    def wait_for(self, path, process, what):
        def ready():
            if process is not None and process.poll() is not None:
                raise AssertionError(
                    f"{what} ended with status {process.returncode}:\n" +
                    self.log_tail())
            return connectable(path)
        netns.wait_until(ready, f"{what} answers on {path}", timeout=20)

    def log_tail(self, lines=25):
        out = []
        for path in self.logs:
            if os.path.exists(path):
                with open(path, errors="replace") as file:
                    tail = file.read().splitlines()[-lines:]
                out += [f"--- {os.path.basename(path)}"] + tail
        return "\n".join(out)

    def log_text(self):
        text = ""
        for path in self.logs:
            if os.path.exists(path):
                with open(path, errors="replace") as file:
                    text += file.read()
        return text

    def check_logs(self):
        for mark in SANITIZER_MARKS:
            assert mark not in self.log_text(), f"{mark} in the log"

    def end(self, process, what, sig=signal.SIGTERM):
        process.send_signal(sig)
        try:
            return process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{what} did not end within 20 s") from None

    def kill(self):
        """kill -9, as a crash or an operator would."""
        self.process.kill()
        self.process.wait()
        self.process = None

    # What the tests say to the switch.

    def ctl(self, *args, check=True, timeout=20):
        """ovs-vsctl's grammar; the output without its last newline."""
        result = netns.run(self.ctl_argv() + list(args), check=check,
                           timeout=timeout)
        return result.stdout.rstrip("\n") if check else result

    def app(self, *args, check=True):
        result = netns.run(self.app_argv() + list(args), check=check)
        return result.stdout.rstrip("\n") if check else result

    def get(self, table, record, column):
        """A column's value: str, int, bool, list, dict, or [] for none."""
        out = self.ctl("--format=json", "--data=json",
                       f"--columns={column}", "list", table, record)
        value = json.loads(out)["data"][0][0]
        if isinstance(value, list):
            kind, content = value
            if kind == "set":
                return content
            if kind == "map":
                return dict(content)
            return content
        return value

    def set(self, table, record, **columns):
        self.ctl("set", table, record, *column_arguments(columns))

    def sync(self):
        """Returns when the switch works by all that the database says now."""
        self.set("Open_vSwitch", ".",
                 external_ids={"sync": f"{time.monotonic_ns()}"})

    def ofport(self, interface):
        return self.get("Interface", interface, "ofport")

    def fdb(self, bridge="br0"):
        """{(VLAN, MAC): (ofport as text, age)}"""
        return {(vlan, mac): (port, age) for port, vlan, mac, age in
                parse_fdb(self.app("fdb/show", bridge))}

    def add_vhost(self, bridge, name, listens=True, interface=None, **columns):
        """A vhost-user port; the path of its socket. listens: the switch does,
        else the front end."""
        path = self.vhost_path(name, listens)
        interface = {"type": self.vhost_types[not listens],
                     **(interface or {}),
                     "options": {**self.vhost_options(path, listens),
                                 **(interface or {}).get("options", {})}}
        self.ctl("add-port", bridge, name, *column_arguments(columns), "--",
                 "set", "Interface", name, *column_arguments(interface))
        return path

    vhost_types = ("dpdkvhostuser", "dpdkvhostuserclient")

    def vhost_path(self, name, _):
        return self.path(name + ".vhost")

    def vhost_options(self, path, _):
        return {"vhost-server-path": path}

    def add_bridge(self, bridge, **columns):
        command = ["add-br", bridge]
        columns = {**self.bridge_columns, **columns}
        if columns:
            command += ["--", "set", "Bridge", bridge,
                        *column_arguments(columns)]
        self.ctl(*command)

    bridge_columns = {}


def column_arguments(columns):
    """tag=10, trunks=[1, 2], other_config={"a": "b"} as for `set`."""
    for column, value in columns.items():
        if isinstance(value, dict):
            for key, item in value.items():
                yield f"{column}:{key}={item}"
        elif isinstance(value, (list, tuple)):
            yield f"{column}={','.join(map(str, value))}" if value \
                else f"{column}=[]"
        else:
            yield f"{column}={value}"


class Vsw(Switch):
    kind = "vsw"

    def __init__(self, *args):
        super().__init__(*args)
        self.server = None
        self.told_fast_path = False

    def ctl_argv(self):
        if self.options.config == "ovs-vsctl":
            return ["ovs-vsctl", "--timeout=20",
                    f"--db=unix:{self.path('db.sock')}"]
        return [f"{BUILD}/vsw-ctl", "--run-dir", self.directory] + \
            ([f"--db=unix:{self.path('db.sock')}"] if self.options.db else [])

    def app_argv(self):
        return ["ovs-appctl", "-t", self.path("vswd.ctl")]

    def vsw_ctl(self, *args, check=True, **kwargs):
        """vsw-ctl itself, whatever configures."""
        return netns.run([f"{BUILD}/vsw-ctl", "--run-dir", self.directory,
                          *args], check=check, **kwargs)

    def command(self, method, *args):
        """A control command's answer as JSON, without a process for it."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(20)
            sock.connect(self.path("vswd.ctl"))
            sock.sendall(json.dumps(
                {"id": 0, "method": method,
                 "params": ["--format=json", *args]}).encode())
            answer = read_json(sock)
        if answer["error"]:
            raise netns.CommandFailed(f"{method} {args}: {answer['error']}")
        return json.loads(answer["result"])

    def argv(self):
        argv = [f"{BUILD}/vswd", "--run-dir", self.directory]
        if self.options.db:
            argv.append(f"--db=unix:{self.path('db.sock')}")
        return argv

    def start(self, *extra):
        if self.options.db and self.server is None:
            self.start_server()
        self.process = self.spawn("vswd.out", *self.argv(),
                                  f"--log-file={self.log_file('vswd.log')}",
                                  *extra)
        self.wait_for(self.path("vswd.ctl"), self.process, "vswd")
        self.wait_for(self.path("db.sock"), self.process, "the database")
        if self.options.fast_path == "off" and not self.told_fast_path:
            self.ctl("set", "Open_vSwitch", ".",
                     "other_config:kernel-fast-path=false")
        self.told_fast_path = True

    def start_server(self):
        netns.run(["ovsdb-tool", "create", self.path("ovs.db"), SCHEMA])
        self.server = self.spawn(
            "ovsdb-server.out", "ovsdb-server", self.path("ovs.db"),
            f"--remote=punix:{self.path('db.sock')}",
            f"--unixctl={self.path('ovsdb-server.ctl')}")
        self.wait_for(self.path("db.sock"), self.server, "ovsdb-server")
        netns.run(["ovs-vsctl", f"--db=unix:{self.path('db.sock')}",
                   "--no-wait", "init"])

    def stop(self):
        if self.process is not None:
            status = self.end(self.process, "vswd")
            self.process = None
            assert status == self.expect_status, \
                f"vswd ended with status {status}\n{self.log_tail()}"
            left = [name for name in ("vswd.ctl", "vswd.pid") +
                    (() if self.options.db else ("db.sock",))
                    if os.path.lexists(self.path(name))]
            assert not left, f"vswd left behind: {left}"
        if self.server is not None:
            self.end(self.server, "ovsdb-server")
            self.server = None


class Ovs(Switch):
    kind = "ovs"
    program = "ovs-vswitchd"
    bridge_columns = {"datapath_type": "netdev"}

    def __init__(self, *args):
        super().__init__(*args)
        self.server = None
        self.env = {f"OVS_{name}DIR": self.directory
                    for name in ("RUN", "DB", "LOG")}

    def ctl_argv(self):
        return ["ovs-vsctl", "--timeout=20",
                f"--db=unix:{self.path('db.sock')}"]

    def app_argv(self):
        return ["ovs-appctl", "-t", self.path("vswitchd.ctl")]

    def start_server(self):
        netns.run(["ovsdb-tool", "create", self.path("conf.db"), SCHEMA])
        self.server = self.spawn(
            "ovsdb-server.out", "ovsdb-server", self.path("conf.db"),
            f"--remote=punix:{self.path('db.sock')}",
            f"--unixctl={self.path('ovsdb-server.ctl')}", env=self.env)
        self.wait_for(self.path("db.sock"), self.server, "ovsdb-server")
        self.ctl("--no-wait", "init")

    def start(self, *extra):
        if self.server is None:
            self.start_server()
        self.process = self.spawn(
            "ovs-vswitchd.out", self.program,
            f"unix:{self.path('db.sock')}",
            f"--unixctl={self.path('vswitchd.ctl')}", *extra, env=self.env)
        self.wait_for(self.path("vswitchd.ctl"), self.process, "ovs-vswitchd")

    def stop(self):
        if self.process is not None:
            netns.run(self.app_argv() + ["exit", "--cleanup"], check=False)
            self.process.wait(20)
            self.process = None
        if self.server is not None:
            self.end(self.server, "ovsdb-server")
            self.server = None


class OvsDpdk(Ovs):
    """With vhost-user ports. It polls a core all the time."""
    kind = "ovs-dpdk"
    program = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"

    def start_server(self):
        super().start_server()
        self.ctl("--no-wait", "set", "Open_vSwitch", ".",
                 "other_config:dpdk-init=true",
                 "other_config:dpdk-extra=--no-huge --legacy-mem --no-pci "
                 f"-m 2560 --file-prefix={os.path.basename(self.directory)}")

    def vhost_path(self, name, listens):
        return self.path(name if listens else name + ".vhost")

    def vhost_options(self, path, listens):
        return {} if listens else {"vhost-server-path": path}


KINDS = {"vsw": Vsw, "ovs": Ovs, "ovs-dpdk": OvsDpdk}
