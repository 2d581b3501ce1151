/*
 * A session: its life, and which function handles which request. What they do
 * is in session_*.c.
 */
#include "vhost/session_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vhost/foreign_fd.h"

LOG_MODULE(vhost);

static void open_ring_file(struct vhost_session *s)
{
	const char *path = s->config.ring_file;
	char *why = NULL;

	s->config.ring_file = NULL;
	if (!path)
		return;
	s->ring_file = ring_file_open(path, s->n_rings, &why);
	if (!s->ring_file)
		log_warn("%s: %s; a guest with packed rings will lose its "
			 "network if the switch is restarted",
			 s->name, why);
	free(why);
}

struct vhost_session *vhost_session_create(
	const struct vhost_session_config *config)
{
	struct vhost_session *s = xcalloc(1, sizeof(*s));

	s->config = *config;
	s->config.n_pairs = MAX(1, MIN(config->n_pairs, VHOST_QUEUE_PAIRS_MAX));
	s->name = xstrdup(config->name);
	s->config.name = s->name;
	s->n_rings = 2 * s->config.n_pairs;
	s->memory = vhost_memory_create(NULL);
	open_ring_file(s);
	s->backend_fd = -1;
	s->log_fd = -1;
	for (unsigned i = 0; i < s->n_rings; i++) {
		struct session_ring *ring = &s->rings[i];

		ring->vq = virtqueue_create(s->name, i);
		ring->kick_fd = ring->call_fd = ring->error_fd = -1;
		ring->reported_fd = -1;
	}
	return s;
}

void vhost_session_destroy(struct vhost_session *s)
{
	if (!s)
		return;
	s->config.queue_changed = NULL;
	s->config.changed = NULL;
	vhost_session_reset(s);
	vhost_session_settled(s);
	for (unsigned i = 0; i < s->n_rings; i++)
		virtqueue_destroy(s->rings[i].vq);
	vhost_memory_destroy(s->memory);
	ring_file_close(s->ring_file);
	free(s->old_fds);
	free(s->name);
	free(s);
}

struct virtqueue *vhost_session_queue(const struct vhost_session *s,
				      unsigned index)
{
	return index < s->n_rings ? s->rings[index].vq : NULL;
}

/* --- what a status shows --- */

void vhost_session_get_info(const struct vhost_session *s,
			    struct vhost_session_info *info)
{
	memset(info, 0, sizeof(*info));
	info->features = s->features;
	info->protocol_features = s->protocol_features;
	info->mtu = s->mtu;
	info->tx_offloads = session_tx_offloads(s->features);
	for (unsigned i = 0; i < s->n_rings && session_is_running(s, i) &&
			     session_is_running(s, i + 1);
	     i += 2)
		info->n_pairs++;
	info->link_up = info->n_pairs > 0;
	info->n_regions = s->memory->n;
	for (unsigned i = 0; i < s->memory->n; i++)
		info->memory_size += s->memory->regions[i].size;
}

static void tell_changes(struct vhost_session *s)
{
	struct vhost_session_info now;

	vhost_session_get_info(s, &now);
	if (!memcmp(&now, &s->told, sizeof(now)))
		return;
	s->told = now;
	if (s->config.changed)
		s->config.changed(s->config.arg);
}

bool vhost_session_is_damaged(const struct vhost_session *s)
{
	return vhost_memory_is_damaged(s->memory) ||
	       (s->log && vhost_log_is_damaged(s->log)) ||
	       (s->inflight.mapping &&
		vhost_mapping_is_damaged(s->inflight.mapping));
}

/* --- the end of a front end --- */

void vhost_session_reset(struct vhost_session *s)
{
	session_forget_rings(s);
	vhost_memory_destroy(s->memory);
	s->memory = vhost_memory_create(NULL);
	if (s->log)
		vhost_log_unmap(s->log);
	free(s->log);
	s->log = NULL;
	vhost_mapping_unref(s->inflight.mapping);
	memset(&s->inflight, 0, sizeof(s->inflight));
	foreign_fd_close(s->backend_fd);
	foreign_fd_close(s->log_fd);
	s->backend_fd = s->log_fd = -1;
	s->features = s->protocol_features = 0;
	s->has_features = false;
	s->mtu = 0;
	s->status = 0;
	tell_changes(s);
}

/* --- messages --- */

void session_payload(const struct session_request *r, void *to, size_t size)
{
	size_t got = MIN(size, r->message->size);

	memset(to, 0, size);
	memcpy(to, r->message->payload, got);
}

void session_reply_u64(struct session_request *r, uint64_t value)
{
	memcpy(r->reply->payload, &value, sizeof(value));
	r->reply->size = sizeof(value);
	r->has_reply = true;
}

static int nothing(struct vhost_session *s, struct session_request *r,
		   char **errp)
{
	return 0;
}

/* Deprecated; what the protocol recommends of it. */
static int reset_owner(struct vhost_session *s, struct session_request *r,
		       char **errp)
{
	session_stop_all(s);
	return 0;
}

/* The memory stays: it is the front end's, who tells of its changes only. */
static int reset_device(struct vhost_session *s, struct session_request *r,
			char **errp)
{
	session_stop_all(s);
	session_forget_rings(s);
	s->features = 0;
	s->has_features = false;
	s->status = 0;
	return 0;
}

static int get_queue_num(struct vhost_session *s, struct session_request *r,
			 char **errp)
{
	session_reply_u64(r, s->config.n_pairs);
	return 0;
}

