/* The states of a DHCPv4 client; see dhcp_client.h. */
#include "gateway/dhcp_client.h"

#include <stdlib.h>

#include "gateway/dhcp_client_message.h"

#define NEVER		UINT64_MAX
#define BROADCAST	0xffffffff
#define FIRST_WAIT_MS	4000 /* RFC 2131 4.1 */
#define WAIT_DOUBLINGS	4    /* up to 64 s */
#define JITTER_MS	1000
#define REQUESTS	4     /* until an offer is given up */
#define REBOOTS		2     /* until what it had is */
#define RENEW_EACH_MS	60000 /* at least (RFC 2131 4.4.5) */
#define FAILED_WAIT_MS	10000 /* after a decline, 3.1 (5); doubled by others */
#define FAILED_DOUBLING 6
#define TURNS		8 /* states in one run(), at most */

struct dhcp_client {
	uint64_t mac;
	struct dhcp_client_ops ops;
	void *ops_arg;
	uint64_t random;

	enum dhcp_client_state state;
	uint64_t due_ms;
	uint32_t xid;
	uint64_t begun_ms, sent_ms;
	unsigned tries;
	unsigned failures; /* refused or declined since it was bound last */
	uint32_t hint;	   /* an address to ask for; 0: any */
	bool reboot;	   /* ask for that first */
	unsigned n_probes;
	bool has_lease;			  /* `lease` may be used */
	struct dhcp_client_lease lease;	  /* that it has, or had */
	struct dhcp_client_lease pending; /* offered, or being probed */
	struct dhcp_client_counters counters;
};

/* Spreads waits and transactions; nobody's secret (xorshift64*). */
static uint32_t random32(struct dhcp_client *c)
{
	c->random ^= c->random >> 12;
	c->random ^= c->random << 25;
	c->random ^= c->random >> 27;
	return c->random * 0x2545f4914f6cdd1d >> 32;
}

static uint64_t jittered(struct dhcp_client *c, uint64_t ms)
{
	return ms - JITTER_MS + random32(c) % (2 * JITTER_MS + 1);
}

static void send(struct dhcp_client *c, struct dhcp_client_query *q,
		 uint32_t from, uint32_t to, uint64_t now)
{
	uint8_t message[DHCP_CLIENT_MESSAGE_LEN];

	q->xid = c->xid;
	q->mac = c->mac;
	q->secs = MIN((now - c->begun_ms) / 1000, (uint64_t)UINT16_MAX);
	q->broadcast = !q->ciaddr;
	dhcp_client_write(q, message);
	c->sent_ms = now;
	c->ops.send(from, to, message, sizeof(message), c->ops_arg);
}

static void send_discover(struct dhcp_client *c, uint64_t now)
{
	struct dhcp_client_query q = { .type = DHCP_DISCOVER,
				       .requested_ip = c->hint };

	c->counters.discovers++;
	send(c, &q, 0, BROADCAST, now);
}

/* RFC 2131 4.3.6: what a request says depends on the state. */
static void send_request(struct dhcp_client *c, uint64_t now)
{
	struct dhcp_client_query q = { .type = DHCP_REQUEST };
	uint32_t from = 0, to = BROADCAST;

	c->counters.requests++;
	if (c->state == DHCP_CLIENT_REQUESTING) {
		q.requested_ip = c->pending.ip;
		q.server_id = c->pending.server;
	} else if (c->state == DHCP_CLIENT_REBOOTING) {
		q.requested_ip = c->hint;
	} else {
		from = q.ciaddr = c->lease.ip;
		if (c->state == DHCP_CLIENT_RENEWING)
			to = c->lease.server;
	}
	send(c, &q, from, to, now);
}

/* Another message of the same kind is due when this one is not answered. */
static void wait_for_answer(struct dhcp_client *c, uint64_t now)
{
	unsigned doublings = MIN(c->tries, (unsigned)WAIT_DOUBLINGS);

	c->tries++;
	c->due_ms = now + jittered(c, (uint64_t)FIRST_WAIT_MS << doublings);
}

static void enter(struct dhcp_client *c, enum dhcp_client_state state)
{
	c->state = state;
	c->tries = 0;
}

