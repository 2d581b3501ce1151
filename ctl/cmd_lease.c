/* Commands on a segment's leases, static ones and those that vswd gave out. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/bridge.h"
#include "ctl/cmd.h"
#include "ctl/listing.h"
#include "ctl/segment_check.h"
#include "ctl/segment_rules.h"
#include "ctl/settings.h"
#include "ctl/value.h"

static const char *const lease_columns[] = { "address",	  "mac",   "hostname",
					     "interface", "state", "expires",
					     NULL };

void want_leases(struct ctl_command *cmd)
{
	segment_want(cmd);
	view_want(cmd->ctl->view, "Lease", json_array(), lease_columns);
	view_want(cmd->ctl->view, "Segment", json_array(),
		  (const char *const[]){ "leases", NULL });
}

/* The key that is this MAC, in whatever case it was written; NULL: none. */
static const char *find_key(struct view_row *segment, const char *mac)
{
	json_t *pairs = view_get_set(segment, "static_leases"), *pair;
	const char *found = NULL;
	size_t i;

	json_array_foreach(pairs, i, pair) {
		const char *key = json_string_value(json_array_get(pair, 0));

		if (key && !strcasecmp(key, mac))
			found = key;
	}
	json_decref(pairs); /* the row still holds the strings */
	return found;
}

static void parse_mac(const struct ctl_command *cmd, char mac[18])
{
	if (!settings_parse_address(mac, cmd->argv[2]))
		ctl_fatal("%s: \"%s\" is not the MAC address of one device, "
			  "such as 52:54:00:00:00:01",
			  cmd->argv[0], cmd->argv[2]);
}

void add_static_lease(struct ctl_command *cmd)
{
	struct view_row *segment = segment_get(cmd->ctl, cmd->argv[1]);
	const char *name = cmd->argc > 4 ? cmd->argv[4] : NULL, *old, *key;
	char mac[18], *value;

	parse_mac(cmd, mac);
	value = xasprintf("%s%s%s", cmd->argv[3], name ? "," : "",
			  name ? name : "");
	key = find_key(segment, mac);
	old = key ? view_get_key(segment, "static_leases", key) : NULL;
	if (old && strcmp(old, value))
		ctl_fatal("%s has the static lease %s in segment %s already; "
			  "\"vsw-ctl del-static-lease %s %s\" removes it",
			  mac, old, cmd->argv[1], cmd->argv[1], mac);
	if (old && !ctl_has_option(cmd, "--may-exist"))
		ctl_fatal("%s has the static lease %s in segment %s already",
			  mac, old, cmd->argv[1]);
	view_set_key(segment, "static_leases", key ? key : mac, value);
	free(value);
}

void del_static_lease(struct ctl_command *cmd)
{
	struct view_row *bridge;
	struct view_row *segment =
		segment_find(cmd->ctl, cmd->argv[1], &bridge);
	bool may_miss = ctl_has_option(cmd, "--if-exists");
	const char *key;
	char mac[18];

	parse_mac(cmd, mac);
	if (!segment && may_miss)
		return;
	segment = segment_get(cmd->ctl, cmd->argv[1]);
	key = find_key(segment, mac);
	if (!key && may_miss)
		return;
	if (!key)
		ctl_fatal("segment %s has no static lease for %s (\"vsw-ctl "
			  "list-leases %s\" lists them)",
			  cmd->argv[1], mac, cmd->argv[1]);
	view_set_key(segment, "static_leases", key, NULL);
}

/* --- list-leases ---------------------------------------------------------- */

/* "2026-11-21 14:00:00", the host's time. */
static json_t *time_cell(const struct ctl_command *cmd, json_int_t seconds)
{
	time_t t = (time_t)seconds;
	char text[64];
	struct tm tm;

	if (!seconds)
		return NULL;
	if (cmd->json)
		return json_integer(seconds);
	localtime_r(&t, &tm);
	strftime(text, sizeof(text), "%F %T", &tm);
	return json_string(text);
}

static json_t *text_cell(struct view_row *row, const char *column)
{
	const char *text = view_get_string(row, column);

	return *text ? json_string(text) : NULL;
}

static void list_lease(struct ctl_command *cmd, struct view_row *segment,
		       struct view_row *lease)
{
	bool is_static = find_key(segment, view_get_string(lease, "mac"));
	json_int_t expires = 0;

