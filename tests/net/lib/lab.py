"""A switch, what is plugged into it, and what arrives where.

A lab has a namespace for the switch. Raw ports are veth pairs whose far ends
lie in one namespace without any stack of its own; frames are sent and caught
there by packet sockets. Hosts are namespaces with addresses, whose stack talks.

That a frame does NOT arrive is proved without waiting for a time. Each bridge
has one more raw port, its monitor, a trunk of all VLANs. After the frames under
test each sender sends a broadcast, the fence, that the monitor must get; and a
second one, so that the burst of the first is done with. Then the monitor sends a
probe into the VLAN of every port. A port that has its probe will get nothing of
what was sent before any more, as order is kept from port to port.
"""
import contextlib
import os
import select
import signal
import subprocess
import time

from . import netns
from .frame import MARK, Frame, marker, station
from .netns import Namespace, ip_batch, wait_until
from .switch import KINDS, column_arguments

FENCE_TIMEOUT = 20


class Peer:
    """The far end of a raw port."""

    def __init__(self, number, name, bridge, columns):
        self.number = number
        self.name = name
        self.bridge = bridge
        self.mac = station(0x900000 + number)
        self.sock = None
        self.received = []
        self.markers = set()
        self.follow(columns)

    def follow(self, columns):
        """Which VLAN reaches the port, and how a fence must be tagged."""
        mode = columns.get("vlan_mode")
        tag = columns.get("tag")
        trunks = columns.get("trunks")
        if isinstance(trunks, int):
            trunks = [trunks]
        if tag is not None and mode != "trunk":
            self.probe_vid, self.fence_vid = tag, 0
        elif trunks and 0 not in trunks:
            self.probe_vid = self.fence_vid = trunks[0]
        else:
            self.probe_vid = self.fence_vid = 0

    def send(self, data):
        deadline = time.monotonic() + 20
        while True:
            try:
                self.sock.send(data)
                return
            except (BlockingIOError, OSError) as error:
                if getattr(error, "errno", None) not in (11, 105) or \
                        time.monotonic() > deadline:
                    raise
                time.sleep(0.001)

    def take(self):
        """A frame that has come, or None."""
        data = netns.receive(self.sock)
        return None if data is None else Frame(data)

    def collect(self):
        while (one := self.take()) is not None:
            at = one.find(MARK)
            if at >= 0:
                self.markers.add(bytes(one[at:at + len(MARK) + 4]))
            else:
                self.received.append(one)


class Host:
    """A namespace with a stack; its device is eth0."""

    def __init__(self, namespace, addresses):
        self.namespace = namespace
        self.addresses = addresses

    @property
    def ip(self):
        return self.addresses[0].split("/")[0]

    @property
    def ip6(self):
        return next(a.split("/")[0] for a in self.addresses if ":" in a)

    def run(self, *argv, **kwargs):
        return self.namespace.run(*argv, **kwargs)

    @property
    def mac(self):
        out = self.namespace.ip("-o", "link", "show", "eth0")
        return out.split("link/ether ")[1].split()[0]

    def ping(self, address, count=1, size=56, wait=1, extra=()):
        """Whether `count` of the echoes sent at short intervals return."""
        result = self.run("ping", "-n", "-q", "-c", count, "-i", "0.05",
                          "-W", wait, "-s", size, *extra, address,
                          check=False)
        return result.returncode == 0 and f"{count} received" in result.stdout

    def must_ping(self, address, timeout=20, **kwargs):
        wait_until(lambda: self.ping(address, **kwargs),
                   f"ping {address} from {self.namespace.name}", timeout)


