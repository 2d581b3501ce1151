"""FRR's zebra and bgpd in a namespace, with EVPN, and their ends.

Each instance has its sockets, pid files and configuration in a directory of
its own; the system's service is not touched.
"""
import json
import os
import shutil
import signal
import subprocess

from .netns import kill_pid, wait_until

PROGRAMS = "/usr/lib/frr"
AS = 65000

CONFIGURATION = """\
hostname {name}
router bgp {AS}
 bgp router-id {local}
 no bgp default ipv4-unicast
 timers bgp 1 3
{neighbors}
 address-family l2vpn evpn
{activated}
  advertise-all-vni
 exit-address-family
"""


def configuration(name, local, peers):
    neighbors = "\n".join(
        f" neighbor {peer} remote-as {AS}\n"
        f" neighbor {peer} timers connect 1\n"
        f" neighbor {peer} advertisement-interval 0" for peer in peers)
    activated = "\n".join(f"  neighbor {peer} activate" for peer in peers)
    return CONFIGURATION.format(name=name, local=local, AS=AS,
                                neighbors=neighbors, activated=activated)


class Frr:
    """zebra and bgpd of one host (a Namespace)."""

    def __init__(self, namespace, directory, local, peers, zebra=()):
        self.ns = namespace
        self.directory = directory
        self.zebra_options = zebra
        self.processes = {}
        self.processes_of = []  # ends what is left there
        os.makedirs(directory)
        # Both programs leave root's account for this one.
        shutil.chown(directory, "frr", "frr")
        with open(self.path("frr.conf"), "w", encoding="ascii") as file:
            file.write(configuration(os.path.basename(directory), local,
                                     peers))

    def path(self, name):
        return os.path.join(self.directory, name)

    def start(self):
        self.start_one("zebra")
        self.start_one("bgpd")

    def start_one(self, program):
        own = self.zebra_options if program == "zebra" else ()
        with open(self.path(program + ".out"), "ab") as out:
            self.processes[program] = self.ns.popen(
                os.path.join(PROGRAMS, program),
                "-f", self.path("frr.conf"), "-z", self.path("zserv.api"),
                "-i", self.path(program + ".pid"), "-P", "0",
                "--vty_socket", self.directory,
                "--log", f"file:{self.path(program + '.log')}", *own,
                stdout=out, stderr=subprocess.STDOUT)
        self.processes_of.append(self.processes[program])
        wait_until(lambda: os.path.exists(self.path(program + ".vty")) and
                   self.vtysh_of(program, "show version") is not None,
                   lambda: f"{program}'s start: {self.output(program)}")

    def output(self, program):
        with open(self.path(program + ".out"), encoding="utf-8",
                  errors="replace") as file:
            return file.read()

    def end_one(self, program, sig=signal.SIGTERM):
        process = self.processes.pop(program)
        process.send_signal(sig)
        process.wait(20)
        # One that was killed leaves them.
        for name in (program + ".vty", program + ".pid"):
            if os.path.lexists(self.path(name)):
                os.unlink(self.path(name))

    def stop(self):
        for program in reversed(list(self.processes)):
            process = self.processes.pop(program)
            kill_pid(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)

    def vtysh_of(self, program, command):
        result = subprocess.run(
            self.ns.argv(["vtysh", "--vty_socket", self.directory, "-d",
                          program, "-c", command]),
            capture_output=True, text=True, timeout=20,
            stdin=subprocess.DEVNULL)
        return result.stdout if result.returncode == 0 else None

    def json(self, program, command):
        text = self.vtysh_of(program, command + " json")
        try:
            return json.loads(text) if text else None
        except json.JSONDecodeError:
            return None

    def established(self):
        summary = self.json("bgpd", "show bgp l2vpn evpn summary") or {}
        peers = summary.get("peers", {})
        return peers and all(peer.get("state") == "Established"
                             for peer in peers.values())

    def wait_established(self):
        wait_until(self.established, "BGP sessions", interval=0.05)

    def macs(self, vni):
        """zebra's MACs of the VNI: {mac: {"type": "local" | "remote", ...}}"""
        answer = self.json("zebra", f"show evpn mac vni {vni}") or {}
        return answer.get("macs", {})

    def neighbors(self, vni):
        answer = self.json("zebra", f"show evpn arp-cache vni {vni}") or {}
        return {ip: entry for ip, entry in answer.items()
                if isinstance(entry, dict)}

    def is_local(self, vni, mac):
        return self.macs(vni).get(mac, {}).get("type") == "local"

    def is_remote(self, vni, mac, vtep=None):
        entry = self.macs(vni).get(mac, {})
        return entry.get("type") == "remote" and \
            vtep in (None, entry.get("remoteVtep"))


def installed():
    return os.path.exists(os.path.join(PROGRAMS, "zebra")) and \
        shutil.which("vtysh") is not None
