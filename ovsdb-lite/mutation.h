/* Mutations: changes relative to what a column has (RFC 7047 section 5.1). */
#ifndef OVSDB_LITE_MUTATION_H
#define OVSDB_LITE_MUTATION_H

#include "ovsdb-lite/db.h"

struct ovsdb_mutations; /* any number, applied in order */

/*
 * Parses an array of [<column>, <mutator>, <value>]. Sets *mutations and
 * returns NULL, or sets it to NULL and returns an RFC error object.
 */
json_t *ovsdb_mutations_from_json(struct ovsdb_mutations **mutations,
				  const struct ovsdb_table_schema *table,
				  const json_t *json,
				  struct ovsdb_symbols *symbols) MUST_CHECK;
void ovsdb_mutations_destroy(struct ovsdb_mutations *mutations);

/*
 * Applies all to a row's columns. On an RFC error some are applied already: the
 * transaction is to be undone.
 */
json_t *ovsdb_mutations_apply(const struct ovsdb_mutations *mutations,
			      struct ovsdb_datum *columns) MUST_CHECK;

#endif
