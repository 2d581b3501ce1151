/*
 * What a back end is told of the rings (front_end.h), from the guest's memory
 * on, and where it has got to with them.
 *
 * To the back end the guest's memory lies at addresses that mean nothing in
 * this process: its "user" addresses are the guest's own, moved.
 */
#include "vmm/vhost/front_end_internal.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/log.h"

LOG_MODULE(vhost);

#define USER_BASE (1ull << 40)

static bool is_packed(const struct vhost_front_end *f)
{
	return virtio_has(f->device, VIRTIO_F_RING_PACKED);
}

static int send_state(struct vhost_front_end *f, enum vhost_request request,
		      uint32_t index, uint32_t num, char **errp)
{
	struct vhost_ring_state state = { index, num };

	return vhost_front_end_send(f, request, &state, sizeof(state), NULL, 0,
				    errp);
}

static int send_fd(struct vhost_front_end *f, enum vhost_request request,
		   uint32_t index, int fd, char **errp)
{
	uint64_t which = index | (fd < 0 ? VHOST_NO_FD : 0);

	return vhost_front_end_send(f, request, &which, sizeof(which), &fd,
				    fd >= 0, errp);
}

/* It has them all: it was asked when it came. */
static int send_features(struct vhost_front_end *f, char **errp)
{
	uint64_t features =
		f->device->negotiated | 1ull << VHOST_F_PROTOCOL_FEATURES;

	return vhost_front_end_tell(f, VHOST_SET_FEATURES,
				    features & f->offer.features, errp);
}

static int send_memory(struct vhost_front_end *f, char **errp)
{
	const struct guest_memory *memory = f->device->memory;
	struct vhost_memory_table table = { .n = memory->n_regions };
	int fds[GUEST_MEMORY_MAX_REGIONS];

	_Static_assert(ARRAY_SIZE(table.regions) == ARRAY_SIZE(fds) &&
			       ARRAY_SIZE(fds) <= VHOST_MESSAGE_FDS,
		       "one for each");
	for (unsigned int i = 0; i < memory->n_regions; i++) {
		const struct guest_memory_region *r = &memory->regions[i];

		table.regions[i] =
			(struct vhost_region){ r->guest_addr, r->size,
					       USER_BASE + r->guest_addr,
					       r->offset };
		fds[i] = memory->fd;
	}
	return vhost_front_end_send(f, VHOST_SET_MEM_TABLE, &table,
				    8 + table.n * sizeof(table.regions[0]), fds,
				    table.n, errp);
}

static int send_addresses(struct vhost_front_end *f,
			  const struct virtio_queue *queue, char **errp)
{
	const struct vhost_ring_addr addr = {
		.index = queue->index,
		.desc = USER_BASE + queue->desc,
		.avail = USER_BASE + queue->avail,
		.used = USER_BASE + queue->used,
	};

	return vhost_front_end_send(f, VHOST_SET_VRING_ADDR, &addr,
				    sizeof(addr), NULL, 0, errp);
}

static int send_enable(struct vhost_front_end *f, struct virtio_queue *queue,
		       char **errp)
{
	if (!(f->offer.features >> VHOST_F_PROTOCOL_FEATURES & 1))
		return 0;
	return send_state(f, VHOST_SET_VRING_ENABLE, queue->index,
			  queue->index < f->n_enabled, errp);
}

static int run_ring(struct vhost_front_end *f, struct virtio_queue *queue,
		    char **errp)
{
	uint32_t i = queue->index;

	return send_state(f, VHOST_SET_VRING_NUM, i, queue->size, errp)
		       ?: send_state(f, VHOST_SET_VRING_BASE, i, queue->base,
				     errp)
		       ?: send_addresses(f, queue, errp)
		       ?: send_fd(f, VHOST_SET_VRING_CALL, i, queue->call_fd,
				  errp)
		       ?: send_fd(f, VHOST_SET_VRING_KICK, i, queue->kick_fd,
				  errp)
		       ?: send_enable(f, queue, errp);
}

