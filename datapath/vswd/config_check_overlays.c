#include "vswd/config_check_overlays.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ovsdb-lite/hash.h"
#include "ovsdb-lite/hmap.h"
#include "vswd/net_text.h"

LOG_MODULE(config);

static void refuse(struct overlay_check *check, const char *fmt, ...)
	PRINTF_LIKE(2, 3);
static void refuse(struct overlay_check *check, const char *fmt, ...)
{
	va_list args;

	if (check->error)
		return;
	va_start(args, fmt);
	if (vasprintf(&check->error, fmt, args) < 0)
		abort();
	va_end(args);
}

const struct cfg_bridge *config_find_bridge(const struct cfg_switch *config,
					    const char *name)
{
	for (size_t i = 0; i < config->n_bridges; i++)
		if (!strcmp(config->bridges[i]->name, name))
			return config->bridges[i];
	return NULL;
}

/* --- who comes first -------------------------------------------------------
 */

static bool same_remotes(const struct cfg_overlay *a,
			 const struct cfg_overlay *b)
{
	return a->single == b->single &&
	       (!a->single || ip_address_equal(&a->remotes[0], &b->remotes[0]));
}

static bool same_vnis(const struct cfg_overlay *a, const struct cfg_overlay *b)
{
	if (a->map && b->map)
		return vtep_map_equals(a->map, b->map);
	return !a->map && !b->map && a->vni == b->vni;
}

/* What it claims is what it had. */
static bool has_worked(const struct overlay_check *check)
{
	const struct cfg_overlay *a = check->overlay, *b = check->before;

	return b && !strcmp(a->underlay_port, b->underlay_port) &&
	       same_vnis(a, b) && same_remotes(a, b) && a->csum == b->csum &&
	       a->dont_fragment == b->dont_fragment &&
	       a->refuse_reserved == b->refuse_reserved &&
	       a->underlay_tag == b->underlay_tag &&
	       a->prefix_len == b->prefix_len && a->dst_port == b->dst_port &&
	       ip_address_equal(&a->gateway, &b->gateway);
}

static int compare_checks(const void *a_, const void *b_)
{
	const struct overlay_check *const *a = a_, *const *b = b_;
	int worked = has_worked(*b) - has_worked(*a);

	return worked ? worked : strverscmp((*a)->name, (*b)->name);
}

/* --- bridges ---------------------------------------------------------------
 */

static void check_bridge(struct overlay_check *check,
			 const struct cfg_switch *config)
{
	const struct cfg_overlay *o = check->overlay;
	const struct cfg_bridge *b;

	if (!o->underlay) {
		b = config_find_bridge(config, OVERLAY_HOST_BRIDGE);
		if (b)
			refuse(check,
			       "there is a bridge " OVERLAY_HOST_BRIDGE "%s, "
			       "which is what the bridge of VXLAN's sockets is "
			       "called; give it another name",
			       b->made_up ? " (of segment vxlan)" : "");
		return;
	}
	if (!strcmp(o->underlay, check->bridge->name)) {
		refuse(check,
		       "options:underlay is \"%s\", the bridge that the port "
		       "is in; outer packets would be inner ones again: set it "
		       "to the uplink's bridge",
		       o->underlay);
		return;
	}
	b = config_find_bridge(config, o->underlay);
	if (!b || b->made_up)
		refuse(check,
		       "options:underlay is \"%s\", and there is no such "
		       "bridge; make it, or set underlay to the uplink's "
		       "bridge",
		       o->underlay);
}

/*
 * Whether outer packets of VXLAN ports in the bridge `from` come to the bridge
 * `to`, by those of checks[0..n). Each of them is followed once, how many ways
 * there may be to it.
 */
static bool leads_to(struct overlay_check *const checks[], size_t n,
		     const char *from, const char *to, bool followed[])
{
	if (!strcmp(from, to))
		return true;
	for (size_t i = 0; i < n; i++) {
		const char *next = checks[i]->overlay->underlay;

		if (followed[i] || checks[i]->error || !next ||
		    strcmp(checks[i]->bridge->name, from) != 0)
			continue;
		followed[i] = true;
		if (leads_to(checks, n, next, to, followed))
			return true;
	}
	return false;
}

/* checks[n] among those before it. */
static void check_cycle(struct overlay_check *const checks[], size_t n)
{
	struct overlay_check *check = checks[n];
	const char *underlay = check->overlay->underlay;
	bool *followed;

	if (check->error || !underlay)
		return;
	followed = xcalloc(MAX(n, 1), sizeof(*followed));
	if (leads_to(checks, n, underlay, check->bridge->name, followed))
		refuse(check,
		       "options:underlay is \"%s\", whose own VXLAN ports "
		       "lead back to bridge %s; a tunnel in itself never "
		       "leaves: take another underlay",
		       underlay, check->bridge->name);
	free(followed);
}

/* --- underlays that are shared ---------------------------------------------
 */

