#!/usr/bin/env python3
"""vsw-ctl beside ovs-vsctl: the same command lines on two database servers.

Each scenario is a list of command lines. They are run by vsw-ctl on one of
Debian's ovsdb-servers and by ovs-vsctl on another one; exit statuses, output
and, after each, the whole content of the databases must be the same. UUIDs and
the order of rows, which are arbitrary, are made equal first. Messages are our
own: of a command that fails, vsw-ctl must print one line and change nothing.

Needs no root. The servers end with this program, however it ends.
"""

import ctypes
import difflib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
VSW_CTL = os.environ.get("VSW_CTL") or os.path.join(
    HERE, "..", "..", "build", "vsw-ctl")
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ROOTS = ("Flow_Sample_Collector_Set", "Open_vSwitch", "QoS", "Queue")
EMPTY = (["set", []], ["map", []], "", 0, False)  # not worth showing
PR_SET_PDEATHSIG = 1


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Side:
    """A database server and the program that is tried on it."""

    def __init__(self, top, name, command):
        self.dir = os.path.join(top, name)
        os.mkdir(self.dir)
        self.name = name
        self.sock = os.path.join(self.dir, "db.sock")
        conf = os.path.join(self.dir, "conf.db")
        self.argv = command + ["--db=unix:" + self.sock, "--no-wait"]
        subprocess.run(["ovsdb-tool", "create", conf, SCHEMA], check=True)
        self.server = subprocess.Popen(
            ["ovsdb-server", conf, "--remote=punix:" + self.sock,
             "--unixctl=" + os.path.join(self.dir, "ctl"), "--no-chdir"],
            env=dict(os.environ, OVS_RUNDIR=self.dir, OVS_DBDIR=self.dir,
                     OVS_LOGDIR=self.dir),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent)
        while not os.path.exists(self.sock):
            if self.server.poll() is not None:
                sys.exit("ovsdb-server did not start")
            time.sleep(0.01)

    def run(self, words):
        return subprocess.run(self.argv + words, capture_output=True,
                              text=True, timeout=60)

    def transact(self, ops):
        out = subprocess.run(
            ["ovsdb-client", "transact", "unix:" + self.sock,
             json.dumps(["Open_vSwitch"] + ops)],
            capture_output=True, text=True, check=True)
        results = json.loads(out.stdout)
        for result in results:
            if result and "error" in result:
                raise RuntimeError("%s: %s" % (ops, result))
        return results

    def clear(self):
        """Empties the database: rows of root tables, the rest follows."""
        for table in ROOTS:  # those that refer come before those referred to
            self.transact([{"op": "delete", "table": table, "where": []}])

    def content(self, tables):
        """All that can be reached, without UUIDs, in a fixed order."""
        results = self.transact([{"op": "select", "table": t, "where": []}
                                 for t in tables])
        rows = {}
        for table, result in zip(tables, results):
            for row in result["rows"]:
                rows[row["_uuid"][1]] = (table, row)

        def value(v, depth):
            if isinstance(v, list) and v[0] == "uuid":
                return entry(v[1], depth + 1)
            if isinstance(v, list) and v[0] == "set":
                return sorted((value(e, depth) for e in v[1]), key=repr)
            if isinstance(v, list) and v[0] == "map":
                return sorted(([value(k, depth), value(e, depth)]
                               for k, e in v[1]), key=repr)
            return v

        def entry(uuid, depth):
            table, row = rows[uuid]
            return [table] + [[c, value(v, depth)]
                              for c, v in sorted(row.items())
                              if c not in ("_uuid", "_version")
                              and v not in EMPTY and depth < 10]

        return sorted((entry(u, 0) for u, (t, _) in rows.items()
                       if t in ROOTS), key=repr)


def normal(text):
    """Output without what is arbitrary in it."""
    text = UUID.sub("UUID", text)
    blocks = text.split("\n\n")
    if len(blocks) > 1 and all(":" in b for b in blocks):
        blocks = sorted(b.strip("\n") for b in blocks)
        return "\n\n".join(blocks)
    return text


def pretty(content):
    return json.dumps(content, indent=1).split("\n")


def unordered(text):
    return sorted(UUID.sub("UUID", text).split("\n"))


