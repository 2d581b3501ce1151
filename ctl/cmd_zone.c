/* Commands on conntrack zones and on Auto-Attach mappings. */
#include "ctl/cmd.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/bridge.h"
#include "ctl/value.h"

/* The UUID that a map column has for a key (integer or string), or NULL. */
static const char *lookup_uuid(struct view_row *row, const char *column,
			       const json_t *key)
{
	json_t *pairs = view_get_set(row, column), *pair;
	const char *uuid = NULL;
	size_t i;

	json_array_foreach(pairs, i, pair) {
		if (json_equal(json_array_get(pair, 0), key))
			uuid = json_string_value(
				json_array_get(json_array_get(pair, 1), 1));
	}
	json_decref(pairs);
	return uuid;
}

static struct view_row *get_datapath(struct ctl *ctl, const char *name)
{
	json_t *key = json_string(name);
	const char *uuid = lookup_uuid(view_root(ctl->view), "datapaths", key);
	struct view_row *row =
		uuid ? view_by_uuid(ctl->view, "Datapath", uuid, NULL) : NULL;

	json_decref(key);
	if (!row)
		ctl_fatal("datapath %s does not exist; \"get Open_vSwitch . "
			  "datapaths\" lists them",
			  name);
	return row;
}

static json_int_t parse_zone(const char *word)
{
	char *end;
	long zone;

	if (strncmp(word, "zone=", 5))
		ctl_fatal("%s: zone=ID is wanted here", word);
	zone = strtol(word + 5, &end, 10);
	if (end == word + 5 || *end || zone < 0 || zone > 65535)
		ctl_fatal("%s: a zone is a number from 0 to 65535", word);
	return zone;
}

/* The policies' words, "icmp_first=30", as a map of strings to integers. */
static json_t *parse_policies(char *const words[], int n)
{
	json_t *pairs = json_array();

	for (int i = 0; i < n; i++) {
		char *equals = strchr(words[i], '='), *end = NULL;
		long long seconds = 0;

		if (equals)
			seconds = strtoll(equals + 1, &end, 10);
		if (!equals || equals == words[i] || end == equals + 1 || *end)
			ctl_fatal("%s: a policy is KEY=SECONDS", words[i]);
		json_array_append_new(pairs,
				      json_pack("[s%, I]", words[i],
						(size_t)(equals - words[i]),
						(json_int_t)seconds));
	}
	return json_pack("[s, o]", "map", pairs);
}

static void add_zone_tp(struct ctl_command *cmd)
{
	struct view_row *dp = get_datapath(cmd->ctl, cmd->argv[1]);
	json_int_t zone = parse_zone(cmd->argv[2]);
	json_t *key = json_integer(zone);
	struct view_row *policy, *row;

	if (lookup_uuid(dp, "ct_zones", key)) {
		if (!ctl_has_option(cmd, "--may-exist"))
			ctl_fatal("zone id %lld already exists",
				  (long long)zone);
		json_decref(key);
		return;
	}
	policy = view_insert(cmd->ctl->view, "CT_Timeout_Policy");
	view_set(policy, "timeouts",
		 parse_policies(cmd->argv + 3, cmd->argc - 3));
	row = view_insert(cmd->ctl->view, "CT_Zone");
	view_set(row, "timeout_policy", value_uuid(policy->uuid));
	view_mutate(
		dp, "ct_zones", "insert",
		json_pack("[s, [[o, o]]]", "map", key, value_uuid(row->uuid)));
}

static void del_zone_tp(struct ctl_command *cmd)
{
	struct view_row *dp = get_datapath(cmd->ctl, cmd->argv[1]);
	json_int_t zone = parse_zone(cmd->argv[2]);
	json_t *key = json_integer(zone);

	if (!lookup_uuid(dp, "ct_zones", key)) {
		if (!ctl_has_option(cmd, "--if-exists"))
			ctl_fatal("zone id %lld does not exist",
				  (long long)zone);
		json_decref(key);
		return;
	}
	view_mutate(dp, "ct_zones", "delete",
		    json_pack("[s, [o]]", "set", key));
}

/* Pairs of a map from strings, "KEY=VALUE" joined by spaces. */
static void print_pairs(struct ctl_command *cmd, struct view_row *row,
			const char *column, json_t *into)
{
	json_t *pairs = value_sorted_pairs(view_get(row, column)), *pair;
	size_t i;

	json_array_foreach(pairs, i, pair) {
		const char *key = json_string_value(json_array_get(pair, 0));
		json_t *v = json_array_get(pair, 1);

		if (into)
			json_object_set(into, key, v);
		fprintf(cmd->out, "%s%s=", i ? " " : "", key);
		if (json_is_string(v))
			fputs(json_string_value(v), cmd->out);
		else
			fprintf(cmd->out, "%lld",
				(long long)json_integer_value(v));
	}
	json_decref(pairs);
}

