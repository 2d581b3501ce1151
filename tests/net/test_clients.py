"""Debian's unmodified OVSDB clients drive the switch."""
import copy
import json
import os

from lib import netns
from lib.frame import frame, station
from lib.netns import wait_until
from lib.switch import Vsw
from lib.testing import contains, equal, test
from lib.traffic import tcp_transfer

A = station(0xa)


def remote(lab):
    return f"unix:{lab.switch.path('db.sock')}"


def vsctl(lab, *args, **kwargs):
    return netns.run(["ovs-vsctl", "--timeout=20", f"--db={remote(lab)}",
                      *args], **kwargs).stdout.strip()


def client(lab, *args):
    command, *rest = args
    return netns.run(["ovsdb-client", "--timeout=20", command, remote(lab),
                      *rest]).stdout


@test("ovs-vsctl makes a switch that forwards when it returns")
def _(lab):
    lab.switch.start()
    lab.wire("p1")
    lab.wire("p2")
    columns = lab.switch.bridge_columns
    vsctl(lab, "--", "--may-exist", "add-br", "br0", *(
        ["--", "set", "bridge", "br0", "datapath_type=netdev"]
        if columns else []), "--", "add-port", "br0", "p1", "tag=10", "--",
        "add-port", "br0", "p2", "trunks=10")
    lab.ports_known({"p1": {"tag": 10}, "p2": {"trunks": [10]}})
    one = frame(src=A)
    lab.send("p1", one)
    lab.pump(lambda: lab.peers["p2"].received, "the frame reaches p2")
    equal(lab.peers["p2"].received, [one.tagged(10)], "at p2")
    equal(vsctl(lab, "list-ports", "br0"), "p1\np2", "list-ports")
    equal(vsctl(lab, "iface-to-br", "p1"), "br0", "iface-to-br")
    contains(vsctl(lab, "show"), "tag: 10", "show")
    vsctl(lab, "--if-exists", "del-port", "br0", "p1")
    vsctl(lab, "--if-exists", "del-port", "br0", "p1")
    equal(vsctl(lab, "list-ports", "br0"), "p2", "list-ports")


@test("libvirt's calls of ovs-vsctl work as it makes them")
def _(lab):
    lab.start(monitor=False)
    lab.wire("vnet0")
    vsctl(lab, "--", "--may-exist", "add-port", "br0", "vnet0",
          "vlan_mode=native-untagged", "tag=10", "trunk=10,20", "--", "set",
          "Interface", "vnet0",
          'external-ids:attached-mac="52:54:00:00:00:01"',
          'external-ids:iface-id="6d0a2b6c-1111-2222-3333-444455556666"',
          'external-ids:vm-id="6d0a2b6c-aaaa-bbbb-cccc-444455556666"',
          "external-ids:iface-status=active")
    equal(vsctl(lab, "iface-to-br", "vnet0"), "br0", "iface-to-br")
    rows = vsctl(lab, "--if-exists", "--format=list", "--data=json",
                 "--no-headings", "--columns=statistics", "list",
                 "Interface", "vnet0")
    data = json.loads(rows)
    contains(str(data), "rx_packets", "statistics")
    vsctl(lab, "set", "Interface", "vnet0", "external_ids:PortData=x")
    equal(vsctl(lab, "get", "Interface", "vnet0", "external_ids:PortData"),
          "x", "PortData")
    vsctl(lab, "--if-exists", "clear", "Port", "vnet0", "tag")
    vsctl(lab, "--timeout=5", "--", "--if-exists", "del-port", "vnet0")


@test("ovsdb-client dumps, transacts, monitors and backs up")
def _(lab):
    lab.start().ports({"p1": {"tag": 10}, "p2": {"tag": 20}})
    contains(client(lab, "dump", "Open_vSwitch", "Port", "name"), "p1",
             "dump")
    contains(client(lab, "list-dbs"), "Open_vSwitch", "list-dbs")
    path = os.path.join(lab.directory, "monitor")
    with open(path, "wb") as out:
        monitor = lab.spawn(lab.sw_ns, "ovsdb-client", "monitor",
                            remote(lab), "Open_vSwitch", "Port", "name,tag",
                            stdout=out)

    def monitored():
        with open(path, encoding="utf-8") as file:
            return file.read()
    wait_until(lambda: "p2" in monitored(), "the monitor's first dump")
    reply = json.loads(client(lab, "transact", json.dumps(
        ["Open_vSwitch",
         {"op": "update", "table": "Port", "where": [["name", "==", "p2"]],
          "row": {"tag": 10}},
         {"op": "mutate", "table": "Open_vSwitch", "where": [],
          "mutations": [["next_cfg", "+=", 1]]}])))
    equal(reply[0], {"count": 1}, "the reply")
    wait_until(lambda: "new" in monitored() and "10" in
               monitored().split("new")[-1], "the monitor shows the change")
    monitor.terminate()
    current = json.loads(client(lab, "query", json.dumps(
        ["Open_vSwitch", {"op": "select", "table": "Open_vSwitch",
                          "where": [], "columns": ["next_cfg"]}])))
    wanted = current[0]["rows"][0]["next_cfg"]
    wait_until(lambda: lab.switch.get("Open_vSwitch", ".", "cur_cfg") >=
               wanted, "cur_cfg follows next_cfg")
    lab.peers["p2"].follow({"tag": 10})
    one = frame(src=A)
    if lab.options.switch == "vsw":
        lab.check([("p1", one)], {"p2": [one]})
    backup = os.path.join(lab.directory, "backup.db")
    with open(backup, "w", encoding="utf-8") as file:
        file.write(client(lab, "backup", "Open_vSwitch"))
    rows = netns.run(["ovsdb-tool", "query", backup, json.dumps(
        ["Open_vSwitch", {"op": "select", "table": "Port", "where": [],
                          "columns": ["name"]}])]).stdout
    contains(rows, "p1", "the backup")


