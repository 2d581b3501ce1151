/* lacp/...: what LACP knows of both ends of each link. */
#include <stdlib.h>
#include <string.h>

#include "vswd/commands_bond.h"

typedef unsigned long long ull;

/* A member that LACP runs on. */
struct link {
	const char *name;
	struct lacp_port_status lacp;
	bool may_enable;
};

/* A bond's, in its order; 0 when it has no LACP. */
static unsigned get_links(const struct vbond *vb,
			  struct link links[BOND_MEMBERS_MAX])
{
	const struct bond *bond = vb->bond;
	struct bond_member_status m;
	unsigned n = 0;

	for (unsigned i = 0; i < bond_n_members(bond); i++) {
		bond_get_member_status(bond_member_at(bond, i),
				       vswitch_now_ms(), &m);
		if (!m.lacp)
			continue;
		links[n].name = m.name;
		lacp_port_get_status(m.lacp, &links[n].lacp);
		/* The interface's own trouble says more than "link down". */
		if (links[n].lacp.why_detached && !m.link_up)
			links[n].lacp.why_detached = vbond_why_no_link(vb, &m);
		links[n++].may_enable = m.may_enable;
	}
	return n;
}

static bool is_negotiated(const struct bond *bond)
{
	struct bond_status s;

	bond_get_status(bond, vswitch_now_ms(), &s);
	return s.lacp == LACP_NEGOTIATED;
}

/* The link whose key the aggregator has: the first that is attached. */
static const struct link *lead(const struct link links[], unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (links[i].lacp.attached)
			return &links[i];
	return &links[0];
}

static const char *status_word(const struct lacp_port_status *s)
{
	return s->current ? "current" : s->expired ? "expired" : "defaulted";
}

static const char *boolean(bool value)
{
	return value ? "true" : "false";
}

static const char *time_word(uint8_t state)
{
	return state & LACP_TIMEOUT ? "fast" : "slow";
}

static const char *activity_word(uint8_t state)
{
	return state & LACP_ACTIVITY ? "active" : "passive";
}

/* 6.4.2.3, in Open vSwitch's words, from the lowest bit. */
static const char *const state_words[] = {
	"activity",   "timeout",      "aggregation", "synchronized",
	"collecting", "distributing", "defaulted",   "expired",
};

/* --- as text ---------------------------------------------------------------
 */

static void info_text(struct text *text, const char *who,
		      const struct lacp_info *info)
{
	char mac[MAC_STRING_SIZE];

	text_add(text, "\n  %s sys_id: %s\n", who,
		 mac_format(info->system_id, mac));
	text_add(text, "  %s sys_priority: %u\n", who, info->system_priority);
	text_add(text, "  %s port_id: %u\n", who, info->port_id);
	text_add(text, "  %s port_priority: %u\n", who, info->port_priority);
	text_add(text, "  %s key: %u\n", who, info->key);
	text_add(text, "  %s state:", who);
	for (unsigned bit = 0; bit < ARRAY_SIZE(state_words); bit++)
		if (info->state >> bit & 1)
			text_add(text, " %s", state_words[bit]);
	text_add(text, "\n");
}

static void link_text(struct text *text, const struct link *link)
{
	const struct lacp_port_status *s = &link->lacp;

	text_add(text, "\nmember: %s: %s %s\n", link->name, status_word(s),
		 s->attached ? "attached" : "detached");
	text_add(text, "  port_id: %u\n", s->actor.port_id);
	text_add(text, "  port_priority: %u\n", s->actor.port_priority);
	text_add(text, "  may_enable: %s\n", boolean(link->may_enable));
	info_text(text, "actor", &s->actor);
	info_text(text, "partner", &s->partner);
	/* What Open vSwitch has no line for. */
	text_add(text, "\n  receive machine: %s\n", s->receive_state);
	text_add(text, "  mux machine: %s\n", s->mux_state);
	text_add(text, "  periodic machine: %s\n", s->periodic_state);
	text_add(text, "  selected: %s\n", boolean(s->selected));
	text_add(text, "  individual: %s\n", boolean(s->individual));
	if (s->individual)
		text_add(text, "  individual because: %s\n", s->why_individual);
	if (s->why_detached)
		text_add(text, "  not attached because: %s\n", s->why_detached);
	if (s->actor_churn || s->partner_churn)
		text_add(text, "  not in sync for a minute or more: %s\n",
			 !s->partner_churn ? "actor"
			 : s->actor_churn  ? "actor and partner"
					   : "partner");
}

static void show_text(struct text *text, const struct vbond *vb,
		      const struct link links[], unsigned n)
{
	const struct lacp_info *actor = &lead(links, n)->lacp.actor;
	char mac[MAC_STRING_SIZE];

	text_add(text, "---- %s ----\n", vb->config->name);
	text_add(text, "  status: %s%s\n", activity_word(actor->state),
		 is_negotiated(vb->bond) ? " negotiated" : "");
	text_add(text, "  sys_id: %s\n", mac_format(actor->system_id, mac));
	text_add(text, "  sys_priority: %u\n", actor->system_priority);
	text_add(text, "  aggregation key: %u\n", actor->key);
	text_add(text, "  lacp_time: %s\n", time_word(actor->state));
	for (unsigned i = 0; i < n; i++)
		link_text(text, &links[i]);
}

