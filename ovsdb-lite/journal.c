/*
 * A database's file: opening, appending, compacting.
 *
 * A record that could not be written whole is taken off again. When even that
 * fails, the file's end is unknown: the next append then writes a whole new
 * file from memory. So it is when syncing fails, which may have lost records
 * before this one that nobody waited for.
 */
#include "ovsdb-lite/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "ovsdb-lite/journal_private.h"
#include "ovsdb-lite/lock_file.h"
#include "ovsdb-lite/log_file.h"

LOG_MODULE(journal);

#define COMPACT_SIZE   (10u << 20)
#define COMPACT_FACTOR 4

struct ovsdb_journal {
	struct ovsdb_storage storage; /* first: a cast finds the journal */
	char *path;
	int fd, lock_fd;
	struct ovsdb_db *db;
	uint64_t size;
	uint64_t compacted_size; /* after the last compaction; 0: none yet */
	uint64_t compact_size;
	bool end_unknown;
};

/* --- appending --------------------------------------------------------- */

static int take_off(struct ovsdb_journal *journal)
{
	if (ftruncate(journal->fd, (off_t)journal->size) ||
	    fdatasync(journal->fd))
		return -errno;
	return 0;
}

static void compact_if_due(struct ovsdb_journal *journal)
{
	char *why = NULL;

	if (journal->size < journal->compact_size ||
	    journal->size / COMPACT_FACTOR < journal->compacted_size)
		return;
	if (ovsdb_journal_compact(journal, &why)) {
		log_warn("%s: compaction failed, the file goes on growing: %s",
			 journal->path, why);
		/* Not again before it has grown as much once more. */
		journal->compacted_size = journal->size;
		free(why);
	}
}

static int append(struct ovsdb_storage *storage, const json_t *record,
		  bool durable, char **errp)
{
	struct ovsdb_journal *journal = (struct ovsdb_journal *)storage;
	size_t size;
	char *bytes;
	int error;

	/* The new file has this transaction: memory shows it already. */
	if (journal->end_unknown)
		return ovsdb_journal_compact(journal, errp);
	bytes = log_format(record, &size);
	error = log_append(journal->fd, journal->size, bytes, size);
	free(bytes);
	if (!error && durable && fdatasync(journal->fd)) {
		error = -errno;
		journal->end_unknown = true;
	}
	if (error) {
		if (take_off(journal))
			journal->end_unknown = true;
		return set_error(errp, error, "%s: cannot be written: %s",
				 journal->path, strerror(-error));
	}
	journal->size += size;
	compact_if_due(journal);
	return 0;
}

int ovsdb_journal_compact(struct ovsdb_journal *journal, char **errp)
{
	json_t *schema = ovsdb_schema_to_json(ovsdb_db_schema(journal->db));
	json_t *content = ovsdb_db_snapshot(journal->db);
	uint64_t size;
	int fd;

	fd = log_write_file(journal->path, true, schema, content, &size, errp);
	json_decref(schema);
	json_decref(content);
	if (fd < 0)
		return fd;
	log_info("%s: compacted from %llu to %llu bytes", journal->path,
		 (unsigned long long)journal->size, (unsigned long long)size);
	close(journal->fd);
	journal->fd = fd;
	journal->size = journal->compacted_size = size;
	journal->end_unknown = false;
	return 0;
}

/* --- opening ----------------------------------------------------------- */

