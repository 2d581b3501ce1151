/*
 * An underlay on an uplink's bridge: an address there, by which outer packets
 * leave and come in. It answers ARP, neighbor discovery and pings for it, tells
 * the network where it is, finds next hops (underlay_station_hops.c) and is a
 * member of groups. Its frames come into the bridge by the made-up port, whose
 * MAC stands in the FDB as a static entry.
 */
#include "vswd/underlay_station.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/log.h"
#include "packet/neighbor.h"
#include "packet/vlan.h"
#include "vswd/frames.h"
#include "vswd/segment_upkeep.h"
#include "vswd/uplink_bridge.h"
#include "vswd/vbond.h"

LOG_MODULE(overlay);

#define NEVER	    UINT64_MAX
#define TICK_MS	    1000
#define ANNOUNCES   2 /* RFC 5227 1.1, RFC 4861 7.2.6 */
#define ANNOUNCE_MS 2000
#define CONFLICT_MS 300000 /* it is shown for so long */

uint32_t underlay_station_hash(const struct underlay_station *s,
			       const struct ip_address *ip)
{
	return keyed_hash(&s->key, ip->bytes, ip->len);
}

/* --- frames out ------------------------------------------------------------
 */

static void send_frame(const void *frame, size_t len, void *arg)
{
	struct underlay_station *s = arg;

	if (s->u->v && s->mac)
		frames_inject(s->u->vs, s->u->v, frame, len);
}

/*
 * Who has the address says nothing to an announcement but once it has tried to
 * defend it (RFC 5227 2.4); it answers a probe, and so is noticed.
 */
static void probe(struct underlay_station *s)
{
	uint8_t frame[NEIGHBOR_FRAME_MAX];
	size_t n;

	n = neighbor_probe(s->mac, s->local.bytes, s->local.len, frame);
	send_frame(frame, n, s);
}

static void announce(struct underlay_station *s, uint64_t now_ms)
{
	uint8_t frame[NEIGHBOR_FRAME_MAX];
	size_t n;

	if (s->announces_left == ANNOUNCES)
		probe(s);
	n = neighbor_announce(s->mac, s->local.bytes, s->local.len, frame);
	send_frame(frame, n, s);
	s->announces_left--;
	s->announce_ms = s->announces_left ? now_ms + ANNOUNCE_MS : NEVER;
}

static void begin_announcing(struct underlay_station *s, uint64_t now_ms)
{
	s->announces_left = ANNOUNCES;
	s->announce_ms = now_ms;
}

/* --- the station -----------------------------------------------------------
 */

static void conflict(const struct ip_address *ip, uint64_t holder,
		     const struct gateway_client *claimant, void *arg)
{
	struct underlay_station *s = arg;
	char mac[2][MAC_STRING_SIZE], text[IP_TEXT_SIZE];

	free(s->conflict);
	s->conflict = xasprintf("%s on bridge %s is claimed by %s and by %s",
				segment_ip_format(ip, text),
				s->u->v ? s->u->v->bridge->name : "(none)",
				holder == s->mac ? "this VTEP"
						 : mac_format(holder, mac[0]),
				mac_format(claimant->mac, mac[1]));
	s->conflict_until_ms = vswitch_now_ms() + CONFLICT_MS;
	vswitch_commit_soon(s->u->vs); /* what overlays say is wrong */
	log_warn_limited("overlay: %s; one of them must get another address",
			 s->conflict);
}

static void fill_config(const struct underlay_station *s,
			struct station_config *config)
{
	*config = (struct station_config){
		.mac = s->mac,
		.ip6 = s->local.len == 16,
		/* One port and thousands of VTEPs, perhaps by one router. */
		.limits = { .total = 16384,
			    .per_port = 16384,
			    .per_mac = 16384,
			    .asked = 256,
			    .asked_per_port = 256 },
	};
	if (s->local.len == 4) {
		config->ip4 = ip_address_to_v4(&s->local);
		config->prefix4_len = s->prefix_len;
	} else if (s->local.len == 16) {
		memcpy(config->global[0].ip, s->local.bytes, 16);
		config->global[0].prefix_len = s->prefix_len;
		config->n_global = 1;
	}
}

static void make_station(struct underlay_station *s)
{
	static const struct station_ops ops = {
		.send = send_frame,
		.resolved = underlay_hops_resolved,
		.conflict = conflict,
		.changed = underlay_hops_changed,
	};
	struct station_config config;

	fill_config(s, &config);
	if (s->station)
		station_configure(s->station, &config, vswitch_now_ms());
	else
		s->station = station_create(&config, &s->key, &ops, s,
					    vswitch_now_ms());
}

/*
 * The groups by which neighbors ask for IPv6 addresses: a switch that snoops
 * does not let them pass to us otherwise (RFC 4291 2.7.1, RFC 3810 6).
 */
