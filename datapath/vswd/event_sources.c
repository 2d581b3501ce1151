#include "vswd/event_sources.h"

#include <stdlib.h>
#include <string.h>

#include "vswd/events.h"

/* A station that moves so often in so many seconds flaps. */
#define FLAP_MOVES 5
#define FLAP_S	   10

/* --- ports -----------------------------------------------------------------
 */

void event_link(const struct vport *v, bool up)
{
	const char *type = vport_type(v);
	bool guest = strstr(type, "vhostuser") != NULL;

	events_note(v->vs->log, guest ? EVENT_GUEST : EVENT_LINK,
		    v->bridge->name, v->interface->name,
		    json_pack("{s:b}", "up", up), "%s",
		    guest ? (up ? "the guest is there" : "the guest is gone")
			  : (up ? "link up" : "link down"));
}

void event_port(const struct vport *v, const char *error)
{
	events_note(v->vs->log, EVENT_PORT, v->bridge->name, v->interface->name,
		    error ? json_pack("{s:s}", "error", error) : NULL, "%s",
		    error ? error : "the port is well again");
}

void event_port_added(const struct vport *v)
{
	events_note(v->vs->log, EVENT_PORT, v->bridge->name, v->interface->name,
		    json_pack("{s:b}", "added", true), "the port is there");
}

void event_port_removed(const struct vport *v)
{
	events_note(v->vs->log, EVENT_PORT, v->bridge->name, v->interface->name,
		    json_pack("{s:b}", "added", false), "the port is gone");
}

/* --- bonds -----------------------------------------------------------------
 */

static void note_member(struct vbond *vb, struct vport *v, bool enabled)
{
	if (v->bond_enabled == enabled)
		return;
	v->bond_enabled = enabled;
	events_note(vb->vs->log, EVENT_BOND, vb->bridge->name, vb->config->name,
		    json_pack("{s:s, s:b}", "member", v->interface->name,
			      "enabled", enabled),
		    "member %s can%s be used", v->interface->name,
		    enabled ? "" : "not");
}

static void note_active(struct vbond *vb, const char *name)
{
	if (!strcmp(vb->noted_active, name))
		return;
	snprintf(vb->noted_active, sizeof(vb->noted_active), "%s", name);
	events_note(vb->vs->log, EVENT_BOND, vb->bridge->name, vb->config->name,
		    json_pack("{s:s}", "active", name),
		    *name ? "the active member is %s" : "no member is active%s",
		    name);
}

void event_bond(struct vbond *vb)
{
	const char *active = "";

	if (!vb->bond)
		return; /* it is being made */
	for (unsigned i = 0; i < bond_n_members(vb->bond); i++) {
		const struct bond_member *m = bond_member_at(vb->bond, i);
		struct vport *v = vbond_find_vport(vb, m);
		struct bond_member_status s;

		bond_get_member_status(m, vswitch_now_ms(), &s);
		if (v)
			note_member(vb, v, s.enabled);
		if (s.active)
			active = s.name;
	}
	note_active(vb, active);
}

/* --- stations --------------------------------------------------------------
 */

struct flaps {
	struct {
		uint64_t mac;
		uint16_t fid;
		unsigned moves;
		uint32_t since_s;
	} places[64]; /* by a hash: another station takes the place over */
};