static void refuse_difference(struct overlay_check *check,
			      const struct overlay_check *first,
			      const char *option, const char *what)
{
	refuse(check,
	       "options:%s is not that of interface %s, which has the same "
	       "%s; give both the same, or another local_ip%s",
	       option, first->name, what,
	       check->overlay->underlay ? "" : " or dst_port");
}

static void check_sockets(struct overlay_check *check,
			  const struct overlay_check *first)
{
	static const char what[] = "UDP port of the host";
	const struct cfg_overlay *a = check->overlay, *b = first->overlay;

	if (a->csum != b->csum)
		refuse_difference(check, first, "csum", what);
	if (a->dont_fragment != b->dont_fragment)
		refuse_difference(check, first, "df_default", what);
	if (a->refuse_reserved != b->refuse_reserved)
		refuse_difference(check, first, "reserved-bits", what);
	if (a->group_dev && b->group_dev && strcmp(a->group_dev, b->group_dev))
		refuse_difference(check, first, "group-dev", what);
}

static void check_station(struct overlay_check *check,
			  const struct overlay_check *first)
{
	static const char what[] = "address on the underlay";
	const struct cfg_overlay *a = check->overlay, *b = first->overlay;

	if (a->underlay_tag != b->underlay_tag)
		refuse_difference(check, first, "underlay-tag", what);
	if (a->prefix_len != b->prefix_len)
		refuse_difference(check, first, "local_ip", what);
	if (!ip_address_equal(&a->gateway, &b->gateway))
		refuse_difference(check, first, "gateway", what);
	if (a->dst_port != b->dst_port)
		refuse_difference(check, first, "dst_port", what);
	if (a->refuse_reserved != b->refuse_reserved)
		refuse_difference(check, first, "reserved-bits", what);
}

/* Datagrams to the address of one would not come to the other. */
static void check_any(struct overlay_check *check,
		      const struct overlay_check *first)
{
	const struct cfg_overlay *a = check->overlay, *b = first->overlay;

	if (a->underlay || b->underlay || a->dst_port != b->dst_port ||
	    a->ip_version != b->ip_version || !a->local.len == !b->local.len)
		return;
	refuse(check,
	       "options:local_ip is %s, but %s for interface %s, which has the "
	       "same dst_port, %u; give both a local_ip, or neither",
	       a->local.len ? ip_text(&a->local).text : "not set",
	       b->local.len ? ip_text(&b->local).text : "not set", first->name,
	       a->dst_port);
}

/*
 * The first of each underlay that can be: others are compared with it. Few, as
 * there are few underlays.
 */
struct firsts {
	struct overlay_check **checks;
	size_t n;
};

static void check_shared(struct overlay_check *check,
			 const struct firsts *firsts)
{
	for (size_t i = 0; i < firsts->n && !check->error; i++) {
		const struct overlay_check *first = firsts->checks[i];

		if (strcmp(first->overlay->underlay_port,
			   check->overlay->underlay_port) != 0)
			check_any(check, first);
		else if (check->overlay->underlay)
			check_station(check, first);
		else
			check_sockets(check, first);
	}
}

static void note_first(struct firsts *firsts, struct overlay_check *check)
{
	for (size_t i = 0; i < firsts->n; i++)
		if (!strcmp(firsts->checks[i]->overlay->underlay_port,
			    check->overlay->underlay_port))
			return;
	firsts->checks =
		xrealloc(firsts->checks, (firsts->n + 1) * sizeof(check));
	firsts->checks[firsts->n++] = check;
}

/* --- VNIs ------------------------------------------------------------------
 */

/* A VNI of a VXLAN port that can be. */
struct claim {
	struct hmap_node node; /* by underlay and VNI */
	struct overlay_check *owner;
	uint32_t vni;
};

static uint32_t claim_hash(const struct cfg_overlay *o, uint32_t vni)
{
	return hash_add(
		hash_bytes(o->underlay_port, strlen(o->underlay_port), 0), vni);
}

/* Both are for packets of one remote each, so they are told apart. */
static bool are_apart(const struct cfg_overlay *a, const struct cfg_overlay *b)
{
	return a->single && b->single &&
	       !ip_address_equal(&a->remotes[0], &b->remotes[0]);
}

static void check_vni(struct overlay_check *check, struct hmap *claims,
		      uint32_t vni)
{
	const struct cfg_overlay *o = check->overlay;
	struct hmap_node *node =
		claims->buckets[claim_hash(o, vni) & claims->mask];

	for (; node; node = node->next) {
		const struct claim *c = CONTAINER_OF(node, struct claim, node);
		const struct cfg_overlay *other = c->owner->overlay;

		if (c->vni != vni ||
		    strcmp(other->underlay_port, o->underlay_port) != 0 ||
		    are_apart(o, other))
			continue;
		refuse(check,
		       "VNI %u%s%s is that of interface %s already, by the "
		       "same underlay; packets of one VNI %scan be for one "
		       "port only: take another VNI, local_ip or dst_port",
		       vni, o->single ? " with remote " : "",
		       o->single ? ip_text(&o->remotes[0]).text : "",
		       c->owner->name,
		       o->single && other->single ? "and remote " : "");
		return;
	}
}

