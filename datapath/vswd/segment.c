/*
 * The life of segments: each bridge that has one gets a gateway, which is made
 * of parts (segment.h). This file makes and ends them as the configuration
 * says, and gives each its time.
 *
 * What workers do with packets is the struct router, which belongs to a
 * snapshot and is made with it (segment_router.c). What it points to and is not
 * its own (NAT, neighbor tables) ends only when no snapshot has it:
 * segments_published().
 */
#include "vswd/segment.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "vswd/segment_rows.h"
#include "vswd/segment_upkeep.h"
#include "vswd/vbond.h"

LOG_MODULE(segment);

#define NEIGHBORS_MAX 4096 /* of a link; as neighbor_cache has it */

/* --- what there is to be ---------------------------------------------------
 */

enum part {
	PART_SERVICES = 1 << 0,
	PART_LEASES = 1 << 1,
	PART_DNS = 1 << 2,
	PART_NAT = 1 << 3,
	PART_UPLINK = 1 << 4,
	PART_HOST = 1 << 5,
};

/* NULL and segments that only name a bridge have none. */
static unsigned wanted_parts(const struct cfg_segment *c)
{
	unsigned parts = PART_SERVICES;

	if (!c || c->error || c->type == SEGMENT_BRIDGED ||
	    !(c->ip4 || c->ip6.prefix_len))
		return 0;
	if (c->dhcp_on)
		parts |= PART_LEASES;
	if (c->dns_on)
		parts |= PART_DNS;
	if (c->outside == OUTSIDE_BRIDGE)
		parts |= PART_UPLINK;
	if (c->outside == OUTSIDE_BRIDGE && (c->ip4 || c->nat6))
		parts |= PART_NAT;
	if (c->outside == OUTSIDE_HOST || c->type == SEGMENT_HOST_ONLY)
		parts |= PART_HOST;
	return parts;
}

struct segment *segment_find(const struct vswitch *vs, const char *name)
{
	struct segment *seg = vs->segments;

	while (seg && strcmp(seg->config->name, name))
		seg = seg->next;
	return seg;
}

bool segments_have_gateway(const struct vswitch *vs)
{
	for (const struct segment *seg = vs->segments; seg; seg = seg->next)
		if (wanted_parts(seg->config))
			return true;
	return false;
}

/* Takes over the text. */
static void set_fault(struct segment *seg, char *error)
{
	if (error ? seg->error && !strcmp(error, seg->error) : !seg->error) {
		free(error);
		return;
	}
	if (error)
		log_warn("segment %s: %s", seg->config->name, error);
	else if (seg->error)
		log_info("segment %s: works again", seg->config->name);
	free(seg->error);
	seg->error = error;
	segment_mark_dirty(seg);
}

const char *segment_fault(const struct segment *seg)
{
	const char *fault = seg->error;

	if (!fault && seg->uplink)
		fault = segment_uplink_error(seg->uplink);
	if (!fault && seg->nat)
		fault = segment_nat_error(seg->nat);
	return fault;
}

/* --- parts -----------------------------------------------------------------
 */

static void make_tables(struct segment *seg, unsigned parts)
{
	static const struct {
		unsigned part;
		enum router_side side;
	} links[] = {
		{ PART_SERVICES, ROUTER_INSIDE },
		{ PART_UPLINK, ROUTER_OUTSIDE },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(links); i++)
		if (parts & links[i].part && !seg->neighbors[links[i].side])
			seg->neighbors[links[i].side] = neighbor_table_create(
				NEIGHBORS_MAX, seg->key.k0 ^ links[i].side);
}

/* The NAT is there until the snapshot that has it is not. */
static void doom_nat(struct segment *seg, bool save)
{
	if (!seg->nat)
		return;
	if (seg->doomed_nat) /* there was no snapshot between the two */
		segment_nat_destroy(seg->doomed_nat, false);
	seg->doomed_nat = seg->nat;
	seg->save_nat = save;
	seg->nat = NULL;
}

#define END(seg, name)                                                         \
	do {                                                                   \
		if ((seg)->name)                                               \
			segment_##name##_destroy((seg)->name);                 \
		(seg)->name = NULL;                                            \
	} while (0)

/* Ends what is not to be; in the order opposite to that of making. */
static void drop_parts(struct segment *seg, unsigned wanted, bool save)
{
	if (!(wanted & PART_HOST))
		END(seg, host);
	if (!(wanted & PART_UPLINK)) {
		segment_uplink_destroy(seg->uplink, save);
		seg->uplink = NULL;
	}
	if (!(wanted & PART_NAT))
		doom_nat(seg, save);
	if (!(wanted & PART_DNS))
		END(seg, dns);
	if (!(wanted & PART_SERVICES))
		END(seg, services);
	if (!(wanted & PART_LEASES))
		END(seg, leases);
	if (wanted)
		return;
	segment_hold_clear(seg);
	segment_error_clear(seg);
}

#define MAKE(seg, name)                                                        \
	do {                                                                   \
		if ((seg)->name)                                               \
			segment_##name##_configure((seg)->name);               \
		else                                                           \
			(seg)->name = segment_##name##_create(seg);            \
	} while (0)

