/*
 * Any bytes as a database file. Each line of the input is a record's JSON,
 * which gets the right header, so that the fuzzer need not find SHA-1 sums; an
 * input that begins with "OVSDB" is the file itself.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ovsdb-lite/journal_private.h"
#include "ovsdb-lite/log_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *make_file(const char *data, size_t size, size_t *file_size)
{
	const char *p = data, *end = data + size;
	char *file = NULL;

	*file_size = 0;
	while (p < end) {
		const char *line = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((line ? line : end) - p), record_size;
		json_t *json = json_loadb(p, n, 0, NULL);
		char *record;

		p += n + 1;
		if (!json)
			continue;
		record = log_format(json, &record_size);
		file = xrealloc(file, *file_size + record_size);
		memcpy(file + *file_size, record, record_size);
		*file_size += record_size;
		free(record);
		json_decref(json);
	}
	return file;
}

static void try_file(const char *bytes, size_t size)
{
	struct ovsdb_db *db;
	char *why = NULL;
	size_t good;
	int error;

	error = journal_read_db(bytes, size, "fuzz", &db, &good, &why);
	if (!error != (db != NULL) || !error != !why || (!error && good > size))
		abort();
	if (db)
		json_decref(ovsdb_db_snapshot(db));
	ovsdb_db_destroy(db);
	free(why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t file_size;
	char *file;

	if (size >= 5 && !memcmp(data, "OVSDB", 5)) {
		try_file((const char *)data, size);
		return 0;
	}
	file = make_file((const char *)data, size, &file_size);
	try_file(file ? file : "", file_size);
	free(file);
	return 0;
}
