/*
 * The rings of a session: when each runs, and what its queue then gets.
 *
 * Messages come in any order, and again while a ring runs. So each only notes
 * what it says, and session_apply() compares what is known with what the queue
 * does: it runs when size, addresses, memory and kick descriptor are there.
 */
#include "vhost/session_internal.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <unistd.h>

#include "base/log.h"
#include "vhost/event.h"

LOG_MODULE(vhost);

/* --- whether and how a ring runs --- */

static bool is_enabled(const struct vhost_session *s, unsigned i)
{
	if (s->rings[i].enable == RING_ENABLE_UNTOLD)
		return !session_has(s, VHOST_USER_F_PROTOCOL_FEATURES);
	return s->rings[i].enable == RING_ENABLED;
}

/* Of one of the front end's own addresses; NULL: none. */
static const struct vhost_region *region_of(const struct vhost_memory *memory,
					    uint64_t user)
{
	for (unsigned i = 0; i < memory->n; i++)
		if (user - memory->regions[i].user < memory->regions[i].size)
			return &memory->regions[i];
	return NULL;
}

/* The guest-physical address of one of the front end's own; 0: it has none. */
static uint64_t guest_of(const struct vhost_memory *memory, uint64_t user)
{
	const struct vhost_region *r = region_of(memory, user);

	return r ? r->guest + (user - r->user) : 0;
}

/* False: some part is not in memory (yet). */
static bool translate(const struct vhost_session *s,
		      const struct session_ring *ring,
		      struct virtqueue_setup *setup)
{
	bool packed = session_has(s, VIRTIO_F_RING_PACKED);
	uint64_t event = session_has(s, VIRTIO_RING_F_EVENT_IDX) ? 2 : 0;
	uint64_t n = ring->size;
	uint64_t driver_len = packed ? 4 : 4 + 2 * n + event;
	uint64_t device_len = packed ? 4 : 4 + 8 * n + event;

	setup->desc = vhost_memory_at_user(s->memory, ring->addr.desc, 16 * n);
	setup->driver =
		vhost_memory_at_user(s->memory, ring->addr.avail, driver_len);
	setup->device =
		vhost_memory_at_user(s->memory, ring->addr.used, device_len);
	if (packed)
		setup->used_guest = guest_of(s->memory, ring->addr.desc);
	else if (ring->addr.flags & 1u << VHOST_VRING_F_LOG)
		setup->used_guest = ring->addr.log;
	else
		setup->used_guest = guest_of(s->memory, ring->addr.used);
	return setup->desc && setup->driver && setup->device;
}

static bool is_ready(const struct vhost_session *s, unsigned i,
		     struct virtqueue_setup *setup)
{
	const struct session_ring *ring = &s->rings[i];

	if (!s->has_features || !ring->size || !ring->has_addr || !ring->kicked)
		return false;
	/* Broken stays broken until the front end starts it anew. */
	if (virtqueue_broken(ring->vq) && !ring->fresh)
		return false;
	*setup = (struct virtqueue_setup){
		.size = ring->size,
		.features = s->features,
		.from_guest = i & 1,
		.base = ring->base,
		.inflight = session_inflight_of(s, i),
	};
	return translate(s, ring, setup);
}

/* For a packed ring of which the front end keeps no place. */
static struct virtqueue_kept *kept_of(struct vhost_session *s, unsigned i,
				      const struct virtqueue_setup *setup)
{
	const uint64_t beside = 1ull << VHOST_F_LOG_ALL |
				1ull << VHOST_USER_F_PROTOCOL_FEATURES;
	const struct session_ring *ring = &s->rings[i];
	const struct vhost_region *region =
		region_of(s->memory, ring->addr.desc);
	struct ring_identity now = {
		.features = s->features & ~beside,
		.base = ring->told_base,
		.size = ring->size,
	};

	if (!s->ring_file || setup->inflight || !region ||
	    !session_has(s, VIRTIO_F_RING_PACKED))
		return NULL;
	vhost_mapping_find(region->mapping, setup->desc, &now.memory);
	return ring_file_ring(s->ring_file, i, &now);
}

/* The worker looks once: there may be work that nobody kicks for any more. */
static void wake_worker(const struct session_ring *ring)
{
	if (ring->kick_fd >= 0 && vhost_event_signal(ring->kick_fd))
		log_dbg("a kick descriptor takes nothing");
}

/*
 * The guest looks once: a back end that was killed may have used buffers and
 * not have come to tell. With event indices nothing would ever make up for it.
 */
static void wake_guest(struct session_ring *ring)
{
	static const uint64_t one = 1;

	if (!ring->to_call || !ring->started || ring->call_fd < 0)
		return;
	ring->to_call = false;
	if (write(ring->call_fd, &one, sizeof(one)) != sizeof(one))
		log_dbg("a call descriptor takes nothing");
}