	view_get_integer(lease, "expires", &expires);
	listing_row(cmd);
	listing_cell(cmd, "segment", text_cell(segment, "name"));
	listing_cell(cmd, "address", text_cell(lease, "address"));
	listing_cell(cmd, "mac", text_cell(lease, "mac"));
	listing_cell(cmd, "name", text_cell(lease, "hostname"));
	listing_cell(cmd, "port", text_cell(lease, "interface"));
	listing_cell(cmd, "state", text_cell(lease, "state"));
	listing_cell(cmd, "static", is_static ? json_true() : NULL);
	listing_cell(cmd, "expires", time_cell(cmd, expires));
}

/* A static lease whose machine has not asked for it. */
static void list_unused(struct ctl_command *cmd, struct view_row *segment,
			const char *mac, const char *value)
{
	struct net_addr ip;
	char text[NET_TEXT_MAX];
	const char *name = NULL;
	bool ok = segment_lease_parse(value, &ip, &name);

	listing_row(cmd);
	listing_cell(cmd, "segment", text_cell(segment, "name"));
	listing_cell(cmd, "address",
		     json_string(ok ? net_addr_text(&ip, text) : value));
	listing_cell(cmd, "mac", json_string(mac));
	listing_cell(cmd, "name", ok && name ? json_string(name) : NULL);
	listing_cell(cmd, "port", NULL);
	listing_cell(cmd, "state", json_string("unused"));
	listing_cell(cmd, "static", json_true());
	listing_cell(cmd, "expires", NULL);
}

static int compare_leases(const void *a, const void *b)
{
	struct net_addr x, y;
	const char *s =
		view_get_string(*(struct view_row *const *)a, "address");
	const char *t =
		view_get_string(*(struct view_row *const *)b, "address");

	if (net_addr_parse(&x, s, 0) && net_addr_parse(&y, t, 0))
		return net_addr_compare(&x, &y);
	return strcmp(s, t);
}

static struct view_row **leases_of(struct ctl *ctl, struct view_row *segment,
				   size_t *n)
{
	json_t *uuids = view_get_set(segment, "leases"), *u;
	struct view_row **list =
		xcalloc(json_array_size(uuids) + 1, sizeof(struct view_row *));
	size_t i;

	*n = 0;
	json_array_foreach(uuids, i, u) {
		struct view_row *row = view_by_uuid(
			ctl->view, "Lease",
			json_string_value(json_array_get(u, 1)), lease_columns);

		if (row)
			list[(*n)++] = row;
	}
	json_decref(uuids);
	if (*n)
		qsort(list, *n, sizeof(struct view_row *), compare_leases);
	return list;
}

static bool has_lease(struct view_row *const list[], size_t n, const char *mac)
{
	for (size_t i = 0; i < n; i++)
		if (!strcasecmp(view_get_string(list[i], "mac"), mac))
			return true;
	return false;
}

static void list_of(struct ctl_command *cmd, struct view_row *segment)
{
	json_t *pairs = value_sorted_pairs(view_get(segment, "static_leases"));
	json_t *pair;
	size_t i, n;
	struct view_row **list = leases_of(cmd->ctl, segment, &n);

	for (i = 0; i < n; i++)
		list_lease(cmd, segment, list[i]);
	json_array_foreach(pairs, i, pair) {
		const char *mac = json_string_value(json_array_get(pair, 0));

		if (!has_lease(list, n, mac))
			list_unused(cmd, segment, mac,
				    json_string_value(json_array_get(pair, 1)));
	}
	json_decref(pairs);
	free(list);
}

void list_leases(struct ctl_command *cmd)
{
	struct bridge *list;
	size_t n;

	listing_begin(cmd, (const char *const[]){ "segment", "address", "mac",
						  "name", "port", "state",
						  "static", "expires", NULL });
	if (cmd->argc > 1) {
		list_of(cmd, segment_get(cmd->ctl, cmd->argv[1]));
		return;
	}
	list = bridge_list(cmd->ctl, &n);
	for (size_t i = 0; i < n; i++) {
		struct view_row *segment =
			list[i].port ? NULL
				     : segment_of_bridge(cmd->ctl, list[i].row);

		if (segment)
			list_of(cmd, segment);
	}
	free(list);
}
