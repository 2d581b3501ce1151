"""The least that a switch does."""
from lib.frame import frame, station
from lib.testing import test


@test("a broadcast reaches every other port once and never its sender")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}, "p3": {}})
    f = frame(src=station(1))
    lab.check([("p1", f)], {"p2": [f], "p3": [f], "mon-br0": [f]},
              with_monitor=True)


@test("hosts ping each other over IPv4 and IPv6")
def _(lab):
    lab.start(monitor=False)
    a = lab.host("h1", "10.0.0.1/24", "fd00::1/64")
    b = lab.host("h2", "10.0.0.2/24", "fd00::2/64")
    a.must_ping("10.0.0.2", count=5)
    a.must_ping("fd00::2", count=5)
    b.must_ping("10.0.0.1", size=1400)
    b.must_ping("fd00::1", size=1400)
