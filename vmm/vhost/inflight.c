/*
 * The in-flight region: made by the back end, kept here, and given to the next
 * one, which finds in it what was taken off the rings and not given back. Its
 * contents are the back end's; only the place of a packed ring, which is
 * nowhere else, is read, and read as a file, since the region may shrink.
 */
#include "vmm/vhost/front_end_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REGION_MAX = 16 << 20 };

/* The beginning of a packed queue's part. */
struct packed_part {
	uint64_t features;
	uint16_t version, n_descriptors, free_head, old_free_head;
	uint16_t used_idx, old_used_idx;
	uint8_t used_wrap, old_used_wrap;
};

void vhost_inflight_drop(struct vhost_front_end *f)
{
	if (f->inflight.fd >= 0)
		close(f->inflight.fd);
	f->inflight.fd = -1;
}

static int get_region(struct vhost_front_end *f, char **errp)
{
	struct vhost_message m = vhost_message_of(VHOST_GET_INFLIGHT_FD,
						  sizeof(m.payload.inflight));
	struct vhost_inflight *layout = &m.payload.inflight;
	struct stat status;
	int fd, error;

	layout->n_queues = f->n_queues;
	for (unsigned int i = 0; i < f->n_queues; i++)
		layout->queue_size =
			MAX(layout->queue_size, f->device->queues[i].size);
	f->inflight.layout = *layout;
	error = vhost_front_end_ask(f, &m, 20, &fd, errp);
	if (error)
		return error;
	f->inflight.layout.size = layout->size;
	f->inflight.layout.offset = layout->offset;
	if (fd >= 0 && !fstat(fd, &status) && S_ISREG(status.st_mode) &&
	    layout->size && layout->size <= REGION_MAX &&
	    layout->offset <= REGION_MAX) {
		f->inflight.fd = fd;
		return 0;
	}
	if (fd >= 0)
		close(fd);
	return set_error(errp, -EPROTO,
			 "its in-flight region of %ju bytes at %#jx is none",
			 (uintmax_t)layout->size, (uintmax_t)layout->offset);
}

int vhost_inflight_share(struct vhost_front_end *f, char **errp)
{
	int error = 0;

	if (!vhost_front_end_has(f, VHOST_PROTOCOL_INFLIGHT))
		return 0;
	if (f->inflight.fd < 0)
		error = get_region(f, errp);
	if (error)
		return error;
	return vhost_front_end_send(
		f, VHOST_SET_INFLIGHT_FD, &f->inflight.layout,
		sizeof(f->inflight.layout), &f->inflight.fd, 1, errp);
}

bool vhost_inflight_base(const struct vhost_front_end *f,
			 const struct virtio_queue *queue, uint32_t *base)
{
	const struct vhost_inflight *layout = &f->inflight.layout;
	struct packed_part part;
	uint64_t at;
	uint16_t place;

	if (f->inflight.fd < 0 || queue->index >= layout->n_queues)
		return false;
	at = layout->offset + layout->size / layout->n_queues * queue->index;
	if (pread(f->inflight.fd, &part, sizeof(part), at) != sizeof(part) ||
	    part.version != 1 || part.old_used_idx >= queue->size)
		return false;
	place = part.old_used_idx | (part.old_used_wrap & 1) << 15;
	*base = place | (uint32_t)place << 16;
	return true;
}
