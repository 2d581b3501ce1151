/* DNS messages (RFC 1035 4): what is asked, and short answers. */
#ifndef GATEWAY_DNS_MESSAGE_H
#define GATEWAY_DNS_MESSAGE_H

#include "gateway/dns_name.h"
#include "gateway/writer.h"

#define DNS_HEADER_LEN 12
#define DNS_UDP_LEAST  512
#define DNS_REPLY_MAX  1024 /* of our own answers */

#define DNS_FLAG_QR	  0x8000
#define DNS_FLAG_AA	  0x0400
#define DNS_FLAG_TC	  0x0200
#define DNS_FLAG_RD	  0x0100
#define DNS_FLAG_RA	  0x0080
#define DNS_FLAG_CD	  0x0010
#define DNS_OPCODE(flags) ((flags) >> 11 & 15)
#define DNS_RCODE(flags)  ((flags)&15)

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16, /* RFC 6891 */
};

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_AAAA = 28,
	DNS_OPT = 41,
	DNS_IXFR = 251,
	DNS_AXFR = 252,
	DNS_ANY = 255,
};

#define DNS_CLASS_IN 1

struct dns_question {
	uint16_t id, flags;
	struct dns_name name;
	uint16_t type, class;
	bool edns;
	uint8_t edns_version;
	uint16_t udp_size; /* that the client takes: at least 512 */
};

enum dns_parsed {
	DNS_IS_BAD, /* no answer: not even a header, or an answer itself */
	DNS_IS_MALFORMED, /* FORMERR; id and flags are set */
	DNS_IS_QUESTION,
};
/* Any bytes, as a query; the records behind the question only for EDNS. */
enum dns_parsed dns_question_parse(struct dns_question *q, const void *message,
				   size_t len);
/* Is the message an answer to that question, but for the id? */
bool dns_is_answer(const struct dns_question *q, const void *message,
		   size_t len);

/* Begins an answer in room: header, question; one record after another; end. */
struct dns_reply {
	struct writer w;
	const struct dns_question *q;
	uint16_t n_answers, n_authority;
};
void dns_reply_begin(struct dns_reply *r, const struct dns_question *q,
		     uint8_t room[DNS_REPLY_MAX]);
/* A record of class IN; name NULL: that of the question. */
void dns_reply_record(struct dns_reply *r, const struct dns_name *name,
		      enum dns_type type, uint32_t ttl_s, const void *data,
		      size_t len);
/* Fills in the header; the length, 0 when it had no room. An SOA record is the
 * authority section's. */
size_t dns_reply_end(struct dns_reply *r, enum dns_rcode rcode, uint16_t flags);
/* An answer that has nothing but the code. */
size_t dns_reply_code(const struct dns_question *q, enum dns_rcode rcode,
		      uint16_t flags, uint8_t room[DNS_REPLY_MAX]);

#endif
