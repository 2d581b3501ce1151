"""vhost-user ports: shared memory that changes, stops, crashes, migration."""
import contextlib
import mmap
import os

from lib import vhost_protocol as protocol
from lib.frame import frame, station
from lib.netns import wait_until
from lib.testing import equal, test
from lib.vhost_frontend import PROTOCOL
from lib.vhost_guest import Footprint, guest, same, two_guests, vswd_pid
from lib.vhost_memory import PAGE, GuestMemory, Region

A, B = station(0xa), station(0xb)
RINGS = {"split": set(), "packed": {"RING_PACKED"}}
ORDERED = {**RINGS, "split, in order": {"IN_ORDER"},
           "packed, in order": {"RING_PACKED", "IN_ORDER"}}


@test("memory is plugged in and pulled out while frames pass", only="vsw")
def _(lab):
    vm1, vm2 = two_guests(lab)
    front, held = vm1.front, Footprint(vswd_pid(lab))
    for i in range(40):
        more = [frame(B, A) for _ in range(20)]
        front.send(*more[:10])  # some are on their way meanwhile
        region = Region(0x100000000 + i * 0x4000000, 2 << 20)
        front.memory.regions.append(region)
        front.add_region(region)
        spaces = front.pairs[0].tx_space
        spaces[:] = [(region.guest + 4096 * k, 4096) for k in range(20)]
        front.send(*more[10:])
        front.wait_sent()
        spaces[:] = []
        front.remove_region(region)
        front.memory.regions.remove(region)
        region.close()
        same(vm2.front.take(20), more, f"frames of round {i}")
    held.check()


@test("memory slots: as many as are offered, and frames from each of them",
      only="vsw")
def _(lab):
    vm1, vm2 = two_guests(lab)
    front = vm1.front
    slots = min(front.connection.get("GET_MAX_MEM_SLOTS"), 64)
    for i in range(slots - 1):
        region = Region(0x100000000 + i * 0x10000, 0x10000)
        front.memory.regions.append(region)
        front.add_region(region)
        front.pairs[0].tx_space[:] = [(region.guest + 0x8000, 2048)]
        sent = frame(B, A)
        front.send(sent)
        same(vm2.front.take(1), [sent], f"from slot {i}")


@test("a buffer may cross from one region into its neighbour", only="vsw")
def _(lab):
    vm1, vm2 = two_guests(lab, start=False)
    for add in RINGS.values():
        a = vm1.start(add=add, memory=GuestMemory(4 << 20, 1 << 20, 1 << 20,
                                                  gap=0))
        b = vm2.start(add=add, memory=GuestMemory(4 << 20, 1 << 20, 1 << 20,
                                                  gap=0))
        for vm in (a, b):
            for region in vm.memory.regions[1:]:
                equal(region.guest % (1 << 20), 0, "neighbours")
        for before in (1, 5, 11, 12, 13, 26, 100, 1000):
            edge = a.memory.regions[1].guest
            sent = frame(B, A, 1500)
            data = bytes(12) + sent
            write_across(a.memory, edge - before, data)
            a.pairs[0].tx.add([(edge - before, len(data), False)],
                              (edge, 0))
            a.pairs[0].tx.publish()
            same(b.take(1), [sent], f"{before} bytes before the edge")
            a.wait_sent()
            a.pairs[0].tx_space.clear()


def write_across(memory, guest, data):
    edge = memory.find(guest).guest + memory.find(guest).size
    memory.write(guest, data[:edge - guest])
    memory.write(edge, data[edge - guest:])


@test("SET_MEM_TABLE again while rings run", only="vsw")
def _(lab):
    plain = {"protocol_features": PROTOCOL - {"CONFIGURE_MEM_SLOTS"}}
    vm1, vm2 = two_guests(lab, front=plain)
    held = Footprint(vswd_pid(lab))
    regions = list(vm1.front.memory.regions)
    for i in range(30):
        extra = [Region(0x100000000 + k * 0x4000000, 2 << 20)
                 for k in range(i % 4)]
        sent = [frame(B, A) for _ in range(20)]
        vm1.front.send(*sent[:10])
        vm1.front.set_mem_table(extra[:1] + regions + extra[1:])
        vm1.front.send(*sent[10:])
        same(vm2.front.take(20), sent, f"frames of table {i}")
        back = frame(A, B)
        vm2.front.send(back)
        same(vm1.front.take(1), [back], f"a frame back, table {i}")
        for region in extra:
            region.close()
    vm1.front.set_mem_table(regions)
    held.check()


@test("GET_VRING_BASE and going on: nothing is lost, nothing comes twice",
      only="vsw")
