"""What slow protocols' frames must be (IEEE 802.1AX annex 57A and 6.4.2.3)."""
from .record import check_decodes, decode
from .testing import equal

SLOW_PROTOCOLS = b"\x01\x80\xc2\x00\x00\x02"


def lacpdus(seen):
    return [one for one in seen if one.data[:6] == SLOW_PROTOCOLS]


def check_lacpdus(lab, seen):
    """What we send is LACP to the letter."""
    check_decodes(lab, seen, "lacp")
    rows = decode(lab, seen, "lacp", "slow.subtype", "lacp.version",
                  "lacp.tlv_type", "lacp.tlv_length")
    for row in rows:
        equal([[int(v, 0) for v in values] for values in row.values()],
              [[1], [1], [1, 2, 3, 0], [20, 20, 16, 0]],
              "subtype, version, types and lengths")
    for one in seen:
        equal(len(one.data), 124, "octets of a LACPDU without FCS")
        for at, length in ((33, 3), (53, 3), (60, 12), (74, 50)):
            assert not any(one.data[at:at + length]), \
                f"reserved octets at {at} are not zero: {one.data.hex()}"
