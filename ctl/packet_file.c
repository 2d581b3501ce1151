#include "ctl/packet_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/pcapng.h"

/* The classic format (pcap-savefile(5)): a head and a record a packet. */
#define MAGIC_US      0xa1b2c3d4u
#define MAGIC_NS      0xa1b23c4du
#define HEAD_BYTES    24
#define RECORD_BYTES  16
#define LINK_ETHERNET 1
#define PCAPNG_MAGIC  0x0a0d0d0au

static uint32_t word_at(const uint8_t *at, bool swapped)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	return swapped ? __builtin_bswap32(word) : word;
}

static bool is_classic(const uint8_t *bytes, size_t n, bool *swapped)
{
	if (n < HEAD_BYTES)
		return false;
	for (int s = 0; s < 2; s++) {
		uint32_t magic = word_at(bytes, s);

		*swapped = s;
		if (magic == MAGIC_US || magic == MAGIC_NS)
			return true;
	}
	return false;
}

static int take(const uint8_t *data, uint32_t captured, uint32_t length,
		uint32_t n, uint8_t **frame, uint32_t *len, char **errp)
{
	if (captured < length)
		return set_error(errp, -EMSGSIZE,
				 "packet %u was cut when it was captured: %u "
				 "of %u bytes are there",
				 n, captured, length);
	if (captured > PACKET_FILE_BYTES_MAX || !captured)
		return set_error(errp, -EMSGSIZE, "packet %u has %u bytes", n,
				 captured);
	*frame = xmalloc(captured);
	memcpy(*frame, data, captured);
	*len = captured;
	return 0;
}

static int too_few(uint32_t n, uint32_t there, char **errp)
{
	return set_error(errp, -ENOENT,
			 "there is no packet %u: the file has %u", n, there);
}

static int get_classic(const uint8_t *bytes, size_t left, bool swapped,
		       uint32_t n, uint8_t **frame, uint32_t *len, char **errp)
{
	uint32_t link = word_at(bytes + 20, swapped) & 0xffff;
	uint32_t captured, i = 0;

	if (link != LINK_ETHERNET)
		return set_error(errp, -EPROTO,
				 "the file's packets are of link type %u, not "
				 "Ethernet's 1",
				 link);
	bytes += HEAD_BYTES;
	left -= HEAD_BYTES;
	while (left >= RECORD_BYTES) {
		captured = word_at(bytes + 8, swapped);
		if (captured > left - RECORD_BYTES)
			break;
		if (++i == n)
			return take(bytes + RECORD_BYTES, captured,
				    word_at(bytes + 12, swapped), n, frame, len,
				    errp);
		bytes += RECORD_BYTES + captured;
		left -= RECORD_BYTES + captured;
	}
	return too_few(n, i, errp);
}

struct search {
	uint32_t n, seen;
	uint8_t **frame;
	uint32_t *len;
	char **errp;
	int result;
};

static bool see_packet(const struct pcapng_packet *p, void *search_)
{
	struct search *s = search_;

	if (++s->seen < s->n)
		return true;
	s->result = take(p->data, p->captured, p->length, s->n, s->frame,
			 s->len, s->errp);
	return false;
}

static int get_pcapng(const uint8_t *bytes, size_t n_bytes, struct search *s)
{
	struct pcapng_reader *reader = pcapng_reader_create();
	int error = pcapng_feed(reader, bytes, n_bytes, see_packet, NULL, s,
				s->errp);

	pcapng_reader_destroy(reader);
	if (error)
		return error;
	return s->seen < s->n ? too_few(s->n, s->seen, s->errp) : s->result;
}

int packet_file_get(const uint8_t *bytes, size_t n_bytes, uint32_t n,
		    uint8_t **frame, uint32_t *len, char **errp)
{
	struct search search = {
		.n = n, .frame = frame, .len = len, .errp = errp
	};
	bool swapped;

	if (is_classic(bytes, n_bytes, &swapped))
		return get_classic(bytes, n_bytes, swapped, n, frame, len,
				   errp);
	if (n_bytes >= 4 && word_at(bytes, false) == PCAPNG_MAGIC)
		return get_pcapng(bytes, n_bytes, &search);
	return set_error(errp, -EPROTO, "neither pcap nor pcapng");
}
