/*
 * Mirrors (mirror.h). A packet's `mirrored` says, for one bridge's turn, which
 * of its mirrors have selected the packet already.
 *
 * What a mirror selects of a burst is gathered first, and copied then for each
 * port that is to have it: views of the same borrowed bytes, a batch at a time,
 * in memory of the pipeline's. They leave as any other packet does, so to a
 * bond, over a patch port, or into a tunnel, too.
 */
#include "forward/mirror.h"

#include <errno.h>
#include <stdlib.h>

#include "forward/stage.h"
#include "forward/trace.h"
#include "packet/csum.h"
#include "packet/gso.h"

#define BATCH 64
/* Pieces of what a batch's frames keep when they are cut. */
#define PIECES 1024

struct mirror_scratch {
	unsigned n, n_pieces;
	struct packet *pointers[BATCH];
	struct packet views[BATCH];
	struct packet_segment pieces[PIECES];
	struct gso gso;
	struct gso_scratch segments;
};

/* A packet that a mirror selected, and what is known of its VLAN. */
struct picked {
	const struct packet *packet;
	struct vlan_state vlan;
	uint16_t tpid;
};

struct picks {
	unsigned n;
	struct picked picked[PACKET_BURST_MAX];
};

/* Copies on their way to one port. */
struct copying {
	struct pipeline *pl;
	const struct fwd_mirror *mirror;
	const struct fwd_port *out;
	struct mirror_scratch *scratch;
	uint64_t packets, bytes;
};

/* --- building ------------------------------------------------------------ */

struct fwd_mirror *fwd_bridge_add_mirror(struct fwd_bridge *bridge,
					 const struct fwd_mirror *mirror)
{
	struct fwd_mirror *m;

	if (bridge->n_mirrors == FWD_MIRRORS_MAX)
		return NULL;
	m = xmalloc(sizeof(*m));
	*m = *mirror;
	m->bit = m->twins = 1u << bridge->n_mirrors;
	for (unsigned i = 0; i < bridge->n_mirrors; i++) {
		struct fwd_mirror *other = bridge->mirrors[i];

		if (other->out != m->out || other->out_vid != m->out_vid)
			continue;
		other->twins |= m->bit;
		m->twins |= other->bit;
	}
	bridge->mirrors =
		xrealloc(bridge->mirrors, (bridge->n_mirrors + 1) * sizeof(m));
	bridge->mirrors[bridge->n_mirrors++] = m;
	if (m->out) {
		fwd_port_ingress(m->out)->reserved = true;
		fwd_port_egress(m->out)->reserved = true;
		m->out->floods = false;
	} else {
		bridge->no_learn_vlans = true;
		vlan_set_add(&bridge->flood_vlans, m->out_vid);
	}
	return m;
}

void fwd_mirror_select(const struct fwd_mirror *mirror, struct fwd_port *port,
		       bool in, bool out)
{
	if (in)
		fwd_port_ingress(port)->mirrors |= mirror->bit;
	if (out)
		fwd_port_egress(port)->mirrors |= mirror->bit;
}

/* --- selecting ----------------------------------------------------------- */

/*
 * Addresses of protocols between neighbours, which must not turn up elsewhere
 * in the network (the list of Open vSwitch's forward-bpdu): those of IEEE
 * 802.1Q table 8-1, of Cisco and of Extreme Networks.
 */
static bool is_of_link(uint64_t dst)
{
	return dst >> 4 == 0x0180c2000000ull >> 4 ||
	       dst >> 4 == 0x01000cccccc0ull >> 4 || dst == 0x01000ccdcdcdull ||
	       dst == 0x01000c000000ull || dst == 0x00e02b000000ull ||
	       dst == 0x00e02b000004ull || dst == 0x00e02b000006ull;
}

static uint32_t copy_len(const struct fwd_mirror *m, const struct packet *p)
{
	return m->snaplen && m->snaplen < p->len ? m->snaplen : p->len;
}

static void count(const struct pipeline *pl, const struct fwd_mirror *m,
		  uint64_t packets, uint64_t bytes)
{
	counter_add(&m->counters[pl->thread].packets, packets);
	counter_add(&m->counters[pl->thread].bytes, bytes);
}

/* Whether it is to be copied now. */
static bool selects(const struct pipeline *pl, const struct fwd_mirror *m,
		    struct packet *p, uint16_t vid)
{
	uint32_t before = p->mirrored;

	if (before & m->bit || (m->by_vlan && !vlan_set_has(&m->vlans, vid)))
		return false;
	if (!m->out && (vid == m->out_vid || is_of_link(load_mac(p->header))))
		return false;
	p->mirrored = before | m->bit;
	if (likely(!(before & m->twins)))
		return true;
	/* It is there already, by another's doing. */
	count(pl, m, 1, copy_len(m, p));
	return false;
}

