/*
 * Beacons: each member with a link sends one an interval, to all. The network
 * brings it to the others. A member that is unheard for three intervals, or
 * hears nobody for so long, while others hear each other, is taken for down:
 * its link leads nowhere. Where nobody hears anybody the network does not carry
 * beacons, and nothing follows.
 *
 * Beacons are broadcast, so anyone may hear and repeat them. One is believed
 * that has our identity (a random number), a member's address, and a number
 * that this member has sent in the last intervals and that the receiver has not
 * heard before. So a neighbor cannot make a beacon that he has not heard, but
 * may repeat one elsewhere: a member may then be taken to be heard that is not,
 * as it would be without beacons.
 */
#include "bond/bond_internal.h"

#include "base/log.h"
#include "packet/beacon.h"

LOG_MODULE(bond);

#define LOST_BEACONS 3

static bool probes(const struct bond *bond)
{
	return bond->config.detect == BOND_DETECT_BEACON;
}

/* Three of them, and a quarter of an interval for the third to be late. */
static uint64_t patience(const struct bond *bond)
{
	uint64_t interval = bond->config.beacon_ms;

	return LOST_BEACONS * interval + interval / 4;
}

static bool takes_part(const struct bond_member *m)
{
	return m->link && bond_member_is_used(m);
}

/* `by` has heard m lately. */
static bool is_heard_by(const struct bond_member *m,
			const struct bond_member *by, uint64_t now_ms)
{
	uint64_t at = m->heard_by[by->index];

	return m != by && at && now_ms - at < patience(m->bond);
}

static bool hears_anyone(const struct bond_member *m, uint64_t now_ms)
{
	const struct bond *bond = m->bond;

	for (unsigned i = 0; i < bond->n_members; i++) {
		if (is_heard_by(bond->members[i], m, now_ms))
			return true;
	}
	return false;
}

bool bond_beacon_heard(const struct bond_member *m, uint64_t now_ms)
{
	const struct bond *bond = m->bond;

	for (unsigned i = 0; probes(bond) && i < bond->n_members; i++) {
		if (is_heard_by(m, bond->members[i], now_ms))
			return true;
	}
	return false;
}

/* Somebody hears somebody, m apart (NULL: anybody). */
static bool others_hear(const struct bond *bond, const struct bond_member *m,
			uint64_t now_ms)
{
	for (unsigned i = 0; i < bond->n_members; i++) {
		const struct bond_member *a = bond->members[i];

		for (unsigned k = 0; a != m && k < bond->n_members; k++) {
			const struct bond_member *b = bond->members[k];

			if (b != m && is_heard_by(a, b, now_ms))
				return true;
		}
	}
	return false;
}

static bool is_alone(const struct bond_member *m, uint64_t now_ms)
{
	const struct bond *bond = m->bond;

	if (!takes_part(m))
		return false;
	if (bond_beacon_heard(m, now_ms) && hears_anyone(m, now_ms))
		return false;
	/* It has just got its link: it is given the time that all have. */
	if (!m->alone && now_ms - m->probed_since < patience(bond))
		return false;
	return others_hear(bond, m, now_ms);
}

/* When what was heard is next too long ago. */
static uint64_t next_expiry(const struct bond *bond, uint64_t now_ms)
{
	uint64_t next = BOND_NEVER;

	for (unsigned i = 0; i < bond->n_members; i++) {
		const struct bond_member *m = bond->members[i];

		for (unsigned k = 0; k < bond->n_members; k++) {
			if (is_heard_by(m, bond->members[k], now_ms))
				next = MIN(next,
					   m->heard_by[k] + patience(bond));
		}
	}
	return next;
}

