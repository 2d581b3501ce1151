/* bond/list and bond/show: what bonds are, and how they are. */
#include <stdlib.h>
#include <string.h>

#include "vswd/commands_bond.h"

typedef unsigned long long ull;

const char *bond_policy_word(enum bond_policy policy)
{
	static const char *const words[] = {
		[BOND_ACTIVE_BACKUP] = "active-backup",
		[BOND_BALANCE_SLB] = "balance-slb",
		[BOND_BALANCE_TCP] = "balance-tcp",
		[BOND_PORT_ID] = "port-id",
		[BOND_IP_HASH] = "ip-hash",
	};

	return words[policy];
}

static const char *lacp_word(enum lacp_status status)
{
	static const char *const words[] = {
		[LACP_DISABLED] = "off",
		[LACP_CONFIGURED] = "configured",
		[LACP_NEGOTIATED] = "negotiated",
	};

	return words[status];
}

static const char *role_word(enum bond_role role)
{
	static const char *const words[] = {
		[BOND_ROLE_ACTIVE] = "active",
		[BOND_ROLE_STANDBY] = "standby",
		[BOND_ROLE_UNUSED] = "unused",
	};

	return words[role];
}

static const char *detect_word(const struct vbond *vb)
{
	static const char *const words[] = {
		[BOND_DETECT_CARRIER] = "carrier",
		[BOND_DETECT_MIIMON] = "miimon",
		[BOND_DETECT_BEACON] = "beacon",
	};

	return words[vb->applied ? vb->applied->bond->config.detect : 0];
}

static bool has_failback(const struct vbond *vb)
{
	return vb->applied && vb->applied->bond->config.failback;
}

static const char *boolean(bool value)
{
	return value ? "true" : "false";
}

/* What packets are spread by now. */
static enum bond_policy in_effect(const struct bond_status *s)
{
	return s->fallen_back ? BOND_ACTIVE_BACKUP : s->policy;
}

static uint64_t active_mac(const struct bond_status *s, uint64_t now_ms)
{
	struct bond_member_status m;

	if (!s->active)
		return 0;
	bond_get_member_status(s->active, now_ms, &m);
	return m.mac;
}

/* --- bond/list -------------------------------------------------------------
 */

void command_bond_list(struct control_request *request, int argc,
		       const char *const argv[], void *aux)
{
	json_t *json = json_array();
	struct text text = { 0 };
	struct vbond **list;
	size_t n;

	/* There is no recirculation here: always 0, as of such bonds there. */
	text_add(&text, "bond\ttype\trecircID\tmembers\n");
	list = command_sorted_bonds(aux, &n);
	for (size_t i = 0; i < n; i++) {
		const struct bond *bond = list[i]->bond;
		json_t *members = json_array();
		struct bond_status s;

		bond_get_status(bond, vswitch_now_ms(), &s);
		text_add(&text, "%s\t%s\t0\t", list[i]->config->name,
			 bond_policy_word(s.policy));
		for (unsigned m = 0; m < bond_n_members(bond); m++) {
			const char *name =
				bond_member_name(bond_member_at(bond, m));

			text_add(&text, "%s%s", m ? ", " : "", name);
			json_array_append_new(members, json_string(name));
		}
		text_add(&text, "\n");
		json_array_append_new(json,
				      json_pack("{s:s, s:s, s:s, s:o}", "bond",
						list[i]->config->name, "bridge",
						list[i]->bridge->name, "type",
						bond_policy_word(s.policy),
						"members", members));
	}
	free(list);
	command_reply(request, &text, json);
}

/* --- bond/show as text -----------------------------------------------------
 */

