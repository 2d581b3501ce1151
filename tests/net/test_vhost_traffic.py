"""Frames through vhost-user ports: every kind of ring, tags, queues, crowds."""
import itertools
import os
import signal
import threading
import time

from lib.frame import frame, station
from lib.netns import wait_until
from lib.testing import equal, test
from lib.vhost_frontend import FrontEnd
from lib.vhost_guest import guest, same, two_guests
from lib.vhost_memory import GuestMemory

A, B, C = station(0xa), station(0xb), station(0xc)
LENGTHS = (60, 61, 64, 127, 128, 129, 256, 1000, 1513, 1514)
CUTS = ((), (12,), (12, 26), (5,), (1, 2, 3), (11, 13, 40), (12, 12 + 14, 60))


def exchange(sender, receiver, src, dst, indirect):
    """In both kinds of rings' worst places: cut headers, odd lengths."""
    for turn, cuts in enumerate(CUTS):
        sent = [frame(dst, src, length) for length in LENGTHS]
        sender.send(*sent, cuts=cuts, indirect=indirect and turn % 2)
        got = receiver.take(len(sent))
        same(got, sent, f"cut at {cuts}")
    sender.wait_sent()


def matrix(lab, packed, mergeable):
    vm1, vm2 = two_guests(lab, start=False)
    for indirect, event, order in itertools.product((False, True), repeat=3):
        add = {"RING_PACKED"} if packed else set()
        add |= {"IN_ORDER"} if order else set()
        remove = set() if mergeable else {"MRG_RXBUF"}
        remove |= set() if event else {"EVENT_IDX"}
        remove |= set() if indirect else {"INDIRECT_DESC"}
        front = {"add": add, "remove": remove, "size": 64,
                 "indirect_rx": indirect,
                 "rx_layout": (300,) if mergeable else (12, 1000, 600)}
        a, b = vm1.start(**front), vm2.start(**front)
        assert add <= a.features, f"not offered: {add - a.features}"
        try:
            for _ in range(2):
                exchange(a, b, A, B, indirect)
                exchange(b, a, B, A, indirect)
        except AssertionError as error:
            raise AssertionError(f"with {sorted(add)}, without "
                                 f"{sorted(remove)}: {error}\n{vm1.show()}"
                                 f"{vm2.show()}") from error


for one in itertools.product((False, True), repeat=2):
    test(f"frames pass unchanged: {'packed' if one[0] else 'split'}, "
         f"{'' if one[1] else 'not '}mergeable; indirect, event index, "
         f"in order on and off", only="vsw")(
             lambda lab, one=one: matrix(lab, *one))


@test("rings of 1, 2, 3 and 32768 entries work", only="vsw")
def _(lab):
    vm1, vm2 = two_guests(lab, start=False)
    for size, packed in ((2, False), (1, False), (3, True), (5, True),
                         (32768, False), (32768, True)):
        add = {"RING_PACKED"} if packed else set()
        for vm in (vm1, vm2):
            vm.start(size=size, add=add, memory=GuestMemory(128 << 20))
        for i in range(2 * min(size, 40)):
            sent = frame(B, A, 60 + i)
            vm1.front.send(sent)
            same(vm2.front.take(1), [sent], f"ring of {size}, frame {i}")


@test("access and trunk ports: tags are put on and taken off", only="vsw")
def _(lab):
    lab.start()
    lab.ports({"raw10": {"tag": 10}, "trunk": {}})
    guest(lab, "vm10", tag=10)
    guest(lab, "vm20", tag=20)
    guest(lab, "vmtrunk")
    guest(lab, "vmsome", trunks=[10, 30])
    f, g = frame(src=A), frame(src=B)
    lab.check([("vm10", f)], {
        "raw10": [f], "trunk": [f.tagged(10)], "vmtrunk": [f.tagged(10)],
        "vmsome": [f.tagged(10)]})
    lab.check([("vmtrunk", g.tagged(20, pcp=3))], {
        "vm20": [g],
        "trunk": [g.tagged(20, pcp=3)]})
    f = frame(src=A)
    lab.check([("raw10", f)], {
        "vm10": [f], "trunk": [f.tagged(10)], "vmtrunk": [f.tagged(10)],
        "vmsome": [f.tagged(10)]})
    f = frame(src=C)
    lab.check([("vmsome", f.tagged(30)), ("vmsome", f.tagged(20)),
               ("vm10", f.tagged(10))], {
        "trunk": [f.tagged(30)], "vmtrunk": [f.tagged(30)]})
    lab.peers["vmsome"].wait_drop("vlan-not-allowed")
    lab.peers["vm10"].wait_drop("tag-not-allowed")


@test("four queue pairs: each is received from, and frames spread over them",
      only="vsw")
