/*
 * Segments whose settings contradict each other, their subnet, or another
 * segment. Each option alone was looked at when it was set
 * (segment_settings.h); vswd would say the same in Segment:error and
 * Forward:error, but only after it was stored.
 */
#ifndef CTL_SEGMENT_RULES_H
#define CTL_SEGMENT_RULES_H

#include "base/net_text.h"

struct segment_pair {
	const char *key, *value;
};

struct segment_forward {
	const char *protocol;	     /* "tcp", "udp" */
	const char *outside_address; /* or NULL */
	long outside_lo, outside_hi; /* the same: one port */
	const char *inside_address;
	long inside_port; /* 0: outside_lo */
};

/* A segment as its rows are. What is not set is NULL. */
struct segment_plan {
	const char *name, *type;
	const char *subnet, *subnet6, *outside;
	bool isolated;
	const struct segment_pair *options;
	size_t n_options;
	const struct segment_pair *leases; /* MAC, "IP" or "IP,NAME" */
	size_t n_leases;
	const struct segment_forward *forwards;
	size_t n_forwards;
};

/* A plan's text as numbers, as far as it is right. */
struct segment_nets {
	struct net_prefix subnet, subnet6; /* addr.version 0: none */
	struct net_addr gateway, gateway6;
	struct net_addr host, host6; /* host-only: the host's own */
};

/* Why a plan cannot be; each in one line. */
struct segment_reasons {
	char **list;
	size_t n;
};

/* Takes over a reason; NULL: there is none. */
void segment_reason(struct segment_reasons *reasons, char *why);
/* "segment NAME cannot have KEY=VALUE: DOUBT", of which it frees the doubt. */
char *segment_refuse(const struct segment_plan *plan, const char *key,
		     const char *value, char *doubt);

/*
 * NULL, or what cannot be, in one line that says what to do; freed by the
 * caller. others: all other segments.
 */
char *segment_plan_check(const struct segment_plan *plan,
			 const struct segment_plan *others, size_t n_others);
/*
 * The same of a change: only what could be, or was not said in these words, of
 * the plan as it was before. NULL: there was none.
 */
char *segment_plan_check_change(const struct segment_plan *plan,
				const struct segment_plan *before,
				const struct segment_plan *others,
				size_t n_others);
/*
 * segment_doubt.c: NULL, or a setting that has no effect as things are; freed
 * by the caller.
 */
char *segment_plan_doubt(const struct segment_plan *plan);

/* NULL: it is not set. */
const char *segment_plan_option(const struct segment_plan *plan,
				const char *key);
/* Its IP packets leave by the host's sockets. */
bool segment_plan_is_by_host(const struct segment_plan *plan);

/* "10.20.0.15" and "vm1" of a static lease's value; name may be NULL. */
bool segment_lease_parse(const char *value, struct net_addr *ip,
			 const char **name);

/* segment_rules_net.c: subnets and the addresses in them. */
char *segment_nets_read(const struct segment_plan *plan,
			struct segment_nets *nets);
/*
 * NULL, or why a machine of the segment cannot have this address: "ADDRESS is
 * ...", without who asks; freed by the caller.
 */
char *segment_nets_doubt(const struct segment_nets *nets,
			 const struct net_addr *addr);

/* segment_rules_others.c: NULL, or why not; freed by the caller. */
char *segment_others_check(const struct segment_plan *plan,
			   const struct segment_plan *others, size_t n_others);

/* segment_rules_outside.c */
void segment_outside_check(const struct segment_plan *plan,
			   const struct segment_nets *nets,
			   struct segment_reasons *reasons);

/* segment_rules_forward.c */
void segment_forwards_check(const struct segment_plan *plan,
			    const struct segment_nets *nets,
			    const struct segment_plan *others, size_t n_others,
			    struct segment_reasons *reasons);
/* "tcp 2222" or "tcp 1.2.3.4:2222-2230"; freed by the caller. */
char *segment_forward_text(const struct segment_forward *forward);

#endif
