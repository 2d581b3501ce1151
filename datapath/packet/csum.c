/*
 * The sum adds 32-bit words into 64-bit lanes, which cannot overflow within
 * any buffer there is: no carries to look after, and as many lanes as the
 * machine has. The body of a frame goes 32 bytes at a time through the vector
 * unit, the rest 4 at a time.
 */
#include "packet/csum.h"

#include "packet/cursor.h"

typedef uint64_t lanes __attribute__((vector_size(32)));

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&         \
	!defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define BEST_OF_THE_MACHINE __attribute__((target_clones("avx2", "default")))
#else
/* A sanitizer is not up yet when the dynamic linker chooses a clone. */
#define BEST_OF_THE_MACHINE
#endif

/* The sum of n blocks of 64 bytes. */
BEST_OF_THE_MACHINE
static uint64_t sum_blocks(const uint8_t *data, size_t n)
{
	const lanes low = { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX };
	lanes a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 }, v, w;

	for (; n; n--, data += 64) {
		memcpy(&v, data, 32);
		memcpy(&w, data + 32, 32);
		a += v & low;
		b += v >> 32;
		c += w & low;
		d += w >> 32;
	}
	a += b + c + d;
	return a[0] + a[1] + a[2] + a[3];
}

uint64_t csum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *at = data;
	uint64_t s = 0;
	uint32_t word;

	if (len >= 64) {
		s = sum_blocks(at, len / 64);
		at += len & ~(size_t)63;
		len &= 63;
	}
	for (; len >= 4; len -= 4, at += 4) {
		memcpy(&word, at, 4);
		s += word;
	}
	if (len) {
		word = 0;
		memcpy(&word, at, len);
		s += word;
	}
	return csum_combine(sum, s);
}

/* A 32-bit number as the two words of the network's byte order. */
static uint64_t be32_words(uint32_t v)
{
	return __builtin_bswap32(v);
}

uint64_t csum_pseudo4(const uint8_t *ip, uint8_t proto, uint32_t len)
{
	return csum_add(be32_words(proto) + be32_words(len), ip + 12, 8);
}

uint64_t csum_pseudo6(const uint8_t *ip, uint8_t proto, uint32_t len)
{
	return csum_add(be32_words(proto) + be32_words(len), ip + 8, 32);
}

void csum_ipv4_header(uint8_t *ip, unsigned header_len)
{
	uint16_t v;

	memset(ip + 10, 0, 2);
	v = ~csum_fold(csum_add(0, ip, header_len));
	memcpy(ip + 10, &v, sizeof(v));
}

void csum_piece(struct csum *c, const void *data, size_t len)
{
	uint64_t sum = csum_add(0, data, len);

	if (c->odd)
		sum = __builtin_bswap16(csum_fold(sum));
	c->sum = csum_combine(c->sum, sum);
	c->odd ^= len & 1;
}

uint64_t csum_packet(const struct packet *p, uint32_t offset)
{
	struct csum sum = { 0 };
	const uint8_t *data;
	struct cursor c;
	uint32_t n;

	cursor_init(&c, p);
	if (!cursor_skip(&c, offset))
		return 0;
	while ((n = cursor_take(&c, UINT32_MAX, &data)))
		csum_piece(&sum, data, n);
	return sum.sum;
}

/*
 * The field holds the sum of the pseudo header when the sender leaves the rest
 * to others (virtio 1.2, 5.1.6.2): it is summed with everything else.
 */
static void finish(struct packet *p, uint32_t start, uint32_t field)
{
	csum_store(p->header + field, csum_packet(p, start));
	p->offload.csum_needed = false;
	p->offload.csum_valid = false;
}

bool packet_finish_csum(struct packet *p)
{
	uint32_t start, field;

	/* Once, so that no tag beside the frame moves the start any more. */
	if (!packet_pull(p, ETH_HEADER_LEN))
		return false;
	start = p->offload.csum_start;
	field = start + p->offload.csum_offset;
	if (!packet_pull(p, field + 2))
		return false;
	finish(p, start, field);
	return true;
}

bool packet_finish_csum_far(const struct packet *p, struct csum_far *far)
{
	uint32_t start = p->offload.csum_start;
	uint32_t field = start + p->offload.csum_offset;
	uint8_t *header = far->room + PACKET_HEADROOM;
	uint32_t n = field + 2;

	if (n > CSUM_END_MAX + PACKET_HEADROOM || n < p->header_len ||
	    packet_read(p, 0, header, n) != n)
		return false;
	packet_copy(&far->packet, p);
	far->packet.header = header;
	far->packet.header_len = n;
	far->packet.pulled += n - p->header_len;
	finish(&far->packet, start, field);
	return true;
}
