/*
 * How many sockets libslirp has open, in total and for each machine: it has no
 * limits of its own, and says only which descriptors come and go. One thread.
 */
#ifndef PORT_HOSTNET_SESSIONS_H
#define PORT_HOSTNET_SESSIONS_H

#include "port/hostnet_frame.h"

struct hostnet_sessions;

struct hostnet_sessions *hostnet_sessions_create(unsigned max,
						 unsigned max_of_client);
void hostnet_sessions_destroy(struct hostnet_sessions *sessions);
void hostnet_sessions_limit(struct hostnet_sessions *sessions, unsigned max,
			    unsigned max_of_client);

/*
 * Whether the packet may go on: it begins nothing, or there is room for what it
 * may begin. Else *reason.
 */
bool hostnet_sessions_may(struct hostnet_sessions *sessions,
			  const struct hostnet_packet *packet,
			  enum drop_reason *reason) MUST_CHECK;
/* No more may begin, of anybody. */
bool hostnet_sessions_full(const struct hostnet_sessions *sessions);

/* A descriptor was opened because of packet; NULL: from the other side. */
void hostnet_sessions_add(struct hostnet_sessions *sessions, int fd,
			  const struct hostnet_packet *packet);
/* It is closed; one that was not added is none of ours. */
void hostnet_sessions_remove(struct hostnet_sessions *sessions, int fd);
bool hostnet_sessions_has(const struct hostnet_sessions *sessions, int fd);

/* By enum hostnet_kind; any thread. */
unsigned hostnet_sessions_count(const struct hostnet_sessions *sessions,
				enum hostnet_kind kind);

#endif
