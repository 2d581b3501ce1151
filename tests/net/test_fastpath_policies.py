"""Settings that take a port off the kernel's fast path: userspace decides on
its frames then, as it always did, and the port comes back when they are gone."""
from lib import fastpath
from lib.fastpath import (Step, Watch, both_ways, is_fast, tagged_kinds,
                          wait_for_status)
from lib.frame import BROADCAST, frame, station
from lib.record import Recorder
from lib.streams import Account, Sending, Stream
from lib.testing import equal, test
from test_capture import Capture
from test_mirror import mirror
from test_shaping import make_qos

A, B = station(0xa), station(0xb)


def settings(**keys):
    return {"other_config": {key.replace("_", "-"): value
                             for key, value in keys.items()}}


# Columns; whether the kernel may forward what comes in, and what leaves.
PORTS = {
    "plain": ({}, True, True),
    "tagged": ({"trunks": [10]}, True, True),
    "access": ({"tag": 10}, True, True),
    "limited": (settings(mac_table_limit=100), True, True),
    "storm": (settings(storm_broadcast=1000000), True, True),
    "aclin": (settings(acl_in="list"), False, True),
    "aclout": (settings(acl_out="list"), True, False),
    "policed": ({"interface": {"ingress_policing_rate": 100000000}}, False,
                True),
    "marked": (settings(set_pcp=5), False, True),
    "forged": (settings(forged_transmits="reject",
                        allowed_macs=f'"{station(0xf0)}"'), False, True),
    "guard": (settings(dhcp_guard="true", router_guard="true"), False, True),
    "prot1": ({"protected": "true"}, False, True),
    "prot2": ({"protected": "true"}, False, True),
    "nonzero": (settings(priority_tags="if-nonzero"), True, False),
    "shaped": ({}, True, False),
    "mirin": ({}, False, True),
    "mirout": ({}, True, False),
}


def home(port):
    if port == "forged":
        return station(0xf0)
    return station(0x1000 + list(PORTS).index(port))


@test("between ports with policies frames go as if there were no fast path",
      only="vsw")
def _(lab):
    lab.start()
    lab.switch.ctl("create", "ACL", "name=list", "default_action=allow",
                   f'rules=1="deny src-mac={station(0xbad)}"')
    for name, (columns, _, _) in PORTS.items():
        lab.ports({name: columns})
    lab.switch.set("Port", "forged", other_config={
        "allowed-macs": f'"{home("forged")} {lab.peers["forged"].mac}"'})
    make_qos(lab, "shaped", "linux-htb", 10000000000, {0: (None, {"priority": 1})})
    lab.switch.ctl("add-port", "br0", "sink", "--", "set", "Interface",
                   "sink", "type=null")
    mirror(lab, select_src_port="@mirin", select_dst_port="@mirout",
           output_port="@sink")
    learn = [Step(name, one) for name in PORTS
             for one in tagged_kinds(BROADCAST, home(name), (10,))]
    steps = []
    for source, (source_columns, may_come, _) in PORTS.items():
        for sink, (sink_columns, _, may_leave) in PORTS.items():
            for one in tagged_kinds(home(sink), home(source), (10,)):
                if one[12:14] == b"\x91\0":
                    continue  # its type has it in another of a shaper's queues
                steps.append(Step(
                    source, one, fast=may_come and may_leave and
                    source != sink and
                    is_fast(source_columns, sink_columns, one)))
    steps += [Step(name, frame(home("plain"), station(0xbad)), True, False)
              for name in PORTS]
    both_ways(lab, learn, steps)


@test("private VLANs and VLANs without learning stay userspace's, the others "
      "of their ports do not", only="vsw")
