/*
 * Network address and port translation (RFC 4787, 5382, 5508, 6888, 7857) of
 * packets that a gateway routes between its inside and its outside; IPv4, and
 * IPv6 in the same way (NAT66).
 *
 * A gateway owns one struct nat. It routes, answers ARP and pings, decrements
 * the TTL and sends ICMP errors; this translates, and says what to do with
 * each packet. It knows no socket, no port and no clock: packets, time and
 * configuration come in by calls.
 *
 * What there is:
 *   mapping  (protocol, inside address and port) -> outside address and port,
 *            whatever the destination (endpoint-independent, RFC 4787 REQ-1).
 *            "Port" is the identifier of an ICMP query.
 *   session  a mapping's exchange with one remote address and port.
 *   client   an inside address: its limits, and the outside address that all
 *            of its mappings share (paired pooling, RFC 4787 REQ-2).
 *
 * Threads. Workers call the functions of the packet's way at the same time,
 * each with a thread number of its own, both directions of a flow from any of
 * them. Packets of known sessions take no lock; a new session takes one of
 * many short spin locks, and its packet is dropped (nat-busy) rather than wait
 * for long. All else is for one control thread.
 *
 * Memory is set aside by nat_create() for the numbers in struct nat_config and
 * touched as it is used; the packet's way allocates nothing.
 */
#ifndef NAT_NAT_H
#define NAT_NAT_H

#include "packet/drop.h"
#include "packet/packet.h"

#define NAT_ADDRESSES_MAX   1024       /* outside addresses of one NAT */
#define NAT_SESSIONS_MAX    (1u << 24) /* sessions of one NAT */
#define NAT_THREADS_MAX	    256
#define NAT_RELEASED_MAX    64 /* held fragments let go in a burst */
#define NAT_UNREACHABLE_MAX 80 /* bytes of a packet that an error quotes */

struct nat;

struct nat_addr {
	uint8_t version; /* 4 or 6 */
	uint8_t ip[16];	 /* IPv4: the first four, the rest 0 */
};

enum nat_protocol { NAT_TCP, NAT_UDP, NAT_ICMP, NAT_N_PROTOCOLS };

enum nat_filtering {
	NAT_FILTER_NONE,    /* endpoint-independent: a mapping is open to all */
	NAT_FILTER_ADDRESS, /* address-dependent: to whom its host has sent */
};

/* Destinations that are routed untranslated (RFC 6888 REQ-6). */
struct nat_exclusion {
	struct nat_addr network;
	uint8_t prefix_len;
	int protocol;		   /* enum nat_protocol; -1: any */
	uint16_t port_lo, port_hi; /* 0 to 65535: any */
};

/* Fixed when a NAT is created. */
struct nat_config {
	unsigned n_threads;	 /* numbers 0 to n_threads - 1; all allowed */
	uint32_t max_sessions;	 /* 65536; at most NAT_SESSIONS_MAX */
	uint32_t max_clients;	 /* 4096 */
	uint32_t max_forwards;	 /* ports of forwards: 8192 */
	uint32_t max_datagrams;	 /* fragmented ones followed at once: 4096 */
	uint32_t max_fragments;	 /* held for their first fragment: 512 */
	uint32_t max_quarantine; /* ports kept from reuse: 16384 */
	enum nat_filtering filtering;
	uint64_t seed; /* 0: random; otherwise for repeatable tests only */
};

/* May change at any time, by nat_set_options(). Times in seconds. */
struct nat_options {
	uint32_t udp_s;		/* 300; not below 120 (RFC 4787 REQ-5) */
	uint32_t tcp_s;		/* established: 7440; not below */
	uint32_t tcp_opening_s; /* 240; not below (RFC 5382 REQ-5) */
	uint32_t tcp_closing_s; /* after both FINs or a RST: 240; not below */
	uint32_t icmp_s;	/* 60; not below (RFC 5508 REQ-2) */
	uint32_t fragment_s;	/* 30; how long a datagram is followed */
	uint32_t quarantine_s;	/* 120; a port's rest (RFC 6888 REQ-8) */
	bool refresh_inbound;	/* inbound UDP refreshes, too; false */
	bool pool_strict; /* paired always: when a client's outside address has
			     no port left, refuse, not take another; false */
	bool answer_unsolicited; /* port unreachable, a SYN after 6 s; true */
	uint8_t refusal_code; /* of ICMP unreachable: 13 (RFC 5508 REQ-8), or 1
				 (RFC 6888 REQ-11) */
	/* Of one client; 0: no limit but the table's. */
	uint32_t client_ports;	  /* mappings of a protocol (RFC 6888 REQ-4) */
	uint32_t client_sessions; /* RFC 6888 REQ-5 */
	uint32_t client_rate;	  /* new sessions a second */
	const struct nat_exclusion *exclusions; /* copied */
	unsigned n_exclusions;
};

