/*
 * The steps of a packet's way through the NAT, for each other. Internal to
 * nat/; all on a worker, between nat_enter() and nat_leave().
 */
#ifndef NAT_WAY_H
#define NAT_WAY_H

#include "nat/fragment.h"
#include "nat/translate.h"

/* burst.c: one packet whose headers were looked at, the general way. */
void nat_outbound_one(struct nat *nat, struct nat_thread *t, struct packet *p,
		      const struct nat_headers *h, struct nat_result *result);
/* hairpin: it came from the inside, translated. */
void nat_inbound_one(struct nat *nat, struct nat_thread *t, struct packet *p,
		     const struct nat_headers *h, bool hairpin,
		     struct nat_result *result);
/* A packet that went out, to one of our outside addresses: in again. */
void nat_hairpin(struct nat *nat, struct nat_thread *t, struct packet *p,
		 struct nat_result *result);

/* open.c: a session for a packet that has none; NULL: *result says why. */
struct nat_session *nat_open_outbound(struct nat *nat, struct nat_thread *t,
				      const struct packet *p,
				      const struct nat_headers *h,
				      struct nat_result *result);
struct nat_session *nat_open_inbound(struct nat *nat, struct nat_thread *t,
				     const struct packet *p,
				     const struct nat_headers *h, int oidx,
				     bool hairpin, struct nat_result *result);

/* icmp.c: an error, translated with what it quotes. */
void nat_error_outbound(struct nat *nat, struct nat_thread *t, struct packet *p,
			const struct nat_headers *h, struct nat_result *result);
void nat_error_inbound(struct nat *nat, struct nat_thread *t, struct packet *p,
		       const struct nat_headers *h, struct nat_result *result);
int nat_icmp_create(struct nat_thread *t);
void nat_icmp_destroy(struct nat_thread *t);

/* unsolicited.c: a SYN that is not to be answered yet. */
void nat_syn_note(struct nat *nat, struct nat_thread *t, const struct packet *p,
		  const struct nat_headers *h, int oidx);
/* The inside sent a SYN itself. */
void nat_syn_cancel(struct nat *nat, const struct nat_session *s);

static inline void nat_drop(struct nat_thread *t, struct nat_result *result,
			    enum drop_reason reason)
{
	*result = (struct nat_result){ .verdict = NAT_DROP, .reason = reason };
	nat_count(&t->counters.dropped[reason]);
}

enum nat_unreach { NAT_UNREACH_ADMIN, NAT_UNREACH_PORT, NAT_UNREACH_PROTOCOL };

static inline void nat_reject(struct nat_thread *t, struct nat_result *result,
			      const struct nat_headers *h,
			      enum drop_reason reason, enum nat_unreach what)
{
	static const uint8_t v4[] = { 13, 3, 2 };
	static const uint8_t v6[][2] = { { 1, 1 }, { 1, 4 }, { 4, 1 } };
	uint8_t code = t->view->options.refusal_code;

	nat_drop(t, result, reason);
	result->verdict = NAT_REJECT;
	if (h->version == 4) {
		result->icmp_type = 3;
		result->icmp_code = what ? v4[what] : code;
	} else {
		result->icmp_type = v6[what][0];
		/* host unreachable is address unreachable */
		result->icmp_code = !what && code == 1 ? 3 : v6[what][1];
	}
}

static inline struct nat_key nat_flow_in(const struct nat *nat,
					 const struct packet *p,
					 const struct nat_headers *h)
{
	return (struct nat_key){
		nat_word(nat, h->version, nat_src(p, h)) |
			(uint64_t)nat_word(nat, h->version, nat_dst(p, h))
				<< 32,
		h->sport | (uint64_t)h->dport << 16 | (uint64_t)h->code << 48
	};
}

static inline struct nat_key nat_flow_out(const struct nat *nat,
					  const struct packet *p,
					  const struct nat_headers *h, int oidx)
{
	return (struct nat_key){ nat_word(nat, h->version, nat_src(p, h)),
				 (uint64_t)h->sport << 16 |
					 (uint64_t)h->dport << 32 |
					 (uint64_t)NAT_KIND(h->code, oidx)
						 << 48 };
}

/* Whether the address can be one host's. */
bool nat_is_unicast(unsigned version, const uint8_t *ip);

#endif
