/* Any bytes as a schema: parsed, printed, parsed again. */
#include <stdint.h>
#include <stdlib.h>

#include "ovsdb-lite/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const struct ovsdb_schema *schema)
{
	for (size_t i = 0; i < schema->n_tables; i++)
		json_decref(
			ovsdb_table_schema_to_json(&schema->tables[i], false));
	ovsdb_schema_destroy(ovsdb_schema_clone(schema));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *json = json_loadb((const char *)data, size, 0, NULL);
	struct ovsdb_schema *schema;
	json_t *error;

	if (!json)
		return 0;
	error = ovsdb_schema_from_json(&schema, json);
	if (!error == !schema)
		abort();
	if (schema)
		round_trip(schema);
	ovsdb_schema_destroy(schema);
	json_decref(error);
	json_decref(json);
	return 0;
}
