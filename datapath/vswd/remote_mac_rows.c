#include "vswd/remote_mac_rows.h"

#include "vswd/config_overlay.h"
#include "vswd/status.h"

/* By the row's UUID, those that have one. */
static json_t *errors_of(const struct cfg_overlay *o)
{
	json_t *errors = json_object();
	char key[UUID_LEN + 1];

	for (size_t i = 0; o && i < o->n_macs; i++)
		if (o->macs[i].error)
			json_object_set_new(errors,
					    uuid_format(&o->macs[i].uuid, key),
					    json_string(o->macs[i].error));
	return errors;
}

static void tell(json_t *operations, const char *key, json_t *error)
{
	struct uuid uuid;

	if (uuid_from_string(&uuid, key))
		status_update_row(operations, "Remote_MAC", &uuid,
				  json_pack("{s:o}", "error", error));
	else
		json_decref(error);
}

/* A row begins without an error, so those without one are not told of. */
void remote_mac_rows_collect(struct vport *v, const struct ovsdb_schema *schema,
			     json_t *operations)
{
	json_t *now, *value;
	const char *key;

	if (!ovsdb_schema_table(schema, "Remote_MAC"))
		return;
	now = errors_of(v->interface->overlay);
	json_object_foreach(now, key, value)
		if (!json_equal(json_object_get(v->told_macs, key), value))
			tell(operations, key, json_incref(value));
	json_object_foreach(v->told_macs, key, value)
		if (!json_object_get(now, key))
			tell(operations, key, json_pack("[s,[]]", "set"));
	json_decref(v->told_macs);
	v->told_macs = now;
}

void remote_mac_rows_forget(struct vport *v)
{
	json_decref(v->told_macs);
	v->told_macs = NULL;
}
