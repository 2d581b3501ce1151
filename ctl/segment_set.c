/* KEY=VALUE of add-segment and set-segment, carried out on a Segment's row. */
#include "ctl/segment_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "ctl/ctl.h"
#include "ctl/host_net.h"
#include "ctl/segment_outside.h"
#include "ctl/segment_settings.h"
#include "ctl/value.h"
#include "ctl/view.h"

static void __attribute__((noreturn)) no_such_key(const char *key)
{
	struct suggestion s;
	char hint[128];

	if (!strcmp(key, "type") || !strcmp(key, "name"))
		ctl_fatal("a segment's %s cannot be changed; \"del-segment\" "
			  "and \"add-segment\" make another",
			  key);
	suggestion_init(&s, key);
	suggestion_offer(&s, "subnet");
	suggestion_offer(&s, "subnet6");
	suggestion_offer(&s, "outside");
	suggestion_offer(&s, "isolated");
	segment_settings_suggest(&s);
	ctl_fatal("a segment has no setting \"%s\"%s (vswd(8) lists them)", key,
		  suggestion_phrase(&s, hint, sizeof(hint)));
}

static void set_isolated(struct view_row *row, const char *value)
{
	bool on = !strcmp(value, "true");

	if (!on && *value && strcmp(value, "false"))
		ctl_fatal("a segment's isolated cannot be \"%s\"; it is true "
			  "or false",
			  value);
	view_set(row, "isolated", json_boolean(on));
}

/* An empty value takes a setting away, but for a domain, which is none then. */
static void set_option(struct view_row *row, const char *key, const char *value)
{
	char *why;

	if (!*value && strcmp(key, "domain")) {
		view_set_key(row, "options", key, NULL);
		return;
	}
	why = segment_setting_check(key, value);
	if (why)
		ctl_fatal_error(why);
	view_set_key(row, "options", key, value);
}

static void set_optional(struct view_row *row, const char *column,
			 const char *value)
{
	view_set(row, column, *value ? json_string(value) : value_set());
}

/* "KEY=VALUE"; outside comes last, since it may look at options. */
static void set_one(struct ctl_command *cmd, struct view_row *row,
		    const char *setting, bool outside)
{
	const char *equals = strchr(setting, '=');
	char *key;

	if (!equals)
		ctl_fatal("%s: \"%s\" is no setting; settings are KEY=VALUE",
			  cmd->argv[0], setting);
	key = strndup(setting, (size_t)(equals - setting));
	if (!strcmp(key, "outside") != outside) {
		free(key);
		return;
	}
	if (outside)
		segment_set_outside(cmd, row, equals + 1);
	else if (!strcmp(key, "isolated"))
		set_isolated(row, equals + 1);
	else if (!strcmp(key, "subnet") || !strcmp(key, "subnet6"))
		set_optional(row, key, equals + 1);
	else if (segment_setting_is_known(key) ||
		 (!equals[1] && view_get_key(row, "options", key)))
		set_option(row, key, equals + 1); /* or stored by others */
	else
		no_such_key(key);
	free(key);
}

void segment_set_all(struct ctl_command *cmd, struct view_row *row,
		     char *const settings[], int n)
{
	for (int outside = 0; outside < 2; outside++)
		for (int i = 0; i < n; i++)
			set_one(cmd, row, settings[i], outside);
}

/*
 * Machines there could not be told from those that the host reaches so, where
 * packets go by the host.
 */
void segment_check_routes(struct ctl_command *cmd, struct view_row *row,
			  const char *column)
{
	const char *text = view_get_string(row, column);
	const char *name = view_get_string(row, "name");
	const char *type = view_get_string(row, "type");
	bool by_host =
		!strcmp(type, "host-only") ||
		(!strcmp(type, "nat") && !*view_get_string(row, "outside"));
	struct net_prefix net;
	char *route;

	if (!by_host || !segment_is_local(cmd) ||
	    ctl_has_option(cmd, "--force") || !net_prefix_parse(&net, text, 0))
		return;
	route = host_net_route_overlap("/proc", &net, name);
	if (route)
		ctl_fatal("segment %s cannot have subnet %s: the host has a "
			  "route to %s; take another, or remove the route",
			  name, text, route);
}
