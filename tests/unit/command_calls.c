/* Calls of the control socket while the daemon's loop turns. */
#include "command_calls.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ovsdb-lite/control_client.h"

static void *call_main(void *aux)
{
	struct call *c = aux;

	c->rc = control_call(c->daemon->options.control_socket, c->argc,
			     c->argv, CALL_TIMEOUT_MS, &c->text, c->fd,
			     &c->n_more, &c->why);
	c->done = true;
	return NULL;
}

bool turn_until(struct test_daemon *d, void *aux)
{
	const struct timeval soon = { .tv_usec = 1000 };

	if (atomic_load((_Atomic bool *)aux))
		return true;
	event_base_loopexit(d->base, &soon);
	return false;
}

int vcall(struct test_daemon *d, struct call *c, va_list args)
{
	const char *word;

	c->daemon = d;
	while ((word = va_arg(args, const char *)))
		c->argv[c->argc++] = word;
	assert_int_equal(pthread_create(&c->thread, NULL, call_main, c), 0);
	test_daemon_wait(d, turn_until, &c->done);
	pthread_join(c->thread, NULL);
	return c->rc;
}

static char *text;

const char *answer(struct test_daemon *d, int expected_rc, ...)
{
	struct call c = { 0 };
	va_list args;
	int rc;

	va_start(args, expected_rc);
	rc = vcall(d, &c, args);
	va_end(args);
	if (rc != expected_rc)
		fail_msg("%d: %s", rc, c.text ? c.text : c.why);
	free(c.why);
	free(text);
	text = c.text;
	return text;
}

void answer_done(void)
{
	free(text);
	text = NULL;
}
