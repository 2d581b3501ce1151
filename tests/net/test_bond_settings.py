"""Settings of a bond as people write them: lines of ovs-vsctl's users, and what
contradicts itself."""
from lib import netns
from lib.netns import ip_batch, wait_until
from lib.testing import contains, equal, test

MEMBERS = ("e0", "e1", "e2")
LINE = ("add-bond", "br0", "bond0", "e0", "e1", "bond_mode=balance-tcp",
        "lacp=active", "other_config:lacp-time=fast")

# What is set on a bond of e0, e1 and e2; two words that the reason names; and
# whether the daemon refuses it too, or ignores the one setting.
WRONG = [
    ("bond_mode=balance-tcp", "bond_mode=balance-tcp", "lacp", True),
    ("bond_mode=balance-tcp lacp=off", "bond_mode=balance-tcp", "lacp", True),
    ("bond_mode=balance-slb other_config:bond-policy=port-id",
     "bond_mode=balance-slb", "bond-policy=port-id", True),
    ("lacp=active other_config:bond-detect-mode=beacon",
     "bond-detect-mode=beacon", "lacp=active", True),
    ("other_config:bond-policy=ip-hash other_config:bond-detect-mode=beacon",
     "bond-detect-mode=beacon", "bond-policy=ip-hash", True),
    ("other_config:bond-detect-mode=beacon other_config:bond-unused-members=e1",
     "bond-detect-mode=beacon", "3", False),
    ("bond_mode=balance-slb other_config:bond-primary=e0", "bond-primary=e0",
     "balance-slb", True),
    ("other_config:bond-primary=e0 other_config:bond-active-members=e1,e0",
     "bond-primary=e0", "bond-active-members", True),
    ("other_config:bond-primary=e0 other_config:bond-unused-members=e0",
     "bond-primary", "bond-unused-members", True),
    ("other_config:bond-active-members=e0 "
     "other_config:bond-standby-members=e1,e0",
     "bond-active-members", "bond-standby-members", True),
    ("other_config:bond-unused-members=e0,e1,e2", "bond-unused-members",
     "all", True),
    ("other_config:bond-primary=e9", "bond-primary", "e9", False),
    ("other_config:bond-standby-members=e1,e9", "bond-standby-members", "e9",
     False),
    ("bond_updelay=-1", "bond_updelay", "-1", False),
    ("bond_downdelay=2147483648", "bond_downdelay", "2147483647", False),
    ("bond_active_slave=e1", "bond_active_slave", "MAC address", False),
    ("other_config:bond-rebalance-interval=10", "bond-rebalance-interval",
     "0, or", False),
    ("lacp-time=fast", "lacp-time", 'did you mean "other_config:lacp-time"',
     False),
    ("other_config:bond-detect-mode=guess", "bond-detect-mode", "guess",
     False),
    ("other_config:lacp-time=medium", "lacp-time", "medium", False),
    ("other_config:lacp-system-id=01:00:00:00:00:01", "lacp-system-id",
     "01:00", False),
    ("other_config:lacp-system-priority=0", "lacp-system-priority", "1",
     False),
]


def start(lab):
    lab.start()
    for member in MEMBERS:
        lab.wire(member)
    lab.ports_known({member: {} for member in MEMBERS})


def content(lab):
    return lab.switch.vsw_ctl("list", "Port", "bond0").stdout


@test("vsw-ctl refuses what contradicts itself, and names both", only="vsw")
def _(lab):
    start(lab)
    lab.switch.vsw_ctl("add-bond", "br0", "bond0", *MEMBERS)
    before = content(lab)
    for settings, one, two, _ in WRONG:
        result = lab.switch.vsw_ctl("set", "Port", "bond0", *settings.split(),
                                    check=False)
        equal((result.returncode, result.stdout), (1, ""), settings)
        equal(result.stderr.count("\n"), 1, f"lines about {settings}")
        contains(result.stderr, one, "the reason")
        contains(result.stderr, two, "the reason")
    equal(content(lab), before, "the bond after all that")


