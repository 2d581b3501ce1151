#include "vswd/config_check_segments.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vswd/net_text.h"

LOG_MODULE(config);

/* Two halves of everything are a default route, too (as VPNs have it). */
#define DEFAULT_ROUTE_LEN 1

static void refuse(struct segment_check *check, const char *fmt, ...)
	PRINTF_LIKE(2, 3);
static void refuse(struct segment_check *check, const char *fmt, ...)
{
	va_list args;

	check->fails = true;
	if (check->error)
		return;
	va_start(args, fmt);
	if (vasprintf(&check->error, fmt, args) < 0)
		abort();
	va_end(args);
}

const struct cfg_segment *segment_check_value(const struct segment_check *check)
{
	return check->goes_on ? check->former : check->segment;
}

/* --- who comes first -------------------------------------------------------
 */

/* Its machines live with addresses of its subnet. */
static bool has_leases(const struct cfg_segment *s)
{
	for (size_t i = 0; i < s->n_leases; i++)
		if (s->leases[i].lease.state == DHCP_BOUND &&
		    !((s->leases[i].lease.ip ^ s->ip4) &
		      ip4_mask(s->prefix4_len)))
			return true;
	return false;
}

/*
 * It has worked until now, where it is. When vswd starts, leases tell so: what
 * worked goes on after a restart, too.
 */
static bool has_worked(const struct segment_check *check)
{
	const struct cfg_segment *a = segment_check_value(check);
	const struct cfg_segment *b = check->before;

	if (!b)
		return has_leases(a);
	return !b->error && a->type == b->type && a->outside == b->outside &&
	       a->prefix4_len == b->prefix4_len &&
	       !((a->ip4 ^ b->ip4) & ip4_mask(a->prefix4_len)) &&
	       a->ip6.prefix_len == b->ip6.prefix_len &&
	       ip6_in_prefix(a->ip6.ip, b->ip6.ip, a->ip6.prefix_len);
}

static int compare_segments(const void *a_, const void *b_)
{
	const struct segment_check *const *a = a_, *const *b = b_;
	int worked = has_worked(*b) - has_worked(*a);

	return worked ? worked
		      : strcmp((*a)->segment->name, (*b)->segment->name);
}

/* --- the bridges -----------------------------------------------------------
 */

static bool has_bridge(const struct cfg_switch *config, const char *name)
{
	for (size_t i = 0; i < config->n_bridges; i++)
		if (!strcmp(config->bridges[i]->name, name))
			return true;
	return false;
}

bool config_segment_has_room(const struct cfg_segment *s,
			     const struct cfg_switch *config)
{
	char *made_up = xasprintf("%s.host", s->name);
	bool good = !has_bridge(config, made_up);

	free(made_up);
	return good;
}

static void check_bridges(struct segment_check *check,
			  const struct cfg_switch *config)
{
	const struct cfg_segment *s = check->segment;

	if (!config_segment_has_room(s, config))
		refuse(check,
		       "there is a bridge %s.host, which is what the segment's "
		       "own link to the host is called; give one of them "
		       "another name",
		       s->name);
}

/* The segment of that bridge among the first n, or NULL. */
static const struct cfg_segment *find_segment(
	struct segment_check *const checks[], size_t n, const char *bridge)
{
	for (size_t i = 0; i < n; i++)
		if (!checks[i]->fails &&
		    !strcmp(checks[i]->segment->name, bridge))
			return segment_check_value(checks[i]);
	return NULL;
}

/*
 * A way out that leads by other segments is one, as long as it does not come
 * back: packets would go round. Those before it (checks[0..n)) have none that
 * does.
 */
static void check_cycle(struct segment_check *const checks[], size_t n)
{
	const struct cfg_segment *own = segment_check_value(checks[n]);

	for (const struct cfg_segment *s = own;
	     s && s->outside == OUTSIDE_BRIDGE;
	     s = find_segment(checks, n, s->uplink.bridge)) {
		if (strcmp(s->uplink.bridge, own->name) != 0)
			continue;
		refuse(checks[n],
		       "outside is \"%s\", from where the way out leads back "
		       "to %s, as the outside of segment %s; set one's outside "
		       "to host, or to another bridge",
		       own->uplink.bridge, own->name, s->name);
		return;
	}
}

/* --- networks --------------------------------------------------------------
 */

static bool overlap4(uint32_t a, uint8_t a_len, uint32_t b, uint8_t b_len)
{
	return !((a ^ b) & ip4_mask(MIN(a_len, b_len)));
}

static uint32_t network4(const struct cfg_segment *s)
{
	return s->ip4 & ip4_mask(s->prefix4_len);
}

static void check_overlap(struct segment_check *check,
			  const struct segment_check *first)
{
	const struct cfg_segment *a = segment_check_value(check);
	const struct cfg_segment *b = segment_check_value(first);

	if (a->ip4 && b->ip4 &&
	    overlap4(a->ip4, a->prefix4_len, b->ip4, b->prefix4_len))
		refuse(check,
		       "subnet %s/%u overlaps that of segment %s, %s/%u; take "
		       "another",
		       ip4_text(network4(a)).text, a->prefix4_len, b->name,
		       ip4_text(network4(b)).text, b->prefix4_len);
	if (a->ip6.prefix_len && b->ip6.prefix_len &&
	    ip6_in_prefix(a->ip6.ip, b->ip6.ip,
			  MIN(a->ip6.prefix_len, b->ip6.prefix_len)))
		refuse(check,
		       "subnet6 of %s/%u overlaps that of segment %s, %s/%u; "
		       "take another",
		       ip6_text(a->ip6.ip).text, a->ip6.prefix_len, b->name,
		       ip6_text(b->ip6.ip).text, b->ip6.prefix_len);
}

