"""Hosts of an EVPN fabric: each a namespace with FRR and a VTEP, which is vswd
or the kernel's vxlan device. VTEPs are 192.0.2.NUMBER; machines 10.0.0.x.
"""
import os

from . import frr
from .frame import mac_bytes
from .lab import Host
from .netns import Namespace, ip_batch, receive, wait_until
from .switch import KINDS

VNI = 100


def vtep(number):
    return f"192.0.2.{number}"


class Site:
    """One host of the fabric."""

    def __init__(self, fabric, number, space):
        self.fabric = fabric
        self.number = number
        self.space = space
        self.frr = None
        ip_batch([f"link add ul netns {space.name} type veth peer name "
                  f"u{number} netns {fabric.wire.name}"])
        ip_batch([f"addr add {vtep(number)}/24 dev ul", "link set ul up"],
                 space.name)
        ip_batch([f"link set u{number} master wire up"], fabric.wire.name)

    def start_frr(self, peers, zebra=()):
        lab = self.fabric.lab
        self.frr = frr.Frr(self.space,
                           os.path.join(lab.directory, f"frr{self.number}"),
                           vtep(self.number), peers, zebra)
        self.frr.processes_of = lab.processes
        self.frr.start()

    def fdb(self, device):
        return self.space.run("bridge", "fdb", "show", "dev", device).stdout


class SwitchSite(Site):
    """vswd; a bridge br0 with the VXLAN port vx0."""

    def __init__(self, fabric, number, switch, **options):
        super().__init__(fabric, number, switch.namespace)
        self.switch = switch
        self.options = options
        switch.start()
        switch.add_bridge("br0")

    @property
    def frr_dir(self):
        return os.path.join(self.fabric.lab.directory, f"frr{self.number}")

    def add_overlay(self, check=True):
        options = {"remote_ip": "flow", "local_ip": vtep(self.number),
                   "key": VNI, "evpn": "true", "evpn-frr-dir": self.frr_dir,
                   **self.options}
        options = {key: value for key, value in options.items() if value}
        self.switch.ctl("add-port", "br0", "vx0", "--", "set", "Interface",
                        "vx0", "type=vxlan",
                        *(f"options:{key}={value}"
                          for key, value in options.items()),
                        check=check)

    def host(self, name, address, **columns):
        return self.fabric.lab.host(name, address, mtu=1450,
                                    switch=self.switch, **columns)

    def shown(self):
        return self.switch.command("vtep/show", "vx0")[0]

    def evpn(self):
        return self.shown()["evpn"]

    def network(self):
        return self.evpn()["networks"][0]

    def vteps(self):
        return {r["address"] for r in self.shown()["remotes"]}

    def frr_state(self):
        return self.evpn()["frr"]

    def entry(self, mac):
        rows = [row for row in self.switch.command("fdb/show", "br0")
                if row["mac"] == mac]
        return rows[0] if rows else {}

    def remote_vtep(self, mac):
        """Behind which VTEP the FDB has it, or None."""
        return self.entry(mac).get("vtep")

    def is_controlled(self, mac):
        return bool(self.entry(mac).get("controlled"))

    def device_fdb(self):
        """What is in the devices; None: they are not there now."""
        devices = self.space.devices()
        names = [f"vsw{VNI}-{end}" for end in ("br", "ev", "ep", "vx")]
        if not set(names) <= set(devices):
            return None
        shown = self.space.run("bridge", "fdb", "show", check=False).stdout
        return "\n".join(line for line in shown.splitlines()
                         if f"dev vsw{VNI}-" in line)

    def plug(self, name):
        self.fabric.lab.kept_devices.add(name)
        self.switch.ctl("add-port", "br0", name)

    def unplug(self, name):
        self.switch.ctl("del-port", "br0", name)


class KernelSite(Site):
    """The kernel's bridge and vxlan device, as FRR's users have them."""

    def __init__(self, fabric, number):
        super().__init__(fabric, number,
                         Namespace(f"{fabric.lab.prefix}k{number}"))
        ip_batch(["link add br100 type bridge forward_delay 0",
                  f"link add vxlan100 type vxlan id {VNI} local "
                  f"{vtep(number)} dstport 4789 nolearning",
                  "link set vxlan100 master br100",
                  "link set vxlan100 type bridge_slave learning off "
                  "neigh_suppress on",
                  "link set br100 up", "link set vxlan100 up"],
                 self.space.name)

    def plug(self, name):
        self.space.ip("link", "set", name, "master", "br100")

    def unplug(self, name):
        self.space.ip("link", "set", name, "nomaster")

    def host(self, name, address):
        lab = self.fabric.lab
        space = Namespace(lab.prefix + name)
        ip_batch([f"link add {name} mtu 1450 netns {self.space.name} type "
                  f"veth peer name eth0 mtu 1450 netns {space.name}"])
        ip_batch([f"link set {name} master br100 up"], self.space.name)
        ip_batch(["link set eth0 up", f"addr add {address} dev eth0"],
                 space.name)
        host = lab.hosts[name] = Host(space, [address])
        return host

    def remote_vtep(self, mac):
        for line in self.fdb("vxlan100").splitlines():
            if line.startswith(mac) and " dst " in line:
                return line.split(" dst ")[1].split()[0]
        return None


