/*
 * What is behind the decisions on one packet, for a trace: the VLAN settings,
 * the FDB's entries, who is left out of a flood and why, a bond's bucket. Asks
 * what the steps ask; changes nothing.
 */
#include <stdio.h>

#include "bond/bond_table.h"
#include "forward/trace_internal.h"

struct trace_mac trace_mac(uint64_t mac)
{
	struct trace_mac m;

	snprintf(m.text, sizeof(m.text), "%02x:%02x:%02x:%02x:%02x:%02x",
		 (unsigned)(mac >> 40 & 0xff), (unsigned)(mac >> 32 & 0xff),
		 (unsigned)(mac >> 24 & 0xff), (unsigned)(mac >> 16 & 0xff),
		 (unsigned)(mac >> 8 & 0xff), (unsigned)(mac & 0xff));
	return m;
}

static const char *port_name(const struct fwd_bridge *bridge, unsigned number)
{
	const struct fwd_port *p =
		number < bridge->n_numbers ? bridge->by_number[number] : NULL;

	return p ? p->port->name : "a port that is gone";
}

/* --- ingress ---------------------------------------------------------------
 */

static const char *mode_of(const struct fwd_port *p)
{
	if (p->is_tunnel)
		return "a dot1q-tunnel port";
	if (!p->accepts_tagged)
		return "an access port";
	return p->native_vid == VLAN_VID_NONE ? "a trunk of tagged frames"
					      : "a trunk";
}

void trace_why_ingress(struct trace *t, const struct stage *s,
		       const struct item *item)
{
	const struct vlan_state *v = &item->vlan;

	if (!v->tag)
		trace_say(t, "vlan", s->in, "VLAN %u: %s on %s", v->vid,
			  s->in->is_tunnel ? "its own tags are payload"
					   : "untagged",
			  mode_of(s->in));
	else if (VLAN_VID(v->tag))
		trace_say(t, "vlan", s->in,
			  "VLAN %u: the tag says so, and %s has it", v->vid,
			  mode_of(s->in));
	else
		trace_say(t, "vlan", s->in,
			  "VLAN %u: a priority tag only, so the native VLAN",
			  v->vid);
}

/* --- lookup ----------------------------------------------------------------
 */

static bool is_flood_vlan(const struct fwd_bridge *bridge,
			  const struct item *item)
{
	return bridge->no_learn_vlans &&
	       vlan_set_has(&bridge->flood_vlans, item->vlan.vid);
}

static void why_unknown(struct trace *t, const struct fwd_port *in,
			const struct item *item)
{
	const struct fdb *fdb = in->bridge->fdb;
	const struct trace_mac mac = trace_mac(item->src);
	struct fdb_stats stats;

	fdb_get_stats(fdb, &stats);
	if (fdb_port_is_full(fdb, in->number))
		trace_say(t, "learn", in,
			  "%s is new, but the port has its %u addresses "
			  "(mac-table-limit)",
			  mac.text, fdb_port_limit(fdb, in->number));
	else
		trace_say(t, "learn", in, "%s is new: it is learned here%s",
			  mac.text,
			  stats.entries >= stats.max_entries
				  ? ", if another entry of the full table "
				    "gives way"
				  : "");
}

static void why_elsewhere(struct trace *t, const struct fwd_port *in,
			  const struct item *item, const struct fdb_entry *e)
{
	const char *where = port_name(in->bridge, e->port);
	const struct trace_mac mac = trace_mac(item->src);

	if (e->is_static || e->is_sticky)
		trace_say(t, "learn", in, "%s stays at %s: its entry is %s",
			  mac.text, where, e->is_static ? "static" : "sticky");
	else if (fwd_port_filter(in) & FWD_FILTER_MOVED &&
		 !protocol_is_announcement(item))
		trace_say(t, "learn", in,
			  "%s stays at %s: by a bond's member it moves only "
			  "when it announces itself",
			  mac.text, where);
	else
		trace_say(t, "learn", in, "%s moves here from %s", mac.text,
			  where);
}

void trace_why_learn(struct trace *t, const struct stage *s,
		     const struct item *item)
{
	const struct fwd_port *in = s->in;
	const struct fdb *fdb = in->bridge->fdb;
	const struct trace_mac mac = trace_mac(item->src);
	struct fdb_entry e;

	if (!in->learns)
		trace_say(t, "learn", in, "nothing is learned on this port");
	else if (in->as->ingress && !policy_learns(in->as->ingress, item))
		trace_say(t, "learn", in,
			  "%s is not learned: it is not the port's "
			  "(mac-changes=reject)",
			  mac.text);
	else if (is_flood_vlan(in->bridge, item))
		trace_say(t, "learn", in,
			  "nothing is learned in VLAN %u (flood_vlans)",
			  item->vlan.vid);
	else if (is_of_one_apart(in->as, fdb_lookup(fdb, item->src)))
		trace_say(t, "learn", in,
			  "%s is at a port that this one is set apart from: "
			  "not learned",
			  mac.text);
	else if (!fdb_get(fdb, item->src, &e))
		why_unknown(t, in, item);
	else if (e.port == in->number)
		trace_say(t, "learn", in, "%s is known here (%s)", mac.text,
			  e.is_static ? "static" : "refreshed");
	else
		why_elsewhere(t, in, item, &e);
}