# A line that begins with "~" is compared as a set of lines: rows come in any
# order. "SAME" lines end with an error whose text is compared too.
SCENARIOS = {
    "bridges": """
        init
        list-br
        add-br br0
        add-br br0
        --may-exist add-br br0
        add-br br1 -- add-br br2
        list-br
        br-exists br1
        br-exists nope
        br-to-vlan br0
        br-to-parent br0
        br-to-vlan nope
        del-br br1
        del-br br1
        --if-exists del-br br1
        list-br
        del-br br2 -- add-br br2
        del-br br0 -- list-br
        add-br
        add-br a b
        add-br a b c d
        add-br '' 
        """,
    "fake bridges": """
        add-br br0
        add-br v10 br0 10
        add-br v10 br0 10
        --may-exist add-br v10 br0 10
        --may-exist add-br v10 br0 11
        --may-exist add-br v10
        --may-exist add-br br0 br0 11
        add-br v11 br0 10
        add-br v11 v10 11
        add-br v11 nope 11
        add-br v11 br0 4096
        add-port v10 a
        add-port br0 b
        add-port br0 c tag=10
        add-port br0 d tag=11
        list-br
        --real list-br
        --fake list-br
        list-ports br0
        list-ports v10
        list-ifaces v10
        port-to-br a
        port-to-br b
        iface-to-br c
        br-to-vlan v10
        br-to-parent v10
        port-to-br v10
        get port a tag
        del-port br0 a
        del-port v10 b
        br-set-external-id v10 k v
        br-set-external-id v10 k2 v2
        br-get-external-id v10
        br-get-external-id v10 k
        br-set-external-id v10 k
        br-get-external-id v10
        get-controller v10
        set-controller v10 tcp:1.2.3.4
        del-port v10 a
        del-br v10
        list-ports br0
        list-br
        add-br v12 br0 12 -- add-port v12 e -- list-ports v12
        del-br br0
        list-br
        """,
    "ports": """
        add-br br0 -- add-br br1
        add-port br0 p
        add-port br0 p
        --may-exist add-port br0 p
        --may-exist add-port br0 p tag=5
        --may-exist add-port br1 p
        add-port br1 p
        add-port br0 br1
        add-port nope q
        add-port br0 t tag=10 vlan_mode=access other_config:a=b
        add-port br0 u trunks=1,2,3 -- set Interface u type=internal
        add-port br0 bad tag=4096
        add-port br0 bad vlan_mode=wrong
        add-port br0 bad colour=red
        add-port br0 bad tag
        add-port br0 ''
        list-ports br0
        list-ports br1
        list-ports nope
        list-ifaces br0
        port-to-br p
        port-to-br nope
        iface-to-br t
        iface-to-br nope
        del-port p -- add-port br1 p
        port-to-br p
        del-port br0 p
        del-port br1 p
        del-port p
        --if-exists del-port p
        --if-exists del-port br0 p
        del-port nope t
        del-port br0 t
        del-port br0
        add-port br0 x -- add-port br0 y -- del-port x -- list-ports br0
        add-br br3 -- add-port br3 z tag=7 -- get port z tag -- list-ports br3
        add-port br0 e1 -- --id=@e1 get port e1 -- set port y tag=9
        """,
    "bonds": """
        add-br br0
        add-bond br0 b0 e0 e1
        add-bond br0 b1 e2
        add-bond br0 b1 e1 e2
        add-bond br0 b1 e2 e3 bond_mode=balance-slb lacp=active
        --fake-iface add-bond br0 b2 e4 e5
        --may-exist add-bond br0 b0 e0 e1
        --may-exist add-bond br0 b0 e1 e0
        --may-exist add-bond br0 b0 e0 e9
        --may-exist add-port br0 b0
        list-ports br0
        list-ifaces br0
        iface-to-br e1
        port-to-br e1
        add-bond-iface b0 e6
        add-bond-iface b0 e6
        --may-exist add-bond-iface b0 e6
        add-bond-iface nope e7
        del-bond-iface b0 e6
        del-bond-iface e0
        del-bond-iface e1
        del-bond-iface nope
        --if-exists del-bond-iface nope
        list-ifaces br0
        del-port e2
        --with-iface del-port e2
        list-ports br0
        """,
    "controllers": """
        add-br br0
        get-controller br0
        set-controller br0 tcp:1.2.3.4:6653 ptcp:6653
        get-controller br0
        set-controller br0 ssl:1.2.3.4
        get-controller br0
        --inactivity-probe=3000 set-controller br0 tcp:1.2.3.4
        del-controller br0
        get-controller br0
        set-controller nope tcp:1.2.3.4
        get-fail-mode br0
        set-fail-mode br0 secure
        get-fail-mode br0
        set-fail-mode br0 standalone -- get-fail-mode br0
        set-fail-mode br0 wrong
        del-fail-mode br0
        get-fail-mode br0
        get-manager
        set-manager ptcp:6640 ssl:1.2.3.4:6640
        get-manager
        --inactivity-probe=500 set-manager ptcp:6640
        list manager
        del-manager
        get-manager
        get-ssl
        set-ssl k c ca
        get-ssl
        --bootstrap set-ssl k2 c2 ca2
        get-ssl
        list ssl
        del-ssl
        get-ssl
        """,
    "external ids": """
        add-br br0
        br-set-external-id br0 a 1
        br-set-external-id br0 b 'two words'
        br-get-external-id br0
        br-get-external-id br0 b
        br-get-external-id br0 nope
        br-set-external-id br0 a
        br-get-external-id br0
        br-get-external-id nope
        """,
    "get": """
        add-br br0 -- add-port br0 p tag=3
        get port p tag
        get port p name tag trunks other_config
        get PORT p Vlan-Mode
        get port p vlan
        get po p vlan_m
        get p p tag
        list a
        get port nope tag
        --if-exists get port nope tag
        get port p nope
        get port p st
        get port p other_config:a
        --if-exists get port p other_config:a
        set port p other_config:a=b -- get port p other_config:a
        get port p name:a
        get port p tag=3
        get port p
        get open . next_cfg
        get open nope next_cfg
        get b br0 name
        get port p _uuid
        --id=@p get port p -- add bridge br0 mirrors @m -- --id=@m create mirror name=m select_src_port=@p
        get mirror m name
        --id=@p get port p -- --id=@p get port p
        --id=p get port p
        --id=@p --if-exists get port p
        get nope p tag
        get Q p name
        """,
    "set": """
        add-br br0 -- add-port br0 p
        set port p tag=5
        set port p tag=5 trunks=1,2,3
        set port p tag=[]
        set port p trunks=[4,5] vlan_mode=trunk
        get port p trunks
        set port p 'trunks=6 7'
        set port p trunks=1-4,9
        get port p trunks
        set port p trunks=4-1
        set port p trunks=[]
        set port p tag=4096
        set port p tag=-1
        set port p tag=abc
        set port p tag=1,2
        set port p tag=
        set port p tag
        set port p vlan_mode=wrong
        set port p name=q
        set port p nope=1
        set nope p tag=1
        set port nope tag=1
        --if-exists set port nope tag=1
        set port p other_config=a=b
        set port p other_config={a=b,c=d}
        set port p other_config:a=e other_config:x="1"
        get port p other_config
        set port p other_config:a='"q \\"u\\" o"'
        get port p other_config
        set port p other_config:"b c"=d
        set port p 'other_config:"k k"="v v"'
        get port p other_config
        set port p other_config:a=b,c
        get port p other_config:a
        set port p other_config={}
        set port p other_config={a=b,a=c}
        set port p tag:a=1
        set bridge br0 stp_enable=true
        set bridge br0 stp_enable=maybe
        set bridge br0 datapath_type='""'
        set bridge br0 datapath_type=netdev
        set bridge br0 flood_vlans=1,1
        set bridge br0 flood_vlans=1,2,3 protocols=OpenFlow10,OpenFlow13
        set bridge br0 'other_config:hwaddr="00:11:22:33:44:55"'
        set interface p type=internal mtu_request=1400 options:a=1 options:b=2
        set interface p ofport_request=0
        set interface p ingress_policing_rate=100 ingress_policing_burst=10
        set open . other_config:a=b external_ids:system-id=me
        set open . next_cfg=5 -- get open . next_cfg
        set port p qos=@x
        set port p qos=@q -- --id=@q create qos type=linux-htb other_config:max-rate=10 queues:0=@q0 -- --id=@q0 create queue dscp=3
        get port p external_ids -- set port p external_ids:a=b -- get port p external_ids
        set bridge br0 ports=[]
        """,
    "add, remove, clear": """
        add-br br0 -- add-port br0 p
        add port p trunks 1
        add port p trunks 2 3
        add port p trunks 4,5
        add port p trunks 4
        get port p trunks
        add port p tag 7
        add port p tag 8
        add port p other_config a=b
        add port p other_config c=d e=f
        add port p other_config a=z
        get port p other_config
        add port p other_config a
        add port p nope 1
        add port p trunks 5000
        add port nope trunks 1
        --if-exists add port nope trunks 1
        add port p
        add port p trunks
        add bridge br0 name x
        remove port p trunks 1
        remove port p trunks 2 3
        remove port p trunks 99
        get port p trunks
        remove port p tag 7
        remove port p other_config a=b
        remove port p other_config a=z
        remove port p other_config c
        remove port p other_config nope
        get port p other_config
        remove port nope trunks 1
        --if-exists remove port nope trunks 1
        remove port p interfaces
        add port p trunks 4 -- remove port p trunks 4 -- get port p trunks
        add port p trunks 8 -- add port p trunks 9 -- get port p trunks
        set port p trunks=1 -- add port p trunks 2 -- get port p trunks
        add port p trunks 3 -- set port p trunks=7 -- get port p trunks
        clear port p trunks
        clear port p trunks other_config tag
        clear port p name
        clear port p interfaces
        clear port p nope
        clear port nope trunks
        --if-exists clear port nope trunks
        clear port p
        """,
    "create, destroy": """
        create qos type=linux-htb
        create queue other_config:max-rate=1
        list qos
        create qos
        create qos nope=1
        create nope a=1
        create port name=p
        --all destroy qos
        list qos
        destroy qos nope
        --if-exists destroy qos nope
        --all destroy queue
        --all destroy queue nope
        --id=@a create qos type=linux-htb -- --id=@a create qos type=linux-hfsc
        --id=a create qos type=linux-htb
        --id=@a create qos type=linux-htb queues:1=@b -- --id=@b create queue dscp=5
        --id=@a create qos type=linux-htb queues:1=@nope
        --id=12345678-1234-1234-1234-123456789abc create qos type=linux-htb
        get qos 12345678-1234-1234-1234-123456789abc type
        get qos 1234 type
        destroy qos 12345678-1234-1234-1234-123456789abc
        add-br br0 -- set bridge br0 mirrors=@m -- --id=@m create mirror name=m1 select_all=true output_vlan=5
        get mirror m1 select_all
        --id=@m get mirror m1 -- remove bridge br0 mirrors @m
        list mirror
        set bridge br0 netflow=@n -- --id=@n create netflow 'targets="1.2.3.4:5"' active_timeout=30
        get netflow br0 active_timeout
        set netflow br0 active_timeout=60
        clear bridge br0 netflow
        set bridge br0 sflow=@s -- --id=@s create sflow agent=eth1 'targets="1.2.3.4:5"' header=128 sampling=64 polling=10
        list sflow br0
        destroy bridge br0
        list-br
        """,
    "list": """
        ~ list bridge
        add-br br0 -- add-port br0 p tag=1 -- set port p trunks=1,2 other_config:a=b,c
        ~ list port
        list port p
        list port p br0
        list port nope
        --if-exists list port nope p
        --columns=name,tag list port p
        --columns=name,tag,trunks --format=table list port p
        --columns=tag,name --format=csv list port p
        --columns=_uuid,name --format=csv list port p
        --columns=other_config,trunks --format=csv list port p
        --columns=other_config,trunks --format=html list port p
        --columns=other_config,trunks,tag,lacp,interfaces --format=json list port p
        --columns=other_config,trunks,tag,lacp,interfaces --data=json list port p
        --columns=other_config,trunks,tag,lacp,interfaces --bare list port p
        --columns=other_config,trunks --data=bare list port p
        --format=table --no-headings --columns=name,tag list port p br0
        --format=table --max-column-width=3 --columns=name,trunks list port p
        --columns=nope list port p
        --columns= list port p
        --columns=name list port p -- --columns=name list bridge br0
        --format=csv --columns=name list port p -- --columns=name list bridge br0
        --format=json --columns=name list port p -- --columns=name list bridge br0
        --format=nope list port
        --data=nope list port
        -f csv -d bare --columns=trunks list port p
        -fcsv --columns=trunks list port p
        list open
        list ssl
        --format=table list ssl
        --format=json list ssl
        --format=html --columns=ca_cert list ssl
        list co
        list q
        list nope
        """,
    "find": """
        add-br br0 -- add-port br0 a tag=1 -- add-port br0 b tag=2 -- add-port br0 c trunks=1,2,3
        set port a other_config:k=v -- set port b other_config:k=w other_config:l=v
        ~ --columns=name find port tag=1
        ~ --columns=name find port tag!=1
        ~ --columns=name find port 'tag>1'
        ~ --columns=name find port 'tag<2'
        ~ --columns=name find port 'tag>=1'
        ~ --columns=name find port 'tag<=1'
        ~ --columns=name find port 'tag=[]'
        ~ --columns=name find port 'trunks=1,2,3'
        ~ --columns=name find port 'trunks{=}1,2'
        ~ --columns=name find port 'trunks{!=}1,2'
        ~ --columns=name find port 'trunks{>=}1,2'
        ~ --columns=name find port 'trunks{>}1,2'
        ~ --columns=name find port 'trunks{>}1,2,3'
        ~ --columns=name find port 'trunks{<=}1,2,3,4'
        ~ --columns=name find port 'trunks{<}1,2,3'
        ~ --columns=name find port 'trunks{in}1,2,3'
        ~ --columns=name find port 'trunks{not-in}4,5'
        ~ --columns=name find port other_config:k=v
        ~ --columns=name find port other_config:k!=v
        ~ --columns=name find port 'other_config:k{!=}v'
        ~ --columns=name find port 'other_config:k{in}v,w'
        ~ --columns=name find port other_config=k=v
        ~ --columns=name find port 'other_config{>=}k=w'
        ~ --columns=name find port name=a tag=1
        ~ --columns=name find port name=a tag=2
        ~ --columns=name find port
        ~ --columns=name,tag --format=csv find port name=a
        find port name
        find port name=
        find port nope=1
        find port name:a=1
        find port tag=x
        find port name=[a,b]
        add-port br0 d tag=9 -- --columns=name find port tag=9
        find interface options:vhost-server-path=nope
        """,
    "wait-until, comment": """
        add-br br0
        wait-until bridge br0
        wait-until bridge br0 name=br0
        wait-until bridge br0 nope=1
        add-port br0 p -- wait-until port p name=p -- get port p name
        comment
        comment a b c
        comment a -- list-br
        """,
    "show": """
        show
        add-br br0
        show
        add-port br0 p tag=5 -- set interface p type=tap options:a=b
        ~ show
        set-controller br0 tcp:1.2.3.4 -- set-manager ptcp:6640 -- set-fail-mode br0 secure
        ~ show
        set bridge br0 datapath_type=netdev -- set open . ovs_version='"1.2.3"'
        add-bond br0 b 'e 0' e1 -- set interface e1 error='"no such device"'
        ~ show
        """,
    "emer-reset": """
        add-br br0 -- add-port br0 p
        set bridge br0 other_config:hwaddr=x other_config:y=z flood_vlans=1 external_ids:a=b mirrors=@m -- --id=@m create mirror name=m
        set port p other_config:a=b qos=@q -- --id=@q create qos type=linux-htb
        set interface p other_config:a=b ingress_policing_rate=5 ingress_policing_burst=4
        set-controller br0 tcp:1.2.3.4 -- set-manager ptcp:6640 -- set-ssl a b c -- set-fail-mode br0 secure
        set open . other_config:a=b
        emer-reset
        ~ show
        """,
    "zones": """
        add-br br0
        add-zone-tp netdev zone=1 icmp_first=1
        set open . datapaths:netdev=@d -- --id=@d create datapath datapath_version=1
        list-zone-tp netdev
        add-zone-tp netdev zone=1 icmp_first=1 icmp_reply=2
        add-zone-tp netdev zone=1 icmp_first=1
        list-zone-tp netdev
        del-zone-tp netdev zone=2
        --if-exists del-zone-tp netdev zone=2
        del-zone-tp netdev zone=1
        list-zone-tp netdev
        add-aa-mapping br0 100 20
        get-aa-mapping br0
        del-aa-mapping br0 100 20
        get-aa-mapping br0
        """,
    "oneline": """
        --oneline add-br br0 -- add-port br0 a -- add-port br0 b -- list-ports br0 -- comment -- get port a name tag
        --oneline list-br
        --oneline set port a 'other_config:a="x\\\\\\\\y"' -- get port a other_config
        --oneline --columns=name list port a
        --oneline list ssl
        """,
    "dry run": """
        --dry-run add-br br0
        list-br
        --dry-run add-br br0 -- list-br
        list-br
        """,
    "grammar": """
        nope
        --nope list-br
        -- list-br
        list-br --
        list-br -- -- list-br
        list-br -- nope
        list-br extra
        del-br
        --may-exist list-br
        -- --may-exist add-br br0 -- --if-exists del-br br1
        --may-exist --if-exists add-br br0
        --no-headings list-br
        --timeout=5 list-br
        -t 5 list-br
        --timeout=x list-br
        --no-head list-br
        --bare --columns name list bridge
        --no-syslog -vconsole:off list-br
        --verbose=console:off list-br
        add-br all -- add-port all p1 -- set port p1 tag=nope
        list-br
        get bridge br0 name -- get bridge nope name
        """,
}


