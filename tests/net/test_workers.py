"""Which worker has which queue, on which core, and what is said of it."""
import json
import os

from lib.frame import frame, station
from lib.netns import wait_until
from lib.testing import contains, equal, test
from lib.traffic import iperf


def start(lab, n, *ports, **other_config):
    """br0 with these ports and n workers."""
    lab.start()
    settings = {"n-workers": n, **other_config}
    lab.switch.set("Open_vSwitch", ".", other_config=settings)
    lab.ports({name: {} for name in ports})


def workers(lab):
    return json.loads(lab.switch.vsw_ctl("--format=json",
                                         "worker/show").stdout)


def worker_of(lab, port, queue=0):
    """The worker and the queue, as worker/show has them."""
    found = [(w["worker"], q) for w in workers(lab) for q in w["queues"]
             if q["port"] == port and q["queue"] == queue]
    assert len(found) == 1, f"{port} is served by {found}"
    return found[0]


def allowed_cores(lab):
    """What the kernel says of each worker's thread."""
    folder = f"/proc/{lab.switch.process.pid}/task"
    cores = {}
    for tid in os.listdir(folder):
        with open(f"{folder}/{tid}/status") as file:
            status = dict(line.rstrip("\n").split(":", 1) for line in file)
        name = status["Name"].strip()
        if name.startswith("vswd-worker"):
            cores[int(name.removeprefix("vswd-worker"))] = \
                status["Cpus_allowed_list"].strip()
    return cores


@test("worker-affinity binds workers to cores, and lets them go", only="vsw")
def _(lab):
    start(lab, 2, "p1", "p2")
    free = allowed_cores(lab)
    core = min(os.sched_getaffinity(0))
    lab.switch.set("Open_vSwitch", ".",
                   other_config={"worker-affinity": f"1:{core}"})
    lab.switch.sync()
    equal(allowed_cores(lab), {**free, 1: str(core)}, "the cores")
    w = workers(lab)[1]
    equal((w["core"], w["bound"]), (core, True), "the core shown")
    equal(workers(lab)[0]["bound"], False, "worker 0 is bound")
    lab.switch.ctl("remove", "Open_vSwitch", ".", "other_config",
                   "worker-affinity")
    lab.switch.sync()
    equal(allowed_cores(lab), free, "the cores afterwards")


@test("a core that is not there is logged, and the worker works", only="vsw")
def _(lab):
    start(lab, 1, "p1", "p2")
    free = allowed_cores(lab)
    lab.switch.set("Open_vSwitch", ".",
                   other_config={"worker-affinity": "0:1000"})
    lab.switch.sync()
    equal(allowed_cores(lab), free, "the cores")
    contains(lab.switch.log_text(), "worker 0 cannot run on core 1000",
             "the log")
    one = frame(src=station(1))
    lab.check([("p1", one)], {"p2": [one]})


@test("vsw-ctl refuses affinities that make no sense", only="vsw")
def _(lab):
    start(lab, 1, "p1")
    for table, record, value in (("Open_vSwitch", ".", "0"),
                                 ("Open_vSwitch", ".", "0:1,0:2"),
                                 ("Open_vSwitch", ".", "64:1"),
                                 ("Interface", "p1", "0:64"),
                                 ("Interface", "p1", "0:1;1:1")):
        result = lab.switch.vsw_ctl(
            "set", table, record, f"other_config:worker-affinity={value}",
            check=False)
        assert result.returncode, f"{value} was taken"
        contains(result.stderr, "pairs of numbers such as 0:2,1:3",
                 "the message")
    lab.switch.vsw_ctl("set", "Open_vSwitch", ".",
                       "other_config:worker-affinity=0:2,1:3",
                       "other_config:worker-auto-balance=false")


@test("queues are pinned to workers, while frames pass", only="vsw")
def _(lab):
    start(lab, 2, "p1", "p2", "p3")
    one = frame(src=station(1))
    for wanted in (0, 1, 0, 1):
        lab.switch.set("Interface", "p1", other_config={
            "worker-affinity": f"0:{wanted}"})
        worker, queue = worker_of(lab, "p1")
        equal((worker, queue["pinned"]), (wanted, True), "p1's worker")
        lab.check([("p1", one)], {"p2": [one], "p3": [one]})
    lab.switch.ctl("clear", "Interface", "p1", "other_config")
    worker, queue = worker_of(lab, "p1")
    equal((worker, queue["pinned"]), (1, False), "p1's worker afterwards")
    lab.switch.set("Interface", "p1",
                   other_config={"worker-affinity": "0:7"})
    equal(worker_of(lab, "p1")[1]["pinned"], False, "p1 is pinned")
    contains(lab.switch.log_text(), "p1: queue 0 cannot have worker 7",
             "the log")


@test("worker/show counts packets and bursts since worker/clear", only="vsw")
def _(lab):
    start(lab, 1, "p1", "p2")
    one = frame(src=station(1))
    lab.check([("p1", one)] * 20, {"p2": [one] * 20})
    wait_until(lambda: worker_of(lab, "p1")[1]["packets"] >= 20,
               "p1's packets are counted")
    queue = worker_of(lab, "p1")[1]
    w = workers(lab)[0]
    assert 0 < queue["bursts"] <= queue["packets"] <= w["packets"], queue
    assert queue["cycles_per_packet"] > 0 and queue["packets_per_burst"] >= 1
    assert 0 < w["busy_ns"] < w["elapsed_ns"] and w["sleeps"] > 0, w
    assert 0 < w["idle_percent"] <= 100, w
    text = lab.switch.vsw_ctl("worker/show").stdout
    for part in ("worker 0:", "  core: ", "busy cycles per packet: ",
                 "port: p1 ", "usage: "):
        contains(text, part, "worker/show")
    lab.switch.vsw_ctl("worker/clear")
    queue = worker_of(lab, "p1")[1]
    assert queue["packets"] < 20, queue
    assert workers(lab)[0]["elapsed_ns"] < w["elapsed_ns"]


@test("a queue that keeps its worker busy is parted from another",
      only="vsw", timeout=120, slow=True)
def _(lab):
    lab.start(monitor=False)
    # the workers would see nothing of TCP that the kernel forwards
    lab.switch.set("Open_vSwitch", ".", other_config={
        "n-workers": 2, "kernel-fast-path": "false"})
    a = lab.host("h1", "10.0.0.1/24")
    b = lab.host("h2", "10.0.0.2/24")
    pins = {"worker-affinity": "0:1,1:1"}
    for port in ("h1", "h2"):
        lab.switch.set("Interface", port, other_config=pins)
    for port in ("h1", "h2"):
        equal(worker_of(lab, port)[0], 1, f"{port}'s worker")
        lab.switch.ctl("clear", "Interface", port, "other_config")
        equal(worker_of(lab, port)[0], 1, f"{port}'s worker, not pinned")

    def parted():
        iperf(lab, a, b, "10.0.0.2", seconds=5)
        served = {w["worker"] for w in workers(lab) for q in w["queues"]}
        return served == {0, 1}
    wait_until(parted, "the queues are parted", timeout=90)
    contains(lab.switch.log_text(), "queues go to other workers", "the log")
    iperf(lab, a, b, "10.0.0.2")
