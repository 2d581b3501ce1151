/*
 * Any memory table and any range: what is translated lies within the regions,
 * in whole, and one piece is where a byte-by-byte look finds each byte.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz_input.h"
#include "vhost/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILE_SIZE  (16 * 4096)
#define PIECES_MAX 8
#define LEN_MODEL  40000 /* what is looked at byte by byte */

struct range {
	uint64_t guest, len;
};

/* Numbers near each other, and some far off: as a byte of how, and a value. */
static uint64_t take_number(const uint8_t **data, size_t *size)
{
	uint8_t how[3];
	uint64_t n;

	fuzz_take(data, size, how, sizeof(how));
	n = how[1] | how[2] << 8;
	switch (how[0] & 7) {
	case 0:
		return n;
	case 1:
		return 0x100000 + n;
	case 2:
		return 0x100000 + n * 4096;
	case 3:
		return -n;
	case 4:
		return n * 4096;
	case 5:
		return 1ull << (n & 63);
	case 6:
		return (1ull << 63) + n;
	default:
		fuzz_take(data, size, &n, sizeof(n));
		return n;
	}
}

/* Where the byte is, by the plainest look; NULL: nowhere. */
static const uint8_t *byte_at(const struct vhost_memory *m, uint64_t guest)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct vhost_region *r = &m->regions[i];

		if (guest >= r->guest && guest - r->guest < r->size)
			return r->host + (guest - r->guest);
	}
	return NULL;
}

static bool all_mapped(const struct vhost_memory *m, struct range r)
{
	for (uint64_t i = 0; i < r.len; i++)
		if (r.guest + i < r.guest || !byte_at(m, r.guest + i))
			return false;
	return true;
}

static void check_range(const struct vhost_memory *m,
			struct vhost_window *window, struct range r)
{
	struct packet_segment pieces[PIECES_MAX];
	const uint8_t *at = vhost_memory_at(m, r.guest, r.len);
	const uint8_t *same = vhost_translate(window, m, r.guest, r.len);
	unsigned n = vhost_memory_pieces(m, r.guest, r.len, pieces, PIECES_MAX);
	bool whole = r.len <= LEN_MODEL && all_mapped(m, r);
	uint64_t done = 0;

	MUST(n <= PIECES_MAX);
	MUST(at == same || (!r.len && at && same));
	if (r.len > FILE_SIZE * (uint64_t)m->n)
		MUST(!at && !n);
	if (!r.len || r.len > LEN_MODEL)
		return;
	MUST(!at || whole);
	MUST(!n || whole);
	MUST(!at || n);
	for (uint64_t i = 0; at && i < r.len; i += 97)
		MUST(byte_at(m, r.guest + i) == at + i);
	for (unsigned i = 0; i < n; i++) {
		MUST(pieces[i].len && pieces[i].len <= r.len - done);
		MUST(byte_at(m, r.guest + done) == pieces[i].data);
		MUST(byte_at(m, r.guest + done + pieces[i].len - 1) ==
		     pieces[i].data + pieces[i].len - 1);
		done += pieces[i].len;
	}
	MUST(!n || done == r.len);
	/* What is mapped is found, unless it is in too many pieces. */
	if (whole && m->n <= PIECES_MAX)
		MUST(n);
}

static void check_table(const struct vhost_memory *m)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct vhost_region *r = &m->regions[i];

		MUST(r->size && r->guest + (r->size - 1) >= r->guest);
		MUST(r->size <= FILE_SIZE);
		MUST(!i || r[-1].guest + (r[-1].size - 1) < r->guest);
		/* both ends are there */
		MUST(r->host[0] + r->host[r->size - 1] >= 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vhost_memory *m = vhost_memory_create(NULL), *other;
	struct vhost_window window = { 0 };
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		MUST(fd >= 0 && !ftruncate(fd, FILE_SIZE));
	}
	for (unsigned steps = 0; size && steps < 64; steps++) {
		uint64_t a = take_number(&data, &size);
		uint64_t b = take_number(&data, &size);
		uint64_t c;
		uint8_t what;

		fuzz_take(&data, &size, &what, 1);
		switch (what & 3) {
		case 0:
			c = take_number(&data, &size);
			vhost_memory_add(m, a, b, a + (what >> 2) * 4096ull, c,
					 fd, NULL);
			check_table(m);
			break;
		case 1:
			other = vhost_memory_create(m);
			if (m->n) {
				struct vhost_region r = m->regions[a % m->n];

				MUST(!vhost_memory_remove(other, r.guest,
							  r.size, r.user));
				MUST(other->n == m->n - 1);
			} else {
				MUST(vhost_memory_remove(other, a, b, a));
			}
			vhost_memory_destroy(m);
			m = other;
			check_table(m);
			window = (struct vhost_window){ 0 };
			break;
		default:
			check_range(m, &window, (struct range){ a, b });
			MUST(!vhost_memory_at_user(m, a, b) ||
			     b <= FILE_SIZE * (uint64_t)m->n);
		}
	}
	vhost_memory_destroy(m);
	return 0;
}
