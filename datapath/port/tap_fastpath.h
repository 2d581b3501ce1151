/*
 * A tap's part in the kernel's fast path (fastpath/fastpath.h). While it has
 * one, the device is persistent: when the daemon is killed, or ends to be
 * replaced, it stays with its addresses and the program at it, and the next
 * daemon attaches to it. Otherwise it goes with the process.
 *
 * The part itself is port.fastpath, for who publishes. All of it is the control
 * thread's.
 */
#ifndef PORT_TAP_FASTPATH_H
#define PORT_TAP_FASTPATH_H

#include "fastpath/layout.h"
#include "port/netdev.h"
#include "port/port.h"

struct tap_fastpath {
	/* The device's alias while it is persistent: whose it is; or "". */
	char mark[NETDEV_ALIAS_BYTES];
	struct fastpath *fastpath; /* NULL: it shall have no part */
	int tried;		   /* as which ifindex, last; -1: not yet */
	/* It had this part, which the snapshot may name still; or NULL. */
	struct fastpath_port *leaving;
	struct fp_counters past; /* of parts that it had */
	void (*changed)(struct port *port, void *arg); /* port_config's */
	void *changed_arg;
};

/* The device of that name was left for us by a killed daemon. */
bool tap_fastpath_is_left(const struct port_config *config);
/*
 * Such a device of ours is in the way, but we do not know what is at it (BPF is
 * not to be had now, for instance): true when it was, and is removed.
 */
bool tap_fastpath_remove_left(const struct port_config *config,
			      const struct netdev_info *info);

/* What is wanted of it from the next tap_fastpath_follow() on. */
void tap_fastpath_configure(struct tap_fastpath *tf,
			    const struct port_config *config);
/*
 * The tap is where it is: its ifindex, or 0 when it is gone or in another
 * network namespace; the port's MTU and state are up to date. fd is one of its
 * queues.
 */
void tap_fastpath_follow(struct tap_fastpath *tf, struct port *port, int fd,
			 int ifindex);
/* For port_class.settled. */
void tap_fastpath_settled(struct tap_fastpath *tf, struct port *port, int fd);
/* Adds what the kernel has forwarded by itself. */
void tap_fastpath_counters(const struct tap_fastpath *tf,
			   const struct port *port,
			   struct port_counters *total);
/* When no snapshot names the port any more, before the queues are closed. */
void tap_fastpath_close(struct tap_fastpath *tf, struct port *port, int fd);

#endif
