/* Orders for disks (virtio 1.2, 5.2). */
#include "virtio.h"

enum {
	BLK_F_RO = 5,
	BLK_F_FLUSH = 9,
	BLK_F_DISCARD = 13,
	BLK_F_WRITE_ZEROES = 14,
	BLK_IN = 0,
	BLK_OUT = 1,
	BLK_FLUSH = 4,
	BLK_GET_ID = 8,
	BLK_DISCARD = 11,
	BLK_WRITE_ZEROES = 13,
	BLK_OK = 0,
	BLK_IOERR = 1,
	SECTOR = 512,
	PATTERN_SECTORS = 32,
};

struct blk_header {
	uint32_t type, reserved;
	uint64_t sector;
};

struct blk_range {
	uint64_t sector;
	uint32_t n_sectors, flags;
};

struct disk {
	struct virtio virtio;
	struct ring *ring;
	uint64_t n_sectors;
	struct blk_header *header;
	volatile uint8_t *status;
};

static void open_disk(struct disk *disk)
{
	virtio_of_order(&disk->virtio, VIRTIO_BLK);
	virtio_negotiate(&disk->virtio, 1 << BLK_F_RO | 1 << BLK_F_FLUSH |
						1 << BLK_F_DISCARD |
						1 << BLK_F_WRITE_ZEROES);
	disk->ring = virtio_ring(&disk->virtio, 0, 64, MAX_CHAIN);
	virtio_ready(&disk->virtio);
	disk->n_sectors = read_uint32_t(disk->virtio.config) |
			  (uint64_t)read_uint32_t(disk->virtio.config + 4)
				  << 32;
	disk->header = allocate(sizeof(*disk->header), 16);
	disk->status = allocate(1, 1);
}

/* Of up to two parts of data. */
static uint8_t request(struct disk *disk, uint32_t type, uint64_t sector,
		       struct buffer one, struct buffer two)
{
	struct buffer buffers[4] = { { disk->header, 16, false }, one };
	unsigned int n = 1 + !!one.length;
	uint32_t written, expected = 1;
	uint16_t id;

	if (two.length)
		buffers[n++] = two;
	buffers[n++] = (struct buffer){ (void *)disk->status, 1, true };
	*disk->header = (struct blk_header){ type, 0, sector };
	*disk->status = 0xff;
	ring_add(disk->ring, 0, buffers, n);
	ring_kick(disk->ring);
	ring_wait(disk->ring, &id, &written);
	CHECK(id == 0, "request %u came back", id);
	for (unsigned int i = 1; i < n - 1; i++)
		expected += buffers[i].in ? buffers[i].length : 0;
	CHECK(*disk->status != 0xff && written >= 1 && written <= expected,
	      "type %u: status %u, %u bytes written of %u", type, *disk->status,
	      written, expected);
	return *disk->status;
}

static const struct buffer nothing;

static uint8_t transfer(struct disk *disk, bool in, uint64_t sector,
			uint8_t *data, uint32_t length)
{
	/* In two parts that end within a sector. */
	uint32_t first = length > 700 ? 700 : length;

	return request(disk, in ? BLK_IN : BLK_OUT, sector,
		       (struct buffer){ data, first, in },
		       (struct buffer){ data + first, length - first, in });
}

static void flush(struct disk *disk)
{
	if (has(&disk->virtio, BLK_F_FLUSH))
		CHECK(request(disk, BLK_FLUSH, 0, nothing, nothing) == BLK_OK,
		      "flush failed");
}

static void fill(uint8_t *data, uint32_t length, uint32_t seed)
{
	for (uint32_t i = 0; i < length; i++) {
		seed = seed * 1664525 + 1013904223;
		data[i] = seed >> 24;
	}
}

static bool is_filled(const uint8_t *data, uint32_t length, uint8_t value)
{
	for (uint32_t i = 0; i < length; i++) {
		if (data[i] != value)
			return false;
	}
	return true;
}

static uint8_t range(struct disk *disk, uint32_t type, uint64_t sector,
		     uint32_t n)
{
	struct blk_range *r = allocate(sizeof(*r), 16);

	*r = (struct blk_range){ sector, n, 0 };
	return request(disk, type, 0, (struct buffer){ r, sizeof(*r), false },
		       nothing);
}

