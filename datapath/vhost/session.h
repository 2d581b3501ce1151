/*
 * What a front end has set up: negotiated features, memory, queues, dirty log,
 * in-flight region (vhost-user, back end's side). One session a port; it
 * survives the front end's leaving, as an empty one that waits for the next.
 *
 * Control thread only. The queues are shared with the workers by virtqueue.h's
 * rules: everything that changes what they use happens while they are taken.
 */
#ifndef VHOST_SESSION_H
#define VHOST_SESSION_H

#include "vhost/message.h"
#include "vhost/virtqueue.h"

#define VHOST_QUEUE_PAIRS_MAX 128

struct vhost_session;

struct vhost_session_config {
	const char *name; /* for messages */
	unsigned n_pairs; /* queue pairs offered, 1 to VHOST_QUEUE_PAIRS_MAX */
	uint16_t mtu;	  /* offered as VIRTIO_NET_F_MTU; 0: not offered */
	uint64_t
		features_off; /* of VHOST_SESSION_FEATURES, not to be offered */
	/*
	 * Where packed rings' places are kept for when this process was killed,
	 * in a directory that only this user writes to; NULL: nowhere.
	 */
	const char *ring_file;
	/*
	 * A queue of the guest's transmission (index even: received from is
	 * odd, 2 * pair + 1) came to be used or ceased to be, or has another
	 * kick descriptor: vhost_session_kick_fd() tells.
	 */
	void (*queue_changed)(void *arg, unsigned index);
	/* Features, MTU, number of pairs, link: whatever a status shows. */
	void (*changed)(void *arg);
	/* VHOST_USER_SEND_RARP: make this address known in the network. */
	void (*announce)(void *arg, uint64_t mac);
	void *arg;
};

struct vhost_session *vhost_session_create(
	const struct vhost_session_config *config);
void vhost_session_destroy(struct vhost_session *session);

/* All 2 * n_pairs of them, in the order of the device: rx0, tx0, rx1, tx1... */
struct virtqueue *vhost_session_queue(const struct vhost_session *session,
				      unsigned index);

/*
 * Acts on one whole message and fills the reply, if it wants one (*has_reply).
 * -errno with a message: the front end broke the protocol, give the connection
 * up. Takes the descriptors it keeps out of the message.
 */
int vhost_session_handle(struct vhost_session *session,
			 struct vhost_message *message,
			 struct vhost_message *reply, bool *has_reply,
			 char **errp);
/*
 * The front end is gone: queues stopped, memory, log and in-flight region let
 * go. Kick descriptors that workers may still watch stay open until
 * vhost_session_settled().
 */
void vhost_session_reset(struct vhost_session *session);
/* No worker watches descriptors of before any more: closes them. */
void vhost_session_settled(struct vhost_session *session);

/* The descriptor to sleep on for a queue that is in use; -1: it is not. */
int vhost_session_kick_fd(const struct vhost_session *session, unsigned index);
/* Some memory was lost (SIGBUS): the connection has to be given up. */
bool vhost_session_is_damaged(const struct vhost_session *session);

struct vhost_session_info {
	uint64_t features, protocol_features; /* negotiated */
	unsigned n_pairs;		      /* in use: the first so many */
	bool link_up;	      /* ready to take and give frames */
	uint16_t mtu;	      /* told by the front end; 0: nothing */
	uint32_t tx_offloads; /* enum offload: what the guest finishes */
	unsigned n_regions;
	uint64_t memory_size; /* bytes */
};
void vhost_session_get_info(const struct vhost_session *session,
			    struct vhost_session_info *info);

#endif
