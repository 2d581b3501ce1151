/*
 * A disk in a raw file or block device (virtio 1.2, 5.2).
 *
 * A thread of its own does one request after the other, without the device's
 * lock while it reads and writes, so that a slow disk holds up nobody but its
 * user. What the guest has not been told as a write-back cache (FLUSH) is
 * written through.
 *
 * The guest's blocks are of 512 bytes, as partition tables on images are made
 * for, or of a block device's own size. Where O_DIRECT wants more than a
 * request gives, in memory or in the file, the request goes through a buffer,
 * blocks that it only touches are read first.
 */
#include "vmm/virtio/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/virtio_blk.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/host/sandbox.h"
#include "vmm/virtio/own.h"

LOG_MODULE(blk);

enum {
	BLK_SECTOR = 512,
	BLK_MAX_REQUEST = 64 << 20,	   /* bytes: how long one may take */
	BLK_MAX_DISCARD = (1 << 30) / 512, /* sectors of a range */
	BLK_MAX_RANGES = 16,		   /* to discard; to clear: 1 */
	BLK_BUFFER = 256 << 10,
};

struct blk {
	struct virtio_own own;
	struct virtio_blk_config config;
	char serial[VIRTIO_BLK_ID_BYTES];
	int fd;
	bool read_only;
	uint64_t size;	/* bytes */
	uint32_t block; /* the guest's, and what O_DIRECT wants at least: */
	uint32_t align;
	uint8_t *buffer; /* made when first needed; the worker's */

	pthread_t worker;	   /* from the first activation on */
	pthread_cond_t work, idle; /* both with the device's lock */
	bool has_worker, busy, quit;
};

/* A request's data, and where it goes. */
struct blk_data {
	struct iovec iov[VIRTQUEUE_MAX_SEGMENTS];
	unsigned int n;
	bool write;
	uint64_t offset;
	uint64_t length;
};

