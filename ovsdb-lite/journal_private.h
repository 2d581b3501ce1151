/* What the files of the journal share. */
#ifndef OVSDB_LITE_JOURNAL_PRIVATE_H
#define OVSDB_LITE_JOURNAL_PRIVATE_H

#include "ovsdb-lite/journal.h"

/* A journal that has its lock but has read nothing; NULL sets *error. */
struct ovsdb_journal *journal_lock(const char *path, char **errp, int *error);

/* Reads the file. Returns 0; or -errno with a message, *db NULL. */
int journal_load(struct ovsdb_journal *journal, struct ovsdb_db **db,
		 char **errp);

/*
 * Reads a file's bytes into a new database and sets *good to the bytes before
 * an incomplete last record (or all). Returns 0; or -EBADMSG with a message,
 * *db NULL. path is for messages only.
 */
int journal_read_db(const char *bytes, size_t size, const char *path,
		    struct ovsdb_db **db, size_t *good, char **errp);

/*
 * The content of db as a record for a database of `schema`: values that that
 * does not allow are left out and counted, with a log message. New reference.
 */
json_t *journal_convert(const struct ovsdb_db *db,
			const struct ovsdb_schema *schema, size_t *n_dropped);

/*
 * Writes a new file of db, which has been made of this record, and appends to
 * it from then on. 0; or -errno with a message, the old file in place.
 */
int journal_replace(struct ovsdb_journal *journal, struct ovsdb_db *db,
		    const json_t *record, char **errp);

#endif
