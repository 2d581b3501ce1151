"""Programs of tests/support/dpdk, made when a test wants one."""
import fcntl
import os

from . import netns
from .switch import ROOT

FOLDER = os.path.join(ROOT, "build", "dpdk-tools")


def tool(name):
    """Its path; None where DPDK's libraries are not installed. Always of the
    plain build: only the switch is under test."""
    if netns.run(["pkg-config", "--exists", "libdpdk"],
                 check=False).returncode:
        return None
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, ".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        netns.run(["make", "-s", "-C", ROOT, "SAN=", "DPDK=",
                   f"build/dpdk-tools/{name}"], timeout=120)
    return os.path.join(FOLDER, name)