static int start(struct vhost_session *s, unsigned i,
		 const struct virtqueue_setup *setup, char **errp)
{
	struct session_ring *ring = &s->rings[i];
	int error;

	if (!session_has(s, VIRTIO_F_RING_PACKED) && setup->base > UINT16_MAX)
		return set_error(errp, -EINVAL,
				 "%s: queue %u: base %#x of a split ring",
				 s->name, i, setup->base);
	error = virtqueue_start(ring->vq, setup, errp);
	if (error)
		return error;
	ring->started = true;
	ring->to_call = ring->fresh;
	ring->fresh = false;
	if (i & 1)
		wake_worker(ring);
	return 0;
}

static void stop(struct session_ring *ring)
{
	if (!ring->started)
		return;
	ring->base = virtqueue_stop(ring->vq);
	ring->started = false;
}

static void report_use(struct vhost_session *s, unsigned i)
{
	int fd = vhost_session_kick_fd(s, i);

	if (fd == s->rings[i].reported_fd)
		return;
	s->rings[i].reported_fd = fd;
	if (!(i & 1) || !s->config.queue_changed)
		return;
	s->rings[i].watched |= fd >= 0;
	s->config.queue_changed(s->config.arg, i);
}

int session_apply(struct vhost_session *s, unsigned i, bool anew, char **errp)
{
	struct session_ring *ring = &s->rings[i];
	struct virtqueue_setup setup;
	bool ready;
	int error = 0;

	virtqueue_take(ring->vq);
	ready = is_ready(s, i, &setup);
	if (anew || !ready)
		stop(ring);
	virtqueue_set_memory(ring->vq, s->memory);
	virtqueue_set_log(ring->vq,
			  session_has(s, VHOST_F_LOG_ALL) ? s->log : NULL);
	virtqueue_set_kick(ring->vq, ring->kick_fd);
	virtqueue_set_call(ring->vq, ring->call_fd);
	virtqueue_set_error(ring->vq, ring->error_fd);
	virtqueue_enable(ring->vq, is_enabled(s, i));
	if (ready && !ring->started) {
		setup.base = ring->base;
		setup.kept = kept_of(s, i, &setup);
		error = start(s, i, &setup, errp);
	}
	wake_guest(ring);
	virtqueue_release(ring->vq);
	report_use(s, i);
	return error;
}

int session_apply_all(struct vhost_session *s, bool anew, char **errp)
{
	int first = 0;

	for (unsigned i = 0; i < s->n_rings; i++) {
		int error = session_apply(s, i, anew, first ? NULL : errp);

		first = first ? first : error;
	}
	return first;
}

/* --- descriptors --- */

void session_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void session_retire_kick(struct vhost_session *s, struct session_ring *ring)
{
	if (ring->kick_fd < 0)
		return;
	if (!ring->watched) {
		virtqueue_take(ring->vq);
		virtqueue_set_kick(ring->vq, -1);
		virtqueue_release(ring->vq);
		session_close_fd(&ring->kick_fd);
		return;
	}
	s->old_fds =
		xrealloc(s->old_fds, (s->n_old_fds + 1) * sizeof(*s->old_fds));
	s->old_fds[s->n_old_fds++] = ring->kick_fd;
	ring->kick_fd = -1;
	ring->watched = false;
}

void session_stop_all(struct vhost_session *s)
{
	for (unsigned i = 0; i < s->n_rings; i++) {
		s->rings[i].kicked = false;
		session_apply(s, i, true, NULL);
		session_forget_place(s, i);
	}
}

void session_forget_place(struct vhost_session *s, unsigned i)
{
	ring_file_forget(s->ring_file, i);
	s->rings[i].told_base = s->rings[i].base;
}

void session_forget_rings(struct vhost_session *s)
{
	for (unsigned i = 0; i < s->n_rings; i++) {
		struct session_ring *ring = &s->rings[i];

		virtqueue_take(ring->vq);
		stop(ring);
		virtqueue_enable(ring->vq, false);
		virtqueue_set_memory(ring->vq, NULL);
		virtqueue_set_log(ring->vq, NULL);
		virtqueue_set_kick(ring->vq, -1);
		virtqueue_set_call(ring->vq, -1);
		virtqueue_set_error(ring->vq, -1);
		virtqueue_release(ring->vq);
		session_retire_kick(s, ring);
		session_close_fd(&ring->call_fd);
		session_close_fd(&ring->error_fd);
		ring->has_addr = ring->kicked = ring->fresh = false;
		ring->size = 0;
		ring->base = ring->told_base = 0;
		ring->enable = RING_ENABLE_UNTOLD;
		report_use(s, i);
	}
}

void vhost_session_settled(struct vhost_session *s)
{
	while (s->n_old_fds)
		close(s->old_fds[--s->n_old_fds]);
}

bool session_is_running(const struct vhost_session *s, unsigned i)
{
	return s->rings[i].started && is_enabled(s, i);
}

int vhost_session_kick_fd(const struct vhost_session *s, unsigned i)
{
	return i < s->n_rings && session_is_running(s, i) ? s->rings[i].kick_fd
							  : -1;
}