static int get_max_mem_slots(struct vhost_session *s, struct session_request *r,
			     char **errp)
{
	session_reply_u64(r, VHOST_REGIONS_MAX);
	return 0;
}

static int send_rarp(struct vhost_session *s, struct session_request *r,
		     char **errp)
{
	uint64_t mac = load_mac(r->message->payload);

	if (!mac || mac_is_multicast(mac))
		return set_error(errp, -EINVAL,
				 "an address that no guest can have");
	if (s->config.announce)
		s->config.announce(s->config.arg, mac);
	return 0;
}

static int set_backend_req_fd(struct vhost_session *s,
			      struct session_request *r, char **errp)
{
	foreign_fd_close(s->backend_fd);
	s->backend_fd = vhost_message_take_fd(r->message, 0);
	return 0;
}

static int not_offered(struct vhost_session *s, struct session_request *r,
		       char **errp)
{
	return set_error(errp, -EOPNOTSUPP,
			 "the switch does not offer the feature it is for");
}

static session_handler *const handlers[] = {
	[VHOST_USER_GET_FEATURES] = session_get_features,
	[VHOST_USER_SET_FEATURES] = session_set_features,
	[VHOST_USER_SET_OWNER] = nothing,
	[VHOST_USER_RESET_OWNER] = reset_owner,
	[VHOST_USER_SET_MEM_TABLE] = session_set_mem_table,
	[VHOST_USER_SET_LOG_BASE] = session_set_log_base,
	[VHOST_USER_SET_LOG_FD] = session_set_log_fd,
	[VHOST_USER_SET_VRING_NUM] = session_set_vring_num,
	[VHOST_USER_SET_VRING_ADDR] = session_set_vring_addr,
	[VHOST_USER_SET_VRING_BASE] = session_set_vring_base,
	[VHOST_USER_GET_VRING_BASE] = session_get_vring_base,
	[VHOST_USER_SET_VRING_KICK] = session_set_vring_kick,
	[VHOST_USER_SET_VRING_CALL] = session_set_vring_call,
	[VHOST_USER_SET_VRING_ERR] = session_set_vring_err,
	[VHOST_USER_GET_PROTOCOL_FEATURES] = session_get_protocol_features,
	[VHOST_USER_SET_PROTOCOL_FEATURES] = session_set_protocol_features,
	[VHOST_USER_GET_QUEUE_NUM] = get_queue_num,
	[VHOST_USER_SET_VRING_ENABLE] = session_set_vring_enable,
	[VHOST_USER_SEND_RARP] = send_rarp,
	[VHOST_USER_NET_SET_MTU] = session_set_mtu,
	[VHOST_USER_SET_BACKEND_REQ_FD] = set_backend_req_fd,
	[VHOST_USER_IOTLB_MSG] = not_offered,
	[VHOST_USER_GET_CONFIG] = not_offered,
	[VHOST_USER_SET_CONFIG] = not_offered,
	[VHOST_USER_GET_INFLIGHT_FD] = session_get_inflight,
	[VHOST_USER_SET_INFLIGHT_FD] = session_set_inflight,
	[VHOST_USER_RESET_DEVICE] = reset_device,
	[VHOST_USER_GET_MAX_MEM_SLOTS] = get_max_mem_slots,
	[VHOST_USER_ADD_MEM_REG] = session_add_mem_reg,
	[VHOST_USER_REM_MEM_REG] = session_rem_mem_reg,
	[VHOST_USER_SET_STATUS] = session_set_status,
	[VHOST_USER_GET_STATUS] = session_get_status,
};

_Static_assert(ARRAY_SIZE(handlers) == N_VHOST_USER_REQUESTS, "one for each");

/*
 * A request that failed is answered so, when the front end asked for an answer
 * and the request has none of its own to be taken for. Else it would go on as
 * if nothing had been: give it up.
 */
static int refuse(struct session_request *r, bool wants_ack, int error,
		  const char *who, char *why, char **errp)
{
	const char *what = vhost_request_name(r->message->request);

	if (wants_ack && error != -EPROTO) {
		log_warn_limited("%s: %s from the front end is refused: %s",
				 who, what, why);
		session_reply_u64(r, 1);
		error = 0;
	} else {
		set_error(errp, error, "cannot do what %s asks for: %s", what,
			  why);
	}
	free(why);
	return error;
}

static bool has_own_reply(uint32_t request)
{
	switch (request) {
	case VHOST_USER_GET_VRING_BASE:
	case VHOST_USER_GET_INFLIGHT_FD:
	case VHOST_USER_GET_CONFIG:
		return true;
	default:
		return false;
	}
}

int vhost_session_handle(struct vhost_session *s, struct vhost_message *message,
			 struct vhost_message *reply, bool *has_reply,
			 char **errp)
{
	struct session_request r = { .message = message, .reply = reply };
	bool wants_ack =
		message->flags & VHOST_USER_NEED_REPLY &&
		session_has_protocol(s, VHOST_USER_PROTOCOL_F_REPLY_ACK);
	char *why = NULL;
	int error;

	*has_reply = false;
	error = vhost_message_check(message, errp);
	if (error)
		return error;
	reply->request = message->request;
	reply->flags = VHOST_USER_VERSION | VHOST_USER_REPLY;
	reply->size = 0;
	reply->n_fds = 0;
	error = handlers[message->request](s, &r, &why);
	if (error)
		error = refuse(&r,
			       wants_ack && !has_own_reply(message->request),
			       error, s->name, why, errp);
	else if (wants_ack && !r.has_reply)
		session_reply_u64(&r, 0);
	*has_reply = r.has_reply;
	tell_changes(s);
	return error;
}
