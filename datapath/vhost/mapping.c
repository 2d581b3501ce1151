/*
 * Mappings of a front end's files, and what happens when one of these files
 * becomes shorter: the kernel answers an access behind the end with SIGBUS. Its
 * handler finds the mapping in a table, puts zero pages in the place of the
 * whole of it (a part of a huge page could not be replaced) and the access is
 * made again; the owner sees later that the mapping is damaged.
 *
 * The table is read in the handler, on any thread, while the control thread
 * changes it. An entry whose mapping the faulting thread uses does not change
 * meanwhile, by the rules of memory.h; of any other the handler must only not
 * believe a half-written one, so each has a sequence number, odd while it is
 * being written.
 */
#include "vhost/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "vhost/memory.h"

#ifndef F_ADD_SEALS
#define F_ADD_SEALS   1033
#define F_GET_SEALS   1034
#define F_SEAL_SHRINK 2
#endif
#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

/*
 * Of all ports together: one with all the regions it may have has 509. Half of
 * what a process can have at all (vm.max_map_count, 65530), so that the switch
 * itself never comes to lack memory because of them.
 */
#define MAPPINGS_MAX 32768

struct entry {
	_Atomic uint32_t sequence;
	_Atomic uintptr_t start; /* 0: free */
	_Atomic size_t len;
	_Atomic bool damaged;
};

struct vhost_mapping {
	unsigned refs;
	uint8_t *base;
	size_t len;
	struct entry *entry;
	struct vhost_mapping_place place; /* of base */
};

static struct entry entries[MAPPINGS_MAX];
static _Atomic unsigned n_entries; /* those that were ever used */
static unsigned n_mappings;
static struct sigaction previous;

/* --- the table --- */

static void entry_write(struct entry *entry, uintptr_t start, size_t len)
{
	uint32_t sequence = atomic_load(&entry->sequence);

	atomic_store(&entry->sequence, sequence + 1);
	atomic_store(&entry->start, start);
	atomic_store(&entry->len, len);
	atomic_store(&entry->sequence, sequence + 2);
}

static struct entry *entry_add(uintptr_t start, size_t len)
{
	unsigned n = atomic_load(&n_entries), i = 0;

	while (i < n && atomic_load(&entries[i].start))
		i++;
	if (i == MAPPINGS_MAX)
		return NULL;
	atomic_store(&entries[i].damaged, false);
	entry_write(&entries[i], start, len);
	if (i == n)
		atomic_store(&n_entries, n + 1);
	return &entries[i];
}

/* The entry whose mapping has this address. In a signal handler. */
static struct entry *entry_find(uintptr_t address, uintptr_t *start,
				size_t *len)
{
	unsigned n = atomic_load(&n_entries);

	for (unsigned i = 0; i < n; i++) {
		struct entry *entry = &entries[i];
		uint32_t sequence = atomic_load(&entry->sequence);

		*start = atomic_load(&entry->start);
		*len = atomic_load(&entry->len);
		if (sequence & 1 || sequence != atomic_load(&entry->sequence))
			continue;
		if (*start && address - *start < *len)
			return entry;
	}
	return NULL;
}

/* --- SIGBUS --- */

/* As if there were no handler of ours. In a signal handler. */
static void pass_on(int signal, siginfo_t *info, void *context)
{
	if (previous.sa_flags & SA_SIGINFO) {
		previous.sa_sigaction(signal, info, context);
	} else if (previous.sa_handler == SIG_IGN && info->si_code <= 0) {
		return;
	} else if (previous.sa_handler != SIG_DFL &&
		   previous.sa_handler != SIG_IGN) {
		previous.sa_handler(signal);
	} else {
		/* A fault comes again at once; what was sent does not. */
		struct sigaction fatal = { .sa_handler = SIG_DFL };

		sigaction(signal, &fatal, NULL);
		if (info->si_code <= 0)
			raise(signal);
	}
}

static void on_sigbus(int signal, siginfo_t *info, void *context)
{
	int saved = errno;
	struct entry *entry = NULL;
	uintptr_t start;
	size_t len;

	if (info->si_code == BUS_ADRERR || info->si_code == BUS_MCEERR_AR)
		entry = entry_find((uintptr_t)info->si_addr, &start, &len);
	if (!entry ||
	    mmap((void *)start, len, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
		 0) == MAP_FAILED)
		pass_on(signal, info, context);
	else
		atomic_store(&entry->damaged, true);
	errno = saved;
}

void vhost_memory_guard(void)
{
	struct sigaction action = {
		.sa_sigaction = on_sigbus,
		.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK,
	};
	struct sigaction before;

	sigaction(SIGBUS, NULL, &before);
	if (before.sa_flags & SA_SIGINFO && before.sa_sigaction == on_sigbus)
		return;
	previous = before;
	sigaction(SIGBUS, &action, NULL);
}

/* --- mappings --- */

