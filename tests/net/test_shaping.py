"""Shaping: real TCP and UDP at set rates, with pings beside it."""
import json
import re
import time

from lib import netns
from lib.netns import wait_until
from lib.testing import contains, test
from lib.traffic import serve_iperf

WINDOW_S = 5


def queues(lab, port):
    """What vswd says of a port's shaper, and when."""
    out = lab.switch.vsw_ctl("--format=json", "qos/show", port).stdout
    return json.loads(out)[0], time.monotonic()


def sent(shaper):
    return sum(queue["tx_bytes"] for queue in shaper["queues"])


def window(lab, ports, seconds=WINDOW_S):
    """Bits a second by port in a window of time, by the shapers' counters."""
    before = {port: queues(lab, port) for port in ports}
    # a window of a real clock: what is measured is a rate
    wait_until(lambda: time.monotonic() - before[ports[0]][1] >= seconds,
               "the window ends", seconds + 20, 0.05)
    rates = {}
    for port in ports:
        after, at = queues(lab, port)
        rates[port] = 8 * (sent(after) - sent(before[port][0])) / (
            at - before[port][1])
    return rates


def near(rate, wanted, percent, what):
    print(f"{what}: {rate / 1e6:.3f} Mbit/s of {wanted / 1e6:g}")
    assert abs(rate - wanted) <= wanted * percent / 100, \
        f"{what}: {rate:.0f} bit/s is not within {percent} % of {wanted}"


def stream(lab, source, sink, *options, seconds=60):
    serve_iperf(lab, sink.namespace, "-1")
    return lab.spawn(source.namespace, "iperf3", "-c", sink.ip, "-t", seconds,
                     *options)


def flowing(lab, port, more=200000):
    """Returns when the port's shaper sends."""
    start = sent(queues(lab, port)[0])
    wait_until(lambda: sent(queues(lab, port)[0]) > start + more,
               f"{port} is sent to", 20, 0.05)


def round_trips(host, address, count=40):
    """Milliseconds, sorted."""
    out = host.run("ping", "-n", "-i", "0.05", "-c", count, "-W", 5, address,
                   timeout=60).stdout
    times = sorted(float(t) for t in re.findall(r"time=([\d.]+) ms", out))
    assert len(times) >= count - 2, f"echoes lost:\n{out[-300:]}"
    return times


def keep_rates(lab, rates, tries=4):
    """Each within 2 % in some window, and above it in none: a sender that the
    machine gives no time to falls behind its rate, but never exceeds it."""
    left = dict(rates)
    for attempt in range(tries):
        measured = window(lab, list(rates))
        for port, rate in rates.items():
            print(f"{port}: {measured[port] / 1e6:.3f} Mbit/s")
            assert measured[port] <= 1.02 * rate, port
            if measured[port] >= 0.98 * rate:
                left.pop(port, None)
        if not left:
            return
    raise AssertionError(f"not within 2 % in {tries} windows: {left}")


