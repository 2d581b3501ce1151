/*
 * Which ports' frames the kernel may forward by itself (bypass.h): unicast
 * between two ports that know their stations. What the pipeline does to such a
 * frame beyond that, by any of its steps, is a reason here. A new step of the
 * pipeline that looks at unicast needs one, too.
 *
 * No reasons, as the kernel leaves these frames to userspace: frames to groups
 * and all that is only of them (protocols, storms, announcements); senders
 * that are to be learned, and so a port's limit of addresses; receivers that
 * are not known, and so whom they are flooded to.
 */
#include "forward/bypass.h"

#include <string.h>

#include "forward/mirror.h"
#include "forward/policies.h"
#include "forward/punt.h"

/* Kinds that are made of frames to groups, or of what a port drops. */
#define PUNTS_OF_GROUPS                                                        \
	(1u << PUNT_SLOW | 1u << PUNT_LLDP | 1u << PUNT_CDP |                  \
	 1u << PUNT_BEACON | 1u << PUNT_NEIGHBOR | 1u << PUNT_VIOLATION)
/* And those that only gateways and tunnels make, where frames end. */
#define PUNTS_BEYOND                                                           \
	(1u << PUNT_GATEWAY | 1u << PUNT_GATEWAY_LINK | 1u << PUNT_TUNNEL |    \
	 1u << PUNT_UNDERLAY)
#define PUNTS_HARMLESS (PUNTS_OF_GROUPS | PUNTS_BEYOND)

/* What is not plainly one device. */
static const char *why_no_device(const struct fwd_port *p)
{
	if (p->bond)
		return "it is a bond, which chooses a member for each frame";
	if (p->as != p)
		return "it is a member of a bond";
	if (p->patch_peer)
		return "its frames go on in another bridge";
	if (p->gateway)
		return "its frames are routed";
	if (p->tunnel)
		return "its frames go through a tunnel";
	if (p->underlay)
		return "tunnels' packets come and go by it";
	if (!p->port->fastpath)
		return "ports of its type have no part in it";
	return NULL;
}

/* Both ways. */
static const char *why_not_at_all(const struct fwd_port *p)
{
	if (p->capture)
		return "a capture is listening";
	if (p->is_tunnel)
		return "it puts a tag on all that comes in (dot1q-tunnel)";
	return NULL;
}

/* In a VLAN of the port, to which a frame may belong that passes it. */
static bool may_select(const struct fwd_mirror *m, const struct fwd_port *p)
{
	uint64_t any = 0;

	if (!m->by_vlan)
		return true;
	for (unsigned i = 0; i < VLAN_N / 64; i++)
		any |= m->vlans.bits[i] & p->vlans.bits[i];
	return any || (p->native_vid != VLAN_VID_NONE &&
		       vlan_set_has(&m->vlans, p->native_vid));
}

static bool is_mirrored(const struct fwd_port *p, uint32_t mirrors)
{
	for (; mirrors; mirrors &= mirrors - 1)
		if (may_select(p->bridge->mirrors[__builtin_ctz(mirrors)], p))
			return true;
	return false;
}

#define MIRRORED "a mirror copies frames of it"
#define RESERVED "it is kept for mirrors"

static const char *why_not_ingress(const struct fwd_port *p,
				   const struct fwd_ingress *in)
{
	if (in->reserved)
		return RESERVED;
	if (is_mirrored(p, in->mirrors))
		return MIRRORED;
	if (in->guard)
		return "its security policy judges what comes in";
	if (in->snoops)
		return "its DHCP is listened to";
	if (in->acl)
		return "an access list judges what comes in (acl-in)";
	if (in->policer)
		return "what comes in is policed";
	if (in->marks)
		return "what comes in is marked (set-pcp, set-dscp)";
	return NULL;
}

static const char *why_not_in(const struct fwd_port *p)
{
	if (p->apart)
		return "it is set apart from other ports";
	if (!p->learns)
		return "senders behind it are not learned";
	if (p->punts & ~PUNTS_HARMLESS)
		return "an overlay learns IP addresses from what comes in";
	return p->ingress ? why_not_ingress(p, p->ingress) : NULL;
}

static const char *why_not_egress(const struct fwd_port *p,
				  const struct fwd_egress *out)
{
	if (out->reserved)
		return RESERVED;
	if (is_mirrored(p, out->mirrors))
		return MIRRORED;
	if (out->acl)
		return "an access list judges what leaves (acl-out)";
	if (out->snoops)
		return "its DHCP is listened to";
	if (out->shaper)
		return "what leaves is shaped";
	return NULL;
}

static const char *why_not_out(const struct fwd_port *p)
{
	if (p->as_primary)
		return "it belongs to a private VLAN";
	if (p->priority_tags)
		return "it wants priority tags";
	return p->egress ? why_not_egress(p, p->egress) : NULL;
}

/*
 * Those in which a frame's VLAN id is all that there is to be known of its
 * stations. Returns whether there are any.
 */
static bool find_vlans(const struct fwd_port *p, struct vlan_set *vlans)
{
	const struct fwd_bridge *b = p->bridge;
	uint64_t any = 0;

	*vlans = p->vlans;
	for (unsigned vid = 0; b->primaries && vid < VLAN_N; vid++)
		if (b->primaries[vid] != vid)
			vlan_set_remove(vlans, vid);
	for (unsigned i = 0; i < VLAN_N / 64; i++) {
		if (b->no_learn_vlans)
			vlans->bits[i] &= ~b->flood_vlans.bits[i];
		any |= vlans->bits[i];
	}
	return any;
}

/* What leaves without a tag; frames of VLAN 0 have none anywhere. */
static uint16_t untagged_vid(const struct fwd_port *p)
{
	if (p->untagged_vid == VLAN_VID_NONE && vlan_set_has(&p->vlans, 0))
		return 0;
	return p->untagged_vid;
}

_Static_assert(VLAN_VID_NONE == FP_VID_NONE && VLAN_N == FP_VLANS,
	       "the kernel's are ours");
_Static_assert(sizeof(struct vlan_set) == sizeof(((struct fp_port *)0)->vlans),
	       "likewise");

static void fill(const struct fwd_port *p, const struct vlan_set *vlans,
		 const struct fwd_bypass *why_not, struct fp_port *fp)
{
	fp->flags = (why_not->in ? 0 : FP_IN) | (why_not->out ? 0 : FP_OUT) |
		    (p->accepts_tagged ? FP_TAGGED : 0);
	fp->native_vid = FP_VID_NONE;
	if (p->native_vid != VLAN_VID_NONE &&
	    vlan_set_has(vlans, p->native_vid))
		fp->native_vid = p->native_vid;
	fp->untagged_vid = untagged_vid(p);
	memcpy(fp->vlans, vlans->bits, sizeof(fp->vlans));
}

struct fwd_bypass fwd_port_bypass(const struct fwd_port *port,
				  struct fp_port *fp)
{
	const char *why = why_no_device(port);
	struct fwd_bypass why_not;
	struct vlan_set vlans;

	memset(fp, 0, sizeof(*fp));
	if (!why)
		why = why_not_at_all(port);
	if (!why && !find_vlans(port, &vlans))
		why = "its VLANs are private, or nothing is learned in them";
	if (why)
		return (struct fwd_bypass){ why, why };
	why_not.in = why_not_in(port);
	why_not.out = why_not_out(port);
	if (!why_not.in || !why_not.out)
		fill(port, &vlans, &why_not, fp);
	return why_not;
}
