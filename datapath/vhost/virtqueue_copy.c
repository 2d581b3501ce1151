/*
 * Copies frames into the buffers that they were given, in as few moves as there
 * can be for the usual one: the net header, the private header's 64 bytes, then
 * the rest from where it lies. Never a byte more than the frame has.
 *
 * What lies in guests' memory is moved as memmove() does, since a guest may
 * have its buffers overlap. The same code is there for three widths of
 * registers; the widest that the processor has is taken.
 */
#include "vhost/virtqueue_internal.h"

#include <linux/virtio_net.h>

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* One segment, and its first PACKET_PULL bytes are private. */
#define STATE_PULLED (PACKET_STATE_UNTOUCHED | PACKET_PULL << 16 | PACKET_PULL)

static inline void copy_private(uint8_t *to, const uint8_t *from, uint32_t n)
{
	if (likely(n >= 32 && n <= 64)) {
		memcpy(to, from, 32);
		memcpy(to + n - 32, from + n - 32, 32);
	} else {
		memcpy(to, from, n);
	}
}

static __attribute__((noinline)) void copy_slow(uint8_t *to,
						const struct packet *p)
{
	const struct packet_segment *s = p->segments, *end = s + p->n_segments;
	uint32_t n = p->header_len, skip = p->pulled, over;

	copy_private(to, p->header, n);
	for (; s != end && n != p->len; s++) {
		over = MIN(skip, s->len);
		skip -= over;
		memmove(to + n, s->data + over, s->len - over);
		n += s->len - over;
	}
}

/* Where the next bytes of a packet go. */
struct place {
	uint8_t *at;
	uint32_t left;
	const struct packet_segment *next, *end;
};

static inline void put(struct place *to, const uint8_t *data, uint32_t len)
{
	uint32_t n;

	for (;;) {
		n = MIN(len, to->left);
		memmove(to->at, data, n);
		to->at += n;
		to->left -= n;
		len -= n;
		if (!len || to->next == to->end)
			return;
		data += n;
		to->at = (uint8_t *)to->next->data;
		to->left = to->next++->len;
	}
}

void virtqueue_scatter(const struct packet_segment *pieces, unsigned n,
		       const struct packet *p, const uint8_t *header,
		       unsigned hdr_len)
{
	const struct packet_segment *s = p->segments, *end = s + p->n_segments;
	struct place to = { (uint8_t *)pieces->data, pieces->len, pieces + 1,
			    pieces + n };
	uint32_t skip = p->pulled, over;

	put(&to, header, hdr_len);
	put(&to, p->header, p->header_len);
	for (; s != end; s++) {
		over = MIN(skip, s->len);
		skip -= over;
		put(&to, s->data + over, s->len - over);
	}
}

/*
 * The header of a frame in one buffer that asks for its checksum at most.
 */
static ALWAYS_INLINE void put_header(uint8_t *to, const struct packet *p,
				     unsigned hdr_len)
{
	const uint32_t one_buffer = 1 << 16;
	const struct packet_offload *o = &p->offload;
	uint32_t word;

	memset(to, 0, 8);
	memcpy(to + 8, &one_buffer, hdr_len - 8);
	memcpy(&word, o, sizeof(word));
	if (likely(!word))
		return;
	if (o->csum_needed) {
		to[0] = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		memcpy(to + 6, &o->csum_start, 2);
		memcpy(to + 8, &o->csum_offset, 2);
	} else {
		to[0] = VIRTIO_NET_HDR_F_DATA_VALID;
	}
}

/*
 * A version that moves `width` bytes at a time. The functions are made whole
 * for each, since only in a function made for a processor a type of that width
 * is moved by one instruction.
 */
#define COPY_PLAN(name, target, width)                                         \
	static ALWAYS_INLINE target void name##_64(uint8_t *to,                \
						   const uint8_t *from)        \
	{                                                                      \
		typedef uint8_t wide __attribute__((vector_size(width),        \
						    aligned(1), may_alias));   \
                                                                               \
		for (unsigned i = 0; i < PACKET_PULL / (width); i++)           \
			((wide *)to)[i] = ((const wide *)from)[i];             \
	}                                                                      \
                                                                               \
	static ALWAYS_INLINE target void name##_one(                           \
		uint8_t *to, const struct packet *p, uint64_t len)             \
	{                                                                      \
		if (unlikely(p->state != STATE_PULLED)) {                      \
			copy_slow(to, p);                                      \
			return;                                                \
		}                                                              \
		name##_64(to, p->header);                                      \
		if (len > PACKET_PULL)                                         \
			memmove(to + PACKET_PULL,                              \
				p->segment.data + PACKET_PULL,                 \
				len - PACKET_PULL);                            \
	}                                                                      \
                                                                               \
	static ALWAYS_INLINE target uint64_t name##_run(                       \
		const struct virtqueue_plan *plan,                             \
		struct packet *const packets[], unsigned hdr_len)              \
	{                                                                      \
		unsigned n = plan->n;                                          \
		uint64_t bytes = 0;                                            \
                                                                               \
		for (unsigned i = 0; i < n; i++) {                             \
			const struct packet *p = packets[i];                   \
			uint8_t *to = plan->to[i];                             \
			uint64_t len = p->len;                                 \
                                                                               \
			if (unlikely(!to))                                     \
				continue;                                      \
			put_header(to, p, hdr_len);                            \
			name##_one(to + hdr_len, p, len);                      \
			bytes += len;                                          \
		}                                                              \
		return bytes;                                                  \
	}                                                                      \
                                                                               \
	static target uint64_t name(const struct virtqueue_plan *plan,         \
				    struct packet *const packets[],            \
				    unsigned hdr_len)                          \
	{                                                                      \
		if (likely(hdr_len == 12))                                     \
			return name##_run(plan, packets, 12);                  \
		return name##_run(plan, packets, 10);                          \
	}

COPY_PLAN(copy_plan_plain, , 16)

uint64_t (*virtqueue_copy_plan)(const struct virtqueue_plan *plan,
				struct packet *const packets[],
				unsigned hdr_len) = copy_plan_plain;

#if defined(__x86_64__)
COPY_PLAN(copy_plan_avx2, __attribute__((target("avx2"))), 32)
COPY_PLAN(copy_plan_avx512, __attribute__((target("avx512f"))), 64)

__attribute__((constructor)) static void choose(void)
{
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f"))
		virtqueue_copy_plan = copy_plan_avx512;
	else if (__builtin_cpu_supports("avx2"))
		virtqueue_copy_plan = copy_plan_avx2;
}
#endif
