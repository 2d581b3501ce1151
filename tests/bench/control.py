"""What the control side costs: adding a port to a bridge that has many, an
idle switch with 100 ports, and memory."""

import os
import statistics
import time

from lab import BUILD, Lab, Ovs, Vsw, run

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    fields = open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def resident_mb(pid):
    for line in open("/proc/%d/status" % pid):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS of process %d" % pid)


def fill(switch, bridge, have, want, kind):
    """Adds ports, many in a transaction, until there are `want`."""
    while have < want:
        args = []
        for i in range(have, min(want, have + 50)):
            name = "p%d" % i
            args += ["--", "add-port", bridge, name, "--", "set", "interface",
                     name, "type=" + kind]
        switch.ctl(*args[1:])
        have = min(want, have + 50)
    return have


def add_port_ms(switch, bridge, kind, times=15):
    """Median time from start to end of the command that adds one port."""
    values = []
    for i in range(times):
        start = time.monotonic()
        switch.ctl("add-port", bridge, "extra%d" % i, "--", "set",
                   "interface", "extra%d" % i, "type=" + kind)
        values.append((time.monotonic() - start) * 1000)
    for i in range(times):
        switch.ctl("del-port", bridge, "extra%d" % i)
    return statistics.median(values)


def idle_percent(pid, seconds):
    before = cpu_seconds(pid)
    time.sleep(seconds)
    return (cpu_seconds(pid) - before) / seconds * 100


def spawn_floor_ms():
    """What starting and ending any small process takes here."""
    values = []
    for _ in range(30):
        start = time.monotonic()
        run("/bin/true")
        values.append((time.monotonic() - start) * 1000)
    return statistics.median(values)


def measure(counts=(10, 100, 1000), idle_seconds=10):
    result = {"spawn_ms": spawn_floor_ms(), "add_port_ms": {}, "idle": {}}
    with Lab(switches=(Vsw, Ovs), hosts=0) as lab:
        for switch in lab.switches:
            bridge = "br-" + switch.name
            pid = switch.process.pid
            have, times = 0, {}
            for count in counts:
                have = fill(switch, bridge, have, count, "internal")
                times[count] = add_port_ms(switch, bridge, "internal")
                if count == 100:
                    time.sleep(1)
                    result["idle"][switch.name] = {
                        "cpu_percent": idle_percent(pid, idle_seconds),
                        "resident_mb": resident_mb(pid)}
            result["add_port_ms"][switch.name] = times
    return result


def report(result):
    print("\nadd-port, from its start to its return, ms "
          "(an empty process: %.1f)" % result["spawn_ms"])
    print("%-24s %9s %9s" % ("ports there already", "vsw", "ovs"))
    vsw, ovs = (result["add_port_ms"][s] for s in ("vsw", "ovs"))
    for count in vsw:
        print("%-24s %9.1f %9.1f" % (count, vsw[count], ovs[count]))
    print("\n100 ports, idle")
    for key, title in (("cpu_percent", "CPU, %"),
                       ("resident_mb", "resident memory, MB")):
        print("%-24s %9.2f %9.2f" % (title, result["idle"]["vsw"][key],
                                     result["idle"]["ovs"][key]))