class Card:
    """A card of a machine, plugged in at a site; a machine that moves has one
    at each, all with one address, and speaks by one at a time."""

    def __init__(self, site, space, mac, ip):
        self.site = site
        self.mac = mac_bytes(mac)
        self.ip = bytes(map(int, ip.split(".")))
        self.name = f"card{site.number}"
        ip_batch([f"link add {self.name} netns {site.space.name} type veth "
                  f"peer name {self.name} netns {space.name}"])
        ip_batch([f"link set {self.name} up"], site.space.name)
        ip_batch([f"link set {self.name} arp off address {mac} up"],
                 space.name)
        self.sock = space.packet_socket(self.name)
        site.plug(self.name)

    def announce(self):
        """A gratuitous ARP, as a machine sends when it has moved."""
        self.sock.send(b"\xff" * 6 + self.mac + b"\x08\x06" +
                       b"\0\1\x08\0\6\4\0\1" + self.mac + self.ip +
                       b"\0" * 6 + self.ip + bytes(18))

    def speak(self):
        """Any other frame."""
        self.sock.send(b"\xff" * 6 + self.mac + b"\x88\xb5" + bytes(46))

    def heard(self, text):
        """Whether a frame for the machine has come that has that in it."""
        found = False
        while (frame := receive(self.sock)) is not None:
            found |= frame[:6] == self.mac and text in frame
        return found


class Fabric:
    def __init__(self, lab):
        self.lab = lab
        self.wire = Namespace(lab.prefix + "wire")
        ip_batch(["link add wire type bridge", "link set wire up"],
                 self.wire.name)
        self.sites = []
        lab.kept_devices.add("ul")

    def add_switch(self, **options):
        number = len(self.sites) + 1
        switch = self.lab.switch
        if self.sites:
            space = Namespace(f"{self.lab.prefix}sw{number}")
            switch = KINDS["vsw"](
                space, os.path.join(self.lab.directory, f"run{number}"),
                self.lab.options)
            self.lab.others.append(switch)
        site = SwitchSite(self, number, switch, **options)
        self.sites.append(site)
        return site

    def add_kernel(self):
        site = KernelSite(self, len(self.sites) + 1)
        self.sites.append(site)
        return site

    def start(self, zebra=()):
        """FRR everywhere, all of them each other's peers."""
        for site in self.sites:
            site.start_frr([vtep(other.number) for other in self.sites
                            if other is not site], zebra)
        for site in self.sites:
            if isinstance(site, SwitchSite):
                site.add_overlay()
        for site in self.sites:
            site.frr.wait_established()
        return self

    def wait_known(self, mac, owner):
        """Each site knows by FRR that the MAC is at that one."""
        for site in self.sites:
            if site is owner:
                wait_until(lambda s=site: s.frr.is_local(VNI, mac),
                           f"{mac} is local at {site.number}")
            else:
                wait_until(
                    lambda s=site: s.frr.is_remote(VNI, mac,
                                                   vtep(owner.number)) and
                    s.remote_vtep(mac) == vtep(owner.number),
                    lambda s=site: f"{mac} at {owner.number}, says "
                    f"{s.number}: {s.remote_vtep(mac)}, "
                    f"{s.frr.macs(VNI).get(mac)}")

    def wait_unknown(self, mac, *sites):
        for site in sites:
            wait_until(lambda s=site: s.remote_vtep(mac) is None,
                       f"{mac} is gone at {site.number}")

    def wait_flood_lists(self):
        for site in self.sites:
            others = {vtep(other.number) for other in self.sites
                      if other is not site}
            if isinstance(site, SwitchSite):
                wait_until(lambda s=site, o=others: s.vteps() == o,
                           lambda s=site: f"VTEPs of {s.number}: "
                           f"{s.vteps()}, {s.evpn()}")
            else:
                wait_until(lambda s=site, o=others: all(
                    f"00:00:00:00:00:00 dst {ip}" in s.fdb("vxlan100")
                    for ip in o), f"flood list of {site.number}")