int ovsdb_journal_create(const char *path, const struct ovsdb_schema *schema,
			 char **errp)
{
	json_t *json;
	uint64_t size;
	int fd;

	if (!access(path, F_OK))
		return set_error(errp, -EEXIST, "%s: exists already", path);
	json = ovsdb_schema_to_json(schema);
	fd = log_write_file(path, false, json, NULL, &size, errp);
	json_decref(json);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int read_whole(int fd, const char *path, char **bytes, size_t *size,
		      char **errp)
{
	struct stat st;
	size_t done = 0;
	char *buffer;

	if (fstat(fd, &st))
		return set_error(errp, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return set_error(errp, -EINVAL, "%s: not a regular file", path);
	*size = (size_t)st.st_size;
	buffer = xmalloc(*size);
	while (done < *size) {
		ssize_t n = pread(fd, buffer + done, *size - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			free(buffer);
			return set_error(errp, n ? -errno : -EIO,
					 "%s: cannot be read: %s", path,
					 n ? strerror(errno) : "it shrank");
		}
		done += (size_t)n;
	}
	*bytes = buffer;
	return 0;
}

static int damaged(char **errp, const char *path, size_t offset,
		   const char *why)
{
	return set_error(errp, -EBADMSG,
			 "%s: damaged at byte %zu: %s; nothing was changed, "
			 "restore a backup or cut the file there",
			 path, offset, why);
}

static int read_schema(struct log_reader *reader, const char *path,
		       struct ovsdb_schema **schema, char **errp)
{
	json_t *json, *error;
	const char *why;
	char *text;

	if (log_read(reader, &json, &why) != LOG_RECORD) {
		if (reader->size >= 13 &&
		    !memcmp(reader->bytes, "OVSDB CLUSTER", 13))
			return set_error(errp, -EBADMSG,
					 "%s: is of a cluster, not of a "
					 "standalone database",
					 path);
		return damaged(errp, path, 0, why ? why : "the file is empty");
	}
	error = ovsdb_schema_from_json(schema, json);
	json_decref(json);
	if (!error)
		return 0;
	text = ovsdb_error_to_string(error);
	damaged(errp, path, 0, text);
	free(text);
	return -EBADMSG;
}

/* Replays all; the reader ends behind the last good record. */
static int read_records(struct log_reader *reader, const char *path,
			struct ovsdb_db *db, char **errp)
{
	char *text = NULL;
	int error = 0;

	while (!error) {
		size_t offset = reader->offset;
		const char *why;
		json_t *json;

		switch (log_read(reader, &json, &why)) {
		case LOG_END:
		case LOG_TORN:
			error = ovsdb_db_check(db, &text);
			if (error)
				damaged(errp, path, offset, text);
			free(text);
			return error;
		case LOG_DAMAGED:
			return damaged(errp, path, offset, why);
		case LOG_RECORD:
			error = ovsdb_db_replay(db, json, &text);
			json_decref(json);
			if (error)
				damaged(errp, path, offset, text);
			break;
		}
	}
	free(text);
	return error;
}

int journal_read_db(const char *bytes, size_t size, const char *path,
		    struct ovsdb_db **db, size_t *good, char **errp)
{
	struct log_reader reader = { .bytes = bytes, .size = size };
	struct ovsdb_schema *schema;
	int error;

	*db = NULL;
	error = read_schema(&reader, path, &schema, errp);
	if (error)
		return error;
	*db = ovsdb_db_create(schema, NULL);
	error = read_records(&reader, path, *db, errp);
	if (error) {
		ovsdb_db_destroy(*db);
		*db = NULL;
		return error;
	}
	*good = reader.offset;
	return 0;
}

static int load(struct ovsdb_journal *journal, char **errp)
{
	size_t size = 0, good;
	char *bytes = NULL;
	int error;

	if (journal->fd >= 0)
		close(journal->fd); /* a conversion replaced the file */
	journal->fd = open(journal->path, O_RDWR | O_CLOEXEC);
	if (journal->fd < 0)
		return set_error(errp, -errno, "%s: cannot be opened: %s",
				 journal->path, strerror(errno));
	error = read_whole(journal->fd, journal->path, &bytes, &size, errp);
	if (error)
		return error;
	error = journal_read_db(bytes, size, journal->path, &journal->db, &good,
				errp);
	free(bytes);
	if (error)
		return error;
	journal->size = good;
	/* How much of it is old is not known: compacted when over the limit. */
	journal->compacted_size = 0;
	if (good == size)
		return 0;
	log_warn("%s: the last record, at byte %zu, is incomplete and was cut "
		 "off: %zu bytes",
		 journal->path, good, size - good);
	error = take_off(journal);
	if (error)
		return set_error(errp, error,
				 "%s: an incomplete record could not be cut "
				 "off: %s",
				 journal->path, strerror(-error));
	return 0;
}

/* Follows a symbolic link, so that compaction replaces the file itself. */
static char *real_path(const char *path)
{
	char *real = realpath(path, NULL);

	return real ? real : xstrdup(path);
}

struct ovsdb_journal *journal_lock(const char *path, char **errp, int *error)
{
	struct ovsdb_journal *journal = xcalloc(1, sizeof(*journal));

	journal->path = real_path(path);
	journal->storage.append = append;
	journal->compact_size = COMPACT_SIZE;
	journal->fd = -1;
	journal->lock_fd = lock_file(journal->path, errp);
	if (journal->lock_fd >= 0)
		return journal;
	*error = journal->lock_fd;
	ovsdb_journal_close(journal);
	return NULL;
}

int journal_load(struct ovsdb_journal *journal, struct ovsdb_db **db,
		 char **errp)
{
	int error = load(journal, errp);

	if (error) {
		ovsdb_db_destroy(journal->db);
		*db = journal->db = NULL;
		return error;
	}
	*db = journal->db;
	ovsdb_db_set_storage(*db, &journal->storage);
	return 0;
}

int ovsdb_journal_open(struct ovsdb_journal **journal, struct ovsdb_db **db,
		       const char *path, char **errp)
{
	int error;

	*db = NULL;
	*journal = NULL;
	/* Leave no lock file beside a name that is none. */
	if (access(path, F_OK))
		return set_error(errp, -errno, "%s: cannot be opened: %s", path,
				 strerror(errno));
	*journal = journal_lock(path, errp, &error);
	if (!*journal)
		return error;
	error = journal_load(*journal, db, errp);
	if (error) {
		ovsdb_journal_close(*journal);
		*journal = NULL;
	}
	return error;
}

void ovsdb_journal_close(struct ovsdb_journal *journal)
{
	if (!journal)
		return;
	if (journal->fd >= 0)
		close(journal->fd);
	if (journal->lock_fd >= 0)
		close(journal->lock_fd);
	free(journal->path);
	free(journal);
}

const char *ovsdb_journal_path(const struct ovsdb_journal *journal)
{
	return journal->path;
}

uint64_t ovsdb_journal_size(const struct ovsdb_journal *journal)
{
	return journal->size;
}

void ovsdb_journal_set_compact_size(struct ovsdb_journal *journal,
				    uint64_t bytes)
{
	journal->compact_size = bytes;
}

struct ovsdb_storage *ovsdb_journal_storage(struct ovsdb_journal *journal)
{
	return &journal->storage;
}