def _(lab):
    ports = {"t1": {"trunks": [20, 30, 100]}, "t2": {"trunks": [20, 30, 100]},
             "iso1": {"tag": 100, **settings(private_vlan="isolated")},
             "iso2": {"tag": 100, **settings(private_vlan="isolated")},
             "com1": {"tag": 100, **settings(private_vlan="community:web")},
             "com2": {"tag": 100, **settings(private_vlan="community:web")},
             "acc20": {"tag": 20}, "acc30": {"tag": 30}}
    lab.start(flood_vlans=[30], other_config={
        "private-vlans": '"100:isolated=101,community:web=102"'}).ports(ports)
    macs = {name: station(0x1000 + i) for i, name in enumerate(ports)}
    vids = (20, 30, 100, 101, 102)

    def kinds(dst, src):
        yield frame(dst, src)
        for vid in vids:
            yield frame(dst, src).tagged(vid)
    learn = [Step(name, one) for name in ports
             for one in kinds(BROADCAST, macs[name])]
    steps = []
    for source, source_columns in ports.items():
        for sink, sink_columns in ports.items():
            for one in kinds(macs[sink], macs[source]):
                tags = one.tags()
                vid = tags[0][1] if tags else source_columns.get("tag")
                steps.append(Step(
                    source, one, fast=source != sink and vid == 20 and
                    is_fast(source_columns, sink_columns, one)))
                # between trunks the primary VLAN is one like any other
                if vid == 100 and {source, sink} == {"t1", "t2"}:
                    steps[-1] = steps[-1]._replace(fast=True)
    assert sum(step.fast for step in steps) == 8
    both_ways(lab, learn, steps)


def learned(lab):
    lab.send("p1", frame(src=A))
    lab.send("p2", frame(src=B))
    lab.settle(["p1", "p2"])


def check_paths(lab, came, left, what):
    """Whether frames from p1, and to it, go by the kernel; p2 is plain."""
    learned(lab)
    there, back = frame(B, A), frame(A, B)
    with Watch(lab, "p1") as watch:
        lab.check([("p1", there)], {"p2": [there]})
        lab.check([("p2", back)], {"p1": [back]})
    equal((watch.rx["p1"], watch.tx["p1"]), (int(came), int(left)),
          f"by the kernel with {what}")


@test("a port leaves the fast path for a capture, a mirror, a list, a rate, a "
      "guard, and comes back", only="vsw")
def _(lab):
    fastpath.start(lab).ports({"p1": {}, "p2": {}, "p3": {}})
    lab.switch.ctl("create", "ACL", "name=list", "default_action=allow")
    check_paths(lab, True, True, "nothing set")
    capture = Capture(lab, "p1")
    check_paths(lab, False, False, "a capture")
    assert wait_for_status(lab, "p1", "no: ").find("capture") > 0
    captured = {(row[0], row[1]) for row in capture.interrupt()}
    assert {(A, B), (B, A)} <= captured, f"captured: {captured}"
    check_paths(lab, True, True, "the capture at its end")
    wait_for_status(lab, "p1", "yes")

    def other_config(key, value):
        return (["set", "Port", "p1", f"other_config:{key}={value}"],
                ["remove", "Port", "p1", "other_config", key])
    for came, left, (begin, end) in (
            (False, True, other_config("acl-in", "list")),
            (True, False, other_config("acl-out", "list")),
            (False, True, other_config("dhcp-guard", "true")),
            (False, True, other_config("set-pcp", "3")),
            (True, False, other_config("priority-tags", "if-nonzero")),
            (False, True, (["set", "Port", "p1", "protected=true"],
                           ["set", "Port", "p1", "protected=false"])),
            (False, True, (
                ["set", "Interface", "p1", "ingress_policing_rate=1000000"],
                ["set", "Interface", "p1", "ingress_policing_rate=0"])),
            (False, False, (["set", "Bridge", "br0", "flood_vlans=0"],
                            ["clear", "Bridge", "br0", "flood_vlans"]))):
        lab.switch.ctl(*begin)
        if "flood_vlans" in begin[-1]:
            with Watch(lab, "p1") as watch:
                learned(lab)
                one = frame(B, A)
                lab.check([("p1", one)], {"p2": [one], "p3": [one]})
            equal(watch.rx["p1"], 0, "by the kernel, without learning")
        else:
            check_paths(lab, came, left, begin[-1])
        lab.switch.ctl(*end)
        check_paths(lab, True, True, f"no {begin[-1]}")
    make_qos(lab, "p1", "linux-htb", 1000000000, {0: (None, {"priority": 1})})
    check_paths(lab, True, False, "a shaper")
    lab.switch.ctl("clear", "Port", "p1", "qos")
    check_paths(lab, True, True, "no shaper")