static void list_zone_tp(struct ctl_command *cmd)
{
	struct view_row *dp = get_datapath(cmd->ctl, cmd->argv[1]);
	bool json = cmd->ctl->options.style.format == TABLE_JSON;
	json_t *pairs = view_get_set(dp, "ct_zones"), *pair;
	size_t i;

	if (json)
		cmd->json = json_object();
	json_array_foreach(pairs, i, pair) {
		json_int_t zone = json_integer_value(json_array_get(pair, 0));
		struct view_row *row =
			view_by_uuid(cmd->ctl->view, "CT_Zone",
				     json_string_value(json_array_get(
					     json_array_get(pair, 1), 1)),
				     NULL);
		json_t *ref = row ? view_get_set(row, "timeout_policy") : NULL;
		const char *uuid = json_string_value(
			json_array_get(json_array_get(ref, 0), 1));
		struct view_row *policy =
			uuid ? view_by_uuid(cmd->ctl->view, "CT_Timeout_Policy",
					    uuid, NULL)
			     : NULL;
		json_t *into = json ? json_object() : NULL;
		char name[24];

		fprintf(cmd->out,
			"Zone:%lld, Timeout Policies: ", (long long)zone);
		if (policy)
			print_pairs(cmd, policy, "timeouts", into);
		else
			fputs("system default", cmd->out);
		putc('\n', cmd->out);
		snprintf(name, sizeof(name), "%lld", (long long)zone);
		if (json)
			json_object_set_new(cmd->json, name, into);
		json_decref(ref);
	}
	json_decref(pairs);
}

static void list_dp_cap(struct ctl_command *cmd)
{
	struct view_row *dp = get_datapath(cmd->ctl, cmd->argv[1]);

	if (cmd->ctl->options.style.format == TABLE_JSON)
		cmd->json = json_object();
	print_pairs(cmd, dp, "capabilities", cmd->json);
	putc('\n', cmd->out);
}

/* --- Auto-Attach ---------------------------------------------------------- */

static void want_bridge(struct ctl_command *cmd)
{
	bridge_want(cmd->ctl, cmd->argv[1]);
}

static json_int_t parse_number(const char *text, const char *what, long max)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end || n < 0 || n > max)
		ctl_fatal("\"%s\" is no %s: it is a number from 0 to %ld", text,
			  what, max);
	return n;
}

static struct view_row *auto_attach(struct ctl *ctl, struct view_row *bridge)
{
	json_t *uuids = view_get_set(bridge, "auto_attach");
	const char *uuid =
		json_string_value(json_array_get(json_array_get(uuids, 0), 1));
	struct view_row *row =
		uuid ? view_by_uuid(ctl->view, "AutoAttach", uuid, NULL) : NULL;

	json_decref(uuids);
	return row;
}

static void add_aa_mapping(struct ctl_command *cmd)
{
	struct bridge bridge = bridge_get_real(cmd->ctl, cmd->argv[1]);
	struct view_row *aa = auto_attach(cmd->ctl, bridge.row);
	json_int_t isid = parse_number(cmd->argv[2], "I-SID", 0xffffff);
	json_int_t vlan = parse_number(cmd->argv[3], "VLAN", 4095);

	if (!aa) {
		aa = view_insert(cmd->ctl->view, "AutoAttach");
		view_set(bridge.row, "auto_attach", value_uuid(aa->uuid));
	}
	view_mutate(aa, "mappings", "insert",
		    json_pack("[s, [[I, I]]]", "map", isid, vlan));
}

static void del_aa_mapping(struct ctl_command *cmd)
{
	struct bridge bridge = bridge_get_real(cmd->ctl, cmd->argv[1]);
	struct view_row *aa = auto_attach(cmd->ctl, bridge.row);
	json_int_t isid = parse_number(cmd->argv[2], "I-SID", 0xffffff);
	json_int_t vlan = parse_number(cmd->argv[3], "VLAN", 4095);

	if (aa)
		view_mutate(aa, "mappings", "delete",
			    json_pack("[s, [[I, I]]]", "map", isid, vlan));
}

static void get_aa_mapping(struct ctl_command *cmd)
{
	struct bridge bridge = bridge_get_real(cmd->ctl, cmd->argv[1]);
	struct view_row *aa = auto_attach(cmd->ctl, bridge.row);
	json_t *pairs, *pair;
	size_t i;

	if (cmd->ctl->options.style.format == TABLE_JSON)
		cmd->json = json_object();
	if (!aa)
		return;
	pairs = view_get_set(aa, "mappings");
	json_array_foreach(pairs, i, pair) {
		long long isid = json_integer_value(json_array_get(pair, 0));
		char name[24];

		fprintf(cmd->out, "%lld %lld\n", isid,
			(long long)json_integer_value(json_array_get(pair, 1)));
		snprintf(name, sizeof(name), "%lld", isid);
		if (cmd->json)
			json_object_set(cmd->json, name,
					json_array_get(pair, 1));
	}
	json_decref(pairs);
}

const struct ctl_command_class zone_commands[] = {
	{ "add-zone-tp", "DATAPATH zone=ID KEY=SECONDS...", 3, INT_MAX,
	  "--may-exist", "give a conntrack zone a timeout policy", NULL,
	  add_zone_tp, NULL },
	{ "del-zone-tp", "DATAPATH zone=ID", 2, 2, "--if-exists",
	  "delete a zone's timeout policy", NULL, del_zone_tp, NULL },
	{ "list-zone-tp", "DATAPATH", 1, 1, "",
	  "print the zones' timeout policies", NULL, list_zone_tp, NULL },
	{ "list-dp-cap", "DATAPATH", 1, 1, "",
	  "print a datapath's capabilities", NULL, list_dp_cap, NULL },
	{ "add-aa-mapping", "BRIDGE I-SID VLAN", 3, 3, "",
	  "add an Auto-Attach mapping", want_bridge, add_aa_mapping, NULL },
	{ "del-aa-mapping", "BRIDGE I-SID VLAN", 3, 3, "",
	  "delete an Auto-Attach mapping", want_bridge, del_aa_mapping, NULL },
	{ "get-aa-mapping", "BRIDGE", 1, 1, "",
	  "print a bridge's Auto-Attach mappings", want_bridge, get_aa_mapping,
	  NULL },
};
const size_t n_zone_commands = ARRAY_SIZE(zone_commands);
