/*
 * What fits into an overlay: of each remote what its path takes, less the outer
 * headers; and for machines the least of all remotes. What does not fit is
 * dropped by workers and its sender told, as by a router on the way (RFC 1191,
 * RFC 8201): the answer is from whom it was meant for, as those two are in one
 * network and know of no router. So does the kernel's bridge with a VXLAN
 * device.
 */
#include <stdlib.h>

#include "packet/drop.h"
#include "packet/vlan.h"
#include "port/vxlan_port.h"
#include "vswd/frames.h"
#include "vswd/icmp_error.h"
#include "vswd/overlay.h"
#include "vswd/vbond.h"

#define OVERHEAD4 50 /* inner Ethernet, VXLAN, UDP, IPv4: RFC 7348 5 */
#define OVERHEAD6 70
#define POLL_S	  10 /* each path by sockets is looked at so often, ... */
/* ... or less often: more would take the control thread's time (syscalls). */
#define LOOKS_A_TICK 64
/* RFC 8200 5: what IPv6 needs; a device with less has none. */
#define MTU_LEAST 1280
/*
 * A path that was small is forgotten after a while, and found again with the
 * next large packet: machines hear of more only when it stays so.
 */
#define RISE_S 60

struct overlay_mtu {
	struct icmp_error_limits limits;
	uint32_t config_mtu;   /* o->config->mtu when all was last worked out */
	uint64_t too_big_seen; /* drops of the underlay's port */
	uint32_t told;	       /* what the bridge's machines have */
	uint32_t rise_at_s;    /* 0: it does not want to rise */
	uint32_t next;	       /* whose turn it is, by remotes' indices */
	uint32_t hurried;      /* as many more want to be looked at soon */
};

static struct overlay_mtu *get(struct overlay *o)
{
	if (!o->sizes)
		o->sizes = xcalloc(1, sizeof(*o->sizes));
	return o->sizes;
}

static uint32_t inner_mtu(uint32_t outer, unsigned ip_len)
{
	uint32_t overhead = ip_len == 4 ? OVERHEAD4 : OVERHEAD6;

	return outer > overhead ? outer - overhead : 0;
}

/* --- machines --------------------------------------------------------------
 */

/* The least of the remotes', or where there are none the underlay's. */
static uint32_t least(const struct overlay *o)
{
	unsigned ip_len = o->config->ip_version == 6 ? 16 : 4;
	uint32_t mtu = 0;

	for (const struct overlay_remote *r = o->remotes; r; r = r->next)
		if (r->mtu && (!mtu || r->mtu < mtu))
			mtu = r->mtu;
	if (!mtu)
		mtu = inner_mtu(
			o->underlay->station
				? underlay_station_mtu(o->underlay->station)
				: OVERLAY_UNDERLAY_MTU,
			ip_len);
	return o->config->mtu ? MIN(mtu, o->config->mtu) : mtu;
}

/* Of devices: a path that was told to be too small for IPv6 does not end it. */
static uint32_t machine_mtu(const struct overlay *o)
{
	uint32_t wanted = o->config->mtu;

	return MAX(o->mtu, wanted ? MIN(wanted, MTU_LEAST) : MTU_LEAST);
}

static void tell_machines(struct overlay *o, bool at_once)
{
	struct overlay_mtu *s = get(o);
	uint32_t mtu = machine_mtu(o);

	if (mtu > s->told && s->told && !at_once) {
		if (!s->rise_at_s)
			s->rise_at_s = o->vs->now_s + RISE_S;
		if (o->vs->now_s < s->rise_at_s)
			return;
	}
	s->rise_at_s = 0;
	if (mtu == s->told)
		return;
	s->told = mtu;
	vswitch_commit_soon(o->vs); /* bridge_mtu.c */
}

static void set_least(struct overlay *o, bool at_once)
{
	uint32_t mtu = least(o);

	if (mtu != o->mtu)
		vport_mark_dirty(o->vs, o->v);
	o->mtu = mtu;
	tell_machines(o, at_once);
}

uint32_t bridge_overlay_mtu(const struct vswitch *vs, const struct bridge *b)
{
	uint32_t mtu = 0;

	for (const struct overlay *o = vs->overlays; o; o = o->next)
		if (o->v->bridge == b && o->sizes && o->sizes->told &&
		    (!mtu || o->sizes->told < mtu))
			mtu = o->sizes->told;
	return mtu;
}

/* --- remotes ---------------------------------------------------------------
 */

static void look(struct overlay_remote *r)
{
	const struct underlay *u = r->overlay->underlay;
	const struct ip_address *local = &r->overlay->config->local;
	uint32_t path;

	if (u->station)
		path = underlay_station_path_mtu(u->station, &r->ip);
	else
		path = vxlan_path_mtu(r->ip.bytes, r->ip.len, local->bytes,
				      local->len);
	overlay_remote_set_mtu(r, inner_mtu(path, r->ip.len));
}

void overlay_mtu_update(struct overlay_remote *r)
{
	look(r);
	set_least(r->overlay, false);
}

