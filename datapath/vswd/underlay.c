/*
 * Underlays: what carries the outer packets of overlays. Each is a port that
 * the configuration has made up, of sockets or of a bridge (config_overlay.h),
 * and serves all VXLAN ports that ask for the same.
 */
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vswd/net_text.h"
#include "vswd/overlay.h"

LOG_MODULE(overlay);

#define RETRY_S 5 /* a port that could not be opened is tried again */

/* --- life ------------------------------------------------------------------
 */

/* Its port, if that is the one that was made up for it. */
static struct vport *find_port(const struct underlay *u)
{
	struct vport *v = vswitch_find_vport(u->vs, u->name);

	return v && v->config->made_up && !strncmp(vport_type(v), "vxlan-", 6)
		       ? v
		       : NULL;
}

static struct underlay *create(struct vswitch *vs, const struct cfg_overlay *c)
{
	struct underlay *u = xcalloc(1, sizeof(*u));

	u->vs = vs;
	u->id = ++vs->last_segment_id;
	u->name = xstrdup(c->underlay_port);
	u->next = vs->underlays;
	vs->underlays = u;
	u->v = find_port(u);
	if (c->underlay)
		u->station = underlay_station_create(u, c);
	return u;
}

static void destroy(struct underlay **at)
{
	struct underlay *u = *at;

	*at = u->next;
	if (u->station)
		underlay_station_destroy(u->station);
	free(u->host_ips);
	free(u->name);
	free(u);
}

struct underlay *underlay_get(struct vswitch *vs, const struct cfg_overlay *c)
{
	struct underlay *u = vs->underlays;

	while (u && strcmp(u->name, c->underlay_port))
		u = u->next;
	if (!u)
		return create(vs, c);
	u->v = find_port(u);
	if (u->station)
		underlay_station_configure(u->station, c);
	else if (c->underlay)
		u->station = underlay_station_create(u, c);
	return u;
}

struct underlay *underlay_find(const struct vswitch *vs, uint32_t id)
{
	struct underlay *u = vs->underlays;

	while (u && u->id != id)
		u = u->next;
	return u;
}

void underlays_reconcile(struct vswitch *vs)
{
	struct underlay **at = &vs->underlays;

	for (struct underlay *u = vs->underlays; u; u = u->next)
		u->seen = false;
	for (struct overlay *o = vs->overlays; o; o = o->next) {
		o->underlay->seen = true;
		underlay_get(vs, o->config); /* its port may be another's */
	}
	while (*at)
		if ((*at)->seen)
			at = &(*at)->next;
		else
			destroy(at);
}

/* The bridge that the station is on may be about to go, too. */
void underlays_port_gone(struct vswitch *vs, const struct vport *v)
{
	struct underlay *u = vs->underlays;
	const struct overlay *o = vs->overlays;

	while (u && u->v != v)
		u = u->next;
	if (!u)
		return;
	if (u->station)
		underlay_station_port_gone(u->station);
	u->v = NULL;
	while (o && o->underlay != u)
		o = o->next;
	if (u->station && o) {
		underlay_station_configure(u->station, o->config);
	} else if (u->station) {
		underlay_station_destroy(u->station);
		u->station = NULL;
	}
}

/* An address that its socket was to have may be there now. */
void underlays_tick(struct vswitch *vs)
{
	if (vs->now_s % RETRY_S)
		return;
	for (struct underlay *u = vs->underlays; u; u = u->next) {
		if (!u->v || u->v->port)
			continue;
		u->v->to_open = true;
		vport_mark_dirty(vs, u->v);
	}
}

char *underlay_fault(const struct underlay *u)
{
	const char *why;

	if (!u->v)
		return xasprintf("nothing carries it: its underlay's port %s "
				 "is not there, for want of the bridge that "
				 "options:underlay names, or because another "
				 "interface has its name",
				 u->name);
	if (u->v->port) {
		why = u->station ? underlay_station_error(u->station) : NULL;
		return why ? xstrdup(why) : NULL;
	}
	why = vport_error(u->v);
	return xasprintf("nothing carries it: its underlay's port %s: %s",
			 u->name, why ? why : "not open");
}

/* --- remotes ---------------------------------------------------------------
 */

static bool address_of(const struct sockaddr *a, struct ip_address *ip)
{
	const uint8_t *bytes = (const uint8_t *)a;

	if (!a || (a->sa_family != AF_INET && a->sa_family != AF_INET6))
		return false;
	*ip = a->sa_family == AF_INET
		      ? ip_address_of(
				bytes + offsetof(struct sockaddr_in, sin_addr),
				4)
		      : ip_address_of(bytes + offsetof(struct sockaddr_in6,
						       sin6_addr),
				      16);
	return true;
}

static void ask_host(struct underlay *u)
{
	struct ifaddrs *all, *a;
	unsigned max = 1;

	if (u->host_ips && u->host_ips_s == u->vs->now_s)
		return;
	if (getifaddrs(&all))
		all = NULL; /* what was known goes on */
	for (a = all; a; a = a->ifa_next)
		max++;
	if (all || !u->host_ips)
		u->n_host_ips = 0;
	u->host_ips_s = u->vs->now_s;
	u->host_ips = xrealloc(u->host_ips,
			       MAX(max, u->n_host_ips) * sizeof(*u->host_ips));
	for (a = all; a; a = a->ifa_next)
		if (address_of(a->ifa_addr, &u->host_ips[u->n_host_ips]))
			u->n_host_ips++;
	if (all)
		freeifaddrs(all);
}

/* The host has the address. */
static bool is_host_s(struct underlay *u, const struct ip_address *ip)
{
	ask_host(u);
	for (unsigned i = 0; i < u->n_host_ips; i++)
		if (ip_address_equal(&u->host_ips[i], ip))
			return true;
	return false;
}

bool underlay_is_self(struct underlay *u, const struct cfg_overlay *c,
		      const struct ip_address *ip)
{
	if (c->local.len)
		return ip_address_equal(&c->local, ip);
	return !u->station && is_host_s(u, ip);
}

bool underlay_reaches(const struct underlay *u, const struct ip_address *ip)
{
	return !u->station || underlay_station_reaches(u->station, ip);
}

void underlay_remote_added(struct underlay *u, struct overlay_remote *r)
{
	if (u->station)
		underlay_station_want(u->station, r);
	else
		r->resolved = true; /* the host sees to it */
}

void underlay_remote_gone(struct underlay *u, struct overlay_remote *r)
{
	if (u->station)
		underlay_station_forget(u->station, r);
}