static void make_parts(struct segment *seg, unsigned wanted)
{
	make_tables(seg, wanted);
	if (wanted & PART_LEASES && !seg->leases)
		seg->leases = segment_leases_create(seg);
	if (wanted & PART_SERVICES)
		MAKE(seg, services);
	if (wanted & PART_DNS)
		MAKE(seg, dns);
	if (wanted & PART_NAT)
		MAKE(seg, nat);
	if (wanted & PART_UPLINK)
		MAKE(seg, uplink);
	if (wanted & PART_HOST)
		MAKE(seg, host);
}

/* --- time ------------------------------------------------------------------
 */

static uint64_t next_ms(const struct segment *seg)
{
	uint64_t next = segment_hold_next_ms(seg);

	if (seg->services)
		next = MIN(next, segment_services_next_ms(seg->services));
	if (seg->dns)
		next = MIN(next, segment_dns_next_ms(seg->dns));
	if (seg->uplink)
		next = MIN(next, segment_uplink_next_ms(seg->uplink));
	if (seg->nat)
		next = MIN(next, segment_nat_next_ms(seg->nat));
	return next;
}

void segment_arm(struct segment *seg)
{
	uint64_t next = next_ms(seg), now;
	struct timeval wait = { 0 };

	if (next == seg->armed_ms || !seg->timer) /* it is at its end */
		return;
	seg->armed_ms = next;
	if (next == UINT64_MAX) {
		event_del(seg->timer);
		return;
	}
	now = vswitch_now_ms();
	if (next > now) {
		wait.tv_sec = (next - now) / 1000;
		wait.tv_usec = (next - now) % 1000 * 1000;
	}
	event_add(seg->timer, &wait);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct segment *seg = arg;
	uint64_t now = vswitch_now_ms();

	seg->armed_ms = UINT64_MAX;
	if (seg->services)
		segment_services_run(seg->services, now);
	if (seg->dns)
		segment_dns_run(seg->dns, now);
	if (seg->uplink)
		segment_uplink_run(seg->uplink, now);
	if (seg->nat)
		segment_nat_run(seg->nat, now);
	segment_hold_run(seg, now);
	segment_arm(seg);
}

/* --- life ------------------------------------------------------------------
 */

static struct segment *create(struct vswitch *vs, struct bridge *b)
{
	struct segment *seg = xcalloc(1, sizeof(*seg));

	seg->vs = vs;
	seg->id = ++vs->last_segment_id;
	seg->config = cfg_segment_ref(b->config->segment);
	seg->bridge = b;
	seg->timer = evtimer_new(vs->base, timer_cb, seg);
	seg->armed_ms = UINT64_MAX;
	if (getrandom(&seg->key, sizeof(seg->key), 0) != sizeof(seg->key)) {
		log_emer("no random numbers: %m");
		abort();
	}
	seg->next = vs->segments;
	vs->segments = seg;
	log_info("segment %s: added", seg->config->name);
	return seg;
}

/* What nobody but this thread knows ends now, the rest with the snapshot. */
static void doom(struct segment **at, bool save)
{
	struct segment *seg = *at;
	struct vswitch *vs = seg->vs;

	log_info("segment %s: removed", seg->config->name);
	drop_parts(seg, 0, save);
	memset(seg->ports, 0, sizeof(seg->ports));
	seg->hostnet = NULL;
	segment_set_stations(seg);
	event_free(seg->timer);
	seg->timer = NULL;
	*at = seg->next;
	seg->next = vs->doomed_segments;
	vs->doomed_segments = seg;
	vs->changed = true;
}

static void end_nat(struct segment *seg)
{
	if (seg->doomed_nat)
		segment_nat_destroy(seg->doomed_nat, seg->save_nat);
	seg->doomed_nat = NULL;
}

static void destroy(struct segment *seg)
{
	end_nat(seg);
	for (int i = 0; i < ROUTER_N_SIDES; i++)
		neighbor_table_destroy(seg->neighbors[i]);
	cfg_segment_unref(seg->config);
	segment_rows_free(seg);
	free(seg->error);
	free(seg);
}

/* --- the configuration -----------------------------------------------------
 */

/* The one that the segment's bridge has in it, or NULL. */
static const struct cfg_segment *find_config(const struct cfg_switch *config,
					     const struct segment *seg)
{
	for (size_t i = 0; config && i < config->n_bridges; i++)
		if (!strcmp(config->bridges[i]->name, seg->config->name))
			return config->bridges[i]->segment;
	return NULL;
}

void segments_release(struct vswitch *vs, const struct cfg_switch *config)
{
	struct segment **at = &vs->segments;

	while (*at) {
		const struct cfg_segment *next = find_config(config, *at);

		if (next) {
			drop_parts(*at, wanted_parts(next), false);
			at = &(*at)->next;
		} else {
			doom(at, false);
		}
	}
}

void segments_end(struct vswitch *vs)
{
	while (vs->segments)
		doom(&vs->segments, true);
}

