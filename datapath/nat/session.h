/*
 * Sessions, mappings, clients and ports: how they begin and end. Internal to
 * nat/.
 */
#ifndef NAT_SESSION_H
#define NAT_SESSION_H

#include "nat/hash.h"
#include "nat/headers.h"

/*
 * What the control thread calls the functions below with, as the worker it is
 * none of. Control thread.
 */
static inline struct nat_thread *nat_control_thread(struct nat *nat,
						    uint32_t now_s)
{
	struct nat_thread *t = &nat->threads[nat->config.n_threads];

	t->view = atomic_load_explicit(&nat->view, memory_order_acquire);
	t->now_s = now_s;
	return t;
}

/* age.c: ends each live session that the function wants ended. */
typedef bool nat_wanted(struct nat *nat, const struct nat_session *s,
			uint64_t state, void *aux);
uint32_t nat_end_sessions(struct nat *nat, nat_wanted *wanted, void *aux);

/* list.c: all but its times. */
void nat_entry_of(struct nat *nat, const struct nat_session *s, uint64_t state,
		  struct nat_entry *e);

/* forward.c: brings the forwards into force on a new outside address. */
void nat_forwards_apply(struct nat *nat, unsigned oidx);
void nat_forwards_unapply(struct nat *nat, unsigned oidx);

/* ---------------------------------------------------------- client.c */

/*
 * The client of an inside address, held until nat_client_put(). NULL: no room
 * (*reason). A worker, or the control thread outside of any (thread t's caches
 * are then not in use by a worker: see nat_control_thread()).
 */
struct nat_client *nat_client_get(struct nat *nat, struct nat_thread *t,
				  unsigned version, const uint8_t *ip,
				  uint32_t word, enum drop_reason *reason);
void nat_client_put(struct nat_client *client);
bool nat_client_ref(struct nat_client *client);
/* Whether it may open one session more, which is counted then. */
bool nat_client_admit(struct nat_client *client,
		      const struct nat_options *options, uint32_t now_s,
		      bool in_only);
/* Ends clients without mappings; control thread. */
void nat_clients_age(struct nat *nat);

static inline uint32_t nat_client_id(const struct nat *nat,
				     const struct nat_client *client)
{
	return client - nat_client_at(nat, 0);
}

/* ----------------------------------------------------------- ports.c */

/*
 * Takes a port of the outside address for a mapping, of iport's class and
 * parity if there is one; NAT_NONE when there is none.
 */
uint32_t nat_port_take(struct nat_outside *o, enum nat_protocol protocol,
		       uint16_t iport_be, uint32_t mapping,
		       struct nat_random *random);
/* That very port (host order); false when it is taken. */
bool nat_port_claim(struct nat_outside *o, enum nat_protocol protocol,
		    uint16_t port, uint32_t slot);
/* Free again. */
void nat_port_free(struct nat_outside *o, enum nat_protocol protocol,
		   uint16_t port);
/* Free again when its time of rest is over; control thread. */
void nat_port_rest(struct nat *nat, unsigned oidx, enum nat_protocol protocol,
		   uint16_t port, uint32_t now_s);
void nat_quarantine_age(struct nat *nat, uint32_t now_s, bool all);

/* --------------------------------------------------------- mapping.c */

uint32_t nat_mapping_chain(const struct nat *nat, uint32_t client,
			   uint16_t iport, unsigned code);

static inline _Atomic(uint8_t) *nat_chain_lock(struct nat *nat, uint32_t chain)
{
	return &nat->locks[chain % NAT_LOCKS];
}

/* The next three with the chain's lock held. */
struct nat_mapping *nat_mapping_find(struct nat *nat, uint32_t chain,
				     uint32_t client, uint16_t iport,
				     unsigned code);
struct nat_mapping *nat_mapping_open(struct nat *nat, struct nat_thread *t,
				     struct nat_client *client, uint32_t chain,
				     uint16_t iport, unsigned code,
				     enum drop_reason *reason);
/* A mapping to that outside port, whose slot becomes its own; NULL: taken. */
struct nat_mapping *nat_mapping_open_at(struct nat *nat, struct nat_thread *t,
					struct nat_client *client,
					uint32_t chain, uint16_t iport,
					unsigned code, unsigned oidx,
					uint16_t oport, unsigned flags);