@test("set-manager opens another way to the database", only="vsw")
def _(lab):
    lab.start(monitor=False)
    path = lab.switch.path("manager.sock")
    vsctl(lab, "set-manager", "punix:" + path)
    wait_until(lambda: os.path.exists(path), "the manager's socket")
    equal(netns.run(["ovs-vsctl", "--timeout=20", "--db=unix:" + path,
                     "list-br"]).stdout, "br0\n", "list-br there")
    vsctl(lab, "del-manager")
    wait_until(lambda: not os.path.exists(path), "the socket to go")


@test("vsw-ctl refuses a setting that vswd would not take", only="vsw")
def _(lab):
    lab.start(monitor=False)
    for table, record, setting, why in (
            ("bridge", "br0", "other_config:mac-aging-time=banana", "number"),
            ("bridge", "br0", "other_config:mac-table-size=0", "4194304"),
            ("bridge", "br0", "other_config={forward-bpdu=maybe}", "true"),
            ("port", "br0", "other_config:priority-tags=often", "always"),
            ("open_vswitch", ".", "other_config:n-workers=0", "1 to 64")):
        before = lab.switch.get(table, record, "other_config")
        result = lab.switch.vsw_ctl("set", table, record, setting, check=False)
        equal(result.returncode, 1, f"the status of set {setting}")
        contains(result.stderr, why, setting)
        equal(lab.switch.get(table, record, "other_config"), before, setting)
    result = lab.switch.vsw_ctl("add", "bridge", "br0", "other_config",
                                "mac-aging-time=0", check=False)
    equal(result.returncode, 1, "the status of add")
    lab.switch.vsw_ctl("set", "bridge", "br0",
                       "other_config:mac-aging-time=20",
                       "other_config:somebody-elses=anything")


@test("clients reach the database by TLS with a certificate", only="vsw")
def _(lab):
    if lab.options.db:
        return
    key, ca = (os.path.join(lab.directory, name) for name in ("key", "ca"))
    netns.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
               "-keyout", key, "-out", ca, "-subj", "/CN=vsw", "-days", "2"])
    files = [f"--private-key={key}", f"--certificate={ca}", f"--ca-cert={ca}"]
    lab.switch.start("--remote=pssl:6640:127.0.0.1", *files)
    lab.bridge("br0", monitor=False)
    out = os.path.join(lab.directory, "list-br")
    with open(out, "wb") as file:
        asked = lab.switch.namespace.popen(
            "ovs-vsctl", "--timeout=20", "--db=ssl:127.0.0.1:6640", *files,
            "list-br", stdout=file, stderr=file)
    equal(asked.wait(30), 0, "the status of ovs-vsctl")
    with open(out, encoding="utf-8") as file:
        equal(file.read(), "br0\n", "list-br by TLS")


@test("ovsdb-tool reads the database file", only="vsw")
def _(lab):
    lab.start().ports({"p1": {"tag": 10}})
    if lab.options.db:
        return
    path = lab.switch.path("conf.db")
    equal(netns.run(["ovsdb-tool", "db-name", path]).stdout.strip(),
          "Open_vSwitch", "db-name")
    contains(netns.run(["ovsdb-tool", "show-log", path]).stdout, "record",
             "show-log")
    rows = json.loads(netns.run(["ovsdb-tool", "query", path, json.dumps(
        ["Open_vSwitch", {"op": "select", "table": "Port",
                          "where": [["name", "==", "p1"]],
                          "columns": ["tag"]}])]).stdout)
    equal(rows[0]["rows"], [{"tag": 10}], "the row")