void nat_config_init(struct nat_config *config);    /* the defaults */
void nat_options_init(struct nat_options *options); /* the defaults */

/* ------------------------------------------------------- control thread */

/*
 * 0 and *natp; -EINVAL (a number out of range) or -ENOMEM, with a message. Has
 * no outside addresses yet: everything is refused (nat-full) until it has.
 */
int nat_create(const struct nat_config *config, struct nat **natp, char **errp);
/* No worker may be in it any more. NULL is fine. */
void nat_destroy(struct nat *nat);

/* In force for packets of the next nat_enter(). -EINVAL with a message. */
int nat_set_options(struct nat *nat, const struct nat_options *options,
		    char **errp);

/*
 * The pool of outside addresses, of either version in any order, without
 * limits to their contiguity. Those that were there stay as they are, with
 * their sessions; sessions of those that are no longer there end. -EINVAL (not
 * a unicast address, twice the same), -ENOSPC, -EADDRINUSE (inside of a network
 * that nat_set_inside() named: RFC 4787 REQ-7), with a message; nothing has
 * changed then.
 */
int nat_set_outside(struct nat *nat, const struct nat_addr *addrs, unsigned n,
		    char **errp);
/* The networks inside, which no outside address may be in; same errors. */
int nat_set_inside(struct nat *nat, const struct nat_addr *networks,
		   const uint8_t *prefix_lens, unsigned n, char **errp);

/*
 * A port forward (a static mapping). It needs no outside address to be there
 * yet, and is in force on each that there is. Ports are host byte order.
 */
struct nat_forward {
	uint8_t version;	    /* 4 or 6 */
	enum nat_protocol protocol; /* NAT_TCP or NAT_UDP */
	bool any_outside;	    /* every outside address: `outside` unset */
	struct nat_addr outside;
	uint16_t outside_lo, outside_hi;
	/* The range begins at inside_port; to the gateway itself when false. */
	bool to_inside;
	struct nat_addr inside;
	uint16_t inside_port;
};

/*
 * -EINVAL, -EADDRINUSE (another forward, or a session's mapping has one of the
 * ports), -ENOSPC, with a message; nothing has changed then.
 */
int nat_add_forward(struct nat *nat, const struct nat_forward *forward,
		    char **errp);
/* The same values; its sessions end. -ENOENT. */
int nat_remove_forward(struct nat *nat, const struct nat_forward *forward,
		       char **errp);

/*
 * Ends what is too old, gives back memory. Call it at least once a second;
 * looks at `budget` sessions at most, UINT32_MAX: at all. Milliseconds of a
 * monotonic clock; workers' times must be of the same one.
 */
void nat_age(struct nat *nat, uint64_t now_ms, uint32_t budget);

/*
 * A TCP SYN that came unsolicited, was not answered for 6 s by a SYN from the
 * inside (RFC 5382 REQ-4), and may now be answered with ICMP port unreachable:
 * the beginning of the packet, from its IP header, as it came from outside.
 */
struct nat_unreachable {
	uint8_t version;
	uint8_t len;
	uint8_t packet[NAT_UNREACHABLE_MAX];
};
/* Takes up to max of those due; returns how many. After nat_age(). */
unsigned nat_unreachable_due(struct nat *nat, uint64_t now_ms,
			     struct nat_unreachable *due, unsigned max);

/* One session, for people. Ports are host byte order. */
struct nat_entry {
	enum nat_protocol protocol;
	struct nat_addr inside, outside, remote;
	uint16_t inside_port, outside_port, remote_port;
	const char *state; /* "new", "established", "closing", "reset" */
	bool inbound_only; /* nothing has left through it yet */
	bool is_static;	   /* of a port forward */
	uint32_t idle_s, expires_s;
};

/* Zero, or version 0 of an address, matches all. */
struct nat_filter {
	int protocol; /* enum nat_protocol; -1: any */
	struct nat_addr inside, outside, remote;
	uint16_t inside_port, outside_port, remote_port;
};

static inline void nat_filter_all(struct nat_filter *filter)
{
	memset(filter, 0, sizeof(*filter));
	filter->protocol = -1;
}

/* Return false to stop. Must not call the NAT. */
typedef bool nat_entry_cb(const struct nat_entry *entry, void *aux);
void nat_list(struct nat *nat, uint64_t now_ms, const struct nat_filter *filter,
	      nat_entry_cb *cb, void *aux);
/* Ends the sessions that match, forwards stay. Returns how many. */
uint32_t nat_flush(struct nat *nat, const struct nat_filter *filter);

