/*
 * What the targets for packets share: the input's first bytes say how a packet
 * lies in memory, the rest is the frame, in blocks of exactly their length so
 * that a sanitizer sees one byte read too far.
 */
#ifndef TESTS_FUZZ_INPUT_H
#define TESTS_FUZZ_INPUT_H

#include <stdlib.h>

#include "packet/packet.h"

#define FUZZ_PIECES_MAX 64

struct fuzz_packet {
	struct packet p;
	struct packet_segment pieces[FUZZ_PIECES_MAX];
	unsigned n;
};

/* Takes n bytes off the input, or zeros when it is shorter. */
static inline void fuzz_take(const uint8_t **data, size_t *size, void *to,
			     size_t n)
{
	size_t got = MIN(n, *size);

	memset(to, 0, n);
	if (got)
		memcpy(to, *data, got);
	*data += got;
	*size -= got;
}

/* The rest of the input as a frame in pieces of `piece` bytes, 0: in one. */
static inline void fuzz_packet_init(struct fuzz_packet *f, const uint8_t *data,
				    size_t size, unsigned piece, bool tag)
{
	size_t at = 0, n;

	size = MIN(size, (size_t)PACKET_LEN_MAX);
	f->n = 0;
	do {
		n = size - at;
		if (piece && n > piece && f->n < FUZZ_PIECES_MAX - 1)
			n = piece;
		f->pieces[f->n].data = xmalloc(n ? n : 1);
		f->pieces[f->n].len = n;
		if (n)
			memcpy((void *)f->pieces[f->n].data, data + at, n);
		f->n++;
		at += n;
	} while (at < size);
	packet_init(&f->p, f->pieces[0].data, size);
	if (f->n > 1) {
		f->p.segments = f->pieces;
		f->p.n_segments = f->n;
	}
	f->p.vlan_beside = tag;
	f->p.vlan_beside_tci = 10;
	f->p.vlan_beside_tpid = 0x8100;
}

static inline void fuzz_packet_fini(struct fuzz_packet *f)
{
	for (unsigned i = 0; i < f->n; i++)
		free((void *)f->pieces[i].data);
}

/* What must hold whatever the input was. */
#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition))                                              \
			abort();                                               \
	} while (0)

#endif
