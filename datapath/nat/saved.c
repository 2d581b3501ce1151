/*
 * The state file: a head, a record a session, and a tail with their number and
 * checksum. Numbers are little-endian, addresses and ports as in a packet. It
 * was written by a former run of this program, and may have been damaged, or
 * made up, since: every record is checked as if a stranger had sent it, and
 * takes its mapping's port only if that is free.
 */
#include <errno.h>

#include "nat/way.h"
#include "packet/crc32c.h"
#include "packet/reader.h"

#define MAGIC  "vswnat\r\n"
#define FORMAT 1

struct head {
	char magic[8];
	uint32_t format, record_size;
};

struct record {
	uint8_t version, protocol;
	uint16_t flags; /* NAT_S_FLAGS >> 32 */
	uint16_t iport, oport, rport, spare;
	uint32_t idle_s;
	uint8_t inside[16], outside[16], remote[16];
};

struct tail {
	uint32_t n, crc;
};

_Static_assert(sizeof(struct record) == 64 && sizeof(struct head) == 16 &&
		       sizeof(struct tail) == 8,
	       "no padding");

static void record_of(const struct nat *nat, const struct nat_session *s,
		      uint64_t state, uint32_t now_s, struct record *r)
{
	const struct nat_mapping *m = nat_mapping_at(nat, s->mapping);
	const struct nat_client *c = nat_client_at(nat, m->client);
	size_t len = c->version == 4 ? 4 : 16;
	uint32_t remote = s->addrs >> 32;
	int32_t idle = now_s - (uint32_t)state;

	memset(r, 0, sizeof(*r));
	r->version = c->version;
	r->protocol = NAT_CODE_PROTOCOL(s->ports >> 48);
	r->flags = state >> 32;
	r->iport = s->ports;
	r->rport = s->ports >> 16;
	r->oport = s->ports >> 32;
	r->idle_s = MAX(idle, 0);
	memcpy(r->inside, c->ip, len);
	memcpy(r->outside, nat_outside_at(nat, s->ports >> 51)->addr.ip, len);
	memcpy(r->remote, len == 4 ? (uint8_t *)&remote : s->remote6, len);
}

int nat_save(struct nat *nat, uint64_t now_ms, nat_write_cb *write, void *aux)
{
	struct head head = { .format = FORMAT,
			     .record_size = sizeof(struct record) };
	struct tail tail = { 0, ~0u };
	uint32_t high = atomic_load(&nat->sessions.high);
	int r;

	memcpy(head.magic, MAGIC, 8);
	r = write(&head, sizeof(head), aux);
	for (uint32_t i = 0; i < high && !r; i++) {
		struct nat_session *s = nat_session_at(nat, i);
		uint64_t state =
			atomic_load_explicit(&s->state, memory_order_acquire);
		struct record record;

		if (!(state & NAT_S_LIVE) || state & NAT_S_IN_ONLY)
			continue;
		record_of(nat, s, state, now_ms / 1000 + 1, &record);
		tail.crc = crc32c_add(tail.crc, &record, sizeof(record));
		tail.n++;
		r = write(&record, sizeof(record), aux);
	}
	tail.crc = ~tail.crc;
	return r ? r : write(&tail, sizeof(tail), aux);
}

/* The mapping of a record: one that is there, or a new one; with the lock. */
static struct nat_mapping *mapping_for(struct nat *nat, struct nat_thread *t,
				       struct nat_client *c, uint32_t chain,
				       const struct record *r, unsigned code,
				       int oidx)
{
	uint32_t id = nat->mapping_chains[chain];
	struct nat_mapping *m;
	bool other = false;

	for (; id; id = m->next) {
		m = nat_mapping_at(nat, id - 1);
		if (m->client != nat_client_id(nat, c) ||
		    m->iport != r->iport || (m->kind & 7) != code)
			continue;
		if (m->oport == r->oport && m->kind == NAT_KIND(code, oidx))
			return m;
		other = true;
	}
	/* a mapping is one for all destinations */
	if (other)
		return NULL;
	return nat_mapping_open_at(nat, t, c, chain, r->iport, code, oidx,
				   r->oport, 0);
}

