/*
 * A daemon's part in the kernel's fast path without the daemon: two device
 * ports, va (other end: vb) and vc (vd), of one bridge, and an FDB that knows a
 * station at each. It can live in a child that is killed.
 */
#ifndef TESTS_UNIT_TAKEOVER_FIXTURE_H
#define TESTS_UNIT_TAKEOVER_FIXTURE_H

#include <sys/types.h>

#include "fastpath/fastpath.h"
#include "forward/fdb.h"
#include "host.h"
#include "scratch.h"

/* host_make_udp()'s source and destination. */
#define STATION_A 0x02000000000a /* at vb, port 1 */
#define STATION_B 0x02000000000b /* at vd, port 2 */

struct fast_daemon {
	struct fastpath *fp;
	struct fdb *fdb;
	struct port *ports[2]; /* numbers 1 and 2 of bridge 3 */
};

extern char takeover_dir[SCRATCH_SIZE];
extern bool takeover_only_filters; /* daemons do without tcx */

/* 0 or -1, with a message on the standard error; no asserts. */
int fast_daemon_start(struct fast_daemon *d, const char *run_dir);
/* Learns what is known of the stations, and publishes. */
int fast_daemon_publish(struct fast_daemon *d);
/* As vswd does it at once: what the publication settles. */
void fast_daemon_settle(struct fast_daemon *d);
void fast_daemon_stop(struct fast_daemon *d);

/* A child that has done all this, and calls more() if given; kill it. */
pid_t fast_daemon_child(const char *run_dir,
			void (*more)(struct fast_daemon *));
void fast_daemon_kill(pid_t child);

/* Sends a numbered frame to the other station, or to one nobody knows. */
void takeover_send(int wire, uint32_t number);
void takeover_send_unknown(int wire, uint32_t number);
/* The next frame at a wire has that number. */
void takeover_expect(int wire, uint32_t number);
/* A number that what the port receives next has. */
uint32_t takeover_received(struct port *port);
/* How many programs are at the device's ingress. */
unsigned takeover_programs(const char *device);

#endif
