/* A vhost-user port, as the files of its kind share it. Internal to them. */
#ifndef PORT_VHOST_PORT_H
#define PORT_VHOST_PORT_H

#include <event2/event.h>

#include "port/port.h"
#include "port/vhost_options.h"
#include "port/vhost_socket.h"
#include "vhost/session.h"

struct vhost_rxq {
	struct port_rxq up;
	struct virtqueue *vq; /* of the guest's transmission */
	/*
	 * Queue 0: an address to make known in the network before anything
	 * else is received (VHOST_USER_SEND_RARP); 0: none.
	 */
	_Atomic uint64_t announce;
};

struct vhost_port {
	struct port up;
	struct virtqueue **to_guest; /* by pair */
	_Atomic unsigned n_to_guest; /* how many of them to use; 0: down */
	struct vhost_rxq *rxqs;	     /* by pair */
	struct port_rxq **rxq_pointers;
	struct port_txq txqs[PORT_THREADS_MAX], *txq_pointers[PORT_THREADS_MAX];

	/* The control thread's. */
	struct vhost_options options;
	uint32_t mtu_request; /* 0: none */
	struct event_base *events;
	void (*changed)(struct port *port, void *arg);
	void *changed_arg;
	bool has_changed; /* and it has not been told */
	struct vhost_socket *socket;
	struct vhost_session *session;
	int fd;			/* of the front end; -1: none */
	struct event *readable; /* on it */
	int peer_pid;
	struct vhost_message_reader reader;
	char *trouble; /* why the last connection was given up; or NULL */
	uint64_t connections, link_resets;
	bool link_up;
	unsigned n_broken;	 /* rings, when last looked at */
	struct vhost_port *next; /* all of them */
};

static inline struct vhost_port *vhost_port(const struct port *port)
{
	return CONTAINER_OF(port, struct vhost_port, up);
}

/* vhost_front_end.c */
void vhost_port_make_session(struct vhost_port *vp, const char *state_dir);
/* For vhost_socket_config: fd is a front end. */
void vhost_port_connected(void *vp, int fd);
/* After has_changed: takes over what the session says, and tells of it. */
void vhost_port_follow(struct vhost_port *vp);
/* Looks every second for lost memory and broken rings, until unwatched. */
void vhost_port_watch(struct vhost_port *vp);
void vhost_port_unwatch(struct vhost_port *vp);

/* vhost_describe.c; as in struct port_class. */
void vhost_port_status(struct port *port, struct port_status *status);
void vhost_port_describe(struct port *port,
			 void (*add)(void *arg, const char *key,
				     const char *value),
			 void *arg);

/* vhost_queue.c; as in struct port_class. */
unsigned vhost_port_receive(struct port_rxq *rxq, struct packet *packets,
			    unsigned max, unsigned thread);
void vhost_port_done(struct port_rxq *rxq);
bool vhost_port_arm(struct port_rxq *rxq);
unsigned vhost_port_send(struct port_txq *txq, struct packet *const packets[],
			 unsigned n, unsigned thread, uint64_t *sent_bytes);
void vhost_port_warm(struct port_txq *txq, unsigned thread);

#endif
