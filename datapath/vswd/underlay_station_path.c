/*
 * What routers and hosts say of outer packets by ICMP: the MTU of a path (RFC
 * 1191, RFC 8201), and that nobody takes them. Anybody who can send to us can
 * say it, so it counts only when it quotes a packet that we may have sent (RFC
 * 5927 4.1): from our address to a remote of ours, by VXLAN's port, in a VNI
 * that an overlay of this underlay has. It can make a path smaller and never
 * larger, and is forgotten after ten minutes.
 */
#include <string.h>

#include "base/log.h"
#include "vswd/underlay_station.h"
#include "vswd/vbond.h"

LOG_MODULE(overlay);

#define NEVER	   UINT64_MAX
#define PATH_MS	   600000 /* RFC 1191 6.3, RFC 8201 5.3 */
#define PORT_FIRST 49152  /* of our source ports (RFC 7348 5) */

static bool has_vni(const struct overlay *o, uint32_t vni)
{
	const struct cfg_overlay *c = o->config;

	if (c->vni != VTEP_NO_VNI)
		return c->vni == vni;
	/* Without a map the VLAN is the VNI. */
	return c->map ? vtep_map_vlan(c->map, vni) != VTEP_NO_VLAN
		      : vni <= VTEP_VLAN_MAX;
}

static bool is_ours(const struct underlay_target *t,
		    const struct vxlan_icmp *icmp)
{
	if (!icmp->has_vni)
		return true;
	for (const struct underlay_want *w = t->wants; w; w = w->next)
		if (has_vni(w->r->overlay, icmp->vni))
			return true;
	return false;
}

static struct underlay_target *find_target(const struct underlay_station *s,
					   const struct vxlan_icmp *icmp)
{
	unsigned len = icmp->ip_version == 4 ? 4 : 16;
	struct ip_address to = ip_address_of(icmp->dst_ip, len);
	struct underlay_target *t;

	if (len != s->local.len || icmp->dst_port != s->dst_port ||
	    icmp->src_port < PORT_FIRST ||
	    memcmp(icmp->src_ip, s->local.bytes, len) ||
	    memcmp(icmp->to, s->local.bytes, len))
		return NULL;
	t = underlay_target_find(s, &to);
	return t && is_ours(t, icmp) ? t : NULL;
}

static void tell(const struct underlay_target *t)
{
	for (const struct underlay_want *w = t->wants; w; w = w->next)
		overlay_mtu_update(w->r);
}

static void too_big(struct underlay_station *s, struct underlay_target *t,
		    const struct vxlan_icmp *icmp, uint64_t now_ms)
{
	uint32_t mtu = vxlan_icmp_mtu(icmp);
	uint32_t before = t->path_mtu ? t->path_mtu : s->mtu;
	char text[IP_TEXT_SIZE];

	if (!mtu || mtu > before) {
		s->icmp_refused++;
		return;
	}
	s->icmp_accepted++;
	t->path_until_ms = now_ms + PATH_MS;
	s->paths_ms = MIN(s->paths_ms, t->path_until_ms);
	if (mtu == before)
		return;
	t->path_mtu = mtu;
	log_info_limited("overlay: the path to VTEP %s has an MTU of %u, says "
			 "a router on it",
			 segment_ip_format(&t->ip, text), mtu);
	tell(t);
}

bool underlay_path_receive(struct underlay_station *s, const void *frame,
			   size_t len, uint64_t now_ms)
{
	struct underlay_target *t;
	struct vxlan_icmp icmp;

	if (!vxlan_icmp_parse(&icmp, frame, len))
		return false;
	t = find_target(s, &icmp);
	if (!t) {
		s->icmp_refused++;
	} else if (icmp.too_big) {
		too_big(s, t, &icmp, now_ms);
	} else {
		s->icmp_accepted++;
		t->unreachable_type = icmp.type;
		t->unreachable_code = icmp.code;
		t->unreachable_ms = now_ms;
	}
	return true;
}

void underlay_path_run(struct underlay_station *s, uint64_t now_ms)
{
	if (now_ms < s->paths_ms)
		return;
	s->paths_ms = NEVER;
	for (struct underlay_target *t = s->target_list; t; t = t->next) {
		if (!t->path_mtu)
			continue;
		if (now_ms < t->path_until_ms) {
			s->paths_ms = MIN(s->paths_ms, t->path_until_ms);
			continue;
		}
		t->path_mtu = 0;
		tell(t);
	}
}

uint32_t underlay_station_path_mtu(const struct underlay_station *s,
				   const struct ip_address *ip)
{
	const struct underlay_target *t = underlay_target_find(s, ip);

	return t && t->path_mtu ? MIN(t->path_mtu, s->mtu) : s->mtu;
}
