"""Monitors and the switch end without a word, while frames are under way, and
come back; a guest moves to another monitor; memory is plugged in."""
from lib.netns import wait_until
from lib.testing import equal, test
from vmlib.guest import Guest, Nic, start_all
from vmlib.stream import Echoes
from vmlib.transfer import fetch, make_data


def pair(lab, listens, **features):
    """Two guests with a port each, and a host on the same bridge."""
    lab.start(monitor=False)
    guests = []
    for i, name in enumerate(("one", "two"), 1):
        path = lab.switch.add_vhost("br0", name + "p", listens=listens)
        guests.append(Guest(lab, name,
                            Nic(i, path, server=not listens, **features)))
    host = lab.host("h1", "10.0.0.9/24")
    start_all(*guests)
    for i, guest in enumerate(guests, 1):
        guest.address("eth0", f"10.0.0.{i}/24")
    return guests, host


def traffic(source, address):
    """A stream that goes on until something ends it."""
    source.run(f"iperf3 -c {address} -t 1000 >/dev/null 2>&1 &")


def try_killed_monitor(lab, listens, **features):
    (one, two), host = pair(lab, listens, **features)
    two.serve_iperf()
    for round_ in range(2):
        traffic(one, "10.0.0.2")
        host.must_ping("10.0.0.1", count=5)
        two.kill()
        host.must_ping("10.0.0.1")
        one.run("killall iperf3; ip neigh flush dev eth0", check=False)
        two.start().wait()
        two.address("eth0", "10.0.0.2/24")
        one.must_ping("10.0.0.2")
        digest = make_data(two)
        fetch(one, two, "10.0.0.2", digest, f"after restart {round_ + 1}")
        two.serve_iperf()


@test("QEMU killed in the middle of traffic, and started again, split rings",
      only="vsw", timeout=150)
def _(lab):
    try_killed_monitor(lab, listens=True)


@test("QEMU killed that listens itself, packed rings",
      only="vsw", timeout=150)
def _(lab):
    try_killed_monitor(lab, listens=False, packed="on")


def try_killed_switch(lab, listens, **features):
    """The guests stay; their connections do, too."""
    (one, two), host = pair(lab, listens, **features)
    two.serve_iperf()
    digest = make_data(two)
    traffic(one, "10.0.0.2")
    with Echoes(host, one, "10.0.0.1") as echoes:
        for round_ in range(2):
            echoes.more()
            lab.switch.kill()
            lab.switch.start()
            one.must_ping("10.0.0.2", timeout=30)
            echoes.more(timeout=60)
    running = one.run("pidof iperf3", check=False)[0] == 0
    assert running, "iperf3's connection between the guests has ended"
    one.run("killall iperf3")
    fetch(one, two, "10.0.0.2", digest, "after the last restart")


@test("vswd killed in the middle of traffic: QEMU connects again, split rings",
      only="vsw", timeout=150)
def _(lab):
    try_killed_switch(lab, listens=True)


@test("vswd killed in the middle of traffic: it connects again, packed rings",
      only="vsw", timeout=150)
def _(lab):
    try_killed_switch(lab, listens=False, packed="on")


MIB = 1 << 20


def migrate(lab, source, target, port, left):
    """
    port: which source is on. Its dirty pages are told by the switch, too: all of
    the memory but so many bytes is sent while the guest runs.

    That is one round, and the rest is sent while the guest is stopped. False: it
    was too late for that, and the guest is at source. From the second round on QEMU before 9.0 loses what a software CPU writes (its commit
    03bfc2188f06), whatever the guest is plugged into.
    """
    def ram(what):
        return source.qmp("query-migrate").get("ram", {}).get(what, 1 << 40)

    def limit(bandwidth):
        source.qmp("migrate-set-parameters",
                   **{"max-bandwidth": bandwidth, "downtime-limit": 1})

    def sent_but(left):
        wait_until(lambda: ram("remaining") < left,
                   lambda: f"memory is sent: {source.qmp('query-migrate')}", 90)

    path = source.path("migration")
    target.qmp("migrate-incoming", uri=f"unix:{path}")
    limit(16 * MIB)
    source.qmp("migrate", uri=f"unix:{path}")
    wait_until(lambda: keeps_log(lab, port),
               f"{port} has a dirty log in shared memory", timeout=30)
    sent_but(left + 20 * MIB)
    limit(2 * MIB)
    sent_but(left)
    source.qmp("stop")
    if ram("dirty-sync-count") > 1:
        source.qmp("migrate_cancel")
        wait_status(source, "cancelled")
        source.qmp("cont")
        return False
    limit(1024 * MIB)
    wait_status(source, "completed")
    wait_until(lambda: target.qmp("query-status")["status"] == "paused",
               "all has come")
    target.qmp("cont")
    return True


