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

/* All of it, straight from and to memory. */
static int blk_transfer(struct blk *blk, bool write, struct iovec *iov,
			unsigned int n_iov, uint64_t offset)
{
	while (n_iov) {
		ssize_t n = write ? pwritev(blk->fd, iov, n_iov, offset)
				  : preadv(blk->fd, iov, n_iov, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO; /* the file was cut off */
		n_iov = iov_cut(iov, iov, n_iov, n, SIZE_MAX);
		offset += n;
	}
	return 0;
}

/* The same by way of the buffer, in whole aligned blocks; `at`: of the data in
 * the chain. */
static int blk_transfer_buffered(struct blk *blk, bool write,
				 const struct virtqueue_chain *chain, size_t at,
				 uint64_t offset, uint64_t length)
{
	const uint64_t mask = blk->align - 1;
	int error = 0;

	if (!blk->buffer && posix_memalign((void **)&blk->buffer,
					   MAX(blk->align, 4096u), BLK_BUFFER))
		return -ENOMEM;
	while (length && !error) {
		uint64_t start = offset & ~mask;
		size_t skip = offset - start;
		size_t piece = MIN(length, BLK_BUFFER - skip);
		size_t whole = (skip + piece + mask) & ~mask;
		struct iovec all = { blk->buffer, whole };

		if (!write || piece != whole)
			error = blk_transfer(blk, false, &all, 1, start);
		all = (struct iovec){ blk->buffer, whole };
		if (write && !error) {
			virtqueue_read(chain, at, blk->buffer + skip, piece);
			error = blk_transfer(blk, true, &all, 1, start);
		} else if (!error) {
			virtqueue_write(chain, at, blk->buffer + skip, piece);
		}
		at += piece;
		offset += piece;
		length -= piece;
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
	size_t at = write ? sizeof(struct virtio_blk_outhdr) : 0;
	uint64_t length = write ? chain->out_length - at : chain->in_length - 1;
	uint64_t offset = sector * BLK_SECTOR, places = offset;
	struct iovec iov[VIRTQUEUE_MAX_SEGMENTS];
	unsigned int n;

	if ((write && blk->read_only) || length > BLK_MAX_REQUEST ||
	    !blk_in_range(blk, sector, length))
		return -EINVAL;
	n = iov_cut(iov, write ? chain->out : chain->in,
		    write ? chain->n_out : chain->n_in, at, length);
	for (unsigned int i = 0; i < n; i++)
		places |= (uintptr_t)iov[i].iov_base | iov[i].iov_len;
	return (places & (blk->align - 1))
		       ? blk_transfer_buffered(blk, write, chain, at, offset,
					       length)
		       : blk_transfer(blk, write, iov, n, offset);
}

static int blk_discard(struct blk *blk, const struct virtqueue_chain *chain)
{
	const size_t header = sizeof(struct virtio_blk_outhdr);
	struct virtio_blk_discard_write_zeroes range;
	uint64_t length;

	if (blk->read_only || chain->out_length != header + sizeof range)
		return -EINVAL;
	virtqueue_read(chain, header, &range, sizeof range);
	length = (uint64_t)range.num_sectors * BLK_SECTOR;
	if (range.flags)
		return -EOPNOTSUPP;
	if (range.num_sectors > BLK_MAX_DISCARD ||
	    !blk_in_range(blk, range.sector, length))
		return -EINVAL;
	if (length &&
	    fallocate(blk->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      range.sector * BLK_SECTOR, length))
		return -errno;
	return 0;
}

/* The worker, without the lock. Returns what the guest is told: 0 or -errno. */
static int blk_request(struct blk *blk, const struct virtqueue_chain *chain,
		       const struct virtio_blk_outhdr *header)
{
	bool through = !virtio_has(&blk->own.device, VIRTIO_BLK_F_FLUSH);
	int error;

	switch (header->type) {
	case VIRTIO_BLK_T_IN:
		return blk_read_write(blk, chain, false, header->sector);
	case VIRTIO_BLK_T_GET_ID:
		virtqueue_write(chain, 0, blk->serial,
				MIN(chain->in_length - 1, sizeof blk->serial));
		return 0;
	case VIRTIO_BLK_T_OUT:
		error = blk_read_write(blk, chain, true, header->sector);
		break;
	case VIRTIO_BLK_T_DISCARD:
		error = blk_discard(blk, chain);
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

static const struct virtio_own_kind blk_kind = {
	.ops = {
		.name = "blk",
		.activate = blk_activate,
		.deactivate = blk_deactivate,
		.destroy = blk_destroy,
	},
	.type = VIRTIO_ID_BLOCK,
	.features = 1ull << VIRTIO_BLK_F_SEG_MAX |
		    1ull << VIRTIO_BLK_F_BLK_SIZE |
		    1ull << VIRTIO_BLK_F_TOPOLOGY | 1ull << VIRTIO_BLK_F_FLUSH,
	.config_size = sizeof(struct virtio_blk_config),
	.n_queues = 1,
	.queue_sizes = { 256 },
	.kicked = blk_kicked,
};

/* Size, block size, and what O_DIRECT asks for. */
static int blk_measure(struct blk *blk, char **errp)
{
	int flags = fcntl(blk->fd, F_GETFL), logical = BLK_SECTOR;
	struct statx s;
	uint32_t whole;

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
	whole = MAX(blk->block, blk->align);
	if (blk->block < BLK_SECTOR || whole > 65536 ||
	    blk->align & (blk->align - 1) || !blk->size || blk->size % whole)
		return set_error(errp, -EINVAL,
				 "the disk has %ju bytes in blocks of %u: it "
				 "needs a multiple, and blocks of 512 to 65536",
				 (uintmax_t)blk->size, whole);
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
		.max_discard_seg = 1,
		.discard_sector_alignment = physical / BLK_SECTOR,
	};
	device->offered |= blk->read_only ? 1ull << VIRTIO_BLK_F_RO
					  : 1ull << VIRTIO_BLK_F_DISCARD;
}

struct virtio_device *virtio_blk_raw_create(struct event_base *loop,
					    const struct guest_memory *memory,
					    int fd, bool read_only,
					    const char *serial, char **errp)
{
	struct blk *blk = xcalloc(1, sizeof *blk);

	virtio_own_init(&blk->own, &blk_kind, loop, memory, &blk->config);
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
