/*
 * An FDB's memory in the kernel: a mapped array of buckets, of which the first
 * is the header. Which bridge's it is says publish.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/log.h"
#include "fastpath/fastpath_internal.h"

LOG_MODULE(fastpath);

_Static_assert(sizeof(struct fp_fdb_header) == sizeof(struct fp_bucket),
	       "the header takes the place of a bucket");

int fastpath_inner_create(const char *name, size_t value_bytes,
			  uint32_t n_values, uint32_t flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);

	return bpf_map_create(BPF_MAP_TYPE_ARRAY, name, sizeof(uint32_t),
			      value_bytes, n_values, &opts);
}

/* Takes the descriptor over. */
static struct fastpath_table *map_table(struct fastpath *fp, int fd,
					size_t bytes)
{
	struct fastpath_table *table;
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED) {
		int error = errno;

		close(fd);
		errno = error;
		return NULL;
	}
	table = xcalloc(1, sizeof(*table));
	table->serial = ++fp->last_serial;
	table->fd = fd;
	table->header = p;
	table->bytes = bytes;
	return table;
}

struct fastpath_table *fastpath_table_create(struct fastpath *fp,
					     uint64_t n_buckets)
{
	size_t bytes = (n_buckets + 1) * sizeof(struct fp_bucket);
	int fd = fastpath_inner_create("fp_fdb", sizeof(struct fp_bucket),
				       n_buckets + 1, FASTPATH_FDB_FLAGS);
	struct fastpath_table *table = fd < 0 ? NULL : map_table(fp, fd, bytes);

	if (!table) {
		log_warn("no room in the kernel for a MAC table of %zu bytes: "
			 "%s; its bridge does without the fast path",
			 bytes, strerror(errno));
		return NULL;
	}
	table->header->bucket_mask = n_buckets - 1;
	return table;
}

void fastpath_table_destroy(struct fastpath_table *table)
{
	if (!table)
		return;
	munmap(table->header, table->bytes);
	close(table->fd);
	free(table);
}

struct fp_fdb_header *fastpath_table_header(struct fastpath_table *table)
{
	return table->header;
}

void *fastpath_table_buckets(struct fastpath_table *table)
{
	return table->header + 1;
}
