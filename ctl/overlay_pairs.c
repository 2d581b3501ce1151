/* What two VXLAN ports of a switch cannot both have (overlay_rules.h). */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl/overlay_rules.h"
#include "ctl/overlay_settings.h"

#define VXLAN_UDP_PORT 4789
/* Of EVPN's devices in the kernel, by which FRR tells what it knows. */
#define EVPN_UDP_PORT 24789
#define VLANS	      4094

/* An underlay: ports with the same one share a socket or an address. */
struct place {
	const char *bridge;    /* NULL: the host's sockets */
	struct net_addr local; /* version 0: any */
	unsigned len, version;
	unsigned long dst_port;
};

static const char *option(const struct overlay_plan *p, const char *key)
{
	return overlay_plan_option(p, key);
}

static bool is_on(const struct overlay_plan *p, const char *key, bool fallback)
{
	const char *value = option(p, key);

	return value ? !strcasecmp(value, "true") : fallback;
}

static bool is_single(const struct overlay_plan *p)
{
	const char *remote = option(p, "remote_ip");

	return remote && strcmp(remote, "flow") != 0;
}

/* By any of its addresses; all are of one version. */
static unsigned version_of(const struct overlay_plan *p)
{
	static const char *const keys[] = { "local_ip", "remote_ip", "remotes",
					    "group" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *text = option(p, keys[i]);

		if (text && strcmp(text, "flow") != 0)
			return strchr(text, ':') ? 6 : 4;
	}
	return 4;
}

static struct place place_of(const struct overlay_plan *p)
{
	const char *port = option(p, "dst_port"), *local;
	struct place place = {
		.bridge = option(p, "underlay"),
		.version = version_of(p),
		.dst_port = port ? strtoul(port, NULL, 0) : VXLAN_UDP_PORT,
	};
	struct net_prefix prefix;

	local = option(p, "local_ip");
	if (local && net_prefix_parse(&prefix, local, 0)) {
		place.local = prefix.addr;
		place.len = prefix.len;
	} else if (local) {
		net_addr_parse(&place.local, local, 0);
	}
	return place;
}

static bool same_place(const struct place *a, const struct place *b)
{
	if (!a->bridge != !b->bridge || a->version != b->version ||
	    !a->local.version != !b->local.version ||
	    (a->local.version && net_addr_compare(&a->local, &b->local)))
		return false;
	return a->bridge ? !strcmp(a->bridge, b->bridge)
			 : a->dst_port == b->dst_port;
}

/* --- what is shared ------------------------------------------------------- */

static char *differs(const struct overlay_plan *a, const struct overlay_plan *b,
		     const char *key)
{
	bool host = !option(a, "underlay");

	return xasprintf("VXLAN port %s cannot have another %s than VXLAN port "
			 "%s, with which it shares %s; set both in one "
			 "command, or give it another local_ip%s",
			 a->name, key, b->name,
			 host ? "a UDP socket" : "an address on the underlay",
			 host ? " or dst_port" : "");
}

static bool same_text(const char *a, const char *b)
{
	return !a || !b ? a == b : !strcmp(a, b);
}

static bool refuses_reserved(const struct overlay_plan *p)
{
	const char *text = option(p, "reserved-bits");

	return text && !strcmp(text, "refuse");
}

static char *check_socket(const struct overlay_plan *a,
			  const struct overlay_plan *b)
{
	const char *dev_a = option(a, "group-dev"),
		   *dev_b = option(b, "group-dev");
	bool v6 = version_of(a) == 6;

	if (is_on(a, "csum", v6) != is_on(b, "csum", v6))
		return differs(a, b, "csum");
	if (is_on(a, "df_default", true) != is_on(b, "df_default", true))
		return differs(a, b, "df_default");
	if (dev_a && dev_b && strcmp(dev_a, dev_b) != 0)
		return differs(a, b, "group-dev");
	return NULL;
}

static char *check_station(const struct overlay_plan *a,
			   const struct overlay_plan *b)
{
	struct place x = place_of(a), y = place_of(b);

	if (!same_text(option(a, "underlay-tag"), option(b, "underlay-tag")))
		return differs(a, b, "underlay-tag");
	if (x.len != y.len)
		return differs(a, b, "length of its network");
	if (!same_text(option(a, "gateway"), option(b, "gateway")))
		return differs(a, b, "gateway");
	if (x.dst_port != y.dst_port)
		return differs(a, b, "dst_port");
	return NULL;
}

