#!/usr/bin/python3
"""make bench: measures vswd beside the kernel's bridge and Open vSwitch, the
pipeline's instructions, the FDB and the control side; prints tables and writes
build/bench.json. Absolute figures are this machine's; look at the ratios."""

import argparse
import json
import os
import subprocess
import sys

import control
import side_by_side
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
    parser.add_argument("--only", choices=["traffic", "instructions", "fdb",
                                           "control"])
    args = parser.parse_args()
    parts = [
        ("traffic", lambda: side_by_side.measure(args.rounds),
         side_by_side.report),
        ("instructions", instructions, report_instructions),
        ("fdb", fdb, report_fdb),
        ("control", control.measure, control.report),
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