static void head_text(struct text *text, const struct vbond *vb,
		      const struct bond_status *s)
{
	const bool lost = s->primary && !bond_find_member(vb->bond, s->primary);

	text_add(text, "---- %s ----\n", vb->config->name);
	text_add(text, "bond_mode: %s\n", bond_policy_word(s->policy));
	text_add(text, "bond may use recirculation: no, Recirc-ID : -1\n");
	text_add(text, "bond-hash-basis: %u\n", s->hash_basis);
	text_add(text, "lb_output action: disabled, bond-id: -1\n");
	if (s->policy == BOND_BALANCE_SLB)
		text_add(text, "all members active: false\n");
	text_add(text, "updelay: %u ms\n", s->updelay_ms);
	text_add(text, "downdelay: %u ms\n", s->downdelay_ms);
	if (s->rebalances)
		text_add(text, "next rebalance: %llu ms\n",
			 (ull)s->next_rebalance_ms);
	text_add(text, "lacp_status: %s\n", lacp_word(s->lacp));
	text_add(text, "lacp_fallback_ab: %s\n", boolean(s->lacp_fallback_ab));
	text_add(text, "active-backup primary: %s%s\n",
		 s->primary ? s->primary : "<none>",
		 lost ? " (no such member)" : "");
}

/* What Open vSwitch has no line for. */
static void more_text(struct text *text, const struct vbond *vb,
		      const struct bond_status *s)
{
	text_add(text, "policy in effect: %s%s\n",
		 bond_policy_word(in_effect(s)),
		 s->fallen_back ? " (no LACP partner answers)" : "");
	text_add(text, "detect mode: %s\n", detect_word(vb));
	text_add(text, "failback: %s\n", boolean(has_failback(vb)));
	text_add(text, "failovers: %llu\n", (ull)s->n_failovers);
	text_add(text, "neighbors told: %llu\n", (ull)s->n_announced);
	if (vb->error)
		text_add(text, "error: %s%s\n", vb->error,
			 vb->good ? " (the settings before that are in effect)"
				  : "");
}

static void buckets_text(struct text *text, const struct bond *bond,
			 const struct bond_member *member)
{
	struct bond_bucket_status b;

	for (unsigned i = 0; i < BOND_BUCKETS; i++) {
		bond_get_bucket_status(bond, i, &b);
		if (b.member == member && b.bytes_recently >= 1024)
			text_add(text, "  hash %u: %llu kB load\n", i,
				 (ull)b.bytes_recently / 1024);
	}
}

static void member_text(struct text *text, const struct vbond *vb,
			const struct bond_member *member, uint64_t now_ms)
{
	struct bond_member_status m;
	const char *why_not;

	bond_get_member_status(member, now_ms, &m);
	why_not = vbond_why_not(vb, &m);
	text_add(text, "\nmember %s: %s\n", m.name,
		 m.enabled ? "enabled" : "disabled");
	if (m.active)
		text_add(text, "  active member\n");
	if (m.updelay_left_ms || m.downdelay_left_ms)
		text_add(text, "  %s expires in %llu ms\n",
			 m.enabled ? "downdelay" : "updelay",
			 (ull)(m.enabled ? m.downdelay_left_ms
					 : m.updelay_left_ms));
	text_add(text, "  may_enable: %s\n", boolean(m.may_enable));
	buckets_text(text, vb->bond, member);
	text_add(text, "  role: %s\n", role_word(m.role));
	if (vb->applied &&
	    vb->applied->bond->config.detect == BOND_DETECT_BEACON)
		text_add(text, "  beacons heard: %s\n",
			 boolean(m.beacons_heard));
	if (why_not)
		text_add(text, "  not enabled because: %s\n", why_not);
}

static void bond_text(struct text *text, const struct vbond *vb,
		      uint64_t now_ms)
{
	char mac[MAC_STRING_SIZE];
	struct bond_status s;

	bond_get_status(vb->bond, now_ms, &s);
	head_text(text, vb, &s);
	text_add(text, "active member mac: %s(%s)\n",
		 mac_format(active_mac(&s, now_ms), mac),
		 s.active ? bond_member_name(s.active) : "none");
	more_text(text, vb, &s);
	for (unsigned i = 0; i < bond_n_members(vb->bond); i++)
		member_text(text, vb, bond_member_at(vb->bond, i), now_ms);
	text_add(text, "\n");
}