/* Zeroes some sectors, and sees that no others. */
static void try_range(struct disk *disk, uint32_t type, uint64_t sector,
		      uint8_t *data)
{
	uint32_t length = PATTERN_SECTORS * SECTOR;

	CHECK(range(disk, type, sector + 8, 16) == BLK_OK, "range %u failed",
	      type);
	CHECK(range(disk, type, disk->n_sectors - 1, 2) != BLK_OK,
	      "range %u behind the end succeeded", type);
	CHECK(range(disk, type, UINT64_MAX - 3, 8) != BLK_OK,
	      "range %u that wraps succeeded", type);
	CHECK(transfer(disk, true, sector, data, length) == BLK_OK,
	      "read failed");
	/* What was discarded may hold anything. */
	CHECK(type == BLK_DISCARD ||
		      is_filled(data + 8 * SECTOR, 16 * SECTOR, 0),
	      "not zeroes");
	CHECK(!is_filled(data + 7 * SECTOR, SECTOR, 0) &&
		      !is_filled(data + 24 * SECTOR, SECTOR, 0),
	      "neighbours are gone");
}

/* blk[,nth=N][,seed=N][,at=SECTOR][,keep][,check][,ro] */
static void run_blk(void)
{
	uint32_t length = PATTERN_SECTORS * SECTOR;
	uint32_t seed = (uint32_t)number_argument("seed", 1);
	uint64_t sector = number_argument("at", 3);
	uint8_t *data = allocate(length, 4096), *got = allocate(length, 4096);
	struct disk disk;

	open_disk(&disk);
	memset(got, 0, 20);
	CHECK(request(&disk, BLK_GET_ID, 0, (struct buffer){ got, 20, true },
		      nothing) == BLK_OK,
	      "no name");
	print("disk of %lu sectors, named %s, features %lx\n", disk.n_sectors,
	      (char *)got, disk.virtio.features);
	fill(data, length, seed);
	if (!argument("check")) {
		bool written =
			transfer(&disk, false, sector, data, length) == BLK_OK;

		CHECK(written == !argument("ro"), "write: %s",
		      written ? "done" : "failed");
		CHECK(!argument("ro") || has(&disk.virtio, BLK_F_RO),
		      "not said to be read-only");
		flush(&disk);
	}
	CHECK(transfer(&disk, true, sector, got, length) == BLK_OK,
	      "read failed");
	CHECK(argument("ro") || !memcmp(data, got, length),
	      "other data than written");
	CHECK(transfer(&disk, true, disk.n_sectors - 1, got, 2 * SECTOR) ==
			      BLK_IOERR &&
		      transfer(&disk, true, UINT64_MAX, got, SECTOR) ==
			      BLK_IOERR,
	      "read behind the end");
	CHECK(request(&disk, 12345, 0, nothing, nothing) == 2,
	      "an unknown request is not refused");
	if (argument("keep") || argument("check") || argument("ro"))
		return;
	if (has(&disk.virtio, BLK_F_DISCARD))
		try_range(&disk, BLK_DISCARD, sector, got);
	if (has(&disk.virtio, BLK_F_WRITE_ZEROES))
		try_range(&disk, BLK_WRITE_ZEROES, sector, got);
	virtio_reset(&disk.virtio);
}

/* Many requests under way at once: blkload[,nth=N][,rounds=N] */
static void run_blkload(void)
{
	enum { N = 8, LENGTH = 8192 };
	struct disk disk;
	struct blk_header *headers;
	uint8_t *status, *data;
	uint64_t rounds = number_argument("rounds", 20);

	open_disk(&disk);
	headers = allocate(N * sizeof(*headers), 16);
	status = allocate(N, 16);
	data = allocate(N * LENGTH, 4096);
	for (uint64_t i = 0; i < rounds * N; i++) {
		uint16_t id = (uint16_t)(i % N);
		uint32_t written;

		if (i >= N) {
			ring_wait(disk.ring, &id, &written);
			CHECK(status[id] == BLK_OK, "status %u", status[id]);
		}
		headers[id] = (struct blk_header){ i / N & 1 ? BLK_IN : BLK_OUT,
						   0, id * LENGTH / SECTOR };
		status[id] = 0xff;
		ring_add(disk.ring, id,
			 (struct buffer[]){
				 { &headers[id], 16, false },
				 { data + id * LENGTH, LENGTH, i / N & 1 },
				 { &status[id], 1, true },
			 },
			 3);
		ring_kick(disk.ring);
	}
	/* The rest is under way: a reset has to wait for it. */
	virtio_reset(&disk.virtio);
}

const struct order orders_blk[] = {
	{ "blk", run_blk },
	{ "blkload", run_blkload },
	{ NULL, NULL },
};
