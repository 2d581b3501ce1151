/*
 * The file of a database: ovsdb(5)'s log format of standalone databases, that
 * ovsdb-tool and ovsdb-server read and write as well.
 *
 *	OVSDB JSON <length> <sha1 of the JSON text>\n<JSON text>\n
 *
 * The first record is the schema, each further one a transaction. A record is
 * on disk before ovsdb_journal's append returns. One process at a time has the
 * file, by a lock on ".NAME.~lock~" beside it.
 *
 * A journal belongs to the database's thread.
 */
#ifndef OVSDB_LITE_JOURNAL_H
#define OVSDB_LITE_JOURNAL_H

#include "ovsdb-lite/db.h"

struct ovsdb_journal;

/*
 * Makes a new database file of this schema; it must not exist yet. Returns 0,
 * or -errno (-EEXIST) with a message.
 */
int ovsdb_journal_create(const char *path, const struct ovsdb_schema *schema,
			 char **errp);

/*
 * Opens a database and reads it into *db, whose storage the journal is from
 * then on. A torn last record is cut off with a warning in the log. Returns 0;
 * or -errno with a message and not a byte of the file changed: -EAGAIN when
 * another process has it, -EBADMSG when it is damaged (the message has the
 * byte offset), -ENOENT when there is none.
 *
 * The journal must outlive the db: close it after ovsdb_db_destroy.
 */
int ovsdb_journal_open(struct ovsdb_journal **journal, struct ovsdb_db **db,
		       const char *path, char **errp);
void ovsdb_journal_close(struct ovsdb_journal *journal); /* accepts NULL */

/*
 * Opens, and if the file's schema is older than `schema`, or of the same
 * version but another, first rewrites the file with it: what both have is kept,
 * columns that are new get their default, those that went away, or whose value
 * the new type does not allow, are dropped with a log message. The old file
 * stays beside it as PATH.backupVERSION-CKSUM. A newer schema in the file is
 * kept. Makes the file when there is none. -EINVAL: the database has another
 * name.
 */
int ovsdb_journal_open_as(struct ovsdb_journal **journal, struct ovsdb_db **db,
			  const char *path, const struct ovsdb_schema *schema,
			  char **errp);

/*
 * A database that is open, with another schema of its name: *new has what both
 * have. -EINVAL with a message when a value does not fit into the new schema.
 * journal, the old one's (NULL: in memory only), is the new one's from then on;
 * the old one, unchanged, is for the caller to destroy.
 */
int ovsdb_journal_convert(struct ovsdb_journal *journal,
			  const struct ovsdb_db *old,
			  const struct ovsdb_schema *schema,
			  struct ovsdb_db **new, char **errp);

/*
 * Writes the database's present content to a new file and puts it in the old
 * one's place (fdatasync, rename, fsync of the directory), so that at any
 * moment one of the two is whole. Appending does this by itself when the file
 * is over 10 MB and four times its size after the last compaction.
 */
int ovsdb_journal_compact(struct ovsdb_journal *journal, char **errp);

const char *ovsdb_journal_path(const struct ovsdb_journal *journal);
/* Bytes in the file now. */
uint64_t ovsdb_journal_size(const struct ovsdb_journal *journal);
/*
 * The size from which on compaction is considered, in bytes; for tests and for
 * small disks. The default is 10 MB.
 */
void ovsdb_journal_set_compact_size(struct ovsdb_journal *journal,
				    uint64_t bytes);

/* What ovsdb_journal_open makes the db's storage of. */
struct ovsdb_storage *ovsdb_journal_storage(struct ovsdb_journal *journal);

#endif