/* A mirror of this bridge is sending this burst's copies: no more of them. */
static bool is_mirroring(const struct pipeline *pl,
			 const struct fwd_bridge *bridge)
{
	for (unsigned i = 0; i <= pl->depth; i++)
		if (pl->mirroring[i] == bridge)
			return true;
	return false;
}

/* --- copying ------------------------------------------------------------- */

static void flush(struct copying *c)
{
	struct mirror_scratch *scratch = c->scratch;

	if (scratch->n)
		output_send(c->pl, c->out, scratch->pointers, scratch->n);
	scratch->n = 0;
	scratch->n_pieces = 0;
}

static void add(struct copying *c, struct packet *p)
{
	c->packets++;
	c->bytes += p->len;
	c->scratch->pointers[c->scratch->n++] = p;
}

/*
 * The packet's first bytes are left, as many as the snaplen: what they ask to
 * be done can be done no more. False: it lies in too many pieces for what is
 * left of the scratch.
 */
static bool cut(struct copying *c, struct packet *p)
{
	struct mirror_scratch *scratch = c->scratch;
	struct packet_segment *pieces = scratch->pieces + scratch->n_pieces;
	uint32_t private = MIN(p->header_len, c->mirror->snaplen), left;
	unsigned n = 0;

	if (p->len <= c->mirror->snaplen)
		return true;
	/* Of the segments: what the header replaces, and what follows. */
	left = p->pulled + c->mirror->snaplen - private;
	while (left && n < p->n_segments) {
		if (scratch->n_pieces + n == PIECES)
			return false;
		pieces[n] = p->segments[n];
		pieces[n].len = MIN(pieces[n].len, left);
		left -= pieces[n++].len;
	}
	if (n <= 1) {
		p->segment =
			n ? pieces[0] : (struct packet_segment){ p->header, 0 };
		p->segments = &p->segment;
		p->n_segments = 1;
	} else {
		p->segments = pieces;
		p->n_segments = n;
		scratch->n_pieces += n;
	}
	p->header_len = private;
	p->len = c->mirror->snaplen - left;
	memset(&p->offload, 0, sizeof(p->offload));
	return true;
}

/*
 * With a snaplen: a large packet stands for several, each of which is cut.
 * Their checksums are finished while the payload is there.
 */
static void add_segments(struct copying *c, const struct packet *p)
{
	struct mirror_scratch *scratch = c->scratch;
	struct packet *segment;
	int r;

	r = gso_start(&scratch->gso, p, true);
	gso_scratch_clear(&scratch->segments);
	while (!r) {
		r = gso_next(&scratch->gso, &scratch->segments, &segment);
		if (!r)
			return;
		if (r == -ENOSPC && scratch->n) {
			flush(c);
			gso_scratch_clear(&scratch->segments);
			r = 0;
		} else if (r > 0) {
			r = cut(c, segment) ? 0 : -ENOSPC;
			if (!r)
				add(c, segment);
		}
	}
	drop_out(c->pl, c->out, p, DROP_TX_OFFLOAD);
}

static void add_cut(struct copying *c, struct packet *view)
{
	if (view->offload.gso) {
		/* The view stays where it is: its segments borrow from it. */
		flush(c);
		add_segments(c, view);
		flush(c);
		return;
	}
	/* A field farther away than headers ever are stays as it is. */
	if (view->offload.csum_needed)
		(void)!packet_finish_csum(view);
	if (!cut(c, view)) {
		struct packet copy;

		packet_copy(&copy, view);
		flush(c);
		view = &c->scratch->views[0];
		packet_copy(view, &copy);
		if (!cut(c, view)) {
			drop_out(c->pl, c->out, view, DROP_TX_OFFLOAD);
			return;
		}
	}
	add(c, view);
}

/* Access ports take copies of any VLAN, and have them untagged. */
static uint16_t vid_for(const struct fwd_port *out, uint16_t vid)
{
	return out->accepts_tagged ? vid : out->untagged_vid;
}

static void copy_one(struct copying *c, const struct picked *picked,
		     uint16_t vid)
{
	struct packet *view;
	struct item item;

	if (c->scratch->n == BATCH)
		flush(c);
	view = &c->scratch->views[c->scratch->n];
	packet_copy(view, picked->packet);
	item.packet = view;
	item.vlan = picked->vlan;
	item.vlan.vid = vid;
	item.tpid = picked->vlan.tag ? picked->tpid : c->out->tpid;
	if (!output_prepare(c->pl, c->out, &item))
		return;
	if (c->mirror->snaplen)
		add_cut(c, view);
	else
		add(c, view);
}

/* To one port; counted: they are the mirror's first. */
static void copy_to(struct pipeline *pl, const struct fwd_mirror *m,
		    const struct fwd_port *out, const struct picks *picks,
		    bool counted)
{
	struct copying c = { .pl = pl, .mirror = m, .out = out };

	c.scratch = pl->mirror_scratches[pl->depth];
	for (unsigned i = 0; i < picks->n; i++) {
		const struct picked *p = &picks->picked[i];

		copy_one(&c, p,
			 m->out ? vid_for(out, p->vlan.vid) : m->out_vid);
	}
	flush(&c);
	if (counted)
		count(pl, m, c.packets, c.bytes);
}

