/* What the tests of the database share. */
#ifndef TESTS_UNIT_OVSDB_TESTING_H
#define TESTS_UNIT_OVSDB_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ovsdb-lite/db.h"

/* JSON text with ' for ": fails the test when it is none. */
json_t *parse_json(const char *text);

/* Fails the test, showing both, when they differ; drops actual. */
void assert_json(json_t *actual, const char *expected);

/* Fails unless error is an RFC error of this tag; drops it. */
void assert_error(json_t *error, const char *tag);

struct ovsdb_schema *parse_schema(const char *text);
/* The small schema of the transaction tests: see ovsdb_testing.c. */
extern const char small_schema[];

/* Runs ['DB', operations...]: the result, which must not be "waiting". */
json_t *run(struct ovsdb_db *db, const char *operations);
/* The same, and compared. */
void check_run(struct ovsdb_db *db, const char *operations,
	       const char *expected);
/* The tag of the result's error, "" when there is none: compared. */
void check_run_error(struct ovsdb_db *db, const char *operations,
		     const char *tag);

/* A new directory below /tmp; remove_directory() takes its files with it. */
char *make_directory(void);
void remove_directory(char *path);

#endif
