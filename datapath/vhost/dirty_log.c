/* The dirty log: mapped by the control thread, marked by workers. */
#include "vhost/dirty_log.h"

#include <errno.h>
#include <stdlib.h>

#include "vhost/mapping.h"

/* For guest addresses up to 32 TiB. */
#define SIZE_MAX_BYTES (1ull << 30)

int vhost_log_map(struct vhost_log *log, uint64_t size, uint64_t offset, int fd,
		  char **errp)
{
	char *why = NULL;
	uint8_t *bits;
	int error = 0;

	if (size > SIZE_MAX_BYTES)
		return set_error(errp, -EINVAL,
				 "cannot take a dirty log of %ju bytes: the "
				 "most is %llu",
				 (uintmax_t)size, SIZE_MAX_BYTES);
	log->mapping =
		vhost_mapping_create(size, offset, fd, &bits, &error, &why);
	if (error) {
		set_error(errp, error, "cannot take the dirty log: %s", why);
		free(why);
		return error;
	}
	log->bits = (_Atomic uint8_t *)bits;
	log->size = size;
	return 0;
}

void vhost_log_unmap(struct vhost_log *log)
{
	vhost_mapping_unref(log->mapping);
	*log = (struct vhost_log){ 0 };
}

bool vhost_log_is_damaged(const struct vhost_log *log)
{
	return log->mapping && vhost_mapping_is_damaged(log->mapping);
}

void vhost_log_mark(const struct vhost_log *log, uint64_t guest, uint64_t len)
{
	uint64_t page = guest / VHOST_LOG_PAGE, last;

	if (!len)
		return;
	last = guest + (len - 1) < guest ? UINT64_MAX : guest + (len - 1);
	last /= VHOST_LOG_PAGE;
	while (page <= last && page / 8 < log->size) {
		uint64_t end = MIN(page | 7, last);
		uint8_t mask = (uint8_t)(0xff << (page & 7)) &
			       (uint8_t)(0xff >> (7 - (end & 7)));

		/*
		 * Also where they are set: the reader, who clears them before
		 * it copies, may be between its two steps.
		 */
		atomic_fetch_or(&log->bits[page / 8], mask);
		page = end + 1;
	}
}
