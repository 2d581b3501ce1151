/* Half a byte at a time: a table of 16, for what is not worth a larger one. */
#include "packet/crc32c.h"

#include <endian.h>

#include "packet/cursor.h"

#define SCTP_CSUM_OFFSET 8

/* The remainders of 0 to 15 by the polynomial 0x1edc6f41, bits reversed. */
static const uint32_t remainders[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
	0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t crc32c_add(uint32_t crc, const void *data, size_t len)
{
	for (const uint8_t *at = data; len; at++, len--) {
		crc ^= *at;
		crc = crc >> 4 ^ remainders[crc & 15];
		crc = crc >> 4 ^ remainders[crc & 15];
	}
	return crc;
}

bool packet_finish_crc32c(struct packet *p, uint32_t start)
{
	uint32_t end = start + SCTP_CSUM_OFFSET + 4, crc = UINT32_MAX, n;
	const uint8_t *data;
	struct cursor c;

	if (!packet_pull(p, end))
		return false;
	memset(p->header + end - 4, 0, 4);
	cursor_init(&c, p);
	if (!cursor_skip(&c, start))
		return false;
	while ((n = cursor_take(&c, UINT32_MAX, &data)))
		crc = crc32c_add(crc, data, n);
	crc = htole32(~crc);
	memcpy(p->header + end - 4, &crc, 4);
	return true;
}