struct nat_stats {
	/* now */
	uint32_t sessions, mappings, clients, datagrams, fragments;
	uint32_t max_sessions, quarantined;
	/* since the creation */
	uint64_t created, ended;
	uint64_t translated_out, translated_in, hairpinned; /* packets */
	uint64_t icmp_errors;				    /* translated */
	/* packets by their end; of enum drop_reason those named nat-* */
	uint64_t dropped[N_DROP_REASONS];
	uint64_t fragments_held, fragments_expired;
};
void nat_get_stats(const struct nat *nat, struct nat_stats *stats);

/*
 * The state of a clean stop: all sessions but those that nothing has left
 * through. write() gets it in pieces and returns 0 or -errno, which ends it.
 */
typedef int nat_write_cb(const void *data, size_t len, void *aux);
int nat_save(struct nat *nat, uint64_t now_ms, nat_write_cb *write, void *aux);
/*
 * Takes up saved sessions: after outside addresses and forwards were set,
 * before any packet. Sessions that have become too old in away_ms, or whose
 * outside address or port is no longer to be had, are left out. Returns the
 * number taken up; -EINVAL, with a message and nothing taken up, when the
 * state is damaged or of another format.
 */
int64_t nat_load(struct nat *nat, uint64_t now_ms, uint64_t away_ms,
		 const void *state, size_t len, char **errp);

/*
 * Another NAT with the same settings and the sessions that nat_save() keeps, to
 * ask it what must not change this one: by thread 0, which chooses as this
 * one's thread 0 would next, and calls this. Costs as much as saving and
 * loading. 0, or an error of those with a message.
 */
int nat_copy(struct nat *nat, uint64_t now_ms, struct nat **copyp, char **errp);

/* ------------------------------------------------------ packet's way */

enum nat_verdict {
	/* Translated. Outbound: route it outside; inbound: inside. */
	NAT_FORWARD,
	/* Translated twice, out and in again: route it inside. */
	NAT_HAIRPIN,
	/* Unchanged, and for the gateway itself: its address is one of the
	   outside, and no mapping's; or not unicast. It may be answered. */
	NAT_LOCAL,
	/* Unchanged, and not to be translated: an exclusion outbound, another
	   destination than an outside address inbound. */
	NAT_BYPASS,
	/* A fragment, copied, that waits for its first. Forget the packet. */
	NAT_HELD,
	/* Drop it, and count `reason`. */
	NAT_DROP,
	/* The same, and its sender may be told by an ICMP error (rate limits
	   are the gateway's). The packet is unchanged. */
	NAT_REJECT,
};

struct nat_result {
	uint8_t verdict;	      /* enum nat_verdict */
	uint8_t reason;		      /* NAT_DROP, NAT_REJECT: drop_reason */
	uint8_t icmp_type, icmp_code; /* NAT_REJECT; of its IP version */
};

/*
 * Every burst is between these two, for each NAT that it uses. What a packet
 * of the burst refers to stays valid until nat_leave(): call it when all have
 * been sent. now_ms as in nat_age().
 */
void nat_enter(struct nat *nat, unsigned thread, uint64_t now_ms);
void nat_leave(struct nat *nat, unsigned thread);

/*
 * Translates n packets that are routed from the inside to the outside, in
 * their order: frames from the Ethernet header, up to 2 tags, whose tag is not
 * beside them any more. The private header is edited in place and checksums
 * are kept as they were, finished or left to others (offload); of an ICMP error
 * the private header may be replaced by a longer one. results[i] is that of
 * packets[i]; a verdict that leaves it unchanged may have pulled more.
 */
void nat_outbound(struct nat *nat, unsigned thread,
		  struct packet *const packets[], unsigned n,
		  struct nat_result *results);
/* The same for packets from outside. */
void nat_inbound(struct nat *nat, unsigned thread,
		 struct packet *const packets[], unsigned n,
		 struct nat_result *results);

/*
 * Held fragments that packets of this burst have set free, to be sent after
 * them; at most NAT_RELEASED_MAX. Returns how many. Verdicts are NAT_FORWARD
 * and NAT_HAIRPIN; *outboundp[i] tells which way they came.
 */
struct nat_released {
	struct packet *packet;
	struct nat_result result;
	bool outbound;
};
unsigned nat_take_released(struct nat *nat, unsigned thread,
			   struct nat_released *released, unsigned max);

/* -------------------------------------------- helpers for the gateway */

/*
 * One hop less, in the private header, the IPv4 checksum with it. False, and
 * the packet as it was, when none is left: ICMP time exceeded, to be sent
 * before translation.
 */
bool nat_decrement_ttl(struct packet *p);

enum nat_fit {
	NAT_FITS,
	NAT_MUST_FRAGMENT, /* IPv4 that allows it */
	NAT_TOO_BIG, /* ICMP: fragmentation needed (3, 4), too big (2, 0) */
};
/* An IP packet, or the segments that it becomes, and an MTU (RFC 4787 REQ-13).
 */
enum nat_fit nat_fits(const struct packet *p, uint32_t mtu);

#endif
