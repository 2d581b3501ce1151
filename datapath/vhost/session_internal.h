/* What session.c and session_*.c share. */
#ifndef VHOST_SESSION_INTERNAL_H
#define VHOST_SESSION_INTERNAL_H

#include "vhost/mapping.h"
#include "vhost/protocol.h"
#include "vhost/ring_file.h"
#include "vhost/session.h"

struct session_ring {
	struct virtqueue *vq;
	struct vhost_user_vring_addr addr;
	bool has_addr;
	uint16_t size;	    /* 0: not told yet */
	uint32_t base;	    /* where to go on while it is not started */
	uint32_t told_base; /* the same, as the front end was last told or said
			     */
	bool kicked;	    /* SET_VRING_KICK came: may start */
	bool fresh;	    /* and since it did, it was not started */
	bool started;
	bool to_call; /* the guest is still to be told of the start */
	enum { RING_ENABLE_UNTOLD, RING_DISABLED, RING_ENABLED } enable;
	int kick_fd, call_fd, error_fd; /* ours; -1: none */
	int reported_fd; /* what kick_fd() was when queue_changed() was told */
	bool watched;	 /* kick_fd was reported: a worker may sleep on it */
};

struct vhost_session {
	struct vhost_session_config config;
	char *name;
	unsigned n_rings;
	uint64_t features, protocol_features;
	bool has_features;
	struct vhost_memory *memory; /* never NULL */
	struct vhost_log *log;	     /* or NULL */
	struct {
		struct vhost_mapping *mapping; /* or NULL: none */
		uint8_t *host;
		uint16_t n_queues, queue_size;
		uint64_t stride;
	} inflight;
	struct ring_file *ring_file; /* or NULL */
	uint16_t mtu;
	uint8_t status;
	int backend_fd, log_fd;
	int *old_fds; /* kick descriptors that workers may still watch */
	unsigned n_old_fds;
	struct vhost_session_info told; /* by config.changed() */
	struct session_ring rings[2 * VHOST_QUEUE_PAIRS_MAX];
};

/* A message being handled, and its answer. */
struct session_request {
	struct vhost_message *message, *reply;
	bool has_reply;
};

static inline bool session_has(const struct vhost_session *s, unsigned bit)
{
	return s->features >> bit & 1;
}

static inline bool session_has_protocol(const struct vhost_session *s,
					unsigned bit)
{
	return s->protocol_features >> bit & 1;
}

/* Answers with one number. */
void session_reply_u64(struct session_request *r, uint64_t value);
/* The payload, or what there is of it and zeros. */
void session_payload(const struct session_request *r, void *to, size_t size);

/* What handles a request: 0 or -errno with a message. */
typedef int session_handler(struct vhost_session *s, struct session_request *r,
			    char **errp);

/* session_features.c */
session_handler session_get_features, session_set_features,
	session_get_protocol_features, session_set_protocol_features,
	session_set_mtu, session_set_status, session_get_status;
uint32_t session_tx_offloads(uint64_t features);

/* session_memory.c */
session_handler session_set_mem_table, session_add_mem_reg, session_rem_mem_reg,
	session_set_log_base, session_set_log_fd;

/* session_inflight.c */
session_handler session_get_inflight, session_set_inflight;
/* The part of the region that is queue i's, or NULL. */
void *session_inflight_of(const struct vhost_session *s, unsigned i);

/* session_vring.c */
session_handler session_set_vring_num, session_set_vring_addr,
	session_set_vring_base, session_get_vring_base, session_set_vring_kick,
	session_set_vring_call, session_set_vring_err, session_set_vring_enable;

/* session_rings.c */
/*
 * No kick descriptor any more. One that a worker may sleep on waits for
 * vhost_session_settled(); the queue must not be taken.
 */
void session_retire_kick(struct vhost_session *s, struct session_ring *ring);
void session_close_fd(int *fd);
/*
 * Makes the queue what the session says, taken meanwhile: started when it can
 * be, stopped when not; `anew`: stopped and started, because of what only a
 * start tells it.
 */
int session_apply(struct vhost_session *s, unsigned i, bool anew, char **errp);
/* Started and enabled. */
bool session_is_running(const struct vhost_session *s, unsigned i);
/* All of them, also when one fails: the first error. */
int session_apply_all(struct vhost_session *s, bool anew, char **errp);
/* All stopped; the front end has to kick them again. */
void session_stop_all(struct vhost_session *s);
/* A stop that the front end knows of: what it says next is right. */
void session_forget_place(struct vhost_session *s, unsigned i);
/* All let go of everything, as at first. */
void session_forget_rings(struct vhost_session *s);

#endif
