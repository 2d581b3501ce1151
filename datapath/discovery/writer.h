/*
 * Writes a PDU front to back and cannot pass the end of its room: what does not
 * fit is not written, and remembered.
 */
#ifndef DISCOVERY_WRITER_H
#define DISCOVERY_WRITER_H

#include "packet/packet.h"

struct writer {
	uint8_t *start, *at, *end;
	bool failed;
};

static inline void writer_init(struct writer *w, void *room, size_t size)
{
	*w = (struct writer){ room, room, (uint8_t *)room + size, false };
}

static inline size_t writer_len(const struct writer *w)
{
	return w->at - w->start;
}

static inline void put_bytes(struct writer *w, const void *bytes, size_t n)
{
	if (w->failed || n > (size_t)(w->end - w->at)) {
		w->failed = true;
		return;
	}
	memcpy(w->at, bytes, n);
	w->at += n;
}

static inline void put_u8(struct writer *w, uint8_t v)
{
	put_bytes(w, &v, 1);
}

static inline void put_be16(struct writer *w, uint16_t v)
{
	uint8_t bytes[2];

	store_be16(bytes, v);
	put_bytes(w, bytes, sizeof(bytes));
}

static inline void put_be32(struct writer *w, uint32_t v)
{
	uint8_t bytes[4];

	store_be32(bytes, v);
	put_bytes(w, bytes, sizeof(bytes));
}

/* A MAC address, as store of load_mac(). */
static inline void put_mac(struct writer *w, uint64_t mac)
{
	put_be16(w, mac >> 32);
	put_be32(w, mac);
}

#endif
