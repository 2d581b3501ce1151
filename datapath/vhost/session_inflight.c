/*
 * The in-flight region (vhost-user, "Inflight I/O tracking"): made here, kept
 * by the front end, and brought back after either side has started anew. One
 * part for each queue, all of the same length; what is in them is
 * virtqueue_inflight.c's.
 */
#include "vhost/session_internal.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* One queue's: begin and entry, of a packed ring twice as long. */
static uint64_t stride_of(const struct vhost_session *s, uint16_t queue_size)
{
	uint64_t unit = session_has(s, VIRTIO_F_RING_PACKED) ? 32 : 16;
	uint64_t len = unit + queue_size * unit;

	return (len + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
}

static int check(const struct vhost_session *s,
		 const struct vhost_user_inflight *told, char **errp)
{
	if (!told->n_queues || told->n_queues > s->n_rings ||
	    !told->queue_size || told->queue_size > VIRTQUEUE_SIZE_MAX)
		return set_error(errp, -EPROTO,
				 "an in-flight region for %u queues of %u; the "
				 "most are %u of %u",
				 told->n_queues, told->queue_size, s->n_rings,
				 VIRTQUEUE_SIZE_MAX);
	return 0;
}

void *session_inflight_of(const struct vhost_session *s, unsigned i)
{
	if (!s->inflight.mapping || i >= s->inflight.n_queues ||
	    s->rings[i].size > s->inflight.queue_size)
		return NULL;
	/* The front end may have changed the kind of ring since. */
	if (stride_of(s, s->inflight.queue_size) != s->inflight.stride)
		return NULL;
	return s->inflight.host + i * s->inflight.stride;
}

int session_get_inflight(struct vhost_session *s, struct session_request *r,
			 char **errp)
{
	struct vhost_user_inflight told;
	int error, fd;

	session_payload(r, &told, sizeof(told));
	error = check(s, &told, errp);
	if (error)
		return error;
	told.size = told.n_queues * stride_of(s, told.queue_size);
	told.offset = 0;
	fd = memfd_create("vhost-inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, told.size)) {
		error = -errno;
		if (fd >= 0)
			close(fd);
		return set_error(errp, error,
				 "cannot make an in-flight region: %s",
				 strerror(-error));
	}
	memcpy(r->reply->payload, &told, sizeof(told));
	r->reply->size = r->message->size;
	r->reply->fds[0] = fd;
	r->reply->n_fds = 1;
	r->has_reply = true;
	return 0;
}

int session_set_inflight(struct vhost_session *s, struct session_request *r,
			 char **errp)
{
	struct vhost_mapping *mapping, *old = s->inflight.mapping;
	struct vhost_user_inflight told;
	uint64_t stride;
	uint8_t *host;
	int error;

	session_payload(r, &told, sizeof(told));
	error = check(s, &told, errp);
	if (error)
		return error;
	stride = stride_of(s, told.queue_size);
	if (told.size < told.n_queues * stride || told.offset % 8)
		return set_error(errp, -EPROTO,
				 "an in-flight region of %ju bytes at %#jx; "
				 "%ju are needed, at a multiple of 8",
				 (uintmax_t)told.size, (uintmax_t)told.offset,
				 (uintmax_t)(told.n_queues * stride));
	mapping = vhost_mapping_create(told.size, told.offset,
				       r->message->fds[0], &host, &error, errp);
	if (!mapping)
		return error;
	s->inflight.mapping = mapping;
	s->inflight.host = host;
	s->inflight.n_queues = told.n_queues;
	s->inflight.queue_size = told.queue_size;
	s->inflight.stride = stride;
	error = session_apply_all(s, true, errp);
	vhost_mapping_unref(old);
	return error;
}
