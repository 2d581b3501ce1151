"""Another number of workers: what runs goes on, nothing is made anew."""
from lib.frame import frame, station
from lib.testing import contains, equal, test
from lib.vhost_guest import guest

A, B = station(0xa), station(0xb)


@test("another number of workers disconnects no guest and keeps a tap's "
      "addresses", only="vsw")
def _(lab):
    lab.start(monitor=False)
    lab.switch.ctl("add-port", "br0", "in0", "--", "set", "Interface", "in0",
                   "type=internal")
    lab.sw_ns.ip("addr", "add", "192.0.2.1/24", "dev", "in0")
    lab.sw_ns.ip("link", "set", "in0", "up")
    a, b = guest(lab, "a"), guest(lab, "b")
    lab.ports({"p1": {}})
    for n in (1, 3, 2, 8, 1):
        lab.switch.ctl("set", "Open_vSwitch", ".",
                       f"other_config:n-workers={n}")
        for sender, receiver, src, dst in ((a, b, A, B), (b, a, B, A)):
            one = frame(dst, src)
            sender.send(one)
            while one not in receiver.front.take(1):
                pass
        one = frame(src=A)
        a.send(one)
        lab.pump(lambda: one in lab.peers["p1"].received, f"{n} workers")
        lab.forget()
        contains(lab.sw_ns.ip("addr", "show", "dev", "in0"), "192.0.2.1",
                 f"in0 with {n} workers")
    for vm in a, b:
        equal(lab.switch.get("Interface", vm.name, "link_resets"), 1,
              "link_resets")
