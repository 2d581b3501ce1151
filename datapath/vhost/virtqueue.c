/*
 * A queue's life: made, taken, started, stopped, broken (virtqueue.h). What
 * happens to frames is in the other virtqueue_*.c.
 */
#include "vhost/virtqueue_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <sched.h>
#include <stdlib.h>

#include "base/log.h"
#include "vhost/event.h"
#include "packet/offload.h"

LOG_MODULE(vhost);

#ifndef VIRTIO_NET_F_HOST_USO
#define VIRTIO_NET_F_GUEST_USO4 54
#define VIRTIO_NET_F_GUEST_USO6 55
#define VIRTIO_NET_F_HOST_USO	56
#endif

/* Tries before a queue counts as taken: about as long as a burst takes. */
#define TAKE_TRIES 2000

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

struct virtqueue *virtqueue_create(const char *name, unsigned index)
{
	struct virtqueue *vq = xcalloc_aligned(1, sizeof(*vq));

	vq->name = xstrdup(name);
	vq->index = index;
	vq->call_fd = -1;
	vq->kick_fd = -1;
	vq->error_fd = -1;
	return vq;
}

/*
 * Shared with the front end. Non-blocking as long as that leaves it so, and
 * only touched as event.h has it.
 */
static void set_fd(int *place, int fd)
{
	int flags;

	if (fd == *place)
		return;
	flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
	if (flags >= 0 && !(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	if (fd >= 0)
		vhost_event_init();
	*place = fd;
}

void virtqueue_destroy(struct virtqueue *vq)
{
	if (!vq)
		return;
	set_fd(&vq->kick_fd, -1);
	set_fd(&vq->call_fd, -1);
	set_fd(&vq->error_fd, -1);
	free(vq->scratch);
	free(vq->name);
	free(vq);
}

/*
 * A worker's burst takes microseconds, but the worker may be asleep in the
 * middle of one: do not burn its processor. `wanted` keeps workers from taking
 * the queue again and again before this thread has had a chance.
 */
void virtqueue_take(struct virtqueue *vq)
{
	atomic_store_explicit(&vq->wanted, true, memory_order_relaxed);
	while (atomic_exchange_explicit(&vq->taken, true, memory_order_acquire))
		sched_yield();
	atomic_store_explicit(&vq->wanted, false, memory_order_relaxed);
}

void virtqueue_release(struct virtqueue *vq)
{
	virtqueue_give(vq);
}

static void settle(struct virtqueue *vq)
{
	bool usable = vq->started && vq->enabled && vq->memory &&
		      !virtqueue_broken(vq);

	atomic_store_explicit(&vq->usable, usable, memory_order_relaxed);
}

static bool has(uint64_t features, unsigned bit)
{
	return features >> bit & 1;
}

/* What the sending side may leave undone for the other; USO: in both IPs. */
static uint32_t agreed_offloads(uint64_t features, bool from_guest)
{
	static const struct {
		uint8_t host, guest;
		uint32_t offload;
	} map[] = {
		{ VIRTIO_NET_F_CSUM, VIRTIO_NET_F_GUEST_CSUM, OFFLOAD_CSUM },
		{ VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_GUEST_TSO4,
		  OFFLOAD_TSO4 },
		{ VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_GUEST_TSO6,
		  OFFLOAD_TSO6 },
		{ VIRTIO_NET_F_HOST_ECN, VIRTIO_NET_F_GUEST_ECN,
		  OFFLOAD_TSO_ECN },
		{ VIRTIO_NET_F_HOST_UFO, VIRTIO_NET_F_GUEST_UFO, OFFLOAD_UFO },
		{ VIRTIO_NET_F_HOST_USO, VIRTIO_NET_F_GUEST_USO4, OFFLOAD_USO },
	};
	uint32_t agreed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(map); i++)
		if (has(features, from_guest ? map[i].host : map[i].guest))
			agreed |= map[i].offload;
	if (!from_guest && !has(features, VIRTIO_NET_F_GUEST_USO6))
		agreed &= ~OFFLOAD_USO;
	return agreed;
}

static int check_setup(const struct virtqueue *vq,
		       const struct virtqueue_setup *s, char **errp)
{
	bool packed = has(s->features, VIRTIO_F_RING_PACKED);
	unsigned desc = packed ? 16 : 8, rest = packed ? 4 : 2;

	if (!s->size || s->size > VIRTQUEUE_SIZE_MAX)
		return set_error(errp, -EINVAL,
				 "%s: queue %u: size %u is not from 1 to %u",
				 vq->name, vq->index, s->size,
				 VIRTQUEUE_SIZE_MAX);
	if (!packed && (s->size & (s->size - 1)))
		return set_error(errp, -EINVAL,
				 "%s: queue %u: size %u of a split ring is not "
				 "a power of two",
				 vq->name, vq->index, s->size);
	if (!s->desc || !s->driver || !s->device)
		return set_error(errp, -EINVAL,
				 "%s: queue %u: not all parts of the ring have "
				 "an address",
				 vq->name, vq->index);
	if (packed && (s->base & 0x7fff) >= s->size)
		return set_error(errp, -EINVAL,
				 "%s: queue %u: base %#x lies past the ring",
				 vq->name, vq->index, s->base);
	if ((uintptr_t)s->desc % desc || (uintptr_t)s->driver % rest ||
	    (uintptr_t)s->device % 4)
		return set_error(errp, -EINVAL,
				 "%s: queue %u: a part of the ring is not "
				 "aligned as virtio wants it",
				 vq->name, vq->index);
	return 0;
}

static void adopt(struct virtqueue *vq, const struct virtqueue_setup *s)
{
	vq->packed = has(s->features, VIRTIO_F_RING_PACKED);
	vq->in_order = has(s->features, VIRTIO_F_IN_ORDER);
	vq->event_idx = has(s->features, VIRTIO_RING_F_EVENT_IDX);
	vq->indirect = has(s->features, VIRTIO_RING_F_INDIRECT_DESC);
	vq->mergeable = has(s->features, VIRTIO_NET_F_MRG_RXBUF);
	vq->hdr_len = vq->mergeable || has(s->features, VIRTIO_F_VERSION_1)
			      ? VNET_HDR_MRG_LEN
			      : VNET_HDR_LEN;
	vq->agreed = agreed_offloads(s->features, s->from_guest);
	vq->size = s->size;
	vq->from_guest = s->from_guest;
	vq->desc = s->desc;
	vq->avail = s->driver;
	vq->used = s->device;
	vq->used_guest = s->used_guest;
	vq->kept = s->inflight ? NULL : s->kept;
	vq->inflight = vq->kept ? vq->kept->region : s->inflight;
	vq->n_taken = 0;
	vq->n_resumed = 0;
	vq->resumed_next = 0;
}

static struct virtqueue_scratch *make_scratch(uint16_t size)
{
	struct virtqueue_scratch *scratch;

	scratch = xcalloc(1, sizeof(*scratch) +
				     size * (sizeof(scratch->words[0]) +
					     sizeof(scratch->places[0])));
	scratch->places = (uint16_t *)(scratch->words + size);
	return scratch;
}

int virtqueue_start(struct virtqueue *vq, const struct virtqueue_setup *setup,
		    char **errp)
{
	int error = check_setup(vq, setup, errp);

	if (error)
		return error;
	free(vq->scratch);
	vq->scratch = make_scratch(setup->size);
	adopt(vq, setup);
	virtqueue_resume(vq, setup->base);
	vq->started = true;
	atomic_store_explicit(&vq->broken, NULL, memory_order_relaxed);
	/*
	 * A queue to receive from may be slept on before it is first polled;
	 * one to send to is looked at when there is something to send.
	 */
	virtqueue_want_kick(vq, vq->from_guest);
	settle(vq);
	return 0;
}

/* Nothing is out while the control thread has it: used is where to go on. */
uint32_t virtqueue_stop(struct virtqueue *vq)
{
	uint32_t base = vq->used_next;

	if (vq->packed) {
		base |= (uint32_t)vq->used_wrap << 15;
		base |= base << 16;
	}
	vq->started = false;
	vq->inflight = NULL;
	vq->kept = NULL;
	vq->n_resumed = 0;
	free(vq->scratch);
	vq->scratch = NULL;
	settle(vq);
	return base;
}

bool virtqueue_is_started(const struct virtqueue *vq)
{
	return vq->started;
}

void virtqueue_enable(struct virtqueue *vq, bool enable)
{
	vq->enabled = enable;
	settle(vq);
}

void virtqueue_set_memory(struct virtqueue *vq,
			  const struct vhost_memory *memory)
{
	vq->memory = memory;
	vq->window = (struct vhost_window){ 0 };
	vq->table_window = (struct vhost_window){ 0 };
	settle(vq);
}

void virtqueue_set_log(struct virtqueue *vq, const struct vhost_log *log)
{
	vq->log = log;
}

void virtqueue_set_kick(struct virtqueue *vq, int fd)
{
	set_fd(&vq->kick_fd, fd);
}

void virtqueue_set_call(struct virtqueue *vq, int fd)
{
	set_fd(&vq->call_fd, fd);
}

void virtqueue_set_error(struct virtqueue *vq, int fd)
{
	set_fd(&vq->error_fd, fd);
}

void virtqueue_break(struct virtqueue *vq, const char *why)
{
	atomic_store_explicit(&vq->broken, why, memory_order_release);
	atomic_store_explicit(&vq->usable, false, memory_order_relaxed);
	log_warn_limited(
		"%s: queue %u is broken and stops until the guest starts it "
		"anew: the guest made %s",
		vq->name, vq->index, why);
	if (vq->error_fd >= 0 && vhost_event_signal(vq->error_fd))
		log_dbg("%s: queue %u: cannot tell the front end", vq->name,
			vq->index);
}

const char *virtqueue_broken(const struct virtqueue *vq)
{
	return atomic_load_explicit(&vq->broken, memory_order_acquire);
}

unsigned virtqueue_receive(struct virtqueue *vq, struct packet *packets,
			   unsigned max, _Atomic uint64_t *drops)
{
	unsigned n = 0;

	if (!virtqueue_is_usable(vq) || !virtqueue_try_take(vq))
		return 0;
	if (likely(virtqueue_is_usable(vq))) {
		if (unlikely(vq->armed))
			virtqueue_want_kick(vq, false);
		if (vq->packed)
			n = virtqueue_receive_packed(vq, packets, max, drops);
		else
			n = virtqueue_receive_split(vq, packets, max, drops);
	}
	if (!n)
		virtqueue_give(vq);
	return n;
}

void virtqueue_done(struct virtqueue *vq)
{
	if (vq->packed)
		virtqueue_done_packed(vq);
	else
		virtqueue_done_split(vq);
	virtqueue_give(vq);
}

static bool take_soon(struct virtqueue *vq)
{
	for (unsigned i = 0; i < TAKE_TRIES; i++) {
		if (likely(virtqueue_try_take(vq)))
			return true;
		relax();
	}
	return false;
}

unsigned virtqueue_send(struct virtqueue *vq, struct packet *const packets[],
			unsigned n, _Atomic uint64_t *drops, uint64_t *bytes)
{
	unsigned sent = 0, now;

	if (unlikely(!virtqueue_is_usable(vq))) {
		virtqueue_count(&drops[DROP_TX_DOWN], n);
		return 0;
	}
	if (unlikely(!take_soon(vq))) {
		virtqueue_count(&drops[DROP_TX_BUSY], n);
		return 0;
	}
	for (; n; packets += now, n -= now) {
		now = MIN(n, PACKET_BURST_MAX);
		if (unlikely(!virtqueue_is_usable(vq)))
			virtqueue_count(&drops[DROP_TX_DOWN], now);
		else if (vq->packed)
			sent += virtqueue_send_packed(vq, packets, now, drops,
						      bytes);
		else
			sent += virtqueue_send_split(vq, packets, now, drops,
						     bytes);
	}
	virtqueue_give(vq);
	return sent;
}

void virtqueue_warm(struct virtqueue *vq)
{
	if (!virtqueue_is_usable(vq) || !virtqueue_try_take(vq))
		return;
	if (virtqueue_is_usable(vq)) {
		if (vq->packed)
			virtqueue_warm_packed(vq);
		else
			virtqueue_warm_split(vq);
	}
	virtqueue_give(vq);
}

void virtqueue_get_info(const struct virtqueue *vq, struct virtqueue_info *info)
{
	*info = (struct virtqueue_info){
		.started = vq->started,
		.enabled = vq->enabled,
		.size = vq->size,
		.packed = vq->packed,
		.notifications = atomic_load_explicit(&vq->notifications,
						      memory_order_relaxed),
		.kicks = atomic_load_explicit(&vq->kicks, memory_order_relaxed),
	};
}