static void begin(struct dhcp_client *c, uint64_t now)
{
	c->xid = random32(c);
	c->begun_ms = now;
	if (c->reboot) {
		c->reboot = false;
		enter(c, DHCP_CLIENT_REBOOTING);
		send_request(c, now);
	} else {
		enter(c, DHCP_CLIENT_SELECTING);
		send_discover(c, now);
	}
	wait_for_answer(c, now);
	if (c->has_lease)
		c->due_ms = MIN(c->due_ms, c->lease.over_ms);
}

static void lose(struct dhcp_client *c)
{
	if (!c->has_lease)
		return;
	c->has_lease = false;
	c->ops.changed(NULL, c->ops_arg);
}

/* What it was told is not to be had: again from the start, later each time. */
static void fail(struct dhcp_client *c, unsigned least, uint64_t now)
{
	unsigned n = MAX(c->failures, least);

	c->hint = 0;
	c->reboot = false;
	c->failures++;
	enter(c, DHCP_CLIENT_INIT);
	c->due_ms = now;
	if (n)
		c->due_ms += jittered(c, (uint64_t)FAILED_WAIT_MS << MIN(
						 n - 1, FAILED_DOUBLING));
	lose(c);
}

static void expire(struct dhcp_client *c, uint64_t now)
{
	c->counters.expired++;
	c->hint = c->lease.ip;
	c->reboot = false;
	enter(c, DHCP_CLIENT_INIT);
	c->due_ms = now;
	lose(c);
}

static bool routes_equal(const struct dhcp_client_lease *a,
			 const struct dhcp_client_lease *b)
{
	if (a->n_routes != b->n_routes)
		return false;
	for (unsigned i = 0; i < a->n_routes; i++)
		if (a->routes[i].network != b->routes[i].network ||
		    a->routes[i].prefix_len != b->routes[i].prefix_len ||
		    a->routes[i].gateway != b->routes[i].gateway)
			return false;
	return true;
}

/* All that the user of an address has to know. */
static bool same_use(const struct dhcp_client_lease *a,
		     const struct dhcp_client_lease *b)
{
	return a->ip == b->ip && a->prefix_len == b->prefix_len &&
	       a->gateway == b->gateway && a->mtu == b->mtu &&
	       a->n_routers == b->n_routers &&
	       !memcmp(a->routers, b->routers, sizeof(a->routers)) &&
	       routes_equal(a, b);
}

static void bind_lease(struct dhcp_client *c)
{
	bool is_new = !c->has_lease || !same_use(&c->lease, &c->pending);

	c->lease = c->pending;
	c->has_lease = true;
	c->hint = c->lease.ip;
	c->failures = 0;
	enter(c, DHCP_CLIENT_BOUND);
	c->due_ms = c->lease.t1_ms;
	if (is_new)
		c->ops.changed(&c->lease, c->ops_arg);
}

static uint64_t end_of(uint64_t from, uint32_t seconds)
{
	return seconds == UINT32_MAX ? NEVER : from + seconds * 1000ull;
}

static void begin_probing(struct dhcp_client *c, uint64_t now)
{
	enter(c, DHCP_CLIENT_PROBING);
	c->n_probes = 0;
	c->due_ms = now;
}

static void take_ack(struct dhcp_client *c, const struct dhcp_answer *a,
		     uint64_t now)
{
	c->counters.acks++;
	c->pending = a->lease;
	/* RFC 2131 4.4.1: counted from when it was asked for */
	c->pending.t1_ms = end_of(c->sent_ms, a->lease.t1_s);
	c->pending.t2_ms = end_of(c->sent_ms, a->lease.t2_s);
	c->pending.over_ms = end_of(c->sent_ms, a->lease.lease_s);
	if (c->has_lease && c->lease.ip == c->pending.ip)
		bind_lease(c);
	else
		begin_probing(c, now);
	dhcp_client_run(c, now);
}

static void take_offer(struct dhcp_client *c, const struct dhcp_answer *a,
		       uint64_t now)
{
	c->counters.offers++;
	c->pending = a->lease;
	enter(c, DHCP_CLIENT_REQUESTING);
	send_request(c, now);
	wait_for_answer(c, now);
}

