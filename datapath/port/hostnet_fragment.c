/*
 * A datagram's payload lies in a buffer at its place; a bit for each eight
 * bytes says what is there. Fragments that overlap end the datagram (RFC 5722),
 * but for a whole one that came twice.
 */
#include "port/hostnet_fragment.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "packet/csum.h"
#include "port/hostnet_headers.h"

#define UNIT	    8u
#define UNITS	    (65536 / UNIT)
#define HEADERS	    (L3 + IP6_LEN) /* room in front of the payload */
#define IP6_EXT_LEN 8
#define MORE4	    0x2000
#define OFFSET4	    0x1fff

/* What names a datagram. */
struct key {
	uint8_t version, proto;
	uint16_t spare; /* 0: keys are compared as bytes */
	uint8_t src[16], dst[16];
	uint32_t id;
};

struct datagram {
	bool used;
	struct key key;
	uint64_t began_s;
	uint32_t payload; /* all of it; 0: the last piece is not there */
	uint32_t there;	  /* bytes */
	uint32_t reach;	  /* the end of what is furthest behind */
	uint8_t header[HEADERS];
	bool has_first;
	uint64_t bits[UNITS / 64];
	uint8_t *room; /* HEADERS and 64 KB; made when first used */
};

/* A fragment. */
struct piece {
	struct key key;
	const uint8_t *data;
	uint32_t offset, n;
	bool more;
};

struct hostnet_fragments {
	struct datagram datagrams[HOSTNET_DATAGRAMS];
	uint64_t lost;
};

struct hostnet_fragments *hostnet_fragments_create(void)
{
	return xcalloc(1, sizeof(struct hostnet_fragments));
}

void hostnet_fragments_destroy(struct hostnet_fragments *f)
{
	if (!f)
		return;
	for (unsigned i = 0; i < HOSTNET_DATAGRAMS; i++)
		free(f->datagrams[i].room);
	free(f);
}

uint64_t hostnet_fragments_lost(const struct hostnet_fragments *f)
{
	return f->lost;
}

static bool find_piece(const uint8_t *frame, const struct hostnet_packet *p,
		       struct piece *piece)
{
	const uint8_t *ip = frame + L3, *ext = frame + p->l4;
	uint32_t from = p->l4;

	memset(piece, 0, sizeof(*piece));
	piece->key.version = p->version;
	memcpy(piece->key.src, p->src, 16);
	memcpy(piece->key.dst, p->dst, 16);
	if (p->version == 4) {
		piece->key.proto = ip[9];
		piece->key.id = load_be16(ip + 4);
		piece->offset = (load_be16(ip + 6) & OFFSET4) * UNIT;
		piece->more = load_be16(ip + 6) & MORE4;
	} else {
		from += IP6_EXT_LEN;
		if (from > p->end)
			return false;
		piece->key.proto = ext[0];
		piece->key.id = load_be32(ext + 4);
		piece->offset = load_be16(ext + 2) & ~(UNIT - 1);
		piece->more = ext[3] & 1;
	}
	piece->data = frame + from;
	piece->n = p->end - from;
	return piece->n && (!piece->more || !(piece->n % UNIT)) &&
	       piece->offset + piece->n <= HOSTNET_IP_MAX - IP6_LEN;
}

static void give_up(struct hostnet_fragments *f, struct datagram *d)
{
	d->used = false;
	f->lost++;
}

/* Its datagram, or a free one: of a machine that has many, its oldest. */
static struct datagram *find_datagram(struct hostnet_fragments *f,
				      const struct key *key, uint64_t now_s)
{
	struct datagram *oldest = NULL, *own = NULL, *free_one = NULL;
	unsigned n_own = 0;

	for (unsigned i = 0; i < HOSTNET_DATAGRAMS; i++) {
		struct datagram *d = &f->datagrams[i];

		if (d->used && now_s - d->began_s > HOSTNET_DATAGRAM_LIFE_S)
			give_up(f, d);
		if (!d->used) {
			free_one = d;
			continue;
		}
		if (!memcmp(&d->key, key, sizeof(*key)))
			return d;
		if (!oldest || d->began_s < oldest->began_s)
			oldest = d;
		if (memcmp(d->key.src, key->src, 16))
			continue;
		n_own++;
		if (!own || d->began_s < own->began_s)
			own = d;
	}
	if (n_own >= HOSTNET_CLIENT_DATAGRAMS)
		free_one = own;
	else if (!free_one)
		free_one = oldest;
	if (free_one->used)
		give_up(f, free_one);
	return free_one;
}

