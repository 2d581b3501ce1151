#!/usr/bin/python3
"""make bench: measures vswd beside the kernel's bridge and Open vSwitch, guest
to guest beside Open vSwitch on DPDK, the speed of copies that bounds it, the
pipeline's instructions, the FDB, the control side, bonds and address
translation; prints tables and writes build/bench.json. Absolute figures are this machine's; look at the ratios."""

import argparse
import json
import os
import subprocess
import sys

import bond
import control
import nat
import side_by_side
import vhost
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
                                           "bond", "nat"])
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
