/*
 * IPv4 packets in fragments (RFC 791 3.2, RFC 815), and nothing copied but
 * headers: a fragment has its own, and borrows its part of the payload. A
 * thread has room for so many at a time; the next are made when those are sent.
 */
#include "packet/csum.h"
#include "router/internal.h"

#define OPTION_END  0
#define OPTION_NOP  1
#define OPTION_COPY 0x80

void router_cut(struct burst *b, struct packet *p, enum router_side side,
		struct router_result *result)
{
	struct lane *lane = b->lane;

	/* Only the whole has one; and only it has room to finish it. */
	if (lane->n_cuts == LANE_CUTS ||
	    (p->offload.csum_needed && !packet_finish_csum(p))) {
		drop_it(result, DROP_ROUTE_FRAGMENTS);
		return;
	}
	lane->cuts[lane->n_cuts++] = (struct cut){
		.packet = p,
		.result = *result,
		.mtu = b->r->links[side].mtu,
	};
	*result = (struct router_result){ .verdict = ROUTER_HELD };
}

/* Options that are not copied to later fragments become padding. */
static void blank_options(uint8_t *ip, unsigned header_len)
{
	unsigned at = IP4_HEADER_LEN, len;

	while (at < header_len && ip[at] != OPTION_END) {
		len = 1;
		if (ip[at] != OPTION_NOP)
			len = at + 1 < header_len ? ip[at + 1] : 0;
		if (!len || at + len > header_len)
			break; /* malformed: let it be blank from here */
		if (!(ip[at] & OPTION_COPY))
			memset(ip + at, OPTION_NOP, len);
		at += len;
	}
	memset(ip + at, OPTION_END, header_len - at);
}

/* Borrows n bytes from the cursor: pieces[0..]; 0: there is no room. */
static unsigned borrow(struct cursor *from, uint32_t n,
		       struct packet_segment *pieces, unsigned max)
{
	const uint8_t *data;
	unsigned i;
	uint32_t got;

	for (i = 0; n; i++, n -= got) {
		if (i == max)
			return 0;
		got = cursor_take(from, n, &data);
		if (!got)
			return 0;
		pieces[i] = (struct packet_segment){ data, got };
	}
	return i;
}

static void write_header(struct packet *f, const struct packet *p,
			 unsigned header_len, uint32_t done, uint32_t n,
			 bool last)
{
	uint8_t *ip = f->header + L3;
	uint16_t was;

	memcpy(f->header, p->header, L3 + header_len);
	was = load_be16(ip + 6);
	if (done)
		blank_options(ip, header_len);
	store_be16(ip + 2, header_len + n);
	store_be16(ip + 6, ((was & IP4_MF) || !last ? IP4_MF : 0) |
				   ((was & 0x1fff) + done / 8));
	csum_ipv4_header(ip, header_len);
}

/* The next fragment into f; false: it cannot be, or there are none left. */
static bool next_fragment(struct lane *lane, const struct cut *cut,
			  struct packet *f, struct packet_segment *pieces,
			  unsigned max, unsigned *n_pieces)
{
	const struct packet *p = cut->packet;
	unsigned header_len = (p->header[L3] & 15) * 4;
	uint32_t n = (cut->mtu - header_len) & ~7u;

	n = MIN(n, lane->left);
	*n_pieces = borrow(&lane->payload, n, pieces, max);
	if (!*n_pieces)
		return false;
	packet_init(f, NULL, 0);
	f->header_len = L3 + header_len;
	f->len = f->header_len + n;
	f->segments = pieces;
	f->n_segments = *n_pieces;
	write_header(f, p, header_len, lane->done, n, n == lane->left);
	lane->done += n;
	lane->left -= n;
	return true;
}

/* Begins with a packet; false: it is none to be cut. */
static bool begin(struct lane *lane, const struct cut *cut)
{
	const struct packet *p = cut->packet;
	unsigned header_len = (p->header[L3] & 15) * 4;
	uint32_t total = load_be16(p->header + L3 + 2);

	if (cut->mtu < header_len + 8 || p->header_len < L3 + header_len ||
	    total <= header_len || L3 + total > p->len)
		return false;
	cursor_init(&lane->payload, p);
	if (!cursor_skip(&lane->payload, L3 + header_len))
		return false;
	lane->done = 0;
	lane->left = total - header_len;
	return true;
}

unsigned router_take_fragments(struct lane *lane, struct packet *packets[],
			       struct router_result *results, unsigned max)
{
	unsigned n = 0, piece = 0, used;

	max = MIN(max, LANE_FRAGMENTS);
	while (n < max && lane->at_cut < lane->n_cuts) {
		const struct cut *cut = &lane->cuts[lane->at_cut];

		if (!lane->left && !begin(lane, cut)) {
			lane->at_cut++;
			packets[n] = cut->packet;
			drop_it(&results[n++], DROP_ROUTE_FRAGMENTS);
			continue;
		}
		/* In so many pieces: what was made goes first. */
		if (n && LANE_PIECES - piece < LANE_PIECES / 4)
			break;
		packets[n] = &lane->fragments[n];
		results[n] = cut->result;
		if (!next_fragment(lane, cut, packets[n], lane->pieces + piece,
				   LANE_PIECES - piece, &used)) {
			packets[n] = cut->packet;
			drop_it(&results[n], DROP_ROUTE_FRAGMENTS);
			lane->left = 0;
		}
		n++;
		piece += used;
		if (!lane->left)
			lane->at_cut++;
	}
	return n;
}

/* What a packet's own room is sure to have room for. */
#define SETTLED_LEN PACKET_PULL

bool router_settle(struct lane *lane, struct packet *p)
{
	struct packet_segment *pieces = lane->settled + lane->n_settled;
	uint32_t n = MIN((uint32_t)p->header_len, (uint32_t)SETTLED_LEN);
	struct cursor rest;
	unsigned used = 0;

	cursor_init(&rest, p);
	if (!cursor_skip(&rest, n))
		return false;
	if (p->len > n) {
		used = borrow(&rest, p->len - n, pieces,
			      LANE_PIECES - lane->n_settled);
		if (!used)
			return false;
	}
	memcpy(p->room + PACKET_HEADROOM, p->header, n);
	p->header = p->room + PACKET_HEADROOM;
	p->header_len = n;
	p->pulled = 0;
	p->segments = pieces;
	p->n_segments = used;
	lane->n_settled += used;
	return true;
}