static void join_solicited(struct underlay_station *s, bool join)
{
	struct ip_address group = { 16, { 0xff, 2, [11] = 1, 0xff } };
	const uint8_t *own[2] = { s->local.bytes,
				  station_link_local(s->station) };
	uint64_t now_ms = vswitch_now_ms();

	for (unsigned i = 0; s->local.len == 16 && i < 2; i++) {
		memcpy(group.bytes + 13, own[i] + 13, 3);
		if (join)
			membership_join(s->membership, &group, now_ms);
		else
			membership_leave(s->membership, &group, now_ms);
	}
}

static void make_membership(struct underlay_station *s)
{
	struct membership_config config = { .mac = s->mac };

	if (s->local.len == 4)
		config.ip4 = ip_address_to_v4(&s->local);
	memcpy(config.link_local, station_link_local(s->station), 16);
	if (s->membership)
		membership_configure(s->membership, &config);
	else
		s->membership =
			membership_create(&config, &s->key, send_frame, s);
}

/* --- its place in the bridge -----------------------------------------------
 */

/* No machine draws the station's frames to itself by sending as it. */
static void set_entry(struct underlay_station *s)
{
	const struct vport *v = s->mac ? s->u->v : NULL;
	struct bridge *b = v && v->number ? v->bridge : NULL;
	fdb_key key = b ? segment_station_key(v) : 0;

	if (s->entry_bridge && (s->entry_bridge != b || s->entry_key != key))
		fdb_delete(s->entry_bridge->fdb, s->entry_key);
	s->entry_bridge = b;
	s->entry_key = key;
	if (b && fdb_add_static(b->fdb, key, v->number))
		log_warn_limited("overlay: no room for a static entry of the "
				 "VTEP %s in the MAC table of bridge %s",
				 v->interface->name, b->name);
}

static void tell_overlays(struct underlay_station *s)
{
	for (struct overlay *o = s->u->vs->overlays; o; o = o->next)
		if (o->underlay == s->u)
			overlay_mtu_refresh(o);
}

static void follow_mtu(struct underlay_station *s)
{
	uint32_t mtu = s->u->v ? bridge_uplinks_mtu(s->u->v->bridge) : 0;

	mtu = mtu ? mtu : OVERLAY_UNDERLAY_MTU;
	if (mtu == s->mtu)
		return;
	s->mtu = mtu;
	tell_overlays(s);
}

/* A cable that was plugged in may lead elsewhere. */
static void follow_link(struct underlay_station *s, uint64_t now_ms)
{
	unsigned n = s->u->v ? bridge_count_links(s->u->v->bridge) : 0;
	bool returned = s->begun && n > s->n_links;

	s->n_links = n;
	if (!returned)
		return;
	begin_announcing(s, now_ms);
	membership_repeat(s->membership, now_ms);
	underlay_hops_again(s, now_ms);
}

/* --- configuration ---------------------------------------------------------
 */

static void apply(struct underlay_station *s)
{
	uint64_t now_ms = vswitch_now_ms();

	make_station(s);
	make_membership(s);
	join_solicited(s, true);
	set_entry(s);
	underlay_hops_reroute(s);
	if (s->begun)
		begin_announcing(s, now_ms);
	s->tick_ms = 0;
	underlay_station_arm(s);
}

static uint64_t port_mac(const struct underlay_station *s)
{
	return s->u->v && s->u->v->port ? s->u->v->interface->mac : 0;
}

void underlay_station_configure(struct underlay_station *s,
				const struct cfg_overlay *c)
{
	uint64_t mac = port_mac(s);
	bool same_link = s->tag == c->underlay_tag &&
			 s->prefix_len == c->prefix_len &&
			 ip_address_equal(&s->local, &c->local) &&
			 ip_address_equal(&s->gateway, &c->gateway);

	s->dst_port = c->dst_port;
	if (s->station && mac == s->mac && same_link)
		return;
	if (s->membership)
		join_solicited(s, false);
	if (s->station && !same_link) {
		/* Its neighbors are those of the former link. */
		station_destroy(s->station);
		s->station = NULL;
		underlay_hops_forget(s);
	}
	s->tag = c->underlay_tag;
	s->mac = mac;
	s->local = c->local;
	s->prefix_len = c->prefix_len;
	s->gateway = c->gateway;
	apply(s);
}

/* The port was opened, or has gone. */
static void follow_port(struct underlay_station *s)
{
	uint64_t mac = port_mac(s);

	if (mac == s->mac)
		return;
	join_solicited(s, false);
	s->mac = mac;
	s->begun = false;
	apply(s);
}

/* Frames get somewhere: what is to be said first is said now. */
static void begin(struct underlay_station *s, uint64_t now_ms)
{
	s->begun = true;
	begin_announcing(s, now_ms);
	membership_repeat(s->membership, now_ms);
	underlay_hops_again(s, now_ms);
}

/* --- time ------------------------------------------------------------------
 */