void overlay_mtu_refresh(struct overlay *o)
{
	get(o)->config_mtu = o->config->mtu;
	for (struct overlay_remote *r = o->remotes; r; r = r->next)
		look(r);
	set_least(o, true);
}

/* The kernel did not send something: it knows a path better than we do. */
static bool was_too_big(struct overlay *o)
{
	const struct vport *v = o->underlay->v;
	struct overlay_mtu *s = get(o);
	uint64_t before = s->too_big_seen;
	struct port_counters c;

	if (!v || !v->port)
		return false;
	port_get_counters(v->port, &c);
	s->too_big_seen = c.drops[DROP_TX_TOO_BIG];
	return s->too_big_seen > before;
}

/* In turn: some of all, and of those whose paths are not known. */
static void look_at_some(struct overlay *o)
{
	struct overlay_mtu *s = get(o);
	uint32_t usual = (o->n_indices + POLL_S - 1) / POLL_S;
	uint32_t n = MIN(MAX(s->hurried, usual), LOOKS_A_TICK);
	uint32_t more = LOOKS_A_TICK - n;

	for (uint32_t i = 0; i < MIN(n, o->n_indices); i++, s->next++) {
		if (s->next >= o->n_indices)
			s->next = 0;
		if (o->by_index[s->next])
			look(o->by_index[s->next]);
	}
	s->hurried -= MIN(n, s->hurried);
	for (struct overlay_remote *r = o->remotes; r && more; r = r->next)
		if (!r->mtu) {
			look(r);
			more--;
		}
}

void overlay_mtu_tick(struct overlay *o)
{
	struct overlay_mtu *s = get(o);

	if (was_too_big(o))
		s->hurried = o->n_indices;
	if (!s->told || s->config_mtu != o->config->mtu) {
		overlay_mtu_refresh(o);
		return;
	}
	look_at_some(o);
	set_least(o, false);
}

void overlay_mtu_end(struct overlay *o)
{
	free(o->sizes);
	o->sizes = NULL;
	vswitch_commit_soon(o->vs);
}

/* --- what was too big ------------------------------------------------------
 */

static size_t skip_tags(const uint8_t *frame, size_t len)
{
	size_t l2_len = ETH_HEADER_LEN;

	while (l2_len <= len && l2_len < ICMP_ERROR_L2_MAX &&
	       eth_type_is_vlan(load_be16(frame + l2_len - 2)))
		l2_len += VLAN_TAG_LEN;
	return l2_len;
}

/*
 * IPv4 without DF is answered as well. RFC 792 has the message for DF only, but
 * a VTEP must not fragment (RFC 7348 4.3), and who is not told sends into a
 * hole for ever; senders that keep a path's MTU without setting DF (Linux does,
 * whatever IP_MTU_DISCOVER of a socket says) make fragments that fit from then
 * on, and others ignore it. (The kernel's VXLAN device answers DF only: without
 * it, its outer packets are fragmented, unless df is set.)
 */
static bool describe(const uint8_t *ip, size_t len, uint32_t mtu,
		     struct icmp_error *e)
{
	if (len >= 20 && ip[0] >> 4 == 4)
		*e = (struct icmp_error){ .from = ip_address_of(ip + 16, 4),
					  .type = ICMP4_UNREACHABLE,
					  .code = ICMP4_FRAG_NEEDED,
					  .mtu = mtu };
	else if (len >= 40 && ip[0] >> 4 == 6)
		*e = (struct icmp_error){ .from = ip_address_of(ip + 24, 16),
					  .type = ICMP6_TOO_BIG,
					  .mtu = mtu };
	else
		return false;
	return true;
}

/* Tags that stay in the frame are as much less for the packet behind them. */
static uint32_t behind_tags(const struct overlay *o, uint32_t mtu,
			    size_t l2_len)
{
	size_t tags = l2_len - ETH_HEADER_LEN;

	if (tags && o->config->map)
		tags -= VLAN_TAG_LEN; /* it says the VNI */
	return mtu > tags ? mtu - tags : 0;
}

/*
 * The frame is as it was to leave by the VXLAN port; what comes in there with
 * the same tags is in the same VLAN. It is not learned from: the port learns by
 * its remotes, or it is where the answer's source is indeed.
 */
void overlay_too_big(struct overlay *o, struct vport *in, uint16_t vid,
		     uint32_t mtu, const void *frame, size_t len)
{
	size_t l2_len = skip_tags(frame, len);
	uint8_t room[ICMP_ERROR_MAX];
	const uint8_t *at = frame;
	struct icmp_error e;
	size_t n;

	if (len < l2_len)
		return;
	mtu = behind_tags(o, mtu, l2_len);
	if (!describe(at + l2_len, len - l2_len, mtu, &e))
		return;
	n = icmp_error_build(&e, frame, len, l2_len, room);
	if (n &&
	    icmp_error_allowed(&get(o)->limits, in->number, vswitch_now_ms()))
		frames_inject(o->vs, o->v, room, n);
}
