/*
 * Memory tables and the dirty log of a session. Each change makes a new one,
 * gives it to the queues one by one, taken, and lets the old one go after the
 * last: no worker ever has memory that is not mapped.
 */
#include "vhost/session_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "vhost/foreign_fd.h"

/* Takes the table over. */
static int put_in_force(struct vhost_session *s, struct vhost_memory *memory,
			char **errp)
{
	struct vhost_memory *old = s->memory;
	int error;

	s->memory = memory;
	error = session_apply_all(s, true, errp);
	vhost_memory_destroy(old);
	return error;
}

static int add(struct vhost_memory *memory, const struct vhost_user_region *r,
	       int fd, char **errp)
{
	return vhost_memory_add(memory, r->guest, r->size, r->user, r->offset,
				fd, errp);
}

int session_set_mem_table(struct vhost_session *s, struct session_request *r,
			  char **errp)
{
	struct vhost_memory *memory = vhost_memory_create(NULL);
	struct vhost_user_table table;
	int error = 0;

	session_payload(r, &table, sizeof(table));
	/* As many regions as descriptors: message.c saw to that. */
	for (unsigned i = 0; i < r->message->n_fds && !error; i++)
		error = add(memory, &table.regions[i], r->message->fds[i],
			    errp);
	if (error) {
		vhost_memory_destroy(memory);
		return error;
	}
	return put_in_force(s, memory, errp);
}

/* The very region that is there already. */
static bool is_there(const struct vhost_memory *memory,
		     const struct vhost_user_region *region)
{
	for (unsigned i = 0; i < memory->n; i++)
		if (memory->regions[i].guest == region->guest &&
		    memory->regions[i].size == region->size &&
		    memory->regions[i].user == region->user)
			return true;
	return false;
}

/*
 * QEMU before 8.1 tells of each region, and of its removal, once for each pair
 * of queues: what is there already stays, what is gone is gone.
 */
int session_add_mem_reg(struct vhost_session *s, struct session_request *r,
			char **errp)
{
	struct vhost_memory *memory = vhost_memory_create(s->memory);
	struct vhost_user_one_region one;
	int error;

	session_payload(r, &one, sizeof(one));
	if (is_there(memory, &one.region)) {
		vhost_memory_destroy(memory);
		return 0;
	}
	error = add(memory, &one.region, r->message->fds[0], errp);
	if (error) {
		vhost_memory_destroy(memory);
		return error;
	}
	return put_in_force(s, memory, errp);
}

int session_rem_mem_reg(struct vhost_session *s, struct session_request *r,
			char **errp)
{
	struct vhost_memory *memory = vhost_memory_create(s->memory);
	struct vhost_user_one_region one;
	int error;

	session_payload(r, &one, sizeof(one));
	error = vhost_memory_remove(memory, one.region.guest, one.region.size,
				    one.region.user);
	if (error) {
		vhost_memory_destroy(memory);
		return 0;
	}
	return put_in_force(s, memory, errp);
}

int session_set_log_base(struct vhost_session *s, struct session_request *r,
			 char **errp)
{
	struct vhost_log *log, *old = s->log;
	struct vhost_user_log where;
	int error;

	if (!r->message->n_fds)
		return set_error(errp, -EPROTO,
				 "a dirty log has to come with its memory");
	session_payload(r, &where, sizeof(where));
	log = xcalloc(1, sizeof(*log));
	error = vhost_log_map(log, where.size, where.offset, r->message->fds[0],
			      errp);
	if (error) {
		free(log);
		return error;
	}
	s->log = log;
	error = session_apply_all(s, false, errp);
	if (old) {
		vhost_log_unmap(old);
		free(old);
	}
	/* It has an answer of its own, whatever was negotiated. */
	if (!error)
		session_reply_u64(r, 0);
	return error;
}

/* Nobody is told of dirty pages: the log is enough. */
int session_set_log_fd(struct vhost_session *s, struct session_request *r,
		       char **errp)
{
	foreign_fd_close(s->log_fd);
	s->log_fd = vhost_message_take_fd(r->message, 0);
	return 0;
}
