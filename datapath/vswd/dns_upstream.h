/*
 * The sockets by which the name service of a segment asks the host's
 * resolvers: one for each question and try, by UDP or TCP, from a port that
 * the kernel draws, connected, so that only the server that was asked is heard.
 * Control thread.
 */
#ifndef VSWD_DNS_UPSTREAM_H
#define VSWD_DNS_UPSTREAM_H

#include <event2/event.h>

#include "gateway/dns.h"

#define DNS_UPSTREAM_MAX 4096 /* sockets of all segments together */

struct dns_upstream;

/* used(arg): the engine was called, and may have something to do later. */
struct dns_upstream *dns_upstream_create(struct event_base *base,
					 void (*used)(void *arg), void *arg);
/* When no question is under way any more. Accepts NULL. */
void dns_upstream_destroy(struct dns_upstream *upstream);
/* Who gets the answers; before anything is asked. */
void dns_upstream_set_engine(struct dns_upstream *upstream, struct dns *dns);

/* As dns_ops.ask and dns_ops.close. */
int dns_upstream_ask(struct dns_upstream *upstream, uint32_t query,
		     const struct resolver *server, bool tcp,
		     const void *message, size_t len);
void dns_upstream_close(struct dns_upstream *upstream, uint32_t query);

#endif