static const char *how_known(struct trace *t, const struct fdb_entry *e)
{
	if (e->is_controlled)
		return e->is_sticky ? "put by a control plane, sticky"
				    : "put by a control plane";
	if (e->is_static)
		return "static";
	return trace_text(t, "heard %u s ago", e->age_s);
}

void trace_why_lookup(struct trace *t, const struct stage *s,
		      const struct item *item)
{
	const struct fwd_bridge *bridge = s->in->bridge;
	const struct trace_mac mac = trace_mac(item->dst);
	unsigned vid = item->vlan.vid;
	struct fdb_entry e;

	if (is_flood_vlan(bridge, item))
		trace_say(t, "lookup", NULL,
			  "VLAN %u is one of flood_vlans: to all its ports",
			  vid);
	else if (mac_is_multicast(item->dst & MAC_BROADCAST))
		trace_say(t, "lookup", NULL,
			  "%s is %s: to all ports of VLAN %u", mac.text,
			  (item->dst & MAC_BROADCAST) == MAC_BROADCAST
				  ? "broadcast"
				  : "a group",
			  vid);
	else if (!fdb_get(bridge->fdb, item->dst, &e))
		trace_say(t, "lookup", NULL,
			  "%s in VLAN %u is not known: to all ports of it",
			  mac.text, vid);
	else if (!item->out)
		trace_say(t, "lookup", NULL,
			  "%s in VLAN %u is known at a port that is gone: to "
			  "all ports of it",
			  mac.text, vid);
	else
		trace_say(t, "lookup", item->out, "%s in VLAN %u is at %s (%s)",
			  mac.text, vid, item->out->port->name,
			  how_known(t, &e));
}

/* --- output ----------------------------------------------------------------
 */

/* In the order in which the flood asks (output.c); NULL: it is sent there. */
static const char *left_out(struct trace *t, const struct stage *s,
			    const struct fwd_port *out, const struct item *item)
{
	if (out == s->as)
		return "the frame came from there";
	if (!out->floods)
		return "takes no part in floods";
	if (fwd_are_apart(s->as, out))
		return "the ports are set apart (isolated, protected, or of "
		       "two communities)";
	if (is_split(s->as, out))
		return "from one tunnel to another (split-horizon)";
	if (!vlan_set_has(&out->vlans, item->vlan.vid))
		return trace_text(t, "not in VLAN %u", item->vlan.vid);
	if (!output_reaches(out, item))
		return "not the customer's VLAN (cvlans)";
	if (!output_wants(out, item))
		return "none of its stations (promiscuous=reject)";
	return NULL;
}

/* Those that get it, or those that do not. */
static void say_flooded(struct trace *t, const struct stage *s,
			const struct item *item, enum trace_kind kind)
{
	const struct fwd_bridge *bridge = s->in->bridge;

	for (unsigned i = 0; i < bridge->n_ports; i++) {
		const struct fwd_port *out = bridge->ports[i];
		const char *why = left_out(t, s, out, item);

		if (!why == (kind == TRACE_FLOODED))
			trace_add(t, kind, "flood", out)->text = why;
	}
}

void trace_why_output(struct trace *t, const struct stage *s,
		      const struct item *item)
{
	if (item->out)
		return;
	say_flooded(t, s, item, TRACE_FLOODED);
	say_flooded(t, s, item, TRACE_LEFT_OUT);
}

void trace_why_member(struct trace *t, const struct fwd_port *bond,
		      uint16_t from, const struct packet *p)
{
	static const char *const by[] = {
		[BOND_HASH_SLB] = "source MAC and VLAN",
		[BOND_HASH_L4] = "addresses and ports",
		[BOND_HASH_IP] = "IP addresses",
		[BOND_HASH_PORT] = "port of arrival",
	};
	const struct bond_table *table = bond->bond->table;
	unsigned bucket = bond_table_bucket(table, p, from);
	bool balances = table->hash != BOND_HASH_NONE;
	unsigned member = balances ? table->member[bucket] : table->active;
	const struct fwd_bond *b = bond->bond;
	const struct fwd_port *out = NULL;

	if (from < b->n_chosen && b->chosen[from] != FWD_MEMBER_ANY) {
		member = b->chosen[from];
		if (member < b->n_members && b->members[member])
			trace_say(t, "bond", bond,
				  "%s: %s, by the teaming order of the port "
				  "that it came by",
				  bond->port->name,
				  b->members[member]->port->name);
		return;
	}
	if (member < bond->bond->n_members)
		out = bond->bond->members[member];
	if (!out)
		trace_say(t, "bond", bond, "%s: no member can send",
			  bond->port->name);
	else if (balances)
		trace_say(t, "bond", bond,
			  "%s: the %s give bucket %u, which is %s's",
			  bond->port->name, by[table->hash], bucket,
			  out->port->name);
	else
		trace_say(t, "bond", bond, "%s: %s is the active member",
			  bond->port->name, out->port->name);
}