def _(lab):
    vm1, vm2 = two_guests(lab, start=False)
    for name, add in ORDERED.items():
        a, b = vm1.start(add=add, size=64), vm2.start(add=add, size=64)
        for i in range(20):
            sent = [frame(B, A) for _ in range(40)]
            for one in sent:
                assert a.put(one)
            if i % 2:
                a.pairs[0].tx.publish()
            ring = a.pairs[0].tx
            base = a.stop_ring(ring)
            a.pairs[0].reap()
            equal(base, ring.base(), f"{name}: the base that is told")
            if not i % 2:
                ring.publish(kick=False)
            for one in b.rings() if i % 3 == 0 else ():
                stopped = b.stop_ring(one)
                b.collect()
                equal(stopped, one.base(), f"{name}: receiver's base")
                b.start_ring(one, stopped)
                b.enable(one)
            a.start_ring(ring, base)
            a.enable(ring)
            b.collect()
            same(b.take(40), sent, f"{name}: frames of stop {i}")
            a.wait_sent()


def receive_all(front, sent, seen):
    """Takes what has come; all of sent, in any number of copies."""
    front.wait(lambda: set(sent) <= seen | {d for _, d in front.frames},
               f"{len(sent)} frames")
    got = [data for _, data in front.frames]
    front.frames.clear()
    seen |= set(got)
    return len(got)


def resume(vm, inflight):
    """As QEMU after the back end's crash: the region, and the used index."""
    front = vm.front
    front.disconnect()
    if not vm.client:
        front.connect()
    else:
        front.accept()
    front.negotiate()
    front.connection.set("SET_INFLIGHT_FD", inflight[0], [inflight[1]])
    front.set_features()
    front.share_memory()
    for pair in front.pairs:
        pair.reap()
        pair.tx_space.clear()
    front.collect()
    for ring in front.rings():
        front.start_ring(ring)
        front.enable(ring)
    front.set_status(0xf)
    vm.wait_link("up")


def get_inflight(front):
    payload, fds = front.connection.call(
        "GET_INFLIGHT_FD", protocol.inflight(0, 0, 2 * len(front.pairs),
                                             front.size))
    assert len(fds) == 1, f"{len(fds)} descriptors with the region"
    front.connection.set("SET_INFLIGHT_FD", payload, fds)
    return payload, fds[0]


@test("vswd killed and restarted: buffers in flight are neither lost nor "
      "given back twice", only="vsw")
def _(lab):
    vm1, vm2 = two_guests(lab, start=False)
    for name, add in ORDERED.items():
        regions = {}
        for vm in (vm1, vm2):
            front = vm.attach(add=add, size=128)
            front.negotiate()
            front.make_queues()
            regions[vm] = get_inflight(front)
            front.set_features()
            front.share_memory()
            for ring in front.rings():
                front.start_ring(ring)
                front.enable(ring)
            front.set_status(0xf)
            front.pairs[0].fill()
            vm.wait_link("up")
        seen, copies, sent = set(), 0, []
        for i in range(3):
            more = [frame(B, A, 60 + 20 * k) for k in range(60)]
            sent += more
            for one in more:
                assert vm1.front.put(one)
            vm1.front.pairs[0].tx.publish()
            lab.switch.kill()
            lab.switch.start()
            resume(vm2, regions[vm2])
            resume(vm1, regions[vm1])
            copies += receive_all(vm2.front, sent, seen)
            vm1.front.wait_sent()
        same(sorted(seen), sorted(set(sent)), f"{name}: what came")
        assert copies - len(seen) <= 3 * 60, f"{name}: {copies} copies"
        for vm in (vm1, vm2):
            os.close(regions[vm][1])


@test("vswd killed and restarted: without a region the used index counts",
      only="vsw")
def _(lab):
    vm1, vm2 = two_guests(lab, client=True)
    for i in range(3):
        sent = [frame(B, A) for _ in range(50)]
        vm1.front.send(*sent[:20])
        same(vm2.front.take(20), sent[:20], f"before crash {i}")
        vm1.front.wait_sent()
        lab.switch.kill()
        for one in sent[20:]:
            assert vm1.front.put(one)
        vm1.front.pairs[0].tx.publish()
        lab.switch.start()
        for vm in (vm2, vm1):
            vm.front.disconnect()
            vm.front.accept()
            vm.front.negotiate()
            vm.front.set_features()
            vm.front.share_memory()
            vm.front.collect()
            for ring in vm.front.rings():
                vm.front.start_ring(ring)
                vm.front.enable(ring)
            vm.wait_link("up")
        same(vm2.front.take(30), sent[20:], f"after crash {i}")
        vm1.front.wait_sent()