static void judge(struct bond *bond, uint64_t now_ms)
{
	unsigned n = 0, ripe = 0;

	bond->judge_at = next_expiry(bond, now_ms);
	for (unsigned i = 0; i < bond->n_members; i++) {
		struct bond_member *m = bond->members[i];
		bool alone = is_alone(m, now_ms);

		n += takes_part(m);
		ripe += takes_part(m) &&
			now_ms - m->probed_since >= patience(bond);
		if (alone != m->alone) {
			bond->dirty = true;
			log_info_limited("bond %s: member %s: %s", bond->name,
					 m->name,
					 alone ? "beacons are lost"
					       : "beacons are heard");
		}
		m->alone = alone;
	}
	if (others_hear(bond, NULL, now_ms)) {
		bond->deaf = false;
	} else if (!bond->deaf && n > 1 && ripe == n) {
		bond->deaf = true;
		log_warn_limited(
			"bond %s: no member hears another's beacons, so they "
			"tell nothing: does the network drop broadcasts of "
			"type 0x%x?",
			bond->name, BEACON_ETHERTYPE);
	}
}

static void send_beacon(struct bond_member *m)
{
	const struct bond *bond = m->bond;
	struct beacon beacon = {
		.identity = bond->identity,
		.mac = m->mac,
		.sequence = ++m->sequence,
	};
	uint8_t frame[BEACON_FRAME_LEN];

	beacon_write(&beacon, frame);
	bond->ops->send(m, frame, sizeof(frame), bond->ops_arg);
}

void bond_beacon_restart(struct bond *bond, uint64_t now_ms)
{
	for (unsigned i = 0; i < bond->n_members; i++) {
		struct bond_member *m = bond->members[i];

		m->alone = false;
		m->probed_since = now_ms;
		memset(m->heard_by, 0, sizeof(m->heard_by));
		memset(m->heard_sequence, 0, sizeof(m->heard_sequence));
	}
	bond->deaf = false;
	bond->judge_at = BOND_NEVER;
	bond->beacon_at = probes(bond) ? now_ms : BOND_NEVER;
}

void bond_beacon_link(struct bond_member *m, uint64_t now_ms)
{
	struct bond *bond = m->bond;

	m->alone = false;
	m->probed_since = now_ms;
	for (unsigned i = 0; i < bond->n_members; i++) {
		m->heard_by[i] = 0;
		bond->members[i]->heard_by[m->index] = 0;
	}
}

void bond_beacon_run(struct bond *bond, uint64_t now_ms)
{
	if (now_ms >= bond->judge_at)
		judge(bond, now_ms);
	if (now_ms < bond->beacon_at)
		return;
	for (unsigned i = 0; i < bond->n_members; i++) {
		struct bond_member *m = bond->members[i];

		if (takes_part(m) && m->mac)
			send_beacon(m);
	}
	judge(bond, now_ms);
	bond->beacon_at = now_ms + bond->config.beacon_ms;
}

static struct bond_member *sender_of(const struct bond *bond,
				     const struct beacon *beacon)
{
	for (unsigned i = 0; i < bond->n_members; i++) {
		struct bond_member *m = bond->members[i];

		if (m->mac == beacon->mac && takes_part(m))
			return m;
	}
	return NULL;
}

/* Sent in the last intervals, and new to the receiver. */
static bool is_fresh(const struct bond_member *from,
		     const struct bond_member *to, uint32_t sequence)
{
	return from->sequence - sequence < LOST_BEACONS &&
	       (int32_t)(sequence - from->heard_sequence[to->index]) > 0;
}

void bond_receive_beacon(struct bond_member *m, const void *frame, size_t len,
			 uint64_t now_ms)
{
	struct bond *bond = m->bond;
	struct bond_member *from;
	struct beacon beacon;
	bool was_alone;

	/* What was under way when the link went proves nothing any more. */
	if (!probes(bond) || !takes_part(m))
		return;
	if (!beacon_parse(frame, len, &beacon) ||
	    beacon.identity != bond->identity ||
	    !(from = sender_of(bond, &beacon)) ||
	    !is_fresh(from, m, beacon.sequence)) {
		bond->n_foreign_beacons++;
		return;
	}
	if (from == m)
		return; /* the network returns it, which says nothing */
	from->heard_by[m->index] = now_ms;
	from->heard_sequence[m->index] = beacon.sequence;
	was_alone = from->alone || m->alone;
	if (was_alone) {
		judge(bond, now_ms);
		bond_update(bond, now_ms);
	}
}
