/*
 * Why a packet ends here. Every packet that is not sent on ends with one of
 * these, counted at the port named in the comment; a drop with no reason is a
 * bug. The names are what `vsw-ctl drops` shows and docs/drops.md explains.
 */
#ifndef PACKET_DROP_H
#define PACKET_DROP_H

#define DROP_REASONS(X)                                                        \
	/* at the port of arrival: the frame */                                \
	X(RUNT, "runt", "shorter than an Ethernet header")                     \
	X(GIANT, "giant", "longer than the port's MTU and its tags")           \
	X(BAD_SOURCE, "bad-source", "source address is multicast or zero")     \
	X(BAD_VLAN, "bad-vlan", "VLAN tag cut short, or VLAN 4095")            \
	X(TOO_MANY_TAGS, "too-many-tags", "more VLAN tags than are parsed")    \
	X(BAD_OFFLOAD, "bad-offload", "offload header contradicts the frame")  \
	X(TRUNCATED, "truncated", "cut short by the device")                   \
	/* at the port of arrival: the policy */                               \
	X(LINK_LOCAL, "link-local", "reserved address 01:80:c2:00:00:0x")      \
	X(VLAN_NOT_ALLOWED, "vlan-not-allowed", "VLAN is not on this port")    \
	X(TAG_NOT_ALLOWED, "tag-not-allowed",                                  \
	  "tagged frame on an access port")                                    \
	X(UNTAGGED_NOT_ALLOWED, "untagged-not-allowed",                        \
	  "untagged frame on a port that takes tagged ones only")              \
	/* at the port of arrival: who a station says it is (policy/guard.h)   \
	 */                                                                    \
	X(FORGED_SOURCE, "forged-source", "source MAC is not the port's")      \
	X(SPOOFED_IP, "spoofed-ip", "source IP address is not the port's")     \
	/* at the port of arrival: what a station says (policy/inspect.h) */   \
	X(SPOOFED_ARP, "spoofed-arp", "ARP with addresses not the port's")     \
	X(SPOOFED_ND, "spoofed-nd",                                            \
	  "neighbor discovery with addresses not the port's")                  \
	X(DHCP_SERVER, "dhcp-server",                                          \
	  "DHCP server's message, port is guarded")                            \
	X(ROUTER, "router", "router's message, port is guarded")               \
	X(UNINSPECTED, "uninspected", "headers too long or odd to be judged")  \
	/* at the port of arrival, or at that of departure */                  \
	X(MIRROR_PORT, "mirror-port", "the port is kept for a mirror")         \
	X(ACL_IN, "acl-in", "the port's access list denies it")                \
	X(STORM_BROADCAST, "storm-broadcast", "too many broadcast frames")     \
	X(STORM_MULTICAST, "storm-multicast", "too many multicast frames")     \
	X(STORM_UNKNOWN, "storm-unknown", "too many to unknown stations")      \
	X(MAC_LIMIT, "mac-limit", "sender beyond the port's learning limit")   \
	X(POLICED, "policed", "faster than the port's ingress policing")       \
	/* at the port of arrival: bonds, and frames for protocols */          \
	X(BOND_STANDBY, "bond-standby",                                        \
	  "member that the bond does not use now")                             \
	X(BOND_DUPLICATE, "bond-duplicate",                                    \
	  "group frame that another member of the bond takes")                 \
	X(BOND_MOVED, "bond-moved", "its sender is behind another port")       \
	X(PUNT_LIMITED, "punt-limited", "more protocol frames than are read")  \
	X(PUNT_FULL, "punt-full", "no room for a protocol frame")              \
	/* at the port of arrival: the decision */                             \
	X(SAME_PORT, "same-port", "destination is behind the port of arrival") \
	X(NO_DESTINATION, "no-destination", "no port to send or flood to")     \
	X(PATCH_LOOP, "patch-loop", "crossed too many patch ports")            \
	X(ISOLATED, "isolated",                                                \
	  "between ports set apart: isolated, or of other communities")        \
	X(RX_OVERFLOW, "rx-overflow",                                          \
	  "kernel's or guest's queue to us was full")                          \
	/* at the port of departure */                                         \
	X(ACL_OUT, "acl-out", "the port's access list denies it")              \
	X(TX_FULL, "tx-full", "device or guest does not take more now")        \
	X(TX_DOWN, "tx-down", "device is down or gone")                        \
	X(TX_TOO_BIG, "tx-too-big", "longer than the departure port's MTU")    \
	X(TX_ERROR, "tx-error", "device refused the frame")                    \
	X(TX_BUSY, "tx-busy", "queue was taken by another worker")             \
	X(TX_OFFLOAD, "tx-offload", "could not be segmented or checksummed")   \
	X(QUEUE_FULL, "queue-full", "the shaper's queues are full")            \
	X(CODEL, "codel", "waited too long in a shaper's queue (CoDel)")       \
	X(SHAPER_GONE, "shaper-gone", "waited in a shaper that was removed")   \
	X(BOND_DOWN, "bond-down", "no member of the bond can send")            \
	/* at a gateway's port of arrival: routing */                          \
	X(ROUTE_OTHER, "route-other", "not addressed to the gateway")          \
	X(ROUTE_PROTOCOL, "route-protocol", "neither IPv4 nor IPv6")           \
	X(ROUTE_MALFORMED, "route-malformed", "IP header is broken")           \
	X(ROUTE_SOURCE, "route-source", "source address cannot be there")      \
	X(ROUTE_MARTIAN, "route-martian", "destination that is never routed")  \
	X(ROUTE_NO_WAY, "route-no-way", "no way to the destination")           \
	X(ROUTE_TTL, "route-ttl", "has been forwarded too often")              \
	X(ROUTE_TOO_BIG, "route-too-big", "larger than the MTU of its way")    \
	X(ROUTE_FRAGMENTS, "route-fragments", "could not be fragmented")       \
	/* at a gateway's port of arrival: address translation */              \
	X(NAT_MALFORMED, "nat-malformed", "IP or transport header is broken")  \
	X(NAT_PROTOCOL, "nat-protocol", "not TCP, UDP or an ICMP query")       \
	X(NAT_UNSOLICITED, "nat-unsolicited", "nobody inside asked for it")    \
	X(NAT_NO_SESSION, "nat-no-session", "belongs to no session")           \
	X(NAT_FULL, "nat-full", "session table or outside ports are used up")  \
	X(NAT_LIMIT, "nat-limit", "client has reached its limit")              \
	X(NAT_FRAGMENT, "nat-fragment", "fragment without its first one")      \
	X(NAT_BUSY, "nat-busy", "another worker held the table too long")      \
	/* at a gateway's port of arrival: no MAC is known */                  \
	X(HOLD_FULL, "hold-full", "too many wait for their next hop")          \
	X(HOLD_UNREACHED, "hold-unreached", "next hop does not answer")        \
	/* at a VXLAN port, or that of a remote VTEP: into the tunnel */       \
	X(TUNNEL_TOO_BIG, "tunnel-too-big", "larger than the overlay's MTU")   \
	X(TUNNEL_UNRESOLVED, "tunnel-unresolved",                              \
	  "next hop of the remote VTEP does not answer")                       \
	X(TUNNEL_NO_VNI, "tunnel-no-vni", "its VLAN has no VNI")               \
	X(TUNNEL_NO_REMOTE, "tunnel-no-remote", "no remote VTEP to send to")   \
	X(TUNNEL_LOOP, "tunnel-loop", "would go through its own tunnel")       \
	X(TUNNEL_HORIZON, "tunnel-horizon", "from one tunnel into another")    \
	/* at the underlay's port: out of the tunnel (tunnel/vxlan.h) */       \
	X(VXLAN_MALFORMED, "vxlan-malformed", "outer or inner header broken")  \
	X(VXLAN_FLAGS, "vxlan-flags", "no VNI, or reserved bits are refused")  \
	X(VXLAN_CHECKSUM, "vxlan-checksum", "outer checksum wrong or missing") \
	X(VXLAN_FRAGMENT, "vxlan-fragment", "outer packet is a fragment")      \
	X(VXLAN_TAG, "vxlan-tag", "inner frame has a VLAN tag")                \
	X(VXLAN_ECN, "vxlan-ecn", "congestion that its sender cannot be told") \
	X(VXLAN_SELF, "vxlan-self", "outer source address is our own")         \
	X(VXLAN_NO_VNI, "vxlan-no-vni", "nobody here has its VNI")             \
	X(VXLAN_NO_REMOTE, "vxlan-no-remote", "from an unknown remote VTEP")

enum drop_reason {
#define X(id, name, help) DROP_##id,
	DROP_REASONS(X)
#undef X
		N_DROP_REASONS
};

/* Name as in the table above; "unknown" for anything else. */
const char *drop_reason_name(enum drop_reason reason);
const char *drop_reason_help(enum drop_reason reason);

#endif
