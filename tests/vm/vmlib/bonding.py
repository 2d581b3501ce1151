"""The kernel's bonding driver in a guest, told what to do and read."""
import re

from lib.netns import wait_until


class Bonding:
    """bond0 of the guest, of its cards eth0 and eth1."""

    def __init__(self, guest, cards=("eth0", "eth1")):
        self.guest = guest
        self.cards = cards
        guest.run("modprobe bonding max_bonds=0")

    def make(self, mode, address, **options):
        """Another one than there was; options as of `ip link`."""
        words = " ".join(f"{key} {value}" for key, value in options.items())
        # busybox has an ip of its own, which ignores a bond's options
        ip = "/usr/bin/ip"
        lines = [f"{ip} link del bond0 2>/dev/null",
                 f"{ip} link add bond0 type bond mode {mode} miimon 50 {words}"]
        for card in self.cards:
            # 802.3ad aggregates nothing of unknown speed
            lines += [f"ethtool -s {card} speed 10000 duplex full",
                      f"ip link set {card} down",
                      f"ip link set {card} master bond0"]
        lines += ["ip link set bond0 up", f"ip addr add {address} dev bond0"]
        self.guest.run("; ".join(lines))
        return self

    def text(self):
        return self.guest.run("cat /proc/net/bonding/bond0")

    def read(self):
        """({key: value} of the bond, the same of each card by its name)."""
        head, *parts = re.split(r"^Slave Interface: ", self.text(),
                                flags=re.M)
        return fields(head), {part.split("\n", 1)[0].strip(): fields(part)
                              for part in parts}

    def wait(self, condition, what, timeout=20):
        """Until the condition holds of read()'s two; returns them."""
        def holds():
            both = self.read()
            return both if condition(*both) else None
        return wait_until(holds, lambda: f"{what}:\n{self.text()}", timeout,
                          interval=0.2)

    def wait_aggregated(self, partner, timeout=20):
        """All cards are in one aggregator with this partner, in full use."""
        def aggregated(bond, cards):
            return bond.get("Number of ports") == str(len(self.cards)) and \
                bond.get("Partner Mac Address") == partner and \
                len({c["Aggregator ID"] for c in cards.values()}) == 1 and \
                all(c["MII Status"] == "up" and
                    int(c["actor.port state"]) & 0x3c == 0x3c and
                    int(c["partner.port state"]) & 0x3c == 0x3c
                    for c in cards.values())
        return self.wait(aggregated, f"aggregated with {partner}", timeout)

    def wait_ports(self, count, timeout=20):
        return self.wait(lambda bond, _: bond.get("Number of ports") ==
                         str(count), f"{count} ports in the aggregator",
                         timeout)

    def wait_active(self, card):
        return self.wait(lambda bond, _: bond.get("Currently Active Slave") ==
                         card, f"{card} is active")

    def sent(self):
        """Packets by card."""
        return {card: int(self.guest.run(
            f"cat /sys/class/net/{card}/statistics/tx_packets"))
            for card in self.cards}

    def received(self):
        return {card: int(self.guest.run(
            f"cat /sys/class/net/{card}/statistics/rx_packets"))
            for card in self.cards}


def fields(text):
    """The keys below 'details actor' get that word before them."""
    found, part = {}, ""
    for line in text.splitlines():
        if line.startswith("details "):
            part = line.split()[1] + "."
        elif ":" in line:
            key, _, value = line.strip().partition(":")
            found[part + key.strip()] = value.strip()
    return found
