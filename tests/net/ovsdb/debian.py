"""Debian's unmodified clients, and its daemon."""
import json
import os
import signal
import subprocess
import sys
import time

from .lab import (Rpc, SCHEMA, TIMEOUT, check, contains, equal, insert_root,
                  ours_only, run, small_db, test, until)


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


def small_schema(lab, version, **columns):
    path = lab.path(f"small-{version}.ovsschema")
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"name": "Small", "version": version, "tables": {
            "T": {"columns": columns, "isRoot": True}}}, f)
    return path


@test
def client_convert(lab):
    """A database in use gets another schema; what is in it stays."""
    db = small_db(lab)
    server = lab.start(dbs=[db])
    lab.transact({"op": "insert", "table": "T", "row": {"n": 7}}, db="Small")
    aware, unaware = Rpc(lab.sock), Rpc(lab.sock)
    aware.result("set_db_change_aware", True)
    for rpc in (aware, unaware):
        rpc.result("monitor", "Small", "m", {"T": {}})
    wider = small_schema(lab, "1.1.0", n={"type": "integer"},
                         s={"type": "string"})
    equal(lab.client("needs-conversion", lab.remote, wider).strip(), "yes")
    lab.client("convert", lab.remote, wider)
    equal(lab.client("needs-conversion", lab.remote, wider).strip(), "no")
    message = aware.receive()
    equal((message["method"], message["params"]),
          ("monitor_canceled", ["m"]))
    equal(unaware.receive(), None, "the session of one who is not aware")
    rows = {"op": "select", "table": "T", "where": [], "columns": ["n", "s"]}
    equal(lab.transact(rows, db="Small")[0]["rows"], [{"n": 7, "s": ""}])
    # What does not fit is refused, and all stays as it is.
    other = small_schema(lab, "2.0.0", n={"type": "boolean"})
    lab.client("convert", lab.remote, other, status=1)
    equal(lab.transact(rows, db="Small")[0]["rows"], [{"n": 7, "s": ""}])
    lab.transact({"op": "insert", "table": "T", "row": {"n": 8, "s": "x"}},
                 db="Small")
    lab.stop(server)
    lab.start(dbs=[db])
    equal(sorted(r["n"] for r in lab.transact(rows, db="Small")[0]["rows"]),
          [7, 8])


@test
@ours_only
def client_convert_is_told(lab):
    """Whoever monitors _Server learns the new schema at once."""
    lab.start(dbs=[small_db(lab)])
    info = Rpc(lab.sock)
    info.result("monitor", "_Server", "i", {"Database": {
        "columns": ["name", "schema"], "select": {"initial": False}}})
    lab.client("convert", lab.remote,
               small_schema(lab, "1.1.0", n={"type": "integer"}))
    contains(json.dumps(info.receive()), "1.1.0")


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
    # Having the lock already counts as a change: the content may be to come.
    turn(idl, lambda: idl.has_lock and idl.state == idl.IDL_S_MONITORING,
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
