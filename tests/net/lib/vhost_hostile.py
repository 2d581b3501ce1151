"""An arena for front ends that lie: two guests that behave, and a port `evil`.

Cases are a table of (name, function); each gets an Arena and makes its own
front end. After each of them vswd must be the same process, the others'
frames must pass, nothing of what the liar brought may be held any more, and
an honest front end must find the port as if nothing had been.
"""
import os
import select
import time
import traceback

from .frame import frame, station
from .netns import CommandFailed, wait_until
from .vhost_frontend import OFFLOADS, FrontEnd
from .vhost_guest import Footprint, guest, vswd_pid
from .vhost_protocol import Connection, Disconnected, Refused

GOOD, OTHER, EVIL = station(0xa), station(0xb), station(0xe)


class Arena:
    def __init__(self, lab, **evil):
        self.lab = lab
        lab.start(monitor=False)
        self.good = guest(lab, "good")
        self.other = guest(lab, "other")
        self.evil = guest(lab, "evil", start=False, **evil)
        self.fronts, self.fds, self.connections = [], [], []
        self.pid = vswd_pid(lab)
        self.honest()
        self.reset()
        self.before = Footprint(self.pid)
        # its numbers of workers' and others' lazily made things have settled

    # What a case uses.

    def connect(self):
        """A connection without a word said."""
        one = Connection.connect(self.evil.path)
        self.connections.append(one)
        return one

    def front(self, **kwargs):
        """A front end that is connected."""
        kwargs.setdefault("add", OFFLOADS)
        one = FrontEnd(self.evil.path, **kwargs)
        self.fronts.append(one)
        return one

    def negotiated(self, **kwargs):
        """Features are set; nothing is shared yet."""
        one = self.front(**kwargs)
        one.negotiate()
        one.set_features()
        return one

    def shared(self, **kwargs):
        """Memory is shared; no queue is started yet."""
        one = self.negotiated(**kwargs)
        one.share_memory()
        one.make_queues()
        return one

    def running(self, **kwargs):
        one = self.front(**kwargs).start()
        self.evil.wait_info(link_up=True)
        return one

    def memfd(self, size, seals=False):
        fd = os.memfd_create("evil", os.MFD_CLOEXEC |
                             (os.MFD_ALLOW_SEALING if seals else 0))
        os.ftruncate(fd, size)
        return self.keep(fd)

    def keep(self, fd):
        self.fds.append(fd)
        return fd

    def eventfd(self, value=0, flags=os.EFD_NONBLOCK):
        return self.keep(os.eventfd(value, flags | os.EFD_CLOEXEC))

    # What a case claims.

    def rejects(self, front, lie, *args, **kwargs):
        """The lie ends the connection, or is answered by an error."""
        connection = getattr(front, "connection", front)
        try:
            lie(*args, **kwargs)
            connection.send("GET_FEATURES")
            connection.receive("GET_FEATURES")
        except (Refused, Disconnected):
            return
        raise AssertionError("the lie was believed")

    def ends(self, *args, **kwargs):
        """That message to a device that is set up ends the connection."""
        front = self.shared()
        try:
            front.connection.send(*args, **kwargs)
        except Disconnected:
            return
        self.closes(front)

    def closes(self, connection):
        connection = getattr(connection, "connection", connection)
        connection.wait_closed()

    def answers(self, front):
        """The connection lives on."""
        front.connection.get("GET_FEATURES")

    def broken(self, ring):
        """The queue stopped, told the front end, and vhost/show says why."""
        ready, _, _ = select.select([ring.error_fd], [], [], 5)
        assert ready, f"queue {ring.index} goes on:\n{self.evil.show()}"
        why = self.ring_info(ring.index).get("broken")
        assert why, f"vhost/show does not say it:\n{self.evil.show()}"
        return why

    def ring_info(self, index):
        """A ring's part of vhost/show; empty where it is not started."""
        rings = self.evil.info()["rings"]
        return next((r for r in rings if r["index"] == index), {})

    def dropped(self, reason, count, before):
        now = {}

        def counted():
            now.update(self.evil.drops())
            return now.get(reason, 0) - before.get(reason, 0) >= count
        wait_until(counted, lambda: f"{count} more {reason} than {before}: "
                   f"{now}")

    def passes(self, front, **kwargs):
        """The liar's frames reach the others still (or again)."""
        sent = frame(GOOD, EVIL, 200)
        front.send(sent, **kwargs)
        got = self.good.front.take(1)
        assert got == [sent], f"{len(got[0])} bytes, other than was sent"

    def reaches(self, front):
        """The liar gets frames still (or again)."""
        sent = frame(EVIL, GOOD, 200)
        self.good.front.send(sent)
        front.wait(lambda: any(d == sent for _, d in front.frames),
                   "a frame that is sent to it")
        front.frames.clear()

    # After each case.

    def reset(self):
        """The liar goes, with all that it held."""
        for one in self.fronts + self.connections:
            one.close()
        for fd in self.fds:
            os.close(fd)
        for vm in (self.good, self.other):
            vm.front.collect()
            vm.front.frames.clear()
        self.fronts, self.connections, self.fds = [], [], []
        self.evil.wait_info(connected=False)

    def others_forward(self):
        for a, b, src, dst in ((self.good, self.other, GOOD, OTHER),
                               (self.other, self.good, OTHER, GOOD)):
            sent = [frame(dst, src) for _ in range(8)]
            b.collect()
            b.received.clear()
            a.front.send(*sent)
            b.front.wait(lambda: all(
                any(d == f for _, d in b.front.frames) for f in sent),
                "the others' frames")
            b.front.frames.clear()

    def honest(self):
        """A front end that behaves finds the port in order."""
        front = self.front()
        front.start()
        self.evil.wait_info(link_up=True)
        self.passes(front)
        self.reaches(front)

    def check(self):
        process = self.lab.switch.process
        assert process.poll() is None and process.pid == self.pid, \
            f"vswd has ended:\n{self.lab.switch.log_tail()}"
        self.others_forward()
        self.reset()
        self.before.check(more_kb=16384)

    def run(self, cases):
        """All of them, and then a list of those that went wrong."""
        failed = []
        for name, case in cases:
            begin = time.monotonic()
            try:
                case(self)
                self.check()
            except (AssertionError, CommandFailed, Disconnected, Refused,
                    OSError) as error:
                where = traceback.extract_tb(error.__traceback__)
                line = [f"{os.path.basename(w.filename)}:{w.lineno}"
                        for w in where][-3:]
                failed.append(f"* {name}: {error!r:.600} at {line}")
                status = self.lab.switch.process.poll()
                if status is not None:
                    failed.append(f"vswd ended with status {status}; the "
                                  f"cases after this one were not tried")
                    break
                self.reset()
                self.before = Footprint(self.pid)
            print(f"{time.monotonic() - begin:.2f} s {name}")
        else:
            self.honest()
            self.check()
        self.lab.switch.check_logs()
        assert not failed, f"{len(failed)} of {len(cases)}:\n" + \
            "\n".join(failed)


class Cases:
    """A table of cases: decorate with @cases("name")."""

    def __init__(self):
        self.table = []

    def __call__(self, name, *args):
        def register(function):
            self.table.append((name, lambda arena: function(arena, *args)))
            return function
        return register
