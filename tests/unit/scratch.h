/* Directories of a test program's own, in /tmp. */
#ifndef UNIT_SCRATCH_H
#define UNIT_SCRATCH_H

#include <stddef.h>

#define SCRATCH_SIZE 32

/*
 * Makes one, empty; the caller removes it. Its name has the process's id in it:
 * scripts/run-unit removes those whose process is gone, of programs that were
 * killed.
 */
void scratch_make(char dir[SCRATCH_SIZE]);

#endif
