/*
 * What EVPN networks have to do (overlay_evpn_internal.h), some at a time, so
 * that the control thread does other things as well: devices, one network's at
 * a time; mirrors' requests; FRR's coming and going. The kernel does one dump
 * of a socket at a time, so a network that wants one waits for the other.
 */
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vswd/overlay_evpn_internal.h"

LOG_MODULE(evpn);

#define REQUESTS_A_TURN 128

static bool is_dump(const struct evpn_request *r)
{
	struct nlmsghdr nlh;

	memcpy(&nlh, r->bytes, sizeof(nlh));
	return (nlh.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
}

/* Each message of it gets its number on the wire, which is returned. */
static uint32_t number(struct evpn_network *n, struct evpn_request *r)
{
	struct nlmsghdr nlh;
	uint32_t seq = 0;

	for (size_t at = 0; at + sizeof(nlh) <= r->len;
	     at += NLMSG_ALIGN(nlh.nlmsg_len)) {
		memcpy(&nlh, r->bytes + at, sizeof(nlh));
		n->last_seq = nlh.nlmsg_seq;
		seq = (uint32_t)n->slot << EVPN_SEQ_BITS |
		      (nlh.nlmsg_seq & EVPN_SEQ_MASK);
		nlh.nlmsg_seq = seq;
		memcpy(r->bytes + at, &nlh, sizeof(nlh));
	}
	return seq;
}

static bool send_request(struct evpn_network *n, struct evpn_request *r)
{
	struct evpn_host *h = n->host;
	uint32_t seq = number(n, r);

	if (mnl_socket_sendto(h->events, r->bytes, r->len) < 0) {
		log_warn_limited("VNI %u: a request to the kernel failed: %m",
				 n->vni);
		evpn_mirror_overrun(n->mirror);
		return false;
	}
	if (is_dump(r)) {
		h->dumping = n;
		h->dump_seq = seq;
	}
	return true;
}

/* Returns how many requests were sent. */
static unsigned send_some(struct evpn_network *n, unsigned room, uint64_t now)
{
	struct evpn_host *h = n->host;
	struct evpn_request r;
	unsigned sent = 0;

	if (h->dumping && h->dumping != n && !evpn_mirror_synced(n->mirror)) {
		n->due_ms = UINT64_MAX; /* the other's end wakes it */
		return 0;
	}
	while (sent < room && evpn_mirror_next_request(n->mirror, &r, now)) {
		sent++;
		if (send_request(n, &r))
			continue;
		n->due_ms = now + EVPN_RETRY_MS;
		return sent;
	}
	n->due_ms = sent == room ? now : evpn_mirror_run(n->mirror, now);
	return sent;
}

/* FRR's presence, as the mirror must know it. */
static void follow_frr(struct evpn_network *n, uint64_t now)
{
	bool gone = evpn_frr_state(n->evpn->frr) == EVPN_FRR_GONE;
	uint32_t ends = evpn_frr_zebra_ends(n->evpn->frr);

	/* What the first dump has found is held like all else. */
	if (n->fresh && evpn_mirror_synced(n->mirror)) {
		n->fresh = false;
		if (n->told_gone)
			evpn_mirror_frr_back(n->mirror, now);
		n->told_gone = false;
		if (evpn_frr_zebra_gone(n->evpn->frr))
			n->flush_ms = now + EVPN_RETRY_MS;
	}
	if (gone && !n->told_gone)
		evpn_mirror_frr_gone(n->mirror, now);
	else if (!gone && n->told_gone)
		evpn_mirror_frr_back(n->mirror, now);
	n->told_gone = gone;
	if (n->evpn->said != evpn_frr_state(n->evpn->frr)) {
		n->evpn->said = evpn_frr_state(n->evpn->frr);
		n->evpn->told_held = false;
		overlay_evpn_error_changed(n->evpn);
	}
	if (n->zebra_ends != ends) {
		n->zebra_ends = ends;
		n->flush_ms = now + EVPN_RETRY_MS;
	}
}

/* The log has when what is held began to be, and when it is forgotten. */
static void tell_held(struct evpn_network *n)
{
	bool held = n->told_gone && evpn_mirror_held_until(n->mirror);
	struct overlay_evpn *evpn = n->evpn;
	char *text;

	if (held == n->told_held)
		return;
	n->told_held = held;
	held = evpn_held_until(evpn);
	if (held == evpn->told_held || evpn->said != EVPN_FRR_GONE)
		return;
	evpn->told_held = held;
	text = evpn_describe(evpn);
	log_warn("interface %s: %s", evpn->overlay->v->interface->name, text);
	free(text);
}

/* What a zebra has left that was killed, nobody would ever remove. */
static bool flush(struct evpn_network *n, uint64_t now)
{
	if (n->flush_ms > now || !evpn_mirror_synced(n->mirror))
		return false;
	n->flush_ms = UINT64_MAX;
	if (!evpn_mirror_has_installed(n->mirror))
		return false;
	log_info("VNI %u: the devices are made anew, without what zebra has "
		 "left there",
		 n->vni);
	return true;
}

static bool make_devices(struct evpn_network *n, bool adopt, uint64_t now)
{
	char *before = n->error;
	bool made;

	n->error = NULL;
	made = evpn_devices_make(n, adopt);
	if ((before || n->error) &&
	    (!before || !n->error || strcmp(before, n->error)))
		overlay_evpn_error_changed(n->evpn);
	free(before);
	n->make_ms = made ? UINT64_MAX : now + 5 * EVPN_RETRY_MS;
	if (made)
		evpn_network_ready(n, now);
	return made;
}

/* When to come back; *madep: devices were made, which takes its time. */
static uint64_t serve(struct evpn_network *n, unsigned *room, bool *madep,
		      uint64_t now)
{
	if (n->make_ms <= now) {
		if (*madep)
			return now;
		*madep = true;
		make_devices(n, !n->mirror, now);
	}
	if (!n->mirror)
		return n->make_ms;
	if (n->due_ms > now && n->flush_ms > now)
		return MIN(MIN(n->make_ms, n->due_ms), n->flush_ms);
	follow_frr(n, now);
	if (!*madep && flush(n, now)) {
		*madep = true;
		make_devices(n, false, now);
	}
	*room -= send_some(n, *room, now);
	tell_held(n);
	if (n->flush_ms <= now)
		return MIN(n->due_ms, now + 100);
	return MIN(MIN(n->make_ms, n->due_ms), n->flush_ms);
}

void evpn_serve(struct evpn_host *h)
{
	uint64_t now = evpn_clock_ms(), next = UINT64_MAX;
	unsigned room = REQUESTS_A_TURN, first = h->turn;
	bool made = false;

	for (unsigned i = 0; i < EVPN_NETWORKS_MAX; i++) {
		unsigned slot = (first + i) % EVPN_NETWORKS_MAX;

		if (!h->networks[slot])
			continue;
		if (!room) {
			next = now;
			break;
		}
		h->turn = slot + 1;
		next = MIN(next, serve(h->networks[slot], &room, &made, now));
	}
	evpn_devices_sweep(h, false);
	if (h->n_doomed)
		next = now;
	if (next != UINT64_MAX)
		evpn_host_work_in(h, next > now ? next - now : 0);
}