def wait_status(source, wanted):
    def status():
        return source.qmp("query-migrate")
    wait_until(lambda: status().get("status") in (wanted, "failed"),
               lambda: f"the migration ends, it is {status()}", timeout=90)
    equal(status()["status"], wanted, f"the migration: {status()}")


def keeps_log(lab, port):
    text = lab.switch.app("vhost/show", port)
    return "log_all" in text and "log_shmfd" in text


def try_migration(lab, **features):
    """There and back between two ports, with a connection to a host."""
    lab.start(monitor=False)
    host = lab.host("h1", "10.0.0.9/24")
    paths = [lab.switch.add_vhost("br0", name) for name in ("vh1", "vh2")]
    guest = Guest(lab, "at0", Nic(1, paths[0], **features)).start().wait()
    guest.address("eth0", "10.0.0.1/24")
    host.must_ping("10.0.0.1")
    digest = make_data(guest, 1 << 20)
    with Echoes(host, guest, "10.0.0.1") as echoes:
        for i in (1, 2):
            echoes.more()
            for left in (12 * MIB, 48 * MIB, 128 * MIB):
                target = Guest(lab, f"at{i}", Nic(1, paths[i % 2], **features),
                               incoming=True).start()
                moved = migrate(lab, guest, target, ("vh2", "vh1")[i % 2],
                                left)
                if moved:
                    break
                target.kill()
            assert moved, "it was never stopped in time"
            target.number = guest.number
            guest.kill()
            guest = target
            echoes.more(timeout=60)
    equal(guest.run("sha256sum </tmp/data").split()[0], digest,
          "what the guest had in memory")
    host.must_ping("10.0.0.1", count=5)


@test("a guest moves to another port with its connection, split rings",
      only="vsw", timeout=200)
def _(lab):
    try_migration(lab)


@test("a guest moves to another port with its connection, packed rings",
      only="vsw", timeout=200)
def _(lab):
    try_migration(lab, packed="on")


@test("memory that is plugged in while frames pass is used",
      only="vsw", timeout=120)
def _(lab):
    (one, two), _ = pair(lab, listens=True)
    two.serve_iperf()
    traffic(one, "10.0.0.2")
    before = memory_kb(two)
    for i in range(2):
        two.qmp("object-add", **{"qom-type": "memory-backend-memfd",
                                 "id": f"more{i}", "size": 128 << 20,
                                 "share": True})
        two.qmp("device_add", driver="pc-dimm", id=f"dimm{i}",
                memdev=f"more{i}")
    # For the kernel's use: buffers of the card's, too.
    two.run("sleep 0.5; for f in /sys/devices/system/memory/memory*/state; do "
            "grep -q offline $f && echo online_kernel >$f; done; true")
    wait_until(lambda: memory_kb(two) > before + 200000, "the memory is there")
    two.run("mount -t tmpfs -o size=200M more /tmp")
    digest = make_data(two, 40 << 20)
    fetch_large(one, two, digest)
    assert one.run("pidof iperf3", check=False)[0] == 0, \
        "iperf3's connection has ended"


def memory_kb(guest):
    return int(guest.run("awk '/MemTotal/ {print $2}' /proc/meminfo"))


def fetch_large(sink, source, digest):
    """Without keeping it."""
    source.run("nc -l -p 5000 </tmp/data >/dev/null 2>&1 &")
    got = sink.run("[ -p /tmp/hold ] || mkfifo /tmp/hold; sleep 0.5; "
                   "nc 10.0.0.2 5000 <>/tmp/hold | sha256sum",
                   timeout=90).split()[0]
    equal(got, digest, "the digest of what comes from new memory")