@test("TCP keeps the rates that are set, and pings pass it by", only="vsw")
def _(lab):
    lab.start(monitor=False)
    rates = {"h2": 10000000, "h3": 100000000, "h4": 200000000}
    source = lab.host("h1", "10.0.0.1/24")
    sinks = {port: lab.host(port, f"10.0.0.{port[1]}/24", other_config={
        "egress-average-kbps": rate // 1000}) for port, rate in rates.items()}
    for port, sink in sinks.items():
        source.must_ping(sink.ip)
        stream(lab, source, sink, "-C", "cubic", "-P",
               "2" if port == "h3" else "1")
    for port in sinks:
        flowing(lab, port, rates[port] // 8)  # a second's
    keep_rates(lab, rates)
    for port, sink in sinks.items():
        times = round_trips(source, sink.ip)
        print(f"{port}: round trip {times[len(times) // 2]:.2f} ms, "
              f"at most {times[-1]:.2f} ms")
        # a full-sized frame of 10 Mbit/s takes 1.2 ms
        assert times[len(times) // 2] < 10, times
        assert times[len(times) * 9 // 10] < 40, times
        shaper, _ = queues(lab, port)
        # CoDel's target is 5 ms
        assert shaper["queues"][0]["delay_us"] < 50000, shaper


@test("a burst that was saved up is spent at the peak", only="vsw")
def _(lab):
    lab.start(monitor=False)
    a = lab.host("h1", "10.0.0.1/24")
    b = lab.host("h2", "10.0.0.2/24", other_config={
        "egress-average-kbps": 8000, "egress-peak-kbps": 40000,
        "egress-burst-kb": 8000})
    a.must_ping("10.0.0.2")
    stream(lab, a, b, "-u", "-b", "80M")
    flowing(lab, "h2", 100000)
    # 8 MB at 40 - 8 Mbit/s last two seconds
    rate = window(lab, ["h2"], 1)["h2"]
    print(f"peak: {rate / 1e6:.3f} Mbit/s")
    assert 16000000 < rate < 42000000, f"{rate} bit/s is not the peak"
    wait_until(lambda: abs(window(lab, ["h2"], 2)["h2"] - 8000000) < 240000,
               "the burst is spent and the average left", 30)


def make_qos(lab, port, kind, max_rate, queues, **other):
    command = []
    for number, (dscp, columns) in queues.items():
        command += ["--", f"--id=@q{number}", "create", "Queue"]
        command += [f"other_config:{key}={value}"
                    for key, value in columns.items()]
        command += [f"dscp={dscp}"] if dscp is not None else []
    options = {"max-rate": max_rate, **other}
    lab.switch.ctl(
        "set", "Port", port, "qos=@qos", "--", "--id=@qos", "create", "QoS",
        f"type={kind}",
        "queues=" + ",".join(f"{n}=@q{n}" for n in queues),
        *(f"other_config:{key}={value}" for key, value in options.items()),
        *command)


@test("queues have their minimum and maximum, by DSCP and priority",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    a = lab.host("h1", "10.0.0.1/24")
    b = lab.host("h2", "10.0.0.2/24")
    a.must_ping("10.0.0.2")
    make_qos(lab, "h2", "linux-htb", 20000000, {
        0: (None, {"priority": 5}),
        1: (None, {"min-rate": 4000000, "priority": 9, "match": "10"}),
        2: (12, {"max-rate": 6000000, "priority": 1, "match": "46,48"}),
    }, select="dscp")
    for port, tos in ((5201, 0), (5202, 10 << 2), (5203, 46 << 2)):
        lab.spawn(b.namespace, "iperf3", "-s", "-1", "-p", port)
        wait_until(lambda: b.run("ss", "-Hltn", f"sport = :{port}")
                   .stdout.strip(), "iperf3 -s listens")
        lab.spawn(a.namespace, "iperf3", "-c", b.ip, "-u", "-b", "25M", "-t",
                  60, "-S", tos, "-p", port)
    for number in range(3):
        wait_until(lambda: queues(lab, "h2")[0]["queues"][number]["tx_packets"]
                   > 300, f"queue {number} is used", 20, 0.05)
    first, since = queues(lab, "h2")
    window(lab, ["h2"], 2)
    last, at = queues(lab, "h2")
    for number, wanted in ((0, 10000000), (1, 4000000), (2, 6000000)):
        octets = last["queues"][number]["tx_bytes"] - \
            first["queues"][number]["tx_bytes"]
        near(8 * octets / (at - since), wanted, 4, f"queue {number}")
    drops = lab.switch.vsw_ctl("drops", "h2").stdout
    assert "codel" in drops and "queue-full" in drops, drops


@test("settings that contradict each other are refused, or the port's error",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    lab.host("h1", "10.0.0.1/24")

    def refused(*args):
        result = lab.switch.vsw_ctl("set", "Port", "h1", *args, check=False)
        assert result.returncode == 1, f"{args} is not refused"
        for word in args:
            assert word.partition("=")[0].split(":")[-1] in result.stderr, \
                result.stderr

    def store(*args):
        """As a client does that knows of none of this."""
        netns.run(["ovs-vsctl", "--timeout=20",
                   f"--db=unix:{lab.switch.path('db.sock')}", *args])

    def error(*words):
        wait_until(lambda: all(
            word in str(lab.switch.get("Interface", "h1", "error"))
            for word in words), f"an error with {words}")

    peak, average = ("other_config:egress-peak-kbps",
                     "other_config:egress-average-kbps")
    refused(f"{peak}=5")
    store("set", "Port", "h1", f"{peak}=5")
    error("egress-peak-kbps", "egress-average-kbps")
    refused(f"{average}=10")
    store("set", "Port", "h1", f"{average}=10")
    error("egress-peak-kbps=5", "egress-average-kbps=10")
    lab.switch.set("Port", "h1", other_config={"egress-peak-kbps": 50})
    wait_until(lambda: not lab.switch.get("Interface", "h1", "error"),
               "no error is left")
    store("set", "Port", "h1", "qos=@qos", "--", "--id=@qos", "create", "QoS",
          "type=linux-htb", "other_config:max-rate=1000000", "queues=1=@q",
          "--", "--id=@q", "create", "Queue", "other_config:min-rate=2000000")
    error("qos", "egress-average-kbps")
    store("clear", "Port", "h1", "other_config")
    error("min-rate", "max-rate=1000000")
    store("--", "clear", "Port", "h1", "qos", "--", "set", "Port", "h1",
          "qos=@qos", "--", "--id=@qos", "create", "QoS", "type=linux-htb",
          "queues=1=@q", "--", "--id=@q", "create", "Queue",
          "other_config:priority=3")
    error("without effect", "max-rate")
    result = lab.switch.vsw_ctl("qos/show", "h1", check=False)
    contains(result.stderr, "without effect", "qos/show")

    def refused_qos(line, *words):
        result = lab.switch.vsw_ctl(
            "set", "Port", "h1", "qos=@qos", "--", "--id=@qos", "create",
            "QoS", *line.split(), check=False)
        assert result.returncode == 1, f"{line} is not refused"
        for word in words:
            contains(result.stderr, word, line)

    refused_qos("type=linux-htp", "linux-htp", "linux-htb")
    queue = "-- --id=@q create Queue other_config:"
    refused_qos(f"type=linux-htb other_config:select=pcp queues=1=@q {queue}"
                "match=8", "match=8", "select=pcp")
    refused_qos(f"type=linux-htb other_config:max-rate=5 queues=1=@q {queue}"
                "max-rate=6", "max-rate=6", "max-rate=5")
    refused_qos("type=linux-htb other_config:select=dscp queues=1=@q,2=@q "
                f"{queue}match=8", "queues 1 and 2", "match")
    lab.switch.ctl("clear", "Port", "h1", "qos")
    wait_until(lambda: not lab.switch.get("Interface", "h1", "error"),
               "no error is left")


@test("rates change under load, with two workers, and ports come and go",
      only="vsw")
def _(lab):
    lab.start(monitor=False)
    lab.switch.set("Open_vSwitch", ".", other_config={"n-workers": 2})
    a = lab.host("h1", "10.0.0.1/24")
    b = lab.host("h2", "10.0.0.2/24",
                 other_config={"egress-average-kbps": 20000})
    c = lab.host("h3", "10.0.0.3/24",
                 other_config={"egress-average-kbps": 50000})
    for host in (b, c):
        a.must_ping(host.ip)
        stream(lab, a, host)
    for port in ("h2", "h3"):
        flowing(lab, port)
    for rate in (5000, 2000000, 40000):
        lab.switch.set("Port", "h2",
                       other_config={"egress-average-kbps": rate})
        flowing(lab, "h2")
    lab.switch.ctl("del-port", "h3")
    near(window(lab, ["h2"], 2)["h2"], 40000000, 4, "h2")
    lab.switch.set("Open_vSwitch", ".", other_config={"n-workers": 1})
    flowing(lab, "h2")
    lab.switch.ctl("remove", "Port", "h2", "other_config",
                   "egress-average-kbps")
    a.must_ping(b.ip)
