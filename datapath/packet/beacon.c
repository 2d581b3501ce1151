/* A bond's beacons to and from bytes; see the header for the format. */
#include "packet/beacon.h"

#include "packet/reader.h"

#define BEACON_MAGIC   0x76737762 /* "vswb" */
#define BEACON_VERSION 1

static void store_be64(uint8_t *p, uint64_t v)
{
	store_be32(p, (uint32_t)(v >> 32));
	store_be32(p + 4, (uint32_t)v);
}

static void store_mac(uint8_t *p, uint64_t mac)
{
	store_be16(p, (uint16_t)(mac >> 32));
	store_be32(p + 2, (uint32_t)mac);
}

void beacon_write(const struct beacon *beacon, uint8_t *frame)
{
	memset(frame, 0, BEACON_FRAME_LEN);
	store_mac(frame, MAC_BROADCAST);
	store_mac(frame + 6, beacon->mac);
	store_be16(frame + 12, BEACON_ETHERTYPE);
	store_be32(frame + 14, BEACON_MAGIC);
	frame[18] = BEACON_VERSION;
	store_be64(frame + 20, beacon->identity);
	store_mac(frame + 28, beacon->mac);
	store_be32(frame + 34, beacon->sequence);
}

bool beacon_parse(const void *frame, size_t n, struct beacon *beacon)
{
	struct reader r;
	uint64_t source;
	uint32_t magic;
	uint8_t version;
	uint16_t type;

	reader_init(&r, frame, n);
	reader_skip(&r, 6);
	source = reader_mac(&r);
	type = reader_be16(&r);
	magic = reader_be32(&r);
	version = reader_u8(&r);
	reader_skip(&r, 1);
	beacon->identity = (uint64_t)reader_be32(&r) << 32;
	beacon->identity |= reader_be32(&r);
	beacon->mac = reader_mac(&r);
	beacon->sequence = reader_be32(&r);
	return !r.failed && type == BEACON_ETHERTYPE && magic == BEACON_MAGIC &&
	       version == BEACON_VERSION && beacon->mac == source;
}
