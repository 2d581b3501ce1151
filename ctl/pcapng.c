/*
 * pcapng, block by block. A block is kept until it is whole; its length is
 * checked against PCAPNG_MAX_BLOCK before anything is kept for it.
 */
#include "ctl/pcapng.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SECTION	 0x0a0d0d0au
#define BLOCK_INTERFACE	 1u
#define BLOCK_STATISTICS 5u
#define BLOCK_PACKET	 6u /* enhanced packet block */
#define BYTE_ORDER_MAGIC 0x1a2b3c4du

#define OPT_END	       0
#define OPT_COMMENT    1
#define OPT_IF_NAME    2
#define OPT_EPB_FLAGS  2
#define OPT_ISB_IFDROP 5
#define OPT_IF_TSRESOL 9

#define LINKTYPE_ETHERNET 1

struct iface {
	char name[PCAPNG_TEXT];
	uint8_t tsresol;
	uint16_t linktype;
};

struct pcapng_reader {
	uint8_t *buf;
	size_t n, allocated;
	bool in_section;
	bool swapped; /* the section's byte order is not ours */
	struct iface *ifaces;
	uint32_t n_ifaces;
	uint64_t n_lost;
};

/* What is left of a block's body: nothing can be read beyond its end. */
struct cursor {
	const uint8_t *p;
	size_t n;
	bool swapped;
};

struct pcapng_reader *pcapng_reader_create(void)
{
	return xcalloc(1, sizeof(struct pcapng_reader));
}

void pcapng_reader_destroy(struct pcapng_reader *reader)
{
	if (!reader)
		return;
	free(reader->buf);
	free(reader->ifaces);
	free(reader);
}

uint64_t pcapng_lost(const struct pcapng_reader *reader)
{
	return reader->n_lost;
}

static bool take(struct cursor *c, void *to, size_t n)
{
	if (c->n < n)
		return false;
	memcpy(to, c->p, n);
	c->p += n;
	c->n -= n;
	return true;
}

static bool take_u16(struct cursor *c, uint16_t *v)
{
	if (!take(c, v, sizeof(*v)))
		return false;
	if (c->swapped)
		*v = __builtin_bswap16(*v);
	return true;
}

static bool take_u32(struct cursor *c, uint32_t *v)
{
	if (!take(c, v, sizeof(*v)))
		return false;
	if (c->swapped)
		*v = __builtin_bswap32(*v);
	return true;
}

/* The next n bytes and their padding to four; NULL when they are not there. */
static const uint8_t *take_padded(struct cursor *c, size_t n)
{
	size_t padded = (n + 3) & ~(size_t)3;
	const uint8_t *p = c->p;

	if (c->n < n)
		return NULL;
	padded = MIN(padded, c->n);
	c->p += padded;
	c->n -= padded;
	return p;
}

/* Printable characters only: a comment must not steer a terminal. */
static void copy_text(char to[PCAPNG_TEXT], const uint8_t *p, size_t n)
{
	size_t i;

	for (i = 0; i < n && i < PCAPNG_TEXT - 1 && p[i]; i++)
		to[i] = p[i] >= ' ' && p[i] < 0x7f ? (char)p[i] : '?';
	to[i] = '\0';
}

/* The next option: false at the end. */
static bool next_option(struct cursor *c, uint16_t *code, const uint8_t **p,
			uint16_t *n)
{
	if (!take_u16(c, code) || !take_u16(c, n) || *code == OPT_END)
		return false;
	*p = take_padded(c, *n);
	return *p;
}

static int read_section(struct pcapng_reader *r, struct cursor body,
			char **errp)
{
	uint32_t magic;
	uint16_t major = 0;

	if (!take_u32(&body, &magic) || !take_u16(&body, &major) ||
	    magic != BYTE_ORDER_MAGIC || major != 1)
		return set_error(errp, -EPROTO,
				 "pcapng: a section header of version %u that "
				 "this program does not know",
				 (unsigned int)major);
	r->in_section = true;
	r->n_ifaces = 0;
	return 0;
}

static int read_interface(struct pcapng_reader *r, struct cursor body,
			  char **errp)
{
	uint16_t linktype, reserved, code, n;
	struct iface *iface;
	const uint8_t *p;
	uint32_t snaplen;

	if (r->n_ifaces == PCAPNG_MAX_IFACES)
		return set_error(errp, -EPROTO,
				 "pcapng: more than %u interfaces",
				 PCAPNG_MAX_IFACES);
	if (!take_u16(&body, &linktype) || !take_u16(&body, &reserved) ||
	    !take_u32(&body, &snaplen))
		return set_error(errp, -EPROTO,
				 "pcapng: an interface block is too short");
	r->ifaces = xrealloc(r->ifaces,
			     (r->n_ifaces + (size_t)1) * sizeof(*r->ifaces));
	iface = &r->ifaces[r->n_ifaces++];
	memset(iface, 0, sizeof(*iface));
	iface->tsresol = 6; /* microseconds unless it says otherwise */
	iface->linktype = linktype;
	while (next_option(&body, &code, &p, &n)) {
		if (code == OPT_IF_NAME)
			copy_text(iface->name, p, n);
		else if (code == OPT_IF_TSRESOL && n == 1)
			iface->tsresol = *p;
	}
	return 0;
}

/* Units to nanoseconds; a resolution that makes no sense counts as nothing. */
static uint64_t to_ns(uint64_t units, uint8_t tsresol)
{
	unsigned int exponent = tsresol & 0x7f;

	if (tsresol & 0x80) /* a power of two */
		return exponent < 64
			       ? (uint64_t)((__uint128_t)units * 1000000000u >>
					    exponent)
			       : 0;
	for (; exponent < 9; exponent++)
		units *= 10;
	for (; exponent > 9 && units; exponent--)
		units /= 10;
	return units;
}

