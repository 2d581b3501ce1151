/* Questions and bindings of one port; see dhcp_snoop.h. */
#include "vswd/dhcp_snoop.h"

#include <stdlib.h>
#include <string.h>

struct asked {
	unsigned version; /* 0: unused */
	uint32_t xid;
	uint64_t at_ms;
	uint8_t client_len;
	uint8_t client[SNOOPED_CLIENT_MAX];
};

struct dhcp_snoop {
	unsigned n;
	struct dhcp_binding bindings[SNOOP_BINDINGS_MAX];
	struct asked asked[SNOOP_ASKED_MAX];
	struct dhcp_snoop_counters counters;
};

struct dhcp_snoop *dhcp_snoop_create(void)
{
	return xcalloc(1, sizeof(struct dhcp_snoop));
}

void dhcp_snoop_destroy(struct dhcp_snoop *snoop)
{
	free(snoop);
}

/* --- questions ------------------------------------------------------------
 */

static bool is_client(const struct snooped *s, const uint8_t *client,
		      unsigned len)
{
	return s->client_len == len && !memcmp(s->client, client, len);
}

static struct asked *find_asked(struct dhcp_snoop *snoop,
				const struct snooped *s)
{
	for (unsigned i = 0; i < SNOOP_ASKED_MAX; i++) {
		struct asked *a = &snoop->asked[i];

		if (a->version == s->version && a->xid == s->xid &&
		    is_client(s, a->client, a->client_len))
			return a;
	}
	return NULL;
}

static void note_asked(struct dhcp_snoop *snoop, const struct snooped *s,
		       uint64_t now_ms)
{
	struct asked *a = find_asked(snoop, s);

	for (unsigned i = 0; !a && i < SNOOP_ASKED_MAX; i++)
		if (!snoop->asked[i].version)
			a = &snoop->asked[i];
	if (!a) {
		a = snoop->asked;
		for (unsigned i = 1; i < SNOOP_ASKED_MAX; i++)
			if (snoop->asked[i].at_ms < a->at_ms)
				a = &snoop->asked[i];
	}
	a->version = s->version;
	a->xid = s->xid;
	a->at_ms = now_ms;
	a->client_len = s->client_len;
	memcpy(a->client, s->client, s->client_len);
	snoop->counters.asked++;
}

/* --- bindings -------------------------------------------------------------
 */

static void remove_at(struct dhcp_snoop *snoop, unsigned i)
{
	snoop->n--;
	memmove(&snoop->bindings[i], &snoop->bindings[i + 1],
		(snoop->n - i) * sizeof(snoop->bindings[0]));
}

static int find_binding(const struct dhcp_snoop *snoop,
			const struct net_addr *ip, unsigned prefix_len)
{
	for (unsigned i = 0; i < snoop->n; i++)
		if (!net_addr_compare(&snoop->bindings[i].ip, ip) &&
		    snoop->bindings[i].prefix_len == prefix_len)
			return (int)i;
	return -1;
}

static void make_room(struct dhcp_snoop *snoop)
{
	unsigned first = 0;

	if (snoop->n < SNOOP_BINDINGS_MAX)
		return;
	for (unsigned i = 1; i < snoop->n; i++)
		if (snoop->bindings[i].ends_ms < snoop->bindings[first].ends_ms)
			first = i;
	remove_at(snoop, first);
	snoop->counters.evicted++;
}

void dhcp_snoop_restore(struct dhcp_snoop *snoop,
			const struct dhcp_binding *binding)
{
	int i = find_binding(snoop, &binding->ip, binding->prefix_len);

	if (i >= 0)
		remove_at(snoop, (unsigned)i);
	make_room(snoop);
	snoop->bindings[snoop->n++] = *binding;
}

static bool grant(struct dhcp_snoop *snoop, const struct snooped *s,
		  const struct snooped_address *a, uint64_t now_ms)
{
	int i = find_binding(snoop, &a->ip, a->prefix_len);
	struct dhcp_binding b = {
		.ip = a->ip,
		.prefix_len = a->prefix_len,
		.ends_ms = a->lease_s == SNOOPED_FOREVER
				   ? SNOOP_NEVER
				   : now_ms + a->lease_s * 1000ull,
		.client_len = s->client_len,
	};

	if (!a->lease_s) {
		if (i >= 0)
			remove_at(snoop, (unsigned)i);
		return i >= 0;
	}
	memcpy(b.client, s->client, s->client_len);
	snoop->counters.granted++;
	if (i >= 0) {
		snoop->bindings[i] = b;
		return false;
	}
	make_room(snoop);
	snoop->bindings[snoop->n++] = b;
	return true;
}

