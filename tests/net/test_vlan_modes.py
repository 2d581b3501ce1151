"""Every vlan_mode as sender against every mode as receiver, and each kind of
tagging: the exact frames that leave each port, by lib/vlan_model.py."""
from lib import vlan_model
from lib.frame import C_TAG, S_TAG, frame, station
from lib.testing import test

PORTS = {
    "acc10": {"tag": 10},
    "acc10nz": {"tag": 10, "other_config": {"priority-tags": "if-nonzero"}},
    "acc10al": {"tag": 10, "other_config": {"priority-tags": "always"}},
    "acc20": {"tag": 20, "vlan_mode": "access"},
    "trunk": {},
    "trunknz": {"other_config": {"priority-tags": "if-nonzero"}},
    "trunkal": {"other_config": {"priority-tags": "always"}},
    "trunk10": {"trunks": [10], "vlan_mode": "trunk"},
    "trunk0": {"trunks": [0, 20]},
    "nt10": {"vlan_mode": "native-tagged", "tag": 10, "trunks": [20]},
    "nt20": {"vlan_mode": "native-tagged", "tag": 20},
    "nu10": {"vlan_mode": "native-untagged", "tag": 10, "trunks": [20, 30]},
    "nu10nz": {"vlan_mode": "native-untagged", "tag": 10,
               "other_config": {"priority-tags": "if-nonzero"}},
    "tun10": {"vlan_mode": "dot1q-tunnel", "tag": 10},
    "tun10cv": {"vlan_mode": "dot1q-tunnel", "tag": 10, "cvlans": [0, 20]},
    "tun10q": {"vlan_mode": "dot1q-tunnel", "tag": 10,
               "other_config": {"qinq-ethtype": "802.1q"}},
}

SENTENCES = {
    "acc10": "an access port",
    "acc10nz": "an access port with priority-tags if-nonzero",
    "acc10al": "an access port with priority-tags always",
    "acc20": "an access port of another VLAN",
    "trunk": "a trunk of all VLANs",
    "trunknz": "a trunk with priority-tags if-nonzero",
    "trunkal": "a trunk with priority-tags always",
    "trunk10": "a trunk of one VLAN",
    "trunk0": "a trunk of VLAN 0 and another",
    "nt10": "a native-tagged port with trunks",
    "nt20": "a native-tagged port of all VLANs",
    "nu10": "a native-untagged port with trunks",
    "nu10nz": "a native-untagged port with priority-tags",
    "tun10": "a dot1q-tunnel",
    "tun10cv": "a dot1q-tunnel with cvlans",
    "tun10q": "a dot1q-tunnel with an 802.1q service tag",
}


def kinds(source):
    """One frame of each kind of tagging."""
    def plain():
        return frame(src=station(source))
    yield plain()
    for vid in (0, 10, 20, 30, 4094):
        yield plain().tagged(vid)
        yield plain().tagged(vid, pcp=5)
    yield plain().tagged(10, tpid=S_TAG)
    yield plain().tagged(20, tpid=C_TAG).tagged(10, tpid=S_TAG)
    yield plain().tagged(10, tpid=C_TAG).tagged(20, tpid=C_TAG)


def kinds_for(lab, sender):
    """Without those that Open vSwitch is known to treat in its own way."""
    tunnel = vlan_model.mode_of(PORTS[sender]) == vlan_model.TUNNEL
    for one in kinds(1):
        tags = one.tags()
        if lab.options.switch == "ovs":
            # An access port sends no tag at all, not even an inner one; a tag
            # of zeros counts as none; priorities show where they should not.
            if len(tags) > 1 or any(tci & 0xfff == 0 or tunnel and tci >> 13
                                    for _, tci in tags):
                continue
        yield one


def check_from(lab, sender):
    ports = dict(PORTS)
    lab.start()
    if lab.options.switch == "ovs":
        lab.switch.set("Open_vSwitch", ".", other_config={"vlan-limit": 2})
        # it sends a priority tag only if the frame came with a tag
        for name in {"acc10al", "trunkal"} - {sender}:
            del ports[name]
        # nor does an access port send what has a customer's tag
        if vlan_model.mode_of(ports[sender]) == vlan_model.TUNNEL:
            ports = {name: columns for name, columns in ports.items()
                     if vlan_model.mode_of(columns) != vlan_model.ACCESS}
    lab.ports(ports)
    sent = list(kinds_for(lab, sender))
    expected = {name: [] for name in ports}
    for one in sent:
        classified = vlan_model.ingress(PORTS[sender], one)
        if classified is None:
            continue
        for name, columns in ports.items():
            left = vlan_model.egress(columns, classified)
            if name != sender and left is not None:
                expected[name].append(left)
    assert any(expected.values())
    lab.check([(sender, one) for one in sent], expected)


def declare(sender, sentence):
    @test(f"what {sentence} takes leaves every kind of port as it must")
    def _(lab):
        check_from(lab, sender)


for _name, _sentence in SENTENCES.items():
    declare(_name, _sentence)
