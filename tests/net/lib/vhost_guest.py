"""A vhost-user port of the switch under test, with a front end at its socket.

    vm = guest(lab, "vm1", tag=10)      type vhostuser: vswd listens
    vm = guest(lab, "vm1", client=True) type vhostuserclient: we do

A Guest is a Peer of the lab, too: lab.check(), fences and probes take it as
they take a raw port. Frames are then in `received`; a test that looks at
headers uses its FrontEnd, `vm.front`.
"""
import contextlib
import os
import re
import select

from .frame import MARK, Frame
from .lab import Peer, differences
from .netns import wait_until
from .switch import BUILD, column_arguments
from .vhost_frontend import FrontEnd


# Memory that is freed stays a while, so that its use is found; and what is
# lost is found at the end.
SANITIZED = os.path.basename(BUILD) in ("asan", "tsan")


class Guest(Peer):
    def __init__(self, lab, number, name, columns, client, options):
        super().__init__(number, name, "br0", columns)
        self.lab, self.client, self.options = lab, client, options
        self.path = os.path.join(lab.directory, f"{name}.sock")
        self.front = None

    def attach(self, **kwargs):
        """A front end, not started yet."""
        self.detach()
        self.front = FrontEnd(self.path, server=self.client, **kwargs)
        return self.front

    def start(self, **kwargs):
        """A front end that runs; the port's link is up when it returns."""
        front = self.attach(**kwargs).start()
        self.watch()
        self.wait_info(link_up=True)
        return front

    def watch(self):
        """The lab's pump() sleeps on the receive queues' notifications."""
        if self.sock:
            self.sock.close()
        self.sock = select.epoll()
        for pair in self.front.pairs:
            self.sock.register(pair.rx.call_fd, select.EPOLLIN)

    def detach(self):
        """The front end goes, as a process does that is killed."""
        if self.sock:
            self.sock.close()
            self.sock = None
        if self.front:
            self.front.close()
            self.front = None

    def send(self, data):
        self.front.send(data)

    def collect(self):
        self.front.collect()
        for _, data in self.front.frames:
            at = data.find(MARK)
            if at >= 0:
                self.markers.add(data[at:at + len(MARK) + 4])
            else:
                self.received.append(Frame(data))
        self.front.frames.clear()

    # What the switch says of it.

    def info(self):
        """vhost/show: the port as it is now; the database hears of it later
        when it changes often."""
        return self.lab.switch.command("vhost/show", self.name)[0]

    def wait_info(self, **wanted):
        wait_until(lambda: wanted.items() <= self.info().items(),
                   lambda: f"{self.name} is {wanted}:\n{self.show()}")

    def wait_link(self, state):
        """The database says so."""
        wait_until(lambda: self.lab.switch.get("Interface", self.name,
                                               "link_state") == state,
                   lambda: f"{self.name} is {state}:\n{self.show()}")

    def show(self):
        result = self.lab.switch.vsw_ctl("vhost/show", self.name, check=False)
        return result.stdout + result.stderr

    def status(self):
        return self.lab.switch.get("Interface", self.name, "status")

    def statistics(self):
        return self.lab.switch.get("Interface", self.name, "statistics")

    def drops(self):
        """{"tx-full": 3} of the port's drop reasons, as of now."""
        return {row["reason"]: row["packets"] for row in
                self.lab.switch.command("drops", self.name)}

    def wait_drop(self, reason, least=1):
        wait_until(lambda: self.drops().get(reason, 0) >= least,
                   lambda: f"{self.name} counts {least} {reason}: "
                   f"{self.drops()}")


def guest(lab, name, client=False, start=True, options=None, interface=None,
          front=None, **columns):
    """
    Adds the port, with Port columns, options of the interface and arguments
    of the FrontEnd; a Guest that runs unless start is False.
    """
    one = Guest(lab, len(lab.peers) + 1, name, columns, client, front or {})
    settings = {"options": {"vhost-server-path": one.path, **(options or {})},
                **(interface or {})}
    lab.switch.ctl(
        "add-port", "br0", name, *column_arguments(columns), "--", "set",
        "Interface", name,
        f"type=vhostuser{'client' if client else ''}",
        *column_arguments(settings))
    lab.peers[name] = one
    if start:
        one.start(**(front or {}))
    return one


def two_guests(lab, front=None, **kwargs):
    """br0 with vm1 and vm2, each front end with these arguments."""
    lab.start(monitor=False)
    return [guest(lab, name, front=front, **kwargs) for name in ("vm1",
                                                                 "vm2")]


def same(got, wanted, what, ordered=True):
    """These frames are those, or the difference, in short."""
    got, wanted = [Frame(f) for f in got], [Frame(f) for f in wanted]
    if ordered and got == wanted:
        return
    problems = list(differences(what, wanted, got, ordered))
    assert not problems, "\n".join(problems)


class Footprint:
    """What a process holds: compared before and after, nothing has leaked."""

    def __init__(self, pid):
        self.pid = pid
        self.fds = self.count("fd")
        self.maps = self.mappings()
        self.rss = self.memory()

    def count(self, what):
        return len(os.listdir(f"/proc/{self.pid}/{what}"))

    def mappings(self):
        """Shared ones of memfds: the guests' memory."""
        with open(f"/proc/{self.pid}/maps", encoding="ascii") as file:
            return sum("memfd" in line for line in file)

    def memory(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            return int(re.search(r"RssAnon:\s+(\d+) kB",
                                 file.read()).group(1))

    def check(self, more_kb=4096):
        """Waits until no more is held than at first."""
        if SANITIZED:
            more_kb = 1 << 30

        def grown():
            now = Footprint(self.pid)
            return [f"{name}: {after}, was {before}" for name, before, after,
                    room in (("descriptors", self.fds, now.fds, 0),
                             ("mappings", self.maps, now.maps, 0),
                             ("RssAnon kB", self.rss, now.rss, more_kb))
                    if after > before + room]
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not grown(), "")
        assert not grown(), f"{'; '.join(grown())}\n{self.held()}"

    def held(self):
        links = []
        for fd in os.listdir(f"/proc/{self.pid}/fd"):
            with contextlib.suppress(OSError):
                links.append(os.readlink(f"/proc/{self.pid}/fd/{fd}"))
        return " ".join(sorted(links))


def vswd_pid(lab):
    """The daemon's process; `ip netns exec` execs it."""
    return lab.switch.process.pid