/* For each ring that the guest uses; ends with the first error. */
static int each_ring(struct vhost_front_end *f,
		     int (*what)(struct vhost_front_end *f,
				 struct virtio_queue *queue, char **errp),
		     char **errp)
{
	int error = 0;

	for (unsigned int i = 0; i < f->n_queues && !error; i++)
		if (f->device->queues[i].enabled)
			error = what(f, &f->device->queues[i], errp);
	return error;
}

/* The same of rings at work, with the end of the connection if it fails. */
static void each_running(struct vhost_front_end *f,
			 int (*what)(struct vhost_front_end *f,
				     struct virtio_queue *queue, char **errp))
{
	char *why = NULL;

	if (f->running && each_ring(f, what, &why))
		vhost_front_end_fail(f, why);
	free(why);
}

/* Who was killed may not have come to tell of what it had done, or to do what
 * it was kicked for. */
static int wake_both(struct vhost_front_end *f, struct virtio_queue *queue,
		     char **errp)
{
	eventfd_write(queue->kick_fd, 1);
	if (queue->call_fd >= 0)
		eventfd_write(queue->call_fd, 1);
	return 0;
}

int vhost_rings_run(struct vhost_front_end *f, bool again, char **errp)
{
	int error = send_features(f, errp)
			    ?: send_memory(f, errp)
			    ?: vhost_inflight_share(f, errp)
			    ?: each_ring(f, run_ring, errp);

	f->running = !error;
	if (f->running && again)
		each_ring(f, wake_both, NULL);
	return error;
}

/* --- where a ring is --- */

static int recover(struct vhost_front_end *f, struct virtio_queue *queue,
		   char **errp)
{
	const struct vring_used *used =
		guest_memory_at(f->device->memory, queue->used, sizeof(*used));

	if (is_packed(f))
		vhost_inflight_base(f, queue, &queue->base);
	else if (used)
		queue->base = __atomic_load_n(&used->idx, __ATOMIC_ACQUIRE);
	return 0;
}

void vhost_rings_recover(struct vhost_front_end *f)
{
	each_running(f, recover);
	f->running = false;
}

static bool is_base(const struct vhost_front_end *f,
		    const struct virtio_queue *queue, uint32_t base)
{
	if (!is_packed(f))
		return base <= UINT16_MAX;
	return (base & 0x7fff) < queue->size &&
	       (base >> 16 & 0x7fff) < queue->size;
}

static int stop_ring(struct vhost_front_end *f, struct virtio_queue *queue,
		     char **errp)
{
	struct vhost_message m =
		vhost_message_of(VHOST_GET_VRING_BASE, sizeof(m.payload.state));
	struct vhost_ring_state *state = &m.payload.state;
	int error;

	state->index = queue->index;
	error = vhost_front_end_ask(f, &m, sizeof(*state), NULL, errp);
	if (!error &&
	    (state->index != queue->index || !is_base(f, queue, state->num)))
		error = set_error(errp, -EPROTO,
				  "it says that queue %u is at %#x (queue %u)",
				  queue->index, state->num, state->index);
	if (!error)
		queue->base = state->num;
	return error;
}

void vhost_front_end_stop(struct vhost_front_end *f)
{
	each_running(f, stop_ring);
	f->running = f->wanted = false;
	f->n_queues = 0;
	f->n_enabled = VIRTIO_MAX_QUEUES;
	vhost_inflight_drop(f);
}

void vhost_front_end_start(struct vhost_front_end *f, unsigned int n_queues)
{
	char *why = NULL;

	vhost_inflight_drop(f);
	f->n_queues = n_queues;
	f->wanted = true;
	if (f->socket >= 0 && vhost_rings_run(f, false, &why))
		vhost_front_end_fail(f, why);
	free(why);
}

void vhost_front_end_enable(struct vhost_front_end *f, unsigned int n)
{
	f->n_enabled = n;
	each_running(f, send_enable);
}

static int send_call(struct vhost_front_end *f, struct virtio_queue *queue,
		     char **errp)
{
	int error = send_fd(f, VHOST_SET_VRING_CALL, queue->index,
			    queue->call_fd, errp);

	if (!error && queue->call_fd >= 0) /* what went to the one before */
		eventfd_write(queue->call_fd, 1);
	return error;
}

void vhost_rings_send_calls(struct vhost_front_end *f)
{
	each_running(f, send_call);
}