/* One just opened, for which there is no room for a session. */
void nat_mapping_cancel(struct nat *nat, struct nat_thread *t,
			struct nat_mapping *m);
/*
 * One holds it less; when nobody does it takes no new sessions. One refers to
 * it less; when nobody does, its port is free, after a rest. Control thread,
 * with the chain's lock.
 */
void nat_mapping_unhold(struct nat *nat, struct nat_mapping *m);
void nat_mapping_unref(struct nat *nat, struct nat_mapping *m, uint32_t now_s,
		       bool rest);

static inline uint32_t nat_mapping_id(const struct nat *nat,
				      const struct nat_mapping *m)
{
	return m - nat_mapping_at(nat, 0);
}

/* --------------------------------------------------------- session.c */

struct nat_ends {
	const uint8_t *inside, *outside, *remote; /* 4 or 16 bytes */
};

/*
 * A session at a mapping, under its chain's lock; counted at its client by the
 * caller. NULL when the table is full.
 */
struct nat_session *nat_session_open(struct nat *nat, struct nat_thread *t,
				     struct nat_mapping *m,
				     const struct nat_ends *ends,
				     uint16_t rport, uint64_t state);
/*
 * Ends a session; control thread, outside of any lock. rest: its port is kept
 * from reuse for a time, if it was the mapping's last.
 */
bool nat_session_end(struct nat *nat, struct nat_session *s, uint64_t state,
		     uint32_t now_s, bool rest);

/* Finds a live session by a key; version 6 compares the addresses, too. */
struct nat_session *nat_find_in(const struct nat *nat, struct nat_key key,
				const struct nat_ends *ends);
struct nat_session *nat_find_out(const struct nat *nat, struct nat_key key,
				 const struct nat_ends *ends);
bool nat_session_is6(const struct nat *nat, const struct nat_session *s,
		     const struct nat_ends *ends);

/* Whether the mapping has a session with that remote address (RFC 4787 5). */
bool nat_group_has(struct nat *nat, const struct nat_mapping *m,
		   uint32_t remote, const struct nat_ends *ends);
void nat_group_join(struct nat *nat, struct nat_session *s);
void nat_group_leave(struct nat *nat, struct nat_session *s);

/* ----------------------------------------------------------- state.c */

#define NAT_FIN 1
#define NAT_SYN 2
#define NAT_RST 4

/* Seconds that a session in that state may be idle. */
uint32_t nat_timeout(const struct nat_options *options, unsigned code,
		     uint64_t state);

static inline bool nat_is_old(const struct nat_options *options, unsigned code,
			      uint64_t state, uint32_t now_s)
{
	return (int32_t)(now_s - (uint32_t)state) >
	       (int32_t)nat_timeout(options, code, state);
}

/* The state of a session that such a packet opens. */
uint64_t nat_state_first(unsigned code, unsigned tcp_flags, bool outbound,
			 uint32_t now_s);
/*
 * A packet goes through the session: its state and last use. False when the
 * session has ended (or is too old for packets from outside).
 */
bool nat_touch(struct nat *nat, struct nat_thread *t, struct nat_session *s,
	       unsigned tcp_flags, bool outbound);

#define NAT_S_SETTLED_MASK                                                     \
	(NAT_S_LIVE | NAT_S_SETTLED | NAT_S_HAIRPIN | NAT_S_TIME)

/* What those bits of a session are that was used this second already. */
static inline uint64_t nat_settled(const struct nat_thread *t)
{
	return NAT_S_LIVE | NAT_S_SETTLED | t->now_s;
}

/* Whether nat_touch() would change nothing; and its remote is outside. */
static inline bool nat_is_settled(struct nat_session *s, uint64_t settled,
				  unsigned tcp_flags)
{
	uint64_t state = atomic_load_explicit(&s->state, memory_order_acquire);

	return (state & NAT_S_SETTLED_MASK) == settled &&
	       !(tcp_flags & (NAT_FIN | NAT_SYN | NAT_RST));
}

/* The state of a session that was saved with such flags (of NAT_S_FLAGS). */
uint64_t nat_state_restore(unsigned code, uint64_t flags, uint32_t last_s);
const char *nat_state_name(unsigned code, uint64_t state);

#endif
