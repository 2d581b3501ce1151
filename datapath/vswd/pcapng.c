#include "vswd/pcapng.h"

#include <string.h>

enum block_type {
	BLOCK_INTERFACE = 1,
	BLOCK_STATISTICS = 5,
	BLOCK_PACKET = 6,
	BLOCK_SECTION = 0x0a0d0d0a,
};

enum option_code {
	OPT_END = 0,
	OPT_COMMENT = 1,
	SHB_USERAPPL = 4,
	IF_NAME = 2,
	IF_TSRESOL = 9,
	IF_FILTER = 11,
	EPB_FLAGS = 2,
	ISB_IFRECV = 4,
	ISB_IFDROP = 5,
};

#define BYTE_ORDER_MAGIC  0x1a2b3c4d
#define LINKTYPE_ETHERNET 1
#define RESOLUTION_NS	  9
#define FILTER_IS_LIBPCAP 0
#define OPTION_VALUE_MAX  1024

/* Everything in a block is padded to four bytes. */
static size_t pad(size_t n)
{
	return -n & 3;
}

static void put_padding(struct evbuffer *out, size_t n)
{
	evbuffer_add(out, "\0\0\0", pad(n));
}

static size_t option_size(size_t value_len)
{
	return 4 + value_len + pad(value_len);
}

static void put_option(struct evbuffer *out, uint16_t code, const void *value,
		       uint16_t len)
{
	const uint16_t head[2] = { code, len };

	evbuffer_add(out, head, sizeof(head));
	evbuffer_add(out, value, len);
	put_padding(out, len);
}

static void put_end(struct evbuffer *out)
{
	put_option(out, OPT_END, "", 0);
}

/* A block is type, length, body and the length again. */
static void begin(struct evbuffer *out, uint32_t type, size_t body)
{
	const uint32_t head[2] = { type, body + 12 };

	evbuffer_add(out, head, sizeof(head));
}

static void end(struct evbuffer *out, size_t body)
{
	const uint32_t tail = body + 12;

	evbuffer_add(out, &tail, sizeof(tail));
}

static size_t text_len(const char *text)
{
	return strnlen(text, OPTION_VALUE_MAX);
}

void pcapng_section(struct evbuffer *out, const char *application)
{
	const struct {
		uint32_t magic;
		uint16_t major, minor;
		int64_t length; /* not known */
	} __attribute__((packed)) body = { BYTE_ORDER_MAGIC, 1, 0, -1 };
	size_t n = text_len(application);
	size_t size = sizeof(body) + option_size(n) + option_size(0);

	begin(out, BLOCK_SECTION, size);
	evbuffer_add(out, &body, sizeof(body));
	put_option(out, SHB_USERAPPL, application, n);
	put_end(out);
	end(out, size);
}

void pcapng_interface(struct evbuffer *out, const char *name,
		      const char *filter, uint32_t snaplen)
{
	const struct {
		uint16_t linktype, reserved;
		uint32_t snaplen;
	} body = { LINKTYPE_ETHERNET, 0, snaplen };
	const uint8_t resolution = RESOLUTION_NS;
	char filter_value[1 + OPTION_VALUE_MAX] = { FILTER_IS_LIBPCAP };
	size_t n_name = text_len(name);
	size_t n_filter = filter ? 1 + text_len(filter) : 0;
	size_t size = sizeof(body) + option_size(n_name) + option_size(1) +
		      (filter ? option_size(n_filter) : 0) + option_size(0);

	begin(out, BLOCK_INTERFACE, size);
	evbuffer_add(out, &body, sizeof(body));
	put_option(out, IF_NAME, name, n_name);
	put_option(out, IF_TSRESOL, &resolution, 1);
	if (filter) {
		memcpy(filter_value + 1, filter, n_filter - 1);
		put_option(out, IF_FILTER, filter_value, n_filter);
	}
	put_end(out);
	end(out, size);
}

void pcapng_packet(struct evbuffer *out, const struct pcapng_packet *p)
{
	const uint32_t flags = p->direction;
	const uint32_t body[5] = { p->interface, p->time_ns >> 32, p->time_ns,
				   p->captured_len, p->len };
	size_t n_comment = p->comment ? text_len(p->comment) : 0;
	size_t size = sizeof(body) + p->captured_len + pad(p->captured_len) +
		      option_size(sizeof(flags)) +
		      (p->comment ? option_size(n_comment) : 0) +
		      option_size(0);

	begin(out, BLOCK_PACKET, size);
	evbuffer_add(out, body, sizeof(body));
	evbuffer_add(out, p->data, p->captured_len);
	put_padding(out, p->captured_len);
	put_option(out, EPB_FLAGS, &flags, sizeof(flags));
	if (p->comment)
		put_option(out, OPT_COMMENT, p->comment, n_comment);
	put_end(out);
	end(out, size);
}

void pcapng_statistics(struct evbuffer *out, uint32_t interface,
		       uint64_t time_ns, uint64_t received, uint64_t lost)
{
	const uint32_t body[3] = { interface, time_ns >> 32, time_ns };
	size_t size = sizeof(body) + 2 * option_size(8) + option_size(0);

	begin(out, BLOCK_STATISTICS, size);
	evbuffer_add(out, body, sizeof(body));
	put_option(out, ISB_IFRECV, &received, sizeof(received));
	put_option(out, ISB_IFDROP, &lost, sizeof(lost));
	put_end(out);
	end(out, size);
}