/* Notes the station that has moved FLAP_MOVES times in FLAP_S, once. */
static void count_move(struct bridge *b, uint64_t mac, uint16_t fid,
		       const char *from, const char *to)
{
	uint64_t hash = (mac ^ fid) * 0x9e3779b97f4a7c15ull;
	uint32_t now = b->vs->now_s;
	char text[MAC_STRING_SIZE];
	unsigned at = hash >> 58;

	if (!b->flaps)
		b->flaps = xcalloc(1, sizeof(*b->flaps));
	if (b->flaps->places[at].mac != mac ||
	    b->flaps->places[at].fid != fid ||
	    now - b->flaps->places[at].since_s >= FLAP_S) {
		b->flaps->places[at].mac = mac;
		b->flaps->places[at].fid = fid;
		b->flaps->places[at].moves = 0;
		b->flaps->places[at].since_s = now;
	}
	if (++b->flaps->places[at].moves != FLAP_MOVES)
		return;
	mac_format(mac, text);
	events_note(b->vs->log, EVENT_MAC_FLAP, b->name, to,
		    json_pack("{s:s, s:i, s:s, s:s}", "mac", text, "vlan",
			      (int)fid, "from", from, "to", to),
		    "%s in VLAN %u moved %d times within %d s, last from %s: "
		    "a loop, or two stations with one address",
		    text, fid, FLAP_MOVES, FLAP_S, from);
}

void event_moved(struct bridge *b, uint64_t mac, uint16_t fid, const char *from,
		 const char *to)
{
	char text[MAC_STRING_SIZE];

	mac_format(mac, text);
	events_note(b->vs->log, EVENT_MAC_MOVE, b->name, to,
		    json_pack("{s:s, s:i, s:s, s:s}", "mac", text, "vlan",
			      (int)fid, "from", from, "to", to),
		    "%s in VLAN %u moved here from %s", text, fid, from);
	count_move(b, mac, fid, from, to);
}

/* Ports at their own limits, where something was not learned for a limit. */
static bool look_at_limits(const struct bridge *b, bool refused)
{
	bool any = false;

	for (size_t i = 0; i < b->n_vports; i++) {
		struct vport *v = b->vports[i];
		uint32_t limit =
			v->number ? fdb_port_limit(b->fdb, v->number) : 0;
		bool full =
			refused && limit && fdb_port_is_full(b->fdb, v->number);

		any |= full;
		/* A bond's limit is told by one of its members. */
		if (full && !v->was_full &&
		    bridge_find_number(b, v->number) == v)
			events_note(
				b->vs->log, EVENT_TABLE_FULL, b->name,
				v->config->name,
				json_pack("{s:I}", "limit", (json_int_t)limit),
				"the port has its limit of %u addresses "
				"(mac-table-limit); others are not "
				"learned or push out older ones",
				limit);
		v->was_full = full;
	}
	return any;
}

void event_look_at_table(struct bridge *b)
{
	bool refused, full;
	struct fdb_stats s;

	fdb_get_stats(b->fdb, &s);
	refused = s.refused + s.evicted != b->noted_full;
	b->noted_full = s.refused + s.evicted;
	full = !look_at_limits(b, refused) && refused;
	full |= refused && s.entries >= s.max_entries;
	if (full && !b->was_full)
		events_note(b->vs->log, EVENT_TABLE_FULL, b->name, NULL,
			    json_pack("{s:I, s:I}", "entries",
				      (json_int_t)s.entries, "max_entries",
				      (json_int_t)s.max_entries),
			    "the MAC table is full: %u addresses of %u "
			    "(mac-table-size of the bridge); stations are not "
			    "learned or push out others",
			    s.entries, s.max_entries);
	b->was_full = full;
}

void event_look_at_nat(struct segment_nat *nat, const struct nat_stats *stats)
{
	const struct vport *v = nat->seg->ports[ROUTER_INSIDE];
	uint64_t refused = stats->dropped[DROP_NAT_FULL];
	bool full = refused > nat->noted_full && nat->n_outside;

	nat->noted_full = refused;
	if (full && !nat->was_full)
		events_note(nat->seg->vs->log, EVENT_TABLE_FULL,
			    v ? v->bridge->name : NULL, nat->seg->config->name,
			    json_pack("{s:I, s:I}", "sessions",
				      (json_int_t)stats->sessions,
				      "max_sessions",
				      (json_int_t)stats->max_sessions),
			    "the NAT's sessions or outside ports are used up: "
			    "%u of %u sessions; new ones are refused",
			    stats->sessions, stats->max_sessions);
	nat->was_full = full;
}
