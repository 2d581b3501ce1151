/*
 * The kernel's fast path: BPF programs at the ports' devices forward known
 * unicast between them, by the very FDB that the workers use. Everything else
 * comes to userspace as it always does.
 *
 *	a device's receive path        a tap's transmit path (the host sends)
 *	  packet socket's filter         egress program:
 *	    decides, leaves a note         decides; forwards, or lets it pass
 *	    takes the frame or not         to the tap's reader, which we are
 *	  ingress program
 *	    note: forward -> redirect
 *	    note: userspace -> drop
 *	    no note (nobody listens) -> decides itself; forwards or drops
 *
 * Programs and maps hang at the devices and outlive a killed daemon; the next
 * one finds them by the owner in their maps and takes them over.
 *
 * All of it is the control thread's. Workers never call anything here.
 */
#ifndef FASTPATH_FASTPATH_H
#define FASTPATH_FASTPATH_H

#include "base/util.h"
#include "fastpath/layout.h"

struct fastpath;
struct fastpath_port;
struct fastpath_table;

/*
 * Loads programs and maps, and finds what a killed daemon of this run_dir and
 * network namespace has left. NULL with *whyp (to be freed) when this kernel,
 * or what we are permitted, does not do: a sentence for people. To be called
 * before capabilities are given up: taking over needs CAP_SYS_ADMIN, all else
 * CAP_BPF and CAP_NET_ADMIN.
 */
struct fastpath *fastpath_create(const char *run_dir, char **whyp);
/*
 * When all ports are closed. What was found and nobody has taken over is
 * removed. Accepts NULL.
 */
void fastpath_destroy(struct fastpath *fp);
/*
 * From now on closing ports leaves programs, maps and taps in place, as if the
 * process had been killed: another is about to take over.
 */
void fastpath_keep(struct fastpath *fp);
bool fastpath_is_kept(const struct fastpath *fp);
/* The first configuration is in force: what no port has taken over goes. */
void fastpath_drop_leftovers(struct fastpath *fp);

/* --- ports, for port/ ------------------------------------------------------
 */

enum fastpath_side {
	FASTPATH_DEVICE, /* frames come by the device's receive path */
	FASTPATH_HOST,	 /* a tap of ours: by its transmit path */
};

/*
 * Puts the program at the device; of one that is taken over, the old program
 * goes on until fastpath_port_settle(). Until a snapshot names the port, it
 * forwards nothing. NULL with *whyp when it cannot be.
 */
struct fastpath_port *fastpath_port_open(struct fastpath *fp, int ifindex,
					 const char *name,
					 enum fastpath_side side, char **whyp);
/*
 * Frames to any address go on coming in when no socket asks for them any more.
 * Taken back when the program is removed. Of a device that is not promiscuous
 * by the host's wish; 0 or -errno.
 */
int fastpath_port_stay_promiscuous(struct fastpath_port *port);
/* Removes the program, unless fastpath_keep(). The device may be gone. */
void fastpath_port_close(struct fastpath_port *port);
/*
 * An old program still forwards known stations: sockets must receive nothing
 * until fastpath_port_settle().
 */
bool fastpath_port_is_old(const struct fastpath_port *port);
/*
 * After the first publication that has the port: our own program takes over.
 * 0 or -errno: then the old one is still there, and the port is to be closed.
 */
int fastpath_port_settle(struct fastpath_port *port);
/* For SO_ATTACH_BPF of the device's packet sockets. */
int fastpath_filter_fd(const struct fastpath *fp);
/* What netlink says of the device. May be called at any time. */
void fastpath_port_follow(struct fastpath_port *port, uint32_t mtu, bool up);
/* All CPUs' sums, of the slot since it was opened. */
void fastpath_port_counters(const struct fastpath_port *port,
			    struct fp_counters *sum);
uint32_t fastpath_port_slot(const struct fastpath_port *port);
int fastpath_port_ifindex(const struct fastpath_port *port);
enum fastpath_side fastpath_port_side(const struct fastpath_port *port);
/* A tap of that name which a killed daemon has left for us to attach to. */
bool fastpath_left_tap(const struct fastpath *fp, const char *name);

/* --- tables, for forward/ and vswd/ ----------------------------------------
 */

/*
 * An FDB's memory in the kernel: n_buckets (a power of two) of 64 bytes, all
 * zeros, behind a header. NULL when there is none to have. Freed when no
 * publication names it any more.
 */
struct fastpath_table *fastpath_table_create(struct fastpath *fp,
					     uint64_t n_buckets);
void fastpath_table_destroy(struct fastpath_table *table);
struct fp_fdb_header *fastpath_table_header(struct fastpath_table *table);
void *fastpath_table_buckets(struct fastpath_table *table);

/* One bridge of a publication. Ports' array is by number, from 0. */
struct fastpath_bridge {
	unsigned index; /* below FP_BRIDGES; the same as long as it exists */
	struct fastpath_table *table; /* NULL: no port may be forwarded */
	const struct fp_port *ports;
	unsigned n_ports;
	/* By number, too; NULL: not open for the fast path. */
	struct fastpath_port *const *handles;
};

/*
 * Puts these bridges in force and all others out of it. When it returns,
 * no program works by what was before. A bridge that is as it was costs
 * nothing. 0 or -errno: then nothing is forwarded in the kernel.
 */
int fastpath_publish(struct fastpath *fp, const struct fastpath_bridge *bridges,
		     unsigned n);

/* --- what a killed daemon has left -----------------------------------------
 */

struct fastpath_heard {
	int ifindex; /* where the station was heard */
	uint64_t mac;
	uint16_t fid;
	bool is_static;
};
/*
 * Each entry of its FDBs at a device; none without leftovers. Of several
 * daemons (one was killed while it took over) the latest's come first.
 */
void fastpath_for_each_heard(const struct fastpath *fp,
			     void (*cb)(const struct fastpath_heard *,
					void *aux),
			     void *aux);

/*
 * For `vswd --clean-up`: removes what killed daemons of that run_dir have left
 * at devices of this network namespace, and taps. Returns how many devices, or
 * -errno with a message.
 */
int fastpath_clean_up(const char *run_dir, char **errp);

#endif