/* --- bond/show as JSON -----------------------------------------------------
 */

static json_t *buckets_json(const struct bond *bond,
			    const struct bond_member *member)
{
	json_t *json = json_array();
	struct bond_bucket_status b;

	for (unsigned i = 0; i < BOND_BUCKETS; i++) {
		bond_get_bucket_status(bond, i, &b);
		if (b.member == member)
			json_array_append_new(
				json, json_pack("{s:i, s:I}", "hash", (int)i,
						"load_bytes",
						(json_int_t)b.bytes_recently));
	}
	return json;
}

static json_t *member_json(const struct vbond *vb,
			   const struct bond_member *member, uint64_t now_ms)
{
	struct bond_member_status m;
	char mac[MAC_STRING_SIZE];

	bond_get_member_status(member, now_ms, &m);
	return json_pack(
		"{s:s, s:s, s:b, s:b, s:b, s:b, s:b, s:s, s:I, s:I, s:b, s:s?,"
		" s:o}",
		"name", m.name, "mac", mac_format(m.mac, mac), "enabled",
		(int)m.enabled, "active", (int)m.active, "may_enable",
		(int)m.may_enable, "link_up", (int)m.link_up,
		"disabled_by_hand", (int)m.disabled_by_hand, "role",
		role_word(m.role), "updelay_left_ms",
		(json_int_t)m.updelay_left_ms, "downdelay_left_ms",
		(json_int_t)m.downdelay_left_ms, "beacons_heard",
		(int)m.beacons_heard, "why_not_enabled", vbond_why_not(vb, &m),
		"hashes", buckets_json(vb->bond, member));
}

static json_t *bond_json(const struct vbond *vb, uint64_t now_ms)
{
	json_t *json, *members = json_array();
	char mac[MAC_STRING_SIZE];
	struct bond_status s;

	bond_get_status(vb->bond, now_ms, &s);
	for (unsigned i = 0; i < bond_n_members(vb->bond); i++)
		json_array_append_new(
			members,
			member_json(vb, bond_member_at(vb->bond, i), now_ms));
	json = json_pack(
		"{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:b, s:s?, s:s?,"
		" s:s, s:s, s:b, s:I, s:I, s:s?, s:o}",
		"bond", vb->config->name, "bridge", vb->bridge->name,
		"bond_mode", bond_policy_word(s.policy), "policy_in_effect",
		bond_policy_word(in_effect(&s)), "bond_hash_basis",
		(json_int_t)s.hash_basis, "updelay_ms",
		(json_int_t)s.updelay_ms, "downdelay_ms",
		(json_int_t)s.downdelay_ms, "lacp_status", lacp_word(s.lacp),
		"lacp_fallback_ab", (int)s.lacp_fallback_ab, "primary",
		s.primary, "active_member",
		s.active ? bond_member_name(s.active) : NULL,
		"active_member_mac", mac_format(active_mac(&s, now_ms), mac),
		"detect_mode", detect_word(vb), "failback",
		(int)has_failback(vb), "failovers", (json_int_t)s.n_failovers,
		"neighbors_told", (json_int_t)s.n_announced, "error", vb->error,
		"members", members);
	json_object_set_new(json, "next_rebalance_ms",
			    s.rebalances ? json_integer(s.next_rebalance_ms)
					 : json_null());
	return json;
}

void command_bond_show(struct control_request *request, int argc,
		       const char *const argv[], void *aux)
{
	uint64_t now_ms = vswitch_now_ms();
	struct text text = { 0 };
	struct vbond **list;
	json_t *json;
	size_t n;

	list = command_bonds(request, aux, argc, argv, "no such bond", &n);
	if (!list)
		return;
	if (control_wants_json(request)) {
		json = json_array();
		for (size_t i = 0; i < n; i++)
			json_array_append_new(json, bond_json(list[i], now_ms));
		command_reply_json(request, json);
	} else {
		for (size_t i = 0; i < n; i++)
			bond_text(&text, list[i], now_ms);
		command_reply_text(request, &text);
	}
	free(list);
}
