/* DNS messages; see dns_message.h. */
#include "gateway/dns_message.h"

#define POINTER_TO_QUESTION (0xc000 | DNS_HEADER_LEN)
#define OUR_UDP_SIZE	    1232

/* Over a name that may be compressed, which is not followed. */
static bool skip_name(struct reader *r)
{
	for (;;) {
		uint8_t label = reader_u8(r);

		if (r->failed)
			return false;
		if (label >= 0xc0)
			return reader_skip(r, 1);
		if (!label)
			return true;
		if (label > DNS_LABEL_MAX || !reader_skip(r, label))
			return false;
	}
}

/* RFC 6891 6.1.1: at most one OPT record, among the additional ones. */
static bool read_edns(struct dns_question *q, struct reader *r, unsigned before,
		      unsigned additional)
{
	for (unsigned i = 0; i < before + additional; i++) {
		uint16_t type, class;
		uint32_t ttl;

		if (!skip_name(r))
			return false;
		type = reader_be16(r);
		class = reader_be16(r);
		ttl = reader_be32(r);
		reader_skip(r, reader_be16(r));
		if (r->failed)
			return false;
		if (type != DNS_OPT || i < before)
			continue;
		if (q->edns)
			return false;
		q->edns = true;
		q->edns_version = ttl >> 16;
		q->udp_size = MAX(class, (uint16_t)DNS_UDP_LEAST);
	}
	return true;
}

enum dns_parsed dns_question_parse(struct dns_question *q, const void *message,
				   size_t len)
{
	unsigned n_questions, n_answers, n_authority, n_additional;
	struct reader r;

	memset(q, 0, offsetof(struct dns_question, name));
	q->name.len = 0;
	q->type = q->class = 0;
	q->edns = false;
	q->udp_size = DNS_UDP_LEAST;
	reader_init(&r, message, len);
	q->id = reader_be16(&r);
	q->flags = reader_be16(&r);
	n_questions = reader_be16(&r);
	n_answers = reader_be16(&r);
	n_authority = reader_be16(&r);
	n_additional = reader_be16(&r);
	if (r.failed || q->flags & DNS_FLAG_QR)
		return DNS_IS_BAD;
	if (n_questions != 1 || !dns_name_read(&r, &q->name)) {
		q->name.len = 0;
		return DNS_IS_MALFORMED;
	}
	q->type = reader_be16(&r);
	q->class = reader_be16(&r);
	if (r.failed) {
		q->name.len = 0;
		return DNS_IS_MALFORMED;
	}
	return read_edns(q, &r, n_answers + n_authority, n_additional)
		       ? DNS_IS_QUESTION
		       : DNS_IS_MALFORMED;
}

bool dns_is_answer(const struct dns_question *q, const void *message,
		   size_t len)
{
	struct dns_name name;
	struct reader r;
	uint16_t flags, n_questions;

	reader_init(&r, message, len);
	reader_skip(&r, 2);
	flags = reader_be16(&r);
	n_questions = reader_be16(&r);
	reader_skip(&r, 6);
	if (r.failed || !(flags & DNS_FLAG_QR) ||
	    DNS_OPCODE(flags) != DNS_OPCODE(q->flags))
		return false;
	return n_questions == 1 && dns_name_read(&r, &name) &&
	       dns_name_equal(&name, &q->name) && reader_be16(&r) == q->type &&
	       reader_be16(&r) == q->class && !r.failed;
}

void dns_reply_begin(struct dns_reply *r, const struct dns_question *q,
		     uint8_t room[DNS_REPLY_MAX])
{
	r->q = q;
	r->n_answers = r->n_authority = 0;
	writer_init(&r->w, room, DNS_REPLY_MAX);
	writer_zeros(&r->w, DNS_HEADER_LEN);
	if (!q->name.len)
		return;
	writer_bytes(&r->w, q->name.wire, q->name.len);
	writer_be16(&r->w, q->type);
	writer_be16(&r->w, q->class);
}

void dns_reply_record(struct dns_reply *r, const struct dns_name *name,
		      enum dns_type type, uint32_t ttl_s, const void *data,
		      size_t len)
{
	if (name)
		writer_bytes(&r->w, name->wire, name->len);
	else
		writer_be16(&r->w, POINTER_TO_QUESTION);
	writer_be16(&r->w, type);
	writer_be16(&r->w, DNS_CLASS_IN);
	writer_be32(&r->w, ttl_s);
	writer_be16(&r->w, len);
	writer_bytes(&r->w, data, len);
	if (type == DNS_SOA)
		r->n_authority++;
	else
		r->n_answers++;
}

size_t dns_reply_end(struct dns_reply *r, enum dns_rcode rcode, uint16_t flags)
{
	const struct dns_question *q = r->q;
	uint8_t *header = r->w.start;

	if (q->edns) {
		writer_u8(&r->w, 0);
		writer_be16(&r->w, DNS_OPT);
		writer_be16(&r->w, OUR_UDP_SIZE);
		writer_be32(&r->w, (uint32_t)rcode >> 4 << 24);
		writer_be16(&r->w, 0);
	}
	if (r->w.failed)
		return 0;
	flags |= DNS_FLAG_QR | DNS_FLAG_RA | (rcode & 15) |
		 (q->flags & (0xf << 11 | DNS_FLAG_RD | DNS_FLAG_CD));
	store_be16(header, q->id);
	store_be16(header + 2, flags);
	store_be16(header + 4, q->name.len ? 1 : 0);
	store_be16(header + 6, r->n_answers);
	store_be16(header + 8, r->n_authority);
	store_be16(header + 10, q->edns ? 1 : 0);
	return writer_len(&r->w);
}

size_t dns_reply_code(const struct dns_question *q, enum dns_rcode rcode,
		      uint16_t flags, uint8_t room[DNS_REPLY_MAX])
{
	struct dns_reply r;

	dns_reply_begin(&r, q, room);
	return dns_reply_end(&r, rcode, flags);
}