/* Its port of that name, if it is one that was made up for it. */
static struct vport *own_port(const struct segment *seg, const char *suffix,
			      const char *type)
{
	char *name = xasprintf("%s.%s", seg->config->name, suffix);
	struct vport *v = vswitch_find_vport(seg->vs, name);

	free(name);
	return v && v->config->made_up && !strcmp(vport_type(v), type) ? v
								       : NULL;
}

static void find_ports(struct segment *seg)
{
	seg->ports[ROUTER_INSIDE] = own_port(seg, "gw", "gateway");
	seg->ports[ROUTER_OUTSIDE] = own_port(seg, "out", "gateway");
	seg->ports[ROUTER_HOST] = own_port(seg, "hgw", "gateway");
	seg->hostnet = own_port(seg, "host", "hostnet");
	segment_set_stations(seg);
}

static char *find_uplink_fault(const struct segment *seg)
{
	const char *bridge = seg->config->uplink.bridge;
	const struct bridge *b = vswitch_find_bridge(seg->vs, bridge);

	if (b && b->seen && !b->config->made_up)
		return xasprintf("there is no way outside: another interface "
				 "has the name %s.out, which it needs",
				 seg->config->name);
	return xasprintf("there is no way outside: outside is \"%s\", and "
			 "there is no such bridge; add one with the uplink's "
			 "device, or set outside to host",
			 bridge);
}

static char *find_fault(const struct segment *seg, unsigned parts)
{
	const char *name = seg->config->name;

	if (seg->config->error)
		return xstrdup(seg->config->error);
	if (seg->config->refused)
		return xasprintf("%s; its former settings are in force",
				 seg->config->refused);
	if (parts && !seg->ports[ROUTER_INSIDE])
		return xasprintf("there is no gateway: another interface has "
				 "the name %s.gw, which it needs",
				 name);
	if (parts & PART_UPLINK && !seg->ports[ROUTER_OUTSIDE])
		return find_uplink_fault(seg);
	return NULL;
}

static void configure(struct segment *seg, struct bridge *b)
{
	const struct cfg_segment *next = b->config->segment;
	unsigned parts = wanted_parts(next);
	struct cfg_segment *old = seg->config;

	seg->bridge = b;
	find_ports(seg);
	if (seg->configured && cfg_segment_equals(old, next)) {
		/* What the parts point to stays; the uplink's bridge may not.
		 */
		set_fault(seg, find_fault(seg, parts));
		return;
	}
	seg->configured = true;
	seg->config = cfg_segment_ref(next);
	make_parts(seg, parts);
	cfg_segment_unref(old);
	set_fault(seg, find_fault(seg, parts));
	segment_mark_dirty(seg);
	seg->vs->changed = true;
	segment_arm(seg);
}

void segments_reconcile(struct vswitch *vs)
{
	for (struct bridge *b = vs->bridges; b; b = b->next) {
		struct segment *seg;

		if (!b->seen || !b->config || !b->config->segment)
			continue;
		seg = segment_find(vs, b->name);
		configure(seg ? seg : create(vs, b), b);
	}
}

/* --- snapshots -------------------------------------------------------------
 */

static uint64_t serial_of(const struct vport *v)
{
	return v && v->port ? v->port->serial : 0;
}

/* The host's sockets, or its own port of the bridge, may have been opened. */
static void look_at_host_ports(struct segment *seg)
{
	const struct vport *local =
		vswitch_find_vport(seg->vs, seg->bridge->name);
	uint64_t ports = serial_of(seg->hostnet) << 32 ^ serial_of(local);

	if (!seg->host || ports == seg->host_ports)
		return;
	seg->host_ports = ports;
	segment_host_configure(seg->host);
	segment_arm(seg);
}

void segments_published(struct vswitch *vs)
{
	struct segment *seg;

	while ((seg = vs->doomed_segments)) {
		vs->doomed_segments = seg->next;
		destroy(seg);
	}
	for (seg = vs->segments; seg; seg = seg->next) {
		if (seg->generation != vs->generation)
			seg->router = NULL;
		end_nat(seg);
		if (seg->nat)
			segment_nat_published(seg->nat);
		look_at_host_ports(seg);
	}
}

/* --- for the parts ---------------------------------------------------------
 */

static void wake(struct vswitch *vs)
{
	if (vs->wake)
		vs->wake(vs->wake_arg);
}

void segment_changed(struct segment *seg)
{
	seg->vs->changed = true;
	wake(seg->vs);
}

const char *segment_ip_format(const struct ip_address *ip,
			      char buf[IP_TEXT_SIZE])
{
	if (!ip->len || !inet_ntop(ip->len == 4 ? AF_INET : AF_INET6, ip->bytes,
				   buf, IP_TEXT_SIZE))
		snprintf(buf, IP_TEXT_SIZE, "none");
	return buf;
}

void segment_mark_dirty(struct segment *seg)
{
	seg->dirty = true;
	wake(seg->vs);
}

void segments_port_gone(struct vswitch *vs, const struct vport *v)
{
	for (struct segment *seg = vs->segments; seg; seg = seg->next)
		if (seg->bridge == v->bridge && seg->services && v->number)
			segment_services_port_gone(seg->services, v->number);
}
