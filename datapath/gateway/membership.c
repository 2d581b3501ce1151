/*
 * The groups, and when what is said of them; see membership.h.
 *
 * A change is told at once and MEMBERSHIP_ROBUSTNESS times in all, a query is
 * answered after a random part of the time that it allows (RFC 3376 5.2, RFC
 * 3810 6.2): one delay for all groups of a general query, so that one report
 * has them all. By older versions each group has a message and a delay of its
 * own, and what another member answers need not be answered (RFC 2236 3).
 */
#include "gateway/membership.h"

#include <errno.h>
#include <stdlib.h>

#include "gateway/membership_internal.h"

#define NEVER UINT64_MAX

struct group {
	struct ip_address ip;
	unsigned changes_left; /* reports that tell of joining, or leaving */
	bool leaving;
	uint64_t change_ms, answer_ms; /* NEVER: nothing is due */
};

struct membership {
	struct membership_config config;
	struct hash_key key;
	void (*send)(const void *frame, size_t len, void *arg);
	void *arg;
	struct group *groups;
	unsigned n, n_max;
	uint64_t n_random;
	/* Until when a querier of IGMPv1, IGMPv2, MLDv1 counts as there. */
	uint64_t igmp_until[2], mld_until;
	uint64_t next_ms;
	struct membership_counters counters;
};

/* --- life ------------------------------------------------------------------
 */

struct membership *membership_create(
	const struct membership_config *config, const struct hash_key *key,
	void (*send)(const void *frame, size_t len, void *arg), void *arg)
{
	struct membership *m = xcalloc(1, sizeof(*m));

	m->config = *config;
	m->key = *key;
	m->send = send;
	m->arg = arg;
	m->next_ms = NEVER;
	return m;
}

void membership_destroy(struct membership *m)
{
	if (!m)
		return;
	free(m->groups);
	free(m);
}

void membership_configure(struct membership *m,
			  const struct membership_config *config)
{
	m->config = *config;
}

/* --- groups ----------------------------------------------------------------
 */

static struct group *find(const struct membership *m,
			  const struct ip_address *ip)
{
	for (unsigned i = 0; i < m->n; i++)
		if (ip_address_equal(&m->groups[i].ip, ip))
			return &m->groups[i];
	return NULL;
}

bool membership_has(const struct membership *m, const struct ip_address *ip)
{
	const struct group *g = find(m, ip);

	return g && !g->leaving;
}

/* 224.0.0.1, ff02::1 and what does not leave the host: RFC 3376 6, 3810 6. */
static bool is_told_of(const struct ip_address *ip)
{
	static const struct ip_address all4 = { 4, { 224, 0, 0, 1 } };
	static const struct ip_address all6 = { 16, { 0xff, 2, [15] = 1 } };

	if (ip->len == 16 && (ip->bytes[1] & 15) < 2)
		return false;
	return ip_address_is_group(ip) && !ip_address_equal(ip, &all4) &&
	       !ip_address_equal(ip, &all6);
}

unsigned membership_version(const struct membership *m, bool v6,
			    uint64_t now_ms)
{
	if (v6)
		return now_ms < m->mld_until ? 1 : 2;
	return now_ms < m->igmp_until[0]   ? 1
	       : now_ms < m->igmp_until[1] ? 2
					   : 3;
}

static bool is_old(const struct membership *m, bool v6, uint64_t now_ms)
{
	return membership_version(m, v6, now_ms) < (v6 ? 2u : 3u);
}

/* A time in (0, max_ms] that nobody outside can tell. */
static uint64_t random_delay(struct membership *m, uint32_t max_ms)
{
	uint64_t n = m->n_random++;

	return max_ms ? 1 + keyed_hash(&m->key, &n, sizeof(n)) % max_ms : 0;
}

static void set_due(struct membership *m, uint64_t *at, uint64_t when)
{
	*at = when;
	m->next_ms = MIN(m->next_ms, when);
}

static struct group *add(struct membership *m, const struct ip_address *ip)
{
	struct group *g;

	if (m->n == m->n_max) {
		m->n_max = m->n_max ? m->n_max * 2 : 8;
		m->groups = xrealloc(m->groups, m->n_max * sizeof(*m->groups));
	}
	g = &m->groups[m->n++];
	*g = (struct group){ .ip = *ip,
			     .change_ms = NEVER,
			     .answer_ms = NEVER };
	return g;
}