# What is accepted with a warning, and a part of that.
DOUBTFUL = [
    ("Port bond0 other_config:bond-failbak=true",
     'did you mean "bond-failback"?'),
    ("Port bond0 other_config:lacp-sytem-id=02:00:00:00:00:01",
     'did you mean "lacp-system-id"?'),
    ("Port bond0 other_config:bond_primary=e0",
     'did you mean "bond-primary"?'),
    ("Port bond0 other_config:bond_mode=balance-slb",
     "bond_mode is a column"),
    ("Port bond0 other_config:lacp-time=fast", "lacp is not set"),
    ("Port bond0 other_config:lacp-fallback-ab=true", "lacp is not set"),
    ("Port one bond_mode=balance-tcp", "two interfaces"),
    ("Port one other_config:bond-primary=eth9", "two interfaces"),
    ("Interface e0 lldp:enabel=true", 'did you mean "enable"?'),
]
SILENT = [
    "Port bond0 other_config:bond-failback=true",
    "Port bond0 other_config:all-members-active=true",
    "Port bond0 other_config:mine=1",
    "Port bond0 lacp=active other_config:lacp-time=fast",
    "Open_vSwitch . other_config:dpdk-socket-limit=1024",
]


@test("vsw-ctl warns of settings that do nothing, and of typing errors",
      only="vsw")
def _(lab):
    start(lab)
    lab.wire("one")
    lab.switch.vsw_ctl("add-bond", "br0", "bond0", *MEMBERS, "--",
                       "add-port", "br0", "one")
    for words, part in DOUBTFUL + [(words, None) for words in SILENT]:
        result = lab.switch.vsw_ctl("set", *words.split())
        equal(result.stderr.count("\n"), 1 if part else 0,
              f"lines about {words}: {result.stderr}")
        contains(result.stderr, part or "", words)
        for port in ("bond0", "one"):
            lab.switch.vsw_ctl("clear", "Port", port, "other_config",
                               "bond_mode", "lacp")
    # Once, and when all is well with two commands of one line, not at all.
    result = lab.switch.vsw_ctl(
        "set", "Port", "one", "bond_mode=balance-slb", "--",
        "del-bond-iface", "bond0", "e2", "--", "add-bond-iface", "one", "e2")
    equal(result.stderr, "", "a bond in the end")


@test("vsw-ctl says what to do about members that lists name, and the like",
      only="vsw")
def _(lab):
    start(lab)
    lab.switch.vsw_ctl("add-bond", "br0", "bond0", *MEMBERS,
                       "other_config:bond-standby-members=e1,e2")

    def fails(part, *words):
        result = lab.switch.vsw_ctl(*words, check=False)
        equal((result.returncode, result.stderr.count("\n")), (1, 1),
              result.stderr)
        contains(result.stderr, part, " ".join(words))
    fails("would no longer be one", "del-bond-iface", "bond0", "e2")
    fails("at least 2 interfaces", "add-bond", "br0", "b", "x0")
    fails("at least 2 interfaces", "add-bond", "br0", "b", "x0", "tag=1")
    fails("names with commas", "set", "Port", "bond0",
          "other_config:bond-unused-members=e0 e1")
    fails("lldp:enable=true", "set", "Interface", "e0", "lldp=true")
    lab.switch.vsw_ctl("set", "Port", "bond0", "lacp=active")
    lab.switch.vsw_ctl("set", "Interface", "e0", "other_config:lacp-port-id=7")
    fails("both have other_config:lacp-port-id=7", "set", "Interface", "e1",
          "other_config:lacp-port-id=7")
    # One that another has by itself: that gives way.
    ids = {name: lab.switch.get("Interface", name, "ofport")
           for name in ("e1", "e2")}
    lab.switch.vsw_ctl("set", "Interface", "e2",
                       f"other_config:lacp-port-id={ids['e1']}")
    members = {m["name"]: m["actor"]["port_id"] for m in
               lab.switch.command("lacp/show", "bond0")[0]["members"]}
    equal(members["e2"], ids["e1"], "what was asked for")
    equal(len(set(members.values())), 3, f"numbers of their own: {members}")
    # As the message said.
    lab.switch.vsw_ctl("del-bond-iface", "bond0", "e2", "--", "set", "Port",
                       "bond0", "other_config:bond-standby-members=e1")


@test("what another client sets and contradicts itself is told in the row",
      only="vsw")
def _(lab):
    start(lab)
    db = f"--db=unix:{lab.switch.path('db.sock')}"
    lab.switch.vsw_ctl("add-bond", "br0", "bond0", *MEMBERS)
    for settings, _, _, refused in WRONG:
        if not refused:
            continue
        netns.run(["ovs-vsctl", db, "set", "Port", "bond0", *settings.split()],
                  check=False)
        error = lab.switch.get("Interface", "e0", "error")
        assert error and "\n" not in error, f"{settings}: error is {error!r}"
        # It goes on by what was right.
        contains(lab.switch.app("bond/show"), "member e0: enabled", settings)
        netns.run(["ovs-vsctl", db, "--", "clear", "Port", "bond0",
                   "bond_mode", "lacp", "other_config"])
        wait_until(lambda: not lab.switch.get("Interface", "e0", "error"),
                   "the error goes with its reason")


