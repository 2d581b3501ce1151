/* Commands to the control socket of a daemon in the test (daemon_fixture.h). */
#ifndef TESTS_COMMAND_CALLS_H
#define TESTS_COMMAND_CALLS_H

#include <pthread.h>
#include <stdarg.h>

#include "daemon_fixture.h"

#define CALL_TIMEOUT_MS 20000

/* A call blocks, and its answer needs our loop: it has a thread. */
struct call {
	struct test_daemon *daemon;
	pthread_t thread;
	const char *argv[8];
	int argc;
	int *fd;
	size_t n_more;
	int rc;
	char *text, *why;
	_Atomic bool done;
};

/* The words end with NULL. The reply's text is in c->text, owned by c. */
int vcall(struct test_daemon *d, struct call *c, va_list args);
/* For test_daemon_wait(): turns until *aux, an _Atomic bool. */
bool turn_until(struct test_daemon *d, void *aux);
/*
 * The reply of a command that must succeed, or the error of one that fails;
 * until the next.
 */
const char *answer(struct test_daemon *d, int expected_rc, ...);
void answer_done(void);

#endif