/*
 * The unit in which a file system is mapped; 0: not one where a page is always
 * there without waiting for another process or machine (FUSE, NFS): whoever
 * sends such a file could hold a worker, and all of its ports, up.
 */
static uint64_t file_block(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs))
		return 0;
	switch ((unsigned long)fs.f_type) {
	case HUGETLBFS_MAGIC:
		return fs.f_bsize;
	case TMPFS_MAGIC:
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
		return sysconf(_SC_PAGESIZE);
	default:
		return 0;
	}
}

/*
 * Whether looking at the file waits for nobody: a file system in userspace
 * would ask its server, which may be the front end. Memory files know of seals;
 * of others, those on a block device will do.
 */
static bool is_answered_by_kernel(int fd)
{
	struct statx st;

	if (fcntl(fd, F_GET_SEALS) >= 0)
		return true;
	return !statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &st) &&
	       st.stx_dev_major;
}

static int check_file(uint64_t size, uint64_t offset, int fd, uint64_t *block,
		      char **errp)
{
	struct stat st = { 0 };
	uint64_t found = 0;

	if (is_answered_by_kernel(fd)) {
		if (fstat(fd, &st))
			return set_error(errp, -errno,
					 "cannot look at its file: %s",
					 strerror(errno));
		found = file_block(fd);
	}
	if (!S_ISREG(st.st_mode) || !found)
		return set_error(errp, -EINVAL,
				 "its descriptor is no memory file: give the "
				 "guest memory that is a memfd, or a file in "
				 "/dev/shm or hugetlbfs");
	if (!size || offset > (uint64_t)st.st_size ||
	    size > (uint64_t)st.st_size - offset)
		return set_error(errp, -EINVAL,
				 "%#jx bytes at %#jx of its file, which has "
				 "%#jx",
				 (uintmax_t)size, (uintmax_t)offset,
				 (uintmax_t)st.st_size);
	*block = found;
	return 0;
}

static void identify(struct vhost_mapping *mapping, int fd, uint64_t start)
{
	const unsigned wanted = STATX_INO | STATX_BTIME;
	struct vhost_mapping_place *place = &mapping->place;
	struct statx st;

	place->offset = start;
	if (statx(fd, "", AT_EMPTY_PATH, wanted, &st))
		return;
	place->dev = (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor;
	place->ino = st.stx_ino;
	if (st.stx_mask & STATX_BTIME)
		place->born_ns = st.stx_btime.tv_sec * 1000000000ull +
				 st.stx_btime.tv_nsec;
}

struct vhost_mapping *vhost_mapping_create(uint64_t size, uint64_t offset,
					   int fd, uint8_t **host, int *error,
					   char **errp)
{
	struct vhost_mapping *mapping;
	uint64_t block = 1, start, len;
	struct entry *entry;
	uint8_t *base;

	*error = check_file(size, offset, fd, &block, errp);
	if (*error)
		return NULL;
	/* Neither wraps: both ends lie within a file, below 2^63. */
	start = offset / block * block;
	len = (offset - start + size + block - 1) / block * block;
	/* Some files cannot be sealed; the guard is for those. */
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);
	base = mmap(NULL, len, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_NORESERVE, fd, start);
	if (base == MAP_FAILED) {
		*error = set_error(errp, -errno, "cannot map its file: %s",
				   strerror(errno));
		return NULL;
	}
	madvise(base, len, MADV_DONTDUMP);
	entry = entry_add((uintptr_t)base, len);
	if (!entry) {
		munmap(base, len);
		*error = set_error(errp, -ENOSPC,
				   "the switch has %d mappings already",
				   MAPPINGS_MAX);
		return NULL;
	}
	mapping = xcalloc(1, sizeof(*mapping));
	*mapping = (struct vhost_mapping){
		.refs = 1, .base = base, .len = len, .entry = entry
	};
	identify(mapping, fd, start);
	n_mappings++;
	*host = base + (offset - start);
	return mapping;
}

struct vhost_mapping *vhost_mapping_ref(struct vhost_mapping *mapping)
{
	mapping->refs++;
	return mapping;
}

void vhost_mapping_unref(struct vhost_mapping *mapping)
{
	if (!mapping || --mapping->refs)
		return;
	/* In this order: the address may be another's as soon as it is free. */
	entry_write(mapping->entry, 0, 0);
	munmap(mapping->base, mapping->len);
	n_mappings--;
	free(mapping);
}

void vhost_mapping_find(const struct vhost_mapping *mapping, const void *host,
			struct vhost_mapping_place *place)
{
	*place = mapping->place;
	place->offset += (const uint8_t *)host - mapping->base;
}

bool vhost_mapping_is_damaged(const struct vhost_mapping *mapping)
{
	return atomic_load(&mapping->entry->damaged);
}

unsigned vhost_mapping_count(void)
{
	return n_mappings;
}
