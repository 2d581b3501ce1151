/*
 * A host's part in multicast: which groups it has joined, told to the network's
 * routers and snooping switches by IGMPv3 (RFC 3376) and MLDv2 (RFC 3810), or
 * by IGMPv2 (RFC 2236), IGMPv1 and MLDv1 (RFC 2710) while a querier of such a
 * version was heard of. Groups are wanted from any source.
 *
 * It knows no sockets and no clock: frames and the time come in by calls,
 * frames go out by a callback.
 *
 * Control thread. Times are milliseconds of a clock that never goes back.
 */
#ifndef GATEWAY_MEMBERSHIP_H
#define GATEWAY_MEMBERSHIP_H

#include "gateway/client.h"
#include "gateway/keyed_hash.h"

#define MEMBERSHIP_GROUPS_MAX 1024
/* RFC 3376 8, RFC 3810 9: the defaults. */
#define MEMBERSHIP_ROBUSTNESS	  2
#define MEMBERSHIP_UNSOLICITED_MS 1000	/* between reports of a change */
#define MEMBERSHIP_OLD_REPORT_MS  10000 /* the same by IGMPv2 and MLDv1 */
/* An older querier was heard of: its robustness times interval, and an answer.
 */
#define MEMBERSHIP_OLD_QUERIER_MS 260000

struct membership;

struct membership_config {
	uint64_t mac;
	uint32_t ip4;		/* source of IGMP; 0: not known (0.0.0.0) */
	uint8_t link_local[16]; /* source of MLD (RFC 3810 5.2.13) */
};

struct membership_counters {
	uint64_t queries, reports, leaves; /* messages */
	uint64_t bad;			   /* IGMP or MLD that cannot be */
};

/* key: random, for the delays of answers. send: an untagged frame, whole. */
struct membership *membership_create(
	const struct membership_config *config, const struct hash_key *key,
	void (*send)(const void *frame, size_t len, void *arg), void *arg);
/* Says to nobody that it is gone; membership_end() does. Accepts NULL. */
void membership_destroy(struct membership *m);
/* Other addresses; what was joined stays so. */
void membership_configure(struct membership *m,
			  const struct membership_config *config);
/*
 * Joins; again is nothing. 0, -EINVAL (no group, or one that everybody is a
 * member of and nobody tells of), -ENOSPC.
 */
int membership_join(struct membership *m, const struct ip_address *group,
		    uint64_t now_ms);
void membership_leave(struct membership *m, const struct ip_address *group,
		      uint64_t now_ms);
/*
 * Says now, once, that all is left. It stays joined here, and
 * membership_repeat() says so again.
 */
void membership_withdraw(struct membership *m, uint64_t now_ms);
/* The same for ever. */
void membership_end(struct membership *m, uint64_t now_ms);
/* The network may be another: all that is joined is told of anew. */
void membership_repeat(struct membership *m, uint64_t now_ms);
bool membership_has(const struct membership *m, const struct ip_address *group);

/*
 * A frame from the network: whole, untagged. Returns whether it was IGMP or MLD
 * (also a report of others): nobody else's then.
 */
bool membership_receive(struct membership *m, const void *frame, size_t len,
			uint64_t now_ms);

void membership_run(struct membership *m, uint64_t now_ms);
/* When run() is to be called next, at the latest; UINT64_MAX: never. */
uint64_t membership_next_ms(const struct membership *m);

const struct membership_counters *membership_counters(
	const struct membership *m);
/* What is spoken now: 1 to 3 (IGMP), 1 or 2 (MLD). */
unsigned membership_version(const struct membership *m, bool v6,
			    uint64_t now_ms);

/* The MAC that frames to a group have: RFC 1112 6.4, RFC 2464 7. */
uint64_t membership_group_mac(const struct ip_address *group);

static inline bool ip_address_is_group(const struct ip_address *ip)
{
	return ip->len == 4 ? ip->bytes[0] >> 4 == 14
			    : ip->len == 16 && ip->bytes[0] == 0xff;
}

#endif
