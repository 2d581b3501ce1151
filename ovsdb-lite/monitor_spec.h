/*
 * What a monitor asks for, parsed, and the updates that follow from it. Only
 * for monitor*.c.
 */
#ifndef OVSDB_LITE_MONITOR_SPEC_H
#define OVSDB_LITE_MONITOR_SPEC_H

#include "ovsdb-lite/condition.h"
#include "ovsdb-lite/monitor.h"

/* Bits of "select": which kinds of change are of interest. */
enum monitor_select {
	SELECT_INITIAL = 1 << 0,
	SELECT_INSERT = 1 << 1,
	SELECT_DELETE = 1 << 2,
	SELECT_MODIFY = 1 << 3,
	SELECT_ALL = (1 << 4) - 1,
};

enum monitor_column_kind { COLUMN_REAL, COLUMN_UUID, COLUMN_VERSION };

struct monitor_column {
	enum monitor_column_kind kind;
	const struct ovsdb_column *column; /* COLUMN_REAL only */
	unsigned int select;
};

struct monitor_table {
	const struct ovsdb_table_schema *schema;
	const struct ovsdb_table *table;
	unsigned int select; /* of any column */
	struct monitor_column *columns;
	size_t n_columns;
	/* A row is of interest when it fulfils any of these, or there are none.
	 */
	struct ovsdb_condition *condition;
};

struct monitor_spec {
	struct server_db *db;
	enum monitor_version version;
	char *key; /* version and requests as text: what makes it this one */
	json_t *requests; /* as the client gave them */
	struct monitor_table *tables;
	size_t n_tables;
	struct monitor *members;
	struct monitor_spec *next;
};

/* monitor_request.c: fills in the tables; an error object or NULL. */
json_t *monitor_parse(struct monitor_spec *spec, struct ovsdb_db *db,
		      const json_t *requests);
void monitor_tables_destroy(struct monitor_spec *spec);

/*
 * monitor_update.c. The JSON of <table-updates> or <table-updates2>: NULL when
 * there is nothing to say (but for the initial content, which is then {}).
 */
json_t *monitor_initial(const struct monitor_spec *spec);
json_t *monitor_changes(const struct monitor_spec *spec,
			const struct ovsdb_change *changes, size_t n);
/* What changes in sight of a client that goes over from old to new. */
json_t *monitor_transition(const struct monitor_spec *old,
			   const struct monitor_spec *new);

#endif
