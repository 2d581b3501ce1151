#include "forward/capture.h"

#include <pcap/pcap.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/wake_ring.h"

/* What a filter gets to see of a frame. */
#define FILTER_BYTES 512

struct capture_ring {
	struct wake_ring *ring;
	uint32_t snaplen;
	struct bpf_program filter; /* bf_len 0: none */
	_Atomic uint64_t lost;
};

/* A record as it lies in the ring; the bytes follow. */
struct stored {
	uint64_t time_ns;
	uint32_t port_id;
	uint32_t len;
	uint8_t direction, dropped, reason;
};

struct capture_ring *capture_ring_create(uint32_t snaplen,
					 const struct bpf_program *filter,
					 size_t size_bytes)
{
	struct wake_ring *wake_ring = wake_ring_create(size_bytes);
	struct capture_ring *r;

	if (!wake_ring)
		return NULL;
	r = xcalloc(1, sizeof(*r));
	r->snaplen = MIN(snaplen, 65535);
	r->ring = wake_ring;
	if (filter && filter->bf_len) {
		size_t size = filter->bf_len * sizeof(*filter->bf_insns);

		r->filter.bf_len = filter->bf_len;
		r->filter.bf_insns = xmalloc(size);
		memcpy(r->filter.bf_insns, filter->bf_insns, size);
	}
	return r;
}

void capture_ring_destroy(struct capture_ring *ring)
{
	if (!ring)
		return;
	wake_ring_destroy(ring->ring);
	free(ring->filter.bf_insns);
	free(ring);
}

int capture_ring_fd(const struct capture_ring *ring)
{
	return wake_ring_fd(ring->ring);
}

uint64_t capture_ring_lost(const struct capture_ring *ring)
{
	return atomic_load(&ring->lost);
}

struct reading {
	void (*cb)(const struct capture_record *record, void *aux);
	void *aux;
};

static void read_record(const void *record, uint32_t len, void *reading_)
{
	const struct reading *reading = reading_;
	const struct stored *s = record;

	reading->cb(
		&(struct capture_record){
			.time_ns = s->time_ns,
			.port_id = s->port_id,
			.len = s->len,
			.captured_len = len - sizeof(*s),
			.direction = s->direction,
			.dropped = s->dropped,
			.reason = s->reason,
			.data = (const uint8_t *)(s + 1),
		},
		reading->aux);
}

unsigned capture_ring_read(struct capture_ring *ring, unsigned max,
			   void (*cb)(const struct capture_record *, void *aux),
			   void *aux)
{
	struct reading reading = { cb, aux };

	return wake_ring_read(ring->ring, max, read_record, &reading);
}

static bool matches(const struct capture_ring *ring, const struct packet *p)
{
	uint8_t bytes[FILTER_BYTES];
	uint32_t n;

	if (!ring->filter.bf_len)
		return true;
	n = packet_read(p, 0, bytes, sizeof(bytes));
	return bpf_filter(ring->filter.bf_insns, bytes, p->len, n);
}

static void record(struct capture_ring *ring, const struct packet *p,
		   const struct stored *head)
{
	uint32_t n = MIN(p->len, ring->snaplen);
	struct stored *s;

	if (!matches(ring, p))
		return;
	s = wake_ring_reserve(ring->ring, sizeof(*s) + n, 0);
	if (!s) {
		atomic_fetch_add(&ring->lost, 1);
		return;
	}
	*s = *head;
	n = packet_read(p, 0, s + 1, n);
	wake_ring_commit(ring->ring, s, sizeof(*s) + n);
}

static void record_all(const struct capture *list, const struct packet *p,
		       struct stored head)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	head.time_ns = (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	head.len = p->len;
	for (; list; list = list->next) {
		head.port_id = list->port_id;
		record(list->ring, p, &head);
	}
}

void capture_packet(const struct capture *list, const struct packet *p,
		    enum capture_direction direction)
{
	record_all(list, p, (struct stored){ .direction = direction });
}

void capture_drop(const struct capture *list, const struct packet *p,
		  enum capture_direction direction, enum drop_reason reason)
{
	record_all(list, p,
		   (struct stored){ .direction = direction,
				    .dropped = true,
				    .reason = reason });
}