IDL_SCRIPT = """
import sys
import ovs.db.idl
import ovs.poller

helper = ovs.db.idl.SchemaHelper(sys.argv[2])
helper.register_all()
idl = ovs.db.idl.Idl(sys.argv[1], helper)

def step():
    poller = ovs.poller.Poller()
    idl.wait(poller)
    poller.timer_wait(1000)
    poller.block()
    idl.run()

idl.run()
while not idl.has_ever_connected() or not idl.tables["Open_vSwitch"].rows:
    step()
txn = ovs.db.idl.Transaction(idl)
root = next(iter(idl.tables["Open_vSwitch"].rows.values()))
bridge = next(row for row in idl.tables["Bridge"].rows.values()
              if row.name == "br0")
interface = txn.insert(idl.tables["Interface"])
interface.name = "p2"
port = txn.insert(idl.tables["Port"])
port.name = "p2"
port.tag = 10
port.interfaces = [interface]
bridge.addvalue("ports", port)
root.verify("next_cfg")
wanted = root.next_cfg + 1
root.next_cfg = wanted
status = txn.commit_block()
assert status == txn.SUCCESS, status
while root.cur_cfg < wanted:
    step()
added = next(row for row in idl.tables["Interface"].rows.values()
             if row.name == "p2")
while not added.ofport:
    step()
print("ofport", added.ofport[0])
"""


@test("the Python IDL adds a port that forwards when cur_cfg says so")
def _(lab):
    lab.start().ports({"p1": {"tag": 10}})
    lab.wire("p2")
    script = os.path.join(lab.directory, "idl.py")
    with open(script, "w", encoding="utf-8") as file:
        file.write(IDL_SCRIPT)
    out = netns.run(["/usr/bin/python3", script, remote(lab),
                     "/usr/share/openvswitch/vswitch.ovsschema"],
                    timeout=30).stdout
    assert int(out.split()[1]) > 0, out
    lab.ports_known({"p2": {"tag": 10}})
    one = frame(src=A)
    lab.check([("p1", one)], {"p2": [one]})


def on_ovsdb_server(lab):
    options = copy.copy(lab.options)
    options.db = "ovsdb-server"
    lab.switch = Vsw(lab.sw_ns, os.path.join(lab.directory, "db"), options)


@test("vswd runs from Debian's ovsdb-server by --db", only="vsw")
def _(lab):
    on_ovsdb_server(lab)
    lab.start()
    a = lab.host("h1", "10.0.0.1/24", tag=10)
    b = lab.host("h2", "10.0.0.2/24", tag=10)
    lab.ports({"p1": {"tag": 20}, "p2": {"trunks": [20]}})
    a.must_ping("10.0.0.2")
    tcp_transfer(a, b, "10.0.0.2", size=1 << 20)
    one = frame(src=A)
    lab.check([("p1", one)], {"p2": [one.tagged(20)]})
    # what changes while it is away is found when it is back
    lab.switch.kill()
    lab.switch.ctl("--no-wait", "set", "Port", "p2", "trunks=30")
    lab.switch.start()
    lab.peers["p2"].follow({"trunks": [30]})
    lab.switch.sync()
    one = frame(src=A)
    lab.check([("p1", one)], {})


@test("forwarding goes on while the ovsdb-server is away", only="vsw")
def _(lab):
    on_ovsdb_server(lab)
    lab.start().ports({"p1": {}, "p2": {}})
    lab.switch.server.kill()
    lab.switch.server.wait()
    one = frame(src=A)
    lab.check([("p1", one)], {"p2": [one]})
    lab.switch.server = lab.switch.spawn(
        "ovsdb-server.out", "ovsdb-server", lab.switch.path("ovs.db"),
        f"--remote=punix:{lab.switch.path('db.sock')}",
        f"--unixctl={lab.switch.path('ovsdb-server.ctl')}")
    lab.switch.wait_for(lab.switch.path("db.sock"), lab.switch.server,
                        "ovsdb-server")
    lab.ports({"p3": {}})
    one = frame(src=A)
    lab.check([("p1", one)], {"p2": [one], "p3": [one]})


@test("a broken client does not disturb the others", only="vsw")
def _(lab):
    lab.start(monitor=False)
    for junk in (b"}", b"[" * 10000, b'{"id":0,"method":"transact"}',
                 b"\xff\xfe\x00", b'{"id":1,"method":"echo","params":['):
        with netns.socket.socket(netns.socket.AF_UNIX) as sock:
            sock.connect(lab.switch.path("db.sock"))
            sock.sendall(junk)
            sock.settimeout(0.2)
            try:
                sock.recv(4096)
            except OSError:
                pass
        with netns.socket.socket(netns.socket.AF_UNIX) as sock:
            sock.connect(lab.switch.path("vswd.ctl"))
            sock.sendall(junk)
        equal(lab.switch.ctl("list-br"), "br0", "list-br")