def _(lab):
    vm1, vm2 = two_guests(lab, front={"pairs": 4})
    for pair in range(4):
        sent = [frame(B, station(100 + i), 100) for i in range(40)]
        vm1.front.send(*sent, pair=pair)
        got = vm2.front.take(len(sent))
        same(got, sent, f"from queue pair {pair}", ordered=False)
    vm2.front.send(frame(A, B))
    equal(len(vm1.front.take(1)), 1, "the other way")
    # and a queue that the guest disables is sent nothing any more
    for pair in vm2.front.pairs[1:]:
        vm2.front.enable(pair.rx, False)
        vm2.front.enable(pair.tx, False)
    sent = [frame(B, station(200 + i), 100) for i in range(40)]
    for pair in range(4):
        vm1.front.send(*sent[pair::4], pair=pair)
    got = vm2.front.take(len(sent))
    same(got, sent, "with one pair left", ordered=False)


@test("a frame longer than the guest's MTU is not sent to it", only="vsw")
def _(lab):
    lab.start(monitor=False)
    big = guest(lab, "vm1", interface={"mtu_request": 9000})
    assert "MTU" in big.front.features, "VIRTIO_NET_F_MTU is not offered"
    small = guest(lab, "vm2", interface={"mtu_request": 9000},
                  front={"rx_layout": (4096,)})
    sent = frame(B, A, 9014)
    big.front.send(sent)
    same(small.front.take(1), [sent], "a frame of 9014 bytes")
    small.front.set_mtu(2000)
    wait_until(lambda: lab.switch.get("Interface", "vm2", "mtu") == 2000,
               lambda: f"mtu is {lab.switch.get('Interface', 'vm2', 'mtu')}")
    fits = frame(B, A, 2014)
    big.front.send(frame(B, A, 2015), fits)
    same(small.front.take(1), [fits], "what fits into 2000")
    small.wait_drop("tx-too-big")


@test("a guest that does not read loses its own frames only", only="vsw")
def _(lab):
    lab.start(monitor=False)
    vm1 = guest(lab, "vm1")
    slow = guest(lab, "slow", front={"size": 16})
    quick = guest(lab, "quick")
    slow.front.send(frame(A, C))
    quick.front.send(frame(A, B))
    vm1.front.take(2)
    quick.front.take(1)
    slow.front.take(1)
    to_quick = []
    for _ in range(10):
        to_slow = [frame(C, A) for _ in range(20)]
        more = [frame(B, A) for _ in range(20)]
        to_quick += more
        vm1.front.send(*[f for two in zip(to_slow, more) for f in two])
        vm1.front.wait_sent()
    same(quick.front.take(200), to_quick, "what the other got")
    slow.wait_drop("tx-full", 200 - 16)
    equal(slow.drops()["tx-full"], 200 - 16, "frames that found no room")
    equal(len(slow.front.take(16)), 16, "what had room")
    again = frame(C, A)
    vm1.front.send(again)
    same(slow.front.take(1), [again], "when it reads again")


@test("a front end that is stopped (SIGSTOP) costs the others nothing",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    vm1, vm2 = guest(lab, "vm1"), guest(lab, "vm2")
    third = guest(lab, "vm3", start=False)
    pid = os.fork()
    if pid == 0:
        front = FrontEnd(third.path).start()
        while True:
            front.collect()
            time.sleep(0.01)
    try:
        third.wait_link("up")
        os.kill(pid, signal.SIGSTOP)
        for i in range(50):
            sent = [frame(B if i % 2 else "ff:ff:ff:ff:ff:ff", A)
                    for _ in range(20)]
            vm1.front.send(*sent)
            same(vm2.front.take(20), sent, f"burst {i}")
        third.wait_drop("tx-full")
        lab.switch.sync()  # nor does the control thread wait for it
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    third.wait_link("down")


@test("a front end that is killed mid-traffic costs the others nothing",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    vm1, vm2 = guest(lab, "vm1"), guest(lab, "vm2")
    third = guest(lab, "vm3", start=False)
    over = threading.Event()

    def come_and_go():
        while not over.is_set():
            front = FrontEnd(third.path)
            front.start()
            front.send(*(frame(B, C) for _ in range(30)))
            front.disconnect()
            front.close()
    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for i in range(40):
            sent = [frame(src=A) for _ in range(20)]
            vm1.front.send(*sent)
            got = []
            while len(got) < 20:  # the others' frames come as well
                got += [f for f in vm2.front.take(1)
                        if f[6:12] == sent[0][6:12]]
            same(got, sent, f"burst {i}")
    finally:
        over.set()
        thread.join()
    third.wait_link("down")


@test("notifications that the guest does not want are not sent", only="vsw")
def _(lab):
    vm1, vm2 = two_guests(lab, start=False)
    for add, remove in itertools.product(((), ("RING_PACKED",)),
                                         ((), ("EVENT_IDX",))):
        a, b = (vm.start(add=add, remove=remove) for vm in (vm1, vm2))
        rx = b.pairs[0].rx
        a.send(frame(B, A))
        equal(len(b.take(1)), 1, "a frame")
        before = rx.calls + rx.take_calls()
        rx.suppress_calls()
        sent = [frame(B, A) for _ in range(20)]
        a.send(*sent)
        a.wait_sent()
        wait_until(rx.has_used, "the frames are there")
        got = []
        while len(got) < 20:
            got += [data for _, data in b.pairs[0].harvest()]
            rx.suppress_calls()
        same(got, sent, "frames without notifications")
        equal(rx.calls + rx.take_calls(), before, f"{add} {remove} calls")
