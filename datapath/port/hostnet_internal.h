/*
 * A port to the host's own sockets, as its files share it (hostnet_port.h).
 *
 *	hostnet.c	    the port: what the control thread and workers call
 *	hostnet_options.c   Interface:options
 *	hostnet_thread.c    the port's thread: libslirp and what wakes it
 *	hostnet_forward.c   ports of the host that lead to machines
 *	hostnet_ping.c	    pings
 *	hostnet_sessions.c  limits
 *	hostnet_half_open.c the same of connections to the name service
 *	hostnet_fragment.c  IP fragments
 *	hostnet_frame_in.c  what may pass to libslirp
 *	hostnet_frame_out.c, hostnet_answer.c, hostnet_mss.c, hostnet_headers.c
 *			    what is changed on the way, and answered
 *	hostnet_ring.c	    frames between the threads
 */
#ifndef PORT_HOSTNET_INTERNAL_H
#define PORT_HOSTNET_INTERNAL_H

#include <slirp/libslirp.h>
#include <poll.h>
#include <pthread.h>

#include "port/hostnet_fragment.h"
#include "port/hostnet_frame.h"
#include "port/hostnet_half_open.h"
#include "port/hostnet_port.h"
#include "port/hostnet_ring.h"
#include "port/hostnet_sessions.h"

#define HOSTNET_RING	   (1u << 20) /* from one worker */
#define HOSTNET_RING_RX	   (2u << 20) /* to workers */
#define HOSTNET_FRAME_ROOM 128	      /* for libslirp's headers */
/* What one socket's turn, or one frame, may bring at most. */
#define HOSTNET_TURN (256u << 10)

struct hostnet_options {
	struct hostnet_net net;
	char *dns_socket; /* or NULL */
	unsigned sessions_max, client_sessions_max;
};

/* 0, or -EINVAL with a message. */
int hostnet_options_read(struct hostnet_options *options,
			 const struct port_config *config, char **errp);
void hostnet_options_clear(struct hostnet_options *options);
/* But for the limits, which may change. */
bool hostnet_options_same(const struct hostnet_options *a,
			  const struct hostnet_options *b);

struct hostnet_pings;

struct hostnet {
	struct port up;
	struct hostnet_options options;

	/* To machines. */
	struct port_rxq rxq, *rxq_pointer;
	struct hostnet_ring *to_machines;
	_Atomic bool armed;	 /* a worker sleeps on rxq.fd */
	_Atomic bool wants_room; /* the thread waits for it */

	/* From machines: each sender's own, made when it first sends. */
	struct port_txq txqs[PORT_THREADS_MAX];
	struct port_txq *txq_pointers[PORT_THREADS_MAX];
	struct hostnet_ring *_Atomic from[PORT_THREADS_MAX];

	/* The thread, and what wakes it. */
	pthread_t thread;
	bool has_thread;
	_Atomic bool stop, stopped, asleep;
	int kick_fd;
	pthread_mutex_t lock; /* of the next four */
	pthread_cond_t called;
	void (*call)(struct hostnet *h, void *arg);
	void *call_arg;
	_Atomic bool has_call;

	/* The thread's, and nobody else's while it runs. */
	Slirp *slirp;
	struct hostnet_memory memory;
	struct hostnet_sessions *sessions;
	struct hostnet_half_open half_open;
	struct hostnet_pings *pings;
	struct hostnet_fragments *fragments;
	uint8_t *piece;			      /* room for one that is cut */
	uint32_t last_id;		      /* of a packet that was cut */
	const struct hostnet_packet *current; /* that libslirp works on */
	bool forwards_changed;
	uint64_t dns_s; /* the second that the next is of */
	unsigned dns_calls;
	bool delayed; /* libslirp asked for a MAC and is to go on */
	struct pollfd *fds;
	unsigned n_fds, fds_size;

	struct hostnet_forward *forwards; /* in force, each of one port */
	unsigned n_forwards;

	_Atomic uint64_t drops[N_DROP_REASONS]; /* the thread's */
};

static inline struct hostnet *hostnet_of(const struct port *port)
{
	return CONTAINER_OF(port, struct hostnet, up);
}

/* --- hostnet_thread.c ----------------------------------------------------- */

int hostnet_thread_start(struct hostnet *h, char **errp);
void hostnet_thread_stop(struct hostnet *h);
/* Control thread: runs fn on the thread and waits for its end. */
void hostnet_call(struct hostnet *h, void (*fn)(struct hostnet *, void *),
		  void *arg);
/* Any thread: it wakes up if it sleeps. */
void hostnet_wake(struct hostnet *h);

/* The thread: an IP packet with an Ethernet header, for a machine. */
void hostnet_deliver(struct hostnet *h, const uint8_t *frame, uint32_t len);
void hostnet_drop(struct hostnet *h, enum drop_reason reason);
/* Watches fd in this round; the number by which to ask what came of it. */
int hostnet_watch(struct hostnet *h, int fd, short events);

/* Whether all that libslirp may send in one go could be delivered. */
bool hostnet_has_room(struct hostnet *h);

/* --- hostnet_take.c ------------------------------------------------------- */

/* The thread: frames from machines wait; they are taken while there is room. */
bool hostnet_frames_wait(struct hostnet *h);
void hostnet_take_frames(struct hostnet *h);

/* --- hostnet_ping.c ------------------------------------------------------- */

struct hostnet_pings *hostnet_pings_create(struct hostnet *h);
void hostnet_pings_destroy(struct hostnet_pings *pings);
/* An echo request that may go out. */
void hostnet_pings_send(struct hostnet_pings *pings, const uint8_t *frame,
			const struct hostnet_packet *packet);
/* Before and after poll(). */
void hostnet_pings_fill(struct hostnet_pings *pings, uint64_t now_ms);
void hostnet_pings_poll(struct hostnet_pings *pings);

#endif
