/*
 * What happened at the switch, for people and programs that want to know when
 * and where: links, bonds, guests, stations that move, full tables, storms,
 * violations of policies. Control thread.
 *
 * Each kind has a bounded ring and a bounded pace of its own: a guest that
 * provokes thousands of one kind hides none of another. What comes too fast is
 * counted, and the next of its kind says how many are missing.
 */
#ifndef VSWD_EVENTS_H
#define VSWD_EVENTS_H

#include <jansson.h>

#include "base/util.h"

/* The names are what `vsw-ctl events` shows; vsw-ctl(8) explains them. */
#define EVENT_KINDS(X)                                                         \
	X(PORT, "port")	  /* a port is there, is gone, or has an error */      \
	X(LINK, "link")	  /* a carrier came or went */                         \
	X(GUEST, "guest") /* a vhost-user front end came or went */            \
	X(BOND, "bond")	  /* a member can be used or not; the active one */    \
	X(MAC_MOVE, "mac-move") /* a station is behind another port */         \
	X(MAC_FLAP, "mac-flap") /* and again and again */                      \
	X(TABLE_FULL, "table-full")                                            \
	X(STORM, "storm") /* a limit of a port's floods was exceeded */        \
	X(VIOLATION, "violation") /* a port's policy forbade a frame */

enum event_kind {
#define X(id, name) EVENT_##id,
	EVENT_KINDS(X)
#undef X
		N_EVENT_KINDS
};

#define EVENTS_KEPT  512 /* of a kind */
#define EVENTS_RATE  50	 /* of a kind in a second, but ... */
#define EVENTS_BURST 200 /* ... so many at once */

struct event_base;
struct events;

struct events *events_create(struct event_base *base);
void events_destroy(struct events *events); /* accepts NULL */

/*
 * bridge, port: names, or NULL. fields: an object with what a program wants to
 * know beyond that, taken over; or NULL. The text is one line without an end.
 */
void events_note(struct events *events, enum event_kind kind,
		 const char *bridge, const char *port, json_t *fields,
		 const char *fmt, ...) PRINTF_LIKE(6, 7);

/* What a reader wants. */
struct events_filter {
	uint64_t after;	  /* those whose id is larger */
	uint32_t kinds;	  /* bits 1 << enum event_kind */
	const char *port; /* of this port or bridge only; NULL: of all */
};

/* The kind of that name, or -1. */
int event_kind_find(const char *name);

/* Those that are kept, in the order in which they came: an array, the caller's.
 */
json_t *events_read(const struct events *events,
		    const struct events_filter *filter);
/* "2026-01-01 12:00:00.000 KIND BRIDGE PORT: TEXT\n"; the caller's. */
char *event_to_text(const json_t *event);

#define EVENTS_FOLLOWERS_MAX 16
/*
 * Sends those that are kept, and from now on each that comes, a line each, to a
 * socket, which is the follower's from now on, until its peer closes it. One
 * that does not read loses events and is told how many. False: there are
 * EVENTS_FOLLOWERS_MAX already; the socket is closed.
 */
bool events_follow(struct events *events, int fd,
		   const struct events_filter *filter, bool json);
bool events_may_follow(const struct events *events);

#endif