/* The client's own of that version: those named, or with n 0 all. */
static bool take_away(struct dhcp_snoop *snoop, const struct snooped *s)
{
	unsigned before = snoop->n, i = 0;

	while (i < snoop->n) {
		const struct dhcp_binding *b = &snoop->bindings[i];
		bool named = s->what == SNOOPED_REFUSES;

		for (unsigned k = 0; k < s->n; k++)
			named |= !net_addr_compare(&b->ip, &s->addresses[k].ip);
		if (named && b->ip.version == s->version &&
		    is_client(s, b->client, b->client_len))
			remove_at(snoop, i);
		else
			i++;
	}
	return snoop->n != before;
}

static bool is_answer(struct dhcp_snoop *snoop, const struct snooped *s,
		      uint64_t now_ms)
{
	const struct asked *a = find_asked(snoop, s);

	if (a && now_ms - a->at_ms <= SNOOP_ASKED_MS)
		return true;
	snoop->counters.unasked++;
	return false;
}

bool dhcp_snoop_frame(struct dhcp_snoop *snoop, const void *frame, size_t len,
		      bool from_station, uint64_t now_ms)
{
	bool changed = false;
	struct snooped s;

	if (!dhcp_snooped_parse(&s, frame, len, from_station))
		return false;
	switch (s.what) {
	case SNOOPED_ASKS:
		note_asked(snoop, &s, now_ms);
		return false;
	case SNOOPED_GIVES_UP:
		return take_away(snoop, &s);
	case SNOOPED_REFUSES:
		return is_answer(snoop, &s, now_ms) && take_away(snoop, &s);
	case SNOOPED_GRANTS:
		if (!is_answer(snoop, &s, now_ms))
			return false;
		for (unsigned i = 0; i < s.n; i++)
			changed |= grant(snoop, &s, &s.addresses[i], now_ms);
		return changed;
	}
	return false;
}

bool dhcp_snoop_run(struct dhcp_snoop *snoop, uint64_t now_ms)
{
	unsigned before = snoop->n, i = 0;

	while (i < snoop->n) {
		if (snoop->bindings[i].ends_ms <= now_ms)
			remove_at(snoop, i);
		else
			i++;
	}
	snoop->counters.expired += before - snoop->n;
	return snoop->n != before;
}

uint64_t dhcp_snoop_next_ms(const struct dhcp_snoop *snoop)
{
	uint64_t next = SNOOP_NEVER;

	for (unsigned i = 0; i < snoop->n; i++)
		next = MIN(next, snoop->bindings[i].ends_ms);
	return next;
}

unsigned dhcp_snoop_bindings(const struct dhcp_snoop *snoop,
			     const struct dhcp_binding **bindings)
{
	*bindings = snoop->bindings;
	return snoop->n;
}

const struct dhcp_snoop_counters *dhcp_snoop_counters(
	const struct dhcp_snoop *snoop)
{
	return &snoop->counters;
}

struct allowed_ips *dhcp_snoop_allowed(const struct dhcp_snoop *snoop)
{
	struct allowed_ips *ips;

	if (!snoop->n)
		return NULL;
	ips = xcalloc(1, sizeof(*ips) + snoop->n * (sizeof(*ips->ip6) +
						    sizeof(*ips->ip4)));
	ips->ip6 = (struct allowed_ip6 *)(ips + 1);
	ips->ip4 = (struct allowed_ip4 *)(ips->ip6 + snoop->n);
	for (unsigned i = 0; i < snoop->n; i++) {
		const struct dhcp_binding *b = &snoop->bindings[i];

		if (b->ip.version == 4)
			ips->ip4[ips->n_ip4++] =
				allowed_prefix4(b->ip.bytes, b->prefix_len);
		else
			ips->ip6[ips->n_ip6++] =
				allowed_prefix6(b->ip.bytes, b->prefix_len);
	}
	return ips;
}
