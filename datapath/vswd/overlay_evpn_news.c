/*
 * What FRR says, by an overlay's mirrors: remote VTEPs, MACs behind them and
 * their addresses, for the overlay (overlay.h). VTEPs are counted, by flood
 * lists and MACs: one that nothing names any more is dropped.
 */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "tunnel/suppress.h"
#include "vswd/overlay_evpn_internal.h"

LOG_MODULE(evpn);

struct evpn_vtep {
	struct evpn_ip ip;
	unsigned refs;
};

static struct ip_address to_address(const struct evpn_ip *ip)
{
	return ip_address_of(ip->bytes, ip->len);
}

/* --- remote VTEPs ----------------------------------------------------------
 */

static int compare_vteps(const void *a, const void *b)
{
	const struct evpn_vtep *x = a, *y = b;

	if (x->ip.len != y->ip.len)
		return x->ip.len < y->ip.len ? -1 : 1;
	return memcmp(x->ip.bytes, y->ip.bytes, x->ip.len);
}

static struct evpn_vtep *find_vtep(struct overlay_evpn *evpn,
				   const struct evpn_ip *ip)
{
	struct evpn_vtep key = { .ip = *ip };
	struct evpn_vtep **at = tfind(&key, &evpn->vteps, compare_vteps);

	return at ? *at : NULL;
}

/* The remote, or NULL when the overlay does not take it. */
static struct overlay_remote *remote_of(struct overlay_evpn *evpn,
					const struct evpn_ip *vtep)
{
	struct overlay *o = evpn->overlay;
	struct ip_address ip = to_address(vtep);
	struct overlay_remote *r = overlay_remote_find(o, &ip);
	char *why = NULL;

	if (r && r->origins & VTEP_CONTROLLER)
		return r;
	r = overlay_remote_add(o, &ip, VTEP_CONTROLLER, &why);
	if (!r)
		log_warn_limited("interface %s: a VTEP that FRR has named is "
				 "left out: %s",
				 o->v->interface->name, why ? why : "");
	free(why);
	return r;
}

static struct overlay_remote *use_vtep(struct overlay_evpn *evpn,
				       const struct evpn_ip *ip)
{
	struct evpn_vtep *vtep = find_vtep(evpn, ip);

	if (!vtep) {
		vtep = xcalloc(1, sizeof(*vtep));
		vtep->ip = *ip;
		if (!tsearch(vtep, &evpn->vteps, compare_vteps))
			abort();
	}
	vtep->refs++;
	return remote_of(evpn, ip);
}

static void leave_vtep(struct overlay_evpn *evpn, const struct evpn_ip *ip)
{
	struct evpn_vtep *vtep = find_vtep(evpn, ip);
	struct ip_address address = to_address(ip);
	struct overlay_remote *r;

	if (!vtep || --vtep->refs)
		return;
	tdelete(vtep, &evpn->vteps, compare_vteps);
	free(vtep);
	r = overlay_remote_find(evpn->overlay, &address);
	if (r)
		overlay_remote_drop(evpn->overlay, r, VTEP_CONTROLLER);
}

/* --- what FRR says ---------------------------------------------------------
 */

static uint32_t flood_vni(const struct evpn_network *n)
{
	return n->fixed ? VTEP_NO_VNI : n->vni;
}

static void take_remote(struct evpn_network *n, const struct evpn_news *news)
{
	struct overlay_remote *r = use_vtep(n->evpn, &news->vtep);

	/* -ENOSPC is counted there. */
	if (r)
		(void)!overlay_mac_add(n->evpn->overlay, n->vid, news->mac, r,
				       news->sticky, VTEP_CONTROLLER);
	else
		overlay_mac_drop(n->evpn->overlay, n->vid, news->mac,
				 VTEP_CONTROLLER);
	if (news->old_vtep.len)
		leave_vtep(n->evpn, &news->old_vtep);
}

static void take_flood(struct evpn_network *n, const struct evpn_news *news)
{
	struct overlay *o = n->evpn->overlay;
	struct ip_address ip = to_address(&news->vtep);
	struct overlay_remote *r;

	if (news->type == EVPN_FLOOD) {
		r = use_vtep(n->evpn, &news->vtep);
		if (r && overlay_flood_add(o, flood_vni(n), r, VTEP_CONTROLLER))
			log_warn_limited("VNI %u: its flood list is full",
					 n->vni);
		return;
	}
	r = overlay_remote_find(o, &ip);
	if (r)
		overlay_flood_drop(o, flood_vni(n), r, VTEP_CONTROLLER);
	leave_vtep(n->evpn, &news->vtep);
}

/* A router has to be told as one (suppress.h). */
static void take_pair(struct evpn_network *n, const struct evpn_news *news)
{
	struct ip_address ip = to_address(&news->ip);
	uint64_t mac = news->type == EVPN_PAIR ? news->mac : 0;

	if (mac && news->router)
		mac |= SUPPRESS_ROUTER;
	overlay_pair_set(n->evpn->overlay, n->vid, &ip, mac);
}

void evpn_take_news(const struct evpn_news *news, void *arg)
{
	struct evpn_network *n = arg;
	struct overlay *o = n->evpn->overlay;

	switch (news->type) {
	case EVPN_REMOTE:
		take_remote(n, news);
		break;
	case EVPN_REMOTE_GONE:
		overlay_mac_drop(o, n->vid, news->mac, VTEP_CONTROLLER);
		leave_vtep(n->evpn, &news->old_vtep);
		break;
	case EVPN_FLOOD:
	case EVPN_FLOOD_GONE:
		take_flood(n, news);
		break;
	case EVPN_PAIR:
	case EVPN_PAIR_GONE:
		take_pair(n, news);
		break;
	/* The FDB follows by what is told next. */
	case EVPN_DISPLACED:
	case EVPN_RECLAIMED:
		break;
	}
}
