/*
 * What an Interface row of type "vxlan" says: plain values, checked, with
 * defaults filled in. config_read_overlay.c makes it of Interface:options and
 * Interface:remote_macs.
 *
 * Options of Open vSwitch: remote_ip (an address, or "flow": several remotes),
 * local_ip, key (a VNI, or "flow": by the VLAN), dst_port, tos and ttl (a
 * number or "inherit"), df_default, csum. Ours: vni-map ("10=1010,20=1020" or
 * "10-19=1010-1019", VLAN 0: untagged frames; key=flow without: the VLAN is the
 * VNI), remotes ("192.0.2.7,192.0.2.8"), group and group-dev, learning,
 * arp-suppression, evpn, evpn-hold, reserved-bits (ignore, refuse),
 *split-horizon, mtu, and for an uplink of vswd's own underlay (a bridge),
 *underlay-tag, gateway, with local_ip as ADDRESS/PREFIX.
 *
 * Underlays stand in no row: the reader adds them to the tree, one for all
 *VXLAN ports that have the same (cfg_port.made_up, zero UUID):
 *
 *	vxlan.host	  a bridge that is in no row, with
 *	    vxlan.PORT[.ADDRESS]   type "vxlan-udp", port/vxlan_port.h;
 *				   without ADDRESS any IPv4, "::" any IPv6
 *	BRIDGE.vtep.ADDRESS  type "vxlan-station", a port of that bridge
 */
#ifndef VSWD_CONFIG_OVERLAY_H
#define VSWD_CONFIG_OVERLAY_H

#include "base/net_text.h"
#include "gateway/client.h"
#include "ovsdb-lite/uuid.h"
#include "tunnel/vtep.h"
#include "tunnel/vxlan.h"

/* MTU of the underlay where nothing says another. */
#define OVERLAY_UNDERLAY_MTU 1500
#define OVERLAY_REMOTES_MAX  4096 /* of one VXLAN port, of any origin */
#define OVERLAY_HOLD_S	     300  /* evpn-hold */

/* The bridge that is in no row. */
#define OVERLAY_HOST_BRIDGE "vxlan.host"

/* Where a station behind the overlay is: a row of table Remote_MAC. */
struct cfg_remote_mac {
	struct uuid uuid;
	uint64_t mac;
	uint16_t vlan;		  /* 0: key is a number */
	struct ip_address remote; /* VTEP */
	struct ip_address *ips;	  /* for suppression */
	size_t n_ips;
	bool sticky; /* it does not move */
	char *error; /* the row makes no sense; NULL: it does */
};

struct cfg_overlay {
	bool single;		 /* remote_ip is an address: remotes[0] */
	bool split_horizon;	 /* default: true */
	uint8_t ip_version;	 /* of all its outer packets; 4 or 6 */
	uint32_t vni;		 /* VTEP_NO_VNI: by the map */
	struct vtep_map *map;	 /* without flood lists; NULL: vni is one */
	struct ip_address local; /* len 0: any */
	uint16_t dst_port;
	bool inherit_tos, inherit_ttl;
	uint8_t tos, ttl;  /* ttl: 64 by default */
	uint8_t group_ttl; /* of packets to the group: ttl, 1 by default */
	bool dont_fragment;
	bool csum; /* outer UDP checksums; default: with IPv6 only */
	bool refuse_reserved;
	bool learning; /* MACs, and VTEPs, from traffic */
	bool suppress; /* default: not when single */
	bool evpn;
	uint32_t hold_s;
	uint32_t mtu;		    /* of inner frames; 0: as it turns out */
	struct ip_address *remotes; /* sorted, unicast */
	size_t n_remotes;
	struct ip_address group; /* len 0: none */
	char *group_dev;	 /* or NULL */

	/* An uplink's bridge; NULL: sockets of the host. */
	char *underlay;
	uint16_t underlay_tag;	   /* 0: untagged */
	uint8_t prefix_len;	   /* of local */
	struct ip_address gateway; /* len 0: none */
	/* Name of the made-up port; NULL with an error only. */
	char *underlay_port;

	struct cfg_remote_mac *macs;
	size_t n_macs;

	char *error; /* options that contradict each other, in one line */
};

void cfg_overlay_free(struct cfg_overlay *overlay); /* accepts NULL */
/*
 * The same, its Remote_MAC rows included? Either may be NULL. A port of type
 * vxlan is not opened anew for other options (cfg_interface_same_device()): who
 * carries this out compares, and changes what runs.
 */
bool cfg_overlay_equals(const struct cfg_overlay *a,
			const struct cfg_overlay *b);

#endif
