/* TLS files that a database names: see server_tls.h. */
#include "ovsdb-lite/server_tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

LOG_MODULE(ovsdb);

/* The first row's string in this column; NULL when there is none. */
static const char *first_value(struct ovsdb_db *db, const char *table,
			       const char *column)
{
	struct ovsdb_table *t = ovsdb_db_table(db, table);
	const struct ovsdb_column *c;
	const struct ovsdb_row *row;
	const struct ovsdb_datum *d;

	c = t ? ovsdb_table_schema_column(ovsdb_table_schema(t), column) : NULL;
	row = c ? ovsdb_table_next(t, NULL) : NULL;
	if (!row || c->type.key.type != OVSDB_TYPE_STRING)
		return NULL;
	d = &row->columns[c->index];
	return d->n ? ovsdb_atom_string(&d->keys[0]) : NULL;
}

/* What a name stands for: a new string, or NULL for nothing. */
static char *resolve(struct ovsdb_server *server, const char *name)
{
	char *copy, *db, *table, *column, *save = NULL, *value = NULL;
	const char *found = NULL;
	struct ovsdb_db *odb;

	if (!name || strncmp(name, "db:", 3))
		return name ? xstrdup(name) : NULL;
	copy = xstrdup(name + 3);
	db = strtok_r(copy, ",", &save);
	table = strtok_r(NULL, ",", &save);
	column = strtok_r(NULL, ",", &save);
	odb = db ? ovsdb_server_db(server, db) : NULL;
	if (odb && table && column)
		found = first_value(odb, table, column);
	if (found && *found)
		value = xstrdup(found);
	free(copy);
	return value;
}

int server_tls_create(struct ovsdb_server *server,
		      const struct tls_files *files, struct tls **tls,
		      char **errp)
{
	struct tls_files f = {
		.private_key = resolve(server, files->private_key),
		.certificate = resolve(server, files->certificate),
		.ca_cert = resolve(server, files->ca_cert),
		.peer_ca_cert = resolve(server, files->peer_ca_cert),
		.bootstrap = files->bootstrap,
	};
	int error = 0;

	*tls = NULL;
	if ((files->private_key && !f.private_key) ||
	    (files->certificate && !f.certificate) ||
	    (files->ca_cert && !f.ca_cert)) {
		log_info("the database names no key, certificate or CA "
			 "certificate: there is no TLS");
	} else {
		*tls = tls_create(&f, errp);
		error = *tls ? 0 : -EINVAL;
	}
	free(f.private_key);
	free(f.certificate);
	free(f.ca_cert);
	free(f.peer_ca_cert);
	return error;
}