static void tick(struct underlay_station *s, uint64_t now_ms)
{
	s->tick_ms = now_ms + TICK_MS;
	follow_port(s);
	set_entry(s); /* by hand, somebody may have removed it */
	if (!s->begun && s->mac && s->u->v->fwd)
		begin(s, now_ms);
	follow_link(s, now_ms);
	follow_mtu(s);
	if (s->conflict && now_ms >= s->conflict_until_ms) {
		free(s->conflict);
		s->conflict = NULL;
		vswitch_commit_soon(s->u->vs);
	}
}

static void run(struct underlay_station *s, uint64_t now_ms)
{
	if (now_ms >= s->tick_ms)
		tick(s, now_ms);
	if (now_ms >= s->announce_ms)
		announce(s, now_ms);
	station_run(s->station, now_ms);
	membership_run(s->membership, now_ms);
	underlay_hops_run(s, now_ms);
	underlay_path_run(s, now_ms);
}

static uint64_t next_ms(const struct underlay_station *s)
{
	uint64_t next = MIN(s->tick_ms, s->announce_ms);

	next = MIN(next, station_next_ms(s->station));
	next = MIN(next, membership_next_ms(s->membership));
	next = MIN(next, s->paths_ms);
	return s->begun ? MIN(next, s->hops_ms) : next;
}

void underlay_station_arm(struct underlay_station *s)
{
	uint64_t next = next_ms(s), now = vswitch_now_ms();
	struct timeval wait = { 0 };

	if (next == s->armed_ms)
		return;
	s->armed_ms = next;
	if (next > now) {
		wait.tv_sec = (next - now) / 1000;
		wait.tv_usec = (next - now) % 1000 * 1000;
	}
	event_add(s->timer, &wait);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct underlay_station *s = arg;

	s->armed_ms = NEVER;
	run(s, vswitch_now_ms());
	underlay_station_arm(s);
}

/* --- life ------------------------------------------------------------------
 */

struct underlay_station *underlay_station_create(struct underlay *u,
						 const struct cfg_overlay *c)
{
	struct underlay_station *s = xcalloc(1, sizeof(*s));

	s->u = u;
	s->announce_ms = NEVER;
	s->paths_ms = NEVER;
	s->armed_ms = NEVER;
	s->mtu = OVERLAY_UNDERLAY_MTU;
	s->timer = evtimer_new(u->vs->base, timer_cb, s);
	if (getrandom(&s->key, sizeof(s->key), 0) != sizeof(s->key)) {
		log_emer("no random numbers: %m");
		abort();
	}
	underlay_hops_init(s);
	underlay_station_configure(s, c);
	return s;
}

void underlay_station_destroy(struct underlay_station *s)
{
	if (!s)
		return;
	membership_end(s->membership, vswitch_now_ms());
	underlay_hops_clear(s);
	s->mac = 0;
	set_entry(s);
	membership_destroy(s->membership);
	station_destroy(s->station);
	event_free(s->timer);
	free(s->conflict);
	free(s->error);
	free(s);
}

void underlay_station_port_gone(struct underlay_station *s)
{
	membership_withdraw(s->membership, vswitch_now_ms());
	s->mac = 0;
	s->begun = false;
	set_entry(s);
}

/* --- packets ---------------------------------------------------------------
 */

/* The port of the underlay's bridge that it came by. */
static uint32_t number_of(const struct underlay_station *s,
			  const struct vport *in, uint64_t mac)
{
	const struct vport *v = s->u->v;

	if (in->bridge == v->bridge)
		return in->number;
	/* By a patch port: the one that the sender is behind. */
	return fdb_lookup(
		v->bridge->fdb,
		fdb_make_key(mac, segment_station_key(v) >> 48 & 0xfff));
}

void underlay_station_receive(struct underlay_station *s, struct vport *in,
			      const struct punt_record *record)
{
	uint64_t now_ms = vswitch_now_ms();
	struct gateway_client client;
	const uint8_t *frame = record->data;

	/* Its port is an access port: tagged is what cannot be for it. */
	if (!s->u->v || !s->mac || record->len < ETH_HEADER_LEN ||
	    eth_type_is_vlan(load_be16(frame + 12)))
		return;
	client.mac = load_mac(frame + 6);
	client.port = number_of(s, in, client.mac);
	if (client.mac != s->mac &&
	    !membership_receive(s->membership, frame, record->len, now_ms) &&
	    !underlay_path_receive(s, frame, record->len, now_ms))
		/* What it does not want goes no further: nobody listens. */
		station_receive(s->station, &client, frame, record->len,
				now_ms);
	underlay_station_arm(s);
}

/* --- for the overlays ------------------------------------------------------
 */

uint32_t underlay_station_mtu(const struct underlay_station *s)
{
	return s->mtu;
}

uint64_t underlay_station_mac(const struct underlay_station *s)
{
	return s->mac;
}