static bool read_packet(const struct pcapng_reader *r, struct cursor body,
			struct pcapng_packet *packet, char comment[PCAPNG_TEXT])
{
	uint32_t iface, high, low, captured, length, flags;
	struct cursor value;
	uint16_t code, n;
	const uint8_t *p;

	if (!take_u32(&body, &iface) || !take_u32(&body, &high) ||
	    !take_u32(&body, &low) || !take_u32(&body, &captured) ||
	    !take_u32(&body, &length) || iface >= r->n_ifaces ||
	    r->ifaces[iface].linktype != LINKTYPE_ETHERNET)
		return false;
	p = take_padded(&body, captured);
	if (!p)
		return false;
	*comment = '\0';
	*packet = (struct pcapng_packet){
		.iface = *r->ifaces[iface].name ? r->ifaces[iface].name : "?",
		.time_ns = to_ns((uint64_t)high << 32 | low,
				 r->ifaces[iface].tsresol),
		.comment = comment,
		.data = p,
		.captured = captured,
		.length = length,
	};
	while (next_option(&body, &code, &p, &n)) {
		value = (struct cursor){ p, n, body.swapped };
		if (code == OPT_COMMENT)
			copy_text(comment, p, n);
		else if (code == OPT_EPB_FLAGS && take_u32(&value, &flags))
			packet->direction = (flags & 3) == 1   ? PCAPNG_INBOUND
					    : (flags & 3) == 2 ? PCAPNG_OUTBOUND
							       : PCAPNG_UNKNOWN;
	}
	return true;
}

/* Each interface's block says what the whole capture lost. */
static void read_statistics(struct pcapng_reader *r, struct cursor body)
{
	uint32_t head[3];
	uint16_t code, n;
	const uint8_t *p;
	uint64_t lost;

	if (!take(&body, head, sizeof(head)))
		return;
	while (next_option(&body, &code, &p, &n)) {
		if (code != OPT_ISB_IFDROP || n != sizeof(lost))
			continue;
		memcpy(&lost, p, sizeof(lost));
		if (r->swapped)
			lost = __builtin_bswap64(lost);
		r->n_lost = MAX(r->n_lost, lost);
	}
}

/*
 * The type and length of the block that begins at p, of which n bytes are
 * there. Returns its length, 0 when more bytes are needed, or -EPROTO.
 */
static int block_length(struct pcapng_reader *r, const uint8_t *p, size_t n,
			uint32_t *type, char **errp)
{
	struct cursor c = { p, n, r->swapped };
	uint32_t length, magic;

	if (n < 12)
		return 0;
	take_u32(&c, type);
	/* A section's byte order shows in the word after its length. */
	if (*type == BLOCK_SECTION) {
		memcpy(&magic, p + 8, sizeof(magic));
		r->swapped = magic == __builtin_bswap32(BYTE_ORDER_MAGIC);
		c.swapped = r->swapped;
	} else if (!r->in_section) {
		return set_error(errp, -EPROTO,
				 "pcapng: it begins with no section header");
	}
	take_u32(&c, &length);
	if (length < 12 || length % 4 || length > PCAPNG_MAX_BLOCK)
		return set_error(errp, -EPROTO,
				 "pcapng: a block of %" PRIu32 " bytes",
				 length);
	return (int)length;
}

static int read_block(struct pcapng_reader *r, uint32_t type,
		      const uint8_t *block, size_t length,
		      pcapng_packet_fn *packet_fn, pcapng_block_fn *block_fn,
		      void *aux, bool *go_on, char **errp)
{
	struct cursor body = { block + 8, length - 12, r->swapped };
	struct pcapng_packet packet;
	char comment[PCAPNG_TEXT];
	int error = 0;

	if (type == BLOCK_SECTION)
		error = read_section(r, body, errp);
	else if (type == BLOCK_INTERFACE)
		error = read_interface(r, body, errp);
	else if (type == BLOCK_STATISTICS)
		read_statistics(r, body);
	if (error)
		return error;
	if (block_fn)
		*go_on = block_fn(block, length, type == BLOCK_PACKET, aux);
	if (*go_on && packet_fn && type == BLOCK_PACKET &&
	    read_packet(r, body, &packet, comment))
		*go_on = packet_fn(&packet, aux);
	return 0;
}

static void append(struct pcapng_reader *r, const void *data, size_t n)
{
	if (r->n + n > r->allocated) {
		r->allocated = MAX(r->n + n, r->allocated * 2);
		r->buf = xrealloc(r->buf, r->allocated);
	}
	memcpy(r->buf + r->n, data, n);
	r->n += n;
}

int pcapng_feed(struct pcapng_reader *r, const void *data, size_t n,
		pcapng_packet_fn *packet, pcapng_block_fn *block, void *aux,
		char **errp)
{
	size_t at = 0;
	bool go_on = true;
	int error = 0;

	if (!n)
		return 0;
	append(r, data, n);
	while (go_on && !error) {
		uint32_t type = 0;
		int length =
			block_length(r, r->buf + at, r->n - at, &type, errp);

		if (length <= 0) {
			error = length;
			break;
		}
		if (r->n - at < (size_t)length)
			break;
		error = read_block(r, type, r->buf + at, length, packet, block,
				   aux, &go_on, errp);
		at += length;
	}
	r->n -= at;
	memmove(r->buf, r->buf + at, r->n);
	return error;
}
