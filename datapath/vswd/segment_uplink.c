/*
 * The outside of a segment on a bridge: the gateway as a station there, which
 * answers for all addresses of the NAT's pool, finds next hops, and has its
 * addresses by rows, by DHCP or by router advertisements.
 *
 * The default gateway is asked for before it is needed and again before it is
 * stale, so that no packet waits for it. When the uplink's link returns, its
 * neighbors are told where the addresses are, and the network is asked whether
 * it is still the same.
 */
#include "vswd/segment_uplink.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "packet/neighbor.h"
#include "vswd/uplink_bridge.h"
#include "vswd/vbond.h"

LOG_MODULE(uplink);

#define TICK_MS	       1000
#define RESOLVE_MS     5000 /* a default gateway is looked after */
#define ANNOUNCES      2    /* RFC 5227 1.1 */
#define ANNOUNCE_MS    2000
#define ANNOUNCE_IN_MS 20     /* when the snapshot has the addresses */
#define CONFLICT_MS    300000 /* it is shown for so long */
#define ASKER	       UINT32_MAX

static void set_uplink_error(struct segment_uplink *uplink, char *error)
{
	bool same = error ? uplink->error && !strcmp(error, uplink->error)
			  : !uplink->error;

	free(uplink->error);
	uplink->error = error;
	if (same)
		return;
	segment_mark_dirty(uplink->seg);
	if (error)
		log_warn("segment %s: %s", uplink->seg->config->name, error);
}

/* --- the station ----------------------------------------------------------
 */

static void station_send(const void *frame, size_t len, void *arg)
{
	struct segment_uplink *uplink = arg;

	segment_send(uplink->seg, ROUTER_OUTSIDE, frame, len);
}

static void station_resolved(const struct ip_address *ip, uint64_t mac,
			     void *arg)
{
	struct segment_uplink *uplink = arg;

	segment_hold_resolved(uplink->seg, ROUTER_OUTSIDE, ip, mac);
}

static void station_changed(const struct ip_address *ip, uint64_t mac,
			    void *arg)
{
	struct segment_uplink *uplink = arg;

	neighbor_table_set(uplink->seg->neighbors[ROUTER_OUTSIDE], ip->bytes,
			   ip->len, mac);
}

static void report_conflict(struct segment_uplink *uplink,
			    const struct ip_address *ip, uint64_t holder,
			    uint64_t claimant)
{
	char mac[2][MAC_STRING_SIZE], text[INET6_ADDRSTRLEN];

	free(uplink->conflict);
	uplink->conflict = xasprintf(
		"%s on bridge %s is claimed by %s and by %s",
		uplink_format_ip(ip, text), uplink->seg->config->uplink.bridge,
		holder == uplink->mac ? "this gateway"
				      : mac_format(holder, mac[0]),
		mac_format(claimant, mac[1]));
	uplink->conflict_until_ms = vswitch_now_ms() + CONFLICT_MS;
	log_warn_limited("segment %s: %s", uplink->seg->config->name,
			 uplink->conflict);
	segment_mark_dirty(uplink->seg);
}

static void station_conflict(const struct ip_address *ip, uint64_t holder,
			     const struct gateway_client *claimant, void *arg)
{
	report_conflict(arg, ip, holder, claimant->mac);
}

static void make_station(struct segment_uplink *uplink, uint64_t now_ms)
{
	static const struct station_ops ops = {
		.send = station_send,
		.resolved = station_resolved,
		.conflict = station_conflict,
		.changed = station_changed,
	};
	struct station_config config;

	uplink_station_config(uplink, &config);
	if (uplink->station)
		station_configure(uplink->station, &config, now_ms);
	else
		uplink->station = station_create(&config, &uplink->seg->key,
						 &ops, uplink, now_ms);
}

/* --- addresses ------------------------------------------------------------
 */

void uplink_refresh(struct segment_uplink *uplink)
{
	struct nat_addr addrs[STATION_IP4_MAX + STATION_IP6_MAX];
	struct uplink_addresses next;
	char *problem = uplink_find_addresses(uplink, &next);
	uint64_t now_ms = vswitch_now_ms();
	unsigned n;

	set_uplink_error(uplink, problem);
	if (uplink->station && !memcmp(&next, &uplink->now, sizeof(next)))
		return;
	uplink->now = next;
	make_station(uplink, now_ms);
	n = uplink_nat_addresses(uplink, addrs, ARRAY_SIZE(addrs));
	if (uplink->seg->nat)
		segment_nat_set_outside(uplink->seg->nat, addrs, n);
	uplink->announces_left = ANNOUNCES;
	uplink->announce_ms = now_ms + ANNOUNCE_IN_MS;
	uplink->resolve_ms = uplink->announce_ms;
	segment_mark_dirty(uplink->seg);
	segment_changed(uplink->seg);
}

static void announce_one(struct segment_uplink *uplink, const uint8_t *ip,
			 unsigned len)
{
	uint8_t frame[NEIGHBOR_FRAME_MAX];
	size_t n = neighbor_announce(uplink->mac, ip, len, frame);

	segment_send(uplink->seg, ROUTER_OUTSIDE, frame, n);
}

