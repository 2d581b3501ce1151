/*
 * The records of an ovsdb(5) log file: finding them in a file's bytes, and
 * putting them into a file so that they are on disk.
 */
#ifndef OVSDB_LITE_LOG_FILE_H
#define OVSDB_LITE_LOG_FILE_H

#include <jansson.h>

#include "base/util.h"

/* --- reading ----------------------------------------------------------- */

struct log_reader {
	const char *bytes;
	size_t size;
	size_t offset; /* of the next record */
};

enum log_result {
	LOG_RECORD,  /* a record; the reader stands behind it */
	LOG_END,     /* the file ends here */
	LOG_TORN,    /* an incomplete record, and none after it */
	LOG_DAMAGED, /* a bad record, and good ones after it */
};

/*
 * Reads the record at reader->offset. Sets *json to a new reference for
 * LOG_RECORD, and to NULL with *why, a constant text, for the last two, after
 * which the offset is that of the bad record.
 */
enum log_result log_read(struct log_reader *reader, json_t **json,
			 const char **why);

/* --- writing ----------------------------------------------------------- */

/* The record's bytes, newly allocated; *size is their number. */
char *log_format(const json_t *json, size_t *size);

/*
 * Writes the record at the offset; fdatasync() brings it to disk. Returns 0 or
 * -errno; the file may then have part of the record.
 */
int log_append(int fd, uint64_t offset, const char *bytes, size_t size);

/*
 * Makes a file of these two records (second may be NULL) and puts it at path
 * for good: written, synced, renamed, directory synced. With `replace` it takes
 * the place of a file whose mode and owner it gets; without, an existing file
 * is -EEXIST. Returns a descriptor open for reading and writing, with its size
 * in *size; or -errno with a message, the old file in place.
 */
int log_write_file(const char *path, bool replace, const json_t *first,
		   const json_t *second, uint64_t *size, char **errp);

#endif
