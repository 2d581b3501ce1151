/*
 * A port: one interface of a bridge, behind one small interface whatever its
 * kind (tap, packet socket, patch, null, ...; one file a kind).
 *
 * The control thread opens, configures and closes ports. Workers receive and
 * send through its queues. A receive queue belongs to one worker at a time; a
 * port has a send queue for every thread that may send, so that senders share
 * nothing, unless its kind cannot (then they take turns by a try-lock).
 *
 * Borrowing: the packets of one receive point into the queue's memory until
 * rxq_done(); there is at most one burst out at a time. Sending is done when
 * the call returns: a sender copies or writes, and keeps nothing.
 */
#ifndef PORT_PORT_H
#define PORT_PORT_H

#include <net/if.h>
#include <stdatomic.h>

#include "base/util.h"
#include "packet/drop.h"
#include "packet/packet.h"

#define PORT_THREADS_MAX 65 /* 64 workers, and the control thread as 0 */
#define PORT_MTU_DEFAULT 1500

/* What a port can take that others must have finished for them. */
enum port_offload {
	PORT_TX_CSUM = 1 << 0,
	PORT_TX_TSO4 = 1 << 1,
	PORT_TX_TSO6 = 1 << 2,
	PORT_TX_TSO_ECN = 1 << 3,
	PORT_TX_USO = 1 << 4,
	PORT_TX_UFO = 1 << 6,
};

/*
 * Counters of one thread at one port: written by that thread alone (relaxed),
 * summed by the control thread. RFC 2863 meanings: octets count the frame
 * without FCS; rx is from the port into the switch.
 */
struct port_counters {
	_Atomic uint64_t rx_packets, rx_bytes;
	_Atomic uint64_t rx_multicast, rx_broadcast;
	_Atomic uint64_t tx_packets, tx_bytes;
	_Atomic uint64_t tx_multicast, tx_broadcast;
	_Atomic uint64_t drops[N_DROP_REASONS];
} CACHE_ALIGNED;

