"""A front end that has its eventfds block whoever writes or reads them."""
import fcntl
import os

from lib.frame import frame, station
from lib.testing import contains, test
from lib.vhost_guest import guest

GOOD, OTHER, EVIL = station(0xa), station(0xb), station(0xe)
FULL = 0xfffffffffffffffe


def jam(fd):
    """Empty for a reader would be as bad; a full counter stops a writer."""
    try:
        os.eventfd_read(fd)
    except BlockingIOError:
        pass
    os.eventfd_write(fd, FULL)
    unblock = fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_NONBLOCK
    fcntl.fcntl(fd, fcntl.F_SETFL, unblock)


@test("a front end whose eventfds block stops nobody", only="vsw", timeout=60)
def _(lab):
    lab.start(monitor=False)
    lab.switch.ctl("set", "Open_vSwitch", ".", "other_config:n-workers=1")
    good, other, evil = (guest(lab, name) for name in ("good", "other",
                                                       "evil"))
    for vm, mac in (good, GOOD), (other, OTHER), (evil, EVIL):
        vm.send(frame(src=mac))
    for vm in good, other, evil:
        vm.front.take(2)
    for pair in evil.front.pairs:
        jam(pair.rx.call_fd)
        jam(pair.tx.call_fd)
        # emptied by the switch before it sleeps, and then never to be read
        fcntl.fcntl(pair.tx.kick_fd, fcntl.F_SETFL, 0)
    evil.send(frame(GOOD, EVIL))
    good.front.take(1)
    for i in range(50):
        good.send(frame(EVIL, GOOD))
        good.send(frame(OTHER, GOOD))
        other.front.take(1)
    # a snapshot is published: every worker has to take it over
    lab.switch.ctl("set", "Port", "other", "tag=7", "--", "set", "Port",
                   "good", "tag=7")
    good.send(frame(OTHER, GOOD))
    other.front.take(1)
    contains(lab.switch.log_tail(), "eventfd block", "what the log says")
