/*
 * A train that came in: the outer headers once, then one inner frame of each
 * datagram, where it lies.
 */
#include "packet/cursor.h"
#include "tunnel/tunnel_internal.h"

/* A train on its way; everything in it is from one place. */
struct train {
	const struct tunnel_demux *d;
	struct tunnel_in *in;
	struct packet *p;
	struct cursor c;
	struct vxlan_info info;
	struct tunnel_owner owner;
};

/*
 * Where bytes of the packet are in what it has borrowed, of which the private
 * header has replaced only what is decided on: headers, and those are in front.
 */
static bool find(struct train *t, uint32_t at)
{
	const struct packet *p = t->p;

	cursor_init(&t->c, p);
	t->c.len = 0;
	t->c.skip = 0;
	return at + p->pulled >= p->header_len &&
	       cursor_skip(&t->c, at + p->pulled - p->header_len);
}

static bool take(struct cursor *c, uint8_t *to, uint32_t n)
{
	const uint8_t *data;
	uint32_t got;

	for (; n; n -= got, to += got) {
		got = cursor_take(c, n, &data);
		if (!got)
			return false;
		memcpy(to, data, got);
	}
	return true;
}

/* The next `len` bytes as a frame. */
static bool make_inner(struct train *t, uint32_t len)
{
	struct tunnel_in *in = t->in;
	struct packet *inner = &in->inner[in->n_inner];
	struct packet_segment *pieces = in->pieces + in->n_pieces;
	unsigned n = 0, max = TUNNEL_PIECES - in->n_pieces;
	const uint8_t *data = NULL;
	uint32_t got;

	got = cursor_take(&t->c, len, &data);
	packet_init(inner, data, len);
	if (likely(got == len))
		return true;
	inner->segments = pieces;
	for (uint32_t left = len; left; left -= got) {
		if (n)
			got = cursor_take(&t->c, left, &data);
		if (!got || n == max)
			return false;
		pieces[n++] = (struct packet_segment){ data, got };
	}
	inner->n_segments = n;
	in->n_pieces += n;
	return true;
}

/* A datagram of `len` bytes. */
static enum drop_reason take_one(struct train *t, uint32_t len)
{
	struct packet *inner = &t->in->inner[t->in->n_inner];
	uint8_t header[VXLAN_HEADER_LEN];
	enum drop_reason reason;
	enum vxlan_fault fault;

	if (len < VXLAN_HEADER_LEN + ETH_HEADER_LEN)
		return cursor_skip(&t->c, len) ? DROP_VXLAN_MALFORMED
					       : DROP_BAD_OFFLOAD;
	if (!take(&t->c, header, sizeof(header)) ||
	    !make_inner(t, len - VXLAN_HEADER_LEN))
		return DROP_BAD_OFFLOAD;
	fault = vxlan_parse(&t->d->rules, header, &t->info);
	if (fault)
		return tunnel_reason(fault);
	reason = tunnel_find_owner(t->d, t->in, &t->info, &t->owner);
	if (reason != N_DROP_REASONS)
		return reason;
	packet_pull_first(inner);
	fault = vxlan_take_ecn(inner, &t->info);
	return fault ? tunnel_reason(fault)
		     : tunnel_accept(t->in, &t->info, &t->owner);
}

void tunnel_take_train(const struct tunnel_demux *d, struct packet *p,
		       struct tunnel_in *in)
{
	struct train t = { .d = d, .in = in, .p = p };
	uint32_t size = p->offload.gso_size, left;
	struct vxlan_layout l = { 0 };
	enum vxlan_fault fault;
	enum drop_reason reason;

	fault = vxlan_parse_outer(&d->rules, p, &l, &t.info);
	if (tunnel_is_other(d, fault, &t.info)) {
		in->others[in->n_others++] = p;
		return;
	}
	left = l.end - l.vxlan;
	if (fault) {
		tunnel_fail(in, p, tunnel_reason(fault));
	} else if (!size || left / size >= GSO_SEGMENTS_MAX ||
		   !find(&t, l.vxlan)) {
		tunnel_fail(in, p, DROP_BAD_OFFLOAD);
	} else {
		for (uint32_t n; left; left -= n) {
			n = MIN(left, size);
			reason = take_one(&t, n);
			if (reason != N_DROP_REASONS)
				tunnel_fail(in, p, reason);
		}
	}
}
