/* vswd's command line: where things are, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "vswd/options.h"

static struct vswd_options o;

static int parse(const char *line, char **why)
{
	char *copy = xstrdup(line), *argv[16] = { (char *)"vswd" }, *save;
	int argc = 1, rc;

	for (char *w = strtok_r(copy, " ", &save); w;
	     w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	argv[argc] = NULL;
	rc = vswd_options_parse(&o, argc, argv, why);
	free(copy);
	return rc;
}

static void test_defaults(void **state)
{
	assert_int_equal(parse("", NULL), 0);
	assert_string_equal(o.db_socket, "/run/vsw/db.sock");
	assert_string_equal(o.control_socket, "/run/vsw/vswd.ctl");
	assert_string_equal(o.pid_file, "/run/vsw/vswd.pid");
	assert_string_equal(o.db_file, "/var/lib/vsw/conf.db");
	assert_null(o.log_file);
	assert_null(o.db_remote);
	assert_true(o.sandbox);
	vswd_options_free(&o);
	assert_int_equal(parse("--log-file", NULL), 0);
	assert_string_equal(o.log_file, "/var/log/vsw/vswd.log");
	vswd_options_free(&o);
}

static void test_run_dir(void **state)
{
	char *cwd = getcwd(NULL, 0), *expected;

	assert_int_equal(parse("--run-dir /x/y --log-file --detach", NULL), 0);
	assert_string_equal(o.db_socket, "/x/y/db.sock");
	assert_string_equal(o.db_file, "/x/y/conf.db");
	assert_string_equal(o.log_file, "/x/y/vswd.log");
	assert_string_equal(o.daemon.pidfile, "/x/y/vswd.pid");
	assert_true(o.daemon.detach);
	assert_false(o.clean_up);
	vswd_options_free(&o);
	assert_int_equal(parse("--clean-up --run-dir /x/y", NULL), 0);
	assert_true(o.clean_up);
	assert_string_equal(o.run_dir, "/x/y");
	vswd_options_free(&o);
	/* A relative one is the same after detaching. */
	assert_int_equal(parse("--run-dir=d --database=e.db", NULL), 0);
	expected = xasprintf("%s/d/db.sock", cwd);
	assert_string_equal(o.db_socket, expected);
	free(expected);
	expected = xasprintf("%s/e.db", cwd);
	assert_string_equal(o.db_file, expected);
	free(expected);
	free(cwd);
	vswd_options_free(&o);
}

static void test_database(void **state)
{
	assert_int_equal(parse("unix:/a/db.sock", NULL), 0);
	assert_string_equal(o.db_remote, "unix:/a/db.sock");
	vswd_options_free(&o);
	assert_int_equal(parse("--db tcp:127.0.0.1:6640", NULL), 0);
	assert_string_equal(o.db_remote, "tcp:127.0.0.1:6640");
	vswd_options_free(&o);
	assert_int_equal(parse("--remote=ptcp:1 --remote=ptcp:2", NULL), 0);
	assert_int_equal(o.n_remotes, 2);
	assert_string_equal(o.remotes[1], "ptcp:2");
	assert_null(o.remotes[2]);
	vswd_options_free(&o);
}

/* With and without the space that ovs-vswitchd does not take. */
static void test_levels(void **state)
{
	assert_int_equal(parse("-vconsole:off unix:/a", NULL), 0);
	assert_string_equal(o.db_remote, "unix:/a");
	vswd_options_free(&o);
	assert_int_equal(parse("-v console:off unix:/a", NULL), 0);
	assert_string_equal(o.db_remote, "unix:/a");
	vswd_options_free(&o);
}

static void refused(const char *line, const char *part)
{
	char *why = NULL;

	assert_int_not_equal(parse(line, &why), 0);
	assert_non_null(why);
	if (!strstr(why, part))
		fail_msg("%s: %s", line, why);
	assert_null(strchr(why, '\n'));
	free(why);
	vswd_options_free(&o);
}

static void test_refusals(void **state)
{
	refused("--nonsense", "--nonsense");
	refused("--run-dir", "--run-dir");
	refused("--run-dir=", "directory");
	refused("conf.db", "unix:FILE");
	refused("unix:/a unix:/b", "unix:/b");
	refused("--db unix:/a --database=/b", "--database");
	refused("--db ssl:127.0.0.1:6640 -p /k -c /c", "--ca-cert are needed");
	refused("-p /k -c /c", "go together");
	refused("-vnonsense:dbg", "nonsense");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_run_dir),
		cmocka_unit_test(test_database), cmocka_unit_test(test_levels),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