class DirtyLog:
    """A dirty log for all of a guest's memory."""

    def __init__(self, memory):
        end = max(r.guest + r.size for r in memory.regions)
        self.size = (end // PAGE // 8 + PAGE) & -PAGE
        self.fd = os.memfd_create("log", os.MFD_CLOEXEC)
        os.ftruncate(self.fd, self.size)
        self.map = mmap.mmap(self.fd, self.size)

    def take(self):
        """Pages that are marked, as numbers; clears them."""
        found = {8 * i + bit for i, byte in enumerate(self.map[:]) if byte
                 for bit in range(8) if byte >> bit & 1}
        self.map[:] = bytes(self.size)
        return found

    def close(self):
        self.map.close()
        os.close(self.fd)


def pages(guest, length):
    return set(range(guest // PAGE, (guest + length - 1) // PAGE + 1))


def start_log(front, log):
    """As QEMU begins a migration, the guest running."""
    front.connection.call("SET_LOG_BASE", protocol.log_base(log.size),
                          [log.fd])
    front.set_features("LOG_ALL")
    for ring in front.rings():
        used = ring.desc if ring.packed else ring.device
        front.connection.set("SET_VRING_ADDR",
                             front.ring_address(ring, 1, used))


@test("the dirty log has the pages that were written, and no others",
      only="vsw")
def _(lab):
    vm1, vm2 = two_guests(lab, start=False)
    for name, add in ORDERED.items():
        vm1.start(add=add)
        # a buffer a page and a half, so that frames cross pages or do not
        front = vm2.start(add=add, size=64, rx_layout=(6144,))
        log, written = DirtyLog(front.memory), set()
        gather = front.gather

        def remember(chain, length, gather=gather, written=written):
            left = length
            for address, size, _ in chain:
                if left > 0:
                    written |= pages(address, min(size, left))
                left -= size
            return gather(chain, length)
        front.gather = remember
        vm1.front.send(frame(B, A))
        front.take(1)
        start_log(front, log)
        log.take()
        for length in (60, 1000, 1514) * 30:
            written.clear()
            sent = frame(B, A, length)
            vm1.front.send(sent)
            same(front.take(1), [sent], f"{name}: a frame")
            ring = front.pairs[0].rx
            used = pages(ring.desc, 16 * ring.size) if ring.packed else \
                pages(ring.device, 6 + 8 * ring.size)
            # asking for notifications is writing, too
            may = pages(front.pairs[0].tx.device, 4)
            may |= pages(ring.device, 4) if ring.packed else set()
            written.difference_update(may)
            equal(log.take() - may, written | used, f"{name}: pages of a "
                  f"frame of {length}")
        front.send(*(frame(A, B) for _ in range(5)))
        front.wait_sent()
        ring = front.pairs[0].tx
        used = ring.desc if ring.packed else ring.device
        assert used // PAGE in log.take(), f"{name}: the transmit ring's"
        # the migration is given up
        front.set_features()
        for ring in front.rings():
            front.connection.set("SET_VRING_ADDR", front.ring_address(ring))
        log.take()
        vm1.front.send(frame(B, A))
        front.take(1)
        equal(log.take(), set(), f"{name}: pages after its end")
        vm2.detach()
        log.close()


@test("a guest moves to another port, and its frames with it", only="vsw")
def _(lab):
    lab.start(monitor=False)
    vm1 = guest(lab, "vm1")
    for add in ORDERED.values():
        src = guest(lab, "src", front={"add": add})
        dst = guest(lab, "dst", start=False)
        src.front.send(frame(A, B))
        vm1.front.take(1)
        sent = [frame(B, A) for _ in range(20)]
        vm1.front.send(*sent)
        front = src.front
        same(front.take(20), sent, "at the source")
        bases = front.stop()
        front.collect()
        front.disconnect()
        front.path = dst.path
        front.connect()
        front.negotiate()
        front.set_features()
        front.share_memory()
        for ring in front.rings():
            front.start_ring(ring, bases[ring.index])
            front.enable(ring)
        front.connection.set("SEND_RARP", bytes.fromhex("02000000000b0000"))
        wait_until(lambda: lab.switch.fdb().get((0, B), [0])[0] ==
                   str(lab.switch.ofport("dst")), "it is learned there")
        more = [frame(B, A) for _ in range(20)]
        vm1.front.frames.clear()
        vm1.front.send(*more)
        same(front.take(20), more, "at the destination")
        src.detach()
        with contextlib.suppress(KeyError):
            del lab.peers["src"], lab.peers["dst"]
        lab.switch.ctl("del-port", "br0", "src", "--", "del-port", "br0",
                       "dst")
        vm1.front.collect()
        vm1.front.frames.clear()
