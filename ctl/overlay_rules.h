/*
 * VXLAN ports whose options contradict each other. Each option alone is looked
 * at, too (overlay_settings.h); vswd would say the same in Interface:error, but
 * only after it was stored.
 */
#ifndef CTL_OVERLAY_RULES_H
#define CTL_OVERLAY_RULES_H

#include "base/util.h"

struct overlay_pair {
	const char *key, *value;
};

/* An interface of type vxlan as its row is. */
struct overlay_plan {
	const char *name;
	const struct overlay_pair *options;
	size_t n_options;
};

/* NULL: it is not set. */
const char *overlay_plan_option(const struct overlay_plan *plan,
				const char *key);
/*
 * NULL, or what cannot be, in one line that says what to do; freed by the
 * caller.
 */
char *overlay_plan_check(const struct overlay_plan *plan);

/*
 * The same of two ports of one switch, each of which can be alone: one VNI or
 * one socket for both. What is said is about the first, and names the other.
 */
char *overlay_pair_check(const struct overlay_plan *a,
			 const struct overlay_plan *b);
/* A part of that: a's UDP port is that of the devices for evpn. May be one. */
char *overlay_mirror_check(const struct overlay_plan *a,
			   const struct overlay_plan *evpn);

/* A part of a vni-map: n VLANs from vlan on, and as many VNIs. */
struct overlay_range {
	unsigned long vlan, vni, n;
};

/* The text is right; it is written into. */
struct overlay_range overlay_range_parse(char *part);

/* A row of table Remote_MAC. */
struct overlay_mac {
	const char *mac, *remote;
	const char *const *ips;
	size_t n_ips;
};

/* The same; plan: of the interface that refers to it, or NULL. */
char *overlay_mac_check(const struct overlay_mac *mac,
			const struct overlay_plan *plan);

#endif
