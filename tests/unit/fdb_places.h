/*
 * The FDB's tests are run twice: with tables in memory of the process's own,
 * and in the kernel's where that can be had (fastpath/).
 */
#ifndef UNIT_FDB_PLACES_H
#define UNIT_FDB_PLACES_H

#include "base/util.h"

/* Where a test is to make its tables: for fdb_config.fastpath. */
extern struct fastpath *fdb_place;

/* For cmocka: the kernel's memory, and back. */
int fdb_place_in_kernel(void **state);
int fdb_place_own(void **state);
/* Whether it can be had; says why not. */
bool fdb_place_has_kernel(void);

/* The program's exit code, as cmocka_run_group_tests() gives it. */
#define RUN_IN_BOTH_PLACES(TESTS)                                              \
	(cmocka_run_group_tests(TESTS, NULL, NULL) +                           \
	 (fdb_place_has_kernel() ? cmocka_run_group_tests_name(                \
					   "in the kernel's memory", TESTS,    \
					   fdb_place_in_kernel, fdb_place_own) \
				 : 0))

#endif