/* --- VNIs ----------------------------------------------------------------- */

static bool is_flow(const struct overlay_plan *p, const char **key)
{
	*key = option(p, "key");
	if (!*key)
		*key = option(p, "in_key");
	return *key && !strcmp(*key, "flow");
}

/* The next VNIs of it; false: no more. *rest: NULL to begin with. */
static bool next_vnis(const struct overlay_plan *p, const char **rest,
		      bool *begun, struct overlay_range *range)
{
	const char *map = option(p, "vni-map"), *key;
	char part[NET_TEXT_MAX];

	if (!*begun)
		*rest = map;
	if (map) {
		*begun = true;
		if (!overlay_list_next(rest, part))
			return false;
		*range = overlay_range_parse(part);
		return true;
	}
	if (*begun)
		return false;
	*begun = true;
	*range = (struct overlay_range){ .vni = 1, .n = VLANS };
	if (!is_flow(p, &key))
		*range = (struct overlay_range){
			.vni = key ? strtoul(key, NULL, 0) : 0,
			.n = 1,
		};
	return true;
}

static bool share_vni(const struct overlay_plan *a,
		      const struct overlay_plan *b, unsigned long *vni)
{
	const char *rest_a = NULL, *rest_b;
	bool begun_a = false, begun_b;
	struct overlay_range x, y;

	while (next_vnis(a, &rest_a, &begun_a, &x)) {
		rest_b = NULL;
		begun_b = false;
		while (next_vnis(b, &rest_b, &begun_b, &y)) {
			*vni = MAX(x.vni, y.vni);
			if (x.vni < y.vni + y.n && y.vni < x.vni + x.n)
				return true;
		}
	}
	return false;
}

/* Two with one remote each are told apart by that. */
static bool are_apart(const struct overlay_plan *a,
		      const struct overlay_plan *b)
{
	struct net_addr x, y;

	return is_single(a) && is_single(b) &&
	       net_addr_parse(&x, option(a, "remote_ip"), 0) &&
	       net_addr_parse(&y, option(b, "remote_ip"), 0) &&
	       net_addr_compare(&x, &y);
}

static char *check_vnis(const struct overlay_plan *a,
			const struct overlay_plan *b)
{
	unsigned long vni;

	if (are_apart(a, b) || !share_vni(a, b, &vni))
		return NULL;
	return xasprintf("VXLAN port %s cannot have VNI %lu, which is VXLAN "
			 "port %s's by the same underlay; take another VNI, "
			 "local_ip or dst_port",
			 a->name, vni, b->name);
}

/* --- all ------------------------------------------------------------------ */

char *overlay_mirror_check(const struct overlay_plan *a,
			   const struct overlay_plan *evpn)
{
	struct place place = place_of(a);

	if (place.bridge || place.dst_port != EVPN_UDP_PORT ||
	    !is_on(evpn, "evpn", false))
		return NULL;
	return xasprintf("VXLAN port %s cannot have dst_port=%u: the kernel "
			 "devices that mirror EVPN (evpn=true of %s) have that "
			 "UDP port; set options:dst_port of %s to another",
			 a->name, EVPN_UDP_PORT, evpn->name, a->name);
}

char *overlay_pair_check(const struct overlay_plan *a,
			 const struct overlay_plan *b)
{
	struct place x = place_of(a), y = place_of(b);
	char *why = overlay_mirror_check(a, b);

	if (!why)
		why = overlay_mirror_check(b, a);
	if (why)
		return why;
	if (!x.bridge && !y.bridge && x.dst_port == y.dst_port &&
	    x.version == y.version && !x.local.version != !y.local.version)
		return xasprintf("VXLAN port %s has %s local_ip, and VXLAN "
				 "port %s, with the same dst_port (%lu), has "
				 "%s; give both one, or neither",
				 a->name, x.local.version ? "a" : "no", b->name,
				 x.dst_port, y.local.version ? "one" : "none");
	if (!same_place(&x, &y))
		return NULL;
	if (refuses_reserved(a) != refuses_reserved(b))
		return differs(a, b, "reserved-bits");
	why = x.bridge ? check_station(a, b) : check_socket(a, b);
	return why ? why : check_vnis(a, b);
}