/* All of it, straight from and to memory. */
static int blk_transfer(struct blk *blk, struct blk_data *data)
{
	while (data->length) {
		ssize_t n = data->write ? pwritev(blk->fd, data->iov, data->n,
						  data->offset)
					: preadv(blk->fd, data->iov, data->n,
						 data->offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO; /* the file was cut off */
		data->n = iov_cut(data->iov, data->iov, data->n, n, SIZE_MAX);
		data->offset += n;
		data->length -= n;
	}
	return 0;
}

static int blk_buffer_io(struct blk *blk, bool write, uint64_t offset,
			 size_t length)
{
	struct blk_data data = { .iov = { { blk->buffer, length } },
				 .n = 1,
				 .write = write,
				 .offset = offset,
				 .length = length };

	return blk_transfer(blk, &data);
}

/* Copies to or from the first bytes of iov; without one writes zeroes. */
static void blk_copy(const struct blk_data *data, uint8_t *bytes, size_t length)
{
	if (!data->n)
		memset(bytes, 0, length);
	for (unsigned int i = 0; i < data->n && length; i++) {
		size_t n = MIN(length, data->iov[i].iov_len);

		if (data->write)
			memcpy(bytes, data->iov[i].iov_base, n);
		else
			memcpy(data->iov[i].iov_base, bytes, n);
		bytes += n;
		length -= n;
	}
}

/* The same by way of the buffer, in whole aligned blocks. */
static int blk_transfer_buffered(struct blk *blk, struct blk_data *data)
{
	const uint64_t mask = blk->align - 1;
	int error = 0;

	if (!blk->buffer && posix_memalign((void **)&blk->buffer,
					   MAX(blk->align, 4096u), BLK_BUFFER))
		return -ENOMEM;
	while (data->length && !error) {
		uint64_t start = data->offset & ~mask;
		size_t skip = data->offset - start;
		size_t piece = MIN(data->length, BLK_BUFFER - skip);
		size_t whole = (skip + piece + mask) & ~mask;

		if (!data->write || skip + piece != whole || skip)
			error = blk_buffer_io(blk, false, start, whole);
		if (!error)
			blk_copy(data, blk->buffer + skip, piece);
		if (!error && data->write)
			error = blk_buffer_io(blk, true, start, whole);
		data->n =
			iov_cut(data->iov, data->iov, data->n, piece, SIZE_MAX);
		data->offset += piece;
		data->length -= piece;
	}
	return error;
}

static bool blk_in_range(const struct blk *blk, uint64_t sector,
			 uint64_t length)
{
	return sector <= blk->size / BLK_SECTOR &&
	       length <= blk->size - sector * BLK_SECTOR &&
	       !(sector * BLK_SECTOR % blk->block) && !(length % blk->block);
}

static int blk_read_write(struct blk *blk, const struct virtqueue_chain *chain,
			  bool write, uint64_t sector)
{
	size_t skip = write ? sizeof(struct virtio_blk_outhdr) : 0;
	struct blk_data data = {
		.write = write,
		.length =
			write ? chain->out_length - skip : chain->in_length - 1,
	};
	bool aligned;

	if ((write && blk->read_only) || data.length > BLK_MAX_REQUEST ||
	    !blk_in_range(blk, sector, data.length))
		return -EINVAL;
	data.offset = sector * BLK_SECTOR;
	data.n = iov_cut(data.iov, write ? chain->out : chain->in,
			 write ? chain->n_out : chain->n_in, skip, data.length);
	aligned = !(data.offset & (blk->align - 1));
	for (unsigned int i = 0; i < data.n; i++)
		aligned &= !(((uintptr_t)data.iov[i].iov_base |
			      data.iov[i].iov_len) &
			     (blk->align - 1));
	return aligned ? blk_transfer(blk, &data)
		       : blk_transfer_buffered(blk, &data);
}

/* One range of a request to discard or to write zeroes. */
static int blk_clear(struct blk *blk, bool unmap, uint64_t offset,
		     uint64_t length)
{
	int mode = unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
	struct blk_data zeroes = { .write = true,
				   .offset = offset,
				   .length = length };

	if (!length ||
	    !fallocate(blk->fd, mode | FALLOC_FL_KEEP_SIZE, offset, length))
		return 0;
	if (errno != EOPNOTSUPP)
		return -errno;
	return blk_transfer_buffered(blk, &zeroes);
}

static int blk_discard(struct blk *blk, const struct virtqueue_chain *chain,
		       bool discard)
{
	struct virtio_blk_discard_write_zeroes ranges[BLK_MAX_RANGES];
	size_t length = chain->out_length - sizeof(struct virtio_blk_outhdr);
	size_t n = length / sizeof ranges[0];
	int error = 0;

	if (blk->read_only || !n || length % sizeof ranges[0] ||
	    n > (discard ? BLK_MAX_RANGES : 1))
		return -EINVAL;
	virtqueue_read(chain, sizeof(struct virtio_blk_outhdr), ranges, length);
	for (size_t i = 0; i < n; i++) {
		uint32_t flags = ranges[i].flags;

		if (flags &
		    ~(discard ? 0u : VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP))
			return -EOPNOTSUPP;
		if (ranges[i].num_sectors > BLK_MAX_DISCARD ||
		    !blk_in_range(blk, ranges[i].sector,
				  (uint64_t)ranges[i].num_sectors * BLK_SECTOR))
			return -EINVAL;
	}
	for (size_t i = 0; i < n && !error; i++)
		error = blk_clear(blk, discard || ranges[i].flags,
				  ranges[i].sector * BLK_SECTOR,
				  (uint64_t)ranges[i].num_sectors * BLK_SECTOR);
	return error;
}

/* The worker, without the lock. Returns what the guest is told: 0 or -errno. */
static int blk_request(struct blk *blk, const struct virtqueue_chain *chain,
		       const struct virtio_blk_outhdr *header)
{
	uint32_t type = header->type;
	uint64_t sector = header->sector;
	bool through = !virtio_has(&blk->own.device, VIRTIO_BLK_F_FLUSH);
	int error;

	switch (type) {
	case VIRTIO_BLK_T_IN:
		return blk_read_write(blk, chain, false, sector);
	case VIRTIO_BLK_T_GET_ID:
		virtqueue_write(chain, 0, blk->serial,
				MIN(chain->in_length - 1, sizeof blk->serial));
		return 0;
	case VIRTIO_BLK_T_OUT:
		error = blk_read_write(blk, chain, true, sector);
		break;
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		error = blk_discard(blk, chain, type == VIRTIO_BLK_T_DISCARD);
		break;
	case VIRTIO_BLK_T_FLUSH:
		error = 0;
		through = true;
		break;
	default:
		return -EOPNOTSUPP;
	}
	if (!error && through && !blk->read_only && fdatasync(blk->fd) < 0)
		error = -errno;
	return error;
}

/* Returns how much of the buffer is written, the status byte last. */
static uint32_t blk_execute(struct blk *blk,
			    const struct virtqueue_chain *chain)
{
	struct virtio_blk_outhdr header;
	uint8_t status = VIRTIO_BLK_S_OK;
	int error;

	virtqueue_read(chain, 0, &header, sizeof header);
	error = blk_request(blk, chain, &header);
	if (error == -EOPNOTSUPP)
		status = VIRTIO_BLK_S_UNSUPP;
	else if (error)
		status = VIRTIO_BLK_S_IOERR;
	if (error && error != -EINVAL && error != -EOPNOTSUPP)
		log_err_limited("disk %.*s: request %u at sector %llu: %s",
				VIRTIO_BLK_ID_BYTES, blk->serial, header.type,
				(unsigned long long)header.sector,
				strerror(-error));
	virtqueue_write(chain, chain->in_length - 1, &status, 1);
	return MIN(chain->in_length, UINT32_MAX);
}

static bool blk_next(struct blk *blk, struct virtqueue_chain *chain)
{
	struct virtio_queue *queue = &blk->own.device.queues[0];

	do {
		virtqueue_disable_kicks(queue);
		if (!virtqueue_pop(queue, chain))
			continue;
		if (chain->in_length &&
		    chain->out_length >= sizeof(struct virtio_blk_outhdr))
			return true;
		virtqueue_break(queue, "a request without header or status");
	} while (virtqueue_enable_kicks(queue));
	return false;
}

static void *blk_work(void *aux)
{
	struct blk *blk = aux;
	struct virtio_device *device = &blk->own.device;
	struct virtqueue_chain chain;
	char *error = NULL;
	uint32_t written;

	if (vm_sandbox_thread(VM_THREAD_IO, &error)) {
		log_emer("%s", error);
		_exit(EXIT_FAILURE);
	}
	pthread_mutex_lock(&device->lock);
	while (!blk->quit) {
		blk->busy = blk->own.running && blk_next(blk, &chain);
		if (!blk->busy) {
			pthread_cond_signal(&blk->idle);
			pthread_cond_wait(&blk->work, &device->lock);
			continue;
		}
		pthread_mutex_unlock(&device->lock);
		written = blk_execute(blk, &chain);
		pthread_mutex_lock(&device->lock);
		virtqueue_push(&device->queues[0], &chain, written);
		virtqueue_notify(&device->queues[0]);
	}
	pthread_mutex_unlock(&device->lock);
	return NULL;
}

static void blk_kicked(struct virtio_queue *queue)
{
	pthread_cond_signal(&((struct blk *)queue->device)->work);
}

static int blk_activate(struct virtio_device *device)
{
	struct blk *blk = (struct blk *)device;
	int error;

	if (!blk->has_worker) {
		error = pthread_create(&blk->worker, NULL, blk_work, blk);
		if (error)
			return -error;
		blk->has_worker = true;
	}
	return virtio_own_start(device);
}

/* Waits for the request that is under way: the lock is open meanwhile. */
static void blk_deactivate(struct virtio_device *device)
{
	struct blk *blk = (struct blk *)device;

	virtio_own_stop(device);
	while (blk->busy)
		pthread_cond_wait(&blk->idle, &device->lock);
}

static void blk_destroy(struct virtio_device *device)
{
	struct blk *blk = (struct blk *)device;

	pthread_mutex_lock(&device->lock);
	blk->quit = true;
	pthread_cond_signal(&blk->work);
	pthread_mutex_unlock(&device->lock);
	if (blk->has_worker)
		pthread_join(blk->worker, NULL);
	pthread_cond_destroy(&blk->work);
	pthread_cond_destroy(&blk->idle);
	virtio_own_uninit(&blk->own);
	close(blk->fd);
	free(blk->buffer);
	free(blk);
}

static const struct virtio_ops blk_ops = {
	.name = "blk",
	.config_read = virtio_own_config_read,
	.activate = blk_activate,
	.deactivate = blk_deactivate,
	.destroy = blk_destroy,
};

/* Size, block size, and what O_DIRECT asks for. */
static int blk_measure(struct blk *blk, char **errp)
{
	int flags = fcntl(blk->fd, F_GETFL), logical = BLK_SECTOR;
	struct statx s;

	if (flags < 0 || statx(blk->fd, "", AT_EMPTY_PATH,
			       STATX_TYPE | STATX_SIZE | STATX_DIOALIGN, &s))
		return set_error(errp, -errno, "the disk's file: %s",
				 strerror(errno));
	if (S_ISBLK(s.stx_mode)) {
		if (ioctl(blk->fd, BLKGETSIZE64, &blk->size) < 0 ||
		    ioctl(blk->fd, BLKSSZGET, &logical) < 0)
			return set_error(errp, -errno,
					 "the disk's size is not to be had: %s",
					 strerror(errno));
	} else if (S_ISREG(s.stx_mode)) {
		blk->size = s.stx_size;
	} else {
		return set_error(errp, -EINVAL,
				 "a disk is a file or a block device");
	}
	blk->block = logical;
	blk->align = 1;
	if (flags & O_DIRECT) {
		blk->align = S_ISBLK(s.stx_mode) ? (uint32_t)logical : 4096;
		if (s.stx_mask & STATX_DIOALIGN && s.stx_dio_offset_align)
			blk->align = MAX(s.stx_dio_offset_align,
					 s.stx_dio_mem_align);
	}
	if (blk->block < BLK_SECTOR || blk->block > 65536 ||
	    blk->align > 65536 || blk->align & (blk->align - 1))
		return set_error(errp, -EINVAL,
				 "the disk has blocks of %u bytes, which is "
				 "not supported",
				 MAX(blk->block, blk->align));
	if (!blk->size || blk->size % MAX(blk->block, blk->align))
		return set_error(errp, -EINVAL,
				 "the disk has %llu bytes, which is no "
				 "multiple of its blocks of %u: make it larger",
				 (unsigned long long)blk->size,
				 MAX(blk->block, blk->align));
	return 0;
}

static void blk_configure(struct blk *blk)
{
	struct virtio_device *device = &blk->own.device;
	uint32_t physical = MAX(MAX(blk->align, blk->block), 4096u);

	blk->config = (struct virtio_blk_config){
		.capacity = blk->size / BLK_SECTOR,
		.seg_max = VIRTQUEUE_MAX_SEGMENTS - 2,
		.blk_size = blk->block,
		.physical_block_exp = __builtin_ctz(physical / blk->block),
		.num_queues = 1,
		.max_discard_sectors = BLK_MAX_DISCARD,
		.max_discard_seg = BLK_MAX_RANGES,
		.discard_sector_alignment = physical / BLK_SECTOR,
		.max_write_zeroes_sectors = BLK_MAX_DISCARD,
		.max_write_zeroes_seg = 1,
		.write_zeroes_may_unmap = 1,
	};
	blk->own.config = &blk->config;
	device->type = VIRTIO_ID_BLOCK;
	device->config_size = sizeof blk->config;
	device->offered = VIRTIO_OWN_FEATURES | 1ull << VIRTIO_BLK_F_SEG_MAX |
			  1ull << VIRTIO_BLK_F_BLK_SIZE |
			  1ull << VIRTIO_BLK_F_TOPOLOGY |
			  1ull << VIRTIO_BLK_F_FLUSH;
	if (blk->read_only)
		device->offered |= 1ull << VIRTIO_BLK_F_RO;
	else
		device->offered |= 1ull << VIRTIO_BLK_F_DISCARD |
				   1ull << VIRTIO_BLK_F_WRITE_ZEROES;
}

struct virtio_device *virtio_blk_raw_create(struct event_base *loop,
					    const struct guest_memory *memory,
					    int fd, bool read_only,
					    const char *serial, char **errp)
{
	static const uint16_t sizes[] = { 256 };
	struct blk *blk = xcalloc(1, sizeof *blk);

	virtio_device_init(&blk->own.device, &blk_ops, memory, 1, sizes);
	blk->own.loop = loop;
	blk->own.kicked = blk_kicked;
	blk->fd = fd;
	blk->read_only = read_only;
	memcpy(blk->serial, serial, strnlen(serial, sizeof blk->serial));
	pthread_cond_init(&blk->work, NULL);
	pthread_cond_init(&blk->idle, NULL);
	if (blk_measure(blk, errp)) {
		blk_destroy(&blk->own.device);
		return NULL;
	}
	blk_configure(blk);
	return &blk->own.device;
}