class Lab:
    def __init__(self, prefix, directory, options):
        self.prefix = prefix
        self.directory = directory
        self.options = options
        self.peers = {}
        self.hosts = {}
        self.processes = []
        self.others = []  # switches that are not under test
        self.sw_ns = Namespace(prefix + "sw")
        self.far_ns = Namespace(prefix + "far")
        self.switch = KINDS[options.switch](
            self.sw_ns, os.path.join(directory, "run"), options)
        self.kept_devices = set()
        # The kernel's fast path overtakes what goes by userspace.
        self.overtakes = options.switch == "vsw" and options.fast_path == "on"

    # Building.

    def start(self, *bridges, monitor=True, **bridge_columns):
        """Starts the switch and makes the bridges (br0 unless others)."""
        self.switch.start()
        for bridge in bridges or ("br0",):
            self.bridge(bridge, monitor=monitor, **bridge_columns)
        return self

    def bridge(self, bridge, monitor=True, **columns):
        self.switch.add_bridge(bridge, **columns)
        if monitor:
            self.ports({self.monitor_name(bridge): {}}, bridge=bridge)

    @staticmethod
    def monitor_name(bridge):
        return f"mon-{bridge}"

    def wire(self, name, mtu=None):
        """A veth pair: `name` at the switch, and far away."""
        end = f" mtu {mtu}" if mtu else ""
        ip_batch([
            f"link add name {name}{end} netns {self.sw_ns.name} type veth "
            f"peer name {name}{end} netns {self.far_ns.name}"])
        ip_batch([f"link set dev {name} up"], self.sw_ns.name)
        ip_batch([f"link set dev {name} arp off up"], self.far_ns.name)
        self.kept_devices.add(name)

    def listen(self, name):
        peer = self.peers[name]
        if peer.sock:
            peer.sock.close()
        peer.sock = self.far_ns.packet_socket(name)

    def ports(self, ports, bridge="br0", mtu=None):
        """Raw ports: {name: columns}; `interface` is a dict of its own."""
        command = []
        for name, columns in ports.items():
            columns = dict(columns)
            interface = columns.pop("interface", {})
            self.wire(name, mtu)
            self.ports_known({name: columns}, bridge)
            command += ["--", "add-port", bridge, name,
                        *column_arguments(columns)]
            if interface:
                command += ["--", "set", "Interface", name,
                            *column_arguments(interface)]
        self.switch.ctl(*command[1:])
        return self

    def ports_known(self, ports, bridge="br0"):
        """Raw ports that are wired and in the switch already."""
        for name, columns in ports.items():
            self.peers[name] = Peer(len(self.peers) + 1, name, bridge,
                                    columns)
            self.listen(name)

    def host(self, name, *addresses, bridge="br0", mtu=None, attach=True,
             switch=None, **columns):
        """A host at port `name` with addresses like 10.0.0.1/24, fd00::1/64.
        switch: another than the one under test."""
        switch = switch or self.switch
        space = Namespace(self.prefix + name)
        space.sysctl("ipv6/conf/default/disable_ipv6", 0)
        space.sysctl("ipv6/conf/all/disable_ipv6", 0)
        space.sysctl("ipv6/conf/default/accept_dad", 0)
        end = f" mtu {mtu}" if mtu else ""
        there = switch.namespace.name
        ip_batch([f"link add name {name}{end} netns {there} type veth "
                  f"peer name eth0{end} netns {space.name}"])
        ip_batch([f"link set dev {name} up"], there)
        ip_batch(["link set eth0 up"] +
                 [f"addr add {address} dev eth0" + (" nodad" if ":" in address
                                                    else "")
                  for address in addresses], space.name)
        self.kept_devices.add(name)
        host = self.hosts[name] = Host(space, addresses)
        if attach:
            switch.ctl("add-port", bridge, name, *column_arguments(columns))
        return host

    def spawn(self, space, *argv, **kwargs):
        """A process in a namespace that ends with the test at the latest."""
        kwargs.setdefault("stdout", subprocess.DEVNULL)
        kwargs.setdefault("stderr", subprocess.DEVNULL)
        process = space.popen(*argv, **kwargs)
        self.processes.append(process)
        return process

    # Frames.

    def monitor(self, bridge="br0"):
        return self.peers[self.monitor_name(bridge)]

    def send(self, port, *frames):
        for one in frames:
            self.peers[port].send(one)

    def pump(self, until, what, timeout=FENCE_TIMEOUT):
        """Receives at all raw ports until `until()`."""
        deadline = time.monotonic() + timeout
        sockets = {peer.sock: peer for peer in self.peers.values()
                   if peer.sock}
        while not until():
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"not within {timeout} s: {what}")
            poll = select.poll()
            by_fd = {}
            for sock, peer in sockets.items():
                poll.register(sock, select.POLLIN)
                by_fd[sock.fileno()] = peer
            for fd, _ in poll.poll(min(left, 0.5) * 1000):
                by_fd[fd].collect()

    def _mark(self, sender, vid, receivers, what):
        mark = marker(sender.mac)
        key = mark[14:14 + len(MARK) + 4]
        sender.send(mark.tagged(vid) if vid else mark)
        self.pump(lambda: all(key in peer.markers for peer in receivers),
                  Missing(what, receivers, key))

    def fence(self, port):
        """Returns when the switch is done with all that port has sent."""
        peer = self.peers[port]
        monitor = self.monitor(peer.bridge)
        if peer is monitor:
            return
        for _ in range(2):
            self._mark(peer, peer.fence_vid, [monitor],
                       f"a fence from {port} reaches {monitor.name}")

    def probe(self, but=()):
        """Returns when each raw port has all that was sent to it before."""
        vids = {}
        for peer in self.peers.values():
            monitor = self.peers.get(self.monitor_name(peer.bridge))
            if monitor and peer is not monitor and peer.name not in but:
                vids.setdefault((monitor.name, peer.probe_vid), []).append(
                    peer)
        for (name, vid), receivers in vids.items():
            self._mark(self.peers[name], vid, receivers,
                       f"a probe of VLAN {vid} from {name}")

    def mark(self, port, receivers, vid=0):
        """Returns when the receivers have a marker that port sends, and so
        all that was on its way to them before."""
        self._mark(self.peers[port], vid,
                   [self.peers[name] for name in receivers],
                   f"a marker from {port}")

    def settle(self, senders, but=()):
        for name in senders:
            self.fence(name)
        self.probe(but)

    def forget(self):
        """Drops what has arrived so far."""
        for peer in self.peers.values():
            if peer.sock:
                peer.collect()
            peer.received.clear()

    def check(self, sent, expected, but=(), with_monitor=False,
              ordered=True):
        """
        Sends (port, frame) pairs and compares what arrives at every raw port
        with expected, {port: [frames]}; a port that is not named must get
        nothing. Frames of one sender must come in order. The monitors' copies
        are compared only if with_monitor. Open vSwitch may reorder on the way
        through its slow path, and is not blamed for it.
        """
        ordered = ordered and self.options.switch == "vsw"
        self.forget()
        for port, one in sent:
            self.send(port, one)
        senders = list(dict.fromkeys(port for port, _ in sent))
        self.settle([s for s in senders if s not in but], but)
        self.compare(expected, ordered=ordered and len(senders) == 1,
                     with_monitor=with_monitor)

    def compare(self, expected, ordered=True, with_monitor=False):
        unknown = set(expected) - set(self.peers)
        assert not unknown, f"no such port: {unknown}"
        problems = []
        for name, peer in self.peers.items():
            if name == self.monitor_name(peer.bridge) and not with_monitor:
                continue
            problems += differences(name, list(expected.get(name, [])),
                                    list(peer.received), ordered,
                                    self.overtakes)
        assert not problems, "\n".join(problems)

    # The end.

    def stop(self):
        """Ends the switch and checks that it left nothing behind."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        self.switch.stop()
        self.switch.check_logs()
        for other in self.others:
            other.stop()
        left = set(self.sw_ns.devices()) - self.kept_devices
        if self.options.switch == "vsw":
            assert not left, f"devices left behind: {sorted(left)}"

    def abandon(self):
        """After a failure: ends everything, checks nothing."""
        for process in [*self.processes, self.switch.process,
                        *(other.process for other in self.others)]:
            if process is not None and process.poll() is None:
                with contextlib.suppress(Exception):
                    process.send_signal(signal.SIGKILL)
                    process.wait(5)


class Missing:
    """Says, when it is printed, where a marker has not arrived."""

    def __init__(self, what, receivers, key):
        self.what, self.receivers, self.key = what, receivers, key

    def __str__(self):
        missing = [p.name for p in self.receivers if self.key not in p.markers]
        return f"{self.what}; missing at {', '.join(missing)}"


def by_flow(frames):
    """Those that must keep their order among themselves: 802.1Q-2018 8.6.6."""
    flows = {}
    for one in frames:
        tags = one.tags()
        flows.setdefault((one[:12], tags[0][1] if tags else 0), []).append(one)
    return flows


def differences(name, wanted, got, ordered, overtakes=False):
    """What is wrong with what a port got, as lines for a person; overtakes: a
    flow's frames may overtake another's."""
    missing, extra, got_all = list(wanted), [], got
    for one in got:
        if one in missing:
            missing.remove(one)
        else:
            extra.append(one)
    if missing:
        yield f"{name} did not get {show(missing)}"
    if extra:
        yield f"{name} got what it must not: {show(extra)}"
    if overtakes:
        wanted, got = by_flow(wanted), by_flow(got)
    if ordered and not missing and not extra and wanted != got:
        yield f"{name} got in the wrong order: {show(got_all)}"


def show(frames):
    if len(frames) > 12:
        return f"{len(frames)} frames: {show(frames[:6])} ..."
    return ", ".join(map(str, frames)) if frames else "nothing"
