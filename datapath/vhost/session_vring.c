/*
 * What a front end tells of its rings. Each message is checked and noted;
 * session_rings.c sees what follows from it.
 */
#include "vhost/session_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>

#include "vhost/foreign_fd.h"

/* A front end that changes its descriptors faster than workers look. */
#define OLD_FDS_MAX 1024

static int check_index(const struct vhost_session *s, uint32_t index,
		       char **errp)
{
	if (index >= s->n_rings)
		return set_error(errp, -EPROTO,
				 "it is about queue %u, and there are %u",
				 index, s->n_rings);
	return 0;
}

static int get_state(struct vhost_session *s, struct session_request *r,
		     struct vhost_user_vring_state *state, char **errp)
{
	session_payload(r, state, sizeof(*state));
	return check_index(s, state->index, errp);
}

int session_set_vring_num(struct vhost_session *s, struct session_request *r,
			  char **errp)
{
	struct vhost_user_vring_state state;
	struct session_ring *ring;
	int error = get_state(s, r, &state, errp);

	if (error)
		return error;
	ring = &s->rings[state.index];
	if (!state.num || state.num > VIRTQUEUE_SIZE_MAX)
		return set_error(errp, -EPROTO,
				 "the size of queue %u would be %u; it can be "
				 "1 to %u",
				 state.index, state.num, VIRTQUEUE_SIZE_MAX);
	if (ring->size == state.num)
		return 0;
	ring->size = state.num;
	return session_apply(s, state.index, true, errp);
}

int session_set_vring_addr(struct vhost_session *s, struct session_request *r,
			   char **errp)
{
	struct vhost_user_vring_addr addr;
	struct session_ring *ring;
	int error;

	session_payload(r, &addr, sizeof(addr));
	error = check_index(s, addr.index, errp);
	if (error)
		return error;
	ring = &s->rings[addr.index];
	if (ring->has_addr && !memcmp(&ring->addr, &addr, sizeof(addr)))
		return 0;
	ring->addr = addr;
	ring->has_addr = true;
	return session_apply(s, addr.index, true, errp);
}

int session_set_vring_base(struct vhost_session *s, struct session_request *r,
			   char **errp)
{
	struct vhost_user_vring_state state;
	int error = get_state(s, r, &state, errp);

	if (error)
		return error;
	if (s->rings[state.index].started)
		return set_error(errp, -EPROTO,
				 "queue %u runs: its place cannot be set",
				 state.index);
	s->rings[state.index].base = state.num;
	s->rings[state.index].told_base = state.num;
	return 0;
}

int session_get_vring_base(struct vhost_session *s, struct session_request *r,
			   char **errp)
{
	struct vhost_user_vring_state state;
	struct session_ring *ring;
	int error = get_state(s, r, &state, errp);

	if (error)
		return error;
	ring = &s->rings[state.index];
	session_retire_kick(s, ring);
	ring->kicked = false;
	error = session_apply(s, state.index, false, errp);
	if (error)
		return error;
	session_forget_place(s, state.index);
	state.num = ring->base;
	memcpy(r->reply->payload, &state, sizeof(state));
	r->reply->size = sizeof(state);
	r->has_reply = true;
	return 0;
}

/* The queue and the descriptor, -1 when there is none. */
static int take_event(struct vhost_session *s, struct session_request *r,
		      unsigned *index, int *fd, char **errp)
{
	uint64_t value;
	int error;

	*fd = -1;
	session_payload(r, &value, sizeof(value));
	*index = value & VHOST_USER_VRING_MASK;
	error = check_index(s, *index, errp);
	if (error)
		return error;
	/*
	 * Only an eventfd can be read and written with no fear of waiting or
	 * of a signal. Made non-blocking by the queue.
	 */
	if (r->message->n_fds && !foreign_fd_is_eventfd(r->message->fds[0]))
		return set_error(errp, -EPROTO,
				 "its descriptor is not an eventfd");
	*fd = vhost_message_take_fd(r->message, 0);
	return 0;
}

/*
 * A front end that wants its queue polled instead gives none: a worker that
 * sleeps then looks after a millisecond.
 */
static int polling_fd(void)
{
	const struct itimerspec every = { { 0, 1000000 }, { 0, 1000000 } };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd >= 0)
		timerfd_settime(fd, 0, &every, NULL);
	return fd;
}

int session_set_vring_kick(struct vhost_session *s, struct session_request *r,
			   char **errp)
{
	struct session_ring *ring;
	unsigned index;
	int fd, error;

	if (s->n_old_fds >= OLD_FDS_MAX)
		return set_error(errp, -EPROTO,
				 "it changes kick descriptors too fast");
	error = take_event(s, r, &index, &fd, errp);
	if (error)
		return error;
	ring = &s->rings[index];
	if (fd < 0 && index & 1)
		fd = polling_fd();
	session_retire_kick(s, ring);
	ring->kick_fd = fd;
	ring->kicked = true;
	ring->fresh = true;
	return session_apply(s, index, false, errp);
}

/* Replaces one that nobody watches. */
static int set_event(struct vhost_session *s, struct session_request *r,
		     bool call, char **errp)
{
	struct session_ring *ring;
	unsigned index;
	int fd, old, *place, error = take_event(s, r, &index, &fd, errp);

	if (error)
		return error;
	ring = &s->rings[index];
	place = call ? &ring->call_fd : &ring->error_fd;
	old = *place;
	*place = fd;
	error = session_apply(s, index, false, errp);
	session_close_fd(&old);
	return error;
}

int session_set_vring_call(struct vhost_session *s, struct session_request *r,
			   char **errp)
{
	return set_event(s, r, true, errp);
}

int session_set_vring_err(struct vhost_session *s, struct session_request *r,
			  char **errp)
{
	return set_event(s, r, false, errp);
}

int session_set_vring_enable(struct vhost_session *s, struct session_request *r,
			     char **errp)
{
	struct vhost_user_vring_state state;
	int error = get_state(s, r, &state, errp);

	if (error)
		return error;
	if (state.num > 1)
		return set_error(errp, -EPROTO,
				 "queue %u would be enabled to %u; it can be 0 "
				 "or 1",
				 state.index, state.num);
	s->rings[state.index].enable = state.num ? RING_ENABLED : RING_DISABLED;
	return session_apply(s, state.index, false, errp);
}
