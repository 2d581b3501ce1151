/*
 * The MACs behind a VXLAN port as "show" shows them. Its table is asked for
 * only where there is such a port: a server may not have it.
 */
#include "ctl/show.h"

#include <stdlib.h>

#include "ctl/cmd.h"
#include "ctl/overlay_check.h"
#include "ctl/value.h"
#include "ctl/view.h"

/* More of them are not for a glance. */
#define SHOWN_MAX 16

static void show_mac(struct ctl_command *cmd, struct view_row *row, int depth,
		     json_t *into)
{
	const char *error = view_get_string(row, "error");
	const char *mac = view_get_string(row, "mac");
	const char *remote = view_get_string(row, "remote_ip");
	json_t *object = into ? json_object() : NULL;
	json_int_t vlan;
	bool has_vlan = view_get_integer(row, "vlan", &vlan);

	fprintf(cmd->out, "%*sRemote_MAC %s at %s", depth * 4, "", mac, remote);
	if (has_vlan)
		fprintf(cmd->out, " in VLAN %lld", (long long)vlan);
	fputc('\n', cmd->out);
	if (into) {
		json_object_set_new(object, "mac", json_string(mac));
		json_object_set_new(object, "remote_ip", json_string(remote));
		if (has_vlan)
			json_object_set_new(object, "vlan", json_integer(vlan));
	}
	if (*error)
		show_text(cmd, depth + 1, object, "error", error);
	if (into)
		json_array_append_new(into, object);
}

void show_remote_macs(struct ctl_command *cmd, struct view_row *iface,
		      int depth, json_t *into)
{
	struct view_row **rows;
	json_t *list;
	size_t n;

	if (!overlay_is_vxlan(iface))
		return;
	/* All columns: by name, one that a server lacks would be an error. */
	view_fetch(cmd->ctl->view, "Interface",
		   view_where("_uuid", "==", value_uuid(iface->uuid)), NULL);
	if (!view_peek(iface, "remote_macs"))
		return;
	rows = remote_macs_of(iface, &n);
	list = into && n ? json_array() : NULL;
	for (size_t i = 0; i < n && i < SHOWN_MAX; i++)
		show_mac(cmd, rows[i], depth, list);
	if (n > SHOWN_MAX)
		fprintf(cmd->out,
			"%*s(and %zu more: vsw-ctl list-remote-macs %s)\n",
			depth * 4, "", n - SHOWN_MAX,
			view_get_string(iface, "name"));
	for (size_t i = SHOWN_MAX; list && i < n; i++)
		json_array_append_new(
			list,
			json_pack("{s:s, s:s}", "mac",
				  view_get_string(rows[i], "mac"), "remote_ip",
				  view_get_string(rows[i], "remote_ip")));
	if (list)
		json_object_set_new(into, "remote_macs", list);
	free(rows);
}