/* The address that the answer must be about, and the server that may give it
   (0: any). False: no answer is waited for. */
static bool expected(const struct dhcp_client *c, uint32_t *ip,
		     uint32_t *server)
{
	*ip = c->lease.ip;
	*server = 0;
	switch (c->state) {
	case DHCP_CLIENT_REQUESTING:
		*ip = c->pending.ip;
		*server = c->pending.server;
		return true;
	case DHCP_CLIENT_RENEWING:
		*server = c->lease.server;
		return true;
	case DHCP_CLIENT_REBINDING:
		return true;
	case DHCP_CLIENT_REBOOTING:
		*ip = c->hint;
		return true;
	default:
		return false;
	}
}

static void take_verdict(struct dhcp_client *c, const struct dhcp_answer *a,
			 uint64_t now)
{
	uint32_t ip, server;

	if (!expected(c, &ip, &server) || a->type == DHCP_OFFER ||
	    (server && a->server_id != server)) {
		c->counters.foreign++;
	} else if (a->type == DHCP_NAK) {
		c->counters.naks++;
		fail(c, 0, now);
		dhcp_client_run(c, now);
	} else if (a->lease.ip != ip) {
		c->counters.refused++;
	} else {
		take_ack(c, a, now);
	}
}

void dhcp_client_receive(struct dhcp_client *c, const void *message, size_t len,
			 uint64_t now)
{
	struct dhcp_answer a;

	if (!dhcp_answer_parse(&a, message, len))
		c->counters.bad++;
	else if (a.xid != c->xid || a.mac != c->mac || !a.server_id)
		c->counters.foreign++;
	else if (c->state != DHCP_CLIENT_SELECTING)
		take_verdict(c, &a, now);
	else if (a.type != DHCP_OFFER)
		c->counters.foreign++;
	else if (!a.lease.ip)
		c->counters.refused++;
	else
		take_offer(c, &a, now);
}

bool dhcp_client_conflict(struct dhcp_client *c, uint32_t ip, uint64_t now)
{
	struct dhcp_client_query q = { .type = DHCP_DECLINE };

	if (c->state != DHCP_CLIENT_PROBING || ip != c->pending.ip)
		return false;
	c->counters.declines++;
	c->xid = random32(c);
	q.requested_ip = c->pending.ip;
	q.server_id = c->pending.server;
	send(c, &q, 0, BROADCAST, now);
	fail(c, 1, now);
	return true;
}

void dhcp_client_restart(struct dhcp_client *c, uint64_t now)
{
	if (c->state == DHCP_CLIENT_STOPPED)
		return;
	if (c->state == DHCP_CLIENT_PROBING) {
		begin_probing(c, now);
	} else {
		c->reboot = c->hint;
		enter(c, DHCP_CLIENT_INIT);
		c->due_ms = now;
	}
	dhcp_client_run(c, now);
}

void dhcp_client_release(struct dhcp_client *c)
{
	struct dhcp_client_query q = { .type = DHCP_RELEASE };

	if (c->has_lease) {
		c->counters.releases++;
		c->xid = random32(c);
		q.ciaddr = c->lease.ip;
		q.server_id = c->lease.server;
		send(c, &q, c->lease.ip, c->lease.server, c->begun_ms);
	}
	c->has_lease = false;
	c->due_ms = NEVER;
	enter(c, DHCP_CLIENT_STOPPED);
}

static void run_rebooting(struct dhcp_client *c, uint64_t now)
{
	if (c->has_lease && now >= c->lease.over_ms) {
		expire(c, now);
	} else if (c->tries < REBOOTS) {
		send_request(c, now);
		wait_for_answer(c, now);
		if (c->has_lease)
			c->due_ms = MIN(c->due_ms, c->lease.over_ms);
	} else if (c->has_lease) { /* RFC 2131 3.2: it may be used on */
		enter(c, DHCP_CLIENT_BOUND);
		c->due_ms = c->lease.t1_ms;
	} else {
		enter(c, DHCP_CLIENT_INIT);
		c->due_ms = now;
	}
}