/* Adds without a locked instruction: the thread is the only writer. */
static inline void counter_add(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(c,
			      atomic_load_explicit(c, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

struct event_base;
struct fastpath;      /* fastpath/fastpath.h */
struct fastpath_port; /* likewise */
struct port;

struct port_option {
	const char *key, *value;
};

/* What the database says about an interface; lives during the call only. */
struct port_config {
	const char *name; /* Interface:name, the device's name too */
	const char *type; /* Interface:type, "" for a device of the host */
	const struct port_option *options; /* Interface:options */
	size_t n_options;
	unsigned n_threads;   /* threads that may send: workers + 1 */
	unsigned n_rxqs;      /* receive queues wanted: workers */
	uint32_t mtu_request; /* 0: as it is */
	uint64_t mac;	      /* 0: as it is, or chosen by the kind */

	/* For kinds that talk to a peer: the control thread's loop, ... */
	struct event_base *events;
	/*
	 * ... whom to tell, from that loop, that the port's status or its
	 * receive queues are not what they were (NULL: nobody), ...
	 */
	void (*changed)(struct port *port, void *arg);
	void *changed_arg;
	/* ... where sockets are made that are not given a path, ... */
	const char *run_dir;
	/* ... and where is kept what outlives this process; NULL: nowhere. */
	const char *state_dir;

	/* For kinds that want some: Open_vSwitch:other_config, all of it. */
	const struct port_option *settings;
	size_t n_settings;

	/* ... and what forwards in the kernel; NULL: nothing shall. */
	struct fastpath *fastpath;
};

/* What the port's device is like now, for the database and for people. */
struct port_status {
	bool present;  /* there is a device */
	bool admin_up; /* IFF_UP */
	bool link_up;  /* carrier */
	uint64_t mac;
	uint32_t mtu;
	int ifindex; /* 0: none */
	uint64_t link_resets;
	uint64_t speed_bps; /* 0: unknown */
	bool full_duplex;
	char driver[32];
};

/*
 * The control thread may change fd, epoch and idle of an open port's queue
 * between two snapshots, and says so by port_config.changed(): the next
 * snapshot serves what is then not idle, and takes another epoch for another
 * queue. A descriptor that a worker has watched stays open until settled().
 * Workers read the three only while they take a snapshot over; nor may a kind
 * that changes them in its own functions that workers call.
 */
struct port_rxq {
	struct port *port;
	unsigned index;
	int fd;		/* readable when there is work; -1: none, always poll */
	uint16_t epoch; /* counts the descriptors that fd has been */
	bool idle;	/* there is nothing to receive from: not served */
};

struct port_txq {
	struct port *port;
	unsigned index;
	_Atomic bool taken; /* used only when port->tx_shared */
};

struct port_class {
	const char *type; /* Interface:type */
	/*
	 * Receiving from an empty queue is a look into memory, not a system
	 * call: a worker looks there for a while before it arms the queue.
	 */
	bool polls_in_memory;
	/*
	 * Makes transmit queues for as many threads as there can be, and is not
	 * opened anew when their number changes. It keeps the receive queues
	 * that it was opened with.
	 */
	bool any_threads;
	/* vswd makes such ports for segments; no row may ask for one. */
	bool made_up;

	/*
	 * Control thread. Opens or attaches; on success *portp has its queues.
	 * 0 or -errno with a message that says what would help. -ENODEV means
	 * that the device is not there yet: try again when netlink shows it.
	 */
	int (*open)(const struct port_config *config, struct port **portp,
		    char **errp);
	/* Control thread, when no worker can see the port any more. */
	void (*close)(struct port *port);
	/*
	 * Control thread, while workers use the port: takes over what changed
	 * (MTU, MAC, options). -EOPNOTSUPP: close it and open it anew.
	 */
	int (*reconfigure)(struct port *port, const struct port_config *config,
			   char **errp);
	/* Control thread. May be NULL: present and up. */
	void (*status)(struct port *port, struct port_status *status);
	/*
	 * Control thread; may be NULL. Tells what Interface:status has beyond
	 * port_status, by a call of add() for each key.
	 */
	void (*describe)(struct port *port,
			 void (*add)(void *arg, const char *key,
				     const char *value),
			 void *arg);
	/*
	 * Control thread; may be NULL. A snapshot was published since the port
	 * said that its queues changed: no worker uses what they were before.
	 */
	void (*settled)(struct port *port);
	/*
	 * Control thread; may be NULL. The kernel's own counters of what never
	 * reached us, e.g. drops of a full socket: added to counters `total`.
	 */
	void (*device_counters)(struct port *port, struct port_counters *total);

	/*
	 * Worker. Receives up to max packets into packets[], whose memory stays
	 * lent until done(). What is malformed at the device is counted as
	 * dropped here and not delivered.
	 */
	unsigned (*receive)(struct port_rxq *rxq, struct packet *packets,
			    unsigned max, unsigned thread);
	void (*done)(struct port_rxq *rxq);
	/*
	 * Worker, before it sleeps on rxq->fd: asks for a notification. Returns
	 * false when there is work already. May be NULL: fd is level-triggered.
	 */
	bool (*arm)(struct port_rxq *rxq);

	/*
	 * Worker; may be NULL. Nothing comes at the moment, and what came last
	 * was sent to here: brings what the next packet will need into the
	 * cache.
	 */
	void (*warm)(struct port_txq *txq, unsigned thread);

	/*
	 * Worker or control thread. Sends n packets (each within the MTU and
	 * the offloads that the port said it takes), counts what it could not
	 * send in the thread's counters by reason, and returns how many were
	 * sent; sent_bytes adds their lengths.
	 */
	unsigned (*send)(struct port_txq *txq, struct packet *const packets[],
			 unsigned n, unsigned thread, uint64_t *sent_bytes);
};

/* Kinds embed this as their first member. */
struct port {
	const struct port_class *class;
	char *name;
	uint64_t serial; /* never given twice while the process runs */
	unsigned n_rxqs, n_txqs;
	struct port_rxq **rxqs;
	struct port_txq **txqs;	      /* thread t sends on txqs[t % n_txqs] */
	bool tx_shared;		      /* n_txqs < n_threads: take turns */
	_Atomic uint32_t tx_offloads; /* enum port_offload; may change */
	_Atomic uint32_t mtu;	 /* of the payload, without header and tags */
	_Atomic bool tx_enabled; /* false: packets to it drop as TX_DOWN */
	unsigned n_threads;
	/*
	 * Control thread. Its part in the kernel's fast path; NULL: it has
	 * none, and why not, if there is more to say than that it is no device
	 * of the kernel (freed with the port).
	 */
	struct fastpath_port *fastpath;
	char *no_fastpath;
	struct port_counters *counters[PORT_THREADS_MAX];
};

/* The classes, NULL for a type that is not known. "" finds the device kind. */
const struct port_class *port_class_find(const char *type);
/* port_class.made_up of that type; false for one that is not known. */
bool port_type_is_made_up(const char *type);

/*
 * Opens by config->type: finds the class, calls its open. Control thread.
 * -EINVAL for an unknown type or a wrong option, with a message that lists
 * what would be right.
 */
int port_open(const struct port_config *config, struct port **portp,
	      char **errp);
void port_close(struct port *port);
void port_get_status(struct port *port, struct port_status *status);
/*
 * Of a kind with any_threads, while no worker uses the port: there are so many
 * threads now. Counters of those that are no more still count.
 */
void port_set_threads(struct port *port, unsigned n);
/* Sums all threads' counters and the device's. Control thread. */
void port_get_counters(struct port *port, struct port_counters *total);
/* total is the caller's alone. */
void port_counters_add(struct port_counters *total,
		       const struct port_counters *c);

/*
 * For the kinds: the common part's beginning and end. The queues, and the
 * arrays of pointers to them, are the kind's to make and to free.
 */
void port_init(struct port *port, const struct port_class *class,
	       const struct port_config *config);
void port_fini(struct port *port);
const char *port_config_option(const struct port_config *config,
			       const char *key);
const char *port_config_setting(const struct port_config *config,
				const char *key);

/*
 * Sends packets to a port: checks the MTU, finishes checksums and segments
 * where the port cannot (gso.h), takes the queue, sends, counts. Packets are
 * as they were afterwards, except that a checksum may be finished; a later send
 * may change their tags. `thread` is the caller's index. Packets were pulled.
 * A queue that another thread has is waited for: a burst's time, the control
 * thread about 10 ms.
 *
 * tx_packets and tx_bytes count what the port took; tx_multicast and
 * tx_broadcast what it was asked to take (RFC 2863, ifHCOutMulticastPkts).
 */
void port_send(struct port *port, struct packet *const packets[], unsigned n,
	       unsigned thread);
/* A worker that has nothing to do: see port_class.warm. */
void port_warm(struct port *port, unsigned thread);

static inline void port_drop(struct port *port, unsigned thread,
			     enum drop_reason reason, unsigned n)
{
	counter_add(&port->counters[thread]->drops[reason], n);
}

#endif
