/*
 * Whether what was kept of a packed ring is still true of it (struct
 * virtqueue_kept). Its owner knows that it is the same memory; but the guest
 * may have begun the ring anew while nobody was there.
 *
 * Of a ring that goes on at some place with some wrap counter, this is sure:
 * - From there on, a lap long, nothing is used in the lap that is to come.
 * - What is available lies there, in one piece. The driver may just be at work:
 *   it writes the first descriptor of a buffer, or of a batch, after the
 *   others, so one may be missing.
 * - What was given back last is still as it was written, or available in the
 *   next lap. The driver may have written its address anew already.
 * A new ring is zeros, or available from place 0 on with a wrap counter of 1,
 * and contradicts one of them unless it goes on at its beginning.
 */
#include "vhost/virtqueue_internal.h"

#include "base/log.h"

LOG_MODULE(vhost);

#define AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED  (1u << VRING_PACKED_DESC_F_USED)

static unsigned flags_at(const struct virtqueue *vq, unsigned place)
{
	return __atomic_load_n(&vq->packed_desc[place].flags,
			       __ATOMIC_ACQUIRE) &
	       (AVAIL | USED);
}

static bool is_available(unsigned flags, bool wrap)
{
	return flags == (wrap ? AVAIL : USED);
}

static bool is_used(unsigned flags, bool wrap)
{
	return flags == (wrap ? AVAIL | USED : 0);
}

bool virtqueue_kept_fits(const struct virtqueue *vq,
			 struct virtqueue_place next)
{
	unsigned place = next.place, missing = 0, available = 0;
	bool wrap = next.wrap, begun = false;

	for (unsigned n = 0; n < vq->size; n++) {
		unsigned flags = flags_at(vq, place);

		if (is_used(flags, wrap))
			return false;
		if (!is_available(flags, wrap))
			missing++;
		else if (missing > 1)
			return false;
		else
			available++;
		begun |= available == 1 && !missing;
		if (++place == vq->size) {
			place = 0;
			wrap = !wrap;
		}
	}
	/* One buffer that takes the whole ring is not what is being written. */
	return begun || !available || available + 1 < vq->size;
}

static bool mark_is_there(const struct virtqueue *vq, uint32_t mark)
{
	unsigned place = mark & 0x7fff, flags;
	bool wrap = mark >> 15 & 1;

	if (place >= vq->size)
		return false;
	flags = flags_at(vq, place);
	return is_available(flags, !wrap) ||
	       (is_used(flags, wrap) && vq->packed_desc[place].addr);
}

bool virtqueue_kept_holds(const struct virtqueue *vq,
			  struct virtqueue_place next,
			  struct virtqueue_place done, uint32_t base)
{
	uint32_t mark = vq->kept->mark;

	if (!virtqueue_kept_fits(vq, next))
		return false;
	if (mark >> 31)
		return mark_is_there(vq, mark);
	/* Nothing was given back since it began there. */
	return done.place == (base & 0x7fff) && done.wrap == (base >> 15 & 1);
}

void virtqueue_kept_report(const struct virtqueue *vq, bool resumed,
			   uint32_t base)
{
	struct virtqueue_place next = { vq->used_next, vq->used_wrap };

	if (resumed) {
		if (next.place != (base & 0x7fff) ||
		    next.wrap != (base >> 15 & 1))
			log_info_limited(
				"%s: queue %u goes on at place %u of its "
				"packed ring, where it was left; the front end "
				"has told %u",
				vq->name, vq->index, next.place, base & 0x7fff);
		return;
	}
	if (!virtqueue_kept_fits(vq, next))
		log_warn_limited(
			"%s: queue %u: the front end says that its packed ring "
			"goes on at place %u, but the ring does not look like "
			"that, and where it was left is not known. If the "
			"guest has no network now, reset its network card: "
			"unload and load its driver, or reboot it",
			vq->name, vq->index, next.place);
}

void virtqueue_kept_clear(struct virtqueue_kept *kept)
{
	/* The version of an in-flight region goes first, wherever a crash
	 * comes. */
	((volatile uint64_t *)kept->region)[1] = 0;
	memset(kept, 0, sizeof(*kept));
}
