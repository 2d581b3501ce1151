/*
 * Reads foreign bytes front to back and cannot pass their end. A read that
 * would pass it gives zeros, moves nothing and is remembered, as is every read
 * after it; so a decoder reads a whole header and asks once:
 *
 *	reader_init(&r, data, len);
 *	type = reader_u8(&r);
 *	length = reader_be16(&r);
 *	value = reader_take(&r, length);
 *	if (r.failed)
 *		return -EINVAL;
 */
#ifndef PACKET_READER_H
#define PACKET_READER_H

#include "packet/packet.h"

struct reader {
	const uint8_t *at, *end;
	bool failed;
};

static inline void reader_init(struct reader *r, const void *data, size_t len)
{
	r->at = data;
	r->end = r->at + len;
	r->failed = false;
}

/* Bytes not yet read; 0 once a read has failed. */
static inline size_t reader_left(const struct reader *r)
{
	return r->failed ? 0 : (size_t)(r->end - r->at);
}

/* The next n bytes where they lie, NULL when there are fewer. */
static inline const uint8_t *reader_take(struct reader *r, size_t n)
{
	const uint8_t *at = r->at;

	if (unlikely(n > reader_left(r))) {
		r->failed = true;
		return NULL;
	}
	r->at += n;
	return at;
}

static inline bool reader_skip(struct reader *r, size_t n)
{
	reader_take(r, n);
	return !r->failed;
}

/* Cuts the next n bytes off as a reader of their own (it fails when r does). */
static inline struct reader reader_sub(struct reader *r, size_t n)
{
	const uint8_t *at = reader_take(r, n);
	struct reader sub = {
		.at = at,
		.end = at ? at + n : NULL,
		.failed = !at,
	};

	return sub;
}

static inline uint8_t reader_u8(struct reader *r)
{
	const uint8_t *at = reader_take(r, 1);

	return at ? *at : 0;
}

static inline uint16_t reader_be16(struct reader *r)
{
	const uint8_t *at = reader_take(r, 2);

	return at ? load_be16(at) : 0;
}

static inline uint32_t reader_be32(struct reader *r)
{
	const uint8_t *at = reader_take(r, 4);

	return at ? load_be32(at) : 0;
}

/* A MAC address, as load_mac(). */
static inline uint64_t reader_mac(struct reader *r)
{
	const uint8_t *at = reader_take(r, 6);

	return at ? load_mac(at) : 0;
}

/* n bytes copied to `to`, zeros when there are fewer. */
static inline void reader_copy(struct reader *r, void *to, size_t n)
{
	const uint8_t *at = reader_take(r, n);

	if (at)
		memcpy(to, at, n);
	else
		memset(to, 0, n);
}

#endif
