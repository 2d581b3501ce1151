/* What front_end.c (the connection), front_end_rings.c (the rings) and
 * inflight.c share. */
#ifndef VMM_VHOST_FRONT_END_INTERNAL_H
#define VMM_VHOST_FRONT_END_INTERNAL_H

#include "vmm/vhost/front_end.h"
#include "vmm/vhost/message.h"

/* The back end's notes of what it is at, kept by us (vhost-user, "Inflight I/O
 * tracking"). */
struct vhost_inflight_region {
	int fd; /* -1: none */
	struct vhost_inflight layout;
};

struct vhost_front_end {
	struct event_base *loop;
	struct virtio_device *device;
	uint64_t own_features;
	unsigned int queues; /* needed */
	const struct vhost_front_end_ops *ops;

	int socket, listener; /* -1: none */
	struct event *socket_event, *listen_event;
	struct event *lost_event; /* `disconnected` is to be called */
	struct event *call_event; /* interrupts go another way */

	struct vhost_offer offer;

	bool wanted;  /* rings are to run when there is a back end */
	bool running; /* they do */
	unsigned int n_queues, n_enabled;
	struct vhost_inflight_region inflight;
};

/* Sends; with REPLY_ACK learns whether it was carried out. */
int vhost_front_end_send(struct vhost_front_end *f, enum vhost_request request,
			 const void *payload, uint32_t size, const int *fds,
			 unsigned int n_fds, char **errp);
/* Sends and receives the answer in place; `fd` (NULL: none may come) is the
 * caller's to close. */
int vhost_front_end_ask(struct vhost_front_end *f,
			struct vhost_message *message, uint32_t reply_min,
			int *fd, char **errp);
/* Gives the connection up; `disconnected` follows from the loop. */
void vhost_front_end_fail(struct vhost_front_end *f, const char *why);

static inline bool vhost_front_end_has(const struct vhost_front_end *f,
				       enum vhost_protocol_feature feature)
{
	return f->offer.protocol >> feature & 1;
}

static inline struct vhost_message vhost_message_of(enum vhost_request request,
						    uint32_t size)
{
	return (struct vhost_message){ .header = { request, VHOST_VERSION,
						   size } };
}

/* front_end_rings.c: tells a back end that has just come everything. */
int vhost_rings_run(struct vhost_front_end *f, bool again, char **errp);
void vhost_rings_send_calls(struct vhost_front_end *f);
/* The back end has gone: where each ring is. */
void vhost_rings_recover(struct vhost_front_end *f);

/* inflight.c */
int vhost_inflight_share(struct vhost_front_end *f, char **errp);
/* The place of a packed ring in a region whose back end has gone. */
bool vhost_inflight_base(const struct vhost_front_end *f,
			 const struct virtio_queue *queue, uint32_t *base);
void vhost_inflight_drop(struct vhost_front_end *f);

#endif
