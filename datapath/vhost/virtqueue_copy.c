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

#include "packet/cursor.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* One segment, and its first PACKET_PULL bytes are private. */
#define STATE_PULLED (PACKET_STATE_UNTOUCHED | PACKET_PULL << 16 | PACKET_PULL)

static __attribute__((noinline)) void copy_slow(uint8_t *to,
						const struct packet *p)
{
	uint32_t n = p->header_len;
	const uint8_t *data;
	struct cursor c;

	if (likely(n == p->len && n >= 32 && n <= 64)) {
		memcpy(to, p->header, 32);
		memcpy(to + n - 32, p->header + n - 32, 32);
		return;
	}
	cursor_init(&c, p);
	while ((n = cursor_take(&c, UINT32_MAX, &data))) {
		memmove(to, data, n);
		to += n;
	}
}

/* Of a frame without offload, in one buffer. */
static ALWAYS_INLINE void put_header(uint8_t *to, unsigned hdr_len)
{
	const uint32_t one_buffer = 1 << 16;

	memset(to, 0, 8);
	if (hdr_len == 12)
		memcpy(to + 8, &one_buffer, 4);
	else
		memset(to + 8, 0, 2);
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
			put_header(to, hdr_len);                               \
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