/*
 * To all ports of the VLAN, the one included that the packets came by: there
 * they were in another. Nobody routes copies.
 */
static void copy_to_vlan(struct pipeline *pl, const struct fwd_bridge *bridge,
			 const struct fwd_mirror *m, const struct picks *picks)
{
	bool first = true;

	for (unsigned i = 0; i < bridge->n_ports; i++) {
		const struct fwd_port *out = bridge->ports[i];

		if (!vlan_set_has(&out->vlans, m->out_vid) || !out->floods ||
		    out->gateway || out->underlay)
			continue;
		copy_to(pl, m, out, picks, first);
		first = false;
	}
}

static __attribute__((noinline)) void copy_all(struct pipeline *pl,
					       const struct fwd_bridge *bridge,
					       const struct fwd_mirror *m,
					       const struct picks *picks)
{
	struct mirror_scratch **scratch = &pl->mirror_scratches[pl->depth];

	if (unlikely(pl->trace != NULL))
		trace_mirror(pl, m, picks->n);
	if (!*scratch)
		*scratch = xcalloc_aligned(1, sizeof(**scratch));
	pl->mirroring[pl->depth] = bridge;
	if (m->out)
		copy_to(pl, m, m->out, picks, true);
	else
		copy_to_vlan(pl, bridge, m, picks);
	pl->mirroring[pl->depth] = NULL;
}

void mirror_received(struct pipeline *pl, const struct stage *s)
{
	const struct fwd_bridge *bridge = s->as->bridge;
	uint32_t mask = s->as->ingress->mirrors;
	struct picks picks;

	if (is_mirroring(pl, bridge))
		return;
	for (; mask; mask &= mask - 1) {
		const struct fwd_mirror *m =
			bridge->mirrors[__builtin_ctz(mask)];

		picks.n = 0;
		for (unsigned i = 0; i < s->n_items; i++) {
			const struct item *item = &s->items[i];

			if (selects(pl, m, item->packet, item->vlan.vid))
				picks.picked[picks.n++] = (struct picked){
					.packet = item->packet,
					.vlan = item->vlan,
					.tpid = item->tpid,
				};
		}
		if (picks.n)
			copy_all(pl, bridge, m, &picks);
	}
}

/* The VLAN of what leaves by `out` like this, which its tag may say. */
static struct picked look_at(const struct fwd_port *out, const struct packet *p)
{
	struct picked picked = { .packet = p, .tpid = out->tpid };
	uint16_t tci;

	picked.vlan.vid =
		out->untagged_vid == VLAN_VID_NONE ? 0 : out->untagged_vid;
	if ((!out->accepts_tagged && !out->priority_tags) ||
	    p->header_len < ETH_HEADER_LEN + VLAN_TAG_LEN ||
	    !eth_type_is_vlan(load_be16(p->header + 12)))
		return picked;
	tci = load_be16(p->header + 14);
	/* Behind an access port's own tag, which names no VLAN, is another's.
	 */
	if (!out->accepts_tagged && VLAN_VID(tci))
		return picked;
	picked.tpid = load_be16(p->header + 12);
	picked.vlan.tag = TAG(tci);
	picked.vlan.prio = tci & ~VLAN_VID_MASK;
	if (VLAN_VID(tci))
		picked.vlan.vid = VLAN_VID(tci);
	return picked;
}

void mirror_sent(struct pipeline *pl, const struct fwd_port *out,
		 struct packet *const packets[], unsigned n)
{
	const struct fwd_bridge *bridge = out->bridge;
	uint32_t mask = out->egress->mirrors;
	struct picks picks;

	if (is_mirroring(pl, bridge))
		return;
	for (; mask; mask &= mask - 1) {
		const struct fwd_mirror *m =
			bridge->mirrors[__builtin_ctz(mask)];

		picks.n = 0;
		for (unsigned i = 0; i < n; i++) {
			struct picked picked = look_at(out, packets[i]);

			if (selects(pl, m, packets[i], picked.vlan.vid))
				picks.picked[picks.n++] = picked;
		}
		if (picks.n)
			copy_all(pl, bridge, m, &picks);
	}
}

bool mirror_may_leave(const struct pipeline *pl, const struct fwd_port *out,
		      struct packet *const packets[], unsigned n)
{
	if (!pl->stages[pl->depth]->as || is_mirroring(pl, out->bridge))
		return true;
	for (unsigned i = 0; i < n; i++)
		drop_out(pl, out, packets[i], DROP_MIRROR_PORT);
	return false;
}

void mirror_free_scratches(struct pipeline *pl)
{
	for (unsigned i = 0; i < PATCH_DEPTH_MAX; i++)
		free(pl->mirror_scratches[i]);
}
