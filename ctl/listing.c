/* Tables, or arrays of objects, of the commands that list (listing.h). */
#include "ctl/listing.h"

#include <stdlib.h>

#include "ctl/ctl.h"
#include "ctl/table.h"

void listing_begin(struct ctl_command *cmd, const char *const headings[])
{
	cmd->as_table = true;
	if (cmd->ctl->options.style.format == TABLE_JSON) {
		cmd->json = json_array();
		return;
	}
	cmd->table = table_create();
	for (size_t i = 0; headings[i]; i++)
		table_add_column(cmd->table, headings[i]);
}

void listing_row(struct ctl_command *cmd)
{
	if (cmd->json)
		json_array_append_new(cmd->json, json_object());
	else
		table_add_row(cmd->table);
}

static char *as_text(const json_t *value)
{
	if (!value)
		return xstrdup("");
	if (json_is_string(value))
		return xstrdup(json_string_value(value));
	return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
}

void listing_cell(struct ctl_command *cmd, const char *heading, json_t *value)
{
	if (!cmd->json) {
		table_add_cell(cmd->table, as_text(value), value);
		return;
	}
	if (value)
		json_object_set_new(
			json_array_get(cmd->json,
				       json_array_size(cmd->json) - 1),
			heading, value);
}
