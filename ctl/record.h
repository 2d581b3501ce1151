/*
 * What the record commands (get, set, list...) have in common: tables, columns
 * and records by the names that people type, and their values as datums. All of
 * these end the program with a message when a name or value is wrong.
 */
#ifndef CTL_RECORD_H
#define CTL_RECORD_H

#include "ctl/ctl.h"
#include "ctl/view.h"

/*
 * Table and column names match without case, '-' as '_', and may be cut short
 * as long as they mean one only; what means one of Open vSwitch's tables is not
 * taken for one of ours. "_uuid" is a column only with `any`.
 */
const struct ovsdb_table_schema *record_table(struct ctl *ctl,
					      const char *name);
const struct ovsdb_column *record_column(const struct ovsdb_table_schema *table,
					 const char *name, bool any);

/* The columns to fetch when a record is looked for: NULL means all. */
const char *const *record_columns(const struct ovsdb_table_schema *table);
/*
 * By UUID, "@name", its first digits, or the table's own way. NULL when there
 * is none.
 */
struct view_row *record_find(struct ctl *ctl,
			     const struct ovsdb_table_schema *table,
			     const char *name);
struct view_row *record_get(struct ctl *ctl,
			    const struct ovsdb_table_schema *table,
			    const char *name);
/* For get, set and the like: NULL only with --if-exists. */
struct view_row *record_argument(struct ctl_command *cmd,
				 const struct ovsdb_table_schema *table);

/* The current value; the caller destroys it. */
void record_datum(struct view_row *row, const struct ovsdb_column *column,
		  struct ovsdb_datum *datum);
/*
 * Parses a value that a person typed; the column is for the message only, since
 * the type may be less strict than its.
 */
void record_parse(struct ctl *ctl, struct ovsdb_datum *datum,
		  const struct ovsdb_type *type,
		  const struct ovsdb_column *column, const char *text);
/* A single key or value of a map. */
void record_parse_atom(struct ctl *ctl, union ovsdb_atom *atom,
		       const struct ovsdb_base_type *base,
		       const struct ovsdb_column *column, const char *text);

/* Carries out "COLUMN[:KEY]=VALUE" on a row. */
void record_set(struct ctl *ctl, struct view_row *row, const char *argument);

/*
 * Ends the program with a message when the column is other_config and a value
 * of the datum is none that vswd takes (settings.h), and warns of keys that
 * look like typing errors.
 */
void record_check_settings(struct ctl *ctl, const struct view_row *row,
			   const struct ovsdb_column *column,
			   const struct ovsdb_datum *datum);
/* Ends the program when the column may not be changed in this row. */
void record_check_mutable(const struct view_row *row,
			  const struct ovsdb_column *column);

/* "COLUMN", "COLUMN:KEY", "COLUMN[:KEY]OPERATOR VALUE" taken apart. */
struct record_argument {
	const struct ovsdb_column *column;
	char *key;	      /* as typed, or NULL */
	const char *operator; /* one of `operators`, or NULL */
	const char *value;    /* what follows, or NULL */
};

/*
 * operators is a NULL-terminated list, longer ones first; NULL means that no
 * operator may follow. any as in record_column(). free() the key.
 */
void record_split(const struct ovsdb_table_schema *table, const char *argument,
		  const char *const operators[], bool any,
		  struct record_argument *parts);

/* Ends the program when an "@name" was used that nothing has made. */
void record_check_symbols(struct ctl *ctl);

/* A value for a person, as --data says: string, bare or JSON. free() it. */
char *record_text(const struct ovsdb_datum *datum,
		  const struct ovsdb_type *type, enum table_data data);

#endif
