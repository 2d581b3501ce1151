"""Mirrors: copies compared frame by frame with what was sent and what came."""
from lib.frame import BROADCAST, C_TAG, S_TAG, Frame, frame, station
from lib.netns import wait_until
from lib.testing import contains, equal, test

A, B, C = station(0xa), station(0xb), station(0xc)


def mirror(lab, name="m0", bridge="br0", **columns):
    """Made by ovs-vsctl's grammar; @PORT stands for a Port."""
    command, settings, known = [], [], set()
    for column, value in columns.items():
        for port in str(value).split(","):
            if port.startswith("@") and port not in known:
                known.add(port)
                command += ["--", f"--id={port}", "get", "Port", port[1:]]
        settings.append(f"{column}={value}")
    lab.switch.ctl(*command, "--", "--id=@mirror", "create", "Mirror",
                   f"name={name}", *settings, "--", "add", "Bridge",
                   bridge, "mirrors", "@mirror")


def learn(lab, out=("out",), **stations):
    """The switch knows who is where."""
    for port, mac in stations.items():
        lab.send(port, frame(src=mac))
    lab.settle(stations, but=out)
    lab.forget()


def check(lab, sent, expected, via, vid=0, out=("out",), ordered=True):
    """As lab.check(), with copies: a frame of `via` is copied to each `out`,
    so that they have all copies then."""
    lab.forget()
    for port, one in sent:
        lab.send(port, one)
    senders = list(dict.fromkeys(port for port, _ in sent))
    lab.settle([s for s in senders if s not in out], but=out)
    lab.mark(via, out, vid)
    lab.compare(expected, ordered=ordered and len(senders) == 1)


@test("what comes in by a selected port is copied, and nothing else is")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}, "p3": {}, "out": {}})
    mirror(lab, select_src_port="@p1", output_port="@out")
    learn(lab, p1=A, p2=B, p3=C)
    to_b, back, other = frame(B, A), frame(A, B), frame(C, B)
    to_all = frame(src=A)
    check(lab, [("p1", to_b), ("p1", to_all), ("p2", back), ("p2", other)],
          {"p1": [back], "p2": [to_b, to_all], "p3": [to_all, other],
           "out": [to_b, to_all]}, via="p1")