static void announce(struct segment_uplink *uplink, uint64_t now_ms)
{
	const struct uplink_addresses *a = &uplink->now;

	for (unsigned i = 0; i < a->n_ip4; i++) {
		const struct ip_address ip = ip_address_v4(a->ip4[i].ip);

		announce_one(uplink, ip.bytes, 4);
	}
	for (unsigned i = 0; i < a->n_ip6; i++)
		announce_one(uplink, a->ip6[i].ip, 16);
	uplink->announces_left--;
	uplink->announce_ms =
		uplink->announces_left ? now_ms + ANNOUNCE_MS : UINT64_MAX;
}

static void autoconf_send(const void *frame, size_t len, void *arg)
{
	station_send(frame, len, arg);
}

static void autoconf_changed(void *arg)
{
	uplink_refresh(arg);
}

static void autoconf_duplicate(const uint8_t ip[16], uint64_t mac, void *arg)
{
	struct segment_uplink *uplink = arg;
	const struct ip_address address = ip_address_of(ip, 16);

	report_conflict(uplink, &address, mac, uplink->mac);
}

/* What finds addresses by itself is there as the configuration says. */
static void configure_finders(struct segment_uplink *uplink, uint64_t now_ms)
{
	static const struct autoconf_ops ops = {
		.send = autoconf_send,
		.changed = autoconf_changed,
		.duplicate = autoconf_duplicate,
	};
	const struct cfg_segment *c = uplink->seg->config;
	bool slaac = c->uplink.slaac && c->ip6.prefix_len && uplink->mac;

	if (uplink->dhcp && !c->uplink.dhcp)
		uplink_dhcp_stop(uplink, false);
	if (uplink->autoconf && !slaac) {
		autoconf_destroy(uplink->autoconf);
		uplink->autoconf = NULL;
	}
	if (slaac && !uplink->autoconf)
		uplink->autoconf =
			autoconf_create(uplink->mac, &ops, uplink, now_ms);
}

/* --- life -----------------------------------------------------------------
 */

struct segment_uplink *segment_uplink_create(struct segment *seg)
{
	struct segment_uplink *uplink = xcalloc(1, sizeof(*uplink));

	uplink->seg = seg;
	uplink->announce_ms = UINT64_MAX;
	segment_uplink_configure(uplink);
	return uplink;
}

void segment_uplink_destroy(struct segment_uplink *uplink, bool keep)
{
	if (!uplink)
		return;
	uplink_dhcp_stop(uplink, keep);
	autoconf_destroy(uplink->autoconf);
	station_destroy(uplink->station);
	free(uplink->error);
	free(uplink->conflict);
	free(uplink);
}

static void end_finders(struct segment_uplink *uplink)
{
	uplink_dhcp_stop(uplink, true);
	autoconf_destroy(uplink->autoconf);
	uplink->autoconf = NULL;
}

void segment_uplink_configure(struct segment_uplink *uplink)
{
	const struct vport *out = uplink->seg->ports[ROUTER_OUTSIDE];
	uint64_t mac = out ? out->interface->mac : 0;

	if (mac != uplink->mac)
		end_finders(uplink); /* it is somebody else now */
	uplink->mac = mac;
	configure_finders(uplink, vswitch_now_ms());
	uplink->tick_ms = 0;
	uplink_refresh(uplink);
}

/* --- packets --------------------------------------------------------------
 */

/* Its MAC is the frame's: it need not be asked for. */
static void learn_router(struct segment_uplink *uplink,
			 const struct segment_packet *packet, uint64_t now_ms)
{
	const uint8_t *router = autoconf_get_router(uplink->autoconf);
	struct ip_address ip;

	if (!router || memcmp(packet->frame + ETH_HEADER_LEN + 8, router, 16))
		return;
	ip = ip_address_of(router, 16);
	neighbor_cache_learn(station_neighbors(uplink->station), &ip,
			     &packet->client, true, now_ms);
}

void segment_uplink_receive(struct segment_uplink *uplink,
			    const struct segment_packet *packet)
{
	uint64_t now_ms = vswitch_now_ms();

	if (uplink->autoconf &&
	    autoconf_receive(uplink->autoconf, packet->frame, packet->len,
			     now_ms)) {
		learn_router(uplink, packet, now_ms);
		return;
	}
	/* What neither wants goes no further: there is nobody who listens. */
	if (!uplink_dhcp_receive(uplink, packet, now_ms))
		station_receive(uplink->station, &packet->client, packet->frame,
				packet->len, now_ms);
}

int segment_uplink_resolve(struct segment_uplink *uplink,
			   const struct ip_address *ip, uint32_t asker,
			   uint64_t *mac)
{
	return neighbor_cache_resolve(station_neighbors(uplink->station), ip,
				      asker, vswitch_now_ms(), mac);
}

