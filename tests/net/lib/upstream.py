"""What the uplinks of the switch under test lead to: an Open vSwitch of its own
in a namespace of its own, cables to it, and stations at both; what it and the
switch under test say of their bonds.
"""
import os
import re

from .lab import Peer
from .netns import Namespace, ip_batch, wait_until
from .switch import Ovs, column_arguments


class Upstream(Ovs):
    """Ends with the lab. Its bridges forward without LACP or STP of their
    own."""

    def __init__(self, lab, name="up"):
        directory = os.path.join(lab.directory, name)
        super().__init__(Namespace(lab.prefix + name), directory, lab.options)
        self.lab = lab
        lab.others.append(self)

    def begin(self, *bridges):
        self.start()
        # It learns again from flows that it has cached, old ones, too: when a
        # station comes back to a member within 10 s, not before this (ms).
        self.ctl("set", "Open_vSwitch", ".",
                 "other_config:max-revalidator=100")
        for bridge in bridges or ("br0",):
            self.add_bridge(bridge)
        return self

    def join(self, cuts, one, two):
        """A bridge `cuts` that is a wire between two devices, for link-local
        frames, too, until cut_wire(): no carrier tells of that."""
        self.ctl("add-br", cuts, "--", "set", "Bridge", cuts,
                 "datapath_type=netdev", "fail_mode=secure", "--",
                 "add-port", cuts, one, "--", "add-port", cuts, two)
        self.mend_wire(cuts, one, two)

    def mend_wire(self, cuts, one, two):
        self.flows(cuts, f"in_port={one},actions=output:{two}",
                   f"in_port={two},actions=output:{one}")

    def cut_wire(self, cuts):
        self.flows(cuts)

    def flows(self, bridge, *flows):
        """Exactly these; none: all is dropped."""
        path = self.path(bridge + ".flows")
        with open(path, "w", encoding="ascii") as file:
            file.write("".join(flow + "\n" for flow in flows))
        self.namespace.run("ovs-ofctl", "replace-flows",
                           f"unix:{self.path(bridge + '.mgmt')}", path)


def cables(lab, upstream, *names):
    """veth pairs: each name is a device of the switch and one upstream."""
    ours, theirs = lab.sw_ns.name, upstream.namespace.name
    ip_batch([f"link add name {name} netns {ours} type veth peer name {name} "
              f"netns {theirs}" for name in names])
    for space in (ours, theirs):
        ip_batch([f"link set {name} up" for name in names], space)
    lab.kept_devices |= set(names)


def stations(lab, switch, ports, bridge="br0"):
    """
    Raw ports like Lab.ports(), without a monitor, of any switch:
    {name: columns}; each may have `bridge` of its own.
    """
    there, far = switch.namespace.name, lab.far_ns.name
    ip_batch([f"link add name {name} netns {there} type veth peer name {name} "
              f"netns {far}" for name in ports])
    ip_batch([f"link set {name} up" for name in ports], there)
    ip_batch([f"link set {name} arp off up" for name in ports], far)
    command = []
    for name, columns in ports.items():
        columns = dict(columns)
        at = columns.pop("bridge", bridge)
        command += ["--", "add-port", at, name, *column_arguments(columns)]
        lab.peers[name] = Peer(len(lab.peers) + 1, name, at, columns)
        lab.listen(name)
    if switch is lab.switch:
        lab.kept_devices |= set(ports)
    switch.ctl(*command[1:])


def pull(upstream, *devices):
    """As a hand pulls a cable: both ends lose their carrier."""
    ip_batch([f"link set {device} down" for device in devices],
             upstream.namespace.name)


def plug(upstream, *devices):
    ip_batch([f"link set {device} up" for device in devices],
             upstream.namespace.name)


def bond_arguments(bridge, bond, members, **columns):
    """Of add-bond; `interfaces` are columns of members by name."""
    interfaces = columns.pop("interfaces", {})
    argv = ["add-bond", bridge, bond, *members, *column_arguments(columns)]
    for name, settings in interfaces.items():
        argv += ["--", "set", "Interface", name, *column_arguments(settings)]
    return argv


def add_bond(switch, bridge, bond, members, **columns):
    switch.ctl(*bond_arguments(bridge, bond, members, **columns))


# What a switch says.

class Member(dict):
    """`state` is what stands behind its name; else by the text before ':'."""


def sections(text, heading):
    """{member: Member} of the lines from those that match heading on, and what
    stands before the first as None."""
    found = {None: Member()}
    current = found[None]
    for line in text.splitlines():
        match = re.match(heading, line)
        if match:
            current = found[match.group(1)] = Member(state=match.group(2),
                                                     active=False)
        elif line.strip() in ("active member", "active slave"):
            current["active"] = True
        elif ":" in line:
            key, _, value = line.partition(":")
            current[key.strip()] = value.strip()
    return found


def bond_show(switch, bond):
    return sections(switch.app("bond/show", bond),
                    r"(?:member|slave) (\S+): (\S+)")


def lacp_show(switch, bond):
    return sections(switch.app("lacp/show", bond),
                    r"(?:member|slave): (\S+): (.*)")


def lacp_show_all(switch):
    """{bond: as lacp_show()}"""
    parts = re.split(r"^---- (\S+) ----$", switch.app("lacp/show"),
                     flags=re.M)
    return {name: sections(text, r"(?:member|slave): (\S+): (.*)")
            for name, text in zip(parts[1::2], parts[2::2])}


def enabled(switch, bond):
    return {name for name, member in bond_show(switch, bond).items()
            if name and member["state"] == "enabled"}


def active(switch, bond):
    """The active member's name, or None."""
    for name, member in bond_show(switch, bond).items():
        if name and member["active"]:
            return name
    return None


def wait_enabled(switch, bond, members, timeout=20):
    """Until these, and no others, are."""
    wait_until(lambda: enabled(switch, bond) == set(members),
               lambda: f"{', '.join(members) or 'nothing'} of {bond} enabled:\n"
               + switch.app("bond/show", bond), timeout, interval=0.05)


def wait_active(switch, bond, member, timeout=20):
    wait_until(lambda: active(switch, bond) == member,
               lambda: f"{member} is active:\n" + switch.app("bond/show", bond),
               timeout)


def wait_lacp(switch, bond, condition, what, timeout=20):
    """Until the condition holds for lacp_show(); returns that."""
    def holds():
        shown = lacp_show(switch, bond)
        return shown if condition(shown) else None
    return wait_until(holds, lambda: f"{what}:\n" +
                      switch.app("lacp/show", bond), timeout, interval=0.05)


def is_negotiated(shown, members=2):
    """Of lacp_show(): all members carry traffic."""
    ours = [m for name, m in shown.items() if name]
    return "negotiated" in shown[None].get("status", "") and \
        len(ours) == members and \
        all(m["state"].startswith("current attached") and
            "distributing" in m["actor state"] and
            "distributing" in m["partner state"] for m in ours)


def wait_negotiated(*bonds, timeout=20):
    """bonds: (switch, name) pairs."""
    for switch, bond in bonds:
        wait_lacp(switch, bond, is_negotiated, f"{bond} is negotiated",
                  timeout)