static void stats_text(struct text *text, const struct vbond *vb,
		       const struct link links[], unsigned n)
{
	text_add(text, "---- %s statistics ----\n", vb->config->name);
	for (unsigned i = 0; i < n; i++) {
		const struct lacp_port_status *s = &links[i].lacp;

		text_add(text, "\nmember: %s:\n", links[i].name);
#define LINE(WHAT, VALUE) text_add(text, "  %s: %llu\n", WHAT, (ull)(VALUE))
		LINE("TX PDUs", s->sent);
		LINE("RX PDUs", s->received);
		LINE("RX Bad PDUs", s->bad);
		LINE("RX Marker Request PDUs", s->markers);
		LINE("Link Expired", s->link_expired);
		LINE("Link Defaulted", s->link_defaulted);
		LINE("Carrier Status Changed", s->carrier_changes);
		LINE("TX Marker Response PDUs", s->marker_responses);
		LINE("Actor Churned", s->actor_churns);
		LINE("Partner Churned", s->partner_churns);
#undef LINE
	}
}

/* --- as JSON ---------------------------------------------------------------
 */

static json_t *info_json(const struct lacp_info *info)
{
	json_t *state = json_array();
	char mac[MAC_STRING_SIZE];

	for (unsigned bit = 0; bit < ARRAY_SIZE(state_words); bit++)
		if (info->state >> bit & 1)
			json_array_append_new(state,
					      json_string(state_words[bit]));
	return json_pack("{s:s, s:i, s:i, s:i, s:i, s:o}", "sys_id",
			 mac_format(info->system_id, mac), "sys_priority",
			 (int)info->system_priority, "port_id",
			 (int)info->port_id, "port_priority",
			 (int)info->port_priority, "key", (int)info->key,
			 "state", state);
}

static json_t *link_json(const struct link *link)
{
	const struct lacp_port_status *s = &link->lacp;

	return json_pack(
		"{s:s, s:s, s:b, s:b, s:b, s:b, s:s?, s:s?, s:o, s:o, s:s, s:s,"
		" s:s, s:b, s:b}",
		"name", link->name, "status", status_word(s), "attached",
		(int)s->attached, "may_enable", (int)link->may_enable,
		"selected", (int)s->selected, "individual", (int)s->individual,
		"individual_because", s->why_individual, "detached_because",
		s->why_detached, "actor", info_json(&s->actor), "partner",
		info_json(&s->partner), "receive_machine", s->receive_state,
		"mux_machine", s->mux_state, "periodic_machine",
		s->periodic_state, "actor_churn", (int)s->actor_churn,
		"partner_churn", (int)s->partner_churn);
}

static json_t *show_json(const struct vbond *vb, const struct link links[],
			 unsigned n)
{
	const struct lacp_info *actor = &lead(links, n)->lacp.actor;
	json_t *members = json_array();
	char mac[MAC_STRING_SIZE];

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(members, link_json(&links[i]));
	return json_pack("{s:s, s:s, s:s, s:b, s:s, s:i, s:i, s:s, s:o}",
			 "bond", vb->config->name, "bridge", vb->bridge->name,
			 "activity", activity_word(actor->state), "negotiated",
			 (int)is_negotiated(vb->bond), "sys_id",
			 mac_format(actor->system_id, mac), "sys_priority",
			 (int)actor->system_priority, "aggregation_key",
			 (int)actor->key, "lacp_time", time_word(actor->state),
			 "members", members);
}

static json_t *stats_json(const struct vbond *vb, const struct link links[],
			  unsigned n)
{
	json_t *members = json_array();

	for (unsigned i = 0; i < n; i++) {
		const struct lacp_port_status *s = &links[i].lacp;
		json_t *json = json_pack("{s:s}", "name", links[i].name);

#define SET(KEY, VALUE) json_object_set_new(json, KEY, json_integer(VALUE))
		SET("tx_pdus", s->sent);
		SET("rx_pdus", s->received);
		SET("rx_bad_pdus", s->bad);
		SET("rx_marker_request_pdus", s->markers);
		SET("tx_marker_response_pdus", s->marker_responses);
		SET("link_expired", s->link_expired);
		SET("link_defaulted", s->link_defaulted);
		SET("carrier_status_changed", s->carrier_changes);
		SET("actor_churned", s->actor_churns);
		SET("partner_churned", s->partner_churns);
#undef SET
		json_array_append_new(members, json);
	}
	return json_pack("{s:s, s:s, s:o}", "bond", vb->config->name, "bridge",
			 vb->bridge->name, "members", members);
}

/* --- the commands ----------------------------------------------------------
 */

static void answer(struct control_request *request, struct vswitch *vs,
		   int argc, const char *const argv[], bool stats)
{
	struct link links[BOND_MEMBERS_MAX];
	json_t *json = json_array();
	struct text text = { 0 };
	struct vbond **list;
	unsigned n_links = 0;
	size_t n = 0;

	list = command_bonds(request, vs, argc, argv, "no such lacp object",
			     &n);
	for (size_t i = 0; i < n; i++) {
		n_links = get_links(list[i], links);
		if (!n_links)
			continue;
		json_array_append_new(
			json, stats ? stats_json(list[i], links, n_links)
				    : show_json(list[i], links, n_links));
		if (stats)
			stats_text(&text, list[i], links, n_links);
		else
			show_text(&text, list[i], links, n_links);
	}
	if (list && argc > 1 && !n_links)
		command_no_such_lacp(request, vs, argv[1]);
	else if (list && control_wants_json(request))
		command_reply_json(request, json_incref(json));
	else if (list)
		control_reply(request, text.s ? text.s : "");
	json_decref(json);
	free(text.s);
	free(list);
}

static void show(struct control_request *request, int argc,
		 const char *const argv[], void *aux)
{
	answer(request, aux, argc, argv, false);
}

static void show_stats(struct control_request *request, int argc,
		       const char *const argv[], void *aux)
{
	answer(request, aux, argc, argv, true);
}

void commands_register_lacp(struct control_server *server, struct vswitch *vs)
{
	control_register(server, "lacp/show", "[port]", 0, 1, show, vs);
	control_register(server, "lacp/show-stats", "[port]", 0, 1, show_stats,
			 vs);
}