static void begin(struct datagram *d, const struct key *key, uint64_t now_s)
{
	uint8_t *room = d->room ? d->room : xmalloc(HEADERS + 65536);

	memset(d, 0, sizeof(*d));
	d->used = true;
	d->key = *key;
	d->began_s = now_s;
	d->room = room;
}

/* How many of the piece's eights are there already. */
static uint32_t count_there(const struct datagram *d, const struct piece *p)
{
	uint32_t there = 0;

	for (uint32_t i = p->offset / UNIT; i * UNIT < p->offset + p->n; i++)
		there += d->bits[i / 64] >> i % 64 & 1;
	return there;
}

/* False: the datagram makes no sense. */
static bool put(struct datagram *d, const struct piece *p, const uint8_t *frame)
{
	uint32_t there = count_there(d, p), end = p->offset + p->n;

	if (there)
		return there == DIV_ROUND_UP(p->n, UNIT);
	if (d->payload ? !p->more || end > d->payload
		       : !p->more && end < d->reach)
		return false;
	d->reach = MAX(d->reach, end);
	if (!p->more)
		d->payload = end;
	if (!p->offset) {
		memcpy(d->header, frame,
		       L3 + (p->key.version == 4 ? IP4_LEN : IP6_LEN));
		d->has_first = true;
	}
	for (uint32_t i = p->offset / UNIT; i * UNIT < end; i++)
		d->bits[i / 64] |= 1ull << i % 64;
	memcpy(d->room + HEADERS + p->offset, p->data, p->n);
	d->there += p->n;
	return true;
}

static uint8_t *finish(struct datagram *d, uint32_t *len)
{
	uint32_t n = L3 + (d->key.version == 4 ? IP4_LEN : IP6_LEN);
	uint8_t *frame = d->room + HEADERS - n, *ip = frame + L3;

	memcpy(frame, d->header, n);
	if (d->key.version == 4) {
		ip[0] = 0x45; /* libslirp would strip options, too */
		store_be16(ip + 2, IP4_LEN + d->payload);
		memset(ip + 6, 0, 2);
		csum_ipv4_header(ip, IP4_LEN);
	} else {
		store_be16(ip + 4, d->payload);
		ip[6] = d->key.proto;
	}
	d->used = false;
	*len = n + d->payload;
	return frame;
}

uint8_t *hostnet_fragments_add(struct hostnet_fragments *f,
			       const uint8_t *frame,
			       const struct hostnet_packet *p, uint64_t now_s,
			       uint32_t *len)
{
	struct datagram *d;
	struct piece piece;

	if (!find_piece(frame, p, &piece)) {
		f->lost++;
		return NULL;
	}
	d = find_datagram(f, &piece.key, now_s);
	if (!d->used)
		begin(d, &piece.key, now_s);
	if (!put(d, &piece, frame)) {
		give_up(f, d);
		return NULL;
	}
	if (!d->has_first || !d->payload || d->there != d->payload)
		return NULL;
	return finish(d, len);
}

/* --- cutting ---------------------------------------------------------------
 */

uint32_t hostnet_fragment_cut(const struct hostnet_net *net,
			      const uint8_t *frame, uint32_t len, uint32_t id,
			      uint32_t *at, uint8_t *piece)
{
	bool ip4 = frame[L3] >> 4 == 4;
	uint32_t header = L3 + (ip4 ? IP4_LEN : IP6_LEN);
	uint32_t extra = ip4 ? 0 : IP6_EXT_LEN;
	uint32_t left = len - header - *at;
	uint32_t n = (net->mtu + L3 - header - extra) & ~(UNIT - 1);
	uint8_t *ip = piece + L3, *ext = piece + header;
	bool more;

	n = MIN(n, left);
	more = n < left;
	memcpy(piece, frame, header);
	memcpy(piece + header + extra, frame + header + *at, n);
	if (ip4) {
		store_be16(ip + 2, IP4_LEN + n);
		store_be16(ip + 4, id);
		store_be16(ip + 6, *at / UNIT | (more ? MORE4 : 0));
		csum_ipv4_header(ip, IP4_LEN);
	} else {
		store_be16(ip + 4, extra + n);
		ext[0] = ip[6];
		ext[1] = 0;
		store_be16(ext + 2, *at | more);
		store_be32(ext + 4, id);
		ip[6] = IPPROTO_FRAGMENT;
	}
	*at += n;
	return n ? header + extra + n : 0;
}
