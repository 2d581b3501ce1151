/*
 * A file that remembers where the packed rings of a port are, for front ends
 * that keep no in-flight region. It is mapped, and outlives the process, also
 * when that is killed; it does not outlive the machine's uptime.
 *
 * Such a front end says at every connection what it knew at the first: of a
 * split ring the rest can be read in the ring, of a packed ring it cannot.
 *
 * What the file says is believed of the very same ring only, by an identity
 * that is compared here; whether the ring has been begun anew meanwhile is seen
 * by its content (virtqueue_kept.c). Control thread, but for the workers'
 * writing to what ring_file_ring() returned.
 */
#ifndef VHOST_RING_FILE_H
#define VHOST_RING_FILE_H

#include "vhost/mapping.h"
#include "vhost/virtqueue.h"

struct ring_file;

/* All that is the same as long as it is the same ring. No padding. */
struct ring_identity {
	struct vhost_mapping_place memory; /* of the first descriptor */
	uint64_t features;
	uint32_t base; /* as the front end says */
	uint32_t size;
};

/*
 * Opens the file, or makes it and its directory (not those above), with room
 * for n_rings. What is no such file, of this user alone and of this boot, is
 * begun anew. NULL with a message: it cannot be had; work on without.
 */
struct ring_file *ring_file_open(const char *path, unsigned n_rings,
				 char **errp);
/* The file stays. Accepts NULL. */
void ring_file_close(struct ring_file *file);

/*
 * What is kept of ring i, which starts now: what was, if that was of the same
 * ring, else nothing. Lives until ring_file_close().
 */
struct virtqueue_kept *ring_file_ring(struct ring_file *file, unsigned i,
				      const struct ring_identity *now);
/* The front end knows better from now on. Accepts NULL; ring i is stopped. */
void ring_file_forget(struct ring_file *file, unsigned i);

#endif
