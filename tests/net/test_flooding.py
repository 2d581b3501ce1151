"""Broadcast, multicast and reserved addresses; malformed frames."""
from lib.frame import BROADCAST, Frame, frame, station
from lib.testing import test

A, B = station(0xa), station(0xb)
RESERVED = [f"01:80:c2:00:00:{i:02x}" for i in range(16)]


@test("broadcast and groups reach every other port once, in order")
def _(lab):
    lab.start().ports({f"p{i}": {} for i in range(1, 6)})
    sent = [frame(dst, A) for dst in
            (BROADCAST, "01:00:5e:00:00:fb", "33:33:00:00:00:fb",
             "03:00:00:00:00:01", BROADCAST) * 20]
    lab.check([("p1", f) for f in sent],
              {f"p{i}": sent for i in range(2, 6)})


@test("frames of many senders reach every other port once")
def _(lab):
    ports = [f"p{i}" for i in range(1, 6)]
    lab.start().ports({port: {} for port in ports})
    sent = [(ports[i % 5], frame(src=station(i % 5 + 1)))
            for i in range(200)]
    lab.check(sent, {port: [f for sender, f in sent if sender != port]
                     for port in ports})


@test("frames of every length pass unchanged")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}})
    lengths = [*range(60, 200), 256, 512, 1024, 1400, 1513, 1514]
    sent = [frame(src=A, length=length) for length in lengths]
    lab.check([("p1", f) for f in sent], {"p2": sent})


@test("frames shorter than 60 octets pass from a device that does not pad")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}})
    sent = [Frame(frame(src=A)[:length]) for length in range(18, 60)]
    lab.check([("p1", f) for f in sent], {"p2": sent})


@test("tagged frames of full length pass")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}, "p3": {"tag": 10}})
    inner = frame(src=A, length=1514)
    full = inner.tagged(10)
    lab.check([("p1", full)], {"p2": [full], "p3": [inner]})
    back = frame(src=B, length=1514)
    lab.check([("p3", back)], {"p1": [back.tagged(10)],
                               "p2": [back.tagged(10)]})


@test("reserved link-local addresses are not forwarded")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}})
    other = frame("01:80:c2:00:00:10", A)
    lab.check([("p1", frame(dst, A)) for dst in RESERVED] + [("p1", other)],
              {"p2": [other]})


@test("forward-bpdu lets reserved link-local addresses pass")
def _(lab):
    lab.start(other_config={"forward-bpdu": "true"}).ports({"p1": {},
                                                            "p2": {}})
    sent = [frame(dst, A) for dst in RESERVED]
    lab.check([("p1", f) for f in sent], {"p2": sent})


@test("forward-bpdu is obeyed when it changes", only="vsw")
def _(lab):
    lab.start().ports({"p1": {}, "p2": {}})
    lab.check([("p1", frame(RESERVED[0], A))], {})
    lab.switch.set("Bridge", "br0", other_config={"forward-bpdu": "true"})
    f = frame(RESERVED[0], A)
    lab.check([("p1", f)], {"p2": [f]})
    lab.switch.ctl("remove", "Bridge", "br0", "other_config", "forward-bpdu")
    lab.check([("p1", frame(RESERVED[0], A))], {})
