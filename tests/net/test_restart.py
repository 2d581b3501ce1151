"""The end and the beginning: SIGTERM, kill -9, a second start."""
import json
import os
import signal
import subprocess

from lib import netns
from lib.frame import frame, station
from lib.netns import wait_until
from lib.testing import equal, test


def populate(lab):
    lab.start(other_config={"mac-aging-time": 100})
    lab.ports({"p1": {"tag": 10}, "p2": {"tag": 10}, "p3": {}})
    lab.switch.ctl("add-port", "br0", "int1", "tag=10", "--", "set",
                   "Interface", "int1", "type=internal", "--", "add-port",
                   "br0", "tap1", "--", "set", "Interface", "tap1",
                   "type=tap")


def forwards(lab):
    lab.settle(["p1"])
    one = frame(src=station(1))
    lab.check([("p1", one)], {"p2": [one], "p3": [one.tagged(10)]})


def configuration(lab):
    """What a person has set, without what the switch writes by itself."""
    out = {}
    for table, columns in (("Bridge", "name,other_config,ports"),
                           ("Port", "name,tag,trunks,vlan_mode,interfaces"),
                           ("Interface", "name,type,options")):
        data = json.loads(lab.switch.ctl(
            "--format=json", "--data=json", f"--columns={columns}", "list",
            table))["data"]
        # the order of a set's members has no meaning
        out[table] = sorted(json.dumps(
            [["set", sorted(map(str, v[1]))] if isinstance(v, list) else v
             for v in row]) for row in data)
    return out


@test("SIGTERM removes what was created; a restart brings it all back")
def _(lab):
    populate(lab)
    forwards(lab)
    before = configuration(lab)
    server = lab.switch.server
    lab.switch.server = None  # only the switch itself is stopped
    lab.switch.stop()
    lab.switch.server = server
    left = set(lab.sw_ns.devices()) - lab.kept_devices
    equal(left, set(), "devices left behind")
    lab.switch.start()
    wait_until(lambda: {"br0", "int1", "tap1"} <= set(lab.sw_ns.devices()),
               "the devices are back")
    wait_until(lambda: forwards_now(lab), "p1 reaches p2")
    forwards(lab)
    equal(configuration(lab), before, "the configuration")


def forwards_now(lab):
    lab.forget()
    one = frame(src=station(1))
    lab.send("p1", one)
    try:
        lab.pump(lambda: one in lab.peers["p2"].received, "", 0.2)
    except AssertionError:
        return False
    return True


@test("kill -9 and a restart bring the configuration back, no leftovers")
def _(lab):
    populate(lab)
    before = configuration(lab)
    devices = lab.sw_ns.devices()
    for _ in range(3):
        lab.switch.kill()
        lab.switch.start()
        wait_until(lambda: lab.sw_ns.devices() == devices,
                   lambda: f"the devices are {devices}, they are "
                           f"{lab.sw_ns.devices()}")
        wait_until(lambda: forwards_now(lab), "p1 reaches p2")
        forwards(lab)
        equal(configuration(lab), before, "the configuration")


@test("kill -9 loses nothing that was answered", only="vsw")
def _(lab):
    lab.start(monitor=False)
    for i in range(15):
        lab.switch.ctl("--no-wait", "add-port", "br0", f"q{i}", "--", "set",
                       "Interface", f"q{i}", "type=patch",
                       f"options:peer=none{i}")
        lab.switch.kill()
        lab.switch.start()
        equal(sorted(lab.switch.ctl("list-ports", "br0").split()),
              sorted(f"q{j}" for j in range(i + 1)), "list-ports")


@test("a second daemon in the same run directory is refused", only="vsw")
def _(lab):
    lab.start(monitor=False)
    result = lab.sw_ns.run(*lab.switch.argv(), check=False, timeout=20)
    assert result.returncode > 0, f"status {result.returncode}"
    assert len(result.stderr.strip().splitlines()) <= 3, result.stderr
    equal(lab.switch.ctl("list-br"), "br0", "list-br of the first")


@test("two daemons in two run directories do not disturb each other",
      only="vsw")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}})
    other = type(lab.switch)(lab.sw_ns, os.path.join(lab.directory, "two"),
                             lab.options)
    other.start()
    other.add_bridge("br9")
    equal(other.ctl("list-br"), "br9", "list-br of the second")
    equal(lab.switch.ctl("list-br"), "br0", "list-br of the first")
    other.stop()
    one = frame(src=station(1))
    lab.check([("p1", one)], {"p2": [one]})


@test("--detach returns when the daemon answers; the pid file tells which",
      only="vsw")
def _(lab):
    switch = lab.switch
    if lab.options.db:
        switch.start_server()
    log = switch.log_file("detached.log")
    lab.sw_ns.run(*switch.argv(), "--detach",
                  f"--pidfile={switch.path('some.pid')}", f"--log-file={log}")
    with open(switch.path("some.pid"), encoding="ascii") as file:
        pid = int(file.read())
    switch.add_bridge("br0")
    equal(switch.ctl("list-br"), "br0", "list-br")
    assert os.path.getsize(log) > 0, "the log is empty"
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "it ends")
    left = [name for name in ("some.pid", "vswd.ctl")
            if os.path.lexists(switch.path(name))]
    equal(left, [], "files left behind")


@test("a client says at once that the daemon does not run", only="vsw")
def _(lab):
    os.makedirs(lab.switch.directory, exist_ok=True)
    for argv in (["show"], ["add-br", "br0"], ["fdb/show", "br0"]):
        result = lab.switch.vsw_ctl(*argv, check=False, timeout=20)
        assert result.returncode > 0, f"{argv}: status 0"
        assert result.stderr.strip(), f"{argv}: no message"


@test("an idle switch with ports uses no processor time", only="vsw",
      slow=True)
def _(lab):
    lab.start().ports({f"p{i}": {} for i in range(20)})
    lab.fence("p0")
    pid = int(subprocess.check_output(
        ["ip", "netns", "pids", lab.sw_ns.name], text=True).split()[0])

    def ticks():
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def quiet():
        """One second in which less than 20 ms were used."""
        start = ticks()
        try:
            wait_until(lambda: ticks() - start > 2, "", timeout=1,
                       interval=0.2)
        except AssertionError:
            return True
        return False
    netns.wait_until(quiet, "the daemon is idle for a second", timeout=30)