static bool open_record(struct nat *nat, struct nat_thread *t,
			struct nat_client *c, const struct record *r,
			unsigned code, int oidx, uint64_t state)
{
	struct nat_ends ends = { r->inside, r->outside, r->remote };
	uint32_t chain =
		nat_mapping_chain(nat, nat_client_id(nat, c), r->iport, code);
	uint64_t remote = nat_word(nat, r->version, r->remote);
	uint64_t inside = nat_word(nat, r->version, r->inside);
	struct nat_key in = { inside | remote << 32,
			      r->iport | (uint64_t)r->rport << 16 |
				      (uint64_t)code << 48 };
	struct nat_key out = { remote, (uint64_t)r->rport << 16 |
					       (uint64_t)r->oport << 32 |
					       (uint64_t)NAT_KIND(code, oidx)
						       << 48 };
	struct nat_session *s = NULL;
	struct nat_mapping *m;

	nat_lock_wait(nat_chain_lock(nat, chain));
	if (!nat_find_in(nat, in, &ends) && !nat_find_out(nat, out, &ends)) {
		m = mapping_for(nat, t, c, chain, r, code, oidx);
		if (m)
			s = nat_session_open(nat, t, m, &ends, r->rport, state);
		if (m && !s && !m->refs)
			nat_mapping_cancel(nat, t, m);
	}
	if (s)
		atomic_fetch_add(&c->sessions, 1);
	nat_unlock(nat_chain_lock(nat, chain));
	return s;
}

static bool take_up(struct nat *nat, struct nat_thread *t,
		    const struct record *r, uint64_t away_s)
{
	unsigned code = r->protocol | (r->version == 6 ? NAT_CODE_V6 : 0);
	uint64_t idle = r->idle_s + away_s, state;
	enum drop_reason reason;
	struct nat_client *c;
	int oidx;
	bool taken;

	if ((r->version != 4 && r->version != 6) ||
	    r->protocol >= NAT_N_PROTOCOLS ||
	    !nat_is_unicast(r->version, r->inside) ||
	    !nat_is_unicast(r->version, r->remote))
		return false;
	state = nat_state_restore(code, (uint64_t)r->flags << 32,
				  t->now_s - (uint32_t)idle);
	if (idle > nat_timeout(&t->view->options, code, state))
		return false;
	oidx = nat_find_outside(nat, t->view, r->version, r->outside,
				nat_word(nat, r->version, r->outside));
	if (oidx < 0 ||
	    nat_find_outside(nat, t->view, r->version, r->inside,
			     nat_word(nat, r->version, r->inside)) >= 0)
		return false;
	if (nat_find_outside(nat, t->view, r->version, r->remote,
			     nat_word(nat, r->version, r->remote)) >= 0)
		state |= NAT_S_HAIRPIN;
	c = nat_client_get(nat, t, r->version, r->inside,
			   nat_word(nat, r->version, r->inside), &reason);
	if (!c)
		return false;
	taken = open_record(nat, t, c, r, code, oidx, state);
	nat_client_put(c);
	return taken;
}

int64_t nat_load(struct nat *nat, uint64_t now_ms, uint64_t away_ms,
		 const void *state, size_t len, char **errp)
{
	struct nat_thread *t = nat_control_thread(nat, now_ms / 1000 + 1);
	const size_t size = sizeof(struct record);
	const uint8_t *records;
	struct record record;
	int64_t taken = 0;
	struct head head;
	struct tail tail;
	struct reader r;
	size_t n;

	reader_init(&r, state, len);
	reader_copy(&r, &head, sizeof(head));
	if (r.failed || memcmp(head.magic, MAGIC, 8) != 0)
		return set_error(errp, -EINVAL, "not a saved NAT state");
	if (head.format != FORMAT || head.record_size != size)
		return set_error(errp, -EINVAL,
				 "a NAT state of format %u, this is %u",
				 head.format, FORMAT);
	n = reader_left(&r) / size;
	records = reader_take(&r, n * size);
	reader_copy(&r, &tail, sizeof(tail));
	if (r.failed || reader_left(&r) || tail.n != n ||
	    tail.crc != (uint32_t)~crc32c_add(~0u, records, n * size))
		return set_error(errp, -EINVAL,
				 "the saved NAT state is damaged");
	for (size_t i = 0; i < n; i++) {
		memcpy(&record, records + i * size, size);
		taken += take_up(nat, t, &record, away_ms / 1000);
	}
	return taken;
}
