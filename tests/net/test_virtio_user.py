"""Every way in which DPDK's driver of virtio-user uses the rings: millions of
frames between two such cards, each compared with what was sent.

The drivers of QEMU's guests use rings in one way of these; a guest that runs
DPDK is free to take any other. No hugepages are needed.
"""
import itertools
import os

from lib import netns
from lib.dpdk_tools import tool
from lib.switch import BUILD, ROOT
from lib.testing import contains, equal, test

PLAIN = BUILD == os.path.join(ROOT, "build")
FRAMES = 2000000 if PLAIN else 100000  # sanitizers take their time
BUFFER, SMALL_BUFFER = 2048, 600  # a frame needs up to three small ones


def on(value):
    return "on" if value else "off"


def check(lab, program, ports, queues, **features):
    """One combination; the cards are gone after it."""
    size = 256 if queues > 1 else 1024
    card = f"queues={queues},queue_size={size}," + ",".join(
        f"{key}={int(value)}" for key, value in features.items())
    what = ", ".join([f"{queues} queues"] + [
        f"{key} {on(value)}" for key, value in features.items()])
    vdevs = [word for i, path in enumerate(ports) for word in
             ("--vdev", f"net_virtio_user{i},path={path},{card}")]
    buffer = SMALL_BUFFER if features["mrg_rxbuf"] else BUFFER
    result = netns.run(
        lab.sw_ns.argv([program, "--lcores", "0@(0-1)", "--no-pci",
                        "--no-huge", "-m", "192", "--single-file-segments",
                        "--no-telemetry", "--file-prefix",
                        os.path.basename(lab.directory), *vdevs, "--",
                        f"frames={FRAMES}", f"queues={queues}",
                        f"queue_size={size}", f"rx_buffer={buffer}"]),
        check=False, timeout=300)
    assert result.returncode == 0, \
        f"{what}:\n{result.stdout}{result.stderr[-3000:]}"
    contains(result.stdout, f"{FRAMES} frames", what)


def broken_or_dropped(lab, port):
    stats = lab.switch.get("Interface", port, "statistics")
    return {key: value for key, value in stats.items()
            if key in ("rx_errors", "tx_errors") and value}


def try_all(lab, packed):
    program = tool("virtio_check")
    if program is None:
        print("skipped: libdpdk-dev is not installed")
        return
    lab.start(monitor=False)
    lab.switch.set("Open_vSwitch", ".", other_config={"n-workers": 2})
    ports = [lab.switch.add_vhost("br0", f"vm{i}") for i in (0, 1)]
    names = ("mrg_rxbuf", "in_order", "vectorized")
    for queues in (1, 2):
        for values in itertools.product((False, True), repeat=len(names)):
            check(lab, program, ports, queues, packed_vq=packed,
                  **dict(zip(names, values)))
    for name in ("vm0", "vm1"):
        equal(broken_or_dropped(lab, name), {}, f"errors of {name}")


@test("split rings of DPDK, used in every way, carry all frames unchanged",
      only="vsw", timeout=600, slow=True)
def _(lab):
    try_all(lab, False)


@test("packed rings of DPDK, used in every way, carry all frames unchanged",
      only="vsw", timeout=600, slow=True)
def _(lab):
    try_all(lab, True)
