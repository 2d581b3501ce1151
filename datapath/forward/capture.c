#include "forward/capture.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/byte_ring.h"

/* What a filter gets to see of a frame. */
#define FILTER_BYTES 512

struct capture_ring {
	struct byte_ring *ring;
	uint32_t snaplen;
	struct bpf_program filter; /* bf_len 0: none */
	int fd;
	_Atomic bool reader_waits;
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
	struct capture_ring *r = xcalloc(1, sizeof(*r));

	r->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (r->fd < 0) {
		free(r);
		return NULL;
	}
	r->snaplen = MIN(snaplen, 65535);
	r->ring = byte_ring_create(size_bytes);
	if (filter && filter->bf_len) {
		size_t size = filter->bf_len * sizeof(*filter->bf_insns);

		r->filter.bf_len = filter->bf_len;
		r->filter.bf_insns = xmalloc(size);
		memcpy(r->filter.bf_insns, filter->bf_insns, size);
	}
	atomic_init(&r->reader_waits, true);
	return r;
}

void capture_ring_destroy(struct capture_ring *ring)
{
	if (!ring)
		return;
	close(ring->fd);
	byte_ring_destroy(ring->ring);
	free(ring->filter.bf_insns);
	free(ring);
}

int capture_ring_fd(const struct capture_ring *ring)
{
	return ring->fd;
}

uint64_t capture_ring_lost(const struct capture_ring *ring)
{
	return atomic_load(&ring->lost);
}

static unsigned read_records(struct capture_ring *ring, unsigned max,
			     void (*cb)(const struct capture_record *, void *),
			     void *aux)
{
	unsigned n;

	for (n = 0; n < max; n++) {
		struct capture_record record;
		const struct stored *s;
		uint32_t len;

		s = byte_ring_peek(ring->ring, &len);
		if (!s)
			break;
		record = (struct capture_record){
			.time_ns = s->time_ns,
			.port_id = s->port_id,
			.len = s->len,
			.captured_len = len - sizeof(*s),
			.direction = s->direction,
			.dropped = s->dropped,
			.reason = s->reason,
			.data = (const uint8_t *)(s + 1),
		};
		cb(&record, aux);
		byte_ring_release(ring->ring);
	}
	return n;
}

static void wake_reader(struct capture_ring *ring)
{
	uint64_t one = 1;

	/* The record is visible before we look whether somebody waits. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load(&ring->reader_waits) ||
	    !atomic_exchange(&ring->reader_waits, false))
		return;
	if (write(ring->fd, &one, sizeof(one)) < 0)
		atomic_store(&ring->reader_waits, true);
}

unsigned capture_ring_read(struct capture_ring *ring, unsigned max,
			   void (*cb)(const struct capture_record *, void *aux),
			   void *aux)
{
	uint64_t count;
	unsigned n;

	n = read_records(ring, max, cb, aux);
	if (n == max)
		return n; /* the descriptor stays readable */
	if (read(ring->fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return n;
	/* Look again after saying that we wait: nothing is slept through. */
	atomic_store(&ring->reader_waits, true);
	n += read_records(ring, max - n, cb, aux);
	if (n == max)
		wake_reader(ring);
	return n;
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
	s = byte_ring_reserve(ring->ring, sizeof(*s) + n);
	if (!s) {
		atomic_fetch_add(&ring->lost, 1);
	} else {
		*s = *head;
		n = packet_read(p, 0, s + 1, n);
		byte_ring_commit(s, sizeof(*s) + n);
	}
	wake_reader(ring);
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
