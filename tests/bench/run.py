#!/usr/bin/python3
"""make bench: measures vswd beside the kernel's bridge and Open vSwitch, guest
to guest beside Open vSwitch on DPDK, the speed of copies that bounds it, the
pipeline's instructions, the FDB, the control side, bonds, address translation,
VXLAN beside the kernel and Open vSwitch, policies of ports, a large EVPN fabric,
what vsw-vmm costs beside its guest, and the kernel's fast path; prints tables and writes build/bench.json. Absolute
figures are this machine's; look at the ratios."""

import argparse
import json
import os
import subprocess
import sys

import bond
import control
import fastpath
import nat
import policy
import side_by_side
import vhost
import vmm
import vxlan
from lab import BUILD, ROOT


def fdb():
    out = subprocess.run([BUILD + "/bench/bench_fdb"], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    return [json.loads(line) for line in out.splitlines()
            if line.startswith("{")]


def report_fdb(rows):
    print("\n%-24s %12s %12s" % ("FDB addresses", "lookups M/s", "learns M/s"))
    for row in rows:
        print("%-24d %12.1f %12.1f" % (row["addresses"],
                                       row["lookups_per_s"] / 1e6,
                                       row["learns_per_s"] / 1e6))


def fabric():
    out = subprocess.run([BUILD + "/bench/bench_fabric"], check=True,
                         text=True, stdout=subprocess.PIPE).stdout
    return json.loads(out)


FABRIC = [
    ("memory (RSS), MB", "rss_mb", "%.0f"),
    ("  a remote MAC more, bytes", "bytes_per_mac", "%.0f"),
    ("  a remote VTEP more, bytes", "bytes_per_vtep", "%.0f"),
    ("  a VNI more, bytes", "bytes_per_vni", "%.0f"),
    ("  a VTEP in a flood list more, bytes", "bytes_per_flood", "%.0f"),
    ("all of it is taken in, s", "take_in_s", "%.2f"),
    ("  netlink messages", "messages", "%d"),
    ("a snapshot's tunnel is built, ms", "publish_ms", "%.1f"),
    ("one VTEP is withdrawn, ms", "one_ms", "%.1f"),
    ("half of the fabric is withdrawn, ms", "half_ms", "%.0f"),
    ("  and comes back, ms", "half_back_ms", "%.0f"),
    ("random destinations looked up, M/s", "lookup_mpps", "%.1f"),
    ("  and encapsulated, M/s", "encap_mpps", "%.1f"),
    ("decapsulated, sender checked, M/s", "decap_mpps", "%.1f"),
]


def report_fabric(result):
    print("\nEVPN fabric: %(vteps)d VTEPs, %(vnis)d VNIs at %(spread)d VTEPs "
          "each, %(macs)d remote MACs" % result)
    for title, key, form in FABRIC:
        print("%-40s %12s" % (title, form % result[key]))


def copy():
    out = subprocess.run([BUILD + "/bench/bench_copy"], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    return json.loads(out)


def report_copy(result):
    print("\n%-24s %10s %12s %12s" % ("copies, bytes from", "size",
                                     "one, ns", "two, ns"))
    for row in result["copies"]:
        print("%-24s %10d %12.1f %12.1f" % (row["from"], row["bytes"],
                                            row["one_ns"], row["two_ns"]))
    print("a cache line from core to core: %.0f ns"
          % result["line_transfer_ns"])


def instructions():
    out = subprocess.run([ROOT + "/tests/bench/instructions"], text=True,
                         stdout=subprocess.PIPE).stdout
    rows = {}
    for line in out.splitlines()[1:]:
        words = line.split()
        if len(words) == 3:
            rows[words[0]] = float(words[1])
    return rows


def report_instructions(rows):
    print("\ninstructions per 64-byte packet, bursts of 32, from the "
          "pipeline's entry to the transmit call")
    for name, figure in rows.items():
        print("%-24s %9.1f" % (name, figure))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["traffic", "vhost", "copy",
                                           "instructions", "fdb", "control",
                                           "bond", "nat", "vxlan",
                                           "policy", "fabric", "vmm",
                                           "fastpath"])
    args = parser.parse_args()
    parts = [
        ("traffic", lambda: side_by_side.measure(args.rounds),
         side_by_side.report),
        ("copy", copy, report_copy),
        ("vhost", lambda: vhost.measure(args.rounds), vhost.report),
        ("instructions", instructions, report_instructions),
        ("fdb", fdb, report_fdb),
        ("control", control.measure, control.report),
        ("bond", bond.measure, bond.report),
        ("nat", lambda: nat.measure(args.rounds), nat.report),
        ("vxlan", lambda: vxlan.measure(args.rounds), vxlan.report),
        ("policy", lambda: policy.measure(args.rounds), policy.report),
        ("fabric", fabric, report_fabric),
        ("vmm", vmm.measure, vmm.report),
        ("fastpath", lambda: fastpath.measure(args.rounds), fastpath.report),
    ]
    result = {}
    for name, measure, report in parts:
        if args.only in (None, name):
            result[name] = measure()
            report(result[name])
            sys.stdout.flush()
    path = os.path.join(BUILD, "bench.json")
    with open(path, "w") as file:
        json.dump(result, file, indent=1)
    print("\nwritten to " + os.path.relpath(path, ROOT))


if __name__ == "__main__":
    main()
