/* Directories of a test program's own, in /tmp (scratch.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch.h"

void scratch_make(char dir[SCRATCH_SIZE])
{
	snprintf(dir, SCRATCH_SIZE, "/tmp/vsw-unit-%d-XXXXXX", (int)getpid());
	assert_non_null(mkdtemp(dir));
}