static void begin_change(struct membership *m, struct group *g, bool leaving,
			 uint64_t now_ms)
{
	g->leaving = leaving;
	g->changes_left = MEMBERSHIP_ROBUSTNESS;
	g->answer_ms = NEVER;
	set_due(m, &g->change_ms, now_ms);
}

int membership_join(struct membership *m, const struct ip_address *ip,
		    uint64_t now_ms)
{
	struct group *g = find(m, ip);

	if (g && !g->leaving)
		return 0;
	if (!is_told_of(ip))
		return -EINVAL;
	if (!g && m->n >= MEMBERSHIP_GROUPS_MAX)
		return -ENOSPC;
	begin_change(m, g ? g : add(m, ip), false, now_ms);
	membership_run(m, now_ms);
	return 0;
}

void membership_leave(struct membership *m, const struct ip_address *ip,
		      uint64_t now_ms)
{
	struct group *g = find(m, ip);

	if (!g || g->leaving)
		return;
	begin_change(m, g, true, now_ms);
	membership_run(m, now_ms);
}

void membership_repeat(struct membership *m, uint64_t now_ms)
{
	for (unsigned i = 0; i < m->n; i++)
		if (!m->groups[i].leaving)
			begin_change(m, &m->groups[i], false, now_ms);
	membership_run(m, now_ms);
}

/* --- what is said ----------------------------------------------------------
 */

static void flush(struct membership *m, struct membership_report *r)
{
	size_t len = r->n ? membership_report_end(r) : 0;

	r->n = 0;
	if (!len)
		return;
	m->counters.reports++;
	m->send(r->room, len, m->arg);
}

static void say(struct membership *m, struct membership_report *r,
		enum record_type type, const struct group *g)
{
	if (r->n == MEMBERSHIP_RECORDS_MAX)
		flush(m, r);
	if (!r->n)
		membership_report_begin(r, &m->config, g->ip.len == 16);
	membership_report_add(r, type, &g->ip);
}

static void say_old(struct membership *m, const struct group *g,
		    unsigned version)
{
	struct membership_report r;
	size_t len;

	/* IGMPv1 has no word for it. */
	if (g->leaving && g->ip.len == 4 && version == 1)
		return;
	len = membership_old_message(&r, &m->config, version, g->leaving,
				     &g->ip);
	m->counters.reports += !g->leaving;
	m->counters.leaves += g->leaving;
	m->send(r.room, len, m->arg);
}

/* One report of a change was sent: when the next is, if any. */
static void changed(struct membership *m, struct group *g, bool old,
		    uint64_t now_ms)
{
	uint32_t interval =
		old ? MEMBERSHIP_OLD_REPORT_MS : MEMBERSHIP_UNSOLICITED_MS;

	g->changes_left--;
	if (g->leaving && old)
		g->changes_left = 0; /* RFC 2236 3: it is said once */
	g->change_ms = NEVER;
	if (g->changes_left)
		set_due(m, &g->change_ms, now_ms + random_delay(m, interval));
}

static void run_group(struct membership *m, struct membership_report *r,
		      struct group *g, uint64_t now_ms)
{
	bool v6 = g->ip.len == 16, old = is_old(m, v6, now_ms);
	bool change = now_ms >= g->change_ms, answer = now_ms >= g->answer_ms;
	enum record_type type = g->leaving ? RECORD_TO_INCLUDE
				: change   ? RECORD_TO_EXCLUDE
					   : RECORD_IS_EXCLUDE;

	if (answer)
		g->answer_ms = NEVER;
	if (!change && !answer)
		return;
	if (old) {
		say_old(m, g, membership_version(m, v6, now_ms));
	} else {
		m->counters.leaves += g->leaving;
		say(m, r, type, g);
	}
	if (change)
		changed(m, g, old, now_ms);
}

static void forget_left(struct membership *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->n; i++)
		if (!m->groups[i].leaving || m->groups[i].changes_left)
			m->groups[n++] = m->groups[i];
	m->n = n;
}

