/*
 * The front end of vhost-user (QEMU's docs/interop/vhost-user.rst): one back
 * end, one virtio device. Knows nothing of what kind of device it is.
 *
 * Belongs to the control thread. Requests that need an answer wait for it, two
 * seconds at most; a back end that says nonsense or nothing is disconnected.
 * What a back end sends is checked like a guest's bytes.
 *
 * The device's lock is held by callers, but for create, destroy, connect and
 * listen. The ops are called without it, and all but the first `connected` of
 * vhost_front_end_connect() from the loop.
 */
#ifndef VMM_VHOST_FRONT_END_H
#define VMM_VHOST_FRONT_END_H

#include <event2/event.h>

#include "vmm/vhost/protocol.h"
#include "vmm/virtio/virtio.h"

struct vhost_front_end;

struct vhost_front_end_ops {
	/* A back end is there and can do what is needed (again, after it
	 * had gone); may be NULL. */
	void (*connected)(struct virtio_device *device);
	void (*disconnected)(struct virtio_device *device);
};

/* What a back end offers; zeros before one first connected. */
struct vhost_offer {
	uint64_t features;
	uint64_t protocol;   /* of those wanted */
	unsigned int queues; /* as GET_QUEUE_NUM counts them */
};

/*
 * A back end that lacks one of the device's features is refused, but for
 * `own_features`, which the front end's side carries out, and one that has
 * fewer queues than `queues`, as GET_QUEUE_NUM counts them.
 */
struct vhost_front_end *vhost_front_end_create(
	struct event_base *loop, struct virtio_device *device,
	uint64_t own_features, unsigned int queues,
	const struct vhost_front_end_ops *ops);
void vhost_front_end_destroy(struct vhost_front_end *front_end);
/* Over a connected socket, or the next that connects to the listener (which
 * stays). Owned, also on errors. 0 or -errno with a message. */
int vhost_front_end_connect(struct vhost_front_end *front_end, int fd,
			    char **errp);
void vhost_front_end_listen(struct vhost_front_end *front_end, int listener);
bool vhost_front_end_is_connected(const struct vhost_front_end *front_end);

const struct vhost_offer *vhost_front_end_offer(
	const struct vhost_front_end *front_end);

/*
 * Memory table, in-flight region and the rings of the first n_queues, by the
 * device's queues and negotiated
 * features. Repeated by itself after a reconnection; without a back end it
 * happens when one comes, and one that fails is disconnected. stop() fetches
 * the bases (after a back end's death from the in-flight region or the used
 * ring).
 */
void vhost_front_end_start(struct vhost_front_end *front_end,
			   unsigned int n_queues);
void vhost_front_end_stop(struct vhost_front_end *front_end);
/* The first n queues are used (VHOST_USER_SET_VRING_ENABLE), the others not;
 * at the beginning all are. */
void vhost_front_end_enable(struct vhost_front_end *front_end, unsigned int n);
/* Of a queue. Any thread (a vCPU's): the back end is told from the loop. */
void vhost_front_end_call_changed(struct vhost_front_end *front_end);
/* Exactly `length` bytes from the configuration's beginning. */
int vhost_front_end_get_config(struct vhost_front_end *front_end, void *data,
			       uint32_t length, char **errp);
/* A request that carries a number: VHOST_SEND_RARP, VHOST_NET_SET_MTU. */
int vhost_front_end_tell(struct vhost_front_end *front_end,
			 enum vhost_request request, uint64_t value,
			 char **errp);

#endif