def split(line):
    """Words as a shell would make them."""
    import shlex
    return shlex.split(line)


class Comparison:
    def __init__(self, ours, theirs):
        self.ours, self.theirs = ours, theirs
        self.tables = sorted(json.load(open(SCHEMA))["tables"])
        self.passed = self.failed = 0

    def fail(self, scenario, line, text):
        self.failed += 1
        print("FAIL %s: %s\n%s" % (scenario, line, text))

    def check(self, scenario, line):
        as_set = line.startswith("~")
        words = split(line.lstrip("~ "))
        before = self.ours.content(self.tables)
        ours, theirs = self.ours.run(words), self.theirs.run(words)
        shape = unordered if as_set else normal
        if ours.returncode != theirs.returncode:
            return self.fail(
                scenario, line, "  status %d, ovs-vsctl's %d\n  %s  %s" % (
                    ours.returncode, theirs.returncode, ours.stderr,
                    theirs.stderr))
        if shape(ours.stdout) != shape(theirs.stdout):
            return self.fail(scenario, line, "--- vsw-ctl\n%s--- ovs-vsctl\n%s"
                             % (ours.stdout, theirs.stdout))
        after = self.ours.content(self.tables)
        expected = self.theirs.content(self.tables)
        if after != expected:
            return self.fail(
                scenario, line, "  the databases differ:\n" + "\n".join(
                    difflib.unified_diff(pretty(expected), pretty(after),
                                         "ovs-vsctl", "vsw-ctl", "", "", 2)))
        if ours.returncode == 1:
            lines = ours.stderr.splitlines()
            if not lines or not lines[-1].startswith("vsw-ctl: "):
                return self.fail(scenario, line, "  message: " + ours.stderr)
            if after != before:
                return self.fail(scenario, line,
                                 "  failed, but changed the database")
        self.passed += 1
        return True

    def equal(self):
        return (self.ours.content(self.tables) ==
                self.theirs.content(self.tables))

    def run(self, wanted):
        for scenario, lines in SCENARIOS.items():
            if wanted and not any(w in scenario for w in wanted):
                continue
            for side in (self.ours, self.theirs):
                side.clear()
            for line in lines.strip().split("\n"):
                if not self.check(scenario, line.strip()) and \
                        not self.equal():
                    print("  (the rest of \"%s\" is left out)" % scenario)
                    break


def main():
    signal.signal(signal.SIGTERM, lambda *args: sys.exit(1))
    top = tempfile.mkdtemp(prefix="vsw-ctl-grammar-")
    sides = []
    try:
        sides.append(Side(top, "ours", [VSW_CTL]))
        sides.append(Side(top, "theirs", ["ovs-vsctl"]))
        comparison = Comparison(*sides)
        comparison.run(sys.argv[1:])
    finally:
        for side in sides:
            side.server.kill()
            side.server.wait()
        shutil.rmtree(top, ignore_errors=True)
    print("%d passed, %d failed" % (comparison.passed, comparison.failed))
    return 1 if comparison.failed or not comparison.passed else 0


if __name__ == "__main__":
    sys.exit(main())