static void claim_vni(struct overlay_check *check, struct hmap *claims,
		      uint32_t vni)
{
	struct claim *c = xmalloc(sizeof(*c));

	c->owner = check;
	c->vni = vni;
	hmap_insert(claims, &c->node, claim_hash(check->overlay, vni));
}

static void for_each_vni(struct overlay_check *check, struct hmap *claims,
			 void (*what)(struct overlay_check *, struct hmap *,
				      uint32_t))
{
	const struct vtep_map *map = check->overlay->map;

	if (!map)
		what(check, claims, check->overlay->vni);
	for (unsigned i = 0; i <= VTEP_VLAN_MAX && map; i++)
		if (vtep_map_vni(map, i) != VTEP_NO_VNI)
			what(check, claims, vtep_map_vni(map, i));
}

static void forget_claims(struct hmap *claims)
{
	for (uint32_t i = 0; i <= claims->mask; i++)
		for (struct hmap_node *node = claims->buckets[i], *next; node;
		     node = next) {
			next = node->next;
			free(CONTAINER_OF(node, struct claim, node));
		}
	hmap_destroy(claims);
}

/* --- ourselves -------------------------------------------------------------
 */

/*
 * Where the kernel chooses the source, any address of the host is ours; and
 * none of them is that of an underlay's own station.
 */
static void check_self(struct overlay_check *check,
		       const struct ip_address *own, size_t n_own)
{
	const struct cfg_overlay *o = check->overlay;

	for (size_t i = 0; i < n_own && o->underlay; i++)
		if (ip_address_equal(&own[i], &o->local))
			refuse(check,
			       "local_ip %s is an address of this host; with "
			       "an underlay the VTEP has one of its own, and "
			       "both would answer for it: take another",
			       ip_text(&own[i]).text);
	for (size_t i = 0; i < n_own && !o->underlay && !o->local.len; i++)
		for (size_t k = 0; k < o->n_remotes; k++)
			if (ip_address_equal(&own[i], &o->remotes[k]))
				refuse(check,
				       "remote %s is an address of this host; "
				       "a VTEP is not its own remote: set it "
				       "to the other host's",
				       ip_text(&own[i]).text);
}

struct ip_address *config_own_addresses(size_t *n)
{
	struct ip_address *own = NULL;
	struct ifaddrs *all = NULL;

	*n = 0;
	if (getifaddrs(&all)) {
		log_warn_limited(
			"the host's addresses cannot be read: %s; remotes of "
			"VXLAN ports are not compared with them",
			strerror(errno));
		return NULL;
	}
	for (const struct ifaddrs *a = all; a; a = a->ifa_next) {
		const void *ip;
		bool v4;

		if (!a->ifa_addr || (a->ifa_addr->sa_family != AF_INET &&
				     a->ifa_addr->sa_family != AF_INET6))
			continue;
		v4 = a->ifa_addr->sa_family == AF_INET;
		ip = v4 ? (void *)&((struct sockaddr_in *)a->ifa_addr)->sin_addr
			: (void *)&((struct sockaddr_in6 *)a->ifa_addr)
				     ->sin6_addr;
		own = xrealloc(own, (*n + 1) * sizeof(*own));
		own[(*n)++] = ip_address_of(ip, v4 ? 4 : 16);
	}
	freeifaddrs(all);
	return own;
}

/* --- all -------------------------------------------------------------------
 */

static void check_among(struct overlay_check *order[], size_t n,
			const struct cfg_switch *config,
			const struct ip_address *own, size_t n_own)
{
	struct firsts firsts = { 0 };
	struct hmap claims;

	hmap_init(&claims);
	for (size_t i = 0; i < n; i++) {
		struct overlay_check *check = order[i];

		check_bridge(check, config);
		check_cycle(order, i);
		check_self(check, own, n_own);
		check_shared(check, &firsts);
		if (!check->error)
			for_each_vni(check, &claims, check_vni);
		if (check->error)
			continue;
		for_each_vni(check, &claims, claim_vni);
		note_first(&firsts, check);
	}
	forget_claims(&claims);
	free(firsts.checks);
}

void config_check_overlays_with(struct overlay_check *checks, size_t n,
				const struct cfg_switch *config,
				const struct ip_address *own, size_t n_own)
{
	struct overlay_check **order = xcalloc(n, sizeof(*order));

	for (size_t i = 0; i < n; i++)
		order[i] = &checks[i];
	qsort(order, n, sizeof(*order), compare_checks);
	check_among(order, n, config, own, n_own);
	free(order);
}

void config_check_overlays(struct overlay_check *checks, size_t n,
			   const struct cfg_switch *config)
{
	size_t n_own = 0;
	struct ip_address *own = config_own_addresses(&n_own);

	config_check_overlays_with(checks, n, config, own, n_own);
	free(own);
}
