/*
 * The punts' ring and their pace (base/gcra.h): a word a port and kind; a frame
 * may come early by as much as a burst takes.
 */
#include "forward/punt.h"

#include <stdlib.h>

#include "base/gcra.h"
#include "base/ticks.h"
#include "base/wake_ring.h"

#define RING_SIZE (1u << 20)
/* Room that only bonds' protocols may use: bursts of a hundred ports. */
#define RING_KEPT (RING_SIZE / 2)
/* A slow protocol's frame has 128 bytes at most (IEEE 802.3 annex 57A). */
#define SHORT_MAX 256

struct punt_ring {
	struct wake_ring *ring;
};

struct stored {
	uint32_t id;
	uint32_t gateway;
	uint64_t note;
	uint16_t vid;
	uint8_t kind;
};

struct punt_ring *punt_ring_create(void)
{
	struct wake_ring *wake_ring = wake_ring_create(RING_SIZE);
	struct punt_ring *ring;

	if (!wake_ring)
		return NULL;
	ring = xcalloc(1, sizeof(*ring));
	ring->ring = wake_ring;
	return ring;
}

void punt_ring_destroy(struct punt_ring *ring)
{
	if (!ring)
		return;
	wake_ring_destroy(ring->ring);
	free(ring);
}

int punt_ring_fd(const struct punt_ring *ring)
{
	return wake_ring_fd(ring->ring);
}

struct reading {
	void (*cb)(const struct punt_record *record, void *aux);
	void *aux;
};

static void read_record(const void *record, uint32_t len, void *reading_)
{
	const struct reading *reading = reading_;
	const struct stored *s = record;

	reading->cb(
		&(struct punt_record){
			.id = s->id,
			.kind = s->kind,
			.vid = s->vid,
			.len = len - sizeof(*s),
			.note = s->note,
			.gateway = s->gateway,
			.data = (const uint8_t *)(s + 1),
		},
		reading->aux);
}

unsigned punt_ring_read(struct punt_ring *ring, unsigned max,
			void (*cb)(const struct punt_record *, void *aux),
			void *aux)
{
	struct reading reading = { cb, aux };

	return wake_ring_read(ring->ring, max, read_record, &reading);
}

static unsigned rate_of(enum punt_kind kind)
{
	switch (kind) {
	case PUNT_NEIGHBOR:
		return PUNT_RATE_COPY;
	case PUNT_BEACON:
		return PUNT_RATE_BEACON;
	case PUNT_GATEWAY:
	case PUNT_GATEWAY_LINK:
		return PUNT_RATE_GATEWAY;
	case PUNT_UNDERLAY:
		return PUNT_RATE_UNDERLAY;
	case PUNT_VIOLATION:
		return PUNT_RATE_VIOLATION;
	default:
		return PUNT_RATE;
	}
}

/* Whether a frame may come now; then the next is due an interval later. */
static bool is_in_time(_Atomic uint64_t *due, unsigned rate)
{
	uint64_t second = ticks_per_second(), interval = second / rate;
	uint64_t early = interval * (PUNT_BURST - 1);

	return gcra_take(due, ticks_now(), early, interval,
			 early + interval + second);
}

/* Bonds' links hang on these, and they are short. */
static bool is_vital(enum punt_kind kind)
{
	return kind == PUNT_SLOW || kind == PUNT_BEACON;
}

static uint32_t bytes_max(enum punt_kind kind)
{
	return is_vital(kind) || kind == PUNT_NEIGHBOR || kind == PUNT_VIOLATION
		       ? SHORT_MAX
		       : PUNT_BYTES_MAX;
}

static enum punt_result store_at_pace(struct punt *punt, const struct packet *p,
				      struct stored stored,
				      _Atomic uint64_t *due)
{
	uint32_t n = MIN(p->len, bytes_max(stored.kind));
	struct stored *s;

	if (!is_in_time(due, rate_of(stored.kind)))
		return PUNT_LIMITED;
	s = wake_ring_reserve(punt->ring->ring, sizeof(*s) + n,
			      is_vital(stored.kind) ? 0 : RING_KEPT);
	if (!s)
		return PUNT_FULL;
	*s = stored;
	n = packet_read(p, 0, s + 1, n);
	wake_ring_commit(punt->ring->ring, s, sizeof(*s) + n);
	return PUNT_DONE;
}

static enum punt_result store(struct punt *punt, const struct packet *p,
			      struct stored stored)
{
	return store_at_pace(punt, p, stored, &punt->due[stored.kind]);
}

enum punt_result punt_packet(struct punt *punt, const struct packet *p,
			     enum punt_kind kind, uint16_t vid)
{
	return store(
		punt, p,
		(struct stored){ .id = punt->id, .vid = vid, .kind = kind });
}

void punt_violation(struct punt *punt, const struct packet *p, uint16_t vid,
		    enum drop_reason reason)
{
	store(punt, p,
	      (struct stored){ .id = punt->id,
			       .vid = vid,
			       .kind = PUNT_VIOLATION,
			       .note = reason });
}

enum punt_result punt_to_gateway(struct punt *punt, const struct packet *p,
				 enum punt_kind kind, uint32_t gateway,
				 uint64_t note)
{
	return store(punt, p,
		     (struct stored){ .id = punt->id,
				      .kind = kind,
				      .gateway = gateway,
				      .note = note });
}

enum punt_result punt_to_overlay(struct punt *punt, const struct packet *p,
				 enum punt_kind kind, bool of_link, uint32_t id,
				 uint64_t note)
{
	return store_at_pace(punt, p,
			     (struct stored){ .id = punt->id,
					      .kind = kind,
					      .gateway = id,
					      .note = note },
			     of_link ? &punt->due_link : &punt->due[kind]);
}
