"""The protocol, by hand."""
import json
import socket

from .lab import (Rpc, TIMEOUT, check, contains, equal, insert_root,
                  ours_only, small_db, test, until)


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
    # One that times out.
    gone = dict(wait, rows=[{"next_cfg": 6}])
    reply, _ = rpc.call("transact", "Open_vSwitch", dict(gone, timeout=50),
                        {"op": "comment", "comment": "x"})
    equal(reply["result"][0]["error"], "timed out")
    equal(reply["result"][1:], [None])
    reply, _ = rpc.call("transact", "Open_vSwitch", dict(gone, timeout=0))
    equal(reply["result"][0]["error"], "timed out")
    # And one whose client goes away.
    rpc.send("transact", "Open_vSwitch", gone)
    rpc.close()
    other.result("echo")


@test
@ours_only  # the other takes its time to answer
def cancelled_transaction(lab):
    lab.start()
    rpc = Rpc(lab.sock)
    ident = rpc.send("transact", "Open_vSwitch", {
        "op": "wait", "table": "Open_vSwitch", "where": [],
        "columns": ["next_cfg"], "until": "==", "rows": [{"next_cfg": 5}]})
    rpc.send("cancel", ident, ident=None)
    reply = rpc.receive()
    equal((reply["id"], reply["error"]), (ident, "canceled"))


@test
@ours_only
def out_of_descriptors(lab):
    """Clients beyond the limit of open files are turned away, not hung."""
    lab.create_db()
    server = lab.start(program=["prlimit", "--nofile=40:40", lab.program])
    sessions = []
    refused = 0
    for _ in range(60):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(TIMEOUT)
        s.connect(lab.sock)
        try:
            s.sendall(b'{"id":1,"method":"list_dbs","params":[]}')
            if s.recv(1000):
                sessions.append(s)
                continue
        except (ConnectionResetError, BrokenPipeError):
            pass
        refused += 1
        s.close()
    check(refused and sessions, f"{refused} of 60 refused")
    for s in sessions:
        s.close()
    until(lambda: "Open_vSwitch" in lab.client("list-dbs", lab.remote,
                                               status=None), "room again")
    check(server.poll() is None, "the server ended")


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


def resident_mb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        line, = [x for x in status if x.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


@test
@ours_only
def many_slow_readers(lab):
    """Each below its own limit, all together above theirs."""
    server = lab.start()
    request = json.dumps({"id": 1, "method": "echo",
                          "params": ["x" * (1 << 20)]}).encode()
    half = b'{"id":1,"method":"echo","params":["' + b"x" * (30 << 20)
    slow = [Rpc(lab.sock) for _ in range(16)]
    for i, rpc in enumerate(slow):
        try:
            rpc.sock.sendall(half if i % 2 else request * 50)
        except (BrokenPipeError, ConnectionResetError):
            pass
    Rpc(lab.sock).result("echo")
    mb = resident_mb(server.pid)
    check(mb < 450, f"{mb:.0f} MB are resident")
    for rpc in slow:
        rpc.close()
    until(lambda: resident_mb(server.pid) < 200, "the memory to come back")
    Rpc(lab.sock).result("echo")


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