@test("members of a bond are userspace's, and forward when they are ports",
      only="vsw")
def _(lab):
    fastpath.start(lab).ports({"p1": {}})
    for name in ("e0", "e1"):
        lab.wire(name)
    lab.switch.ctl("add-bond", "br0", "bond0", "e0", "e1")
    lab.ports_known({"e0": {}, "e1": {}})
    for name in ("e0", "e1"):
        wait_for_status(lab, name, "no: ")
    lab.pump(lambda: send_until(lab, "p1", ("e0", "e1")), "p1 to the bond")
    member = next(name for name in ("e0", "e1") if lab.peers[name].received)
    lab.send(member, frame(src=A))
    lab.pump(lambda: lab.peers["p1"].received, "A at the bond")
    lab.forget()
    one = frame(A, B)
    with Watch(lab, "p1") as watch:
        lab.send("p1", one)
        lab.pump(lambda: one in lab.peers[member].received, "to A")
    equal(watch.rx, {"p1": 0}, "by the kernel, to a bond")
    lab.switch.ctl("del-port", "br0", "bond0", "--", "add-port", "br0", "e0",
                   "--", "add-port", "br0", "e1")
    wait_for_status(lab, "e0", "yes")
    lab.send("e0", frame(src=A))
    lab.send("p1", frame(src=B))
    lab.settle(["e0", "p1"])
    one = frame(A, B)
    with Watch(lab, "p1") as watch:
        lab.check([("p1", one)], {"e0": [one]})
    equal(watch.rx, {"p1": 1}, "by the kernel, to a port")


def send_until(lab, port, sinks):
    """Sends another broadcast unless one has arrived."""
    if any(lab.peers[name].received for name in sinks):
        return True
    lab.send(port, frame(src=B))
    return False


@test("nothing is lost or comes twice while ports leave the fast path and "
      "return", only="vsw")
def _(lab):
    fastpath.start(lab, monitor=False).ports({"p1": {}, "p2": {}, "p3": {}})
    streams = [Stream(1, "p1", "p2", A, B), Stream(2, "p2", "p1", B, A)]
    for name, mac in (("p1", A), ("p2", B)):
        lab.send(name, frame(src=mac))
        lab.pump(lambda: lab.peers["p3"].received, f"{name} is known")
        lab.forget()
    recorder = Recorder().add(lab.far_ns, "p1", "p2")
    lab.switch.ctl("create", "ACL", "name=list", "default_action=allow")
    with recorder, Watch(lab, "p1", "p2") as watch:
        with Sending(lab, streams, 0.0003) as sending:
            for _ in range(6):
                for command in (
                        ["set", "Port", "p1", "other_config:acl-in=list"],
                        ["set", "Port", "p2", "other_config:acl-in=list",
                         "other_config:acl-out=list"],
                        ["clear", "Port", "p1", "other_config"],
                        ["set", "Port", "p3", "tag=10"],
                        ["clear", "Port", "p2", "other_config"],
                        ["clear", "Port", "p3", "tag"],
                        ["del-port", "br0", "p3"],
                        ["add-port", "br0", "p3"]):
                    lab.switch.ctl(*command)
                    sending.more(0.01)
        lab.pump(lambda: all(any(
            stream.number.to_bytes(4, "big") + stream.sent.to_bytes(4, "big")
            in one for one in lab.peers[stream.sink].received)
            for stream in streams), "the last of the streams")
    for stream in streams:
        account = Account(recorder.seen, stream)
        equal((account.lost, account.duplicates), ([], {}), str(account))
        by_kernel = watch.rx[stream.source]
        assert 0 < by_kernel < stream.sent, \
            f"{by_kernel} of {stream.sent} by the kernel"
