/*
 * The front end of vhost-user (QEMU's docs/interop/vhost-user.rst): one back
 * end, one virtio device. Knows nothing of what kind of device it is.
 *
 * Belongs to the control thread. Requests that need an answer wait for it, two
 * seconds at most; a back end that says nonsense or nothing is disconnected.
 * What a back end sends is checked like a guest's bytes.
 */
#ifndef VMM_VHOST_FRONT_END_H
#define VMM_VHOST_FRONT_END_H

#include <event2/event.h>

#include "vmm/virtio/virtio.h"

struct vhost_front_end;

struct vhost_front_end_ops {
	/* A back end is there and was asked what it can do (again, after it
	 * had gone). */
	void (*connected)(void *aux);
	void (*disconnected)(void *aux, const char *why);
	/* VHOST_USER_BACKEND_CONFIG_CHANGE_MSG */
	void (*config_changed)(void *aux);
};

/* The protocol features wanted, beyond REPLY_ACK, MQ and CONFIG as offered:
 * VHOST_USER_PROTOCOL_F_... bits of the device's kind. */
struct vhost_front_end *vhost_front_end_create(
	struct event_base *loop, struct virtio_device *device,
	uint64_t protocol_features, const struct vhost_front_end_ops *ops,
	void *aux);
void vhost_front_end_destroy(struct vhost_front_end *front_end);
/* Over a connected socket, or the next that connects to the listener (which
 * stays). Owned. 0 or -errno with a message. */
int vhost_front_end_connect(struct vhost_front_end *front_end, int fd,
			    char **errp);
void vhost_front_end_listen(struct vhost_front_end *front_end, int listener);
bool vhost_front_end_is_connected(const struct vhost_front_end *front_end);

/* What the back end offers; 0 before it first connected. */
uint64_t vhost_front_end_features(const struct vhost_front_end *front_end);
uint64_t vhost_front_end_protocol(const struct vhost_front_end *front_end);
unsigned int vhost_front_end_max_queues(const struct vhost_front_end *);

/* Memory table, in-flight region, rings: by the device's queues and negotiated
 * features. Repeated by itself after a reconnection. stop() fetches the bases
 * (after a back end's death from the in-flight region or the used ring). */
int vhost_front_end_start(struct vhost_front_end *front_end, char **errp);
void vhost_front_end_stop(struct vhost_front_end *front_end);
void vhost_front_end_call_changed(struct vhost_front_end *front_end,
				  struct virtio_queue *queue);
int vhost_front_end_get_config(struct vhost_front_end *front_end, void *data,
			       uint32_t length, char **errp);
int vhost_front_end_set_config(struct vhost_front_end *front_end,
			       uint32_t offset, const void *data,
			       uint32_t length, char **errp);
int vhost_front_end_set_mtu(struct vhost_front_end *front_end, uint16_t mtu,
			    char **errp);
/* RARP for this address, VHOST_USER_SEND_RARP. */
int vhost_front_end_announce(struct vhost_front_end *front_end,
			     const uint8_t mac[6], char **errp);

#endif
