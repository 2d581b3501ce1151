"""The database's file: restarts, kill -9, damage."""
import os
import re
import signal
import threading

from .lab import (Failure, Rpc, TIMEOUT, check, contains, equal, insert_root,
                  ours_only, run, test, until)


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