static void run_probing(struct dhcp_client *c, uint64_t now)
{
	if (c->n_probes == DHCP_CLIENT_PROBES) {
		lose(c); /* it had another one until now */
		bind_lease(c);
		return;
	}
	c->n_probes++;
	c->due_ms = now + DHCP_CLIENT_PROBE_MS;
	c->ops.probe(c->pending.ip, c->ops_arg);
}

/* RFC 2131 4.4.5: half of the time that is left, and not each moment. */
static void extend(struct dhcp_client *c, uint64_t until, uint64_t now)
{
	uint64_t half = (until - now) / 2;

	send_request(c, now);
	c->due_ms = MIN(until, now + MAX(half, (uint64_t)RENEW_EACH_MS));
}

static void run_extending(struct dhcp_client *c, uint64_t now)
{
	if (c->state == DHCP_CLIENT_BOUND) {
		enter(c, DHCP_CLIENT_RENEWING);
		c->xid = random32(c);
		c->begun_ms = now;
	}
	if (c->state == DHCP_CLIENT_RENEWING && now >= c->lease.t2_ms)
		enter(c, DHCP_CLIENT_REBINDING);
	if (now >= c->lease.over_ms)
		expire(c, now);
	else
		extend(c,
		       c->state == DHCP_CLIENT_RENEWING ? c->lease.t2_ms
							: c->lease.over_ms,
		       now);
}

static void turn(struct dhcp_client *c, uint64_t now)
{
	switch (c->state) {
	case DHCP_CLIENT_INIT:
		begin(c, now);
		break;
	case DHCP_CLIENT_SELECTING:
		send_discover(c, now);
		wait_for_answer(c, now);
		break;
	case DHCP_CLIENT_REQUESTING:
		if (c->tries < REQUESTS) {
			send_request(c, now);
			wait_for_answer(c, now);
		} else {
			enter(c, DHCP_CLIENT_INIT);
		}
		break;
	case DHCP_CLIENT_REBOOTING:
		run_rebooting(c, now);
		break;
	case DHCP_CLIENT_PROBING:
		run_probing(c, now);
		break;
	case DHCP_CLIENT_BOUND:
	case DHCP_CLIENT_RENEWING:
	case DHCP_CLIENT_REBINDING:
		run_extending(c, now);
		break;
	case DHCP_CLIENT_STOPPED:
		break;
	}
}

void dhcp_client_run(struct dhcp_client *c, uint64_t now)
{
	for (unsigned i = 0; i < TURNS && now >= c->due_ms; i++)
		turn(c, now);
}

uint64_t dhcp_client_next_ms(const struct dhcp_client *c)
{
	return c->due_ms;
}

struct dhcp_client *dhcp_client_create(const struct dhcp_client_config *config,
				       const struct dhcp_client_ops *ops,
				       void *ops_arg, uint64_t now)
{
	struct dhcp_client *c = xcalloc(1, sizeof(*c));

	c->mac = config->mac;
	c->ops = *ops;
	c->ops_arg = ops_arg;
	c->random = config->seed | 1;
	c->hint = config->remembered;
	c->reboot = c->hint;
	c->due_ms = now;
	dhcp_client_run(c, now);
	return c;
}

void dhcp_client_destroy(struct dhcp_client *c)
{
	free(c);
}

enum dhcp_client_state dhcp_client_state(const struct dhcp_client *c)
{
	return c->state;
}

const char *dhcp_client_state_name(enum dhcp_client_state state)
{
	static const char *const names[] = {
		[DHCP_CLIENT_INIT] = "init",
		[DHCP_CLIENT_SELECTING] = "selecting",
		[DHCP_CLIENT_REQUESTING] = "requesting",
		[DHCP_CLIENT_REBOOTING] = "rebooting",
		[DHCP_CLIENT_PROBING] = "probing",
		[DHCP_CLIENT_BOUND] = "bound",
		[DHCP_CLIENT_RENEWING] = "renewing",
		[DHCP_CLIENT_REBINDING] = "rebinding",
		[DHCP_CLIENT_STOPPED] = "stopped",
	};

	return names[state];
}

const struct dhcp_client_lease *dhcp_client_lease(const struct dhcp_client *c)
{
	return c->has_lease ? &c->lease : NULL;
}

const struct dhcp_client_counters *dhcp_client_counters(
	const struct dhcp_client *c)
{
	return &c->counters;
}