void membership_run(struct membership *m, uint64_t now_ms)
{
	struct membership_report reports[2];

	if (now_ms < m->next_ms)
		return;
	m->next_ms = NEVER;
	reports[0].n = reports[1].n = 0;
	for (unsigned i = 0; i < m->n; i++)
		run_group(m, &reports[m->groups[i].ip.len == 16], &m->groups[i],
			  now_ms);
	flush(m, &reports[0]);
	flush(m, &reports[1]);
	forget_left(m);
	for (unsigned i = 0; i < m->n; i++)
		m->next_ms = MIN(m->next_ms, MIN(m->groups[i].change_ms,
						 m->groups[i].answer_ms));
}

uint64_t membership_next_ms(const struct membership *m)
{
	return m->next_ms;
}

const struct membership_counters *membership_counters(
	const struct membership *m)
{
	return &m->counters;
}

/* --- the end ---------------------------------------------------------------
 */

static void say_left(struct membership *m, struct membership_report *r,
		     struct group *g, uint64_t now_ms)
{
	bool v6 = g->ip.len == 16;

	if (g->leaving)
		return; /* it was said */
	g->leaving = true;
	if (is_old(m, v6, now_ms))
		say_old(m, g, membership_version(m, v6, now_ms));
	else
		say(m, r, RECORD_TO_INCLUDE, g);
	g->leaving = false;
	g->changes_left = 0;
	g->change_ms = g->answer_ms = NEVER;
}

void membership_withdraw(struct membership *m, uint64_t now_ms)
{
	struct membership_report reports[2];

	reports[0].n = reports[1].n = 0;
	for (unsigned i = 0; i < m->n; i++)
		say_left(m, &reports[m->groups[i].ip.len == 16], &m->groups[i],
			 now_ms);
	flush(m, &reports[0]);
	flush(m, &reports[1]);
}

void membership_end(struct membership *m, uint64_t now_ms)
{
	membership_withdraw(m, now_ms);
	m->n = 0;
	m->next_ms = NEVER;
}

/* --- what is heard ---------------------------------------------------------
 */

static void note_version(struct membership *m,
			 const struct membership_message *message,
			 uint64_t now_ms)
{
	uint64_t until = now_ms + MEMBERSHIP_OLD_QUERIER_MS;

	if (message->v6 && message->version == 1)
		m->mld_until = until;
	else if (!message->v6 && message->version < 3)
		m->igmp_until[message->version - 1] = until;
}

/*
 * Which sources a query is about does not matter: all are wanted, and an
 * answer that says so covers those.
 */
static void receive_query(struct membership *m,
			  const struct membership_message *message,
			  uint64_t now_ms)
{
	static const uint8_t zeros[16];
	unsigned len = message->v6 ? 16 : 4;
	bool general = !memcmp(message->group.bytes, zeros, len);
	uint64_t due, common = now_ms + random_delay(m, message->delay_ms);

	m->counters.queries++;
	note_version(m, message, now_ms);
	for (unsigned i = 0; i < m->n; i++) {
		struct group *g = &m->groups[i];

		if (g->ip.len != len || g->leaving ||
		    (!general && !ip_address_equal(&g->ip, &message->group)))
			continue;
		due = is_old(m, message->v6, now_ms)
			      ? now_ms + random_delay(m, message->delay_ms)
			      : common;
		/* An answer that is due sooner is one to this, too. */
		if (due < g->answer_ms)
			set_due(m, &g->answer_ms, due);
	}
}

static void receive_report(struct membership *m,
			   const struct membership_message *message,
			   uint64_t now_ms)
{
	struct group *g = find(m, &message->group);

	if (!g || g->leaving || !is_old(m, message->v6, now_ms))
		return;
	g->answer_ms = NEVER;
	g->change_ms = NEVER;
	g->changes_left = 0;
}

bool membership_receive(struct membership *m, const void *frame, size_t len,
			uint64_t now_ms)
{
	struct membership_message message;

	switch (membership_read(frame, len, &message)) {
	case MEMBERSHIP_NOTHING:
		return false;
	case MEMBERSHIP_BAD:
		m->counters.bad++;
		break;
	case MEMBERSHIP_OTHER:
		break;
	case MEMBERSHIP_QUERY:
		receive_query(m, &message, now_ms);
		break;
	case MEMBERSHIP_REPORT:
		receive_report(m, &message, now_ms);
		break;
	}
	return true;
}