@test("lines of ovs-vsctl's users do the same, whoever runs them", only="vsw")
def _(lab):
    start(lab)
    rows = []
    db = f"--db=unix:{lab.switch.path('db.sock')}"

    def ovs_vsctl(*words):
        netns.run(["ovs-vsctl", db, *words])
    for run in (ovs_vsctl, lab.switch.vsw_ctl):
        run(*LINE)
        wait_until(lambda: "        Port bond0\n"
                   "            bond_mode: balance-tcp\n"
                   "            lacp: active\n"
                   "            Interface e0\n"
                   "                state: kept out by LACP\n"
                   "            Interface e1\n"
                   "                state: kept out by LACP\n" in
                   lab.switch.vsw_ctl("show").stdout, "show has them")
        rows.append({column: lab.switch.get("Port", "bond0", column)
                     for column in ("bond_mode", "lacp", "other_config")})
        contains(lab.switch.app("lacp/show", "bond0"), "lacp_time: fast",
                 "lacp/show")
        run("add-bond-iface", "bond0", "e2")
        contains(lab.switch.app("bond/list"), "e0, e1, e2", "bond/list")
        run("del-bond-iface", "bond0", "e2")
        run("del-port", "bond0")
        equal(lab.switch.app("bond/show"), "", "bonds in the end")
    equal(rows[0], rows[1], "what the two stored")


@test("show names the active member, and the policy that is no column",
      only="vsw")
def _(lab):
    start(lab)
    lab.switch.vsw_ctl("add-bond", "br0", "bond0", *MEMBERS,
                       "other_config:bond-policy=port-id")
    lab.switch.app("bond/set-active-member", "bond0", "e1")
    wait_until(lambda: "        Port bond0\n"
               "            bond-policy: port-id\n"
               "            active_member: e1\n"
               "            Interface e0\n" in
               lab.switch.vsw_ctl("show").stdout, "show has e1")
    ip_batch(["link set e1 down"], lab.far_ns.name)
    wait_until(lambda: "active_member: e1" not in
               lab.switch.vsw_ctl("show").stdout, "show has another")


@test("show says of members that carry nothing why", only="vsw")
def _(lab):
    start(lab)
    lab.switch.vsw_ctl("add-bond", "br0", "bond0", *MEMBERS)
    lab.switch.app("bond/set-active-member", "bond0", "e1")
    ip_batch(["link set e2 down"], lab.far_ns.name)
    wait_until(lambda: "            active_member: e1\n"
               "            Interface e0\n"
               "                state: standby\n"
               "            Interface e1\n"
               "            Interface e2\n"
               "                state: down\n" in
               lab.switch.vsw_ctl("show").stdout, "show has the states")
    lab.switch.vsw_ctl("set", "Port", "bond0", "bond_mode=balance-slb")
    wait_until(lambda: "standby" not in lab.switch.vsw_ctl("show").stdout,
               "all that are up carry")


@test("questions to vswd: mistakes get a hint, and JSON may be pretty",
      only="vsw")
def _(lab):
    start(lab)
    lab.switch.vsw_ctl("add-bond", "br0", "bond0", *MEMBERS)
    ask = lab.switch.vsw_ctl
    for words, part in (
            (("lldp/neighbours",), 'did you mean "lldp/neighbors"'),
            (("bond/set_active_member", "bond0", "e1"),
             'did you mean "bond/set-active-member"'),
            (("bond_show",), 'did you mean "bond/show"'),
            (("bond/show", "--help"), "vsw-ctl help bond/show"),
            (("bond/show", "--all"), "options stand before the command"),
            (("-f", "csv", "bond/show"), "JSON with --format=json"),
            (("--pretty", "bond/show"), "it needs --format=json"),
            (("bond/show", "e0"), "e0 is a member of bond bond0"),
            (("bond/nonsense",), "is not a valid command")):
        result = ask(*words, check=False)
        equal((result.returncode, result.stderr.count("\n")), (1, 1),
              result.stderr)
        contains(result.stderr, part, " ".join(words))
    text = ask("--pretty", "-f", "json", "bond/list").stdout
    contains(text, '\n    "bond": "bond0"', "JSON with indents")
    contains(text, "e1", "the members")