/* Its machines, or the host, would not reach what the route leads to. */
static bool uses_host(const struct cfg_segment *s)
{
	return s->type == SEGMENT_HOST_ONLY || s->outside == OUTSIDE_HOST;
}

static bool overlaps_route(const struct cfg_segment *s,
			   const struct host_route *route)
{
	struct ip_address ip =
		ip_address_of(route->ip, route->version == 4 ? 4 : 16);

	if (route->prefix_len <= DEFAULT_ROUTE_LEN ||
	    !strcmp(route->device, s->name)) /* the segment's own */
		return false;
	if (route->version == 4)
		return s->ip4 &&
		       overlap4(s->ip4, s->prefix4_len, ip_address_to_v4(&ip),
				route->prefix_len);
	return s->ip6.prefix_len &&
	       ip6_in_prefix(route->ip, s->ip6.ip,
			     MIN(route->prefix_len, s->ip6.prefix_len));
}

static void check_routes(struct segment_check *check,
			 const struct host_route *routes, size_t n)
{
	const struct cfg_segment *s = segment_check_value(check);
	struct ip_address ip;

	for (size_t i = 0; i < n; i++) {
		if (!overlaps_route(s, &routes[i]))
			continue;
		ip = ip_address_of(routes[i].ip,
				   routes[i].version == 4 ? 4 : 16);
		refuse(check,
		       "%s %s/%u overlaps the host's route to %s/%u%s%s; take "
		       "another network, or remove the route",
		       ip.len == 4 ? "subnet" : "subnet6",
		       ip.len == 4 ? ip4_text(network4(s)).text
				   : ip6_text(s->ip6.ip).text,
		       ip.len == 4 ? s->prefix4_len : s->ip6.prefix_len,
		       ip_text(&ip).text, routes[i].prefix_len,
		       routes[i].device[0] ? " by " : "", routes[i].device);
		return;
	}
}

/* --- all -------------------------------------------------------------------
 */

static void clear(struct segment_check *check)
{
	const struct cfg_segment *s = segment_check_value(check);

	for (size_t i = 0; check->forward_errors && i < s->n_forwards; i++)
		free(check->forward_errors[i]);
	free(check->forward_errors);
	check->forward_errors = NULL;
}

void segment_check_fini(struct segment_check *check)
{
	clear(check);
	free(check->error);
	check->error = NULL;
}

static void init_results(struct segment_check *check)
{
	const struct cfg_segment *s = segment_check_value(check);

	check->fails = false;
	if (!check->goes_on && s->error)
		refuse(check, "%s", s->error);
	check->forward_errors =
		xcalloc(s->n_forwards, sizeof(*check->forward_errors));
	for (size_t i = 0; i < s->n_forwards; i++)
		if (s->forwards[i].error)
			check->forward_errors[i] =
				xstrdup(s->forwards[i].error);
}

/* Whoever fails and can go on as it was is to be compared as that. */
static bool fall_back(struct segment_check *checks, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		struct segment_check *check = &checks[i];

		if (!check->fails || check->goes_on || !check->former)
			continue;
		clear(check);
		check->goes_on = any = true;
	}
	return any;
}

static void compare(struct segment_check *order[], size_t n,
		    const struct cfg_switch *config,
		    const struct host_route *routes, size_t n_routes)
{
	qsort(order, n, sizeof(*order), compare_segments);
	for (size_t i = 0; i < n; i++) {
		check_bridges(order[i], config);
		check_cycle(order, i);
		for (size_t k = 0; k < i; k++)
			if (!order[k]->fails)
				check_overlap(order[i], order[k]);
		if (uses_host(segment_check_value(order[i])) &&
		    !has_worked(order[i]))
			check_routes(order[i], routes, n_routes);
	}
}

void config_check_segments_with(struct segment_check *checks, size_t n,
				const struct cfg_switch *config,
				const struct host_route *routes,
				size_t n_routes)
{
	struct segment_check **order = xcalloc(n, sizeof(*order));

	/* Each turn but the last, at least one more goes on as it was. */
	do {
		for (size_t i = 0; i < n; i++) {
			clear(&checks[i]);
			if (!checks[i].goes_on) {
				free(checks[i].error);
				checks[i].error = NULL;
			}
			init_results(&checks[i]);
			order[i] = &checks[i];
		}
		compare(order, n, config, routes, n_routes);
	} while (fall_back(checks, n));
	config_check_forwards(order, n);
	free(order);
}

void config_check_segments(struct segment_check *checks, size_t n,
			   const struct cfg_switch *config)
{
	struct host_route *routes = NULL;
	size_t n_routes = 0;
	bool wanted = false;
	int error;

	for (size_t i = 0; i < n; i++)
		wanted |= uses_host(checks[i].segment) &&
			  !checks[i].segment->error && !has_worked(&checks[i]);
	error = wanted ? host_routes_read(&routes, &n_routes) : 0;
	if (error)
		log_warn("the host's routes cannot be read: %s; segments are "
			 "not compared with them",
			 strerror(-error));
	config_check_segments_with(checks, n, config, routes, n_routes);
	free(routes);
}