void segment_uplink_fill(const struct segment_uplink *uplink,
			 struct router_link *link)
{
	const struct segment *seg = uplink->seg;
	const struct uplink_addresses *a = &uplink->now;

	link->mac = uplink->mac;
	link->mtu = a->mtu;
	link->neighbors = seg->neighbors[ROUTER_OUTSIDE];
	link->ip4 = a->ip4;
	link->n_ip4 = a->n_ip4;
	link->ip6 = a->ip6;
	link->n_ip6 = a->n_ip6;
	link->gateway4 = a->gateway4;
	memcpy(link->gateway6, a->gateway6, 16);
	/* Untranslated, nothing may leave that is to be translated. */
	link->up = uplink->mac && (!seg->nat || segment_nat_engine(seg->nat)) &&
		   (a->n_ip4 || a->n_ip6 > 1);
}

/* --- time -----------------------------------------------------------------
 */

/* A cable that was plugged in may lead elsewhere. */
static void follow_link(struct segment_uplink *uplink, uint64_t now_ms)
{
	const struct vport *out = uplink->seg->ports[ROUTER_OUTSIDE];
	unsigned n = out ? bridge_count_links(out->bridge) : 0;
	unsigned before = uplink->n_links;
	bool returned = uplink->begun && n > before;

	uplink->n_links = n;
	if (n != before)
		segment_mark_dirty(uplink->seg);
	if (!returned)
		return;
	uplink->announces_left = ANNOUNCES;
	uplink->announce_ms = now_ms;
	uplink->resolve_ms = now_ms;
	if (uplink->dhcp)
		dhcp_client_restart(uplink->dhcp, now_ms);
	if (uplink->autoconf)
		autoconf_restart(uplink->autoconf, now_ms);
}

static void resolve_gateways(struct segment_uplink *uplink, uint64_t now_ms)
{
	static const uint8_t none[16];
	const struct uplink_addresses *a = &uplink->now;
	struct ip_address ip = ip_address_v4(a->gateway4);
	uint64_t mac;

	uplink->resolve_ms = now_ms + RESOLVE_MS;
	if (a->gateway4)
		segment_uplink_resolve(uplink, &ip, ASKER, &mac);
	ip = ip_address_of(a->gateway6, 16);
	if (memcmp(a->gateway6, none, 16) != 0)
		segment_uplink_resolve(uplink, &ip, ASKER, &mac);
}

/* The row has the DHCP client's state, which goes on by itself. */
static void follow_dhcp(struct segment_uplink *uplink)
{
	const char *state = segment_uplink_dhcp_state(uplink);

	if (state == uplink->dhcp_state)
		return;
	uplink->dhcp_state = state;
	segment_mark_dirty(uplink->seg);
}

static void tick(struct segment_uplink *uplink, uint64_t now_ms)
{
	const struct vport *out = uplink->seg->ports[ROUTER_OUTSIDE];
	bool is_open = out && out->port && out->interface->mac;

	if (out && out->interface->mac != uplink->mac)
		segment_uplink_configure(uplink); /* its bridge was not there */
	uplink->tick_ms = now_ms + TICK_MS;
	follow_link(uplink, now_ms);
	uplink_refresh(uplink); /* the MTU of the bridge's ports */
	uplink->begun |= is_open;
	if (is_open && uplink->seg->config->uplink.dhcp && !uplink->dhcp)
		uplink_dhcp_start(uplink, now_ms);
	follow_dhcp(uplink);
	if (uplink->conflict && now_ms >= uplink->conflict_until_ms) {
		free(uplink->conflict);
		uplink->conflict = NULL;
		segment_mark_dirty(uplink->seg);
	}
}

void segment_uplink_run(struct segment_uplink *uplink, uint64_t now_ms)
{
	if (now_ms >= uplink->tick_ms)
		tick(uplink, now_ms);
	if (uplink->dhcp)
		dhcp_client_run(uplink->dhcp, now_ms);
	if (uplink->autoconf)
		autoconf_run(uplink->autoconf, now_ms);
	if (now_ms >= uplink->announce_ms)
		announce(uplink, now_ms);
	if (now_ms >= uplink->resolve_ms)
		resolve_gateways(uplink, now_ms);
	station_run(uplink->station, now_ms);
}

uint64_t segment_uplink_next_ms(const struct segment_uplink *uplink)
{
	uint64_t next = MIN(uplink->tick_ms, uplink->announce_ms);

	next = MIN(next, uplink->resolve_ms);
	next = MIN(next, station_next_ms(uplink->station));
	if (uplink->dhcp)
		next = MIN(next, dhcp_client_next_ms(uplink->dhcp));
	if (uplink->autoconf)
		next = MIN(next, autoconf_next_ms(uplink->autoconf));
	return next;
}

const char *segment_uplink_error(const struct segment_uplink *uplink)
{
	return uplink->error ? uplink->error : uplink->conflict;
}

const char *segment_uplink_dhcp_state(const struct segment_uplink *uplink)
{
	return uplink->dhcp
		       ? dhcp_client_state_name(dhcp_client_state(uplink->dhcp))
		       : NULL;
}
