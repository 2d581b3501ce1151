#include "ctl/security_check.h"

#include <stdlib.h>
#include <string.h>

#include "base/address_list.h"
#include "ctl/bridge.h"
#include "ctl/ctl.h"
#include "ctl/effective.h"
#include "ctl/value.h"
#include "ctl/view.h"

char *security_check_macs(const char *value)
{
	struct address_list list;

	return address_list_macs(&list, value);
}

char *security_check_ips(const char *value)
{
	struct address_list list;

	return address_list_ips(&list, value);
}

static bool is(const char *value, const char *word)
{
	return value && !strcmp(value, word);
}

/* Some interface of the port is said to have a MAC address. */
static bool is_attached(struct ctl *ctl, struct view_row *port)
{
	static const char *const columns[] = { "name", "external_ids", NULL };
	const char **names;
	bool found = false;
	size_t n;

	names = port_ifaces(ctl, port, &n);
	for (size_t i = 0; !found && i < n; i++) {
		struct view_row *iface = view_by_name(
			ctl->view, "Interface", "name", names[i], columns);

		found = iface &&
			view_get_key(iface, "external_ids", "attached-mac");
		if (found)
			view_verify(iface, "external_ids");
	}
	free(names);
	return found;
}

static void check_port(struct ctl *ctl, struct view_row *row)
{
	static const char *const columns[] = { "name", "interfaces",
					       "other_config", NULL };
	const char *key = NULL, *macs;

	if (!row->inserted)
		view_fetch(ctl->view, "Port",
			   view_where("_uuid", "==", value_uuid(row->uuid)),
			   columns);
	if (is(effective_get(ctl, row, "forged-transmits"), "reject"))
		key = "forged-transmits";
	else if (is(effective_get(ctl, row, "mac-changes"), "reject"))
		key = "mac-changes";
	macs = effective_get(ctl, row, "allowed-macs");
	if (!key)
		return;
	if (is(macs, "any"))
		ctl_fatal("other_config:%s=reject%s and "
			  "other_config:allowed-macs=any%s of port %s "
			  "contradict each other; clear one",
			  key, effective_origin(row, key),
			  effective_origin(row, "allowed-macs"),
			  view_get_string(row, "name"));
	if (macs || is_attached(ctl, row))
		return;
	ctl_fatal("other_config:%s=reject%s of port %s needs "
		  "other_config:allowed-macs, or external_ids:attached-mac of "
		  "its interface, to tell which MAC addresses are its own",
		  key, effective_origin(row, key),
		  view_get_string(row, "name"));
}

void security_check(struct ctl *ctl)
{
	effective_each_port(ctl, "interfaces", check_port);
	/* Fetching adds rows at the end, which nobody has changed. */
	for (struct view_row *row = view_first(ctl->view); row;
	     row = row->next) {
		struct view_row *port;

		if (strcmp(row->table, "Interface") != 0 || row->deleted ||
		    row->inserted || !view_is_changed(row, "external_ids"))
			continue;
		port = iface_port(ctl, view_get_string(row, "name"));
		if (port)
			check_port(ctl, port);
	}
}
