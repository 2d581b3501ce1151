"""What a port's VLAN columns mean: the reference that frames are held to.

Written from IEEE 802.1Q-2018 (6.9 and 8.6) and the meaning of vlan_mode, tag,
trunks, cvlans and priority-tags in ovs-vswitchd.conf.db(5).
"""
from .frame import C_TAG, S_TAG

ACCESS, TRUNK, TUNNEL = "access", "trunk", "dot1q-tunnel"
NATIVE_TAGGED, NATIVE_UNTAGGED = "native-tagged", "native-untagged"


def mode_of(columns):
    default = ACCESS if "tag" in columns else TRUNK
    return columns.get("vlan_mode", default)


def member(columns, vid):
    """Whether the port belongs to the VLAN, in both directions."""
    mode = mode_of(columns)
    tag, trunks = columns.get("tag"), columns.get("trunks")
    if mode in (ACCESS, TUNNEL):
        return vid == tag
    if mode != TRUNK and vid in (tag, 0):
        return vid == tag  # VLAN 0 untagged would come back as native
    return not trunks or vid in trunks


def carries_customer(columns, frame):
    """Whether a dot1q-tunnel takes this customer's frame; untagged: VLAN 0."""
    tags = frame.tags()
    vid = tags[0][1] & 0xfff if tags else 0
    return not columns.get("cvlans") or vid in columns["cvlans"]


def ingress(columns, frame):
    """(VLAN, priority, TPID, frame without its VLAN's tag), or None."""
    mode, tag = mode_of(columns), columns.get("tag")
    tags = frame.tags()
    tpid, tci = tags[0] if tags else (C_TAG, 0)
    vid, pcp = tci & 0xfff, tci >> 13
    if mode == TUNNEL:
        if not carries_customer(columns, frame):
            return None
        service = columns.get("other_config", {}).get("qinq-ethtype")
        # the customer's priority is the frame's (802.1Q-2018 6.9.3)
        return tag, pcp, C_TAG if service == "802.1q" else S_TAG, frame
    inner = frame.untagged() if tags else frame
    if mode == ACCESS:
        return None if vid else (tag, pcp, tpid, inner)
    if vid == 0 and mode != TRUNK:
        vid = tag
    return (vid, pcp, tpid, inner) if member(columns, vid) else None


def egress(columns, classified):
    """The frame that leaves the port, or None."""
    vid, pcp, tpid, inner = classified
    if not member(columns, vid):
        return None
    mode = mode_of(columns)
    if mode == TUNNEL:
        return inner if carries_customer(columns, inner) else None
    if mode == ACCESS or vid == 0 or \
            mode == NATIVE_UNTAGGED and vid == columns["tag"]:
        priority = columns.get("other_config", {}).get("priority-tags",
                                                       "never")
        if priority == "always" or priority == "if-nonzero" and pcp:
            return inner.tagged(0, pcp, tpid)
        return inner
    return inner.tagged(vid, pcp, tpid)
