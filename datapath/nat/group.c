/*
 * Address-dependent filtering (RFC 4787 section 5): may this remote address
 * send to that mapping? The sessions of a mapping with one remote address form
 * a ring, and one of them is also entered in the outside hash under a key
 * without the remote port. Under the lock of the mapping's chain.
 */
#include "nat/session.h"

/* A kind that no session has. */
#define GROUP (1ull << 16)

static uint64_t group_hash(const struct nat *nat, uint32_t remote,
			   uint64_t ports)
{
	struct nat_key key = {
		remote, (ports & NAT_KEY_OUT & ~(0xffffull << 16)) | GROUP
	};

	return nat_hash_of(&nat->out, key) ^ 0x5555;
}

static struct nat_session *find(struct nat *nat, uint32_t mapping,
				uint32_t remote, uint64_t ports,
				const struct nat_ends *ends)
{
	struct nat_search search;
	uint32_t id;

	nat_search_init(&search, &nat->out, group_hash(nat, remote, ports));
	while ((id = nat_search_next(&search)) != NAT_NONE) {
		struct nat_session *s = nat_session_at(nat, id);

		if (s->mapping == mapping && s->addrs >> 32 == remote &&
		    (!(s->ports >> 48 & NAT_CODE_V6) ||
		     nat_session_is6(nat, s, ends)))
			return s;
	}
	return NULL;
}

bool nat_group_has(struct nat *nat, const struct nat_mapping *m,
		   uint32_t remote, const struct nat_ends *ends)
{
	uint64_t ports = (uint64_t)m->oport << 32 | (uint64_t)m->kind << 48;
	struct nat_ends only = { .remote = ends->remote };

	return find(nat, nat_mapping_id(nat, m), remote, ports, &only);
}

void nat_group_join(struct nat *nat, struct nat_session *s)
{
	struct nat_ends ends = { .remote = s->remote6 };
	uint32_t id = s - nat_session_at(nat, 0);
	struct nat_session *first =
		find(nat, s->mapping, s->addrs >> 32, s->ports, &ends);

	if (!first) {
		/* without an entry it lets in nobody but its own remote port */
		if (nat_hash_insert(&nat->out,
				    group_hash(nat, s->addrs >> 32, s->ports),
				    id))
			s->group_next = NAT_NONE;
		return;
	}
	s->group_prev = first - nat_session_at(nat, 0);
	s->group_next = first->group_next;
	nat_session_at(nat, s->group_next)->group_prev = id;
	first->group_next = id;
}

void nat_group_leave(struct nat *nat, struct nat_session *s)
{
	uint64_t h = group_hash(nat, s->addrs >> 32, s->ports);
	uint32_t id = s - nat_session_at(nat, 0);

	if (s->group_next == NAT_NONE)
		return;
	if (s->group_next == id) {
		nat_hash_remove(&nat->out, h, id);
		return;
	}
	nat_session_at(nat, s->group_next)->group_prev = s->group_prev;
	nat_session_at(nat, s->group_prev)->group_next = s->group_next;
	/* if it is the entered one */
	nat_hash_replace(&nat->out, h, id, s->group_next);
}
