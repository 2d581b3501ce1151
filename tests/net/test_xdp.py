"""Device ports by AF_XDP. Frames are made whole by the test: AF_XDP knows of no
offloads, so hosts on veths are told not to use any."""
from lib.frame import frame, station
from lib.testing import contains, equal, test
from lib.traffic import serve_iperf

MODES = ("generic", "native", "best-effort")


@test("a device port with xdp-mode takes and gives frames as they are",
      only="vsw")
def _(lab):
    lab.start()
    for mode in MODES:
        one, two = f"{mode[0]}1", f"{mode[0]}2"
        lab.ports({one: {"interface": {"options:xdp-mode": mode}}, two: {}})
        status = lab.switch.get("Interface", one, "status")
        contains(str(status), "native" if mode == "best-effort" else mode,
                 "Interface:status")
        for length in (60, 61, 64, 65, 128, 1000, 1514):
            there = frame(src=station(1), dst=station(2), length=length)
            back = frame(src=station(2), dst=station(1), length=length)
            for source, sink, sent in ((one, two, there), (two, one, back)):
                lab.send(source, sent)
                lab.pump(lambda: sent in lab.peers[sink].received,
                         f"{length} bytes from {source} to {sink}")
        lab.switch.ctl("del-port", "br0", one, "--", "del-port", "br0", two)


@test("two AF_XDP ports forward a flood of frames in order", only="vsw")
def _(lab):
    lab.start()
    mode = {"interface": {"options:xdp-mode": "native"}}
    lab.ports({"p1": mode, "p2": mode})
    for _ in range(20):
        lab.forget()
        sent = [frame(src=station(1), length=60 + i) for i in range(100)]
        lab.send("p1", *sent)
        lab.pump(lambda: sent[-1] in lab.peers["p2"].received, "the last")
        equal([f for f in lab.peers["p2"].received], sent, "what arrived")


@test("hosts talk TCP over AF_XDP ports", only="vsw")
def _(lab):
    lab.start()
    a = lab.host("a", "10.1.0.1/24", attach=False)
    b = lab.host("b", "10.1.0.2/24", attach=False)
    for host in (a, b):
        host.run("ethtool", "-K", "eth0", "tx", "off", "gso", "off",
                 "tso", "off")
    lab.switch.ctl("add-port", "br0", "a", "--", "set", "Interface", "a",
                   "type=afxdp", "--", "add-port", "br0", "b", "--", "set",
                   "Interface", "b", "options:xdp-mode=generic")
    a.must_ping(b.ip, size=1400)
    serve_iperf(lab, b.namespace)
    a.run("iperf3", "-c", b.ip, "-n", "50M")


@test("xdp-mode says what it cannot do, and can be changed", only="vsw")
def _(lab):
    lab.start()
    lab.ports({"p1": {}, "p2": {}})
    result = lab.switch.ctl("set", "Interface", "p1",
                            "options:xdp-mode=fast", check=False)
    contains(str(lab.switch.get("Interface", "p1", "error")), "generic",
             f"Interface:error ({result.stderr})")
    for mode in ("generic", "native"):
        lab.switch.ctl("set", "Interface", "p1", f"options:xdp-mode={mode}")
        equal(lab.switch.get("Interface", "p1", "error"), [], "the error")
        sent = frame(src=station(1))
        lab.send("p1", sent)
        lab.pump(lambda: sent in lab.peers["p2"].received, "p1 to p2")
    lab.switch.ctl("remove", "Interface", "p1", "options", "xdp-mode")
    sent = frame(src=station(1))
    lab.send("p1", sent)
    lab.pump(lambda: sent in lab.peers["p2"].received, "p1 to p2")
