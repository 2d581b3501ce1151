/*
 * Writes a message front to back and cannot pass its room; as reader.h, what
 * does not fit writes nothing and is remembered, so the caller asks once.
 */
#ifndef GATEWAY_WRITER_H
#define GATEWAY_WRITER_H

#include "packet/packet.h"

struct writer {
	uint8_t *start, *at, *end;
	bool failed;
};

static inline void writer_init(struct writer *w, void *room, size_t size)
{
	w->start = w->at = room;
	w->end = w->at + size;
	w->failed = false;
}

static inline size_t writer_len(const struct writer *w)
{
	return w->at - w->start;
}

static inline size_t writer_left(const struct writer *w)
{
	return w->failed ? 0 : (size_t)(w->end - w->at);
}

/* Room for n bytes, to be filled by the caller; NULL when there is none. */
static inline uint8_t *writer_take(struct writer *w, size_t n)
{
	uint8_t *at = w->at;

	if (n > writer_left(w)) {
		w->failed = true;
		return NULL;
	}
	w->at += n;
	return at;
}

static inline void writer_bytes(struct writer *w, const void *data, size_t n)
{
	uint8_t *at = writer_take(w, n);

	if (at && n)
		memcpy(at, data, n);
}

static inline void writer_zeros(struct writer *w, size_t n)
{
	uint8_t *at = writer_take(w, n);

	if (at)
		memset(at, 0, n);
}

static inline void writer_u8(struct writer *w, uint8_t v)
{
	writer_bytes(w, &v, 1);
}

static inline void writer_be16(struct writer *w, uint16_t v)
{
	uint8_t *at = writer_take(w, 2);

	if (at)
		store_be16(at, v);
}

static inline void writer_be32(struct writer *w, uint32_t v)
{
	uint8_t *at = writer_take(w, 4);

	if (at)
		store_be32(at, v);
}

static inline void writer_mac(struct writer *w, uint64_t mac)
{
	writer_be16(w, mac >> 32);
	writer_be32(w, mac);
}

#endif
